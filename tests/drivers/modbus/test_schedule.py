"""The timetable as properties: on the grid, nothing lost uncounted, nobody starved."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.schedule import Due, Timetable

periods = st.lists(st.integers(1, 1000), min_size=1, max_size=5)


@given(periods, st.integers(0, 10**12), st.lists(st.integers(0, 3000), max_size=40))
def test_turns_stay_on_the_grid_and_each_is_run_or_counted(periods_ns, start, durations):
    table = Timetable(periods_ns, start)
    now, run = start, [0] * len(periods_ns)
    step = min(periods_ns) // len(periods_ns)
    for duration in durations:
        due = table.next()
        first = start + due.group * step
        assert (due.mono_ns - first) % periods_ns[due.group] == 0
        now = max(now, due.mono_ns) + duration
        assert now - due.mono_ns >= 0
        run[due.group] += 1
        table.finish(due.group, now)
    passed = sum(
        (following.mono_ns - start - g * step) // periods_ns[g]
        for g, following in ((g, Due(g, table._time_ns(g))) for g in range(len(periods_ns)))
    )
    assert passed == sum(run) + table.missed


@given(periods)
def test_a_device_quick_enough_misses_nothing(periods_ns):
    table = Timetable(periods_ns, 0)
    for _ in range(50):
        due = table.next()
        table.finish(due.group, due.mono_ns)
    assert table.missed == 0


def test_lateness_does_not_move_the_turns_that_follow():
    table = Timetable([1000], 0)
    for late in (0, 7, 400, 999):
        due = table.next()
        table.finish(0, due.mono_ns + late)
    assert table.next() == Due(0, 4000)


def test_of_the_turns_passed_only_the_latest_is_run():
    table = Timetable([1000], 0)
    table.finish(0, 3_500)
    assert (table.next(), table.missed) == (Due(0, 3000), 2)


def test_groups_start_staggered():
    table = Timetable([1000, 2000], 50)
    dues = []
    for _ in range(3):
        due = table.next()
        dues.append(due)
        table.finish(due.group, due.mono_ns)
    assert dues == [Due(0, 50), Due(1, 550), Due(0, 1050)]


def test_a_slow_group_does_not_starve_the_other():
    table = Timetable([100, 100], 0)
    now, run = 0, [0, 0]
    for _ in range(100):
        due = table.next()
        now = max(now, due.mono_ns) + 250
        run[due.group] += 1
        table.finish(due.group, now)
    assert run == [50, 50]
