"""Raw numbers that stand for an instrument's range."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.settings.raw_span import scaling

raw = st.integers(-32_768, 65_535)
ends = st.integers(-10_000, 10_000).map(lambda number: number / 100)


@given(raw, raw, ends, ends)
def test_both_ends_are_those_of_the_range_and_never_beyond(first, last, low, high):
    if first == last or low >= high:
        return
    scale, offset = scaling(first, last, low, high)
    assert low <= first * scale + offset
    assert last * scale + offset <= high
    assert first * scale + offset == pytest.approx(low, abs=1e-5 * (high - low))
    assert last * scale + offset == pytest.approx(high, abs=1e-5 * (high - low))


def test_a_person_can_check_the_digits():
    assert scaling(0, 27_648, 0, 100) == (0.0036168981, 0.0)
    assert scaling(0, 10_000, -20, 80) == (0.01, -20.0)
