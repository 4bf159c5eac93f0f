"""The session between an agent and an aggregator, without a socket; here the agent's end, in ``server`` the other.

Two rules. (1) Whoever owns the socket hands in decoded frames, the time, and news from his store; he gets back a list
of outputs and carries them out in order. (2) Numbers decide, not memory: after each WELCOME the agent sends what lies
behind the aggregator's high-water mark, whatever it believed before, and the aggregator acknowledges only what it has
committed. So a frame may be lost, doubled or late, and either end may die at any moment; nothing is lost or twice.

Agent::

    DOWN ──start──► HELLO_SENT ──WELCOME──► CHECKING ──verified──► STREAMING
                        ▲  │                    │                      │
                        │  └─REFUSE (fatal)─► REFUSED ──after a while──┤
                        └────silence · REFUSE hello_required · no ACK──┘   (Reconnect)

    CHECKING ──the hash at the high-water mark differs──► FORKED   (the owner opens a new epoch, then starts again)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, TypeAlias

from contract.chain import Record
from contract.clock import NS_PER_MS, NS_PER_S
from contract.ids import Epoch, Lane
from contract.wire import frames
from contract.wire.frames import DeclaredGap, LaneHead, RefuseCode

HELLO_TIMEOUT_NS: Final = 3 * NS_PER_S
"""WELCOME must come within this, else the link is opened anew."""
REFUSED_PAUSE_NS: Final = 5 * NS_PER_S
"""A refused agent asks again after this: a key may be admitted meanwhile."""
ACK_TIMEOUT_NS: Final = 15 * NS_PER_S
"""A full window without any ACK for this long: open the link anew (the aggregator may have lost our batches)."""
SILENT_PERIODS: Final = 4
"""Heartbeat periods without a frame from the peer until it is taken for gone."""
WINDOW: Final = 8
HEARTBEAT_MS: Final = 1000
NO_WELCOME: Final = "no WELCOME"
FATAL_CODES: Final = frozenset({
    RefuseCode.PROTOCOL_VERSION, RefuseCode.NAME_MISMATCH, RefuseCode.REVOKED, RefuseCode.BOOT_CONFLICT,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Send:
    frame: frames.Frame


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Close the socket, open a new one, and call ``start``."""

    reason: str


@dataclass(frozen=True, slots=True)
class CheckHeads:
    """Look up the own hash at each of these numbers and call ``verified``."""

    lanes: Mapping[Lane, LaneHead]


@dataclass(frozen=True, slots=True)
class SendCatalogues:
    """Send every catalogue version after this one, then a SNAPSHOT: ``catalogues`` and ``snapshot``."""

    after_version: int


@dataclass(frozen=True, slots=True)
class Forked:
    """The aggregator holds another history under our numbers: open a new epoch."""

    lane: Lane
    seq: int
    ours: bytes
    theirs: bytes


@dataclass(frozen=True, slots=True)
class Acknowledged:
    lane: Lane
    seq: int


@dataclass(frozen=True, slots=True)
class Refused:
    code: RefuseCode
    message: str


AgentOutput: TypeAlias = Send | Reconnect | CheckHeads | SendCatalogues | Forked | Acknowledged | Refused


class AgentPhase(StrEnum):
    DOWN = "down"
    HELLO_SENT = "hello_sent"
    CHECKING = "checking"
    STREAMING = "streaming"
    REFUSED = "refused"
    FORKED = "forked"


@dataclass(slots=True)
class _LaneProgress:
    committed: int = 0
    """Last number in the own store."""
    sent: int = 0
    acked: int = 0
    in_flight: list[int] = field(default_factory=list)
    """Last number of each batch that is not acknowledged."""


@dataclass(frozen=True, slots=True)
class Want:
    """The session would send rows of ``lane`` after this number now."""

    lane: Lane
    after_seq: int


class AgentSession:
    """The agent's end, for one destination. Not thread-safe; every method takes the monotonic time in ns."""

    def __init__(self) -> None:
        self.phase = AgentPhase.DOWN
        self.welcome: frames.Welcome | None = None
        self._hello: frames.Hello | None = None
        self._lanes = {lane: _LaneProgress() for lane in Lane}
        self._since_ns = 0
        self._heard_ns = 0
        self._beat_ns = 0
        self._ack_progress_ns = 0

    # -- what happens ------------------------------------------------------------------------------------------------

    def start(self, hello: frames.Hello, now_ns: int) -> list[AgentOutput]:
        """A link is open: introduce ourselves."""
        self._hello = hello
        self.welcome = None
        for lane, progress in self._lanes.items():
            self._lanes[lane] = _LaneProgress(committed=progress.committed, acked=progress.acked)
        self._enter(AgentPhase.HELLO_SENT, now_ns)
        return [Send(hello)]

    def committed(self, lane: Lane, seq: int) -> None:
        """The own store now holds everything up to ``seq``."""
        self._lanes[lane].committed = max(self._lanes[lane].committed, seq)

    def new_epoch(self) -> None:
        """The own store is a new one, numbers begin again. The next call is ``start``."""
        self._lanes = {lane: _LaneProgress() for lane in Lane}
        self.phase = AgentPhase.DOWN

    def receive(self, frame: frames.Frame, now_ns: int) -> list[AgentOutput]:
        """A frame from the aggregator. Frames that make no sense in this phase are late ones: they change nothing."""
        self._heard_ns = now_ns
        match frame:
            case frames.Welcome() if self.phase is AgentPhase.HELLO_SENT:
                return self._welcomed(frame, now_ns)
            case frames.Ack() if self.phase is AgentPhase.STREAMING:
                return self._acknowledged(frame, now_ns)
            case frames.Refuse():
                return self._refused(frame, now_ns)
            case _:
                return []

    def verified(self, ours: Mapping[Lane, bytes | None], now_ns: int) -> list[AgentOutput]:
        """Own hashes at the aggregator's high-water marks; None where the row is gone by retention.

        On the events lane a mark beyond our last number is a fork as well: we were set back to an older state.
        """
        assert self.welcome is not None, "verified() answers a CheckHeads"
        if self.phase is not AgentPhase.CHECKING:
            return []
        for lane, theirs in self.welcome.lanes.items():
            mine = ours.get(lane)
            behind = lane is Lane.EVENTS and theirs.seq > self._lanes[lane].committed
            if theirs.seq and (behind or (mine is not None and mine != theirs.hash)):
                self._enter(AgentPhase.FORKED, now_ns)
                return [Forked(lane, theirs.seq, mine or b"", theirs.hash)]
        for lane, theirs in self.welcome.lanes.items():
            self._lanes[lane].sent = self._lanes[lane].acked = theirs.seq
        self._enter(AgentPhase.STREAMING, now_ns)
        self._ack_progress_ns = now_ns
        acknowledged = [Acknowledged(lane, head.seq) for lane, head in self.welcome.lanes.items() if head.seq]
        return [*acknowledged, SendCatalogues(self.welcome.catalogue_version)]

    def tick(self, now_ns: int, wall_ns: int) -> list[AgentOutput]:
        """Call several times a second: time-outs, heartbeats."""
        waited_ns = now_ns - self._since_ns
        match self.phase:
            case AgentPhase.HELLO_SENT if waited_ns > HELLO_TIMEOUT_NS:
                return self._down(NO_WELCOME, now_ns)
            case AgentPhase.REFUSED if waited_ns > REFUSED_PAUSE_NS:
                return self._down("asking again after a refusal", now_ns)
            case AgentPhase.STREAMING:
                return self._tick_streaming(now_ns, wall_ns)
            case _:
                return []

    # -- sending -----------------------------------------------------------------------------------------------------

    def wants(self) -> list[Want]:
        """Which rows it would send now: events before telemetry, within the window."""
        if self.phase is not AgentPhase.STREAMING or self.welcome is None:
            return []
        events, telemetry = self._lanes[Lane.EVENTS], self._lanes[Lane.TELEMETRY]
        wants = []
        if events.sent < events.committed and len(events.in_flight) < self.welcome.window:
            wants.append(Want(Lane.EVENTS, events.sent))
        # Trends wait while events are unsent: a backlog of them must not crowd out an alarm.
        unsent = events.sent >= events.committed and telemetry.sent < telemetry.committed
        if unsent and len(telemetry.in_flight) < self.welcome.window:
            wants.append(Want(Lane.TELEMETRY, telemetry.sent))
        return wants

    def events(
        self, first_seq: int, records: Sequence[Record], gaps: Sequence[DeclaredGap], now_ns: int
    ) -> list[AgentOutput]:
        """Send these rows, the answer to a Want. ``gaps`` lie between the Want's number and the last row."""
        batch = frames.EventBatch(self._epoch, first_seq, tuple(gaps), tuple(records))
        return self._batch(Lane.EVENTS, batch, last_seq(first_seq, len(records), gaps), now_ns)

    def telemetry(
        self, first_seq: int, chunks: Sequence[bytes], gaps: Sequence[DeclaredGap], now_ns: int
    ) -> list[AgentOutput]:
        batch = frames.TelemetryBatch(self._epoch, first_seq, tuple(gaps), tuple(chunks))
        return self._batch(Lane.TELEMETRY, batch, last_seq(first_seq, len(chunks), gaps), now_ns)

    def send(self, frame: frames.CatalogueFrame | frames.Snapshot | frames.Live) -> list[AgentOutput]:
        """Send what is neither numbered nor acknowledged; nothing while no session stands."""
        return [Send(frame)] if self.phase is AgentPhase.STREAMING else []

    def state(self, frame: frames.State) -> list[AgentOutput]:
        """A condition changed. It overtakes the lane only where its own event has to wait for others before it."""
        if self.phase is not AgentPhase.STREAMING:
            return []
        events = self._lanes[Lane.EVENTS]
        queued_before = frame.seq - events.sent > frames.EVENTS_PER_BATCH_MAX
        return [Send(frame)] if queued_before or len(events.in_flight) > 1 else []

    def acked(self, lane: Lane) -> int:
        return self._lanes[lane].acked

    # -- inside ------------------------------------------------------------------------------------------------------

    @property
    def _epoch(self) -> Epoch:
        assert self._hello is not None
        return self._hello.epoch

    def _enter(self, phase: AgentPhase, now_ns: int) -> None:
        self.phase = phase
        self._since_ns = now_ns
        self._heard_ns = self._beat_ns = now_ns

    def _down(self, reason: str, now_ns: int) -> list[AgentOutput]:
        self._enter(AgentPhase.DOWN, now_ns)
        return [Reconnect(reason)]

    def _welcomed(self, welcome: frames.Welcome, now_ns: int) -> list[AgentOutput]:
        assert self._hello is not None
        if not self._hello.protocol_lowest <= welcome.protocol <= self._hello.protocol_highest:
            return self._refused(frames.Refuse(RefuseCode.PROTOCOL_VERSION, str(welcome.protocol)), now_ns)
        self.welcome = replace(welcome, lanes={lane: welcome.lanes.get(lane, LaneHead(0, b"")) for lane in Lane})
        self._enter(AgentPhase.CHECKING, now_ns)
        return [CheckHeads(self.welcome.lanes)]

    def _acknowledged(self, ack: frames.Ack, now_ns: int) -> list[AgentOutput]:
        if ack.epoch != self._epoch:
            return []
        outputs: list[AgentOutput] = []
        for lane, seq in ack.lanes.items():
            progress = self._lanes[lane]
            if progress.acked < seq <= progress.sent:
                progress.acked = seq
                progress.in_flight = [last for last in progress.in_flight if last > seq]
                self._ack_progress_ns = now_ns
                outputs.append(Acknowledged(lane, seq))
        return outputs

    def _refused(self, refuse: frames.Refuse, now_ns: int) -> list[AgentOutput]:
        if refuse.code in FATAL_CODES:
            self._enter(AgentPhase.REFUSED, now_ns)
            return [Refused(refuse.code, refuse.message)]
        if refuse.code is RefuseCode.FORK:
            head = self._lanes[Lane.EVENTS]
            self._enter(AgentPhase.FORKED, now_ns)
            return [Forked(Lane.EVENTS, head.committed, b"", b"")]
        if self.phase is AgentPhase.STREAMING:
            assert self._hello is not None
            return [Refused(refuse.code, refuse.message), *self._down(refuse.code.value, now_ns)]
        return [Refused(refuse.code, refuse.message)]

    def _tick_streaming(self, now_ns: int, wall_ns: int) -> list[AgentOutput]:
        assert self.welcome is not None
        period_ns = self.welcome.heartbeat_ms * NS_PER_MS
        if now_ns - self._heard_ns > SILENT_PERIODS * period_ns:
            return self._down("aggregator is silent", now_ns)
        waiting = any(progress.in_flight for progress in self._lanes.values())
        if waiting and now_ns - self._ack_progress_ns > ACK_TIMEOUT_NS:
            return self._down("no ACK", now_ns)
        # Also while other frames go: of all that an agent says only a heartbeat is answered at once, whatever is due.
        if now_ns - self._beat_ns >= period_ns:
            self._beat_ns = now_ns
            return [Send(frames.Heartbeat(wall_ns, now_ns))]
        return []

    def _batch(
        self, lane: Lane, batch: frames.EventBatch | frames.TelemetryBatch, last: int, now_ns: int
    ) -> list[AgentOutput]:
        if self.phase is not AgentPhase.STREAMING:
            return []
        progress = self._lanes[lane]
        if not any(each.in_flight for each in self._lanes.values()):
            self._ack_progress_ns = now_ns
        progress.sent = last
        progress.in_flight.append(last)
        return [Send(batch)]


def last_seq(first_seq: int, count: int, gaps: Sequence[DeclaredGap]) -> int:
    """The last number that a batch accounts for: its rows, and the gaps between and behind them."""
    seq, inside = first_seq - 1, sorted(gaps, key=lambda gap: gap.first)
    remaining = count
    for gap in inside:
        rows = min(remaining, max(0, gap.first - seq - 1))
        remaining -= rows
        seq = max(seq + rows, gap.last) if gap.first == seq + rows + 1 else seq + rows
    return seq + remaining
