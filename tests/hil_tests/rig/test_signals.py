"""Signals are functions of time and seed, and nothing else."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from hil_tests.rig.signals import Curve, PlantTag, Signal, gauss

S = 1_000_000_000
SETTINGS: tuple[dict[str, Any], ...] = (
    {"kind": "constant", "value": 4.2},
    {"kind": "ramp", "from": 1.0, "to": 5.0, "seconds": 2},
    {"kind": "sine", "mean": 10.0, "amplitude": 2.0, "period_s": 60},
    {"kind": "noise", "mean": 1.0, "sd": 0.5, "seed": 7},
    {"kind": "walk", "start": 3.0, "step_sd": 0.1, "seed": 7},
    {"kind": "step", "before": 0, "after": 9, "at_s": 1.5},
    {"kind": "counter", "period_s": 0.25, "modulo": 5},
)
moments = st.integers(0, 3600 * S)


def curve(**settings: Any) -> Curve:
    signal: Signal = TypeAdapter(Signal).validate_python(settings)
    assert not isinstance(signal, PlantTag)
    return signal.curve()


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda each: str(each["kind"]))
@given(asked=st.lists(moments, max_size=8))
def test_a_curve_does_not_depend_on_the_order_of_questions(settings: dict[str, Any], asked: list[int]) -> None:
    forward = curve(**settings)
    in_order = {t_ns: forward(t_ns) for t_ns in sorted(asked)}
    other = curve(**settings)
    assert {t_ns: other(t_ns) for t_ns in asked} == in_order


@given(seed=st.integers(), other=st.integers())
def test_another_seed_gives_another_curve(seed: int, other: int) -> None:
    one = [curve(kind="noise", mean=0, sd=1, seed=seed)(t) for t in range(4)]
    two = [curve(kind="noise", mean=0, sd=1, seed=other)(t) for t in range(4)]
    assert (one == two) == (seed % 2**64 == other % 2**64)


def test_noise_is_standard_normal_as_far_as_its_first_moments_tell() -> None:
    numbers = [gauss(3, index) for index in range(20_000)]
    assert abs(fmean(numbers)) < 0.03
    assert abs(pstdev(numbers) - 1) < 0.02
    assert 0.0015 < sum(abs(each) > 3 for each in numbers) / len(numbers) < 0.004


def test_noise_of_a_seed_is_the_same_on_every_machine() -> None:
    assert gauss(42, 1) == pytest.approx(-1.0906276, abs=1e-6)


@given(t_ns=moments)
def test_a_ramp_stays_between_its_ends_and_holds_the_last(t_ns: int) -> None:
    value = curve(kind="ramp", **{"from": 1.0, "to": 5.0}, seconds=2)(t_ns)
    assert value == (5.0 if t_ns >= 2 * S else pytest.approx(1 + 4 * t_ns / (2 * S)))


def test_a_sine_starts_at_its_mean_and_reaches_its_amplitude_after_a_quarter() -> None:
    at = curve(kind="sine", mean=10.0, amplitude=2.0, period_s=60)
    assert (at(0), at(15 * S), at(45 * S)) == (10.0, 12.0, 8.0)


def test_a_step_happens_at_its_moment_and_not_before() -> None:
    at = curve(kind="step", before=0, after=9, at_s=1.5)
    assert (at(1_500_000_000 - 1), at(1_500_000_000)) == (0, 9)


@given(t_ns=moments)
def test_a_counter_grows_by_one_each_period_and_wraps(t_ns: int) -> None:
    at = curve(kind="counter", period_s=0.25, modulo=5)
    assert at(t_ns) == (t_ns * 4 // S) % 5


def test_a_walk_moves_once_a_step_and_by_its_deviation() -> None:
    at = curve(kind="walk", start=3.0, step_sd=0.1, seed=7)
    assert at(0) == at(S - 1) == 3.0
    shown = [at(k * S) for k in range(3000)]
    assert pstdev(after - before for before, after in pairwise(shown)) == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "ramp", "from": 1, "to": 2, "seconds": 0},
        {"kind": "sine", "mean": 0, "amplitude": math.inf, "period_s": 1},
        {"kind": "noise", "mean": 0, "sd": -1},
        {"kind": "counter", "period_s": 0.001},
        {"kind": "constant", "value": 1, "speed": 2},
        {"kind": "sawtooth"},
    ],
)
def test_settings_without_sense_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        curve(**settings)
