"""The rows of a list go through the checks of ``edge-agent check``, and its faults are told by the sheet's rows and columns. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from contract.errors import Fault
from contract.points import PointSpec
from edge_agent.commissioning.importing.header import Header
from edge_agent.commissioning.importing.reading import Reading
from edge_agent.settings.doubts import doubts_of
from edge_agent.settings.io_list import COLUMNS, REQUIRED, Surroundings, read_io_list

_ALSO: dict[str, tuple[str, ...]] = {
    "range_low": ("range",),
    "range_high": ("range",),
    "l": ("alarm_1",),
    "h": ("alarm_1",),
    "hh": ("alarm_2",),
    "ll": ("alarm_2",),
    "device": ("unit_id",),
    "source": ("location",),
    "register": ("address",),
    "bit": ("address",),
}
"""Where a column of ``points.csv`` may come from, if the list has none of that name."""


def judge(reading: Reading, surroundings: Surroundings, file: str) -> tuple[list[Fault], list[str]]:
    """What the checks find and nobody told yet, and what they allow and is mostly a mistake."""
    found: list[Fault] = []
    points = read_io_list(_as_points(reading.rows).encode(), surroundings, found).points
    told = [
        Fault(file, fault.row, _place(fault.column, reading.header), fault.message, fault.remedy)
        for fault in found
        if (fault.row, fault.column) not in reading.silent and not (fault.row is None and reading.faults)
    ]
    return told, [] if found else _doubts(points, surroundings)


def _doubts(points: Sequence[PointSpec], surroundings: Surroundings) -> list[str]:
    lines = []
    for name, factory in (surroundings.devices or {}).items():
        if factory is not None:
            lines += doubts_of(name, factory, [point for point in points if point.device == name])
    return lines


def _as_points(rows: dict[int, dict[str, str]]) -> str:
    """Each row in the line that it has in the sheet, so that the checks count as the person does."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    used = [column for column in COLUMNS if column in REQUIRED or any(column in row for row in rows.values())]
    writer.writerow(used)
    line = 1
    for number, row in sorted(rows.items()):
        file.write("\n" * (number - line - 1))
        writer.writerow([row.get(column, "") for column in used])
        line = number
    return file.getvalue()


def _place(column: str | None, header: Header) -> str | None:
    if column is None:
        return None
    found = (header.of(each) for each in (column, *_ALSO.get(column, ())))
    return next((each.place for each in found if each), column)
