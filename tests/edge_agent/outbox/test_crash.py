"""SIGKILL in the middle of everything: what the ledger names is there, chains are whole, numbers never repeat."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from contract.chain import digest
from contract.clock import SimulatedClock
from contract.ids import AgentName
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.rows import Destination, OutboxSettings
from edge_agent.outbox.telemetry_store import TelemetryStore

WRITER = """
import asyncio, sys, time
from pathlib import Path
from contract.batch import SampleBatch
from contract.events import ClockState, Event, EventType, Stamp
from contract.points import PointSpec
from contract.ids import AgentName
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.ledger import Ledger
from edge_agent.outbox.rows import Destination, OutboxSettings, Pending
from edge_agent.outbox.telemetry_store import TelemetryStore

class RealClock:
    def wall_ns(self): return time.time_ns()
    def mono_ns(self): return time.monotonic_ns()
    async def sleep_until(self, mono_ns): await asyncio.sleep(max(0, mono_ns - self.mono_ns()) / 1e9)

async def main(directory):
    clock, ledger = RealClock(), Ledger(directory / "ledger")
    settings = OutboxSettings(destinations=(Destination("plant"),), spool_s=0.01)
    events = EventStore.open(directory, "gw1", settings, clock, "boot", ledger)
    events.set_origin("test", "c0ffee", 1)
    telemetry = TelemetryStore.open(directory, events, settings, clock, ledger)
    points = [PointSpec(0, f"AT-{n}", "acme/tanks", "plc", address=str(n)) for n in range(50)]
    catalogue = events.catalogue(points)
    telemetry.set_catalogue(catalogue)
    batch = SampleBatch.zeros(50)
    batch.point[:] = [point.id for point in catalogue]
    n = 0
    while True:
        n += 1
        stamp = Stamp(clock.wall_ns(), clock.mono_ns(), events.boot_id, ClockState(False, None))
        event = Event(EventType.CHECKPOINT, "acme", stamp, {"n": n})
        events.append([Pending(lambda epoch, seq, event=event: (event, None))] * (1 + n % 7))
        batch.raw[:] = n
        batch.time_ns[:], batch.mono_ns[:] = clock.wall_ns(), clock.mono_ns()
        telemetry.append(batch.select(slice(None)))
        if n % 5 == 0:
            telemetry.flush_source("acme/tanks")
        await asyncio.sleep(0.001)

asyncio.run(main(Path(sys.argv[1])))
"""


def killed_run(directory: Path, lines_before: int, linger_s: float) -> None:
    """Let a process write until it has committed something new, and kill it ``linger_s`` later."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(directory)], cwd=Path(__file__).parents[3])
    try:
        deadline = time.monotonic() + 30
        while len(ledger_lines(directory)) <= lines_before + 20:
            assert process.poll() is None, "the writer died by itself"
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(linger_s)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def ledger_lines(directory: Path) -> list[dict[str, Any]]:
    path = directory / "ledger"
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]  # what follows the last newline was not fsynced
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    directory = tmp_path_factory.mktemp("crashed")
    for _ in range(4):
        killed_run(directory, len(ledger_lines(directory)), rng.uniform(0, 0.1))
    return directory


def test_every_ledgered_event_is_in_the_store_once_and_the_chain_is_whole(crashed, bench) -> None:
    async def scenario() -> None:
        lines = [line for line in ledger_lines(crashed) if line["lane"] == "events"]
        store = EventStore.open(crashed, AgentName("gw1"), OutboxSettings(destinations=(Destination("plant"),)), SimulatedClock(),
                                "boot", None)  # fmt: skip
        assert (store.replaced, store.unclean_stop, store.start_number) == (None, True, 5 + started(crashed))
        receiver = bench.receiver(store)
        await receiver.drain(store)
        assert receiver.gaps == []
        assert (receiver.seq, receiver.hash) == (store.head().seq, store.head().hash)
        numbers = [int(line["seq"]) for line in lines]
        assert numbers == sorted(set(numbers))
        for line in lines:
            assert line["epoch"] == store.epoch
            assert receiver.records[int(line["seq"])].digest("sha256").hex() == line["digest"]
        await store.close()

    asyncio.run(scenario())
    (crashed / "opened").write_text(str(started(crashed) + 1))


def started(directory: Path) -> int:
    """How often a test opened the store: each is a start."""
    path = directory / "opened"
    return int(path.read_text()) if path.exists() else 0


def test_every_ledgered_chunk_is_in_the_store_once_and_every_other_number_is_a_declared_gap(crashed) -> None:
    async def scenario() -> None:
        lines = [line for line in ledger_lines(crashed) if line["lane"] == "telemetry"]
        settings = OutboxSettings(destinations=(Destination("plant"),))
        events = EventStore.open(crashed, AgentName("gw1"), settings, SimulatedClock(), "boot", None)
        telemetry = TelemetryStore.open(crashed, events, settings, SimulatedClock(), None)
        numbers = [int(line["seq"]) for line in lines]
        assert len(numbers) == len(set(numbers))
        after, found = 0, {}
        while (rows := await telemetry.read(after, 1000, 10**8)) is not None:
            gone = {seq for gap in rows.gaps for seq in range(gap.first, gap.last + 1)}
            for chunk in rows.chunks:
                after = next(seq for seq in range(after + 1, 10**6) if seq not in gone)
                found[after] = digest("sha256", chunk).hex()
            after = max(after, *gone, 0) if gone else after
        assert after == telemetry.head().seq
        for line in lines:
            assert found[int(line["seq"])] == line["digest"]
        await telemetry.close()
        await events.close()

    asyncio.run(scenario())
    (crashed / "opened").write_text(str(started(crashed) + 1))
