"""Which rows of a batch are new, in order, and what hash each has: pure.

Numbers decide. What is at or below the lane's head was committed before and is dropped; a hole that no declared gap
explains refuses the batch whole, and the agent begins again behind our mark. So any splitting, doubling or shuffling
of batches ends with each number exactly once, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from contract.chain import Record, digest, genesis, link
from contract.ids import Lane
from contract.wire.frames import DeclaredGap, EventBatch, LaneHead, RefuseCode, TelemetryBatch

P = TypeVar("P", Record, bytes)


@dataclass(frozen=True, slots=True)
class Row(Generic[P]):
    """One new row: its number, its bytes, their digest and the hash at it."""

    seq: int
    payload: P
    digest: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Accepted(Generic[P]):
    """What to store. ``head`` is the lane's head behind it, ``duplicates`` counts rows that were there already."""

    rows: tuple[Row[P], ...]
    gaps: tuple[DeclaredGap, ...]
    head: LaneHead
    duplicates: int


@dataclass(frozen=True, slots=True)
class Rejected:
    code: RefuseCode
    reason: str


def accept_events(algorithm: str, agent: str, head: LaneHead, batch: EventBatch) -> Accepted[Record] | Rejected:
    """On this lane hashes are a chain; ``head`` (0, b"") stands for its genesis."""
    start = head if head.seq or head.hash else LaneHead(0, genesis(algorithm, agent, batch.epoch, Lane.EVENTS.value))

    def hashed(previous: bytes, record: Record) -> tuple[bytes, bytes]:
        digest_ = record.digest(algorithm)
        return digest_, link(algorithm, previous, digest_)

    return _accept(start, batch.first_seq, batch.records, batch.gaps, hashed)


def accept_telemetry(algorithm: str, head: LaneHead, batch: TelemetryBatch) -> Accepted[bytes] | Rejected:
    """On this lane the hash at a number is the digest of that chunk alone."""

    def hashed(_previous: bytes, chunk: bytes) -> tuple[bytes, bytes]:
        digest_ = digest(algorithm, chunk)
        return digest_, digest_

    return _accept(head, batch.first_seq, batch.chunks, batch.gaps, hashed)


def cut(batch: EventBatch, rows_max: int) -> tuple[EventBatch, EventBatch | None]:
    """The first rows of a batch, and the rest of it as a batch, so that a transaction need not take all of it.

    One with gaps stays whole: where they lie is told by the numbers of the rows beside them.
    """
    assert rows_max > 0, "each step must take something"
    if batch.gaps or len(batch.records) <= rows_max:
        return batch, None
    first = replace(batch, records=batch.records[:rows_max])
    return first, replace(batch, first_seq=batch.first_seq + rows_max, records=batch.records[rows_max:])


def _accept(
    head: LaneHead, first_seq: int, payloads: Sequence[P], gaps: Sequence[DeclaredGap],
    hashed: Callable[[bytes, P], tuple[bytes, bytes]],
) -> Accepted[P] | Rejected:  # fmt: skip
    items = _in_order(first_seq, payloads, gaps)
    if isinstance(items, Rejected):
        return items
    rows: list[Row[P]] = []
    new_gaps: list[DeclaredGap] = []
    last, hash_, duplicates = head.seq, head.hash, 0
    for seq, item in items:
        if seq > last + 1:
            return Rejected(RefuseCode.OUT_OF_ORDER, f"{last + 1} is missing before {seq}")
        if isinstance(item, DeclaredGap):
            if item.last > last:
                new_gaps.append(DeclaredGap(last + 1, item.last, item.cause, item.hash_last))
                last, hash_ = item.last, item.hash_last or hash_
        elif seq <= last:
            duplicates += 1
        else:
            digest_, hash_ = hashed(hash_, item)
            rows.append(Row(seq, item, digest_, hash_))
            last = seq
    return Accepted(tuple(rows), tuple(new_gaps), LaneHead(last, hash_), duplicates)


def _in_order(
    first_seq: int, payloads: Sequence[P], gaps: Sequence[DeclaredGap]
) -> list[tuple[int, P | DeclaredGap]] | Rejected:
    """Rows numbered from ``first_seq`` on around the gaps, and the gaps, by number."""
    pending = sorted(gaps, key=lambda gap: gap.first)
    items: list[tuple[int, P | DeclaredGap]] = []
    seq, end = first_seq, 0
    for payload in payloads:
        while pending and pending[0].first <= seq:
            gap = pending.pop(0)
            items.append((gap.first, gap))
            seq = gap.last + 1 if gap.first == seq else seq
        items.append((seq, payload))
        seq += 1
    items += [(gap.first, gap) for gap in pending]
    for seq, item in items:
        last = item.last if isinstance(item, DeclaredGap) else seq
        if seq <= end or last < seq:
            return Rejected(RefuseCode.MALFORMED, f"rows and gaps overlap at {seq}")
        end = last
    return items
