"""Numbers that will never come: how gaps are joined, told to a receiver, and put on record.

Pure. A gap covers consecutive numbers of one lane. ``hash_before`` is the hash at the number before it and ``hash_last``
the one at its last number, so a receiver can verify the chain over it; on the telemetry lane they are digests of chunks,
empty where the bytes are lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeVar

from contract.events import Json
from contract.ids import Lane
from contract.wire.frames import GAPS_PER_BATCH_MAX, DeclaredGap

RUNS_PER_EVENT_MAX: Final = 200
"""About 230 bytes each: the event stays under EVENT_BYTES_MAX."""

_Row = TypeVar("_Row")


class GapCause(StrEnum):
    """Why the numbers will never come."""

    FREED = "freed"
    """Every mandatory destination has them; kept no longer. No loss, so no event speaks of it."""
    EVICTED = "evicted"
    """Space was needed before every mandatory destination had them."""
    UNCLEAN_STOP = "unclean_stop"
    """Reserved before a crash or power cut, never used or lost with it."""
    STORE_REPLACED = "store_replaced"
    """The file that held them was corrupt."""


class LossCause(StrEnum):
    """Why something never got a number."""

    MEMORY_FULL = "memory_full"
    """The disk refused commits for longer than memory could bridge."""
    NOT_BUILT = "not_built"
    """A fault of the program: an event that cannot be encoded. The log has the details."""
    UNREADABLE = "unreadable"
    """Spooled, but the bytes cannot be read any more."""


@dataclass(frozen=True, slots=True)
class Gap:
    """``first`` to ``last``, both gone."""

    first: int
    last: int
    cause: GapCause
    hash_before: bytes = b""
    hash_last: bytes = b""

    @property
    def count(self) -> int:
        return self.last - self.first + 1

    def declared(self, after_seq: int) -> DeclaredGap:
        """As a batch that starts behind ``after_seq`` names it."""
        return DeclaredGap(max(self.first, after_seq + 1), self.last, self.cause.value, self.hash_last)


def join(gaps: Sequence[Gap], new: Gap) -> list[Gap]:
    """``gaps`` (apart, ascending) with ``new``: adjacent ones of one cause become one, and what ``new`` covers goes."""
    rest = [gap for gap in gaps if not (new.first <= gap.first and gap.last <= new.last)]
    for gap in [gap for gap in rest if gap.cause is new.cause]:
        if gap.last + 1 == new.first:
            rest.remove(gap)
            new = replace(new, first=gap.first, hash_before=gap.hash_before)
        elif new.last + 1 == gap.first:
            rest.remove(gap)
            new = replace(new, last=gap.last, hash_last=gap.hash_last)
    return sorted([*rest, new], key=lambda gap: gap.first)


def assemble(
    after_seq: int, rows: Sequence[_Row], seq_of: Callable[[_Row], int], gaps: Sequence[Gap]
) -> tuple[list[_Row], list[DeclaredGap]]:
    """The rows and gaps that account for every number behind ``after_seq``, as far as both reach without a hole.

    ``rows`` and ``gaps`` ascend. A row is preferred to a gap that names it too (it was read before it was evicted).
    """
    taken: list[_Row] = []
    declared: list[DeclaredGap] = []
    pending = [gap for gap in gaps if gap.last > after_seq]
    waiting = list(reversed(rows))
    expected = after_seq + 1
    while True:
        while waiting and seq_of(waiting[-1]) < expected:
            waiting.pop()
        if waiting and seq_of(waiting[-1]) == expected:
            taken.append(waiting.pop())
            expected += 1
            continue
        gap = next((gap for gap in pending if gap.first <= expected <= gap.last), None)
        if gap is None or len(declared) == GAPS_PER_BATCH_MAX:
            return taken, declared
        declared.append(gap.declared(expected - 1))
        expected = gap.last + 1


def gap_data(lane: Lane, cause: GapCause, runs: Sequence[Gap]) -> dict[str, Json]:
    """``data`` of the GAP event that puts evicted or lost runs on record."""
    assert len(runs) <= RUNS_PER_EVENT_MAX
    return {
        "lane": lane.value,
        "cause": cause.value,
        "count": sum(run.count for run in runs),
        "runs": [
            {
                "first": str(run.first), "last": str(run.last), "count": run.count,
                "hash_before": run.hash_before.hex(), "hash_last": run.hash_last.hex(),
            }
            for run in runs
        ],
    }  # fmt: skip


def loss_data(lane: Lane, cause: LossCause, count: int) -> dict[str, Json]:
    """``data`` of the GAP event for what never got a number: events, samples of the telemetry lane, or spool rows."""
    return {"lane": lane.value, "cause": cause.value, "count": count, "runs": []}
