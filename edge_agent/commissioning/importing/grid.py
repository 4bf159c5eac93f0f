"""A sheet as cells of text that know where they stand. Pure; made from a workbook or from CSV, read by ``header`` and ``rows``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

ROWS_MAX: Final = 20_000
COLUMNS_MAX: Final = 200
CELL_LENGTH_MAX: Final = 2_000


class Cell(NamedTuple):
    """Stripped text. ``number``: the spreadsheet held a number. ``wrong``: message and remedy where no value can be had."""

    text: str
    number: bool = False
    wrong: tuple[str, str] | None = None


EMPTY: Final = Cell("")


class Merge(NamedTuple):
    """Corners of a merged range, from 1."""

    top: int
    left: int
    bottom: int
    right: int


class GridError(ValueError):
    """The file cannot be read as a list at all. ``message`` says why, ``remedy`` what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Grid:
    """``rows[0]`` is row 1 of the sheet. ``remarks`` are words about the file as a whole for the person."""

    file: str
    sheet: str | None
    rows: tuple[tuple[Cell, ...], ...]
    merges: tuple[Merge, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        return max((len(row) for row in self.rows), default=0)

    def cell(self, row: int, column: int) -> Cell:
        """By numbers from 1; empty beyond the sheet."""
        if not (1 <= row <= len(self.rows) and 1 <= column <= len(self.rows[row - 1])):
            return EMPTY
        return self.rows[row - 1][column - 1]


def filled(grid: Grid) -> Grid:
    """Each cell of a merged range holds what its first cell shows."""
    rows = [[*row, *[EMPTY] * (grid.width - len(row))] for row in grid.rows]
    for merge in grid.merges:
        if not (1 <= merge.top <= len(rows) and 1 <= merge.left <= grid.width):
            continue
        value = rows[merge.top - 1][merge.left - 1]
        for row in rows[merge.top - 1 : merge.bottom]:
            right = min(merge.right, len(row))
            row[merge.left - 1 : right] = [value] * (right - merge.left + 1)
    return Grid(grid.file, grid.sheet, tuple(map(tuple, rows)), grid.merges, grid.remarks)


def letter(column: int) -> str:
    """A, B ... Z, AA as spreadsheets name columns, from 1."""
    text = ""
    while column:
        column, digit = divmod(column - 1, 26)
        text = chr(65 + digit) + text
    return text
