"""A decoding that a person chose becomes a row of points.csv, or changes one: as text, with what differs. Pure.

A row that is there keeps everything else, and the file its comments and layout. The list is judged as an agent would judge it; a
row that would not be taken is refused before anything is written.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from contract.errors import ConfigError, Fault
from edge_agent.commissioning.probing.decodings import Decoding
from edge_agent.commissioning.probing.folder import LAYOUT
from edge_agent.commissioning.probing.place import Place
from edge_agent.commissioning.probing.ranking import Judged
from edge_agent.settings.io_list import COLUMNS, POINTS_FILE, Surroundings, read_io_list
from edge_agent.settings.points_file import appended_text, points_text
from edge_agent.settings.table import DELIMITERS, read_table

_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Change:
    """``text`` is the whole file; ``differences`` say in words what is new in it."""

    text: str
    differences: tuple[str, ...]


def find(judged: tuple[Judged, ...], wanted: str) -> Judged | None:
    """The decoding with that number or name."""
    return next((each for each in judged if wanted in (str(each.decoding.number), each.decoding.name)), None)


def row_of(place: Place, decoding: Decoding, more: Mapping[str, str]) -> dict[str, str]:
    """Cells of a row; ``more`` are those that the person gave."""
    cells = {"register": place.table.value, "address": str(place.offset), **decoding.cells()}
    if decoding.bit is None and place.table.holds_bits:
        cells["bit"] = ""
    return {**cells, **more}


def change(present: bytes | None, cells: Mapping[str, str], surroundings: Surroundings) -> Change:
    """The list with the row of ``cells["tag"]`` changed, or added below. Raises ConfigError."""
    faults: list[Fault] = []
    records = [] if present is None else read_table(present, LAYOUT, faults)
    if faults:
        raise ConfigError(faults)
    record = next((each for each in records if each.cells.get("tag") == cells["tag"]), None)
    if present is None or record is None:
        row = {column: text for column, text in cells.items() if text}
        text = points_text([row]) if present is None else appended_text(present, [row])
        told = [f"{column}: {text}" for column, text in row.items()]
        number = None
    else:
        before = record.cells
        differing = {column: text for column, text in cells.items() if before.get(column, "") != text}
        told = [
            f"{column}: {before.get(column, '') or 'empty'} -> {text or 'empty'}" for column, text in differing.items()
        ]
        text = _replaced(present, record.row, differing)
        number = record.row
    _judge(text, cells["tag"], surroundings)
    place = f"{POINTS_FILE}, " + (f"row {number}" if number else "new row") + f", {cells['tag']}"
    return Change(text, (place, *(f"  {each}" for each in told or ["nothing differs"])))


def _judge(text: str, tag: str, surroundings: Surroundings) -> None:
    """Raises ConfigError where the agent would not take the row; faults of other rows are left to `check`."""
    faults: list[Fault] = []
    data = text.encode()
    rows = [record.row for record in read_table(data, LAYOUT, []) if record.cells.get("tag") == tag]
    read_io_list(data, surroundings, faults)
    own = [fault for fault in faults if fault.row in rows or fault.row is None]
    if own:
        raise ConfigError(own)


def _replaced(present: bytes, row: int, cells: Mapping[str, str]) -> str:
    """The file with cells of one record replaced; all other lines as they are. ``row`` counts records from 1."""
    text = present.decode("utf-8")
    mark = _MARK if text.startswith(_MARK) else ""
    body = text.removeprefix(_MARK)
    delimiter = max(DELIMITERS, key=lambda each: len(set(_header(body, each)[1]) & set(COLUMNS)))
    header_row, names = _header(body, delimiter)
    lines = list(io.StringIO(body, newline=""))
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, skipinitialspace=True)
    more = [column for column in COLUMNS if cells.get(column) and column not in names]
    out, done = [], 0
    for number, found in enumerate(reader, 1):
        raw = lines[done : reader.line_num]
        done = reader.line_num
        if number == header_row and more:
            raw = [_line([*names, *more], delimiter)]
        if number == row:
            filled = found[: len(names)] + [""] * (len(names) - len(found)) + [""] * len(more)
            for column, place in zip([*names, *more], range(len(filled)), strict=True):
                filled[place] = cells.get(column, filled[place])
            raw = [_line(filled, delimiter)]
        out += raw
    return mark + "".join(out)


def _header(body: str, delimiter: str) -> tuple[int, list[str]]:
    """Which record the header is, counted from 1, and its names."""
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, skipinitialspace=True)
    for number, found in enumerate(reader, 1):
        names = [cell.strip() for cell in found]
        if any(names) and not names[0].startswith("#"):
            return number, names[: max(i for i, name in enumerate(names) if name) + 1]
    return 0, []


def _line(cells: list[str], delimiter: str) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerow(cells)
    return file.getvalue()
