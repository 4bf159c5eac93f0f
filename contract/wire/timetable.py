"""When the samples of a chunk were taken, said once per scan instead of once per sample.

A scan (one read of a device) gives many points one stamp (time_ns, mono_ns). A chunk lists its distinct stamps once,
those of one device together and in order of time, and each sample says how many stamps it lies after the former sample
of its point. A point that was in every scan of its device steps by 1 throughout, which costs nothing; a point reported
by exception steps by a few. The batch does not say which device a point belongs to; points that share stamps belong
together, and a wrong guess costs bytes, never truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.batch import SampleBatch
from contract.errors import FrameError
from contract.wire.planes import Signed

_ROUNDS_MAX: Final = 4
"""How often labels spread from stamps to points and back; enough for points that miss scans of a device."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows of a batch, point by point: ascending ids, each point's rows in the order of the batch.

    order   intp[samples]  row of the batch
    ids     int32[points]
    starts  intp[points]   where a point's rows begin in ``order``
    counts  intp[points]   how many it has, at least 1
    """

    order: NDArray[np.intp]
    ids: NDArray[np.int32]
    starts: NDArray[np.intp]
    counts: NDArray[np.intp]

    @staticmethod
    def of(point: NDArray[np.int32]) -> Rows:
        order = _order(point)
        grouped = point[order]
        starts = np.flatnonzero(_changes(grouped))
        return Rows(order, grouped[starts], starts, np.diff(starts, append=len(point)))


@dataclass(frozen=True, slots=True, eq=False)
class Timetable:
    """Distinct stamps, and the stamp of each row in point order.

    time_ns, mono_ns  int64[stamps]
    first             int32[points]   stamp of each point's first row
    steps             int32[samples]  stamps since the point's former row, less 1; 0 in a first row
    """

    time_ns: NDArray[np.int64]
    mono_ns: NDArray[np.int64]
    first: NDArray[np.int32]
    steps: NDArray[np.int32]


def build(batch: SampleBatch, rows: Rows) -> Timetable:
    """``batch`` has at least one row."""
    run_starts = np.flatnonzero(_changes(batch.time_ns) | _changes(batch.mono_ns))
    run_lengths = np.diff(run_starts, append=len(batch))
    time_ns, mono_ns, stamp_of_run = _distinct(batch.time_ns[run_starts], batch.mono_ns[run_starts])
    labels = np.full(len(time_ns), np.iinfo(np.int32).max, np.int32)
    np.minimum.at(labels, stamp_of_run, np.minimum.reduceat(batch.point, run_starts))
    stamp_of_row = np.repeat(stamp_of_run, run_lengths)[rows.order]
    table = _numbered(time_ns, mono_ns, labels, stamp_of_row, rows)
    if table.steps.any():
        table = _numbered(time_ns, mono_ns, _spread(labels, stamp_of_row, rows), stamp_of_row, rows)
    return table


def stamps_of_rows(first: NDArray[np.int64], steps: Signed, counts: NDArray[np.intp], stamps: int) -> NDArray[np.int64]:
    """int64[samples]: the stamp of each row. Raises FrameError where a step leads outside 0..stamps."""
    position = np.cumsum(steps, dtype=np.int64)
    position += np.arange(len(steps))
    starts = np.cumsum(counts) - counts
    position += np.repeat(first - position[starts], counts)
    if len(position) and (position.min() < 0 or position.max() >= stamps):
        raise FrameError("step", f"leads outside the {stamps} stamps")
    return position


def _order(point: NDArray[np.int32]) -> NDArray[np.intp]:
    """Stable order by point. Scans that read the same ascending points each time need a transposition, no sort."""
    again = np.flatnonzero(point == point[0])
    scan = int(again[1]) if len(again) > 1 else len(point)
    if len(point) % scan == 0:
        scans = point.reshape(-1, scan)
        if (scans == scans[0]).all() and (scans[0, 1:] > scans[0, :-1]).all():
            return np.arange(len(point)).reshape(-1, scan).T.ravel()
    return np.argsort(point, kind="stable")


def _changes(column: NDArray[np.int32] | NDArray[np.int64]) -> NDArray[np.bool_]:
    """True in the first row and wherever a row differs from the one before."""
    changed = np.ones(len(column), np.bool_)
    np.not_equal(column[1:], column[:-1], out=changed[1:])
    return changed


def _distinct(
    time_ns: NDArray[np.int64], mono_ns: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Distinct pairs in order of (mono_ns, time_ns), and for each row which one it is."""
    order = np.lexsort((time_ns, mono_ns))
    time_ns, mono_ns = time_ns[order], mono_ns[order]
    fresh = _changes(time_ns) | _changes(mono_ns)
    which = np.empty(len(order), np.int32)
    which[order] = np.cumsum(fresh) - 1
    return time_ns[fresh], mono_ns[fresh], which


def _numbered(
    time_ns: NDArray[np.int64], mono_ns: NDArray[np.int64], labels: NDArray[np.int32],
    stamp_of_row: NDArray[np.int32], rows: Rows,
) -> Timetable:  # fmt: skip
    """Stamps of one label together, in order of time within it."""
    order = np.argsort(labels, kind="stable")
    number = np.empty(len(order), np.int32)
    number[order] = np.arange(len(order), dtype=np.int32)
    position = number[stamp_of_row]
    steps = np.empty_like(position)
    np.subtract(position[1:], position[:-1], out=steps[1:])
    steps -= 1
    steps[rows.starts] = 0
    return Timetable(time_ns[order], mono_ns[order], position[rows.starts], steps)


def _spread(labels: NDArray[np.int32], stamp_of_row: NDArray[np.int32], rows: Rows) -> NDArray[np.int32]:
    """The lowest label of each connected set of stamps and points, as far as a few rounds reach."""
    for _ in range(_ROUNDS_MAX):
        of_point = np.minimum.reduceat(labels[stamp_of_row], rows.starts)
        spread = labels.copy()
        np.minimum.at(spread, stamp_of_row, np.repeat(of_point, rows.counts))
        if np.array_equal(spread, labels):
            break
        labels = spread
    return labels
