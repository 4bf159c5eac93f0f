"""Effective quality, staleness, and the fault of a point and of its device."""

from __future__ import annotations

import math

import pytest

from contract.quality import Quality


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("quality", [Quality.GOOD, Quality.UNCERTAIN])
def test_no_number_is_a_sensor_failure(bench, value, quality) -> None:
    b = bench()
    b.sample(1, value, quality)
    assert b.quality() == Quality.BAD_SENSOR_FAILURE


def test_bad_quality_is_kept_as_given(bench) -> None:
    b = bench(range_high=10.0)
    b.sample(1, 50.0, Quality.BAD_CONFIG)
    assert b.quality() == Quality.BAD_CONFIG


@pytest.mark.parametrize(("value", "quality"), [
    (0.0, Quality.GOOD), (100.0, Quality.GOOD),
    (-0.1, Quality.UNCERTAIN_OUT_OF_RANGE), (100.1, Quality.UNCERTAIN_OUT_OF_RANGE),
])  # fmt: skip
def test_outside_the_range_good_turns_uncertain(bench, value, quality) -> None:
    b = bench(range_low=0.0, range_high=100.0)
    b.sample(1, value)
    assert b.quality() == quality
    b.sample(2, value, Quality.UNCERTAIN_MAINTENANCE)
    assert b.quality() == Quality.UNCERTAIN_MAINTENANCE


def test_a_value_over_the_range_raises_and_the_fall_back_under_it_does_not_clear(bench) -> None:
    b = bench(h=25.0, range_low=0.0, range_high=100.0)
    assert b.sample(1, 130.0) == [("high", 0, 1)]
    assert b.sample(2, -5.0) == []


def test_a_value_turns_stale_after_longer_than_allowed_and_is_not_shown(bench) -> None:
    b = bench(stale_s=2.5)
    b.sample(1, 7.0)
    b.tick(3.5)
    assert (b.quality(), b.value()) == (Quality.GOOD, 7.0)
    b.tick(3.6)
    assert b.quality() == Quality.BAD_STALE
    assert math.isnan(b.value())
    b.sample(4, 8.0)
    assert (b.quality(), b.value()) == (Quality.GOOD, 8.0)


def test_a_stale_value_holds_its_conditions_and_stops_their_timers(bench) -> None:
    b = bench(h=10.0, off_delay_s=5.0, stale_s=2.0)
    b.sample(0, 11.0)
    b.sample(1, 5.0)
    assert [b.tick(t) for t in range(2, 60)] == [[]] * 58
    assert b.level("high") == 1


def test_repeats_confirm_a_value(bench) -> None:
    b = bench(stale_s=2.5)
    for t in range(10):
        b.sample(t, 7.0)
        b.tick(t + 0.5)
    assert b.quality() == Quality.GOOD


def test_no_answer_confirms_nothing_but_keeps_its_own_reason(bench) -> None:
    b = bench(stale_s=2.5)
    b.sample(0, 7.0)
    b.bad(2)
    b.tick(3)
    assert b.quality() == Quality.BAD_COMM_FAILURE
    assert b.engine.scanned_mono_ns().max() == 0


def test_a_broken_sensor_that_falls_silent_turns_stale(bench) -> None:
    b = bench(stale_s=2.5)
    b.bad(1, Quality.BAD_SENSOR_FAILURE)
    b.tick(4)
    assert b.quality() == Quality.BAD_STALE


def test_never_read_stays_so_until_the_first_sample(bench) -> None:
    b = bench(stale_s=2.5)
    b.tick(100)
    assert b.quality() == Quality.BAD_NEVER_READ
    assert math.isnan(b.value())
    b.sample(101, 1.0)
    assert b.quality() == Quality.GOOD


def test_a_fault_is_raised_after_its_delay_and_says_no_value(bench) -> None:
    b = bench(fault_on_delay_s=2.0)
    b.sample(0, 5.0, point=1)
    b.sample(0, 5.0)
    assert b.bad(1, Quality.BAD_SENSOR_FAILURE) == []
    assert b.tick(2.9) == []
    assert b.tick(3) == [("fault", 0, 1)]
    fault = b.transitions[-1]
    assert math.isnan(fault.value)
    assert math.isnan(fault.setpoint)
    assert (fault.quality, fault.elapsed_ns, fault.raw) == (Quality.BAD_SENSOR_FAILURE, 2_000_000_000, 0)


def test_a_fault_clears_after_its_off_delay_without_a_break(bench) -> None:
    b = bench(fault_on_delay_s=0.0, fault_off_delay_s=3.0)
    b.sample(0, 1.0, point=1)
    assert b.bad(1) == [("fault", 0, 1)]
    assert b.sample(2, 5.0) == []
    assert b.bad(4) == []
    assert b.sample(5, 5.0, Quality.UNCERTAIN) == []
    assert b.tick(7.9) == []
    assert b.tick(8) == [("fault", 1, 0)]


def test_a_short_bad_spell_is_no_fault(bench) -> None:
    b = bench(fault_on_delay_s=2.0)
    b.sample(0, 1.0, point=1)
    for t in range(1, 20, 2):
        assert b.bad(t) == []
        assert b.sample(t + 1, 5.0) == []


def test_bad_raises_a_fault_beside_the_condition_that_it_holds(bench) -> None:
    b = bench(h=10.0, fault_on_delay_s=0.0)
    b.sample(0, 1.0, point=1)
    b.sample(0, 11.0)
    assert b.bad(1) == [("fault", 0, 1)]
    assert (b.level("high"), b.level("fault")) == (1, 1)


def test_a_device_that_is_pulled_raises_one_fault_and_recovers_alone(bench) -> None:
    b = bench(fault_on_delay_s=2.0, stale_s=2.5)
    b.sample(0, 1.0, point=1)
    b.sample(0, 5.0)
    found = []
    for t in range(1, 30):
        found += b.bad(t) + b.bad(t + 0.001, point=1) + b.tick(t + 0.5)
    assert found == [("device fault", 0, 1)]
    assert b.sample(30, 1.0, point=1) == [("device fault", 1, 0)]
    assert b.sample(30.001, 5.0) == []
    assert b.tick(40) == []


def test_a_device_that_falls_silent_raises_one_fault(bench) -> None:
    b = bench(fault_on_delay_s=2.0, stale_s=2.5)
    b.sample(0, 5.0)
    b.sample(0.1, 1.0, point=1)
    assert [found for t in range(1, 30) for found in b.tick(t)] == [("device fault", 0, 1)]


def test_with_no_fault_delay_the_device_must_be_heard_first(bench) -> None:
    b = bench(fault_on_delay_s=0.0)
    b.sample(0, 1.0, point=1)
    assert b.bad(1, point=1) == [("device fault", 0, 1)]
    assert b.bad(1) == []
    c = bench(fault_on_delay_s=0.0)
    c.sample(0, 1.0, point=1)
    assert c.bad(1) == [("fault", 0, 1)]


def test_a_broken_sensor_is_a_fault_even_while_the_device_is_bad(bench) -> None:
    b = bench(fault_on_delay_s=0.0)
    b.bad(1, point=1)
    assert b.bad(2, Quality.BAD_SENSOR_FAILURE) == [("fault", 0, 1)]


def test_a_standing_fault_stays_while_the_device_is_bad(bench) -> None:
    b = bench(fault_on_delay_s=0.0)
    b.sample(0, 1.0, point=1)
    b.bad(1, Quality.BAD_SENSOR_FAILURE)
    b.bad(2, point=1)
    assert b.bad(3) == []
    assert b.level("fault") == 1


def test_time_under_a_bad_device_does_not_count_towards_the_own_fault(bench) -> None:
    b = bench(fault_on_delay_s=2.0)
    b.bad(0, point=1)
    b.bad(0)
    b.tick(100)
    b.sample(101, 1.0, point=1)
    assert b.tick(102) == []
    assert b.tick(103.9) == []
    assert b.tick(104) == [("fault", 0, 1)]


def test_a_point_never_read_is_a_fault_only_once_overdue(bench) -> None:
    b = bench(stale_s=10.0, fault_on_delay_s=2.0, start_s=1000.0)
    b.sample(1000, 1.0, point=1)
    assert b.tick(1005) == []
    b.sample(1009, 1.0, point=1)
    assert b.tick(1010) == []
    assert b.tick(1010.5) == []
    assert b.tick(1012) == []
    assert b.tick(1012.5) == [("fault", 0, 1)]


def test_a_device_never_read_is_the_one_fault(bench) -> None:
    b = bench(stale_s=2.5, fault_on_delay_s=2.0)
    assert [found for t in range(20) for found in b.tick(t)] == [("device fault", 0, 1)]
