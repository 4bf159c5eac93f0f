"""What to ask a device next in order to find all that it gives, and what the answers have shown so far. Pure.

No socket and no clock: ``wants`` says the next request, ``take`` is told its outcome. The same outcomes always lead to the same
requests, so a scan that was interrupted goes on by being told again what it was told before.

Blocks grow while they are given and are halved when they are refused. Only an address that was refused alone is one that the device
does not have. After ``stride`` of those in a row only each ``stride``-th address is asked: no run of as many readable addresses is
missed, with a stride of 1 none at all.

A block that was refused though all of its parts are given is one of two things: longer than the device gives at once, or laid
across an inner wall (a device made of parts refuses a request that begins in one part and ends in another). Which of them is proved
(``_measured``) before it is called a limit.

Requests are bounded: ``requests_max`` of the plan, and by themselves (``bound``).
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from drivers.modbus.address import Table
from edge_agent.commissioning.probing.failures import ILLEGAL_FUNCTION, NO_PATH, NO_RESPONSE

REGISTERS_MAX: Final = 125
BITS_MAX: Final = 2000
"""In one request (Modbus application protocol 1.1b3, clauses 6.1 to 6.4)."""
SILENT_MAX: Final = 6
"""Requests in a row without an answer, each asked twice: the unit is lost."""
MEASURED_MAX: Final = 4
"""Spans of a table in which the longest request is looked for; each costs a dozen requests at most."""

STRIDE: Final = 16
EACH_ADDRESS_MAX: Final = 500
"""So many addresses are asked one by one where no stride is given: it takes half a minute for each table at the usual pause."""


def usual_stride(addresses: int) -> int:
    return 1 if addresses <= EACH_ADDRESS_MAX else STRIDE


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be scanned: addresses ``first`` to ``last`` of each table of each unit."""

    units: tuple[int, ...]
    tables: tuple[Table, ...]
    first: int
    last: int
    stride: int
    requests_max: int

    @property
    def bound(self) -> int:
        """More requests than this are never made, if each is answered; twice as many where none is."""
        return len(self.units) * len(self.tables) * (4 * (self.last - self.first + 1) + 60)


@dataclass(frozen=True, slots=True)
class Ask:
    unit: int
    table: Table
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class Values:
    words: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    code: int


@dataclass(frozen=True, slots=True)
class Silent:
    """No answer, or none that could be one."""


Outcome: TypeAlias = Values | Refused | Silent
_Asking: TypeAlias = Generator[Ask, Outcome, None]


class State(StrEnum):
    """Of a unit, or of one of its tables."""

    UNKNOWN = "not asked yet"
    PRESENT = "answers"
    SILENT = "does not answer"
    NO_PATH = "the gateway does not reach it"
    ABSENT = "does not have this table"
    LOST = "stopped answering"


@dataclass(slots=True)
class TableFound:
    """``words`` by address as first read, ``again`` as read in the second pass; ``refused`` alone. ``blocks`` are the requests, start
    and count, that were given while it was explored. ``longest`` request given; ``length_max``, where it is proved that no longer
    one is; ``walls`` are addresses that no request may reach together with the one before."""

    state: State = State.UNKNOWN
    words: dict[int, int] = field(default_factory=dict)
    again: dict[int, int] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    blocks: list[tuple[int, int]] = field(default_factory=list)
    walls: set[int] = field(default_factory=set)
    measured: int = 0
    longest: int = 0
    length_max: int | None = None

    @property
    def asked(self) -> int:
        """Addresses of which is known whether they are given."""
        return len(self.words) + len(self.refused)

    def runs(self) -> Iterator[tuple[int, int]]:
        """First and last address of each readable range."""
        start = last = -2
        for address in sorted(self.words):
            if address != last + 1:
                if last >= 0:
                    yield start, last
                start = address
            last = address
        if last >= 0:
            yield start, last


@dataclass(slots=True)
class UnitFound:
    state: State = State.UNKNOWN
    tables: dict[Table, TableFound] = field(default_factory=dict)


class _UnitLost(Exception):  # noqa: N818 - no error of anybody: it ends a unit's turn
    pass


class Search:
    """One scan. ``found`` grows by unit; ``done`` and ``exhausted`` (the plan's bound was reached) end it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.found = {unit: UnitFound() for unit in plan.units}
        self.requests = 0
        self._silent_in_row = 0
        self._steps = self._whole()
        self._next: Ask | None = next(self._steps, None)

    @property
    def exhausted(self) -> bool:
        return self._next is not None and self.requests >= self.plan.requests_max

    @property
    def next(self) -> Ask | None:
        """The next request, allowed or not; None where the search has come to its end."""
        return self._next

    def wants(self) -> Ask | None:
        """The next request; None where there is none, or none is allowed any more."""
        return None if self.exhausted else self._next

    def take(self, outcome: Outcome) -> None:
        """What came of the request that ``wants`` gave."""
        assert self._next is not None
        self.requests += 1
        try:
            self._next = self._steps.send(outcome)
        except StopIteration:
            self._next = None

    def _whole(self) -> _Asking:
        for unit, found in self.found.items():
            try:
                yield from self._unit(unit, found)
            except _UnitLost:
                found.state = State.LOST
        for unit, found in self.found.items():
            try:
                for table, tabled in found.tables.items():
                    yield from self._second_pass(unit, table, tabled)
            except _UnitLost:
                continue

    def _unit(self, unit: int, found: UnitFound) -> _Asking:
        self._silent_in_row = 0
        for table in self.plan.tables:
            first = yield from self._asked(Ask(unit, table, self.plan.first, 1))
            tabled = TableFound()
            if isinstance(first, Refused) and first.code in (NO_PATH, NO_RESPONSE) and found.state is State.UNKNOWN:
                found.state = State.NO_PATH
                return
            if isinstance(first, Silent):
                tabled.state = State.SILENT
            elif isinstance(first, Refused) and first.code == ILLEGAL_FUNCTION:
                tabled.state = State.ABSENT
            else:
                tabled.state = State.PRESENT
            found.tables[table] = tabled
            if tabled.state is not State.SILENT:
                found.state = State.PRESENT
        if found.state is State.UNKNOWN:
            found.state = State.SILENT
        for table, tabled in found.tables.items():
            if tabled.state is State.PRESENT:
                yield from self._explore(unit, table, tabled)

    def _explore(self, unit: int, table: Table, found: TableFound) -> _Asking:
        longest = BITS_MAX if table.holds_bits else REGISTERS_MAX
        place, end, size, barren = self.plan.first, self.plan.last + 1, 1, 0
        bracket: tuple[int, int] | None = None  # this block was refused, and what lies before `place` in it is given
        while place < end:
            count = min(size, longest, end - place)
            if bracket is not None:
                count = min(count, max(1, (bracket[1] - place) // 2))
            outcome = yield from self._asked(Ask(unit, table, place, count))
            if isinstance(outcome, Values):
                _store(found, place, outcome)
                place, size, barren = place + count, min(2 * max(size, count), longest), 0
                if bracket is not None and place >= bracket[1]:
                    if bracket[1] - bracket[0] > found.longest > 1 and found.length_max is None:
                        yield from self._measured(unit, table, found, bracket[0], bracket[1] - bracket[0])
                        longest = found.length_max or longest
                    bracket = None
            elif count > 1:
                bracket, size = (place, place + count), count
            else:
                found.refused.add(place)
                place, size, bracket, barren = place + 1, 1, None, barren + 1
                if barren >= self.plan.stride > 1:
                    place, barren = (yield from self._skipped(unit, table, found, place)), 0
        yield from self._longest(unit, table, found, longest)

    def _skipped(self, unit: int, table: Table, found: TableFound, place: int) -> Generator[Ask, Outcome, int]:
        """Each ``stride``-th address from ``place`` on; where to go on with all of them."""
        grid = place + self.plan.stride - 1
        while grid <= self.plan.last:
            outcome = yield from self._asked(Ask(unit, table, grid, 1))
            if isinstance(outcome, Values):
                return place
            found.refused.add(grid)
            place, grid = grid + 1, grid + self.plan.stride
        return self.plan.last + 1

    def _longest(self, unit: int, table: Table, found: TableFound, longest: int) -> _Asking:
        """Look for a limit in the longest readable spans: blocks grow by doubling, so a run of 50 alone shows none of 20."""
        while found.length_max is None and found.measured < MEASURED_MAX:
            first, end = max(_spans(found), key=lambda span: span[1] - span[0], default=(0, 0))
            count = min(end - first, longest)
            if count <= found.longest:
                break
            outcome = yield from self._asked(Ask(unit, table, first, count))
            if isinstance(outcome, Values):
                found.longest = count
            else:
                yield from self._measured(unit, table, found, first, count)
        if found.longest == 1 and found.walls:
            found.length_max = 1  # nothing longer was given wherever it was asked; no pair can prove more

    def _measured(self, unit: int, table: Table, found: TableFound, first: int, refused: int) -> _Asking:
        """Of a readable span that was refused as ``refused`` in one, find what is given from its start. The place after that is
        a wall if it is refused as a pair with the one before; otherwise it is the length that was refused."""
        if found.measured == MEASURED_MAX:
            return
        found.measured += 1
        given = 1
        while refused - given > 1:
            middle = (given + refused) // 2
            outcome = yield from self._asked(Ask(unit, table, first, middle))
            given, refused = (middle, refused) if isinstance(outcome, Values) else (given, middle)
        found.longest = max(found.longest, given)
        pair = (yield from self._asked(Ask(unit, table, first + given - 1, 2))) if given > 1 else None
        if not isinstance(pair, Values):
            found.walls.add(first + given)
        elif given == found.longest:
            found.length_max = given

    def _second_pass(self, unit: int, table: Table, found: TableFound) -> _Asking:
        self._silent_in_row = 0
        for place, count in found.blocks:
            outcome = yield from self._asked(Ask(unit, table, place, count))
            if isinstance(outcome, Values):
                found.again |= {place + i: word for i, word in enumerate(outcome.words)}

    def _asked(self, ask: Ask) -> Generator[Ask, Outcome, Outcome]:
        """The outcome of a request, which is asked again once where nothing came. Raises _UnitLost."""
        outcome = yield ask
        if isinstance(outcome, Silent):
            outcome = yield ask
        self._silent_in_row = self._silent_in_row + 1 if isinstance(outcome, Silent) else 0
        if self._silent_in_row >= SILENT_MAX:
            raise _UnitLost
        return outcome


def _store(found: TableFound, place: int, values: Values) -> None:
    found.words |= {place + i: word for i, word in enumerate(values.words)}
    found.blocks.append((place, len(values.words)))
    found.longest = max(found.longest, len(values.words))


def _spans(found: TableFound) -> Iterator[tuple[int, int]]:
    """Start and end of each readable range, cut at the walls that are known."""
    for first, last in found.runs():
        cuts = [first, *sorted(wall for wall in found.walls if first < wall <= last), last + 1]
        yield from itertools.pairwise(cuts)
