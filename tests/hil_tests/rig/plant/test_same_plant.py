"""Copies of the plant in several processes must be one plant: same seed, same commands, same numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.clock import NS_PER_S
from hil_tests.rig.plant import (
    INSTRUMENTS,
    SOURCES,
    STEP_NS,
    CloseCircuit,
    CoolingBack,
    CoolingFails,
    FreeWind,
    Freeze,
    Leak,
    OpenCircuit,
    Plant,
    PlantCommand,
    SetWind,
    StopLeak,
    Unfreeze,
)
from hil_tests.rig.words import CommandError

END_NS = 20 * NS_PER_S
TAGS = st.sampled_from(sorted(INSTRUMENTS))
COMMANDS: st.SearchStrategy[PlantCommand] = st.one_of(
    st.builds(Leak, st.sampled_from(sorted(SOURCES)), st.floats(1e-5, 10.0)),
    st.builds(StopLeak, st.none() | st.sampled_from(sorted(SOURCES))),
    st.builds(CoolingFails, st.sampled_from(["ammonia", "reactor"])),
    st.builds(CoolingBack, st.sampled_from(["ammonia", "reactor"])),
    st.builds(Freeze, TAGS),
    st.builds(Unfreeze, TAGS),
    st.builds(OpenCircuit, TAGS),
    st.builds(CloseCircuit, TAGS),
    st.builds(SetWind, st.floats(0.5, 30.0), st.floats(0.0, 360.0)),
    st.just(FreeWind()),
)
TIMED = st.lists(st.tuples(st.integers(1, END_NS), COMMANDS), max_size=8)


def shown(plant: Plant) -> dict[str, tuple[str, str]]:
    """Exact, and NaN equals NaN."""
    return {tag: (repr(plant.value(tag)), repr(plant.truth(tag))) for tag in plant.instruments}


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 1 << 31),
    timed=TIMED,
    calls=st.lists(st.integers(0, END_NS), min_size=5, max_size=30),
    only=st.sets(TAGS, max_size=12).map(lambda tags: tags | {"AT-102", "FT-101", "TT-304", "WS-101"}),
)
def test_a_copy_that_is_called_otherwise_and_keeps_less_shows_the_same(
    seed: int, timed: list[tuple[int, PlantCommand]], calls: list[int], only: set[str]
) -> None:
    at_once, asked_often = Plant(seed), Plant(seed, only)
    for at_ns, command in timed:
        at_once.apply(command, at_ns)
    at_once.advance(END_NS)
    # The other copy is told each command only just before its moment.
    told: list[tuple[int, PlantCommand | None]] = [(at_ns - 1, command) for at_ns, command in timed]
    asked: list[tuple[int, PlantCommand | None]] = [(at_ns, None) for at_ns in calls]
    for moment_ns, wish in sorted(told + asked, key=lambda each: each[0]):
        asked_often.advance(moment_ns)
        if wish is not None:
            asked_often.apply(wish, moment_ns + 1)
        shown(asked_often)
    asked_often.advance(END_NS)
    assert shown(asked_often) == {tag: pair for tag, pair in shown(at_once).items() if tag in only}


def test_one_leap_is_as_good_as_steps_of_any_length() -> None:
    """Among the commands some that fall between two seconds: what is frozen then must be that moment's number."""
    leap, steps = Plant(7), Plant(7)
    for plant in (leap, steps):
        plant.apply(SetWind(6.0, 245.0), 1)
        plant.apply(Leak("cl2-tank-a", 0.0002), 3 * NS_PER_S + 1)
        plant.apply(Freeze("AT-102"), 7 * NS_PER_S + 3 * STEP_NS)
        plant.apply(Freeze("WS-101"), 7 * NS_PER_S + 3 * STEP_NS)
        plant.apply(CoolingFails("reactor"), 8 * NS_PER_S + STEP_NS)
        plant.apply(StopLeak(), 15 * NS_PER_S + 7 * STEP_NS)
    leap.advance(END_NS)
    for t_ns in (*range(0, END_NS, 370_000_000), END_NS):
        steps.advance(t_ns)
        shown(steps)
    assert shown(steps) == shown(leap)


def test_another_seed_is_another_plant() -> None:
    one, other = Plant(1), Plant(2)
    for plant in (one, other):
        plant.advance(END_NS)
    assert one.truth("WD-101") != other.truth("WD-101")
    assert one.value("WS-101") != other.value("WS-101") or one.value("PT-101") != other.value("PT-101")


def test_time_counts_in_whole_steps_and_never_goes_back() -> None:
    plant = Plant(1)
    plant.advance(3 * STEP_NS + STEP_NS - 1)
    assert plant.t_ns == 3 * STEP_NS
    before = shown(plant)
    plant.advance(0)
    assert (plant.t_ns, shown(plant)) == (3 * STEP_NS, before)


def test_a_command_is_obeyed_at_the_first_step_at_or_after_its_moment() -> None:
    plant = Plant(1)
    assert plant.apply(OpenCircuit("PT-101"), 5 * STEP_NS - 1) == 5 * STEP_NS
    plant.advance(4 * STEP_NS)
    assert not math.isnan(plant.value("PT-101"))
    plant.advance(5 * STEP_NS)
    assert math.isnan(plant.value("PT-101"))


def test_commands_of_one_step_are_obeyed_in_the_order_of_their_moments() -> None:
    plant = Plant(1)
    plant.apply(CloseCircuit("PT-101"), 5 * STEP_NS)
    plant.apply(OpenCircuit("PT-101"), 5 * STEP_NS - 1)
    plant.apply(OpenCircuit("PT-102"), 5 * STEP_NS)
    plant.apply(CloseCircuit("PT-102"), 5 * STEP_NS)
    plant.advance(5 * STEP_NS)
    assert not math.isnan(plant.value("PT-101"))
    assert not math.isnan(plant.value("PT-102"))


def test_a_command_that_comes_late_is_obeyed_at_the_next_step() -> None:
    plant = Plant(1)
    plant.advance(10 * STEP_NS)
    assert plant.apply(OpenCircuit("PT-101"), 2 * STEP_NS) == 11 * STEP_NS
    plant.advance(11 * STEP_NS)
    assert math.isnan(plant.value("PT-101"))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (Leak("cl2-tank-x", 0.1), "no leak source 'cl2-tank-x'; there are: cl2-tank-a, "),
        (StopLeak("cl2-tank-x"), "no leak source"),
        (CoolingFails("chlorine"), "no cooled unit 'chlorine'; there are: ammonia, reactor"),
        (Freeze("AT-999"), "no instrument 'AT-999'; there are: AT-101, "),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(command: PlantCommand, message: str) -> None:
    plant = Plant(1)
    with pytest.raises(CommandError, match=message):
        plant.apply(command, 0)


def test_a_tag_that_is_not_kept_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        Plant(1, ["AT-999"])
    with pytest.raises(KeyError):
        Plant(1, ["AT-101"]).value("AT-102")
