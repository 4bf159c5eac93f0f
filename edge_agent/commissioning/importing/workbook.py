"""Sheets of an .xlsx file become grids: cached values, merged ranges, and formulas that have no value. Touches the file only.

The file comes from anywhere, so its parts are counted and measured before anything of them is parsed: a zip that unpacks to
gigabytes, a document type with entities, a sheet that claims a million rows are refused or cut off.
"""

from __future__ import annotations

import datetime as dt
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final
from xml.etree import ElementTree as ET

from edge_agent.commissioning.importing.grid import (
    CELL_LENGTH_MAX,
    COLUMNS_MAX,
    EMPTY,
    ROWS_MAX,
    Cell,
    Grid,
    GridError,
    Merge,
    letter,
)

FILE_BYTES_MAX: Final = 16 * 1024 * 1024
UNPACKED_BYTES_MAX: Final = 64 * 1024 * 1024
PARTS_MAX: Final = 2_000
SHEETS_MAX: Final = 64
_TYPE_LOOK_BYTES: Final = 4096
_NOT_XLSX: Final = "Open it in a spreadsheet and save it as .xlsx, or as CSV UTF-8"
_ERRORS: Final = frozenset({"#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"})


@dataclass(frozen=True, slots=True)
class _Marks:
    """What is told of a sheet beside the values."""

    merges: tuple[Merge, ...]
    without_value: frozenset[str]
    hidden_rows: int


def read_sheets(path: Path, wanted: str | None = None) -> list[Grid]:
    """The sheets that are not hidden, or the one that is wanted. Raises GridError and OSError."""
    with path.open("rb") as file:
        _examine(file)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # openpyxl warns of styles and extensions, which are not read
                return _read(file, path.name, wanted)
        except GridError:
            raise
        except Exception as error:  # whatever a damaged file makes openpyxl stumble over
            raise GridError(f"the workbook cannot be read ({type(error).__name__}: {error})", _NOT_XLSX) from error


def _examine(file: IO[bytes]) -> None:
    size = file.seek(0, 2)
    if size > FILE_BYTES_MAX:
        raise GridError(f"the file is larger than {FILE_BYTES_MAX} bytes", "Save the list alone in a file of its own")
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            unpacked = sum(part.file_size for part in parts)
            if len(parts) > PARTS_MAX or unpacked > UNPACKED_BYTES_MAX:
                message = f"the workbook unpacks to {len(parts)} parts of {unpacked} bytes in all"
                remedy = f"Save the list alone: at most {PARTS_MAX} parts and {UNPACKED_BYTES_MAX} bytes"
                raise GridError(message, remedy)
            for part in parts:
                with archive.open(part) as opened:
                    head = opened.read(_TYPE_LOOK_BYTES).replace(b"\x00", b"")
                if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
                    raise GridError(f"{part.filename} declares a document type, which no spreadsheet does", _NOT_XLSX)
    except (zipfile.BadZipFile, RuntimeError, EOFError) as error:  # broken, encrypted or packed in another way
        raise GridError(f"this is no .xlsx file ({error})", _NOT_XLSX) from error
    file.seek(0)


def _read(file: IO[bytes], name: str, wanted: str | None) -> list[Grid]:
    from openpyxl import load_workbook

    book = load_workbook(file, read_only=True, data_only=True)
    try:
        sheets: Sequence[Any] = book.worksheets
        titles = [sheet.title for sheet in sheets]
        if len(sheets) > SHEETS_MAX:
            raise GridError(f"there are {len(sheets)} sheets", f"Keep at most {SHEETS_MAX}")
        if wanted is not None and wanted not in titles:
            raise GridError(f"there is no sheet '{wanted}'", f"Its sheets are: {', '.join(titles)}")
        chosen = [
            sheet for sheet in sheets if sheet.title == wanted or (wanted is None and sheet.sheet_state == "visible")
        ]
        with zipfile.ZipFile(file) as archive:
            places = _places(archive)
            return [_grid(sheet, name, _marks(archive, places[sheet.title])) for sheet in chosen]
    finally:
        book.close()


def _grid(sheet: Any, name: str, marks: _Marks) -> Grid:
    rows: list[tuple[Cell, ...]] = []
    for number, row in enumerate(sheet.iter_rows(max_col=COLUMNS_MAX, max_row=ROWS_MAX + 1), 1):
        if number > ROWS_MAX:
            raise GridError(f"sheet '{sheet.title}' has more than {ROWS_MAX} rows", "Delete the rows below the list")
        cells = [_cell(each, f"{letter(column)}{number}" in marks.without_value) for column, each in enumerate(row, 1)]
        while cells and cells[-1] == EMPTY:
            cells.pop()
        rows.append(tuple(cells))
    while rows and not rows[-1]:
        rows.pop()
    remarks = (f"{marks.hidden_rows} hidden rows were read like the others",) if marks.hidden_rows else ()
    return Grid(name, sheet.title, tuple(rows), marks.merges, remarks)


def _cell(cell: Any, without_value: bool) -> Cell:  # noqa: FBT001 - one fact of the cell
    value = cell.value
    if without_value:
        remedy = "Open it in a spreadsheet, let it calculate, and save; or replace the formula by its value"
        return Cell("(formula)", wrong=("the formula has no value", remedy))
    if value is None:
        return EMPTY
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Cell(*_shown_number(value, cell.number_format))
    if isinstance(value, (dt.date, dt.time, dt.timedelta)):
        remedy = "Format the column as text and type the cell again"
        return Cell(str(value), wrong=(f"the spreadsheet made a date of it: {value}", remedy))
    text = str(value).upper() if isinstance(value, bool) else str(value).strip()[:CELL_LENGTH_MAX]
    wrong = (f"the formula gives the error {text}", "Mend the formula, or type the value") if text in _ERRORS else None
    return Cell(text, wrong=wrong)


def _shown_number(value: float, number_format: str | None) -> tuple[str, bool]:
    """As a person sees it: 15 digits are what spreadsheets keep, and 0.25 under a percent format is 25%."""
    if number_format and "%" in number_format:
        return f"{value * 100:.12g}%", True
    return (str(value) if isinstance(value, int) else f"{value:.15g}"), True


def _places(archive: zipfile.ZipFile) -> dict[str, str]:
    """Where each sheet lies in the archive, by its title."""
    relations = {
        each.get("Id"): each.get("Target", "")
        for each in ET.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314 - no entities: see _examine
    }
    places = {}
    for element in ET.fromstring(archive.read("xl/workbook.xml")).iter():  # noqa: S314
        if _local(element) == "sheet":
            relation = next((text for name, text in element.attrib.items() if name.endswith("}id")), "")
            target = relations.get(relation, "")
            places[element.get("name", "")] = target[1:] if target.startswith("/") else f"xl/{target}"
    return places


def _marks(archive: zipfile.ZipFile, place: str) -> _Marks:
    merges: list[Merge] = []
    without_value: set[str] = set()
    hidden = 0
    with archive.open(place) as file:
        for element in _elements(file):
            match _local(element):
                case "c" if _lacks_value(element):
                    without_value.add(element.get("r", ""))
                case "row":
                    hidden += element.get("hidden") in {"1", "true"} and len(element) > 0
                    element.clear()
                case "mergeCell" if len(merges) < ROWS_MAX:
                    merges.append(_merge(element.get("ref", "")))
                case _:
                    pass
    return _Marks(tuple(merges), frozenset(without_value), hidden)


def _elements(file: IO[bytes]) -> Iterator[ET.Element]:
    for _, element in ET.iterparse(file):  # noqa: S314 - no entities: see _examine
        yield element


def _lacks_value(cell: ET.Element) -> bool:
    """A formula that was never calculated. One that gives an empty text has a value, of the type ``str``."""
    parts = {_local(each): each for each in cell}
    return "f" in parts and cell.get("t") != "str" and not (parts["v"].text if "v" in parts else None)


def _merge(reference: str) -> Merge:
    from openpyxl.utils import range_boundaries

    left, top, right, bottom = range_boundaries(reference)
    assert left and top and right and bottom, reference  # noqa: PT018 - a merge has four corners
    return Merge(top, left, min(bottom, ROWS_MAX), min(right, COLUMNS_MAX))


def _local(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]
