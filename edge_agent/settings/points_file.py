"""Rows become ``points.csv``, or are added to one that people keep: what is written is what ``table`` reads back.

For commands that make a list. Rows come in as text by column (``io_list.COLUMNS``); an empty text or a missing column is an
empty cell. The file is replaced in one step, so that an agent that starts meanwhile reads the old list or the new one. Rows
are not judged here (``io_list`` does that), but one that would be read back as something else is refused.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from contract.errors import ConfigError, Fault
from contract.wire.frames import POINTS_PER_AGENT_MAX
from edge_agent.settings.io_list import COLUMNS, POINTS_FILE, REQUIRED
from edge_agent.settings.load import POINTS_FILE_BYTES_MAX
from edge_agent.settings.suggest import shown
from edge_agent.settings.table import DELIMITERS, Layout, Record, read_table

Row = Mapping[str, str]

_MARK: Final = "\ufeff"
"""Spreadsheets in Chinese take a file without it for GB18030 and show other signs."""
_LAYOUT: Final = Layout(POINTS_FILE, COLUMNS, REQUIRED, POINTS_PER_AGENT_MAX)


def write_points(path: Path, rows: Sequence[Row]) -> None:
    """A new file in place of what is there. Raises ConfigError (nothing is written then) and OSError."""
    replace_points(path, points_text(rows))


def append_points(path: Path, rows: Sequence[Row]) -> None:
    """Add rows below those that are there, which stay as they are, comments too. A missing file is made.

    Columns that the header lacks are added to it. Raises ConfigError where the file or a row is not right, or a tag is there
    already (nothing is written then), and OSError.
    """
    try:
        with path.open("rb") as file:
            present = file.read(POINTS_FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        write_points(path, rows)
    else:
        replace_points(path, appended_text(present, rows))


def points_text(rows: Sequence[Row]) -> str:
    """A whole file: a header with the columns in use, then the rows. Raises ConfigError."""
    used = _used(rows)
    columns = [column for column in COLUMNS if column in used or column in REQUIRED]
    text = _MARK + _lines([columns], ",") + _lines(_cells(rows, columns), ",")
    _prove(text, [], rows)
    return text


def appended_text(present: bytes, rows: Sequence[Row]) -> str:
    """The file ``present`` with the rows added. Raises ConfigError."""
    faults: list[Fault] = []
    known = read_table(present, _LAYOUT, faults)
    taken = {record.cells.get("tag"): record.row for record in known}
    for tag in (_cell(row, "tag") for row in rows):
        if tag in taken:
            remedy = "Change that row, or choose another tag"
            faults.append(Fault(POINTS_FILE, taken[tag], "tag", f"{shown(tag)} is there already", remedy))
    if faults:
        raise ConfigError(faults)
    text, columns, delimiter = _widened(present.decode("utf-8"), _used(rows))
    text += "" if text.endswith(("\n", "\r")) else "\n"
    text += _lines(_cells(rows, columns), delimiter)
    _prove(text, known, rows)
    return text


def _widened(text: str, used: set[str]) -> tuple[str, list[str], str]:
    """The text of a good file with a header that has all of ``used``, that header, and what stands between its cells."""
    mark = _MARK if text.startswith(_MARK) else ""
    body = text.removeprefix(_MARK)
    (first, end, names), delimiter = max(
        ((_header(body, each), each) for each in DELIMITERS), key=lambda found: len(set(found[0][2]) & set(COLUMNS))
    )
    more = [column for column in COLUMNS if column in used and column not in names]
    if more:
        lines = list(io.StringIO(body, newline=""))
        lines[first:end] = [_lines([[*names, *more]], delimiter)]
        body = "".join(lines)
    return mark + body, [*names, *more], delimiter


def _header(body: str, delimiter: str) -> tuple[int, int, list[str]]:
    """Where the header begins and ends in lines, and its names without nameless ones at the end."""
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=delimiter, skipinitialspace=True)
    first = 0
    for cells in reader:
        names = [cell.strip() for cell in cells]
        if any(names) and not names[0].startswith("#"):
            return first, reader.line_num, names[: max(i for i, name in enumerate(names) if name) + 1]
        first = reader.line_num
    raise AssertionError("a file that was read without a fault has a header")


def _used(rows: Iterable[Row]) -> set[str]:
    used = {column for row in rows for column in row if _cell(row, column)}
    assert used <= set(COLUMNS), used - set(COLUMNS)
    return used


def _cells(rows: Iterable[Row], columns: Sequence[str]) -> list[list[str]]:
    return [[_cell(row, column) for column in columns] for row in rows]


def _cell(row: Row, column: str) -> str:
    return row.get(column, "").strip()


def _lines(rows: Iterable[Sequence[str]], delimiter: str) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return file.getvalue()


def _prove(text: str, known: Sequence[Record], rows: Sequence[Row]) -> None:
    """What was there must be read back as before, and each new row as it is. Raises ConfigError."""
    faults: list[Fault] = []
    size = len(text.encode())
    if size > POINTS_FILE_BYTES_MAX:
        message = f"the file would have {size} bytes, more than {POINTS_FILE_BYTES_MAX}"
        faults.append(Fault(POINTS_FILE, None, None, message, "Share the points out among several agents"))
        raise ConfigError(faults)
    read = read_table(text.encode(), _LAYOUT, faults)
    wanted = [*(_filled(record.cells) for record in known), *(_filled(row) for row in rows)]
    got = [_filled(record.cells) for record in read]
    if not faults and got != wanted:
        lost = next((each for each in wanted if each not in got), {})
        message = f"the row of {shown(lost.get('tag', ''))} would be read back as something else"
        remedy = "Let its tag not be empty nor begin with #, which makes a row a comment"
        faults.append(Fault(POINTS_FILE, None, None, message, remedy))
    if faults:
        raise ConfigError(faults)


def _filled(row: Row) -> dict[str, str]:
    return {column: _cell(row, column) for column in row if _cell(row, column)}


def replace_points(path: Path, text: str) -> None:
    """Put a whole text there in one step: after a crash the file is the former or the new one, with the rights of the former. Raises OSError."""
    place = path.resolve()
    draft = place.with_name(f".{place.name}.new")
    with draft.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if place.exists():
        draft.chmod(place.stat().st_mode & 0o777)
    draft.replace(place)
