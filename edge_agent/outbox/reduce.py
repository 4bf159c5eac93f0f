"""Report by exception: which samples are worth keeping as telemetry.

Between the engine, which judges every sample, and the telemetry store. Pure, and vectorised over a batch: its cost does
not depend on the number of points. A sample is kept when it is the first of its point, when its quality changed, when
its value moved by more than ``report_deadband`` since the last one kept, or when ``report_max_s`` has passed since.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.batch import SampleBatch
from contract.clock import NS_PER_S
from contract.points import Catalogue

_NEVER: Final = -1
_NO_ROW: Final = -1


class Reducer:
    """Remembers the last kept sample of each point of one catalogue version; a new version takes a new Reducer."""

    def __init__(self, catalogue: Catalogue, former: Reducer | None = None) -> None:
        """``former``: what it kept last of points that are here too, by their ids, goes on to count."""
        ids = np.array([point.id for point in catalogue], np.int64)
        self._row_of_id = np.full(int(ids.max(initial=-1)) + 1, _NO_ROW, np.int64)
        self._row_of_id[ids] = np.arange(len(ids))
        bands = [point.report_deadband for point in catalogue]
        self._every = np.array([band is None for band in bands], np.bool_)
        self._deadband = np.array([0.0 if band is None else band for band in bands], np.float64)
        self._max_ns = np.array([round(point.report_max_s * NS_PER_S) for point in catalogue], np.int64)
        self._value = np.zeros(len(ids), np.float64)
        self._raw = np.zeros(len(ids), np.int64)
        self._quality = np.full(len(ids), _NEVER, np.int16)
        self._mono_ns = np.zeros(len(ids), np.int64)
        self._seen_at = np.zeros(len(ids), np.int64)
        if former is not None:
            self._take_over(former, ids)

    def _take_over(self, former: Reducer, ids: NDArray[np.int64]) -> None:
        theirs = former._rows(ids.astype(np.int32))
        mine = np.flatnonzero(theirs != _NO_ROW)
        for name in ("_value", "_raw", "_quality", "_mono_ns"):
            getattr(self, name)[mine] = getattr(former, name)[theirs[mine]]

    def keep(self, batch: SampleBatch) -> NDArray[np.bool_]:
        """bool[n]: the rows worth keeping. TICK rows and points that the catalogue lacks are not."""
        kept = np.zeros(len(batch), np.bool_)
        rows = self._rows(batch.point)
        index = np.flatnonzero(rows != _NO_ROW)
        for turn in self._turns(rows, index):
            kept[turn] = self._keep_distinct(batch, turn, rows[turn])
        return kept

    def _rows(self, point: NDArray[np.int32]) -> NDArray[np.int64]:
        known = (point >= 0) & (point < len(self._row_of_id))
        rows = np.full(len(point), _NO_ROW, np.int64)
        rows[known] = self._row_of_id[point[known]]
        return rows

    def _turns(self, rows: NDArray[np.int64], index: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Split ``index`` so that no point comes twice in one part, each point's samples in their order."""
        mine = rows[index]
        self._seen_at[mine] = np.arange(len(index))
        if np.array_equal(self._seen_at[mine], np.arange(len(index))):
            return [index]
        order = np.argsort(mine, kind="stable")
        by_point = mine[order]
        starts = np.flatnonzero(np.diff(by_point, prepend=-1))
        counts = np.diff(starts, append=len(by_point))
        occurrence = np.arange(len(by_point)) - np.repeat(starts, counts)
        return [index[np.sort(order[occurrence == turn])] for turn in range(int(counts.max()))]

    def _keep_distinct(self, batch: SampleBatch, index: NDArray[np.intp], row: NDArray[np.int64]) -> NDArray[np.bool_]:
        value, quality, mono_ns = batch.value[index], batch.quality[index], batch.mono_ns[index]
        raw = batch.raw[index]
        kept: NDArray[np.bool_] = (
            self._every[row]
            | (quality != self._quality[row])
            | self._moved(value, raw, row)
            | (mono_ns - self._mono_ns[row] >= self._max_ns[row])
        )
        chosen = row[kept]
        self._value[chosen], self._quality[chosen] = value[kept], quality[kept]
        self._mono_ns[chosen], self._raw[chosen] = mono_ns[kept], raw[kept]
        return kept

    def _moved(self, value: NDArray[np.float64], raw: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[np.bool_]:
        last, deadband = self._value[row], self._deadband[row]
        same = (value == last) | (np.isnan(value) & np.isnan(last))
        with np.errstate(invalid="ignore", over="ignore"):
            near = np.abs(value - last) <= deadband
        # Neighbouring 64-bit integers may share one float64; "whenever it changed" means the device's own number.
        hidden = (deadband == 0) & (raw != self._raw[row])
        moved: NDArray[np.bool_] = ~(same | near) | hidden
        return moved
