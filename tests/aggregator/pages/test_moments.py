"""Times and numbers as people read them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.pages.moments import beijing, duration, minutes, number, time_of_day
from contract.clock import NS_PER_S

NOON_NS = 1_790_000_000 * NS_PER_S  # 2026-09-21T14:13:20Z


def test_times_are_beijing_time_with_seconds():
    assert beijing(NOON_NS) == "2026-09-21 22:13:20"
    assert beijing(None) == "–"


def test_another_day_is_named():
    assert time_of_day(NOON_NS, NOON_NS + 60 * NS_PER_S) == "22:13:20"
    assert time_of_day(NOON_NS, NOON_NS + 3 * 3600 * NS_PER_S) == "09-21 22:13:20"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12346"), (0.01234, "0.0123"),
        (-1.5, "-1.50"), (math.nan, "–"), (None, "–"), (math.inf, "∞"), (-math.inf, "-∞"), (1e-12, "0.000000000"),
    ],
)  # fmt: skip
def test_numbers_have_three_digits_and_no_exponent(value, shown):
    assert number(value) == shown


@given(st.floats(min_value=1e-6, max_value=1e12))
def test_a_shown_number_is_near_the_value(value):
    assert float(number(value)) == pytest.approx(value, rel=0.006)


def test_durations_have_two_parts():
    assert [duration(s) for s in (0, 59.9, 200, 18720, 360000)] == [
        "0 s",
        "59 s",
        "3 min 20 s",
        "5 h 12 min",
        "4 d 4 h",
    ]
    assert [minutes(s) for s in (-5, 1, 60, 61, 7320)] == ["0 min", "1 min", "1 min", "2 min", "2 h 2 min"]
