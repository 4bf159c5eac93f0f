"""An instrument shows what its sheet says: lag, noise, resolution, range, and what was done to it."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import fmean, pstdev

import pytest

from contract.clock import NS_PER_S
from hil_tests.rig.plant import (
    INSTRUMENTS,
    CloseCircuit,
    Freeze,
    Instrument,
    OpenCircuit,
    Plant,
    PlantCommand,
    Unfreeze,
)
from hil_tests.rig.plant.instrument import DRIFT_STEPS, STEP_S, Meter


def sheet(*, noise_sd: float = 0.0, drift_sd: float = 0.0, t90_s: float = 0.0, resolution: float = 1e-6) -> Instrument:
    return Instrument("AT-999", "mg/m3", 0.0, 10.0, resolution, noise_sd, t90_s, "org", "试", "Test", drift_sd=drift_sd)


def steps(seconds: float) -> int:
    return round(seconds / STEP_S)


@pytest.mark.parametrize("t90_s", [0.5, 10.0, 30.0])
def test_ninety_percent_of_a_step_are_shown_after_t90(t90_s: float) -> None:
    meter = Meter(sheet(t90_s=t90_s), 1, 0.0)
    meter.see(5.0, 10)
    assert meter.value(10 + steps(t90_s)) == pytest.approx(4.5)


def test_seeing_the_same_more_often_changes_nothing() -> None:
    rarely, often = (Meter(sheet(t90_s=20.0), 1, 0.0) for _ in range(2))
    rarely.see(5.0, 10)
    for step in range(10, 200):
        often.see(5.0, step)
    assert rarely.value(200) == pytest.approx(often.value(200))


def test_without_lag_the_truth_is_shown_at_once() -> None:
    meter = Meter(sheet(), 1, 0.0)
    meter.see(5.0, 10)
    assert meter.value(10) == 5.0


def test_noise_has_the_spread_of_the_sheet_and_no_memory() -> None:
    meter = Meter(sheet(noise_sd=0.03), 1, 5.0)
    shown = [meter.value(step) for step in range(4000)]
    assert fmean(shown) == pytest.approx(5.0, abs=0.003)
    assert pstdev(shown) == pytest.approx(0.03, rel=0.05)
    assert abs(correlation(shown, 1)) < 0.05


def test_drift_has_its_spread_and_a_memory_of_minutes() -> None:
    meter = Meter(sheet(drift_sd=0.2), 1, 5.0)
    shown = []
    for index in range(1, 30_000):
        meter.drift(index * DRIFT_STEPS)
        shown.append(meter.value(index * DRIFT_STEPS))
    assert pstdev(shown) == pytest.approx(0.2, rel=0.15)
    per_minute = round(60 / (DRIFT_STEPS * STEP_S))
    assert correlation(shown, 5 * per_minute) > math.exp(-1) - 0.1
    assert correlation(shown, 60 * per_minute) < 0.15


def correlation(numbers: list[float], lag: int) -> float:
    mean = fmean(numbers)
    products = [(a - mean) * (b - mean) for a, b in zip(numbers, numbers[lag:], strict=False)]
    return fmean(products) / fmean((each - mean) ** 2 for each in numbers)


@pytest.mark.parametrize("tag", sorted(INSTRUMENTS))
def test_every_instrument_shows_whole_steps_inside_its_range(tag: str) -> None:
    plant, instrument = Plant(3, [tag]), INSTRUMENTS[tag]
    for second in range(5):
        plant.advance(second * NS_PER_S)
        shown = plant.value(tag)
        assert instrument.range_low <= shown <= instrument.range_high
        assert shown / instrument.resolution == pytest.approx(round(shown / instrument.resolution))


@pytest.mark.parametrize(("truth", "shown"), [(-3.0, 0.0), (1e6, 10.0)])
def test_the_range_has_ends(truth: float, shown: float) -> None:
    assert Meter(sheet(), 1, truth).value(0) == shown


def test_a_direction_goes_round() -> None:
    instrument = Instrument("WD-999", "deg", 0, 360, 1, 0, 0, "org", "风向", "Wind", circular=True)
    assert [Meter(instrument, 1, truth).value(0) for truth in (359.0, 361.0, -2.0)] == [359.0, 1.0, 358.0]


def told(plant: Plant, command: PlantCommand, second: int) -> Callable[[str], float]:
    plant.apply(command, second * NS_PER_S)
    plant.advance(second * NS_PER_S)
    return plant.value


def test_a_frozen_instrument_repeats_itself_exactly_until_it_is_released() -> None:
    plant = Plant(7)
    kept = told(plant, Freeze("FT-101"), 10)("FT-101")
    shown, others = set(), set()
    for second in range(11, 60):
        plant.advance(second * NS_PER_S)
        shown.add(plant.value("FT-101"))
        others.add(plant.value("PT-104"))
    assert shown == {kept}
    assert len(others) > 10
    plant.apply(Unfreeze("FT-101"), 60 * NS_PER_S)
    released = set()
    for second in range(60, 90):
        plant.advance(second * NS_PER_S)
        released.add(plant.value("FT-101"))
    assert len(released) > 5


def test_an_open_circuit_shows_nothing_and_the_gas_controller_says_so() -> None:
    plant = Plant(7)
    assert math.isnan(told(plant, OpenCircuit("AT-105"), 10)("AT-105"))
    plant.advance(12 * NS_PER_S)
    assert [plant.value(tag) for tag in ("XA-101", "XA-201")] == [1.0, 0.0]
    assert plant.truth("AT-105") == 0.0
    assert told(plant, CloseCircuit("AT-105"), 20)("AT-105") < 1
    plant.advance(22 * NS_PER_S)
    assert plant.value("XA-101") == 0.0


def test_an_open_circuit_of_a_transmitter_is_no_matter_of_the_gas_controller() -> None:
    plant = Plant(7)
    assert math.isnan(told(plant, OpenCircuit("PT-101"), 10)("PT-101"))
    plant.advance(12 * NS_PER_S)
    assert plant.value("XA-101") == 0.0
