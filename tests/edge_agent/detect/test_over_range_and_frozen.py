"""Over-range latches at the gateway, a value that never moves is a fault of its own, and an inhibit flags and withholds nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from contract.batch import SampleBatch
from contract.points import Catalogue, ConditionKind, Limits, PointSpec
from contract.quality import Quality
from edge_agent.detect.engine import Engine, NotReset, Transition

NS = 1_000_000_000
HEAD = PointSpec(
    2, "GT-1", "plant/tanks", "panel", unit="%LEL", range_low=0.0, range_high=100.0, over_range=100.0, stale_s=1e6,
    fault_on_delay_s=1e6,
)  # fmt: skip
FLICKERS = replace(HEAD, over_range=math.nan, frozen_s=10.0, unit="bar")


def rows(engine: Engine, *said: tuple[float, float] | tuple[float, float, int]) -> list[tuple[str, int, int]]:
    """(seconds, value[, quality]) each."""
    batch = SampleBatch.zeros(len(said))
    for i, (at_s, value, *quality) in enumerate(said):
        batch.point[i], batch.mono_ns[i], batch.value[i] = 2, round(at_s * NS), value
        batch.quality[i] = quality[0] if quality else Quality.GOOD
    return [(t.kind.value, t.old_level, t.new_level) for t in engine.judge(batch)]


def engine(spec: PointSpec) -> Engine:
    return Engine(Catalogue(1, (spec,)), 0)


ON, OFF = ("over_range", 0, 1), ("over_range", 1, 0)


@pytest.mark.parametrize(("value", "quality", "found"), [
    (math.nextafter(100.0, 0.0), Quality.GOOD, []),
    (100.0, Quality.GOOD, [ON]),
    (130.0, Quality.GOOD, [ON]),
    (100.0, Quality.UNCERTAIN, [ON]),
    (100.0, Quality.BAD_SENSOR_FAILURE, []),
    (math.inf, Quality.GOOD, []),
    (math.nan, Quality.GOOD, []),
])  # fmt: skip
def test_a_head_is_over_its_range_from_the_set_point_on(value, quality, found) -> None:
    assert rows(engine(HEAD), (1, value, quality)) == found


def test_a_head_that_falls_back_stays_over_range_until_it_is_reset() -> None:
    e = engine(HEAD)
    assert rows(e, (1, 105.0), (2, 40.0), (3, 0.0), (4, math.nan), (5, 0.0)) == [ON]
    done = e.reset(2, 7, 6 * NS)
    assert isinstance(done, Transition)
    assert (done.kind, done.old_level, done.new_level, done.value) == (ConditionKind.OVER_RANGE, 1, 0, 0.0)
    assert (done.time_ns, done.mono_ns, done.setpoint) == (7, 6 * NS, 100.0)
    assert e.conditions() == []
    assert rows(e, (7, 100.0)) == [ON]


def test_a_reset_acts_only_on_what_stands_and_reads_well_within_its_range() -> None:
    e = engine(HEAD)
    assert e.reset(2, 0, 0) is NotReset.NOTHING_STANDS
    rows(e, (1, 100.0))
    assert e.reset(2, 0, 0) is NotReset.STILL_OVER_RANGE
    rows(e, (2, 10.0, Quality.UNCERTAIN_CALIBRATION))
    assert e.reset(2, 0, 0) is NotReset.QUALITY_NOT_GOOD
    rows(e, (3, math.nan))
    assert e.reset(2, 0, 0) is NotReset.QUALITY_NOT_GOOD
    assert e.conditions() == [(2, ConditionKind.OVER_RANGE, 1)]


def test_over_range_outlives_a_restart_and_another_configuration() -> None:
    e, again = engine(HEAD), engine(HEAD)
    rows(e, (1, 100.0))
    again.restore(e.conditions())
    assert rows(again, (2, 0.0)) == []
    without = engine(replace(HEAD, over_range=math.nan))
    without.take_over(again)
    assert rows(without, (3, 0.0)) == []
    assert isinstance(without.reset(2, 0, 0), Transition)


FROZEN, MOVED = ("frozen", 0, 1), ("frozen", 1, 0)


@pytest.mark.parametrize(("said", "found"), [
    (((0, 5.0), (9.999999999, 5.0)), []),
    (((0, 5.0), (10, 5.0)), [FROZEN]),
    (((0, 5.0), (5, 5.1), (12, 5.1)), []),
    (((0, 5.0), (5, 5.1), (15, 5.1)), [FROZEN]),
    (((0, 5.0), (10, 5.1)), []),
    (((0, 5.0), (10, 5.0), (11, 5.1)), [FROZEN, MOVED]),
    (((0, 5.0), (10, 5.0), (11, 5.1, Quality.UNCERTAIN), (12, 5.2)), [FROZEN, MOVED]),
    (((0, 5.0), (10, 5.0), (11, math.nan), (12, 5.0)), [FROZEN]),
    (((0, 0.0), (100, 0.0)), []),
    (((0, 100.0), (100, 100.0)), []),
    (((0, 5.0, Quality.UNCERTAIN), (10, 5.0, Quality.UNCERTAIN)), [FROZEN]),
    (((0, 5.0), (4, math.nan), (50, 5.0), (55.9, 5.0)), []),
    (((0, 5.0), (4, math.nan), (50, 5.0), (56, 5.0)), [FROZEN]),
    (((5, 5.0), (3, 5.0), (14.9, 5.0), (15, 5.0)), [FROZEN]),
    (((0, math.nan), (10, math.nan), (20, math.inf), (30, math.inf)), []),
])  # fmt: skip
def test_the_very_same_value_for_so_long_is_frozen(said, found) -> None:
    assert rows(engine(FLICKERS), *said) == found


def test_a_value_that_nobody_repeated_is_not_frozen_by_time_alone() -> None:
    e = engine(FLICKERS)
    rows(e, (0, 5.0))
    assert e.tick(0, 60 * NS) == []


def test_by_default_a_value_may_repeat_for_ever() -> None:
    assert rows(engine(replace(FLICKERS, frozen_s=0.0)), *((float(t), 5.0) for t in range(0, 10**6, 10**4))) == []


def test_an_inhibit_flags_and_withholds_nothing() -> None:
    e = engine(replace(HEAD, limits=Limits(h=25.0)))
    e.set_inhibit(2, True)
    batch = SampleBatch.zeros(1)
    batch.point[0], batch.mono_ns[0], batch.value[0] = 2, 1, 30.0
    assert [(t.new_level, t.inhibited) for t in e.judge(batch)] == [(1, True)]
    followed = engine(replace(HEAD, limits=Limits(h=26.0)))
    followed.take_over(e, [2])
    followed.set_inhibit(2, False)
    batch.value[0] = np.float64(1.0)
    assert [(t.new_level, t.inhibited) for t in followed.judge(batch)] == [(0, False)]


LEVEL = replace(HEAD, over_range=math.nan, unit="%", limits=Limits(ll=5.0), range_hold_s=4.0)
LOW = ("low", 0, 2)


@pytest.mark.parametrize(("said", "found"), [
    (((0, 50.0), (1, -1.0), (4.9, -1.0)), []),
    (((0, 50.0), (1, -1.0), (5, -1.0)), [LOW]),
    (((0, 50.0), (1, -1.0), (2, math.nan), (3, -1.0), (6.9, -1.0)), []),
    (((0, 50.0), (1, -1.0), (2, math.nan), (100, math.nan)), []),
    (((0, 50.0), (1, 5.0)), [LOW]),
    (((0, 50.0), (1, 0.0)), [LOW]),
])  # fmt: skip
def test_a_wire_that_breaks_is_no_low_alarm(said, found) -> None:
    assert rows(engine(LEVEL), *said) == found
