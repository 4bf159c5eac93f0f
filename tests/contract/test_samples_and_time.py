"""Scaling is one function for both ends; simulated time wakes sleepers in order."""

from __future__ import annotations

import asyncio

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from contract.batch import TICK, SampleBatch, scale_raw
from contract.clock import NS_PER_S, SimulatedClock
from contract.quality import Quality, is_bad, is_good, is_uncertain
from contract.units import UNITS


@given(st.integers(-(2**63), 2**63 - 1), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.booleans())
def test_scaling_rounds_each_operation_on_its_own(raw: int, scale: float, offset: float, unsigned: bool) -> None:
    value = scale_raw(np.array([raw]), np.array([scale]), np.array([offset]), np.array([unsigned]))
    number = float(raw % 2**64) if unsigned else float(raw)
    assert value[0] == number * scale + offset


def test_concatenation_and_selection_keep_rows_together() -> None:
    first, second = SampleBatch.tick(1, 2), SampleBatch.zeros(2)
    second.point[:] = (7, 8)
    both = SampleBatch.concat([first, second])
    assert both.point.tolist() == [TICK, 7, 8]
    assert both.select(both.point == 8).point.tolist() == [8]
    assert len(SampleBatch.concat([])) == 0


def test_every_quality_has_one_severity() -> None:
    for quality in Quality:
        assert [is_good(quality), is_uncertain(quality), is_bad(quality)].count(True) == 1
    assert is_bad(Quality.BAD_STALE)
    assert is_uncertain(Quality.UNCERTAIN_OUT_OF_RANGE)


def test_units_are_closed_and_unique() -> None:
    assert all(symbol == unit.symbol for symbol, unit in UNITS.items())
    assert len({unit.symbol for unit in UNITS.values()}) == len(UNITS)


def test_sleepers_wake_in_order_of_their_deadlines() -> None:
    async def scenario() -> list[str]:
        clock, woken = SimulatedClock(), list[str]()

        async def sleeper(name: str, after_s: int) -> None:
            await clock.sleep_until(clock.mono_ns() + after_s * NS_PER_S)
            woken.append(f"{name} at {clock.mono_ns() // NS_PER_S}")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(sleeper("late", 3600))
            tasks.create_task(sleeper("early", 1))
            await clock.advance(7200 * NS_PER_S)
        return woken

    assert asyncio.run(scenario()) == ["early at 1001", "late at 4600"]


def test_a_wall_step_leaves_monotonic_time_alone() -> None:
    clock = SimulatedClock(wall_ns=10, mono_ns=5)
    clock.step_wall(-7)
    assert (clock.wall_ns(), clock.mono_ns()) == (3, 5)
