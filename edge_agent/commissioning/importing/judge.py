"""The rows of a list go through the checks of ``edge-agent check``, and its faults are told by the sheet's rows and columns. Pure."""

from __future__ import annotations

import csv
import io

from contract.errors import Fault
from edge_agent.commissioning.importing.header import Header
from edge_agent.commissioning.importing.reading import Reading
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


def judge(reading: Reading, surroundings: Surroundings, file: str) -> list[Fault]:
    """What the checks find and nobody told yet."""
    found: list[Fault] = []
    read_io_list(_as_points(reading.rows).encode(), surroundings, found)
    return [
        Fault(file, fault.row, _place(fault.column, reading.header), fault.message, fault.remedy)
        for fault in found
        if (fault.row, fault.column) not in reading.silent and not (fault.row is None and reading.faults)
    ]


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
