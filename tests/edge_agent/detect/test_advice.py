"""The statistical detectors: what each of them sees, what leaves them calm, and that batches and restarts change nothing."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import astuple
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.batch import TICK, SampleBatch
from contract.clock import NS_PER_S
from contract.points import Catalogue, ConditionKind, PointRole, PointSpec, PointType
from contract.quality import Quality
from edge_agent.detect.advice import Advice, Advisor
from edge_agent.detect.engine import Engine

POINT = PointSpec(7, "PT-1", "E/S", "plc1", type=PointType.FLOAT64, unit="MPa")
CATALOGUE = Catalogue(1, (POINT,))
LEARNT = 1800


def noise(samples: int, seed: int = 1) -> np.ndarray:
    """A pressure that wanders a little, in steps of half a kPa."""
    chance = np.random.default_rng(seed)
    wander = np.cumsum(chance.normal(0.0, 0.0001, samples))
    return np.round((0.6 + wander + chance.normal(0.0, 0.0008, samples)) / 0.0005) * 0.0005


def batch_of(values: np.ndarray, first_s: int = 0, step_s: float = 1.0, point: int = 7) -> SampleBatch:
    batch = SampleBatch.zeros(len(values))
    batch.point[:], batch.value[:] = point, values
    batch.mono_ns[:] = ((first_s + np.arange(len(values)) + 1) * step_s * NS_PER_S).astype(np.int64)
    batch.time_ns[:] = batch.mono_ns + 10**18
    batch.quality[np.isnan(values)] = Quality.BAD_COMM_FAILURE
    return batch


def advised(values: np.ndarray, step_s: float = 1.0) -> list[Advice]:
    return Advisor(CATALOGUE).advise(batch_of(values, step_s=step_s))


def second(found: Advice) -> int:
    return found.mono_ns // NS_PER_S - 1


def test_a_quiet_day_raises_nothing() -> None:
    assert advised(noise(86_400)) == []


def test_a_spike_is_told_at_once_with_what_was_expected_and_ends_by_itself() -> None:
    values = noise(4000)
    values[3000:3004] = -0.2
    begun, ended = advised(values)
    assert (begun.kind, begun.new_level, second(begun)) == (ConditionKind.SPIKE, 1, 3000)
    assert begun.seen == begun.value == -0.2
    assert -0.2 < begun.expected < 0.6
    assert begun.score > 1.0
    assert (ended.kind, ended.new_level, ended.on_time_ns) == (ConditionKind.SPIKE, 0, begun.time_ns)
    assert second(ended) < 3150


def test_another_level_becomes_normal() -> None:
    values = noise(14_000)
    values[3000:] += 0.05
    begun, *others = advised(values)
    assert second(begun) <= 3003
    assert others[-1].new_level == 0
    assert second(others[-1]) < 13_000


def test_a_creep_upwards_is_told_and_a_fall_as_slow_is_not() -> None:
    ramp = np.concatenate([np.zeros(LEARNT), np.linspace(0.0, 0.2, 2400)])
    found = [each.kind for each in advised(noise(len(ramp)) + ramp) if each.new_level]
    assert found[0] in {ConditionKind.SHIFT, ConditionKind.DRIFT}
    assert advised(noise(len(ramp)) - ramp) == []


def test_more_scatter_is_told_within_half_a_minute() -> None:
    chance = np.random.default_rng(3)
    values = noise(4000)
    values[3000:3060] += chance.normal(0.0, 0.005, 60)
    begun = advised(values)[0]
    assert begun.kind in {ConditionKind.NOISE, ConditionKind.SPIKE}
    assert 3000 <= second(begun) < 3030


def test_a_value_that_says_nothing_new_is_told_by_how_much_it_said_before() -> None:
    values = noise(4000)
    values[3000:3300] = values[3000]
    begun, ended = advised(values)
    assert (begun.kind, begun.new_level) == (ConditionKind.STUCK, 1)
    assert second(begun) < 3060
    assert ended.new_level == 0
    assert second(ended) < 3900


def test_a_coarse_value_that_always_repeats_is_not_stuck() -> None:
    chance = np.random.default_rng(4)
    values = np.where(chance.random(20_000) < 0.01, 0.05, 0.0)
    values[15_000:15_400] = 0.0
    assert advised(values) == []


def test_a_point_that_never_moved_may_take_its_first_steps() -> None:
    values = np.zeros(2000)
    values[1000:] = 1.0
    values[1500:] = 2.0
    assert advised(values) == []


def test_what_is_missing_teaches_nothing_and_its_return_is_no_spike() -> None:
    values = noise(4000)
    values[2000:2300] = np.nan
    values[2300:] += 0.03
    assert advised(values) == []


def test_the_budget_is_per_day_so_that_slow_points_have_narrower_bounds() -> None:
    values = noise(4000)
    values[3500] += 0.004
    assert advised(values) == []
    assert [each.kind for each in advised(values, step_s=300.0)][:1] == [ConditionKind.SPIKE]


def test_no_score_is_finite_only_by_chance() -> None:
    extremes = np.tile([1e300, -1e300, 0.0, 1e-300, np.inf, 5.0], 400)
    advisor = Advisor(CATALOGUE)
    scores = np.full(len(extremes), np.nan)
    advisor.advise(batch_of(extremes), scores)
    assert not np.isnan(scores).any()


def test_a_number_that_no_instrument_gives_leaves_no_detector_blind() -> None:
    values = noise(4000)
    values[5] = 1e200
    values[3000:3040] += np.random.default_rng(2).normal(0.0, 0.02, 40)
    assert [(each.kind, each.new_level) for each in advised(values)] == [
        (each.kind, each.new_level) for each in advised(np.delete(values, 5))
    ]
    assert advised(values)


def test_switches_texts_and_devices_are_not_advised() -> None:
    catalogue = Catalogue(1, (
        PointSpec(1, "plc", "E", "plc", role=PointRole.DEVICE, type=PointType.BIT),
        PointSpec(2, "XS-1", "E", "plc", type=PointType.BIT), PointSpec(3, "TXT", "E", "plc", type=PointType.STRING),
    ))  # fmt: skip
    batch = SampleBatch.concat([batch_of(noise(200), point=each) for each in (1, 2, 3, TICK)])
    assert Advisor(catalogue).advise(batch) == []
    assert len(Advisor(catalogue).saved()[0]) == 0


VALUES = st.sampled_from([0.0, 0.1, 0.1, 0.2, 0.3, 5.0, -40.0, float("nan"), float("inf")])


@given(st.lists(VALUES, max_size=40), st.lists(st.integers(0, 240), max_size=4), st.integers(0, 2**32))
def test_any_split_of_a_batch_gives_the_same(values, cuts, seed) -> None:
    batch = batch_of(np.concatenate([noise(200, seed).round(1), values]))
    whole, split = Advisor(CATALOGUE), Advisor(CATALOGUE)
    edges = [0, *sorted(cut for cut in cuts if cut < len(batch)), len(batch)]
    found = [each for a, b in pairwise(edges) for each in split.advise(batch.select(slice(a, b)))]
    assert str([astuple(each) for each in found]) == str([astuple(each) for each in whole.advise(batch)])
    assert split.saved()[1].tobytes() == whole.saved()[1].tobytes()


def test_room_for_output_changes_nothing() -> None:
    values = noise(6000)
    values[2000::500] = 9.0
    narrow = Advisor(CATALOGUE)
    narrow._out = narrow._out[:1].copy()
    assert narrow.advise(batch_of(values)) == advised(values)
    assert len(advised(values)) > 4


def test_what_was_saved_goes_on_as_if_nothing_had_been() -> None:
    values = noise(6000)
    values[4000:4100] += 0.05
    first, second_ = Advisor(CATALOGUE), Advisor(CATALOGUE)
    begun = first.advise(batch_of(values[:4050]))
    points, state = first.saved()
    second_.resume(points, np.frombuffer(bytearray(state.tobytes()), state.dtype))
    rest = second_.advise(batch_of(values[4050:], 4050))
    assert begun + rest == advised(values)


def test_a_restart_forgets_nothing_that_was_learnt_whatever_the_time_axis_says() -> None:
    first = Engine(CATALOGUE, 0)
    first.advise(batch_of(noise(3000), 1_000_000))
    values = noise(100)
    values[10] = 5.0
    for start_s in (0, 5_000_000):
        later = Engine(CATALOGUE, start_s * NS_PER_S)
        later.resume(first.checkpoint())
        begun = [each for each in later.advise(batch_of(values, start_s + 7200)) if each.new_level]
        assert [round(each.mono_ns / NS_PER_S) - start_s - 7200 for each in begun] == [11]


def test_a_condition_that_stood_at_the_stop_ends_after_the_start() -> None:
    engine = Engine(CATALOGUE, 0)
    assert engine.restore([(7, ConditionKind.SHIFT, 1)]) == []
    assert engine.conditions() == [(7, ConditionKind.SHIFT, 1)]
    ended = engine.advise(batch_of(noise(200)))
    assert [(each.kind, each.old_level, each.new_level) for each in ended] == [(ConditionKind.SHIFT, 1, 0)]
    assert engine.restore([(8, ConditionKind.SHIFT, 1)]) == [(8, ConditionKind.SHIFT, 1)]


def test_advice_moves_no_limit_and_carries_its_numbers() -> None:
    engine = Engine(CATALOGUE, 0)
    values = noise(3100)
    values[3000] = 3.0
    assert engine.judge(batch_of(values)) == []
    begun = engine.advise(batch_of(values))[0]
    assert (begun.old_level, begun.new_level) == (0, 1)
    assert begun.advice is not None
    assert begun.advice.seen == 3.0
    assert begun.advice.score > 1.0


@pytest.mark.parametrize("how", ["plain", "jit"])
def test_interpreted_and_compiled_are_the_same_bits(how) -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_advice import *\n"
        "values = noise(3000); values[2000:2100] = values[2000]; values[2500:2520] += 0.1\n"
        "advisor = Advisor(CATALOGUE); found = advisor.advise(batch_of(values))\n"
        "assert len(found) >= 3\n"
        "print(found, advisor.saved()[1].tobytes().hex())"
    )
    if how == "jit":
        pytest.importorskip("numba")
    runs = {
        subprocess.run(
            [sys.executable, "-c", program, str(__file__).rpartition("/")[0]],
            env={"PARKSENTRY_KERNELS": each}, capture_output=True, text=True, check=True,
        ).stdout
        for each in ("plain", how)
    }  # fmt: skip
    assert len(runs) == 1
