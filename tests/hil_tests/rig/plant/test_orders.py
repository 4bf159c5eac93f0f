"""Plant commands as words: what is written is what is meant, and a mistake is answered with the way to write it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.units import UNITS
from hil_tests.rig.plant import (
    COOLED_UNITS,
    INSTRUMENTS,
    PLANT_USAGES,
    SOURCES,
    CloseCircuit,
    CoolingBack,
    CoolingFails,
    FreeWind,
    Freeze,
    Leak,
    OpenCircuit,
    PlantCommand,
    SetWind,
    StopLeak,
    Unfreeze,
    parse_plant_command,
)
from hil_tests.rig.words import CommandError, shown

GUIDE = (Path(__file__).parents[4] / "docs" / "how-to" / "plant.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("stop_leak", StopLeak()),
        (" stop_leak  cl2-tank-a ", StopLeak("cl2-tank-a")),
        ("cooling_fails reactor", CoolingFails("reactor")),
        ("cooling_back reactor", CoolingBack("reactor")),
        ("freeze AT-101", Freeze("AT-101")),
        ("unfreeze AT-101", Unfreeze("AT-101")),
        ("open_circuit AT-101", OpenCircuit("AT-101")),
        ("close_circuit AT-101", CloseCircuit("AT-101")),
        ("wind_free", FreeWind()),
    ],
)
def test_each_command_is_understood(text: str, command: PlantCommand) -> None:
    assert parse_plant_command(text) == command


@given(st.floats(0.0, 100.0, exclude_min=True), st.floats(0.5, 30.0), st.floats(0.0, 360.0))
def test_numbers_are_taken_exactly_as_they_are_written(rate: float, speed: float, direction: float) -> None:
    assert parse_plant_command(f"leak cl2-tank-a {shown(rate)}") == Leak("cl2-tank-a", rate)
    assert parse_plant_command(f"wind {shown(speed)} {shown(direction)}") == SetWind(speed, direction)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("", "no such plant command ''; there are: leak SOURCE RATE_KG_S; "),
        ("explode cl2-tank-a", "no such plant command 'explode'"),
        ("leak cl2-tank-a", "write: leak SOURCE RATE_KG_S"),
        ("leak cl2-tank-a much", "RATE_KG_S is a number above 0 to 100, not 'much'"),
        ("leak cl2-tank-a nan", "RATE_KG_S is a number above 0"),
        ("leak cl2-tank-a 0", "RATE_KG_S is a number above 0"),
        ("leak cl2-tank-a -1", "RATE_KG_S is a number above 0"),
        ("leak cl2-tank-a 100.1", "RATE_KG_S is a number above 0"),
        ("wind 0.4 200", "SPEED_M_S is a number from 0.5 to 30"),
        ("wind 3 361", "FROM_DEG is a number from 0 to 360"),
        ("wind_free now", "write: wind_free"),
        ("freeze", "write: freeze TAG"),
    ],
)
def test_what_cannot_be_understood_is_answered_with_how_to_write_it(words: str, answer: str) -> None:
    with pytest.raises(CommandError) as error:
        parse_plant_command(words)
    assert str(error.value).startswith(answer)


@pytest.mark.parametrize("usage", PLANT_USAGES)
def test_every_command_is_in_the_guide(usage: str) -> None:
    assert usage in GUIDE


@pytest.mark.parametrize("name", [*SOURCES, *COOLED_UNITS])
def test_every_source_and_unit_is_in_the_guide(name: str) -> None:
    assert f"`{name}`" in GUIDE


def test_the_guide_counts_the_instruments() -> None:
    assert f"watched by {len(INSTRUMENTS)} instruments" in GUIDE


@pytest.mark.parametrize("tag", sorted(INSTRUMENTS))
def test_every_instrument_is_one_that_an_agent_could_read(tag: str) -> None:
    sheet = INSTRUMENTS[tag]
    assert sheet.unit in UNITS
    assert sheet.range_low < sheet.range_high
    assert all(sheet.description)
    assert sheet.org.count("/") in {1, 2}
