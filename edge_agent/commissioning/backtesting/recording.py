"""A recording as CSV: ``ts`` in whole seconds, then one column per point, an empty field where there is no value.

Reads text, gives columns; every mistake names file, row and column.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.errors import ConfigError, Fault

FAULTS_MAX: Final = 20
"""What more is wrong in a file is not told."""
_LAYOUT: Final = "Give a header ts,NAME... and rows of a time in whole seconds and numbers"


@dataclass(frozen=True, slots=True)
class Recording:
    time_s: NDArray[np.int64]
    names: tuple[str, ...]
    scans: NDArray[np.float64]
    """float64[rows, points], NaN where there is no value."""

    def scan_s(self) -> float:
        """Time between rows: the median, since recordings have holes; 1 where there is none."""
        steps = np.diff(self.time_s)
        steps = steps[steps > 0]
        return float(np.median(steps)) if len(steps) else 1.0


def read(name: str, lines: Iterable[str]) -> Recording:
    """``name`` for errors. ConfigError with all that is wrong, up to FAULTS_MAX."""
    rows = csv.reader(lines)
    header = next(rows, [])
    if len(header) < 2 or header[0] != "ts":
        raise ConfigError([Fault(name, 1, None, "not the header of a recording", _LAYOUT)])
    times: list[int] = []
    scans: list[list[float]] = []
    faults: list[Fault] = []
    for number, row in enumerate(rows, 2):
        if len(faults) >= FAULTS_MAX:
            break
        if len(row) != len(header):
            faults.append(Fault(name, number, None, f"{len(row)} fields, the header has {len(header)}", _LAYOUT))
            continue
        try:
            times.append(int(row[0]))
        except ValueError:
            faults.append(Fault(name, number, "ts", f"{row[0]!r} is no time in whole seconds", _LAYOUT))
        scans.append(
            [_number(text, name, number, column, faults) for text, column in zip(row[1:], header[1:], strict=True)]
        )
    if faults:
        raise ConfigError(faults)
    if not scans:
        raise ConfigError([Fault(name, None, None, "no rows", _LAYOUT)])
    return Recording(np.array(times, np.int64), tuple(header[1:]), np.array(scans, np.float64))


def _number(text: str, name: str, row: int, column: str, faults: list[Fault]) -> float:
    if not text.strip():
        return float("nan")
    try:
        return float(text)
    except ValueError:
        faults.append(
            Fault(name, row, column, f"{text!r} is no number", "Leave the field empty where there is no value")
        )
        return float("nan")
