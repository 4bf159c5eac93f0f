"""Figures of a scenario: what the devices' ledgers and the samples at the aggregator say of a stretch of time. Pure.

``runner`` brings the evidence; a figure beyond its bounds fails the scenario.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from contract.batch import SampleBatch
from contract.clock import NS_PER_MS, NS_PER_S
from contract.quality import is_bad, is_good
from hil_tests.rig.ledger import LedgerRow, RowKind, functions_asked
from hil_tests.rig.registers import Table
from hil_tests.scenario import Measure, What

REQUESTS: Final = (RowKind.SERVED, RowKind.REFUSED, RowKind.SILENT)
READING: Final = frozenset({1, 2, 3, 4})
SHOWN_AGO_NS_MAX: Final = 900 * NS_PER_MS
"""A value is right if its device showed it so long before it was received: longer than a time-out or a publishing interval
of the scenarios, shorter than the distance of two turns of theirs. Stamps of samples come in whole milliseconds."""


@dataclass(frozen=True, slots=True)
class Received:
    """What the aggregator holds of one point; ``table`` and ``address`` of its register, of Modbus points."""

    tag: str
    device: str
    batch: SampleBatch
    table: Table | None = None
    address: int = 0

    def good(self) -> list[tuple[int, float]]:
        """(mono_ns, value) of its good samples, in order."""
        rows = zip(self.batch.mono_ns.tolist(), self.batch.value.tolist(), self.batch.quality.tolist(), strict=True)
        return sorted((mono_ns, value) for mono_ns, value, quality in rows if is_good(quality))

    def bad(self) -> list[int]:
        """mono_ns of its bad samples."""
        rows = zip(self.batch.mono_ns.tolist(), self.batch.quality.tolist(), strict=True)
        return [mono_ns for mono_ns, quality in rows if is_bad(quality)]


@dataclass(frozen=True, slots=True)
class Evidence:
    """``ledgers`` by device."""

    ledgers: Mapping[str, Sequence[LedgerRow]]
    received: Sequence[Received]


@dataclass(frozen=True, slots=True)
class Figure:
    what: str
    value: float
    passed: bool


def other_functions(ledgers: Mapping[str, Sequence[LedgerRow]]) -> Counter[int]:
    """How often devices were asked for a function that does not only read."""
    asked = sum((functions_asked(rows) for rows in ledgers.values()), Counter())
    return Counter({function: count for function, count in asked.items() if function not in READING})


def figure(measure: Measure, moments: Mapping[str, int], evidence: Evidence) -> Figure:
    """``moments``: when each named entry took effect; one that is missing never did, and its figures fail."""
    if measure.after not in moments:
        return Figure(measure.shown(), math.nan, passed=False)
    begin_ns = moments[measure.after]
    window = range(begin_ns + round(measure.from_s * NS_PER_S), begin_ns + round(measure.within_s * NS_PER_S))
    value = _OF[measure.what](measure.devices, window, evidence)
    low = measure.at_least is None or value >= measure.at_least
    high = measure.at_most is None or value <= measure.at_most
    return Figure(measure.shown(), value, low and high)


def _replies_per_s(devices: Sequence[str], window: range, evidence: Evidence) -> float:
    """Of the slowest of the devices."""
    return min(_rate(evidence.ledgers[each], window, (RowKind.SERVED,)) for each in devices)


def _requests_per_s(devices: Sequence[str], window: range, evidence: Evidence) -> float:
    """Of the most asked of the devices."""
    return max(_rate(evidence.ledgers[each], window, REQUESTS) for each in devices)


def _rate(rows: Sequence[LedgerRow], window: range, kinds: Sequence[RowKind]) -> float:
    return sum(row.kind in kinds and row.mono_ns in window for row in rows) * NS_PER_S / len(window)


def _misbehaved(devices: Sequence[str], window: range, evidence: Evidence) -> float:
    rows = (row for each in devices for row in evidence.ledgers[each])
    return sum(row.kind is RowKind.MISCHIEF and row.mono_ns in window for row in rows)


def _good_samples(devices: Sequence[str], window: range, evidence: Evidence) -> float:
    return sum(
        mono_ns in window for point in evidence.received if point.device in devices for mono_ns, _ in point.good()
    )


def _good_points(devices: Sequence[str], window: range, evidence: Evidence) -> float:
    return sum(
        any(mono_ns in window for mono_ns, _ in point.good())
        for point in evidence.received
        if point.device in devices and point.tag != point.device
    )


def _wrong_values(devices: Sequence[str], window: range, evidence: Evidence) -> float:
    """Good samples with a value that the device did not show shortly before."""
    wrong = 0
    for point in evidence.received:
        if point.device in devices and point.tag != point.device:
            shown = [each for row in evidence.ledgers[point.device] if (each := _shown(row, point)) is not None]
            stamps = [mono_ns for mono_ns, _ in shown]
            for mono_ns, value in point.good():
                recent = shown[
                    bisect_right(stamps, mono_ns - SHOWN_AGO_NS_MAX) : bisect_right(stamps, mono_ns + NS_PER_MS)
                ]
                wrong += mono_ns in window and value not in {each for _, each in recent}
    return wrong


def _shown(row: LedgerRow, point: Received) -> tuple[int, float] | None:
    """The moment and the value, if the row tells one of the point."""
    if point.table is None:
        return (row.mono_ns, row.value) if row.kind is RowKind.VALUE and row.name == point.tag else None
    word = row.word(point.table, point.address)
    return None if word is None else (row.mono_ns, word)


def _bad_after_s(devices: Sequence[str], window: range, evidence: Evidence) -> float:
    """Until each point has been BAD; infinite where one never was."""
    first = [
        min((mono_ns for mono_ns in point.bad() if mono_ns in window), default=None)
        for point in evidence.received
        if point.device in devices
    ]
    return max(math.inf if mono_ns is None else (mono_ns - window.start) / NS_PER_S for mono_ns in first)


def _sessions(devices: Sequence[str], window: range, evidence: Evidence) -> float:
    """Most at a time, also those that were open when the window began."""
    most = 0
    for each in devices:
        rows = [row for row in evidence.ledgers[each] if row.kind is RowKind.SESSIONS and row.mono_ns < window.stop]
        before = [row.number for row in rows if row.mono_ns < window.start]
        most = max([most, *before[-1:], *(row.number for row in rows if row.mono_ns >= window.start)])
    return most


_OF: Final[Mapping[What, Callable[[Sequence[str], range, Evidence], float]]] = {
    What.REPLIES_PER_S: _replies_per_s,
    What.REQUESTS_PER_S: _requests_per_s,
    What.MISBEHAVED: _misbehaved,
    What.GOOD_SAMPLES: _good_samples,
    What.GOOD_POINTS: _good_points,
    What.WRONG_VALUES: _wrong_values,
    What.BAD_AFTER_S: _bad_after_s,
    What.SESSIONS: _sessions,
}
