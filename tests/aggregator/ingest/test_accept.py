"""Numbers decide: however batches are cut, doubled or shuffled, each number ends up exactly once, in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.ingest.accept import Accepted, Rejected, Row, accept_events, accept_telemetry, cut
from contract.chain import Record, digest, genesis, link
from contract.ids import Epoch, Lane
from contract.wire.frames import DeclaredGap, EventBatch, LaneHead, RefuseCode, TelemetryBatch
from contract.wire.session import last_seq

EPOCH = Epoch("e" * 32)
NONE = LaneHead(0, b"")


def record(seq: int) -> Record:
    return Record(b'{"seq":%d}' % seq)


def hashes(count: int) -> list[bytes]:
    chain = [genesis("sha256", "gate", EPOCH, Lane.EVENTS.value)]
    for seq in range(1, count + 1):
        chain.append(link("sha256", chain[-1], record(seq).digest("sha256")))
    return chain


CHAIN = hashes(40)


def batch(items: list[int | tuple[int, int]]) -> EventBatch:
    """``items`` are numbers of rows, and (first, last) of gaps, in order."""
    gaps = tuple(DeclaredGap(each[0], each[1], "evicted", CHAIN[each[1]]) for each in items if isinstance(each, tuple))
    rows = [each for each in items if isinstance(each, int)]
    first = items[0] if isinstance(items[0], int) else items[0][0]
    return EventBatch(EPOCH, first, gaps, tuple(record(seq) for seq in rows))


def accept(head: LaneHead, items: list[int | tuple[int, int]]) -> Accepted[Record] | Rejected:
    return accept_events("sha256", "gate", head, batch(items))


@st.composite
def stores(draw: st.DrawFn) -> list[int | tuple[int, int]]:
    """What an agent has: rows, and runs that were evicted."""
    items: list[int | tuple[int, int]] = []
    seq = 1
    while seq <= 30:
        evicted = draw(st.integers(0, 4)) if draw(st.booleans()) else 0
        last = min(30, seq + evicted - 1)
        items.append((seq, last) if evicted else seq)
        seq = max(seq, last) + 1
    return items


@given(store=stores(), data=st.data())
def test_any_cutting_doubling_and_shuffling_gives_each_number_once_and_in_order(store, data):
    cuts = st.tuples(st.integers(0, len(store) - 1), st.integers(1, 8)).map(lambda cut: store[cut[0] : sum(cut)])
    tries = data.draw(st.lists(cuts, max_size=30))
    in_order = [store[at : at + 5] for at in range(0, len(store), 5)]
    head = NONE
    got: list[Row[Record]] = []
    gaps: list[DeclaredGap] = []
    for items in tries + in_order:
        verdict = accept(head, items)
        if isinstance(verdict, Rejected):
            assert verdict.code is RefuseCode.OUT_OF_ORDER
            continue
        got += verdict.rows
        gaps += verdict.gaps
        head = verdict.head
    assert [row.seq for row in got] == [each for each in store if isinstance(each, int)]
    assert [(gap.first, gap.last) for gap in gaps] == [each for each in store if isinstance(each, tuple)]
    assert [row.hash for row in got] == [CHAIN[row.seq] for row in got]
    assert head == LaneHead(30, CHAIN[30])


@given(store=stores(), start=st.integers(0, 29), count=st.integers(1, 12))
def test_the_head_behind_a_batch_is_the_number_that_its_sender_waits_for(store, start, count):
    items = store[start : start + count]
    if not items:
        return
    first = items[0] if isinstance(items[0], int) else items[0][0]
    sent = batch(items)
    verdict = accept(LaneHead(first - 1, CHAIN[first - 1]), items)
    assert isinstance(verdict, Accepted)
    assert verdict.head.seq == last_seq(sent.first_seq, len(sent.records), sent.gaps)


def test_a_gap_before_the_first_row_counts_from_the_head():
    sent = EventBatch(EPOCH, 6, (DeclaredGap(3, 5, "evicted", CHAIN[5]),), (record(6),))
    verdict = accept_events("sha256", "gate", LaneHead(2, CHAIN[2]), sent)
    assert isinstance(verdict, Accepted)
    assert verdict.head == LaneHead(6, CHAIN[6])


def test_of_a_gap_that_reaches_back_only_the_new_part_is_taken():
    verdict = accept(LaneHead(3, CHAIN[3]), [(2, 5), 6])
    assert isinstance(verdict, Accepted)
    assert [(gap.first, gap.last) for gap in verdict.gaps] == [(4, 5)]


@pytest.mark.parametrize("items", [[(2, 4), 5], [3], [1, (3, 4)]])
def test_a_hole_is_out_of_order(items):
    verdict = accept(NONE, items)
    assert isinstance(verdict, Rejected)
    assert verdict.code is RefuseCode.OUT_OF_ORDER


@pytest.mark.parametrize(
    "gaps",
    [
        (DeclaredGap(4, 2, "x", b""),),
        (DeclaredGap(1, 3, "x", b""), DeclaredGap(2, 5, "x", b"")),
        (DeclaredGap(0 + 1, 9, "x", b""),),
    ],
    ids=["backwards", "overlapping", "over its own rows"],
)
def test_gaps_that_make_no_sense_are_malformed(gaps):
    verdict = accept_events("sha256", "gate", NONE, EventBatch(EPOCH, 3, gaps, (record(1),)))
    assert isinstance(verdict, Rejected)
    assert verdict.code is RefuseCode.MALFORMED


def test_a_gap_without_a_hash_leaves_the_chain_where_it_was():
    sent = EventBatch(EPOCH, 1, (DeclaredGap(2, 3, "reserved", b""),), (record(1), record(4)))
    verdict = accept_events("sha256", "gate", NONE, sent)
    assert isinstance(verdict, Accepted)
    assert verdict.rows[1].hash == link("sha256", CHAIN[1], record(4).digest("sha256"))


def test_chunks_stand_for_themselves():
    verdict = accept_telemetry("sha256", NONE, TelemetryBatch(EPOCH, 1, (), (b"one", b"two")))
    assert isinstance(verdict, Accepted)
    assert verdict.head == LaneHead(2, digest("sha256", b"two"))


@given(store=st.integers(1, 30).map(lambda count: list(range(1, count + 1))) | stores(), rows_max=st.integers(1, 12))
def test_a_batch_taken_in_parts_is_the_whole_batch(store, rows_max):
    expected, head = accept(NONE, store), NONE
    rows: tuple[Row[Record], ...] = ()
    gaps: tuple[DeclaredGap, ...] = ()
    rest: EventBatch | None = batch(store)
    while rest is not None:
        part, rest = cut(rest, rows_max)
        assert len(part.records) <= rows_max or part.gaps
        taken = accept_events("sha256", "gate", head, part)
        assert isinstance(taken, Accepted)
        head, rows, gaps = taken.head, rows + taken.rows, gaps + taken.gaps
    assert isinstance(expected, Accepted)
    assert (head, rows, gaps) == (expected.head, expected.rows, expected.gaps)
