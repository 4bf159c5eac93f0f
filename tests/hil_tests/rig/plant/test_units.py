"""The units behave as such plants do: normal for a day, and wrong in the right way when something fails."""

from __future__ import annotations

import csv
import math
from itertools import pairwise
from pathlib import Path

import pytest

from contract.clock import NS_PER_S
from hil_tests.rig.plant import INSTRUMENTS, CoolingBack, CoolingFails, Leak, Plant
from hil_tests.rig.plant.ammonia import AmmoniaCooler
from hil_tests.rig.plant.chlorine import ChlorineStore
from hil_tests.rig.plant.lpg import LpgSpheres
from hil_tests.rig.plant.reactor import Reactor
from hil_tests.rig.plant.unit import Unit
from hil_tests.rig.plant.vapour import AMMONIA, BUTANE, CHLORINE, PROPANE, VINYL_CHLORIDE, WATER, Substance

DEMO = Path(__file__).parents[4] / "configs" / "demo"
DAY_S = 86_400
FAILS_S = 120


@pytest.mark.parametrize(
    ("substance", "temperature_c", "measured_mpa"),
    [
        (CHLORINE, 20.0, 0.680), (CHLORINE, 0.0, 0.369), (AMMONIA, 20.0, 0.857), (AMMONIA, -15.0, 0.236),
        (AMMONIA, 35.0, 1.350), (PROPANE, 20.0, 0.836), (BUTANE, 20.0, 0.208), (WATER, 80.0, 0.0474),
        (VINYL_CHLORIDE, 20.0, 0.337),
    ],
)  # fmt: skip
def test_vapour_pressures_are_those_of_the_tables(
    substance: Substance, temperature_c: float, measured_mpa: float
) -> None:
    assert substance.vapour_mpa(273.15 + temperature_c) == pytest.approx(measured_mpa, rel=0.05)


@pytest.mark.parametrize("unit", [ChlorineStore, LpgSpheres, AmmoniaCooler, Reactor])
def test_a_unit_knows_what_is_in_front_of_each_of_its_instruments(unit: type[Unit]) -> None:
    tags = {each.tag for each in unit.instruments}
    assert {*unit().quantities, *unit.detection.tags} == tags
    assert {tag for tag in tags if INSTRUMENTS[tag].at_m} == set(unit.detection.tags)


@pytest.fixture(scope="module")
def day() -> dict[str, list[float]]:
    """What every instrument shows, once a minute for a day."""
    plant = Plant(7)
    rows: dict[str, list[float]] = {tag: [] for tag in INSTRUMENTS}
    for minute in range(DAY_S // 60 + 1):
        plant.advance(minute * 60 * NS_PER_S)
        for tag in INSTRUMENTS:
            rows[tag].append(plant.value(tag))
    return rows


def test_a_day_without_incident_passes_no_set_point(day: dict[str, list[float]]) -> None:
    passed = []
    for file in sorted(DEMO.glob("*/points.csv")):
        for row in csv.DictReader(file.read_text("utf-8-sig").splitlines()):
            if (shown := day.get(row["tag"])) is None:
                continue  # the rig's own markers
            low = [float(row[key]) for key in ("ll", "l") if row[key]]
            high = [float(row[key]) for key in ("h", "hh") if row[key]]
            if any(min(shown) <= limit for limit in low) or any(max(shown) >= limit for limit in high):
                passed.append((row["tag"], min(shown), max(shown), low, high))
    assert passed == []


def test_a_day_stays_inside_every_range(day: dict[str, list[float]]) -> None:
    """A zero is an end of the range that a gas detector or a pump at rest may well show."""
    for tag, shown in day.items():
        sheet = INSTRUMENTS[tag]
        assert all(math.isfinite(each) for each in shown)
        if not sheet.is_digital and not sheet.circular:
            assert max(shown) < sheet.range_high, tag


def test_pressures_follow_temperatures(day: dict[str, list[float]]) -> None:
    for pressure, temperature in (("PT-101", "TT-101"), ("PT-201", "TT-202")):
        hottest = max(range(len(day[temperature])), key=day[temperature].__getitem__)
        coldest = min(range(len(day[temperature])), key=day[temperature].__getitem__)
        assert day[pressure][hottest] > day[pressure][coldest]


def test_day_and_night_are_felt(day: dict[str, list[float]]) -> None:
    assert max(day["TT-202"]) - min(day["TT-202"]) > 8  # vapour space of a sphere in the sun
    assert max(day["TT-201"]) - min(day["TT-201"]) < 4  # its liquid


def reactor(back_s: int | None) -> Plant:
    plant = Plant(7, ["TT-301", "PT-301", "FT-301", "XV-301", "XV-303", "AT-302"])
    plant.apply(CoolingFails("reactor"), FAILS_S * NS_PER_S)
    if back_s is not None:
        plant.apply(CoolingBack("reactor"), (FAILS_S + back_s) * NS_PER_S)
    return plant


def highest(plant: Plant, tag: str, until_s: int) -> float:
    top = -math.inf
    for second in range(plant.t_ns // NS_PER_S, until_s):
        plant.advance(second * NS_PER_S)
        top = max(top, plant.truth(tag))
    return top


def test_without_cooling_the_reactor_heats_up_faster_and_faster_until_relief() -> None:
    plant = reactor(None)
    plant.advance(FAILS_S * NS_PER_S)
    temperatures = []
    for second in range(FAILS_S, FAILS_S + 420, 60):
        plant.advance(second * NS_PER_S)
        temperatures.append(plant.truth("TT-301"))
    rises = [later - earlier for earlier, later in pairwise(temperatures)]
    assert rises == sorted(rises)
    assert rises[-1] > 4 * rises[0] > 0
    assert (plant.truth("FT-301"), plant.truth("XV-301")) == (0.0, 0.0)
    assert highest(plant, "XV-303", FAILS_S + 600) == 1.0
    assert highest(plant, "PT-301", FAILS_S + 1800) < 1.76  # the relief holds it at 10 % above its set pressure


def test_cooling_that_comes_back_in_time_stops_the_runaway() -> None:
    plant = reactor(300)
    assert highest(plant, "TT-301", FAILS_S + 1800) < 70
    plant.advance(2 * 3600 * NS_PER_S)
    assert plant.truth("TT-301") == pytest.approx(60, abs=1)
    assert plant.truth("XV-303") == 0


def test_cooling_that_comes_back_too_late_does_not() -> None:
    assert highest(reactor(420), "XV-303", FAILS_S + 900) == 1.0


def test_a_relief_that_blows_is_smelt() -> None:
    plant = reactor(None)
    assert highest(plant, "AT-302", FAILS_S + 540) > 50


def test_without_cooling_water_the_compressors_stop_at_their_switch_and_the_brine_warms() -> None:
    plant = Plant(7)
    plant.apply(CoolingFails("ammonia"), FAILS_S * NS_PER_S)
    assert highest(plant, "PT-402", FAILS_S + 900) == pytest.approx(2.0, abs=0.05)
    assert [plant.truth(tag) for tag in ("XS-401", "XS-402", "IT-401", "FT-402")] == [0, 0, 0, 0]
    brine_c = plant.truth("TT-403")
    plant.apply(CoolingBack("ammonia"), 1800 * NS_PER_S)
    plant.advance(1800 * NS_PER_S)
    assert plant.truth("TT-403") > brine_c + 1
    plant.advance(4 * 3600 * NS_PER_S)
    assert plant.truth("XS-401") == 1
    assert plant.truth("TT-403") == pytest.approx(-10, abs=1)


def test_a_long_leak_empties_its_tank() -> None:
    """5 kg/s, and the flows of a normal 1000 s beside it."""
    plant = Plant(7)
    before = {tag: plant.truth(tag) for tag in ("LT-103", "LT-203")}
    plant.apply(Leak("cl2-tank-c", 5.0), 0)
    plant.advance(1000 * NS_PER_S)
    assert before["LT-103"] - plant.truth("LT-103") == pytest.approx(100 * 5000 / 50_000, rel=0.01)
    assert plant.truth("LT-203") == pytest.approx(before["LT-203"])
