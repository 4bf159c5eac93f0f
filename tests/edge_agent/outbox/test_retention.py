"""Who goes first when space is needed, who never goes, and how what is gone is told."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from contract.events import EventType
from contract.ids import Lane
from contract.wire.frames import GAPS_PER_BATCH_MAX
from contract.wire.session import last_seq
from edge_agent.outbox.gaps import RUNS_PER_EVENT_MAX, Gap, GapCause, assemble, gap_data, join
from edge_agent.outbox.retention import (
    Rank,
    StoredRow,
    acknowledged_by_all,
    excess,
    expired,
    oldest,
    rank_of,
    runs_of,
    sacrifice,
)
from edge_agent.outbox.rows import Destination

stored = st.builds(StoredRow, st.integers(1, 200), st.integers(1, 1000), st.sampled_from(list(Rank)), st.integers(0, 9))
distinct = st.lists(stored, max_size=60, unique_by=lambda row: row.seq)


@given(distinct, st.integers(0, 20_000))
def test_lower_classes_go_first_and_safety_never(rows, need) -> None:
    runs = sacrifice(rows, need, 10_000)
    gone = {seq for first, last in runs for seq in range(first, last + 1)}
    by_seq = {row.seq: row for row in rows}
    assert gone <= set(by_seq)
    assert all(by_seq[seq].rank < Rank.SAFETY for seq in gone)
    kept = [row for row in rows if row.seq not in gone and row.rank < Rank.SAFETY]
    for seq in gone:
        assert all((by_seq[seq].rank, seq) < (row.rank, row.seq) for row in kept)
    freed = sum(by_seq[seq].size_bytes for seq in gone)
    assert freed >= need or not kept
    if gone:  # not one more than needed
        last = max(gone, key=lambda seq: (by_seq[seq].rank, seq))
        assert freed - by_seq[last].size_bytes < need


@given(distinct, st.integers(1, 5))
def test_the_number_of_runs_is_bounded_and_never_touches_a_higher_class_early(rows, runs_max) -> None:
    runs = sacrifice(rows, 10**9, runs_max)
    gone = {seq for first, last in runs for seq in range(first, last + 1)}
    ranks = {row.seq: row.rank for row in rows}
    assert len(runs) <= runs_max
    left = [row.rank for row in rows if row.seq not in gone and row.rank < Rank.SAFETY]
    assert all(ranks[seq] <= min(left, default=Rank.SAFETY) for seq in gone)


@given(distinct, st.integers(0, 200), st.integers(0, 10))
def test_only_acknowledged_rows_expire_and_only_from_the_front(rows, acknowledged, before) -> None:
    rows = sorted(rows, key=lambda row: row.seq)
    last = expired(rows, acknowledged, before)
    for row in rows:
        if row.seq <= last:
            assert row.seq <= acknowledged
            assert row.written_ns < before
    following = next((row for row in rows if row.seq > last), None)
    assert following is None or following.seq > acknowledged or following.written_ns >= before


@given(distinct, st.integers(0, 20_000))
def test_the_oldest_go_until_there_is_room(rows, need) -> None:
    rows = sorted(rows, key=lambda row: row.seq)
    gone = [row for row in rows if row.seq <= oldest(rows, need)]
    freed = sum(row.size_bytes for row in gone)
    assert freed >= need or len(gone) == len(rows)
    assert not gone or freed - gone[-1].size_bytes < need


def test_what_every_mandatory_destination_has_is_owed_to_nobody() -> None:
    plant, park, mirror = Destination("plant"), Destination("park"), Destination("mirror", mandatory=False)
    cursors = {"plant": 9, "park": 4, "mirror": 1}
    assert acknowledged_by_all([plant, park, mirror], cursors) == 4
    assert acknowledged_by_all([plant, mirror], cursors) == 9
    assert acknowledged_by_all([mirror], cursors) == 1
    assert acknowledged_by_all([plant, Destination("new")], cursors) == 0
    assert acknowledged_by_all([], cursors) == 0


def test_space_is_made_before_the_budget_is_reached() -> None:
    assert excess(1500, 1600) == 0
    assert excess(1501, 1600) == 101


def test_records_of_what_is_missing_outlive_everything() -> None:
    assert rank_of(EventType.GAP, None) > Rank.SAFETY
    assert rank_of(EventType.CHECKPOINT, None) == Rank.SYSTEM


@given(st.sets(st.integers(1, 80)))
def test_runs_cover_exactly_the_numbers_and_do_not_touch(numbers) -> None:
    runs = runs_of(numbers)
    assert sorted(numbers) == [seq for first, last in runs for seq in range(first, last + 1)]
    assert all(left[1] + 1 < right[0] for left, right in itertools.pairwise(runs))


# -- gaps --------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 60), st.sampled_from([GapCause.FREED, GapCause.EVICTED])), max_size=40))
def test_joined_gaps_cover_what_went_and_name_the_hashes_at_their_edges(numbers) -> None:
    gaps: list[Gap] = []
    covered: set[int] = set()
    for seq, cause in numbers:
        if seq in covered:
            continue
        covered.add(seq)
        gaps = join(gaps, Gap(seq, seq, cause, b"%d" % (seq - 1), b"%d" % seq))
    assert sorted(covered) == [seq for gap in gaps for seq in range(gap.first, gap.last + 1)]
    for gap in gaps:
        assert (gap.hash_before, gap.hash_last) == (b"%d" % (gap.first - 1), b"%d" % gap.last)
    for left, right in itertools.pairwise(gaps):
        assert left.last + 1 < right.first or left.cause is not right.cause


@given(st.sets(st.integers(1, 60)), st.integers(1, 60), st.integers(0, 60), st.integers(1, 20))
def test_rows_and_gaps_account_for_every_number_as_the_session_counts_them(missing, head, after, rows_max) -> None:
    present = [seq for seq in range(1, head + 1) if seq not in missing]
    gaps = [Gap(first, last, GapCause.EVICTED) for first, last in runs_of(seq for seq in missing if seq <= head)]
    asked = [seq for seq in present if seq > after][:rows_max]
    taken, declared = assemble(after, asked, lambda seq: seq, gaps)
    accounted = sorted([*taken, *(seq for gap in declared for seq in range(gap.first, gap.last + 1))])
    assert accounted == list(range(after + 1, after + 1 + len(accounted)))
    assert taken == asked
    if after < head:
        assert accounted
    assert last_seq(after + 1, len(taken), declared) == after + len(accounted)


def test_a_batch_names_a_bounded_number_of_gaps() -> None:
    rows = list(range(2, 400, 2))
    gaps = [Gap(seq, seq, GapCause.EVICTED) for seq in range(1, 400, 2)]
    taken, declared = assemble(0, rows, lambda seq: seq, gaps)
    assert len(declared) == GAPS_PER_BATCH_MAX
    assert len(taken) == GAPS_PER_BATCH_MAX


def test_nothing_is_told_behind_an_unexplained_hole() -> None:
    assert assemble(0, [1, 2, 4], lambda seq: seq, []) == ([1, 2], [])


def test_the_largest_gap_event_can_be_encoded() -> None:
    from contract.events import EVENT_BYTES_MAX, canonical

    run = Gap(2**62, 2**62 + 5, GapCause.UNCLEAN_STOP, b"x" * 32, b"y" * 32)
    data = gap_data(Lane.TELEMETRY, run.cause, [run] * RUNS_PER_EVENT_MAX)
    assert len(canonical(data)) < EVENT_BYTES_MAX - 4096
