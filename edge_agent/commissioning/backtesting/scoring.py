"""What was raised against what a person knows to have happened: found, false, how late. Pure.

An event is a stretch of time that a label names; it is found by an alarm raised within it. An alarm outside all stretches is
a false one. One that stood already before an event finds nothing: people are told when it begins.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.errors import ConfigError, Fault
from edge_agent.commissioning.backtesting.recording import Recording

Stretch = tuple[int, int]
"""First and last second of an event."""
_LAYOUT: Final = (
    "Give a header file,begin,end and rows of a file's name and two times in whole seconds, the later one last"
)
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Counts:
    events: int = 0
    found: int = 0
    false: int = 0
    delays_s: tuple[float, ...] = ()
    normal_point_days: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.events + other.events, self.found + other.found, self.false + other.false,
            self.delays_s + other.delays_s, self.normal_point_days + other.normal_point_days,
        )  # fmt: skip


def read_labels(name: str, lines: Iterable[str]) -> dict[str, list[Stretch]]:
    """By file. ConfigError that names each row with a mistake."""
    rows = csv.reader(lines)
    if next(rows, []) != ["file", "begin", "end"]:
        raise ConfigError([Fault(name, 1, None, "not the header of labels", _LAYOUT)])
    found: dict[str, list[Stretch]] = {}
    faults = []
    for number, row in enumerate(rows, 2):
        try:
            begin, end = (int(text) for text in row[1:])
        except ValueError:
            begin, end = 1, 0
        if begin > end:
            faults.append(Fault(name, number, None, f"{','.join(row)!r} is no label", _LAYOUT))
        else:
            found.setdefault(row[0], []).append((begin, end))
    if faults:
        raise ConfigError(faults)
    return found


def count(
    recording: Recording, raised: NDArray[np.bool_], events: Sequence[Stretch], *, first_row: int = 0
) -> Counts:  # fmt: skip
    """Of one file. Rows before ``first_row`` were learnt from: neither they nor events that ended among them count."""
    time_s, raised = recording.time_s[first_row:], raised[first_row:]
    if first_row:
        events = [each for each in events if len(time_s) and each[1] >= time_s[0]]
    normal = np.ones(len(time_s), np.bool_)
    delays = []
    for begin, end in events:
        within = (time_s >= begin) & (time_s <= end)
        normal &= ~within
        if len(hits := time_s[within & raised]):
            delays.append(float(hits[0] - begin))
    days = float(normal.sum()) * recording.scan_s() * len(recording.names) / _DAY_S
    return Counts(len(events), len(delays), int((normal & raised).sum()), tuple(delays), days)


def table(counts: Mapping[str, Counts]) -> str:
    """One line per detector; - where nothing is to be divided by."""
    head = f"{'detector':10} {'events':>6} {'found':>6} {'false':>6} {'precision':>9} {'recall':>6} {'F1':>6} "
    lines = [head + f"{'false/point/day':>15} {'delay s':>8}"]
    for name, each in counts.items():
        told = each.found + each.false
        delay = f"{np.median(each.delays_s):.0f}" if each.delays_s else "-"
        lines.append(
            f"{name:10} {each.events:6} {each.found:6} {each.false:6} {_share(each.found, told):>9} "
            f"{_share(each.found, each.events):>6} {_share(2 * each.found, told + each.events):>6} "
            f"{_share(each.false, each.normal_point_days):>15} {delay:>8}"
        )
    return "\n".join(lines)


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.3f}" if whole else "-"
