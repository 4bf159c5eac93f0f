"""Stores with a few points, and an aggregator reduced to what a session needs: a ROUTER under CURVE in the same loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import zmq
import zmq.asyncio

from contract.chain import digest, genesis, link
from contract.events import ClockState, ConditionData, Event, EventType, Stamp
from contract.ids import ActivationId, AgentName, Epoch, Lane
from contract.keys import SecretKeys, generate
from contract.points import Catalogue, ConditionClass, ConditionKind, Limits, PointRole, PointSpec, PointType
from contract.wire import frames, server, session
from contract.wire.codec import decode, encode
from contract.wire.frames import LaneHead
from edge_agent.detect.engine import Engine
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.rows import Committed, Destination, OutboxSettings, Pending
from edge_agent.outbox.telemetry_store import TelemetryStore
from edge_agent.station.machine import RealClock
from edge_agent.uplink.live import LiveTable
from edge_agent.uplink.sender import Peer, Uplink

AGENT = AgentName("store-1")
POINTS = (
    PointSpec(0, "plc1", "E", "plc1", role=PointRole.DEVICE, type=PointType.BIT, unit="state"),
    PointSpec(0, "AT-101", "E/S", "plc1", unit="ppm", limits=Limits(h=25.0, hh=50.0)),
)


@dataclass
class FakeAggregator:
    """Commits to memory. ``acknowledging`` and ``answering`` are switches for its misbehaviour."""

    keys: SecretKeys = field(default_factory=lambda: generate("park"))
    records: list[bytes] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    catalogues: list[Catalogue] = field(default_factory=list)
    snapshots: list[frames.Snapshot] = field(default_factory=list)
    states: list[frames.State] = field(default_factory=list)
    live: list[frames.Live] = field(default_factory=list)
    hellos: list[frames.Hello] = field(default_factory=list)
    acknowledging: bool = True
    answering: bool = True
    hash_override: bytes | None = None
    port: int = 0
    standing: server.ServerSession | None = None
    socket: zmq.asyncio.Socket | None = None

    async def shout(self, data: bytes) -> None:
        """Send bytes that no aggregator would."""
        assert self.socket is not None
        assert self.standing is not None
        await self.socket.send_multipart([self.standing.routing_id, data])

    def head(self, epoch: Epoch) -> LaneHead:
        state = genesis("sha256", AGENT, epoch, "events")
        for record in self.records:
            state = link("sha256", state, digest("sha256", digest("sha256", record), digest("sha256")))
        return LaneHead(len(self.records), (self.hash_override or state) if self.records else b"")

    async def serve(self) -> None:
        context = zmq.asyncio.Context()
        self.socket = socket = context.socket(zmq.ROUTER)
        socket.curve_server, socket.linger = True, 0
        socket.curve_secretkey = self.keys.curve_secret
        try:
            socket.bind(f"tcp://127.0.0.1:{self.port or '*'}")
            self.port = int(bytes(socket.getsockopt(zmq.LAST_ENDPOINT)).rsplit(b":", 1)[1])
            while True:
                routing_id, data = await socket.recv_multipart()
                for frame in self.answers(routing_id, decode(data)):
                    await socket.send_multipart([routing_id, encode(frame)])
        finally:
            self.standing = None
            socket.close(linger=0)
            context.term()

    def answers(self, routing_id: bytes, frame: frames.Frame) -> list[frames.Frame]:
        if not self.answering:
            return []
        if isinstance(frame, frames.Hello):
            self.hellos.append(frame)
            lanes = {Lane.EVENTS: self.head(frame.epoch), Lane.TELEMETRY: LaneHead(len(self.chunks), b"")}
            known = server.Known("park", lanes, {}, len(self.catalogues))
            self.standing = server.ServerSession(AGENT, frame, routing_id, 0)
            outputs = server.ServerSession.judge_hello(AGENT, frame, known, None, 0, 0)
        elif self.standing is None:
            return [frames.Refuse(frames.RefuseCode.HELLO_REQUIRED, "")]
        else:
            outputs = self.standing.receive(frame, routing_id, 0, 0)
        for output in outputs:
            if isinstance(output, server.Deliver):
                return self.deliver(output.frame)
        return [output.frame for output in outputs if isinstance(output, session.Send)]

    def deliver(self, frame: frames.Frame) -> list[frames.Frame]:
        assert self.standing is not None
        match frame:
            case frames.CatalogueFrame():
                self.catalogues.append(frame.catalogue)
            case frames.Snapshot():
                self.snapshots.append(frame)
            case frames.State():
                self.states.append(frame)
            case frames.Live():
                self.live.append(frame)
            case frames.EventBatch():
                assert frame.first_seq <= len(self.records) + 1, "a hole"
                self.records += [each.open for each in frame.records[len(self.records) + 1 - frame.first_seq :]]
                return self.ack({Lane.EVENTS: len(self.records)})
            case frames.TelemetryBatch():
                assert frame.first_seq <= len(self.chunks) + 1, "a hole"
                self.chunks += frame.chunks[len(self.chunks) + 1 - frame.first_seq :]
                return self.ack({Lane.TELEMETRY: len(self.chunks)})
        return []

    def ack(self, lanes: dict[Lane, int]) -> list[frames.Frame]:
        assert self.standing is not None
        return [frames.Ack(self.standing.hello.epoch, lanes)] if self.acknowledging else []


@dataclass
class Edge:
    """Real stores and one uplink, as ``app`` puts them together."""

    directory: Path
    aggregator: FakeAggregator
    forks: list[session.Forked] = field(default_factory=list)

    def open(self, endpoints: tuple[str, ...] | None = None) -> Edge:
        clock, keys = RealClock(), generate(AGENT)
        settings = OutboxSettings(destinations=(Destination("park"),), spool_s=0.05)
        self.events = EventStore.open(self.directory, AGENT, settings, clock, "boot", None)
        self.catalogue = self.events.catalogue(POINTS)
        self.events.set_origin("test", "hash", self.catalogue.version)
        self.telemetry = TelemetryStore.open(self.directory, self.events, settings, clock, None)
        self.telemetry.set_catalogue(self.catalogue)
        self.engine = Engine(self.catalogue, clock.mono_ns())
        scans = {self.catalogue.points[0].id: 5}
        self.live = LiveTable(self.engine, self.catalogue.version, clock, lambda: self.events.epoch, lambda: scans)
        peer = Peer("park", endpoints or (f"tcp://127.0.0.1:{self.aggregator.port}",),
                    self.aggregator.keys.public.curve_public)  # fmt: skip
        self.uplink = Uplink(peer, keys, self.events, self.telemetry, clock, self.hello, self.live, self.forks.append)
        return self

    def listen(self) -> None:
        loop = asyncio.get_running_loop()

        def events(rows: list[Committed]) -> None:
            loop.call_soon_threadsafe(self.uplink.events_committed, rows)

        def telemetry(_first: int, last: int) -> None:
            loop.call_soon_threadsafe(self.uplink.telemetry_committed, last)

        self.events.on_commit(events)
        self.telemetry.on_commit(telemetry)

    def hello(self) -> frames.Hello:
        heads = {Lane.EVENTS: self.events.head(), Lane.TELEMETRY: self.telemetry.head()}
        return frames.Hello(
            1, 1, (), "test", AGENT, self.events.boot_id, self.events.start_number, self.events.epoch, "sha256",
            self.catalogue.version, "hash", heads, 0, 0,
        )  # fmt: skip

    def append(self, count: int = 1) -> None:
        stamp = Stamp(1, 2, self.events.boot_id, ClockState(synchronised=False, error_ns=None))
        event = Event(EventType.AGENT_START, "E", stamp, {"kind": ConditionKind.HIGH.value})
        self.events.append([Pending(lambda _epoch, _seq: (event, None)) for _ in range(count)])

    def append_condition(self, tag: str, level: int) -> None:
        stamp = Stamp(1, 2, self.events.boot_id, ClockState(synchronised=False, error_ns=None))

        def build(epoch: Epoch, seq: int) -> tuple[Event, ConditionData]:
            condition = ConditionData(
                tag, "E/S", ConditionKind.HIGH, ConditionClass.SAFETY, level, 0, ActivationId(AGENT, epoch, seq), 1,
                60.0, "ppm", 0, 50.0, 0.0, 0, "conditions/1", "at_or_above_setpoint",
            )  # fmt: skip
            return Event(EventType.CONDITION_ON, "E/S", stamp, condition.to_json()), condition

        self.events.append([Pending(build)])

    async def close(self) -> None:
        await self.telemetry.close()
        await self.events.close()


@pytest.fixture
def edge(tmp_path: Path) -> Callable[[], object]:
    """``async with edge() as (edge, aggregator):`` - a running aggregator and an edge whose uplink is up."""

    @asynccontextmanager
    async def running(*, uplink: bool = True) -> AsyncIterator[tuple[Edge, FakeAggregator]]:
        aggregator = FakeAggregator()
        server = asyncio.create_task(aggregator.serve())
        while not aggregator.port:
            await asyncio.sleep(0.001)
        edge = Edge(tmp_path / "data", aggregator).open()
        edge.listen()
        tasks = [server] + ([asyncio.create_task(edge.uplink.run())] if uplink else [])
        try:
            yield edge, aggregator
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await edge.close()

    return running


async def until(ready: Callable[[], bool], timeout_s: float = 10.0) -> None:
    """Wait for something that other tasks bring about."""
    async with asyncio.timeout(timeout_s):
        while not ready():
            await asyncio.sleep(0.002)


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., object]:
    return until
