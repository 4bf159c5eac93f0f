"""What a push would change, in words.

A configuration is a ``ConfigSet``: the bytes of ``FILES`` and of what is in ``models/``, by relative path; what is absent is not in it. Texts
are compared line by line, ``points.csv`` by tag and column, so that moved rows and columns are no news. Touches nothing, but
is not held to the rule for pure modules: the names of files come from ``settings``, which knows the drivers.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from contract.errors import Fault
from contract.wire.frames import POINTS_PER_AGENT_MAX
from edge_agent.settings.agent_file import AGENT_FILE
from edge_agent.settings.io_list import COLUMNS, POINTS_FILE
from edge_agent.settings.load import AGENT_FILE_BYTES_MAX, POINTS_FILE_BYTES_MAX
from edge_agent.settings.models.accepted import ACCEPTED_FILE
from edge_agent.settings.models.uses import DEVICES_FILE
from edge_agent.settings.table import Layout, read_table

FILES: Final = (AGENT_FILE, POINTS_FILE, DEVICES_FILE, ACCEPTED_FILE)
"""All but the first may be absent."""
FILES_MAX: Final = 200
FILE_BYTES_MAX: Final = max(AGENT_FILE_BYTES_MAX, POINTS_FILE_BYTES_MAX)
"""Of any file; which it may be at most is for the gateway's own check to say."""
LINES_MAX: Final = 2000
"""What nobody would read; the rest is counted."""
_LAYOUT: Final = Layout(POINTS_FILE, COLUMNS, ("tag",), POINTS_PER_AGENT_MAX)
_CELL_CHARACTERS_MAX: Final = 200

ConfigSet: TypeAlias = Mapping[str, bytes]


def differences(old: ConfigSet, new: ConfigSet) -> list[str]:
    """Lines for a person; none where the bytes are the same."""
    names = sorted(old.keys() | new.keys(), key=lambda name: (name not in FILES, name))
    lines = [line for name in names for line in _of_file(name, old.get(name), new.get(name))]
    if (more := len(lines) - LINES_MAX) > 0:
        return [*lines[:LINES_MAX], f"and {more} lines more"]
    return lines


def printable(text: str) -> str:
    """What another machine said, without what would steer a terminal."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _of_file(name: str, old: bytes | None, new: bytes | None) -> Iterator[str]:
    if old == new:
        return
    if name == POINTS_FILE and (lines := _of_points(old or b"", new or b"")) is not None:
        yield from lines
        return
    before, after = (_lines(data) for data in (old, new))
    source, target = ("nothing" if data is None else name for data in (old, new))
    found = difflib.unified_diff(before, after, f"{source} (gateway)", f"{target} (here)", lineterm="", n=2)
    yield from [printable(line) for line in found] or [f"{name}: only line ends or bytes that are no text differ"]


def _lines(data: bytes | None) -> list[str]:
    return [] if data is None else data.decode("utf-8-sig", "replace").splitlines()


def _of_points(old: bytes, new: bytes) -> list[str] | None:
    """By tag and column; None where a file has no rows that can be told apart."""
    before, after = _rows(old), _rows(new)
    if before is None or after is None:
        return None
    lines = [f"- {tag}: {_row(before[tag])}" for tag in before if tag not in after]
    lines += [f"+ {tag}: {_row(after[tag])}" for tag in after if tag not in before]
    for tag in after:
        if tag in before and before[tag] != after[tag]:
            columns = [column for column in COLUMNS if before[tag].get(column) != after[tag].get(column)]
            changes = (f"{column} {_cell(before[tag], column)} → {_cell(after[tag], column)}" for column in columns)
            lines.append(f"~ {tag}: {', '.join(changes)}")
    added, removed = len(after.keys() - before.keys()), len(before.keys() - after.keys())
    changed = len(lines) - added - removed
    if not lines:
        return [f"{POINTS_FILE}: the same points; order, comments or layout differ"]
    return [f"{POINTS_FILE}: {added} added, {removed} removed, {changed} changed", *map(printable, lines)]


def _rows(data: bytes) -> dict[str, dict[str, str]] | None:
    if not data:
        return {}
    faults: list[Fault] = []
    records = read_table(data, _LAYOUT, faults)
    rows = {record.cells.get("tag", ""): {k: v for k, v in record.cells.items() if v} for record in records}
    return None if faults or len(rows) < len(records) else rows


def _row(cells: Mapping[str, str]) -> str:
    return ", ".join(f"{column} {_cell(cells, column)}" for column in COLUMNS if column != "tag" and column in cells)


def _cell(cells: Mapping[str, str], column: str) -> str:
    return cells.get(column, "(empty)")[:_CELL_CHARACTERS_MAX]
