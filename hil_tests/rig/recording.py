"""Recorded measurements out of CSV files.

A file has a header row; ``ts`` holds seconds (from the start or since 1970, ascending); every other column is a series
of numbers, an empty cell is a value that was missing. Data goes to ``signals.Recording``.
"""

from __future__ import annotations

import csv
import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from contract.clock import NS_PER_S
from contract.errors import ConfigError, Fault

ROWS_MAX: Final = 2_000_000
FAULTS_MAX: Final = 20
"""Enough to see what is wrong with a file; a file of another kind would give one per row."""
TIME_COLUMN: Final = "ts"


@dataclass(frozen=True, slots=True)
class RecordedColumn:
    """``times_ns[i]``: when ``values[i]`` begins, since the first row; ascending. NaN is a missing value."""

    times_ns: tuple[int, ...]
    values: tuple[float, ...]

    @property
    def duration_ns(self) -> int:
        """Until the last value has been shown as long as the one before it (a lone row: one second)."""
        if len(self.times_ns) < 2:
            return NS_PER_S
        return self.times_ns[-1] + (self.times_ns[-1] - self.times_ns[-2])

    def curve(self, *, loop: bool) -> Callable[[int], float]:
        """From nanoseconds since the start to the value of the row that holds then."""
        duration_ns = self.duration_ns

        def at(t_ns: int) -> float:
            within_ns = t_ns % duration_ns if loop else t_ns
            return self.values[bisect_right(self.times_ns, within_ns) - 1]

        return at


def read_column(file: Path, column: str, step_ns: int | None) -> RecordedColumn:
    """Read one column; ``step_ns`` spaces the rows evenly, None takes the file's own ``ts``.

    Raises ConfigError with every fault (at most ``FAULTS_MAX``), each with its row.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            return _parse(file.name, csv.DictReader(stream), column, step_ns)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError([Fault(str(file), None, None, f"cannot be read ({error})", "Give a CSV file.")]) from error


def _parse(name: str, reader: csv.DictReader[str], column: str, step_ns: int | None) -> RecordedColumn:
    needed = [column] if step_ns is not None else [TIME_COLUMN, column]
    header = list(reader.fieldnames or [])
    if missing := [each for each in needed if each not in header]:
        remedy = f"The file has: {', '.join(header) or 'no header row'}."
        raise ConfigError([Fault(name, 1, each, "there is no such column", remedy) for each in missing])
    parser = _Parser(name, column, step_ns)
    parser.take(reader)
    return parser.result()


class _Parser:
    """Collects rows and faults of one column."""

    def __init__(self, name: str, column: str, step_ns: int | None) -> None:
        self._name = name
        self._column = column
        self._step_ns = step_ns
        self._times_ns: list[int] = []
        self._values: list[float] = []
        self._faults: list[Fault] = []

    def take(self, rows: Iterable[dict[str, str]]) -> None:
        for number, row in enumerate(rows, start=2):
            if len(self._faults) >= FAULTS_MAX:
                return
            if len(self._values) >= ROWS_MAX:
                self._fault(number, None, f"more than {ROWS_MAX} rows", "Cut the recording into parts.")
                return
            self._take_value(number, row[self._column])
            self._take_time(number, row)

    def result(self) -> RecordedColumn:
        if not self._values and not self._faults:
            self._fault(None, None, "there are no rows", "Give at least one row below the header.")
        if self._faults:
            raise ConfigError(self._faults)
        first_ns = self._times_ns[0]
        return RecordedColumn(tuple(each - first_ns for each in self._times_ns), tuple(self._values))

    def _take_value(self, number: int, text: str | None) -> None:
        try:
            self._values.append(float(text) if text else math.nan)
        except ValueError:
            self._fault(number, self._column, f"{text!r} is no number", "Leave the cell empty where it is missing.")

    def _take_time(self, number: int, row: dict[str, str]) -> None:
        if self._step_ns is not None:
            self._times_ns.append(self._step_ns * len(self._times_ns))
            return
        time_ns = _seconds_ns(row[TIME_COLUMN])
        if time_ns is None:
            self._fault(number, TIME_COLUMN, f"{row[TIME_COLUMN]!r} is no time", "Write seconds.")
        elif self._times_ns and time_ns <= self._times_ns[-1]:
            self._fault(number, TIME_COLUMN, "is not later than the row above", "Sort the rows, or give step_s.")
        else:
            self._times_ns.append(time_ns)

    def _fault(self, row: int | None, column: str | None, message: str, remedy: str) -> None:
        self._faults.append(Fault(self._name, row, column, message, remedy))


def _seconds_ns(text: str | None) -> int | None:
    """Exact: a float would round the nanoseconds of seconds since 1970."""
    try:
        seconds = Decimal(text or "")
    except InvalidOperation:
        return None
    return int(seconds * NS_PER_S) if seconds.is_finite() else None
