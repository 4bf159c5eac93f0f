"""The first of many is told, the rest counted, and a flood of different ones stays bounded."""

from __future__ import annotations

from aggregator.journal.repeats import KEYS_MAX, OTHER, Repeats


def test_the_first_is_due_and_the_next_after_the_period_with_the_count():
    repeats = Repeats(period_ns=10)
    assert [repeats.due("a", now) for now in (0, 1, 9, 10, 11)] == [1, None, None, 3, None]


def test_what_was_held_back_is_left_over_when_nothing_follows():
    repeats = Repeats(period_ns=10)
    for now in (0, 1, 2):
        repeats.due("a", now)
    repeats.due("b", 3)
    assert repeats.leftover(9) == []
    assert repeats.leftover(20) == [("a", 2)]
    assert repeats.leftover(20) == []


def test_beyond_the_bound_different_keys_share_one():
    repeats = Repeats(period_ns=10)
    due = [repeats.due(f"key {number}", 0) for number in range(KEYS_MAX + 50)]
    assert due.count(1) == KEYS_MAX + 1
    assert repeats.leftover(10) == [(OTHER, 49)]
