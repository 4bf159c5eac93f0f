"""One destination's link: sockets and timing around ``contract.wire.session.AgentSession``.

Comes from: the outbox (committed events and chunks, the snapshot), the live table. Goes to: a ZeroMQ DEALER under CURVE.
The shell carries out what the session says and brings it news; it decides nothing about order or repetition. Committed
events take a short way: the last few are kept in memory, so that a fresh alarm needs no read from disk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
import zmq

from contract.chain import Record
from contract.clock import NS_PER_MS, NS_PER_S, Clock
from contract.errors import FrameError
from contract.ids import Lane
from contract.keys import SecretKeys
from contract.points import Catalogue
from contract.wire import frames, session
from contract.wire.codec import FRAME_BYTES_MAX, decode, encode
from contract.wire.session import AgentPhase, AgentSession
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.rows import Committed
from edge_agent.outbox.telemetry_store import TelemetryStore
from edge_agent.uplink.live import LiveTable

TICK_NS: Final = 100 * NS_PER_MS
LIVE_PERIOD_NS: Final = 850 * NS_PER_MS
"""Contract: latest values are at most 1 s old."""
RECENT_EVENTS_MAX: Final = 1024
EVENTS_PER_READ: Final = 500
CHUNKS_PER_READ: Final = 8
BYTES_PER_READ: Final = 256 * 1024
SEND_QUEUE_FRAMES: Final = 256
RECONNECT_PAUSE_NS: Final = NS_PER_S // 4
CURVE_OVERHEAD_BYTES: Final = 33
"""CurveZMQ MESSAGE command around each frame: 8 name, 8 nonce, 16 box, 1 flags (RFC 26)."""
ZMTP_LONG_FRAME_BYTES_MIN: Final = 256


@dataclass(frozen=True, slots=True)
class Peer:
    """Where a destination is and how its aggregator proves itself."""

    name: str
    endpoints: tuple[str, ...]
    curve_public: bytes


@dataclass(slots=True)
class Traffic:
    """Counted at the socket."""

    bytes_sent: int = 0
    frames_sent: int = 0
    samples_sent: int = 0
    chunks_sent: int = 0
    events_sent: int = 0
    reconnects: int = 0
    malformed: int = 0
    send_refused: int = 0


class Uplink:
    """Run it as a task; cancel it to stop. All methods but ``run`` are called from the loop's thread."""

    def __init__(
        self,
        peer: Peer,
        keys: SecretKeys,
        events: EventStore,
        telemetry: TelemetryStore,
        clock: Clock,
        hello: Callable[[], frames.Hello],
        live: LiveTable,
        on_fork: Callable[[session.Forked], None],
    ) -> None:
        self.peer = peer
        self.traffic = Traffic()
        self.endpoint = peer.endpoints[0]
        self.refusal: str | None = None
        self._session = AgentSession()
        self._keys = keys
        self._events = events
        self._telemetry = telemetry
        self._clock = clock
        self._hello = hello
        self._live = live
        self._on_fork = on_fork
        self._log = structlog.get_logger().bind(destination=peer.name)
        self._context: zmq.Context[zmq.Socket[bytes]]
        self._socket: zmq.Socket[bytes] | None = None
        self._wake = asyncio.Event()
        self._recent: deque[tuple[int, Record]] = deque(maxlen=RECENT_EVENTS_MAX)
        self._reading = False
        self._to_check: dict[Lane, frames.LaneHead] | None = None
        self._live_due_ns = 0
        self._attempts = 0

    @property
    def phase(self) -> AgentPhase:
        return self._session.phase

    def acked(self, lane: Lane) -> int:
        return self._session.acked(lane)

    # -- news from the stores ----------------------------------------------------------------------------------------

    def events_committed(self, committed: Sequence[Committed]) -> None:
        """Events are durable: send them on, and let changed conditions overtake where a queue stands before them."""
        for each in committed:
            self._recent.append((each.seq, each.record))
        self._session.committed(Lane.EVENTS, committed[-1].seq)
        self._send_recent()
        for each in committed:
            if each.condition is not None:
                state = frames.State(self._events.epoch, each.seq, each.condition)
                self._carry_out(self._session.state(state))
        self._wake.set()

    def telemetry_committed(self, last_seq: int) -> None:
        self._session.committed(Lane.TELEMETRY, last_seq)
        self._wake.set()

    def catalogue_changed(self, catalogue: Catalogue) -> None:
        """Before anything that is said by it. What this version is must not get lost, and nobody acknowledges it: where it
        does not fit into the queue, a new link tells it."""
        refused = self.traffic.send_refused
        self._carry_out(self._session.send(frames.CatalogueFrame(self._events.epoch, catalogue)))
        if self.traffic.send_refused != refused:
            self.traffic.reconnects += 1
            self._open("the catalogue did not fit into the queue")

    def epoch_changed(self) -> None:
        """The store was replaced: numbers begin again, the link as well."""
        self._recent.clear()
        self._session.new_epoch()
        self._session.committed(Lane.EVENTS, self._events.head().seq)
        self._session.committed(Lane.TELEMETRY, self._telemetry.head().seq)
        self._open("new epoch")

    # -- the task ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        self._session.committed(Lane.EVENTS, self._events.head().seq)
        self._session.committed(Lane.TELEMETRY, self._telemetry.head().seq)
        self._context = zmq.Context(io_threads=1)
        try:
            self._open("start")
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._tick_forever())
                tasks.create_task(self._pump_forever())
        finally:
            self._close()
            self._context.term()

    async def drain(self, until_mono_ns: int) -> None:
        """Wait until everything committed is acknowledged, or the time is over."""
        while self._clock.mono_ns() < until_mono_ns and self.phase is not AgentPhase.REFUSED:
            if self.acked(Lane.EVENTS) >= self._events.head().seq and (
                self.acked(Lane.TELEMETRY) >= self._telemetry.head().seq
            ):
                return
            await self._clock.sleep_until(self._clock.mono_ns() + 10 * NS_PER_MS)

    async def _pump_forever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._check_heads()
            await self._pump()

    async def _tick_forever(self) -> None:
        while True:
            now_ns = self._clock.mono_ns()
            self._carry_out(self._session.tick(now_ns, self._clock.wall_ns()))
            if self.phase is AgentPhase.STREAMING and now_ns >= self._live_due_ns:
                self._live_due_ns = now_ns + LIVE_PERIOD_NS
                self._carry_out(self._session.send(self._live.changed_since_last(self.peer.name)))
            self._drain_socket()
            # On the grid of the agent's own ticks, so that both are one awakening.
            await self._clock.sleep_until(now_ns - now_ns % TICK_NS + TICK_NS)

    # -- sending -----------------------------------------------------------------------------------------------------

    def _send_recent(self) -> None:
        """The short way: rows that follow directly on what was sent and are still in memory."""
        if self._reading:
            return
        for want in self._session.wants():
            if want.lane is not Lane.EVENTS or not self._recent or self._recent[0][0] > want.after_seq + 1:
                continue
            rows = [(seq, record) for seq, record in self._recent if seq > want.after_seq][:EVENTS_PER_READ]
            contiguous = bool(rows) and rows[0][0] == want.after_seq + 1 and rows[-1][0] - rows[0][0] == len(rows) - 1
            if contiguous and sum(record.size for _, record in rows) <= BYTES_PER_READ:
                self._send_events(rows[0][0], [record for _, record in rows], ())

    async def _pump(self) -> None:
        """The long way: read from the store whatever the session wants, one read at a time."""
        while wants := self._session.wants():
            self._reading = True
            try:
                sent = [await self._send_from_store(want) for want in wants]
            finally:
                self._reading = False
            if not any(sent):
                return
            self._drain_socket()

    async def _send_from_store(self, want: session.Want) -> bool:
        if want.lane is Lane.EVENTS:
            rows = await self._events.read(want.after_seq, EVENTS_PER_READ, BYTES_PER_READ)
            if rows is None or want not in self._session.wants():
                return False
            return self._send_events(rows.first_seq, rows.records, rows.gaps)
        chunks = await self._telemetry.read(want.after_seq, CHUNKS_PER_READ, BYTES_PER_READ)
        if chunks is None or want not in self._session.wants():
            return False
        outputs = self._session.telemetry(chunks.first_seq, chunks.chunks, chunks.gaps, self._clock.mono_ns())
        self.traffic.chunks_sent += len(chunks.chunks)
        self.traffic.samples_sent += sum(chunks.samples)
        self._carry_out(outputs)
        return True

    def _send_events(self, first_seq: int, records: Sequence[Record], gaps: Sequence[frames.DeclaredGap]) -> bool:
        self.traffic.events_sent += len(records)
        self._carry_out(self._session.events(first_seq, records, gaps, self._clock.mono_ns()))
        return True

    def _transmit(self, frame: frames.Frame) -> None:
        """A frame that does not fit into the socket's queue is dropped: the session notices by its time-outs."""
        if self._socket is None:
            return
        data = encode(frame)
        try:
            self._socket.send(data, zmq.NOBLOCK)
        except zmq.Again:
            self.traffic.send_refused += 1
            return
        header = 9 if len(data) + CURVE_OVERHEAD_BYTES >= ZMTP_LONG_FRAME_BYTES_MIN else 2
        self.traffic.bytes_sent += len(data) + CURVE_OVERHEAD_BYTES + header
        self.traffic.frames_sent += 1

    # -- receiving ---------------------------------------------------------------------------------------------------

    def _drain_socket(self) -> None:
        """Everything that has arrived. The descriptor signals only changes, so it is drained after sends as well."""
        while self._socket is not None:
            try:
                data = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                frame = decode(data)
            except FrameError as error:
                self.traffic.malformed += 1
                self._log.warning("malformed_frame", field=error.field, count=self.traffic.malformed)
                continue
            self._carry_out(self._session.receive(frame, self._clock.mono_ns()))
            self._send_recent()
            self._wake.set()

    # -- carrying out ------------------------------------------------------------------------------------------------

    def _carry_out(self, outputs: Sequence[session.AgentOutput]) -> None:
        for output in outputs:
            match output:
                case session.Send(frame):
                    self._transmit(frame)
                case session.Acknowledged(lane, seq):
                    store = self._events if lane is Lane.EVENTS else self._telemetry
                    store.acknowledge(self.peer.name, seq)
                case session.CheckHeads(lanes):
                    self._to_check = dict(lanes)
                    self._wake.set()
                case session.SendCatalogues(after_version):
                    self._introduce(after_version)
                case session.Reconnect(reason):
                    self.traffic.reconnects += 1
                    if reason == session.NO_WELCOME:
                        self.refusal = f"no answer from {self.endpoint}: it is not there, or does not admit this key"
                    self._open(reason)
                case session.Refused(code, message):
                    self.refusal = f"{code}: {message}"
                    self._log.warning("refused", code=code.value, message=message)
                case session.Forked():
                    self._log.error("fork", lane=output.lane.value, seq=output.seq)
                    self._on_fork(output)

    async def _check_heads(self) -> None:
        """Compare what the aggregator holds with our own rows at the same numbers."""
        heads, self._to_check = self._to_check, None
        if heads is not None:
            ours = {
                Lane.EVENTS: await self._events.hash_at(heads[Lane.EVENTS].seq),
                Lane.TELEMETRY: await self._telemetry.digest_at(heads[Lane.TELEMETRY].seq),
            }
            self._carry_out(self._session.verified(ours, self._clock.mono_ns()))

    def _introduce(self, after_version: int) -> None:
        """Right after WELCOME: how to read us, what is not normal now, and every latest value."""
        self.refusal = None
        self._attempts = 0
        now_ns = self._clock.mono_ns()
        self._log.info("session_open", endpoint=self.endpoint, acked_events=self.acked(Lane.EVENTS))
        for catalogue in self._events.catalogues(after_version):
            self._carry_out(self._session.send(frames.CatalogueFrame(self._events.epoch, catalogue)))
        as_of_seq, conditions = self._events.conditions()
        snapshot = frames.Snapshot(self._events.epoch, as_of_seq, conditions)
        self._carry_out(self._session.send(snapshot))
        self._live.forget(self.peer.name)
        self._live_due_ns = now_ns

    # -- the socket --------------------------------------------------------------------------------------------------

    def _open(self, reason: str) -> None:
        """A new socket to the next endpoint: a new link for the aggregator, nothing left over from the old one."""
        self._close()
        if reason not in ("start", "new epoch"):
            self.endpoint = self.peer.endpoints[self._attempts % len(self.peer.endpoints)]
            self._log.info("link_reopened", reason=reason, endpoint=self.endpoint)
        self._attempts += 1
        socket = self._context.socket(zmq.DEALER)
        socket.curve_serverkey = self.peer.curve_public
        socket.curve_publickey = self._keys.public.curve_public
        socket.curve_secretkey = self._keys.curve_secret
        socket.linger = 0
        socket.sndhwm = SEND_QUEUE_FRAMES
        socket.maxmsgsize = FRAME_BYTES_MAX
        socket.reconnect_ivl = RECONNECT_PAUSE_NS // NS_PER_MS
        socket.connect(self.endpoint)
        asyncio.get_running_loop().add_reader(socket.FD, self._drain_socket)
        self._socket = socket
        self._carry_out(self._session.start(self._hello(), self._clock.mono_ns()))

    def _close(self) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.FD)
            self._socket.close(linger=0)
            self._socket = None
