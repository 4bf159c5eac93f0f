"""The bytes of a CSV file as control systems and spreadsheets export it become a grid. Pure.

UTF-8 and UTF-16 with or without a mark, GB18030; between cells a comma, semicolon, tab or bar, whichever makes the best header.
"""

from __future__ import annotations

import csv
import io
from typing import Final

from edge_agent.commissioning.importing.grid import CELL_LENGTH_MAX, COLUMNS_MAX, ROWS_MAX, Cell, Grid, GridError

DELIMITERS: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_LOOK_BYTES: Final = 1000
_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How .xlsx and .xls begin."""


def read_text(data: bytes) -> tuple[str, str]:
    """The text and the name of its encoding. Raises GridError."""
    for encoding in _encodings(data):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text, encoding.removesuffix("-sig")
    remedy = "Save it as 'CSV UTF-8' (Excel: Save As, file type CSV UTF-8) or as .xlsx"
    raise GridError("the text is neither UTF-8, GB18030 nor UTF-16", remedy)


def _encodings(data: bytes) -> list[str]:
    if data.startswith(_WORKBOOKS):
        raise GridError("this is a workbook and no CSV", "Save it as .xlsx, under that name")
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return [encoding]
    look = data[:_LOOK_BYTES]
    if look[1::2].count(0) * 4 > len(look):
        return ["utf-16-le"]
    if look[::2].count(0) * 4 > len(look):
        return ["utf-16-be"]
    return ["utf-8", "gb18030"]


def read_grids(data: bytes, file: str) -> list[Grid]:
    """A grid for each sign that may stand between cells; the one with the best header is meant. Raises GridError."""
    text, encoding = read_text(data)
    grids = [_parsed(text, delimiter, file, encoding) for delimiter in DELIMITERS if delimiter in text]
    return grids or [_parsed(text, ",", file, encoding)]


def _parsed(text: str, delimiter: str, file: str, encoding: str) -> Grid:
    rows: list[tuple[Cell, ...]] = []
    try:
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True):
            if len(rows) == ROWS_MAX or len(cells) > COLUMNS_MAX:
                what = f"{ROWS_MAX} rows" if len(rows) == ROWS_MAX else f"{COLUMNS_MAX} columns"
                raise GridError(f"there are more than {what}", "Cut out what is no I/O list")
            rows.append(tuple(Cell(each.strip()[:CELL_LENGTH_MAX]) for each in cells))
    except csv.Error as error:
        remedy = "Look for a quote sign that has no partner in or after this row"
        raise GridError(f"row {len(rows) + 1} cannot be read ({error})", remedy) from error
    return Grid(file, None, tuple(rows), remarks=(f"read as {encoding.upper()} with {DELIMITERS[delimiter]}",))
