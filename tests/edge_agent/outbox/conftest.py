"""An outbox to try: points, events, samples, and a receiver that believes nothing it cannot compute."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.batch import SampleBatch
from contract.chain import Record, genesis, link
from contract.clock import NS_PER_S, SimulatedClock
from contract.events import ClockState, ConditionData, Event, EventType, Stamp, decode_event
from contract.ids import ActivationId, AgentName, Epoch
from contract.points import Catalogue, ConditionClass, ConditionKind, PointSpec, PointType
from contract.wire.frames import DeclaredGap
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.ledger import Ledger
from edge_agent.outbox.rows import Destination, EventRows, OutboxSettings, Pending
from edge_agent.outbox.telemetry_store import TelemetryStore

AGENT = AgentName("gw1")


@dataclass
class Receiver:
    """What an aggregator keeps: rows and gaps without a hole, the chain computed, never copied."""

    epoch: Epoch
    algorithm: str = "sha256"
    seq: int = 0
    hash: bytes = b""
    records: dict[int, Record] = field(default_factory=dict)
    gaps: list[DeclaredGap] = field(default_factory=list)

    def accept(self, rows: EventRows) -> None:
        assert rows.first_seq == self.seq + 1
        if not self.seq:
            self.hash = genesis(self.algorithm, AGENT, self.epoch, "events")
        gaps, records = list(rows.gaps), list(rows.records)
        while gaps or records:
            if gaps and gaps[0].first == self.seq + 1:
                gap = gaps.pop(0)
                self.gaps.append(gap)
                self.seq, self.hash = gap.last, gap.hash_last
                continue
            assert records, f"a gap that does not join: {gaps[0]}"
            record = records.pop(0)
            self.seq += 1
            assert decode_event(record.open).message.seq == self.seq
            self.hash = link(self.algorithm, self.hash, record.digest(self.algorithm))
            self.records[self.seq] = record

    async def drain(self, store: EventStore) -> None:
        while (rows := await store.read(self.seq, 100, 256 * 1024)) is not None:
            self.accept(rows)

    def data(self, event_type: EventType) -> list[dict[str, Any]]:
        events = [decode_event(record.open).event for record in self.records.values()]
        return [dict(event.data) for event in events if event.type is event_type]


@dataclass
class Bench:
    """Makes stores and what goes into them."""

    directory: Path
    clock: SimulatedClock
    settings: OutboxSettings = field(
        default_factory=lambda: OutboxSettings(
            destinations=(Destination("plant"), Destination("park", mandatory=False))
        )
    )
    ledger: Ledger | None = None
    boot: str = "boot"

    def open(self) -> EventStore:
        store = EventStore.open(self.directory, AGENT, self.settings, self.clock, self.boot, self.ledger)
        store.set_origin("edge-agent 0.1.0", "c0ffee", 1, org="acme")
        return store

    def open_telemetry(self, events: EventStore) -> TelemetryStore:
        return TelemetryStore.open(self.directory, events, self.settings, self.clock, self.ledger)

    def event(self, event_type: EventType = EventType.CHECKPOINT, **data: Any) -> Pending:
        event = Event(event_type, "acme", self._stamp(), data)
        return Pending(lambda _epoch, _seq: (event, None))

    def condition(
        self, tag: str, level: int, *, activation: ActivationId | None = None,
        condition_class: ConditionClass = ConditionClass.SAFETY, reason: str = "limit",
    ) -> Pending:  # fmt: skip
        stamp = self._stamp()

        def build(epoch: Epoch, seq: int) -> tuple[Event, ConditionData]:
            data = ConditionData(
                tag, "acme/tanks", ConditionKind.HIGH, condition_class, level, 0,
                activation or ActivationId(AGENT, epoch, seq), stamp.edge_time_ns, 26.0, "%LEL", 0, 25.0, math.nan, 0,
                "limits/1", reason,
            )  # fmt: skip
            event_type = EventType.CONDITION_ON if level else EventType.CONDITION_OFF
            return Event(event_type, "acme/tanks", stamp, data.to_json()), data

        return Pending(build)

    def _stamp(self) -> Stamp:
        return Stamp(self.clock.wall_ns(), self.clock.mono_ns(), "boot.1", ClockState(True, None))

    def receiver(self, store: EventStore) -> Receiver:
        return Receiver(store.epoch, store.hash_algorithm)

    def points(self, count: int = 4, sources: int = 1) -> list[PointSpec]:
        return [
            PointSpec(
                0, f"AT-{n}", f"acme/source{n % sources}", "plc", type=PointType.UINT16, address=str(n), unit="ppm"
            )
            for n in range(count)
        ]

    def scan(self, catalogue: Catalogue, raw: int = 7) -> SampleBatch:
        batch = SampleBatch.zeros(len(catalogue))
        batch.point[:] = [point.id for point in catalogue]
        batch.raw[:] = raw
        batch.value[:] = raw
        batch.time_ns[:], batch.mono_ns[:] = self.clock.wall_ns(), self.clock.mono_ns()
        return batch


@pytest.fixture
def bench(tmp_path: Path, clock: SimulatedClock) -> Bench:
    return Bench(tmp_path / "data", clock)


@pytest.fixture
def run() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    return asyncio.run


class Refusing:
    """A connection on which one kind of statement fails as on a full disk."""

    def __init__(self, db: sqlite3.Connection, statement: str) -> None:
        self._db, self._statement = db, statement

    def execute(self, statement: str, *parameters: Any) -> Any:
        if statement.startswith(self._statement):
            raise sqlite3.OperationalError("database or disk is full")
        return self._db.execute(statement, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)


@contextmanager
def refusing(store: Any, statement: str = "BEGIN") -> Iterator[None]:
    """The disk refuses every commit inside this block."""
    db = store._writer._db
    store._writer._db = Refusing(db, statement)
    try:
        yield
    finally:
        store._writer._db = db


@pytest.fixture
def full_disk() -> Callable[..., Any]:
    return refusing


@pytest.fixture
def seconds() -> Callable[[float], int]:
    return lambda count: round(count * NS_PER_S)


@pytest.fixture
def random_numbers() -> np.random.Generator:
    return np.random.default_rng(20260101)
