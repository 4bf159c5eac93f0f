"""The timetable as properties: on the grid, nothing lost uncounted, nobody starved, and who gives way first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.clock import NS_PER_MS, NS_PER_S
from drivers.modbus.schedule import LOAD_TARGET, STRETCH_MAX, Due, Slot, Timetable, load, stretches

periods = st.lists(st.integers(1, 1000), min_size=1, max_size=5)
slots = st.lists(
    st.builds(Slot, st.integers(NS_PER_MS, 100 * NS_PER_S), st.integers(0, 10 * NS_PER_S), st.booleans()), max_size=8
)


def table_of(periods_ns, start=0):
    return Timetable([Slot(period_ns, 0) for period_ns in periods_ns], start)


def turn(table, duration=0, now=0):
    """Run the next turn; returns what was due and when it ended."""
    due = table.next()
    assert due is not None
    table.begin(due.group)
    end = max(now, due.mono_ns) + duration
    table.finish(due.group, end, None)
    return due, end


@given(periods, st.integers(0, 10**12), st.lists(st.integers(0, 3000), max_size=40))
def test_turns_stay_on_the_grid_and_each_is_run_or_counted(periods_ns, start, durations):
    table = table_of(periods_ns, start)
    now, run = start, [0] * len(periods_ns)
    firsts = [table._time_ns(group) for group in range(len(periods_ns))]
    assert all(start <= first < start + min(periods_ns) for first in firsts)
    for duration in durations:
        due, now = turn(table, duration, now)
        assert (due.mono_ns - firsts[due.group]) % periods_ns[due.group] == 0
        assert due.deadline_mono_ns - due.mono_ns == periods_ns[due.group]
        run[due.group] += 1
    for group, period_ns in enumerate(periods_ns):
        passed = (table._time_ns(group) - firsts[group]) // period_ns
        assert passed == run[group] + table.missed[group]


@given(periods)
def test_a_device_quick_enough_misses_nothing(periods_ns):
    table = table_of(periods_ns)
    for _ in range(50):
        turn(table)
    assert sum(table.missed) == 0


def test_lateness_does_not_move_the_turns_that_follow():
    table = table_of([1000])
    for late in (0, 7, 400, 999):
        turn(table, late)
    assert table.next() == Due(0, 4000, 5000)


@given(periods, st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3000)), max_size=30))
def test_a_turn_more_is_run_at_once_and_moves_no_other(periods_ns, hurries):
    table, plain = table_of(periods_ns), table_of(periods_ns)
    now = 0
    for group, ahead in hurries:
        now += ahead
        while (due := table.next()) is not None and due.mono_ns <= now:
            turn(table)
        while (due := plain.next()) is not None and due.mono_ns <= now:
            turn(plain)
        table.hurry(group % len(periods_ns), now)
        due, _ = turn(table, now=now)
        assert (due.group, due.mono_ns) == (group % len(periods_ns), now)
    grid = [table._time_ns(group) for group in range(len(periods_ns))]
    assert grid == [plain._time_ns(group) for group in range(len(periods_ns))]
    assert table.missed == plain.missed


def test_of_the_turns_passed_only_the_latest_is_run():
    table = table_of([1000])
    turn(table, 3_500)
    assert (table.next(), table.missed) == (Due(0, 3000, 4000), [2])


def test_groups_start_staggered_with_room_for_each_other():
    table = Timetable([Slot(1000, 100), Slot(2000, 300)], 50)
    assert [turn(table)[0].mono_ns for _ in range(3)] == [50, 300, 1050]


def test_a_group_at_its_turn_is_not_due_again():
    table = table_of([100, 1000])
    table.begin(0)
    assert table.next() == Due(1, 50, 1050)
    table.begin(1)
    assert table.next() is None
    table.finish(0, 220, None)
    assert table.next() == Due(0, 200, 300)


def test_a_slow_group_does_not_starve_the_other():
    table = table_of([100, 100])
    now, run = 0, [0, 0]
    for _ in range(100):
        due, now = turn(table, 250, now)
        run[due.group] += 1
    assert run == [50, 50]


# -- too slow ------------------------------------------------------------------------------------------------------------


def stretched(slots, factors):
    return [Slot(round(s.period_ns * f), s.busy_ns, s.safety) for s, f in zip(slots, factors, strict=True)]


@given(slots)
def test_stretching_brings_the_load_down_as_far_as_it_may(slots):
    factors = stretches(slots)
    assert all(1 <= factor <= STRETCH_MAX for factor in factors)
    if load(slots) <= 1:
        assert set(factors) <= {1.0}
    else:
        loaded = [factor for slot, factor in zip(slots, factors, strict=True) if slot.busy_ns]
        assert load(stretched(slots, factors)) <= LOAD_TARGET + 1e-6 or set(loaded) == {STRETCH_MAX}


@given(slots)
def test_safety_gives_way_last_and_the_slowest_first(slots):
    factors = stretches(slots)
    for one, mine in zip(slots, factors, strict=True):
        for other, theirs in zip(slots, factors, strict=True):
            gives_way_first = (other.safety, -other.period_ns) < (one.safety, -one.period_ns)
            if mine > 1 and gives_way_first and other.busy_ns:
                assert theirs == STRETCH_MAX


def drive(table, busy_ns, seconds):
    """A connection on which a turn of group i takes ``busy_ns[i]``; the number of turns of each in that time."""
    now, run = 0, [0] * len(busy_ns)
    while now < seconds * NS_PER_S:
        due = table.next()
        table.begin(due.group)
        now = max(now, due.mono_ns) + busy_ns[due.group]
        run[due.group] += 1
        table.finish(due.group, now, busy_ns[due.group])
    return run


def test_a_connection_slower_than_thought_keeps_safety_at_its_rate_and_says_how_much_others_lost():
    fast = Slot(NS_PER_S, 100 * NS_PER_MS, safety=True)
    slow = Slot(2 * NS_PER_S, 100 * NS_PER_MS)
    table = Timetable([fast, slow], 0)
    run = drive(table, [600 * NS_PER_MS, 1200 * NS_PER_MS], 200)
    assert table.stretch(0) == 1.0
    assert table.stretch(1) == 2.0
    assert table.load == pytest.approx(1.2, abs=0.01)
    assert run[0] >= 190
    assert sum(table.missed) <= 12, "after the first reviews nothing is lost any more"


def test_the_rate_comes_back_with_the_speed():
    table = Timetable([Slot(NS_PER_S, 0, safety=True), Slot(2 * NS_PER_S, 0)], 0)
    drive(table, [600 * NS_PER_MS, 1200 * NS_PER_MS], 100)
    assert table.stretch(1) > 1
    for _ in range(300):
        due = table.next()
        assert due is not None
        table.begin(due.group)
        table.finish(due.group, due.mono_ns + NS_PER_MS, NS_PER_MS)
    assert table.stretch(1) == 1.0
