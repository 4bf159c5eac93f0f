"""How punctual polling is and what it costs: an agent with 1000 points on 20 devices at 1 s, one of them silent.

The whole agent runs as in service, under an aggregator. When a turn began is what the devices' ledgers say: the moment at which
its request was there. Beside it, in this process, timers of the same periods do nothing at all: how late a program is woken
on this machine, which no agent can better. Late is counted from the earliest turn of each device. What the processor time
is worth on this machine tells a loop that sends the same requests and looks at no reply.
"""

from __future__ import annotations

import asyncio
import struct
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil

from contract.clock import NS_PER_S
from hil_tests.latency import percentile
from hil_tests.rig.ledger import RowKind
from hil_tests.rig.site import Site
from hil_tests.testbed import Testbed

DEVICES: Final = 20
POINTS: Final = 50
"""On each device, in one request."""
PERIOD_S: Final = 1.0
CHANGING: Final = 4
"""One point in so many changes between two turns, as measured values do; the others stand still."""
WARM_S: Final = 15.0
RUN_S: Final = 60.0
BARE_S: Final = 20.0
SILENT: Final = "plc-7"
LATE_P99_MS_MAX: Final = 2.0
DRIFT_MS_MAX: Final = 1.0
CPU_PERCENT_MAX: Final = 0.5

Row = dict[str, Any]


def run() -> list[Row]:
    """Takes about two minutes. Raises RuntimeError where turns were left out."""
    with tempfile.TemporaryDirectory(prefix="parksentry-polling-") as folder:
        return _measure(Path(folder))


def row(name: str, value: float, unit: str, reference: str, at_most: float | None = None) -> Row:
    met = None if at_most is None else value <= at_most
    return {"name": name, "value": round(value, 3), "unit": unit, "reference": reference, "goal": at_most, "met": met}


def _measure(work: Path) -> list[Row]:
    names = [f"plc-{number}" for number in range(DEVICES)]
    site, agent = _site(names), _agent(work / "agent", names)
    with Testbed(site, [agent], work / "bed", agent_ledgers=False) as bed:
        bed.rig.command(SILENT, "stop_answering")
        _wait(bed, WARM_S)
        process = psutil.Process(bed.programs["bench"].pid)
        begin_ns, used_s = time.monotonic_ns(), _cpu_s(process)
        alone = asyncio.run(_timers(RUN_S))
        end_ns = time.monotonic_ns()
        cpu_percent = 100 * (_cpu_s(process) - used_s) * NS_PER_S / (end_ns - begin_ns)
        rss_mb = process.memory_info().rss / 1e6
        bare_percent = asyncio.run(_bare([bed.rig.ports[name] for name in names if name != SILENT], BARE_S))
        turns = {
            name: [each.mono_ns for each in bed.rig.ledger(name)
                   if each.kind is RowKind.SERVED and begin_ns <= each.mono_ns < end_ns]
            for name in names if name != SILENT
        }  # fmt: skip
    late = [late_ms for stamps in turns.values() for late_ms in lateness_ms(stamps)]
    least = min(map(len, turns.values()))
    if least < 0.9 * RUN_S / PERIOD_S:
        raise RuntimeError(f"a device was polled only {least} times in {RUN_S:g} s")
    reference = (
        f"{len(late)} turns of {DEVICES - 1} devices, {DEVICES * POINTS} points at {PERIOD_S:g} s, one device silent"
    )
    return [
        row("polling.late_p50", _percentile(late, 50), "ms", reference),
        row("polling.late_p99", _percentile(late, 99), "ms", reference, LATE_P99_MS_MAX),
        row("polling.timer_late_p99", _percentile(alone, 99), "ms", f"{len(alone)} timers that do nothing, meanwhile"),
        row(
            "polling.drift",
            max(map(drift_ms, turns.values())),
            "ms",
            f"between the halves of {RUN_S:g} s",
            DRIFT_MS_MAX,
        ),
        row(
            "polling.cpu", cpu_percent, "% of a core", "the whole agent, telemetry and uplink included", CPU_PERCENT_MAX
        ),
        row("polling.bare_cpu", bare_percent, "% of a core", "asyncio that asks the same and looks at no reply"),
        row("polling.cpu_vs_bare", cpu_percent / bare_percent, "x", "the agent against it"),
        row("polling.rss", rss_mb, "MB", "the agent"),
    ]


def lateness_ms(stamps: Sequence[int]) -> list[float]:
    """Of each turn on the grid that the earliest of them makes."""
    period_ns = round(PERIOD_S * NS_PER_S)
    on_grid = [stamp - round((stamp - stamps[0]) / period_ns) * period_ns for stamp in stamps]
    return [(each - min(on_grid)) / 1e6 for each in on_grid]


def drift_ms(stamps: Sequence[int]) -> float:
    """By how much the second half is later, or earlier, than the first."""
    late = lateness_ms(stamps)
    half = len(late) // 2
    return abs(median(late[half:]) - median(late[:half]))


def _percentile(values: Sequence[float], of: int) -> float:
    found = percentile(values, of)
    assert found is not None
    return found


def _cpu_s(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _wait(bed: Testbed, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        bed.news(0.5)


async def _timers(seconds: float) -> list[float]:
    """How late each wake-up of as many timers is, ms, staggered as the agent's turns are."""
    start, late = time.monotonic(), []

    async def one(offset_s: float) -> None:
        for turn in range(round(seconds / PERIOD_S)):
            due = start + offset_s + turn * PERIOD_S
            await asyncio.sleep(due - time.monotonic())
            late.append(1000 * (time.monotonic() - due))

    await asyncio.gather(*(one(number * PERIOD_S / DEVICES) for number in range(DEVICES)))
    return late


class _Replies(asyncio.Protocol):
    """Wakes whoever asked."""

    def __init__(self) -> None:
        self.came = asyncio.Event()

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - nobody looks at it
        self.came.set()


async def _bare(ports: Sequence[int], seconds: float) -> float:
    """Processor time of this thread, % of a core, for one request to each port in each period."""
    loop = asyncio.get_running_loop()
    request = struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 0, POINTS)
    start = loop.time()

    async def one(number: int, port: int) -> None:
        wire, replies = await loop.create_connection(_Replies, "127.0.0.1", port)
        for turn in range(round(seconds / PERIOD_S)):
            await asyncio.sleep(start + 1 + number * PERIOD_S / DEVICES + turn * PERIOD_S - loop.time())
            replies.came.clear()
            wire.write(request)
            await replies.came.wait()
        wire.close()

    used_s = time.thread_time()
    await asyncio.gather(*(one(number, port) for number, port in enumerate(ports)))
    return 100 * (time.thread_time() - used_s) / (loop.time() - start)


def _site(names: Sequence[str]) -> Site:
    def signal(number: int) -> dict[str, object]:
        if number % CHANGING:
            return {"kind": "constant", "value": 100 + number}
        return {"kind": "noise", "mean": 20_000, "sd": 30, "seed": number}

    registers = [
        {"name": f"P{number}", "table": "holding", "address": number, "type": "uint16", "signal": signal(number)}
        for number in range(POINTS)
    ]
    return Site.model_validate({"device": [{"name": name, "register": registers} for name in names]})


def _agent(folder: Path, names: Sequence[str]) -> Path:
    folder.mkdir()
    rows = ["tag,source,device,register,address,type,unit,hh,poll_s"]
    rows += [
        f"{name}-P{number},bench,{name},holding,{number},uint16,1,60000,{PERIOD_S}"
        for name in names for number in range(POINTS)
    ]  # fmt: skip
    (folder / "points.csv").write_text("\n".join(rows) + "\n", "utf-8")
    devices = [
        f'[[device]]\nname = "{name}"\ndriver = "modbus"\nhost = "127.0.0.1"\nport = {number}\n'
        for number, name in enumerate(names, 1)
    ]
    (folder / "agent.toml").write_text(
        '[agent]\nname = "bench"\norganisation = "bench"\n'
        '[[destination]]\nname = "park"\nendpoints = ["tcp://127.0.0.1:1"]\nserver_key_file = "keys/aggregator.pub"\n'
        + "\n".join(devices),
        "utf-8",
    )
    return folder
