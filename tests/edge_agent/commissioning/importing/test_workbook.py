"""Workbooks as spreadsheets and as enemies make them: what a person saw is what is read, and nothing grows without bound."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from edge_agent.commissioning.importing import workbook
from edge_agent.commissioning.importing.csv_grid import read_grids
from edge_agent.commissioning.importing.grid import COLUMNS_MAX, Cell, GridError, Merge
from edge_agent.commissioning.importing.workbook import read_sheets


def book_of(path: Path, fill: Callable[[Worksheet], None]) -> Path:
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    fill(sheet)
    book.save(path)
    return path


def four_rows(sheet: Worksheet) -> None:
    for _ in range(4):
        sheet.append(["x"])


def rewritten(path: Path, part: str, change: Callable[[bytes], bytes]) -> Path:
    """The same workbook with other bytes in one part."""
    source = io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name)) if name == part else old.read(name))
    return path


SHEET = "xl/worksheets/sheet1.xml"


def test_cells_are_read_as_a_person_sees_them(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        sheet.append([0.1 + 0.2, 25.0, 0.25, True, " x ", None, "=1+1", "=A1", "#REF!"])
        sheet["C1"].number_format = "0%"
        sheet.merge_cells("A2:B3")
        sheet.row_dimensions[2].hidden = True

    path = book_of(tmp_path / "l.xlsx", fill)
    calculated = b'<c r="H1" t="str"><f>A1</f><v></v></c>'
    rewritten(path, SHEET, lambda data: data.replace(b'<c r="H1"><f>A1</f><v /></c>', calculated))
    [grid] = read_sheets(path)
    first = grid.rows[0]
    assert [cell.text for cell in first[:6]] == ["0.3", "25", "25%", "TRUE", "x", ""]
    assert first[6].wrong is not None
    assert "no value" in first[6].wrong[0]
    assert first[7] == Cell("")
    assert first[8].wrong is not None
    assert grid.merges == (Merge(2, 1, 3, 2),)


def test_a_sheet_is_as_large_as_its_cells_and_not_as_it_claims(tmp_path: Path) -> None:
    path = book_of(tmp_path / "l.xlsx", lambda sheet: sheet.append(["位号"]))
    rewritten(path, SHEET, lambda data: data.replace(b'<dimension ref="A1:A1"', b'<dimension ref="A1:XFD1048576"'))
    [grid] = read_sheets(path)
    assert grid.rows == ((Cell("位号"),),)


def test_columns_beyond_the_bound_are_cut_off_and_rows_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = book_of(tmp_path / "l.xlsx", lambda sheet: sheet.append(["x"] * (COLUMNS_MAX + 50)))
    assert len(read_sheets(path)[0].rows[0]) == COLUMNS_MAX
    monkeypatch.setattr(workbook, "ROWS_MAX", 3)
    long = book_of(tmp_path / "long.xlsx", four_rows)
    with pytest.raises(GridError, match="more than 3 rows"):
        read_sheets(long)


def test_one_row_far_below_costs_no_memory_for_those_between(tmp_path: Path) -> None:
    path = book_of(tmp_path / "l.xlsx", lambda sheet: sheet.append(["x"]))
    rewritten(path, SHEET, lambda data: data.replace(b'r="1"', b'r="1048576"').replace(b'r="A1"', b'r="A1048576"'))
    with pytest.raises(GridError):
        read_sheets(path)


def test_a_zip_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", b"\0" * (workbook.UNPACKED_BYTES_MAX + 1))
    with pytest.raises(GridError, match="unpacks to"):
        read_sheets(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused(tmp_path: Path, encoding: str) -> None:
    path = book_of(tmp_path / "l.xlsx", lambda sheet: sheet.append(["x"]))
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;">]><worksheet>&c;</worksheet>'
    rewritten(path, SHEET, lambda _: bomb.encode(encoding))
    with pytest.raises(GridError, match="document type"):
        read_sheets(path)


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04 no zip", b"\xd0\xcf\x11\xe0" * 100, b"tag,unit\n", b"PK\x05\x06" + b"\0" * 18]
)
def test_what_is_no_workbook_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "l.xlsx"
    path.write_bytes(data)
    with pytest.raises(GridError):
        read_sheets(path)


@pytest.mark.parametrize("part", [SHEET, "xl/workbook.xml", "xl/styles.xml", "xl/_rels/workbook.xml.rels"])
def test_a_damaged_part_is_refused_in_words(tmp_path: Path, part: str) -> None:
    path = book_of(tmp_path / "l.xlsx", lambda sheet: sheet.append(["x", 1]))
    rewritten(path, part, lambda data: data[: len(data) // 2])
    with pytest.raises(GridError, match="cannot be read"):
        read_sheets(path)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"\x81\x00\x82", b"PK\x03\x04", b"a,b\n" * 20_001, b"," * 300])
def test_what_is_no_csv_is_refused(data: bytes) -> None:
    with pytest.raises(GridError):
        read_grids(data, "l.csv")
