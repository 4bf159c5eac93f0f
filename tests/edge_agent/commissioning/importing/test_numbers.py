"""Numbers, ranges and addresses as they stand in plants' cells."""

from __future__ import annotations

import pytest

from edge_agent.commissioning.importing.addresses import Meaning, Place, Style, Undecided, meaning_of, read_address
from edge_agent.commissioning.importing.alarms import from_levels
from edge_agent.commissioning.importing.numbers import CommaUnknown, commas, read_number, read_range
from edge_agent.commissioning.importing.scaling import scale_of
from edge_agent.commissioning.importing.words import words
from edge_agent.settings.cells import CellError


def ignore(_: str) -> None:
    """Words that this test does not ask for."""


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("0~100", ("0", "100")), ("0-1.6MPa", ("0", "1.6")), ("-50~150", ("-50", "150")), ("-50-150", ("-50", "150")),
        ("-50--10", ("-50", "-10")), ("(-20)~(+40)", ("-20", "40")), ("±5", ("-5", "5")), ("0 to 2.5", ("0", "2.5")),
        ("0MPa~1.6MPa", ("0", "1.6")), ("0…10", ("0", "10")), ("０～１００", ("0", "100")), ("0/100", ("0", "100")),
    ],
)  # fmt: skip
def test_a_range_is_read_however_it_is_written(text: str, ends: tuple[str, str]) -> None:
    assert read_range(text, "MPa", "none", words()) == ends


@pytest.mark.parametrize(
    ("text", "value"), [("≥25", "25"), ("25%LEL", "25"), ("25 %", "25"), (" 1.50 ", "1.50"), ("+3", "3")]
)
def test_a_number_is_read_with_sign_and_unit(text: str, value: str) -> None:
    assert read_number(text, "%LEL", "none", words(), ignore) == value


@pytest.mark.parametrize("text", ["25ppm", "H", "1.2.3", "12a", "1;2", "25 50"])
def test_what_is_no_number_of_the_point_is_refused(text: str) -> None:
    with pytest.raises(CellError):
        read_number(text, "%LEL", "none", words(), ignore)


def test_a_comma_is_decided_by_the_whole_list_or_asked() -> None:
    assert commas(["1,5", "1,500"]) == "decimal"
    assert commas(["1,500.5", "2,000"]) == "thousands"
    assert commas(["1,500"]) is None
    assert commas(["1,5", "1,500.5"]) is None
    assert commas(["15"]) == "none"
    assert read_number("1,500", None, "thousands", words(), ignore) == "1500"
    with pytest.raises(CommaUnknown):
        read_number("1,500", None, None, words(), ignore)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("40001", Place("holding", "0")), ("400001", Place("holding", "0")), ("30011", Place("input", "10")),
        ("10001", Place("discrete", "0")), ("00005", Place("coil", "4")), ("4x0001", Place("holding", "0")),
        ("3X0010", Place("input", "9")), ("465536", Place("holding", "65535")), ("40001.03", Place("holding", "0", "03")),
        ("40001-40002", Place("holding", "0")), ("16#1A", Place(None, "26")), ("1AH", Place(None, "26")),
        ("nsu=urn:m:p;s=TT 1", Place(None, "nsu=urn:m:p;s=TT 1")),
    ],
)  # fmt: skip
def test_an_address_is_read_as_manuals_number_it(text: str, place: Place) -> None:
    assert read_address(text, Meaning(Style.REFERENCE, "hex"), is_number=False) == place


def test_how_addresses_are_numbered_is_never_guessed() -> None:
    assert meaning_of(["40001", "30005"], None, None).style is Style.REFERENCE
    assert meaning_of(["0", "12"], None, None).style is Style.WIRE
    assert meaning_of(["1", "12"], None, None).style is None
    assert meaning_of(["40001", "12"], None, None).style is None
    assert meaning_of(["1", "12"], "numbered", None).style is Style.NUMBERED
    assert meaning_of(["0x0010"], None, None).zero_x is None
    assert meaning_of(["0x001A"], None, None).zero_x == "hex"
    assert meaning_of(["0x0010", "4x0001"], None, None).zero_x == "coil"
    for text, meaning in (("12", Meaning(None, None)), ("0x0010", Meaning(Style.WIRE, None))):
        with pytest.raises(Undecided):
            read_address(text, meaning, is_number=False)


def test_levels_of_oxygen_are_lack_and_enrichment() -> None:
    said: list[str] = []
    assert from_levels("%vol", "19.5", "23.5", said.append) == {"l": "19.5", "h": "23.5"}
    assert from_levels("%vol", "19.5", "18", said.append) == {"l": "19.5", "ll": "18"}
    assert len(said) == 2
    assert from_levels("%LEL", "25", "50", said.append) == {"h": "25", "hh": "50"}
    with pytest.raises(CellError, match="is not above level 1"):
        from_levels("%LEL", "50", "25", said.append)


def test_raw_ends_of_the_range_become_a_scale() -> None:
    row = {"range_low": "-20", "range_high": "80"}
    assert scale_of("0..10000", row) == {"scale": "0.01", "offset": "-20"}
    assert scale_of("0.1", row) == {"scale": "0.1"}
    with pytest.raises(CellError):
        scale_of("0..10000", {})


def test_no_word_of_a_value_is_also_a_word_for_none() -> None:
    """What means nothing is taken out of a cell first, so such a word would never be read."""
    known = words()
    tables = (known.units, known.types, known.word_orders, known.registers)
    assert [
        word
        for table in tables
        for word in table
        for kind in ("nothing", "undecided", "ditto")
        if known.says(kind, word)
    ] == []
