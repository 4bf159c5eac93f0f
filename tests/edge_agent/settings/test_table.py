"""Spreadsheets' CSV files, as they come."""

from __future__ import annotations

from typing import Any

import pytest

from contract.errors import Fault
from edge_agent.settings.table import Layout, Record, read_table

LAYOUT = Layout("list.csv", ("tag", "unit", "note"), ("tag", "unit"), 100)


def read(data: str | bytes, layout: Layout = LAYOUT) -> tuple[list[tuple[int, dict[str, str]]], list[Fault]]:
    faults: list[Fault] = []
    records: list[Record] = read_table(data if isinstance(data, bytes) else data.encode(), layout, faults)
    return [(record.row, dict(record.cells)) for record in records], faults


def only_fault(data: str | bytes) -> Fault:
    _, [fault] = read(data)
    return fault


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_dialect_of_a_spreadsheet_reads_the_same(delimiter: str, mark: str, line_end: str) -> None:
    text = mark + "tag,unit,note\nA, ppm ,x\nB,%,\n"
    records, faults = read(text.replace(",", delimiter).replace("\n", line_end))
    assert records == [(2, {"tag": "A", "unit": "ppm", "note": "x"}), (3, {"tag": "B", "unit": "%", "note": ""})]
    assert faults == []


def test_rows_are_numbered_as_a_spreadsheet_does() -> None:
    text = '# list of points\n\ntag,unit,note\n\n,,\n#A,ppm,off\nB,ppm,"two\n\nlines"\nC,ppm,"#"\n'
    records, faults = read(text)
    assert [(row, cells["tag"]) for row, cells in records] == [(7, "B"), (8, "C")]
    assert records[0][1]["note"] == "two\n\nlines"
    assert faults == []


def test_the_separator_may_stand_in_quotes() -> None:
    assert read('tag;unit;note\nA;ppm;"x; y, z"\n')[0] == [(2, {"tag": "A", "unit": "ppm", "note": "x; y, z"})]
    assert read('tag,unit,note\nA,ppm,"x; ""y"", z"\n')[0][0][1]["note"] == 'x; "y", z'


def test_cells_missing_at_the_end_are_empty() -> None:
    assert read("unit,tag,note\nppm,A\n")[0] == [(2, {"unit": "ppm", "tag": "A", "note": ""})]


def test_nameless_columns_at_the_end_are_nothing() -> None:
    records, faults = read("tag,unit,,\nA,ppm,,\n")
    assert records == [(2, {"tag": "A", "unit": "ppm"})]
    assert faults == []


@pytest.mark.parametrize("text", ["tag,unit\nA,ppm,1\nB,ppm\n", "tag,unit,,\nA,ppm,,1\nB,ppm\n"])
def test_a_row_with_more_cells_than_columns_is_one_fault_and_left_out(text: str) -> None:
    records, [fault] = read(text)
    assert [row for row, _ in records] == [3]
    assert (fault.row, fault.column) == (2, None)
    assert "decimals with a point" in fault.remedy


@pytest.mark.parametrize(
    ("header", "column", "message", "remedy"),
    [
        ("tag,unit,nots", "nots", "unknown column 'nots'", "note?"),
        ("tag,unti", "unti", "unknown column 'unti'", "unit?"),
        ("Tag,unit", "Tag", "unknown column 'Tag'", "tag?"),
        ("tag,note", "unit", "missing", "Add it"),
        ("tag,unit,tag", "tag", "twice", "Remove"),
        ("tag,,unit", None, "column 2 has no name", "Name it"),
    ],
)
def test_a_mistake_in_the_header_is_one_fault(header: str, column: str | None, message: str, remedy: str) -> None:
    fault = only_fault(f"\n{header}\n")
    assert (fault.row, fault.column) == (2, column)
    assert message in fault.message
    assert remedy in fault.remedy


@pytest.mark.parametrize("data", ["", "\n\n", "# nothing\n", "\ufeff", ",,,\n"])
def test_an_empty_file_is_a_fault(data: str) -> None:
    fault = only_fault(data)
    assert fault.message == "the file is empty"
    assert "tag, unit" in fault.remedy


def test_text_that_is_not_utf_8_is_a_fault_with_its_row() -> None:
    fault = only_fault('tag,unit,note\nA,ppm,"x\ny"\nB,ppm,储罐\n'.encode("gb18030"))
    assert fault.row == 3
    assert "UTF-8" in fault.remedy
    assert only_fault("tag,unit".encode("utf-16")).row == 1


@pytest.mark.parametrize("row", ['B,"ppm', 'B,"ppm"x,'])
def test_a_quote_without_partner_is_a_fault_and_what_stands_before_is_read(row: str) -> None:
    records, [fault] = read(f"tag,unit\nA,ppm\n{row}\nC,ppm\nD,ppm\n")
    assert [number for number, _ in records] == [2]
    assert fault.row == 3
    assert "quote" in fault.remedy


def test_a_cell_beyond_all_measure_is_a_fault() -> None:
    assert only_fault("tag,unit\nA," + "x" * 200_000).row == 2


def test_reading_ends_at_the_limit_of_records() -> None:
    layout = Layout("list.csv", ("tag",), ("tag",), 2)
    assert read("tag\nA\nB\n", layout)[1] == []
    records, [fault] = read("tag\nA\nB\nC\nD\n", layout)
    assert len(records) == 2
    assert fault.row == 4


def test_what_is_given_is_shown_shortly(folder: Any) -> None:
    folder.write_points({"unit": "x" * 10_000})
    [fault] = folder.faults()
    assert len(fault.message) < 100
