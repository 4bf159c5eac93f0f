"""Gas goes where the wind brings it, when the wind brings it, and thins out on its way."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from contract.clock import NS_PER_S
from hil_tests.rig.plant import INSTRUMENTS, SOURCES, STEP_NS, Leak, Plant, SetWind, StopLeak
from hil_tests.rig.plant.dispersion import CHLORINE_GAS, Cloud

SMALL_KG_S = 0.0002
LEVEL_1_MG_M3 = 1.0
CHLORINE = [f"AT-10{number}" for number in range(1, 9)]
LEAK_S = 30


def leaking(seed: int, source: str = "cl2-tank-a", rate_kg_s: float = SMALL_KG_S) -> Plant:
    plant = Plant(seed)
    plant.apply(Leak(source, rate_kg_s), LEAK_S * NS_PER_S)
    plant.advance(LEAK_S * NS_PER_S)
    return plant


def first_passed(plant: Plant, tags: list[str], level: float, seconds: int) -> dict[str, float]:
    """Seconds from now until the truth at each tag first is ``level``, in order of time."""
    start_ns, passed = plant.t_ns, {}
    for step in range(seconds * NS_PER_S // STEP_NS):
        plant.advance(start_ns + step * STEP_NS)
        for tag in tags:
            if tag not in passed and plant.truth(tag) >= level:
                passed[tag] = step * STEP_NS / NS_PER_S
    return passed


def way_along_the_wind(tag: str, source: str, from_deg: float) -> float:
    place = INSTRUMENTS[tag].at_m
    assert place is not None
    east, north = (there - here for there, here in zip(place, SOURCES[source].at_m, strict=True))
    angle = math.radians(from_deg)
    return -east * math.sin(angle) - north * math.cos(angle)


@pytest.mark.parametrize("seed", range(7, 12))
def test_detectors_are_reached_in_the_order_of_their_way_along_the_wind(seed: int) -> None:
    plant = Plant(seed)
    plant.apply(SetWind(3.0, 245.0), 0)
    plant.apply(Leak("cl2-tank-a", 0.05), NS_PER_S)
    plant.advance(NS_PER_S)
    arrivals = first_passed(plant, CHLORINE, LEVEL_1_MG_M3, 60)
    ways = {tag: way_along_the_wind(tag, "cl2-tank-a", 245.0) for tag in arrivals}
    assert set(arrivals) >= {"AT-101", "AT-102", "AT-103", "AT-104", "AT-105", "AT-107", "AT-108"}
    for (one, one_s), (other, other_s) in pairwise(arrivals.items()):
        assert ways[one] < ways[other] + 4, (one, other)  # evaporators stand side by side
        assert one_s <= other_s
    for tag, arrival_s in arrivals.items():
        assert 0.6 * ways[tag] / 3.0 - 1 <= arrival_s <= 1.3 * ways[tag] / 3.0 + 1


@pytest.mark.parametrize("seed", range(8))
def test_a_small_leak_is_clearly_above_level_1_at_once_and_shown_within_seconds(seed: int) -> None:
    plant = leaking(seed)
    start_ns, passed_ns, clear_ns, shown_ns = plant.t_ns, 0, 0, 0
    while not shown_ns:
        plant.advance(plant.t_ns + STEP_NS)
        assert plant.t_ns < start_ns + 15 * NS_PER_S
        passed_ns = passed_ns or plant.t_ns * (plant.truth("AT-101") >= LEVEL_1_MG_M3)
        clear_ns = clear_ns or plant.t_ns * (plant.truth("AT-101") >= 5 * LEVEL_1_MG_M3)
        shown_ns = plant.t_ns * (plant.value("AT-101") >= LEVEL_1_MG_M3)
    plant.advance(start_ns + 5 * NS_PER_S)
    clear_ns = clear_ns or plant.t_ns * (plant.truth("AT-101") >= 5 * LEVEL_1_MG_M3)
    assert passed_ns
    assert start_ns < clear_ns <= start_ns + 5 * NS_PER_S
    assert shown_ns - passed_ns <= 5 * NS_PER_S


def test_what_stands_upwind_gets_nothing() -> None:
    plant = leaking(7)
    plant.advance((LEAK_S + 60) * NS_PER_S)
    assert plant.truth("AT-106") == pytest.approx(0.0, abs=1e-6)


def test_the_wind_decides_who_gets_it() -> None:
    plant = Plant(7)
    plant.apply(SetWind(3.0, 130.0), 0)  # towards the unloading arm
    plant.apply(Leak("cl2-tank-a", 0.001), 0)
    plant.advance(60 * NS_PER_S)
    assert plant.truth("AT-106") > LEVEL_1_MG_M3
    assert plant.truth("AT-103") < 0.01


def test_after_the_end_of_a_leak_the_air_is_clean_again() -> None:
    plant = leaking(7)
    plant.apply(StopLeak(), (LEAK_S + 60) * NS_PER_S)
    plant.advance((LEAK_S + 60) * NS_PER_S)
    assert plant.truth("AT-102") > LEVEL_1_MG_M3
    plant.advance((LEAK_S + 360) * NS_PER_S)
    assert [plant.truth(tag) for tag in CHLORINE] == [0.0] * 8


def test_twice_the_leak_is_twice_the_concentration() -> None:
    one, twice = leaking(7), leaking(7, rate_kg_s=2 * SMALL_KG_S)
    for plant in (one, twice):
        plant.advance((LEAK_S + 40) * NS_PER_S)
    for tag in ("AT-101", "AT-103", "AT-107"):
        assert twice.truth(tag) == pytest.approx(2 * one.truth(tag))


def test_only_the_gas_that_escapes_is_seen() -> None:
    plant = leaking(7, "lpg-sphere-1", 0.2)
    plant.advance((LEAK_S + 60) * NS_PER_S)
    assert max(plant.truth(tag) for tag in ("AT-201", "AT-202", "AT-203")) > 25
    assert all(plant.truth(tag) == 0.0 for tag in [*CHLORINE, "AT-301", "AT-401"])


@pytest.mark.parametrize(
    ("source", "rate_kg_s", "tags", "level"),
    [
        ("nh3-compressor", 0.005, ["AT-401", "AT-402", "AT-403"], 20.0),
        ("vc-feed-pump", 0.3, ["AT-303"], 25.0),
        ("lpg-pump", 0.2, ["AT-207", "AT-208"], 25.0),
        ("lpg-loading", 0.2, ["AT-209", "AT-210"], 25.0),
        ("cl2-unloading", SMALL_KG_S, ["AT-106"], LEVEL_1_MG_M3),
        ("cl2-evaporator", SMALL_KG_S, ["AT-104", "AT-105"], LEVEL_1_MG_M3),
    ],
)
def test_each_source_has_a_detector_that_sees_its_proposed_leak(
    source: str, rate_kg_s: float, tags: list[str], level: float
) -> None:
    plant = leaking(7, source, rate_kg_s)
    assert first_passed(plant, tags, level, 60)


def test_a_puff_keeps_its_mass_as_it_spreads() -> None:
    """Integrated over the ground and, from the height's width, over the air above it."""
    spacing_m, side = 0.5, range(-60, 61)
    places = {f"{x},{y}": (x * spacing_m, y * spacing_m) for x in side for y in side}
    cloud = Cloud(CHLORINE_GAS, places)
    cloud.release((-20.0, 0.0), 2.0)
    cloud.drift((20.0, 0.0), 1.0)
    height_m = math.hypot(CHLORINE_GAS.at_source_m, CHLORINE_GAS.height * 20.0**CHLORINE_GAS.height_power)
    per_m = sum(cloud.concentrations_mg_m3()) * spacing_m**2
    assert per_m * height_m * math.sqrt(math.pi / 2) == pytest.approx(2.0e6, rel=0.01)


def test_a_steady_plume_thins_out_as_the_way_to_the_power_of_minus_1_3() -> None:
    cloud = Cloud(CHLORINE_GAS, {"near": (20.0, 0.0), "far": (80.0, 0.0)})
    for _ in range(400):
        cloud.drift((3.0, 0.0), 0.1)
        cloud.release((0.0, 0.0), 1e-5)
    near, far = cloud.concentrations_mg_m3()
    assert math.log(far / near) / math.log(4) == pytest.approx(-1.3, abs=0.05)


def test_what_is_out_of_reach_is_forgotten() -> None:
    cloud = Cloud(CHLORINE_GAS, {"here": (0.0, 0.0)})
    cloud.release((0.0, 0.0), 1.0)
    cloud.drift((10.0, 0.0), 26.0)
    assert cloud.is_empty
    assert cloud.concentrations_mg_m3() == [0.0]
