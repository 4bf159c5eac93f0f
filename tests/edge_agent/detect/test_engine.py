"""The engine around the kernel: rows for ids, restoring, drains of the output, columns of any layout, settings."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from contract.batch import TICK, SampleBatch
from contract.points import Catalogue, ConditionKind, Limits, PointRole, PointSpec
from contract.quality import Quality
from edge_agent.detect import compile as compiling
from edge_agent.detect import engine as engine_module
from edge_agent.detect.compile import DURATION_S_MAX
from edge_agent.detect.engine import TRANSITIONS_PER_CALL_MAX, Engine
from edge_agent.detect.kernels import jit

HIGH = PointSpec(1, "GT-1", "plant/tanks", "panel", limits=Limits(h=10.0, hh=20.0), fault_on_delay_s=0.0)


def many(count: int) -> Catalogue:
    return Catalogue(1, tuple(replace(HIGH, id=3 * i, tag=f"GT-{i}") for i in range(1, count + 1)))


def scan(points: object, value: float, mono_ns: int = 1) -> SampleBatch:
    ids = np.asarray(points, np.int32)
    batch = SampleBatch.zeros(len(ids))
    batch.point[:], batch.value[:], batch.mono_ns[:] = ids, value, mono_ns
    return batch


def test_more_transitions_than_one_call_holds_all_come_in_order() -> None:
    engine = Engine(many(TRANSITIONS_PER_CALL_MAX * 2 + 5), 0)
    found = engine.judge(scan(engine.points, 15.0))
    assert [transition.point for transition in found] == engine.points.tolist()


def test_one_tick_may_change_more_than_one_call_holds() -> None:
    engine = Engine(many(TRANSITIONS_PER_CALL_MAX * 3), 0)
    engine.judge(scan(engine.points, 15.0))
    found = engine.tick(0, 10**12)
    assert [(t.point, t.kind) for t in found] == [(point, ConditionKind.FAULT) for point in engine.points.tolist()]


@pytest.mark.parametrize("unknown", [0, 2, 4, 100, -2])
def test_a_point_of_another_catalogue_is_refused_before_anything_is_judged(unknown) -> None:
    engine = Engine(many(1), 0)
    with pytest.raises(AssertionError, match="not in this catalogue"):
        engine.judge(scan([3, unknown], 15.0))
    assert engine.conditions() == []


def test_an_empty_catalogue_ticks_and_refuses_samples() -> None:
    engine = Engine(Catalogue(1, ()), 0)
    assert engine.tick(0, 1) == []
    assert engine.judge(SampleBatch.empty()) == []
    with pytest.raises(AssertionError, match="not in this catalogue"):
        engine.judge(scan([1], 1.0))


def test_devices_have_the_first_rows() -> None:
    specs = (HIGH, replace(HIGH, id=5, tag="panel", role=PointRole.DEVICE), replace(HIGH, id=9, tag="GT-9"))
    engine = Engine(Catalogue(1, specs), 0)
    assert engine.points.tolist() == [5, 1, 9]
    assert engine.rows(np.array([9, 1, 5], np.int32)).tolist() == [2, 1, 0]


def test_restored_levels_hold_until_good_says_otherwise() -> None:
    engine = Engine(many(2), 0)
    assert engine.restore([(3, ConditionKind.HIGH, 2), (6, ConditionKind.FAULT, 1)]) == []
    assert engine.tick(0, 5) == []
    assert [(t.old_level, t.new_level) for t in engine.judge(scan([3], 15.0))] == [(2, 1)]
    assert [(t.kind, t.new_level) for t in engine.judge(scan([6], 0.0))] == [(ConditionKind.FAULT, 0)]


def test_restoring_gives_back_what_this_catalogue_does_not_know() -> None:
    engine = Engine(many(1), 0)
    gone = (77, ConditionKind.LOW, 1)
    assert engine.restore([gone, (3, ConditionKind.HIGH, 1)]) == [gone]
    assert engine.conditions() == [(3, ConditionKind.HIGH, 1)]


def test_restoring_refuses_a_level_that_does_not_exist() -> None:
    with pytest.raises(AssertionError, match="no level 2"):
        Engine(many(1), 0).restore([(3, ConditionKind.FAULT, 2)])


def test_a_restored_level_whose_limit_was_taken_away_clears_by_a_good_sample() -> None:
    engine = Engine(Catalogue(1, (replace(HIGH, limits=Limits()),)), 0)
    engine.restore([(1, ConditionKind.HIGH, 2)])
    found = engine.judge(scan([1], 99.0))
    assert [(t.kind, t.old_level, t.new_level) for t in found] == [(ConditionKind.HIGH, 2, 0)]


def test_samples_and_ticks_may_stand_in_one_batch() -> None:
    engine = Engine(many(2), 0)
    batch = scan([3, TICK, 6, TICK], 15.0)
    batch.mono_ns[:] = [1, 2, 3, 4]
    assert [(t.point, t.mono_ns) for t in engine.judge(batch)] == [(3, 1), (6, 3)]


def test_columns_may_be_views_that_cannot_be_written() -> None:
    engine_module.warm()
    engine = Engine(many(4), 0)
    whole = scan(np.repeat(engine.points, 2), 15.0)
    batch = whole.select(slice(None, None, 2))
    for column in (batch.time_ns, batch.value, batch.raw):
        column.flags.writeable = False
    assert len(engine.judge(batch)) == 4


def test_judging_does_not_change_the_batch() -> None:
    engine = Engine(Catalogue(1, (replace(HIGH, range_high=5.0),)), 0)
    batch = scan([1], 15.0)
    engine.judge(batch)
    assert batch.quality.tolist() == [Quality.GOOD]
    assert engine.quality().tolist() == [Quality.UNCERTAIN_OUT_OF_RANGE]


@pytest.mark.skipif(not jit.COMPILED, reason="numba is not installed: nothing is ever compiled")
def test_after_warming_nothing_is_compiled_while_polling() -> None:
    engine_module.warm()
    batch = scan([3], 1.0)
    with pytest.raises(TypeError):
        Engine(many(1), 0).judge(replace(batch, value=batch.value.astype(np.float32)))


def test_the_raw_integer_goes_with_the_value_that_was_judged() -> None:
    engine = Engine(Catalogue(1, (replace(HIGH, limits=Limits(h=10.0, on_delay_s=1.0)),)), 0)
    batch = scan([1], 15.0)
    batch.raw[:] = -1234
    engine.judge(batch)
    assert [t.raw for t in engine.tick(0, 10**9 + 1)] == [-1234]


def test_seconds_become_exact_nanoseconds() -> None:
    spec = replace(
        HIGH, limits=Limits(on_delay_s=0.1, on_delay_2_s=1e-9), stale_s=2.5, fault_off_delay_s=DURATION_S_MAX
    )
    params = compiling.plan(Catalogue(1, (spec,))).params[0]
    assert params["on_delay_ns"] == 100_000_000
    assert params["on_delay_2_ns"] == 1
    assert params["stale_ns"] == 2_500_000_000
    assert params["fault_off_delay_ns"] == 366 * 86_400 * 10**9


@pytest.mark.parametrize("wrong", [
    (HIGH, HIGH),
    (replace(HIGH, id=2), HIGH),
    (replace(HIGH, role=PointRole.DEVICE), replace(HIGH, id=2, role=PointRole.DEVICE)),
    (replace(HIGH, stale_s=-1.0),),
    (replace(HIGH, stale_s=math.inf),),
    (replace(HIGH, fault_on_delay_s=math.nextafter(DURATION_S_MAX, math.inf)),),
    (replace(HIGH, limits=Limits(off_delay_s=math.nan)),),
    (replace(HIGH, limits=Limits(deadband=-0.1)),),
    (replace(HIGH, limits=Limits(deadband=math.nan)),),
])  # fmt: skip
def test_what_cannot_be_judged_is_a_programmers_error(wrong) -> None:
    with pytest.raises(AssertionError):
        compiling.plan(Catalogue(1, wrong))
