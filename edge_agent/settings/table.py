"""A CSV file as spreadsheets write it becomes numbered records of named cells, or faults. Pure.

UTF-8 with or without a byte order mark, comma or semicolon between cells, cells in quotes may hold line ends. A row is a
record and is numbered as a spreadsheet numbers it: from 1, blank rows and comments counted. The first row that is neither
blank nor a comment (first cell begins with ``#``) is the header. Knows nothing of what the columns mean.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contract.errors import Fault
from edge_agent.settings.suggest import did_you_mean, nearest, shown

DELIMITERS: Final = (",", ";")


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file must look like. ``columns`` are all known ones, ``required`` those of them that must be there."""

    file: str
    columns: Sequence[str]
    required: Sequence[str]
    records_max: int
    rows_are: str = "points"


@dataclass(frozen=True, slots=True)
class Record:
    """One row: stripped text by column. A known column that the file lacks is no key; an empty cell is ``""``."""

    row: int
    cells: Mapping[str, str]


def read_table(data: bytes, layout: Layout, faults: list[Fault]) -> list[Record]:
    """The records of a file. What is wrong is added to ``faults``; a row whose cells cannot be told apart is left out."""
    text = _decode(data, layout.file, faults)
    if text is None:
        return []
    known = len(faults)
    rows = _rows(text, _sniff(text, layout.columns), layout.file, faults)
    first = next(rows, None)
    if first is not None:
        return _read_records(rows, _read_header(*first, layout, faults), layout, faults)
    if len(faults) == known:
        remedy = f"The first row names the columns, at least {', '.join(layout.required)}"
        faults.append(Fault(layout.file, None, None, "the file is empty", remedy))
    return []


def header_names(data: bytes) -> list[str]:
    """The names in the header, whatever they are; none where the bytes are no text. For columns that are not known before."""
    text = data.decode("utf-8-sig", "replace")
    found: list[str] = []
    for delimiter in DELIMITERS:
        for _, cells in _rows(text, delimiter, "", []):
            found = max(found, [cell for cell in cells if cell], key=len)
            break
    return found


def _rows(text: str, delimiter: str, file: str, faults: list[Fault]) -> Iterator[tuple[int, list[str]]]:
    """Numbered rows without blank ones and comments. Ends with a fault where the quotes do not add up."""
    row = 0
    try:
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True):
            row += 1
            stripped = [cell.strip() for cell in cells]
            if any(stripped) and not stripped[0].startswith("#"):
                yield row, stripped
    except csv.Error as error:
        remedy = "Look for a quote sign that has no partner in or after this row; what follows could not be read"
        faults.append(Fault(file, row + 1, None, f"the row cannot be read ({error})", remedy))


def _decode(data: bytes, file: str, faults: list[Fault]) -> str | None:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        remedy = "Save it as 'CSV UTF-8' (Excel: Save As, file type CSV UTF-8)"
        row = _row_of(data[: error.start].decode("utf-8-sig", "replace"))
        faults.append(Fault(file, row, None, f"byte {error.start + 1} is not UTF-8 text", remedy))
        return None


def _row_of(before: str) -> int | None:
    """The row in which a text breaks off."""
    try:
        return sum(1 for _ in csv.reader(io.StringIO(before + "x", newline="")))
    except csv.Error:
        return None


def _sniff(text: str, columns: Sequence[str]) -> str:
    """The delimiter that makes the most known names of the header; the comma when in doubt."""
    return max(DELIMITERS, key=lambda delimiter: _known_names(text, delimiter, columns))


def _known_names(text: str, delimiter: str, columns: Sequence[str]) -> int:
    for _, cells in _rows(text, delimiter, "", []):
        return len(set(cells).intersection(columns))
    return 0


def _read_header(row: int, cells: list[str], layout: Layout, faults: list[Fault]) -> list[str]:
    """The name of each column, ``""`` for one that is not to be read. Nameless columns at the end are cut off."""
    names = cells[: max(i for i, name in enumerate(cells) if name) + 1]
    header: list[str] = []
    absent = [each for each in layout.columns if each not in names]
    meant: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name:
            faults.append(Fault(layout.file, row, None, f"column {number} has no name", "Name it or remove it"))
        elif name in header:
            faults.append(Fault(layout.file, row, name, "the column is there twice", "Remove one of them"))
        elif name not in layout.columns:
            meant.update(nearest(name, absent, 1))
            faults.append(Fault(layout.file, row, name, f"unknown column {shown(name)}", did_you_mean(name, absent)))
        header.append(name if name in layout.columns and name not in header else "")
    missing = [name for name in layout.required if name not in header and name not in meant]
    faults.extend(Fault(layout.file, row, name, "the column is missing", "Add it to the header") for name in missing)
    return header


def _read_records(
    rows: Iterator[tuple[int, list[str]]], header: list[str], layout: Layout, faults: list[Fault]
) -> list[Record]:
    records: list[Record] = []
    for row, cells in rows:
        if len(records) == layout.records_max:
            remedy = "Share them out among several agents"
            faults.append(
                Fault(layout.file, row, None, f"there are more than {layout.records_max} {layout.rows_are}", remedy)
            )
            break
        if any(cells[len(header) :]):
            remedy = "Put cells that hold the separator in quotes; write decimals with a point"
            message = f"the row has {len(cells)} cells, the header {len(header)}"
            faults.append(Fault(layout.file, row, None, message, remedy))
            continue
        records.append(_record(row, cells, header))
    return records


def _record(row: int, cells: list[str], header: list[str]) -> Record:
    filled = cells + [""] * (len(header) - len(cells))
    return Record(row, {name: cell for name, cell in zip(header, filled, strict=False) if name})
