"""How long a change at a device takes to become a commit at the aggregator. Pure.

A marker is a counter in a device whose every change the rig times exactly. Its point in the agent's I/O list has a
set-point between its two states, so every change becomes an event. All times are of one host's monotonic clock.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hil_tests.journal_lines import JournalEvent
from hil_tests.rig.ledger import LedgerRow, RowKind
from hil_tests.rig.registers import Table

EventNumber = tuple[str, str, int]
"""(agent, epoch, seq)"""


@dataclass(frozen=True, slots=True)
class Marker:
    """Where a square wave lies, in the device and in an agent's list."""

    agent: str
    tag: str
    device: str
    register: str
    table: Table
    address: int


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a marker on its way; the last two are None where no event reported it."""

    changed_ns: int
    replied_ns: int | None
    """When the reply that showed it had reached the agent: the event's own monotonic time."""
    committed_ns: int | None
    """When the aggregator had committed the event."""

    @property
    def latency_ms(self) -> float | None:
        return None if self.committed_ns is None else (self.committed_ns - self.changed_ns) / 1e6

    @property
    def software_latency_ms(self) -> float | None:
        if self.committed_ns is None or self.replied_ns is None:
            return None
        return (self.committed_ns - self.replied_ns) / 1e6


def changes(
    marker: Marker,
    rows: Sequence[LedgerRow],
    events: Iterable[JournalEvent],
    commits: Mapping[EventNumber, int],
) -> list[Change]:
    """Every change in a device's ledger between its first read and its last, with the event that reported it.

    A change belongs to the time until the next one; an event of that time with the marker's new state reports it.
    """
    own = sorted(
        (each for each in events if (each.agent, each.tag) == (marker.agent, marker.tag) and each.kind == "high"),
        key=lambda each: each.mono_ns,
    )
    served = [row for row in rows if row.word(marker.table, marker.address) is not None]
    first_ns, last_ns = (served[0].mono_ns, served[-1].mono_ns) if served else (math.inf, -math.inf)
    marks = [row for row in rows if row.kind is RowKind.MARKER and row.name == marker.register]
    ends = [row.mono_ns for row in marks[1:]] + [math.inf]
    return [
        _change(mark, end, own, commits)
        for mark, end in zip(marks, ends, strict=True)
        if first_ns < mark.mono_ns <= last_ns
    ]


def _change(
    mark: LedgerRow,
    end_ns: float,
    events: Sequence[JournalEvent],
    commits: Mapping[EventNumber, int],
) -> Change:
    told = bisect_left(events, mark.mono_ns, key=lambda event: event.mono_ns)
    event = next((each for each in events[told : told + 1] if each.mono_ns < end_ns), None)
    if event is None or (event.level > 0) != (mark.number > 0):
        return Change(mark.mono_ns, None, None)
    return Change(mark.mono_ns, event.mono_ns, commits.get(event.number))


def percentile(numbers: Iterable[float], percent: float) -> float | None:
    """Nearest rank: the smallest number that at least ``percent`` of them do not exceed; None where there are none."""
    ordered = sorted(numbers)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else None
