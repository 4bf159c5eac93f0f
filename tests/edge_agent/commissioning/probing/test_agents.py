"""Whoever is about to ask a device is told of the agents that ask it now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from drivers.modbus.settings import ModbusSettings
from edge_agent.commissioning.probing import agents
from hil_tests.field import wait_for, write_agent_file


def test_an_agent_behind_a_process_that_waits_for_it_is_named_once(tmp_path: Path) -> None:
    device = {"name": "plc", "driver": "modbus", "host": "127.0.0.1", "port": 9}
    write_agent_file(tmp_path / "agent.toml", "gate", {"name": "park", "endpoints": ["tcp://127.0.0.1:9"]}, device, {})
    settings = ModbusSettings(host="127.0.0.1", port=9)
    assert agents.warning(settings) is None
    # What an agent's process looks like from outside, without its work.
    words = [sys.executable, "-c", "import time; time.sleep(60)", "edge-agent", "run", str(tmp_path)]
    wrapper = subprocess.Popen(["timeout", "60", *words])
    try:
        children = Path(f"/proc/{wrapper.pid}/task/{wrapper.pid}/children")
        wait_for(lambda: bool(children.read_text()), "the process has started its own")
        said = agents.warning(settings)
        assert said is not None
        assert said.startswith(
            f"the agent of {tmp_path} (process {children.read_text().strip()}) polls 127.0.0.1:9 now"
        )
    finally:
        wrapper.terminate()
        wrapper.wait()
