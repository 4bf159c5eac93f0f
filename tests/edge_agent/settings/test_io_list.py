"""Each mistake in the I/O list is one fault, in its row and column, with a remedy."""

from __future__ import annotations

import math
from typing import Any

import pytest

from edge_agent.settings import io_list
from edge_agent.settings.io_list import COLUMNS

POINT = {"range_low": "0", "range_high": "100"}
GAS = {"unit": "%LEL", "range_low": "0", "range_high": "100", "h": "25", "hh": "50"}
BIT = {"register": "coil", "type": "bit", "unit": "state"}


def test_ten_mistakes_give_ten_faults_with_row_and_column(folder: Any) -> None:
    folder.write_points(
        {},
        {"tag": "GT-1"},
        {"unit": "mg/m³"},
        {"scale": "1,5"},
        {"h": "50", "hh": "25"},
        {"device": "plk"},
        {"address": "65535", "type": "float32"},
        {"type": "float"},
        {"register": "coil"},
        {},
        {**GAS, "on_delay_2_s": "5"},
        {"poll_s": "0.01"},
    )
    assert folder.places() == [
        ("points.csv", 3, "tag"),
        ("points.csv", 4, "unit"),
        ("points.csv", 5, "scale"),
        ("points.csv", 6, "hh"),
        ("points.csv", 7, "device"),
        ("points.csv", 8, "address"),
        ("points.csv", 9, "type"),
        ("points.csv", 10, "type"),
        ("points.csv", 12, "on_delay_2_s"),
        ("points.csv", 13, "poll_s"),
    ]


def test_all_mistakes_of_one_row_come_at_once(folder: Any) -> None:
    folder.write_points({"tag": "a b", "source": "x/y/z", "device": "plk", "address": "70000", "unit": "C", "h": "?"})
    assert [fault.column for fault in folder.faults()] == ["tag", "source", "device", "address", "unit", "h"]


# (changes to a good row, column at fault, part of the message, part of the remedy)
MISTAKES = [
    ({"tag": ""}, "tag", "empty", "Fill"),
    ({"tag": "GT 1"}, "tag", "'GT 1' is not a tag", "without blanks"),
    ({"tag": "x" * 65}, "tag", "is not a tag", "64"),
    ({"tag": "plc"}, "tag", "name of a device", "Rename"),
    ({"source": ""}, "source", "empty", "Fill"),
    ({"source": "a/b/c"}, "source", "path of a hazard source", "source/unit"),
    ({"source": "tank 1"}, "source", "path of a hazard source", "without blanks"),
    ({"source": "/tank"}, "source", "path of a hazard source", "source/unit"),
    ({"device": ""}, "device", "empty", "Fill"),
    ({"device": "plk"}, "device", "no device 'plk'", "plc?"),
    ({"register": "holdings"}, "register", "'holdings'", "holding?"),
    ({"register": "holding:3"}, "register", "'holding:3'", "holding"),
    ({"address": ""}, "address", "empty", "Fill"),
    ({"address": "-1"}, "address", "not a whole number", "over the wire"),
    ({"address": "65536"}, "address", "above 65535", "0 to 65535"),
    ({"address": "400001"}, "address", "above 65535", "40001"),
    ({"address": "0x10"}, "address", "not a whole number", "0 to 65535"),
    ({"address": "9" * 5000}, "address", "not a whole number", "0 to 65535"),
    ({"address": "65535", "type": "uint32"}, "address", "beyond 65535", "65534"),
    ({"address": "65533", "type": "float64"}, "address", "beyond 65535", "65532"),
    ({"bit": "3"}, "bit", "no single bit", "empty"),
    ({"bit": "16", "type": "bit"}, "bit", "out of range", "0 to 15"),
    ({"type": "bit"}, "bit", "needs its number", "0 (least significant) to 15"),
    ({**BIT, "bit": "1"}, "bit", "no bits inside", "empty"),
    ({"type": ""}, "type", "empty", "Fill"),
    ({"type": "Float32"}, "type", "'Float32'", "float32?"),
    ({"register": "coil"}, "type", "one bit", "type bit"),
    ({"register": "discrete", "type": "float32"}, "type", "one bit", "type bit"),
    ({"word_order": "BACD", "type": "uint32"}, "word_order", "'BACD'", "B"),
    ({"word_order": "CDAB"}, "word_order", "has only one", "BADC"),
    ({"word_order": "DCBA", "type": "int16"}, "word_order", "has only one", "BADC"),
    ({"word_order": "CDAB", "type": "bit", "bit": "0"}, "word_order", "has only one", "BADC"),
    ({**BIT, "scale": "0", "h": "0.5"}, "scale", "every value the same", "step"),
    ({**BIT, "word_order": "BADC"}, "word_order", "no order of bytes", "empty"),
    ({"scale": "0"}, "scale", "every value the same", "step"),
    ({"scale": "2", "type": "float32"}, "scale", "not scaled", "empty"),
    ({"scale": "1,5"}, "scale", "decimal comma", "'1.5'"),
    ({"scale": "nan"}, "scale", "not a finite number", "empty"),
    ({"offset": "-INF"}, "offset", "not a finite number", "empty"),
    ({"offset": "1e999"}, "offset", "too large", "plain number"),
    ({"offset": "1_000"}, "offset", "not a number", "plain number"),
    ({"offset": "1 000"}, "offset", "not a number", "plain number"),
    ({"offset": "１"}, "offset", "not a number", "plain number"),
    ({"unit": ""}, "unit", "empty", "Fill"),
    ({"unit": "mg/m³"}, "unit", "unknown unit", "mg/m3?"),
    ({"unit": "℃"}, "unit", "unknown unit", "degC?"),
    ({"unit": "% lel"}, "unit", "unknown unit", "%LEL?"),
    ({"unit": "furlong"}, "unit", "unknown unit", "ppm"),
    ({"range_low": "5", "range_high": "5"}, "range_high", "not above range_low", "lower one first"),
    ({"range_high": "25 %LEL"}, "range_high", "not a number", "without unit"),
    ({"ll": "5", "l": "5"}, "l", "l 5 is not above ll 5", "ll < l < h < hh"),
    ({"l": "7", "h": "6"}, "h", "h 6 is not above l 7", "ll < l < h < hh"),
    ({"ll": "7", "hh": "6"}, "hh", "hh 6 is not above ll 7", "ll < l < h < hh"),
    ({**POINT, "h": "100.5"}, "h", "outside 0 to 100", "range"),
    ({**POINT, "ll": "-1"}, "ll", "outside 0 to 100", "range"),
    ({"deadband": "-1"}, "deadband", "below 0", "from 0 up"),
    ({**POINT, "h": "25", "deadband": "25"}, "deadband", "h could never return to normal", "smaller"),
    ({**POINT, "l": "90", "deadband": "10"}, "deadband", "l could never return to normal", "smaller"),
    ({**POINT, "h": "0"}, "h", "h could never return to normal", "set-point"),
    ({"l": "10", "h": "15", "deadband": "5"}, "deadband", "reaches from h to l", "distance"),
    ({"on_delay_s": "-1"}, "on_delay_s", "below 0", "0 to 86400"),
    ({"on_delay_2_s": "-1"}, "on_delay_2_s", "below 0", "0 to 86400"),
    ({"off_delay_s": "86401"}, "off_delay_s", "above 86400", "0 to 86400"),
    ({**GAS, "on_delay_2_s": "0.1"}, "on_delay_2_s", "level 2 of a gas", "Give 0"),
    ({"class": "fault"}, "class", "'fault'", "safety"),
    ({"poll_s": "0.049"}, "poll_s", "below 0.05", "0.05 to 3600"),
    ({"poll_s": "3601"}, "poll_s", "above 3600", "0.05 to 3600"),
    ({"poll_s": "2", "stale_s": "2"}, "stale_s", "not above poll_s", "2.5 polls"),
    ({"fault_on_delay_s": "-1"}, "fault_on_delay_s", "below 0", "0 to 86400"),
    ({"fault_off_delay_s": "-1"}, "fault_off_delay_s", "below 0", "0 to 86400"),
    ({"report_deadband": "-0.1"}, "report_deadband", "below 0", "off"),
    ({"report_deadband": "never"}, "report_deadband", "not a number", "off"),
    ({"report_max_s": "0"}, "report_max_s", "below 0.05", "0.05 to 86400"),
    ({"was": "a b"}, "was", "is not a tag", "without blanks"),
    ({"was": "GT-2"}, "was", "still in use in row 3", "gone"),
    ({"description": "x" * 513}, "description", "513 characters", "512"),
    ({**BIT, "h": "0"}, "h", "two states of a bit", "h = 0.5"),
    ({**BIT, "hh": "1.5"}, "hh", "two states of a bit", "h = 0.5"),
    ({**BIT, "l": "1"}, "l", "two states of a bit", "0.5"),
    ({**BIT, "l": "0.4", "h": "0.6"}, "l", "always in alarm", "Keep"),
    ({**BIT, "h": "0.5", "deadband": "0.5"}, "deadband", "never return to normal", "smaller"),
]


@pytest.mark.parametrize(("changes", "column", "message", "remedy"), MISTAKES, ids=lambda part: str(part)[:40])
def test_a_mistake_is_one_fault_with_a_remedy(
    folder: Any, changes: dict[str, str], column: str, message: str, remedy: str
) -> None:
    folder.write_points({"tag": "GT-0"}, changes | {"tag": changes.get("tag", "GT-2")})
    [fault] = folder.faults()
    assert (fault.file, fault.row, fault.column) == ("points.csv", 3, column)
    assert message in fault.message
    assert remedy in fault.remedy


ALLOWED = [
    {"ll": "1", "l": "2", "h": "3", "hh": "4"},
    {"hh": "4"},
    {**POINT, "l": "0", "h": "100"},
    {**POINT, "h": "25", "deadband": "24.9"},
    {"l": "10", "h": "15", "deadband": "4.9"},
    {**GAS, "on_delay_s": "3", "on_delay_2_s": "0"},
    {**GAS, "hh": "", "on_delay_2_s": "5"},
    {"unit": "MPa", "hh": "5", "on_delay_2_s": "5"},
    {**BIT, "h": "0.5"},
    {**BIT, "hh": "1"},
    {**BIT, "l": "0.5"},
    {**BIT, "scale": "-1", "offset": "1", "h": "0.5"},
    {"type": "bit", "bit": "15", "word_order": "BADC"},
    {"address": "65534", "type": "float32", "word_order": "DCBA"},
    {"scale": "-.5E+1", "offset": "+3."},
    {"report_deadband": "0"},
    {"poll_s": "3600", "stale_s": "86400"},
    {"description": 'two\nlines, with "quotes"'},
    {"was": "GT-old"},
]


@pytest.mark.parametrize("changes", ALLOWED, ids=str)
def test_what_is_right_is_no_fault(folder: Any, changes: dict[str, str]) -> None:
    folder.write_points({}, changes)
    assert len(folder.load().points) == 3


def test_a_cell_that_cannot_be_read_is_not_blamed_a_second_time(folder: Any) -> None:
    folder.write_points(
        {"type": "?", "bit": "3", "word_order": "CDAB"},
        {"hh": "?", "h": "50", "range_low": "0", "range_high": "?"},
        {**BIT, "scale": "?", "h": "10"},
        {"poll_s": "?", "stale_s": "0.5"},
        {"register": "?", "type": "bit"},
    )
    assert folder.places() == [
        ("points.csv", 2, "type"),
        ("points.csv", 3, "range_high"),
        ("points.csv", 3, "hh"),
        ("points.csv", 4, "scale"),
        ("points.csv", 5, "poll_s"),
        ("points.csv", 6, "register"),
    ]


def test_a_repeated_tag_is_told_with_the_row_of_the_first(folder: Any) -> None:
    folder.write_points({"tag": "A"}, {"tag": "B"}, {"tag": "A"}, {"tag": "A"})
    assert [(fault.row, fault.column) for fault in folder.faults()] == [(4, "tag"), (5, "tag")]
    assert all("row 2" in fault.message for fault in folder.faults())


def test_a_history_goes_on_in_one_point_only(folder: Any) -> None:
    folder.write_points({"was": "old"}, {"was": "old"}, {"tag": "X", "was": "X"})
    assert folder.places() == [("points.csv", 3, "was"), ("points.csv", 4, "was")]


@pytest.mark.parametrize("word", ["off", "all"])
def test_a_report_deadband_can_be_switched_off(folder: Any, word: str) -> None:
    folder.write_points({"report_deadband": word}, {})
    assert [point.report_deadband for point in folder.load().points[1:]] == [None, 0.0]


def test_a_list_without_points_is_a_fault(folder: Any) -> None:
    folder.write_points()
    [fault] = folder.faults()
    assert (fault.file, fault.row, fault.message) == ("points.csv", None, "there are no points")


def test_the_order_abcd_equals_an_empty_cell(folder: Any) -> None:
    folder.write_points({"word_order": "ABCD"}, {"word_order": "BADC"})
    assert [point.address for point in folder.load().points[1:]] == ["holding:10", "holding:20/BADC"]


def test_a_point_without_set_points_has_none(folder: Any) -> None:
    limits = folder.load().points[-1].limits
    assert all(math.isnan(each) for each in (limits.ll, limits.l, limits.h, limits.hh))


def test_more_points_than_an_agent_can_have_is_one_fault(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(io_list, "POINTS_PER_AGENT_MAX", 2)
    folder.write_points({}, {})
    folder.load()
    folder.write_points({}, {}, {}, {"h": "beyond the limit, not read"})
    assert folder.places() == [("points.csv", 4, None)]


def test_each_column_is_told_in_the_modules_docstring() -> None:
    assert io_list.__doc__ is not None
    words = set(io_list.__doc__.replace(",", " ").replace("*", " ").split())
    assert set(COLUMNS) <= words
