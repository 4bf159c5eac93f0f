"""How long an agent takes from its start to its first request, and what it keeps in memory: per way in which kernels run.

The agent runs as in service, as a process of its own; the device is a socket of this process that takes the request, which
is the moment measured, and then hangs up. ``cold`` starts with an empty cache of numba, as after an installation.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

STARTS: Final = 3
SETTLE_S: Final = 1.0
WAIT_S: Final = 20.0
GOAL_S: Final = 0.5
GOAL_MB: Final = 90.0
_CLI: Final = "import sys; from edge_agent.cli import main; sys.exit(main())"


def run() -> list[dict[str, Any]]:
    """RuntimeError where the kernels are not compiled ahead of time."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="parksentry-start-") as folder:
        work = Path(folder)
        _start(work, "jit", work / "cache", opcua=False)
        for name, kernels, opcua in (
            ("ahead", "aot", False), ("ahead_opcua", "aot", True), ("numba_cached", "jit", False), ("numba_cold", "jit", False)
        ):  # fmt: skip
            found = []
            for number in range(STARTS):
                cache = work / (f"cold-{number}" if name == "numba_cold" else "cache")
                found.append(_start(work, kernels, cache, opcua=opcua))
            seconds, resident_mb = (median(each) for each in zip(*found, strict=True))
            devices = "Modbus and OPC UA" if opcua else "Modbus"
            rows += [
                _row(f"start.{name}", seconds, "s", f"{devices}, process start to first request", GOAL_S, kernels),
                _row(
                    f"start.{name}_resident", resident_mb, "MB", f"{devices}, {SETTLE_S:.0f} s later", GOAL_MB, kernels
                ),
            ]
    return rows


def _row(name: str, value: float, unit: str, what: str, goal: float, kernels: str) -> dict[str, Any]:
    goes = goal if kernels == "aot" else None
    met = None if goes is None else value <= goes
    return {"name": name, "value": round(value, 3), "unit": unit, "reference": what, "goal": goes, "met": met}


def _start(work: Path, kernels: str, cache: Path, *, opcua: bool) -> tuple[float, float]:
    """Seconds to the first request, MB resident."""
    folder = work / "agent"
    shutil.rmtree(folder, ignore_errors=True)
    with socket.create_server(("127.0.0.1", 0)) as device:
        device.settimeout(WAIT_S)
        _write(folder, device.getsockname()[1], opcua=opcua)
        env = os.environ | {"PARKSENTRY_KERNELS": kernels, "NUMBA_CACHE_DIR": str(cache)}
        log = work / "log"
        with log.open("wb") as errors:
            begun = time.perf_counter()
            agent = subprocess.Popen([sys.executable, "-c", _CLI, "run", folder], env=env, stderr=errors)
            try:
                connection, _ = device.accept()
                with connection:
                    connection.settimeout(WAIT_S)
                    connection.recv(1)
                    seconds = time.perf_counter() - begun
                time.sleep(SETTLE_S)
                status = Path(f"/proc/{agent.pid}/status").read_text("ascii")
            finally:
                agent.kill()  # its folder is thrown away
                agent.wait(WAIT_S)
        if kernels == "aot" and "compiled ahead of time" not in log.read_text("utf-8"):
            raise RuntimeError("no library of this source: make kernels")
    [resident] = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return seconds, int(resident) / 1024


def _write(folder: Path, port: int, *, opcua: bool) -> None:
    folder.mkdir()
    lines = ["tag,source,device,register,address,type,unit"]
    lines += [f"P{number},bench,plc,holding,{number},uint16,1" for number in range(100)]
    tables = f'[[device]]\nname = "plc"\ndriver = "modbus_tcp"\nhost = "127.0.0.1"\nport = {port}\n'
    if opcua:
        lines.append("U1,bench,ua,,nsu=urn:bench;s=U1,float64,1")
        tables += '[[device]]\nname = "ua"\ndriver = "opcua"\nendpoint = "opc.tcp://127.0.0.1:1"\nsecurity = "None"\n'
    (folder / "points.csv").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "agent.toml").write_text(
        '[agent]\nname = "bench"\norganisation = "bench"\n'
        '[[destination]]\nname = "park"\nendpoints = ["tcp://127.0.0.1:1"]\nserver_key_file = "keys/aggregator.pub"\n'
        + tables,
        "utf-8",
    )
    subprocess.run([sys.executable, "-c", _CLI, "keygen", folder], check=True, stdout=subprocess.DEVNULL)
    shutil.copy(folder / "keys" / "agent.pub", folder / "keys" / "aggregator.pub")
