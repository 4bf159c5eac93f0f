"""Changes of a marker are matched with the events that report them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil_tests.journal_lines import JournalEvent
from hil_tests.latency import Marker, changes, percentile
from hil_tests.rig.ledger import LedgerRow, RowKind
from hil_tests.rig.registers import Table

MARKER = Marker("store", "XM-101", "plc", "beat", Table.INPUT, 7)
MS = 1_000_000


def mark(ms: int, number: int, name: str = "beat") -> LedgerRow:
    return LedgerRow(ms * MS, RowKind.MARKER, name=name, number=number)


def served(ms: int, *words: int, address: int = 6) -> LedgerRow:
    return LedgerRow(ms * MS, RowKind.SERVED, Table.INPUT, address, len(words), words)


def event(ms: int, level: int, seq: int, tag: str = "XM-101", agent: str = "store") -> JournalEvent:
    return JournalEvent(agent, "e", seq, "condition_on" if level else "condition_off", ms * MS, tag, "high", level)


def test_a_change_is_timed_from_the_device_and_from_the_reply_at_the_agent_to_the_commit() -> None:
    rows = [served(100, 0, 0), mark(1000, 1), served(1300, 0, 1), served(1500, 0, 1), mark(2000, 0), served(2010, 0, 0)]
    events = [event(1301, 1, 1), event(2011, 0, 2)]
    commits = {("store", "e", 1): 1310 * MS, ("store", "e", 2): 2015 * MS}
    found = changes(MARKER, rows, events, commits)
    assert [(each.latency_ms, each.software_latency_ms) for each in found] == [(310, 9), (15, 4)]


def test_changes_before_the_agent_began_to_read_do_not_count() -> None:
    rows = [mark(1000, 1), served(1300, 0, 1), mark(2000, 0), served(2100, 0, 0)]
    found = changes(MARKER, rows, [event(1301, 1, 1)], {("store", "e", 1): 1310 * MS})
    assert [each.changed_ns for each in found] == [2000 * MS]


def test_a_change_after_the_last_read_was_seen_by_nobody_and_does_not_count() -> None:
    rows = [served(900, 0, 0), mark(1000, 1), served(1300, 0, 1), mark(2000, 0)]
    assert [each.changed_ns for each in changes(MARKER, rows, [], {})] == [1000 * MS]


@pytest.mark.parametrize(
    "events",
    [
        [],
        [event(1301, 0, 1)],
        [event(2001, 1, 1)],
        [event(1301, 1, 1, tag="AT-103")],
        [event(1301, 1, 1, agent="other")],
        [event(1301, 1, 99)],
    ],
    ids=["none", "wrong state", "after the next change", "another tag", "another agent", "never committed"],
)
def test_an_event_that_does_not_report_the_change_is_not_taken_for_it(events: list[JournalEvent]) -> None:
    rows = [served(900, 0, 0), mark(1000, 1), mark(1200, 1, "other"), served(1300, 0, 1), mark(2000, 0)]
    (first,) = changes(MARKER, rows, events, {("store", "e", 1): 1310 * MS})
    assert (first.changed_ns, first.committed_ns) == (1000 * MS, None)
    assert (first.latency_ms, first.software_latency_ms) == (None, None)


def test_a_device_that_nobody_read_has_no_changes() -> None:
    assert changes(MARKER, [mark(1000, 1), served(1100, 1, address=70)], [], {}) == []


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([50.0, 99.0]))
def test_a_percentile_is_one_of_the_numbers_and_covers_its_share(numbers: list[float], percent: float) -> None:
    found = percentile(numbers, percent)
    assert found in numbers
    assert found is not None
    assert sum(each <= found for each in numbers) >= len(numbers) * percent / 100


def test_there_is_no_percentile_of_nothing() -> None:
    assert percentile([], 50) is None
    assert percentile([3, 1, 2], 50) == 2
