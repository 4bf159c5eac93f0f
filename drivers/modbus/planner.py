"""Which requests read a set of places in the least time on the bus, within the device's limits. Pure.

Places come in from ``address``, requests go to ``unit``, which sends them, and to ``registers``, which decodes their
replies. What a device was found to refuse (``holes``) is a limit like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from drivers.modbus.address import ModbusAddress, Table

_BITS_PER_REGISTER: Final = 16


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """``count`` registers or bits of a table from ``start`` on."""

    table: Table
    start: int
    count: int

    @property
    def end(self) -> int:
        return self.start + self.count

    def holds(self, other: Span) -> bool:
        return self.table is other.table and self.start <= other.start and other.end <= self.end

    def __str__(self) -> str:
        return f"{self.table} {self.start}..{self.end - 1}"


@dataclass(frozen=True, slots=True)
class BusCost:
    """What a request costs, in ns of bus time: ``request_ns`` whatever it asks for, ``byte_ns`` for each byte of data."""

    request_ns: int
    byte_ns: int

    def of(self, span: Span) -> int:
        return self.request_ns + self.byte_ns * _data_size(span.table, span.count)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for.

    ``max_gap`` counts registers that nobody wants (0: never read across a gap). ``lengths`` are shorter limits that the
    device was found to have in a table. No request holds a ``refused`` span whole, except one for a single place.
    """

    max_registers: int = 125
    max_bits: int = 2000
    max_gap: int = 16
    lengths: Mapping[Table, int] = field(default_factory=dict)
    refused: AbstractSet[Span] = frozenset()

    def places(self, table: Table) -> int:
        """The most registers or bits per request."""
        most = self.max_bits if table.holds_bits else self.max_registers
        return min(most, self.lengths.get(table, most))

    def gap(self, table: Table) -> int:
        """The longest gap that may be read across, in registers or bits."""
        return self.max_gap * (_BITS_PER_REGISTER if table.holds_bits else 1)


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """``count`` registers or bits of ``table`` from ``start`` on; ``members`` are indices of the points inside."""

    table: Table
    start: int
    count: int
    members: tuple[int, ...]

    @property
    def function(self) -> int:
        """Modbus function code, 1 to 4."""
        return self.table.function

    @property
    def span(self) -> Span:
        return Span(self.table, self.start, self.count)

    @property
    def reply_size(self) -> int:
        """Bytes of data in a proper reply."""
        return _data_size(self.table, self.count)

    def __str__(self) -> str:
        return str(self.span)


def plan(addresses: Sequence[ModbusAddress], limits: Limits, cost: BusCost) -> tuple[ReadRequest, ...]:
    """Requests that read every address exactly once for the least ``cost``, in order of table and offset.

    What lies at one place is read together; a place that must be asked for alone shares a request with nothing else.
    Places longer than the limit are read all the same, by a request of their own.
    """
    members: dict[Span, list[int]] = {}
    alone: dict[Span, list[int]] = {}
    for index, address in enumerate(addresses):
        span = span_of(address)
        (alone if address.alone else members).setdefault(span, []).append(index)
    requests = [_request(span, [span], alone) for span in alone]
    for table in Table:
        spans = sorted(span for span in members if span.table is table)
        requests += [_request(_hull(run), run, members) for run in _cut(spans, limits, cost)]
    return tuple(sorted(requests, key=lambda r: (r.function, r.start, r.count, r.members)))


def span_of(address: ModbusAddress) -> Span:
    """What has to be asked for to read an address."""
    return Span(address.table, *(address.alone or (address.offset, address.width)))


def _cut(spans: Sequence[Span], limits: Limits, cost: BusCost) -> Iterable[Sequence[Span]]:
    """The cheapest way to cut places of one table, sorted, into runs of which each is one request.

    In an optimal plan each request reads places that are neighbours in this order (a place inside another request's reach
    can move there for nothing), so dynamic programming over the place of the last cut finds it. A run that breaks a limit
    breaks it, too, when it grows at either end; so the first place from which a run to ``last`` is allowed only moves up.
    """
    if not spans:
        return []
    table = spans[0].table
    limit, gap = limits.places(table), limits.gap(table)
    refused = sorted(span for span in limits.refused if span.table is table)
    starts = np.array([span.start for span in spans], np.int64)
    reach = np.zeros(len(spans), np.int64)  # reach[i]: the end of a run from i to the place at hand
    cheapest = np.zeros(len(spans) + 1, np.int64)
    cut_before = [0] * len(spans)
    first, wanted_to = 0, spans[0].start
    for last, span in enumerate(spans):
        if span.start - wanted_to > gap:
            first = last
        wanted_to = max(wanted_to, span.end)
        np.maximum(reach[first : last + 1], span.end, out=reach[first : last + 1])
        while first < last and not _allowed(
            Span(table, spans[first].start, int(reach[first] - starts[first])), limit, refused
        ):
            first += 1
        runs = slice(first, last + 1)
        sizes = reach[runs] - starts[runs]
        data = (sizes + 7) // 8 if table.holds_bits else sizes * 2
        totals = cheapest[runs] + cost.request_ns + cost.byte_ns * data
        best = int(totals.argmin())
        cheapest[last + 1], cut_before[last] = totals[best], first + best
    runs_found, end = [], len(spans)
    while end:
        runs_found.append(spans[cut_before[end - 1] : end])
        end = cut_before[end - 1]
    return reversed(runs_found)


def _allowed(run: Span, limit: int, refused: Sequence[Span]) -> bool:
    return run.count <= limit and not any(run.holds(span) for span in refused)


def _hull(run: Sequence[Span]) -> Span:
    return Span(run[0].table, run[0].start, max(span.end for span in run) - run[0].start)


def _request(asked: Span, run: Iterable[Span], members: Mapping[Span, Sequence[int]]) -> ReadRequest:
    inside = sorted(index for span in run for index in members[span])
    return ReadRequest(asked.table, asked.start, asked.count, tuple(inside))


def halves(request: ReadRequest, addresses: Sequence[ModbusAddress]) -> tuple[ReadRequest, ReadRequest] | None:
    """A refused request as two, each with about half of its places; None where it reads a single place.

    The halves do not read what lies between them, so a hole there is out of the way at once.
    """
    places: dict[Span, list[int]] = {}
    for index in request.members:
        places.setdefault(span_of(addresses[index]), []).append(index)
    spans = sorted(places)
    if len(spans) < 2:
        return None
    middle = len(spans) // 2
    return _request(_hull(spans[:middle]), spans[:middle], places), _request(
        _hull(spans[middle:]), spans[middle:], places
    )


def _data_size(table: Table, count: int) -> int:
    return (count + 7) // 8 if table.holds_bits else count * 2
