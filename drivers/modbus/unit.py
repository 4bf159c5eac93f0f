"""One unit on a connection: its groups of points, the requests that read them, and what each outcome means. Pure.

``driver`` opens a turn of a group, asks what the unit wants asked, and brings the outcome back; rows come out. Every turn
of a group gives a row for each of its points, whatever happened, and first of all one for the device itself:

- values arrived: the values;
- exception 02, 03: the request is halved at once (``holes``) until the refused places are alone; these are BAD_CONFIG;
- exception 01: BAD_CONFIG; any other: BAD_DEVICE_FAILURE; from a gateway that cannot reach the unit: no answer;
- no valid answer: BAD_COMM_FAILURE, also for the rest of the group in this turn. The request goes to the end of the
  group's queue, so that one the device never answers cannot starve the others. From the second failure in a row on, the
  unit is left alone for a while (``breaker``).
"""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract.batch import SampleBatch
from contract.clock import NS_PER_S
from contract.points import ConditionClass, PointRole, PointSpec
from contract.quality import Quality
from drivers.base import DeviceHealth, DeviceSetup, DeviceState
from drivers.modbus.address import Coding, ModbusAddress, SideWord, WordOrder
from drivers.modbus.breaker import Breaker
from drivers.modbus.holes import Holes, Search
from drivers.modbus.outcome import Answer, Failure, FailureReason
from drivers.modbus.planner import BusCost, Limits, ReadRequest, plan, span_of
from drivers.modbus.registers import BlockDecoder, RegisterPoint
from drivers.modbus.schedule import Slot
from drivers.modbus.settings import ModbusSettings

BACK_OFF_MIN_S: Final = 0.2
NEIGHBOURS_TIMEOUTS: Final = 12
"""On a shared connection a silent unit rests this many time-outs after each, so that it takes at most a twelfth of it."""
_ILLEGAL: Final = frozenset({1, 2, 3})
"""Exceptions that say the configuration is wrong: function, address, value."""
_ILLEGAL_PLACE: Final = frozenset({2, 3})
_UNIT_SILENT: Final = frozenset({0x0A, 0x0B})
"""A gateway answered for its unit, which it cannot reach (Modbus application protocol 1.1b3, clause 7): no answer."""
_FLOATS: Final = frozenset({Coding.FLOAT32, Coding.FLOAT64})
_REFUSED_TOLD_MAX: Final = 16
_OVERHEAD_MEMORY: Final = 32
"""Answers over which the measured time of a request is averaged."""
_QUICKER_MAX: Final = 4
"""However quick a device is, a request is not taken for cheaper than this part of what was assumed: it costs us, too."""


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """A request and what decodes its reply."""

    request: ReadRequest
    decoder: BlockDecoder
    by_order: Mapping[WordOrder, BlockDecoder] = field(default_factory=dict)
    """Where a register of the device says in which order the bytes of floats lie."""


@dataclass(slots=True, eq=False)
class Group:
    """Points with one poll period, the words beside them that say how they are meant, and the requests that read both, in
    order of asking. ``left_out`` are the rows of points that the device refuses to give."""

    poll_s: float
    points: list[RegisterPoint]
    sides: list[SideWord]
    of_all: Sequence[SideWord]
    """Those of the sides that are about every value."""
    places: list[ModbusAddress]
    """What requests count in: the points, then the words beside them."""
    queue: list[_Read] = field(default_factory=list)
    left_out: BlockDecoder | None = None

    @property
    def requests(self) -> list[ReadRequest]:
        return [read.request for read in self.queue]

    @property
    def safety(self) -> bool:
        """True where a point has a set-point whose condition is one of safety."""
        return any(_is_safety(point.spec) for point in self.points)

    def arrange(self, reads: Iterable[_Read]) -> None:
        """In this order, but what says how values are meant comes before them."""
        waiting, self.queue = list(reads), []
        if not self.sides:
            self.queue = waiting
            return
        brings = {read: self._brings(read.request) for read in waiting}
        while waiting:
            owed = Counter(side for read in waiting for side in brings[read])
            ready = (
                read for read in waiting if not any(owed[side] for side in self._needs(read.request, brings[read]))
            )
            chosen = next(ready, waiting[0])  # two that wait for each other: one is judged without the other's word
            waiting.remove(chosen)
            self.queue.append(chosen)

    def postpone(self, read: _Read) -> None:
        """To the end, and with it those whose values it says the meaning of."""
        if read in self.queue:
            self.queue.remove(read)
            self.arrange([*self.queue, read])

    def _brings(self, request: ReadRequest) -> frozenset[SideWord]:
        count = len(self.points)
        return frozenset(self.sides[member - count] for member in request.members if member >= count)

    def _needs(self, request: ReadRequest, brings: frozenset[SideWord]) -> set[SideWord]:
        own = (side for i in request.members if i < len(self.points) for side in self.points[i].address.sides)
        return {*self.of_all, *own} - brings


@dataclass(slots=True, eq=False)
class Turn:
    """One pass over a group. ``busy_ns`` is the time it has taken on the connection."""

    group: Group
    pending: deque[_Read]
    search: Search
    beside: dict[SideWord, int] = field(default_factory=dict)
    """The words beside values that this turn has brought so far."""
    device_told: bool = False
    answered_all: bool = True
    busy_ns: int = 0


class Unit:
    """One device. Times are handed in."""

    def __init__(
        self, setup: DeviceSetup, points: Sequence[RegisterPoint], cost: BusCost, rng: random.Random, *, shared: bool
    ) -> None:
        """``cost`` is what is assumed of the connection until answers have been measured; ``shared``: it has neighbours."""
        assert isinstance(setup.settings, ModbusSettings)
        self.name = setup.name
        self.settings: ModbusSettings = setup.settings
        (self._own,) = (spec for spec in setup.points if spec.role is PointRole.DEVICE)
        self._points = points
        self._cost = cost
        self._request_ns: float = cost.request_ns
        first_s = max(BACK_OFF_MIN_S, NEIGHBOURS_TIMEOUTS * self.settings.timeout_s if shared else 0.0)
        # The settings' ceiling is for one device alone; it must not let a silent one take the neighbours' time.
        most_s = max(self.settings.silent_max_s, first_s) if shared else self.settings.reconnect_max_s
        self._breaker = Breaker(round(first_s * NS_PER_S), round(most_s * NS_PER_S), rng)
        self._ghosts: dict[tuple[int, int], int] = {}
        self.holes = Holes()
        self.changed = False
        """``holes`` know more, or less, than when this was last set to False."""
        self.groups = _groups(points, self.settings.sides)
        self._floats = [point.spec.id for point in points if point.address.coding in _FLOATS]
        self._meanings = {name: word.table() for name, word in self.settings.status.items()}
        self.is_back = False
        """It answered after a silence, since this was last set to False: what it was not asked for is owed."""
        self._state = DeviceState.CONNECTING
        self._last_answer_mono_ns: int | None = None
        self._last_good_scan_wall_ns: int | None = None
        self._requests = 0
        self._failures = 0
        self._last_failure: str | None = None
        self._plan()

    # -- what it costs -----------------------------------------------------------------------------------------------

    @property
    def cost(self) -> BusCost:
        """As assumed, or as measured by now."""
        return BusCost(round(self._request_ns), self._cost.byte_ns)

    def slots(self) -> list[Slot]:
        """What each group asks of the connection, pauses included."""
        return [Slot(round(g.poll_s * NS_PER_S), self.busy_ns(g), g.safety) for g in self.groups]

    def busy_ns(self, group: Group) -> int:
        pause_ns = round(self.settings.pause_ms * 1e6)
        return sum(self.cost.of(request.span) + pause_ns for request in group.requests)

    # -- a turn ------------------------------------------------------------------------------------------------------

    def begin(self, group: Group, mono_ns: int) -> Turn:
        """Open a turn; a place that was refused long ago is asked for at its end."""
        if self.holes.put_on_trial(mono_ns) or not 0.5 < self._request_ns / self._planned_request_ns < 2:
            self._plan()
        search = Search(self.holes, group.places)
        turn = Turn(group, deque(group.queue), search)
        span = self.holes.due(mono_ns)
        if span is not None and span not in {request.span for request in group.requests}:
            members = tuple(i for i, place in enumerate(group.places) if span_of(place) == span)
            turn.pending.append(self._read(ReadRequest(span.table, span.start, span.count, members), group))
        return turn

    def wants(self, turn: Turn, mono_ns: int) -> ReadRequest | None:
        """What to ask next; None where nothing may be asked now (``unasked`` ends the turn then)."""
        if not self._breaker.allows(mono_ns):
            return None
        for _ in range(len(turn.pending)):
            if not self._haunted(turn.pending[0].request, mono_ns):
                return turn.pending[0].request
            turn.pending.rotate(-1)
        return None

    def unasked(self, turn: Turn, time_ns: int, mono_ns: int) -> SampleBatch:
        """The rows of a turn that ends here because nothing may be asked."""
        return self._lost(turn, time_ns, mono_ns)

    def take(self, turn: Turn, outcome: Answer | Failure, time_ns: int, mono_ns: int) -> SampleBatch:
        """The rows that follow from what came back for the request that ``wants`` named last."""
        self._requests += isinstance(outcome, Answer) or outcome.reason.was_asked
        turn.busy_ns += outcome.took_ns
        if isinstance(outcome, Failure):
            return self._unanswered(turn, outcome, time_ns, mono_ns)
        request = turn.pending[0].request
        if outcome.exception in _UNIT_SILENT:
            text = f"the gateway does not reach the unit, exception {outcome.exception:02X}"
            return self._unanswered(turn, Failure(FailureReason.TIMED_OUT, text), time_ns, mono_ns, haunts=False)
        if outcome.exception is not None and any(function == request.function for function, _ in self._ghosts):
            doubtful = Failure(FailureReason.MALFORMED, "a refusal that may be the late answer to another request")
            return self._unanswered(turn, doubtful, time_ns, mono_ns)
        return self._answered(turn, outcome)

    def end(self, turn: Turn, time_ns: int) -> None:
        """All rows of a turn are out."""
        if turn.answered_all:
            self._last_good_scan_wall_ns = time_ns
        if turn.search.learned:
            self.changed = True
            self._plan()

    def _answered(self, turn: Turn, answer: Answer) -> SampleBatch:
        read = turn.pending.popleft()
        self._breaker.answered()
        self._last_answer_mono_ns = answer.mono_ns
        first, turn.device_told = not turn.device_told, True
        self.is_back |= self._state is DeviceState.SILENT
        self._state = DeviceState.ANSWERING
        if answer.exception is None:
            self._measure(read.request, answer.took_ns)
            turn.search.given(read.request, answer.mono_ns)
            if read.decoder.has_side_words:
                turn.beside |= read.decoder.side_words(answer.payload)
            own = self._own.id if first else None
            rows = [self._decoded(read, answer, turn.beside, own)]
        else:
            rows = [self._device_row(answer.time_ns, answer.mono_ns, answered=True)] if first else []
            rows += self._refused(turn, read, answer, answer.exception)
        if first and turn.group.left_out is not None:
            rows.append(turn.group.left_out.failed(Quality.BAD_CONFIG, answer.time_ns, answer.mono_ns))
        return rows[0] if len(rows) == 1 else SampleBatch.concat(rows)

    def _decoded(self, read: _Read, answer: Answer, beside: Mapping[SideWord, int], own: int | None) -> SampleBatch:
        """The rows of a reply, as the device's own registers say that its values are meant."""
        constant, floats, decoder = self.settings.constant, self.settings.float_order, read.decoder
        order = None
        if floats is not None and (order := floats.order(beside.get(floats.side))) is not None:
            decoder = read.by_order[order]
        batch = decoder.decode(answer.payload, answer.time_ns, answer.mono_ns, beside, own)
        if constant is not None and (doubt := constant.doubt(beside.get(constant.side))) is not None:
            self._last_failure = doubt
            return _disbelieved(batch, batch.point != self._own.id)
        if floats is not None and order is None:
            doubtful = np.isin(batch.point, self._floats)
            if doubtful.any():
                self._last_failure = f"{floats.register_} does not say in which order the bytes of floats lie"
            return _disbelieved(batch, doubtful)
        return batch

    def _refused(self, turn: Turn, read: _Read, answer: Answer, code: int) -> list[SampleBatch]:
        """Halves in place of a refused block, else rows that say why there is no value."""
        if code in _ILLEGAL_PLACE:
            parts = turn.search.refused(read.request, code, answer.mono_ns)
            if parts:
                turn.pending.extendleft(reversed([self._read(part, turn.group) for part in parts]))
                return []
        if read.request.members:  # none: a gap that was tried again
            self._last_failure = f"{read.request}: refused with exception {code:02X}"
        quality = Quality.BAD_CONFIG if code in _ILLEGAL else Quality.BAD_DEVICE_FAILURE
        return [read.decoder.failed(quality, answer.time_ns, answer.mono_ns)]

    def _unanswered(
        self, turn: Turn, failure: Failure, time_ns: int, mono_ns: int, *, haunts: bool = True
    ) -> SampleBatch:
        """The unit said nothing, or the connection is gone: the rest of the turn is not asked any more."""
        read = turn.pending[0]
        if failure.reason is not FailureReason.WAITING:
            self._failures += 1
            self._last_failure = f"{read.request}: {failure.text}"
        if failure.reason.was_asked:
            self._breaker.failed(mono_ns)
            turn.group.postpone(read)
            if haunts and self.settings.transport.is_rtu:
                until_ns = mono_ns + round(self.settings.late_s * NS_PER_S)
                self._ghosts[read.request.function, read.request.reply_size] = until_ns
        return self._lost(turn, time_ns, mono_ns)

    def _lost(self, turn: Turn, time_ns: int, mono_ns: int) -> SampleBatch:
        turn.answered_all = False
        rows = []
        if not turn.device_told:
            rows.append(self._device_row(time_ns, mono_ns, answered=False))
            turn.device_told = True
            if turn.group.left_out is not None:
                rows.append(turn.group.left_out.failed(Quality.BAD_COMM_FAILURE, time_ns, mono_ns))
        rows += [read.decoder.failed(Quality.BAD_COMM_FAILURE, time_ns, mono_ns) for read in turn.pending]
        turn.pending.clear()
        return SampleBatch.concat(rows)

    def _haunted(self, request: ReadRequest, mono_ns: int) -> bool:
        """True while a late reply to a former request could be taken for this one's: RTU replies carry no number."""
        if not self._ghosts:
            return False
        self._ghosts = {shape: until_ns for shape, until_ns in self._ghosts.items() if until_ns > mono_ns}
        return (request.function, request.reply_size) in self._ghosts

    def _device_row(self, time_ns: int, mono_ns: int, *, answered: bool) -> SampleBatch:
        """The device's own row. The first outcome of a turn decides it."""
        self._state = DeviceState.ANSWERING if answered else DeviceState.SILENT
        row = SampleBatch.zeros(1)
        row.point[0], row.time_ns[0], row.mono_ns[0] = self._own.id, time_ns, mono_ns
        row.value[0] = 1.0 if answered else np.nan
        row.raw[0] = 1 if answered else 0
        row.quality[0] = Quality.GOOD if answered else Quality.BAD_COMM_FAILURE
        return row

    # -- the plan ----------------------------------------------------------------------------------------------------

    def _plan(self) -> None:
        settings = self.settings
        limits = Limits(
            settings.max_registers, settings.max_bits, settings.max_gap, self.holes.lengths, self.holes.spans
        )
        self._planned_request_ns = self._request_ns
        self._refusals = self.holes.in_words({span_of(place) for group in self.groups for place in group.places})
        for group in self.groups:
            places = group.places
            given = [i for i, place in enumerate(places) if self.holes.code(span_of(place)) is None]
            # Where everything is refused one place is asked all the same, since the device must be heard.
            asked = given or [0]
            requests = plan([places[i] for i in asked], limits, self.cost)
            reads = [
                self._read(ReadRequest(r.table, r.start, r.count, tuple(asked[m] for m in r.members)), group)
                for r in requests
            ]
            group.arrange(reads)
            group.left_out = _rows_of(sorted(set(range(len(group.points))) - set(asked)), group)

    def _read(self, request: ReadRequest, group: Group) -> _Read:
        decoder = BlockDecoder(request, group.points, group.sides, self._meanings)
        orders = () if self.settings.float_order is None else self.settings.float_order.orders
        by_order = {
            order: BlockDecoder(request, _reordered(group.points, order), group.sides, self._meanings)
            for order in orders
        }
        return _Read(request, decoder, by_order)

    def _measure(self, request: ReadRequest, took_ns: int) -> None:
        data_ns = self._cost.byte_ns * request.reply_size
        overhead_ns = max(took_ns - data_ns, self._cost.request_ns // _QUICKER_MAX)
        self._request_ns += (overhead_ns - self._request_ns) / _OVERHEAD_MEMORY

    # -- what is told and kept ---------------------------------------------------------------------------------------

    def health(self, *, reconnects: int, missed_turns: int, slowed: str | None) -> DeviceHealth:
        more = len(self._refusals) - _REFUSED_TOLD_MAX
        return DeviceHealth(
            device=self.name,
            state=self._state,
            last_answer_mono_ns=self._last_answer_mono_ns,
            requests=self._requests,
            failures=self._failures,
            reconnects=reconnects,
            last_failure=self._last_failure,
            last_good_scan_wall_ns=self._last_good_scan_wall_ns,
            missed_turns=missed_turns,
            slowed=slowed,
            refused=self._refusals if more <= 0 else (*self._refusals[:_REFUSED_TOLD_MAX], f"and {more} more"),
        )

    def recall(self, learned: Any, mono_ns: int) -> None:
        """Go on with what ``Holes.to_json`` gave before a restart. Raises ValueError."""
        self.holes = Holes.from_json(learned, mono_ns)
        self._plan()


def _is_safety(spec: PointSpec) -> bool:
    limits = spec.limits
    judged = any(number == number for number in (limits.ll, limits.l, limits.h, limits.hh))  # noqa: PLR0124 - not NaN
    return judged and spec.limit_class is ConditionClass.SAFETY


def _disbelieved(batch: SampleBatch, rows: NDArray[np.bool_]) -> SampleBatch:
    """With these rows BAD_CONFIG and without a number, and what they said left out."""
    batch.quality[rows], batch.value[rows], batch.raw[rows] = Quality.BAD_CONFIG, np.nan, 0
    silenced = set(batch.point[rows].tolist())
    return replace(batch, said=tuple(each for each in batch.said if each.point not in silenced))


def _reordered(points: Sequence[RegisterPoint], order: WordOrder) -> list[RegisterPoint]:
    return [
        RegisterPoint(point.spec, replace(point.address, order=order)) if point.address.coding in _FLOATS else point
        for point in points
    ]


def _groups(points: Sequence[RegisterPoint], sides: Sequence[SideWord]) -> list[Group]:
    """One group per poll period, the shortest first; ``sides`` are wanted in each."""
    by_period: dict[float, list[RegisterPoint]] = {}
    for point in points:
        by_period.setdefault(point.spec.poll_s, []).append(point)
    return [_group(poll_s, members, sides) for poll_s, members in sorted(by_period.items())]


def _group(poll_s: float, points: list[RegisterPoint], of_all: Sequence[SideWord]) -> Group:
    sides = list(dict.fromkeys([*of_all, *(side for point in points for side in point.address.sides)]))
    return Group(
        poll_s, points, sides, of_all, [*(point.address for point in points), *(side.address for side in sides)]
    )


def _rows_of(members: Sequence[int], group: Group) -> BlockDecoder | None:
    """What makes rows without values for points that no request reads."""
    if not members:
        return None
    address = group.points[members[0]].address
    return BlockDecoder(ReadRequest(address.table, 0, 0, tuple(members)), group.points)
