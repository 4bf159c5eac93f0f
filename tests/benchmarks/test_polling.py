"""Late turns and drift, out of stamps made by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.polling import drift_ms, lateness_ms

MS = 1_000_000
S = 1_000_000_000


@given(
    late_ms=st.lists(st.integers(0, 400), min_size=2, max_size=50), start=st.integers(0, 10**15),
    left_out=st.sets(st.integers(1, 49)),
)  # fmt: skip
def test_each_turn_is_late_by_what_it_came_after_the_earliest(
    late_ms: list[int], start: int, left_out: set[int]
) -> None:
    turns = [(number, late) for number, late in enumerate(late_ms) if number not in left_out]
    found = lateness_ms([start + number * S + late * MS for number, late in turns])
    assert found == [late - min(each for _, each in turns) for _, late in turns]


def test_a_clock_that_runs_off_is_seen_as_drift() -> None:
    assert drift_ms([number * S for number in range(60)]) == 0
    assert drift_ms([number * (S + MS // 10) for number in range(60)]) == pytest.approx(3.0)
