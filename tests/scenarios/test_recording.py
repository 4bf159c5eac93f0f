"""A real agent that records while it watches a device: what it put on record is what its recording gives again."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.keys import format_public, format_secret, generate
from edge_agent.cli import main
from edge_agent.station.control import ControlError, ask
from hil_tests.agent_folder import toml_text
from hil_tests.field import HOST, ORGANISATION, one_device, wait_for, write_points
from hil_tests.processes import Program
from hil_tests.rig.rig import Rig

pytestmark = pytest.mark.timeout(120)
EVENTS_MIN = 60
WAVES = 6


def _started(folder: Path, program: Program) -> None:
    program.start()
    wait_for(lambda: _events(folder) > 0, "the agent judges", 90.0, of=[program])


def _events(folder: Path) -> int:
    try:
        return int(ask(folder / "data", {"ask": "status"})["events_seq"])
    except ControlError:
        return 0


def _more_events(folder: Path, program: Program) -> None:
    before = _events(folder)
    wait_for(lambda: _events(folder) > before + EVENTS_MIN, "it reports", 30.0, of=[program])


def test_the_events_of_a_recording_are_those_of_the_store_across_restarts_and_a_kill(tmp_path, capsys):
    registers = [
        {"table": "holding", "address": i, "type": "uint16", "name": f"w{i}",
         "signal": {"kind": "counter", "period_s": 0.2 + 0.03 * i, "modulo": 3}}
        for i in range(WAVES)
    ]  # fmt: skip
    rig = Rig(one_device("plc", registers), tmp_path / "rig")
    folder = tmp_path / "site"
    (folder / "keys").mkdir(parents=True)
    program = Program("gate", "edge_agent.cli", ("run", str(folder)), tmp_path / "agent.log")
    rig.start()
    try:
        tables = {
            "agent": {"name": "gate", "organisation": ORGANISATION},
            "recording": {"budget_mb": 8},
            "destination": [{"name": "park", "endpoints": ["tcp://127.0.0.1:9"]}],
            "device": [{"name": "plc", "driver": "modbus", "host": HOST, "port": rig.ports["plc"]}],
        }
        (folder / "agent.toml").write_text(toml_text(tables))
        rows = [
            {"tag": f"W{i}", "address": i, "register": "holding", "type": "uint16", "unit": "1", "poll_s": 0.1,
             "h": 1, "hh": 2, "on_delay_s": 0.05 * i, "off_delay_s": 0.02 * i}
            for i in range(WAVES)
        ]  # fmt: skip
        write_points(folder / "points.csv", "plc", rows)
        keys = generate("gate")
        (folder / "keys/agent.key").write_text(format_secret(keys))
        (folder / "keys/agent.key").chmod(0o600)
        (folder / "keys/aggregator.pub").write_text(format_public(generate("park").public))
        for killed, begins in ((False, "fresh: none"), (True, "resumed: "), (False, "resumed: ")):
            _started(folder, program)
            assert ask(folder / "data", {"ask": "status"})["detector_state"].startswith(begins)
            _more_events(folder, program)
            program.kill() if killed else program.stop()
    finally:
        program.stop()
        rig.stop()
    recordings = str(folder / "recordings")
    for batch in ((), ("--batch", "1"), ("--batch", "997")):
        status = main(["replay", recordings, *batch, "--against", str(folder)])
        said = capsys.readouterr().err
        assert status == 0, said
        assert "the same as what was reported" in said
    events = int(said.partition("reported: ")[2].split()[0])
    assert events > 2 * EVENTS_MIN
