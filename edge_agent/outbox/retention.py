"""What to free, and when: pure decisions over rows that somebody else reads and deletes.

Rows that every mandatory destination has are kept for ``keep_acked_h``, so that a restored aggregator can ask again.
Where space is needed they go first; then telemetry, oldest first; then events that nobody has yet, lowest class first.
Safety events that are still owed are never given up, nor the records of what was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from contract.events import ConditionData, EventType
from contract.points import ConditionClass
from edge_agent.outbox.rows import Destination


class Rank(IntEnum):
    """In which order events are given up when space is needed; from SAFETY on never."""

    SYSTEM = 0
    ADVISORY = 1
    FAULT = 2
    SAFETY = 3
    RECORD = 4
    """Says what is missing, or why an epoch began: giving it up would hide a loss."""


_RANK_OF_CLASS: Final = {
    ConditionClass.SYSTEM: Rank.SYSTEM,
    ConditionClass.ADVISORY: Rank.ADVISORY,
    ConditionClass.FAULT: Rank.FAULT,
    ConditionClass.SAFETY: Rank.SAFETY,
}
_RECORDS: Final = frozenset((EventType.GAP, EventType.FORK, EventType.STORE_REPLACED))


@dataclass(frozen=True, slots=True)
class StoredRow:
    """What a decision needs to know of a row."""

    seq: int
    size_bytes: int
    rank: int = Rank.SYSTEM
    written_ns: int = 0


def rank_of(event_type: EventType, condition: ConditionData | None) -> Rank:
    if condition is not None:
        return _RANK_OF_CLASS[condition.condition_class]
    return Rank.RECORD if event_type in _RECORDS else Rank.SYSTEM


def acknowledged_by_all(destinations: Sequence[Destination], cursors: Mapping[str, int]) -> int:
    """The number up to which nothing is owed any more. Where no destination is mandatory, all of them count; where
    there is none at all, everything is owed to one that may still come."""
    owed_to = [each for each in destinations if each.mandatory] or list(destinations)
    return min((cursors.get(each.name, 0) for each in owed_to), default=0)


def expired(rows: Iterable[StoredRow], acknowledged: int, written_before_ns: int) -> int:
    """Of the oldest rows: the last number of the run that may go because its time is over, 0 for none."""
    last = 0
    for row in rows:
        if row.seq > acknowledged or row.written_ns >= written_before_ns:
            break
        last = row.seq
    return last


def oldest(rows: Iterable[StoredRow], need_bytes: int) -> int:
    """Of the oldest rows: the last number of the shortest run that gives ``need_bytes``, 0 for none."""
    last = 0
    for row in rows:
        if need_bytes <= 0:
            break
        last, need_bytes = row.seq, need_bytes - row.size_bytes
    return last


def sacrifice(rows: Iterable[StoredRow], need_bytes: int, runs_max: int) -> list[tuple[int, int]]:
    """Runs (first, last) to give up until ``need_bytes`` are free: lowest rank first, oldest first within it."""
    chosen: dict[int, list[int]] = {}
    for row in sorted(rows, key=lambda row: (row.rank, row.seq)):
        if need_bytes <= 0 or row.rank >= Rank.SAFETY:
            break
        chosen.setdefault(row.rank, []).append(row.seq)
        need_bytes -= row.size_bytes
    runs = [run for numbers in chosen.values() for run in runs_of(numbers)]
    return runs_of(seq for first, last in runs[:runs_max] for seq in range(first, last + 1))


def runs_of(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Consecutive numbers as (first, last), ascending."""
    runs: list[tuple[int, int]] = []
    for seq in sorted(numbers):
        if runs and runs[-1][1] + 1 == seq:
            runs[-1] = (runs[-1][0], seq)
        else:
            runs.append((seq, seq))
    return runs


def excess(used_bytes: int, budget_bytes: int) -> int:
    """How much to free now: nothing up to 15/16 of the budget, then down to 14/16. What is left is for the WAL and for
    what comes while this is being decided."""
    return used_bytes - budget_bytes * 14 // 16 if used_bytes > budget_bytes * 15 // 16 else 0
