"""What to ask a device next in order to find all that it gives, and what the answers have shown so far. Pure.

No socket and no clock: ``wants`` says the next request, ``take`` is told its outcome. The same outcomes always lead to the same
requests, so a scan that was interrupted goes on by being told again what it was told before.

Blocks grow while they are given and are halved when they are refused; a block that was refused though all of its parts are given
shows the longest request. Only an address that was refused alone is one that the device does not have. After ``stride`` of those in a
row only each ``stride``-th address is asked: no run of as many readable addresses is missed, with a stride of 1 none at all.

Requests are bounded: ``requests_max`` of the plan, and by themselves (``bound``).
"""

from __future__ import annotations

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
        return len(self.units) * len(self.tables) * (3 * (self.last - self.first + 1) + 40)


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
    """``words`` by address as first read, ``again`` as read in the second pass; ``refused`` alone. ``length_max``: the longest
    request, where a longer one was refused."""

    state: State = State.UNKNOWN
    words: dict[int, int] = field(default_factory=dict)
    again: dict[int, int] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    longest: int = 0
    length_max: int | None = None

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
                    if bracket[1] - bracket[0] > found.longest:
                        longest = yield from self._length(unit, table, found, bracket)
                    bracket = None
            elif count > 1:
                bracket, size = (place, place + count), count
            else:
                found.refused.add(place)
                place, size, bracket, barren = place + 1, 1, None, barren + 1
                if barren >= self.plan.stride > 1:
                    place, barren = (yield from self._skipped(unit, table, found, place)), 0

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

    def _length(
        self, unit: int, table: Table, found: TableFound, block: tuple[int, int]
    ) -> Generator[Ask, Outcome, int]:
        """The longest request that is given, found in a block that is readable in parts and was refused whole."""
        given, refused = max(1, found.longest), block[1] - block[0]
        while refused - given > 1:
            middle = (given + refused) // 2
            outcome = yield from self._asked(Ask(unit, table, block[0], middle))
            if isinstance(outcome, Values):
                given = middle
            else:
                refused = middle
        found.longest = found.length_max = given
        return given

    def _second_pass(self, unit: int, table: Table, found: TableFound) -> _Asking:
        self._silent_in_row = 0
        for first, last in list(found.runs()):
            place = first
            while place <= last:
                count = min(found.longest, last + 1 - place)
                outcome = yield from self._asked(Ask(unit, table, place, count))
                if isinstance(outcome, Values):
                    found.again |= {place + i: word for i, word in enumerate(outcome.words)}
                place += count

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
    found.longest = max(found.longest, len(values.words))
