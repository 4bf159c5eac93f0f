"""LL, L, H and HH: set-points, deadband, delays, and what quality may do to them."""

from __future__ import annotations

import math

import pytest

from contract.quality import Quality


def test_a_level_turns_on_at_its_limit_at_that_very_row(bench) -> None:
    b = bench(h=10.0)
    assert b.sample(1, 9.999) == []
    assert b.sample(2, 10.0) == [("high", 0, 1)]
    assert b.sample(3, 12.0) == []


def test_deadband_is_taken_off_the_return_side_only(bench) -> None:
    b = bench(h=10.0, deadband=2.0)
    assert b.sample(1, 9.0) == []
    assert b.sample(2, 10.0) == [("high", 0, 1)]
    assert b.sample(3, 8.0) == []
    assert b.sample(4, 7.999) == [("high", 1, 0)]


def test_low_mirrors_high(bench) -> None:
    b = bench(l=10.0, ll=5.0, deadband=2.0)
    assert b.sample(1, 10.0) == [("low", 0, 1)]
    assert b.sample(2, 5.0) == [("low", 1, 2)]
    assert b.sample(3, 7.0) == []
    assert b.sample(4, 7.001) == [("low", 2, 1)]
    assert b.sample(5, 12.0) == []
    assert b.sample(6, 12.001) == [("low", 1, 0)]


def test_from_high_high_to_low_low_both_kinds_change_at_one_row(bench) -> None:
    b = bench(ll=0.0, l=1.0, h=10.0, hh=20.0)
    assert b.sample(1, 25.0) == [("high", 0, 2)]
    assert b.sample(2, -1.0) == [("high", 2, 0), ("low", 0, 2)]


def test_level_2_is_not_delayed_by_the_delay_of_level_1(bench) -> None:
    b = bench(h=10.0, hh=20.0, on_delay_s=5.0)
    assert b.sample(1, 25.0) == [("high", 0, 2)]


def test_falling_back_from_level_2_never_returns_to_normal_above_level_1(bench) -> None:
    b = bench(h=10.0, hh=20.0, on_delay_s=60.0)
    assert b.sample(1, 25.0) == [("high", 0, 2)]
    assert b.sample(2, 15.0) == [("high", 2, 1)]
    assert b.sample(3, 9.0) == [("high", 1, 0)]


def test_level_2_alone_works_without_a_limit_of_level_1(bench) -> None:
    b = bench(hh=20.0, deadband=1.0)
    assert b.sample(1, 20.0) == [("high", 0, 2)]
    assert b.sample(2, 19.0) == []
    assert b.sample(3, 18.0) == [("high", 2, 0)]
    assert b.transitions[-1].setpoint == 20.0


def test_on_delay_runs_out_at_a_tick_without_a_sample(bench) -> None:
    b = bench(h=10.0, on_delay_s=3.0)
    assert b.sample(1, 11.0) == []
    assert b.tick(3.999) == []
    assert b.tick(4) == [("high", 0, 1)]


def test_on_delay_counts_continuous_time_only(bench) -> None:
    b = bench(h=10.0, on_delay_s=3.0)
    assert b.sample(1, 11.0) == []
    assert b.sample(3, 9.0) == []
    assert b.sample(4, 11.0) == []
    assert b.sample(6.9, 11.0) == []
    assert b.sample(7, 11.0) == [("high", 0, 1)]


def test_the_row_that_no_longer_wants_a_level_does_not_raise_it(bench) -> None:
    b = bench(h=10.0, on_delay_s=3.0)
    assert b.sample(1, 11.0) == []
    assert b.sample(9, 5.0) == []


def test_off_delay_holds_the_level_and_starts_anew_after_a_return(bench) -> None:
    b = bench(h=10.0, off_delay_s=3.0)
    b.sample(1, 11.0)
    assert b.sample(2, 5.0) == []
    assert b.sample(4, 11.0) == []
    assert b.sample(5, 5.0) == []
    assert b.tick(7.9) == []
    assert b.tick(8) == [("high", 1, 0)]


def test_level_2_has_an_on_delay_of_its_own(bench) -> None:
    b = bench(h=10.0, hh=20.0, on_delay_s=1.0, on_delay_2_s=4.0)
    assert b.sample(0, 25.0) == []
    assert b.tick(1) == [("high", 0, 1)]
    assert b.tick(3.9) == []
    assert b.tick(4) == [("high", 1, 2)]


def test_bad_holds_levels(bench) -> None:
    b = bench(h=10.0)
    b.sample(1, 11.0)
    assert b.bad(2) == []
    assert b.tick(100) == []
    assert b.level("high") == 1
    assert b.sample(101, 5.0) == [("high", 1, 0)]


def test_bad_pauses_the_on_timer_which_neither_grows_nor_is_lost(bench) -> None:
    b = bench(h=10.0, on_delay_s=3.0)
    b.sample(0, 11.0)
    assert b.bad(2) == []
    assert b.bad(50) == []
    assert b.sample(60, 11.0) == []
    assert b.tick(60.9) == []
    assert b.tick(61) == [("high", 0, 1)]


def test_bad_raises_nothing_even_when_the_delay_has_passed(bench) -> None:
    b = bench(h=10.0, on_delay_s=3.0)
    b.sample(0, 11.0)
    assert b.bad(5) == []
    assert b.sample(6, 11.0) == [("high", 0, 1)]


def test_bad_pauses_the_off_timer(bench) -> None:
    b = bench(h=10.0, off_delay_s=3.0)
    b.sample(0, 11.0)
    b.sample(1, 5.0)
    b.bad(3)
    assert b.sample(50, 5.0) == []
    assert b.tick(51) == [("high", 1, 0)]


def test_uncertain_may_raise(bench) -> None:
    b = bench(h=10.0, hh=20.0, on_delay_2_s=2.0)
    assert b.sample(1, 25.0, Quality.UNCERTAIN) == [("high", 0, 1)]
    assert b.tick(3) == [("high", 1, 2)]


def test_uncertain_never_clears_and_its_time_does_not_count_towards_clearing(bench) -> None:
    b = bench(h=10.0, off_delay_s=3.0)
    b.sample(0, 11.0)
    b.sample(1, 5.0)
    assert b.sample(2, 5.0, Quality.UNCERTAIN_CALIBRATION) == []
    assert b.tick(100) == []
    assert b.sample(101, 5.0) == []
    assert b.tick(102.9) == []
    assert b.tick(103) == [("high", 1, 0)]


def test_uncertain_never_clears_without_an_off_delay(bench) -> None:
    b = bench(h=10.0, hh=20.0)
    b.sample(0, 25.0)
    assert b.sample(1, 5.0, Quality.UNCERTAIN) == []
    assert b.sample(2, 5.0) == [("high", 2, 0)]


def test_time_that_goes_back_counts_as_none_and_is_not_counted_twice(bench) -> None:
    b = bench(h=10.0, on_delay_s=3.0)
    b.sample(10, 11.0)
    assert b.sample(5, 11.0) == []
    assert b.sample(12.9, 11.0) == []
    assert b.tick(13) == [("high", 0, 1)]


def test_a_gap_between_samples_counts_as_the_last_value_held(bench) -> None:
    b = bench(h=10.0, on_delay_s=30.0)
    b.sample(0, 11.0)
    assert b.sample(30, 11.0) == [("high", 0, 1)]


def test_delays_are_exact_to_the_nanosecond_far_from_zero(bench) -> None:
    start_s = 9_000_000
    b = bench(h=10.0, on_delay_s=0.1, start_s=start_s)
    b.engine.tick(0, start_s * 10**9)
    b.sample(start_s, 11.0)
    assert b.engine.tick(0, start_s * 10**9 + 99_999_999) == []
    assert len(b.engine.tick(0, start_s * 10**9 + 100_000_000)) == 1


def test_a_transition_says_why_in_numbers(bench) -> None:
    b = bench(h=10.0, hh=20.0, deadband=1.0, on_delay_s=2.0)
    b.sample(1, 11.0)
    b.tick(4)
    b.sample(5, 21.0)
    b.sample(6, 15.0)
    b.sample(7, 3.0)
    assert [(t.new_level, t.setpoint, t.elapsed_ns) for t in b.transitions] == [
        (1, 10.0, 3_000_000_000), (2, 20.0, 0), (1, 20.0, 0), (0, 10.0, 0),
    ]  # fmt: skip
    first = b.transitions[0]
    assert (first.point, first.mono_ns, first.time_ns) == (2, 4_000_000_000, 4_000_000_007)
    assert (first.value, first.quality) == (11.0, Quality.GOOD)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_clears_and_raises_nothing(bench, value) -> None:
    b = bench(l=0.0, h=10.0)
    b.sample(1, 11.0)
    assert b.sample(2, value) == []
    assert b.quality() == Quality.BAD_SENSOR_FAILURE
    assert b.level("high") == 1


def test_without_limits_no_value_is_a_condition(bench) -> None:
    b = bench()
    assert [b.sample(t, value) for t, value in enumerate((0.0, 1e308, -1e308))] == [[], [], []]
