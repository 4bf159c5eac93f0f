"""Samples as columns.

A ``SampleBatch`` is what a driver yields, what kernels judge and what a telemetry chunk gives back. Row ``i`` of every
column belongs together; rows are in order of time as the driver saw them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

TICK: Final = -1
"""``point`` of a row that carries no sample, only the news that time has passed (makes delays and staleness run out)."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a device said of a point beside its number: a text, or its own 32-bit status code (an integer)."""

    point: int
    time_ns: int
    mono_ns: int
    quality: int
    what: str | int


@dataclass(frozen=True, slots=True, eq=False)
class SampleBatch:
    """Columns of ``n`` samples.

    point    int32[n]    id in the catalogue, or TICK
    time_ns  int64[n]    source time, ns UTC: at the device where it gives one, else when the reply arrived
    mono_ns  int64[n]    monotonic time of receipt, ns; valid within the boot id of the agent's start
    value    float64[n]  in the point's unit; NaN where quality is BAD and there is no number
    quality  uint8[n]    contract.quality.Quality
    raw      int64[n]    the device's integer where the point's type is one (uint64 as its two's complement), else 0

    ``said`` is what came beside the numbers, in no order with them, whether or not it is news. No column, since almost no
    batch has any; rows that are picked leave it behind.
    """

    point: NDArray[np.int32]
    time_ns: NDArray[np.int64]
    mono_ns: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    raw: NDArray[np.int64]
    said: tuple[Said, ...] = ()

    def __len__(self) -> int:
        return len(self.point)

    def select(self, index: NDArray[np.intp] | NDArray[np.bool_] | slice) -> SampleBatch:
        """The rows that a numpy index picks."""
        return SampleBatch(
            self.point[index], self.time_ns[index], self.mono_ns[index], self.value[index], self.quality[index],
            self.raw[index],
        )  # fmt: skip

    @staticmethod
    def empty() -> SampleBatch:
        return SampleBatch.zeros(0)

    @staticmethod
    def zeros(n: int) -> SampleBatch:
        return SampleBatch(
            np.zeros(n, np.int32), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.float64),
            np.zeros(n, np.uint8), np.zeros(n, np.int64),
        )  # fmt: skip

    @staticmethod
    def tick(time_ns: int, mono_ns: int) -> SampleBatch:
        """A single TICK row."""
        batch = SampleBatch.zeros(1)
        batch.point[0], batch.time_ns[0], batch.mono_ns[0], batch.value[0] = TICK, time_ns, mono_ns, np.nan
        return batch

    @staticmethod
    def concat(batches: Sequence[SampleBatch]) -> SampleBatch:
        if not batches:
            return SampleBatch.empty()
        return SampleBatch(
            np.concatenate([b.point for b in batches]), np.concatenate([b.time_ns for b in batches]),
            np.concatenate([b.mono_ns for b in batches]), np.concatenate([b.value for b in batches]),
            np.concatenate([b.quality for b in batches]), np.concatenate([b.raw for b in batches]),
            tuple(each for b in batches for each in b.said),
        )  # fmt: skip


def scale_raw(
    raw: NDArray[np.int64],
    scale: NDArray[np.float64],
    offset: NDArray[np.float64],
    unsigned64: NDArray[np.bool_] | None = None,
    out: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """The one function that turns raw integers into values, at both ends, bit for bit.

    raw, scale, offset, unsigned64, out have one shape. value = float64(raw) * scale + offset, each operation rounded on its
    own (IEEE 754 binary64, no fused multiply-add); where ``unsigned64`` is set, raw is read as uint64 (None: nowhere). The
    values are written to ``out`` where it is given.
    """
    number = raw.astype(np.float64)
    if unsigned64 is not None and unsigned64.any():
        number = np.where(unsigned64, raw.view(np.uint64).astype(np.float64), number)
    product = np.multiply(number, scale, out=out)
    return np.add(product, offset, out=product)
