"""Batches that tests of telemetry chunks share: small ones by hand, whole plants, and the comparison bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.batch import SampleBatch
from contract.points import PointType

BOOT_ID = "0f" * 16
START_NS = 1_790_000_000_000_000_000
MONO_NS = 5_000_000_000
SECOND_NS = 1_000_000_000


def batch_of(rows: Sequence[tuple[int, int, int, float, int, int]]) -> SampleBatch:
    batch = SampleBatch.zeros(len(rows))
    columns: tuple[NDArray[Any], ...] = (
        batch.point,
        batch.time_ns,
        batch.mono_ns,
        batch.value,
        batch.quality,
        batch.raw,
    )
    for at, row in enumerate(rows):
        for column, cell in zip(columns, row, strict=True):
            column[at] = cell
    return batch


def scans(raw: NDArray[Any], *, ids: NDArray[Any] | None = None, start_ns: int = MONO_NS) -> SampleBatch:
    """raw[scan, point], a scan a second, each with one stamp."""
    count, points = raw.shape
    batch = SampleBatch.zeros(raw.size)
    batch.point[:] = np.tile(np.arange(points) if ids is None else ids, count)
    batch.mono_ns[:] = np.repeat(start_ns + np.arange(count) * SECOND_NS, points)
    batch.time_ns[:] = batch.mono_ns + START_NS
    batch.raw[:] = raw.ravel()
    batch.value[:] = np.nan
    return batch


def uint16s(batch: SampleBatch) -> dict[int, PointType]:
    return dict.fromkeys(np.unique(batch.point).tolist(), PointType.UINT16)


def assert_same(got: SampleBatch, sent: SampleBatch) -> None:
    """Bit for bit, in the documented order."""
    expected = sent.select(np.argsort(sent.point, kind="stable"))
    for name in ("point", "time_ns", "mono_ns", "quality", "raw"):
        column, wanted = getattr(got, name), getattr(expected, name)
        assert column.dtype == wanted.dtype, name
        np.testing.assert_array_equal(column, wanted, err_msg=name)
    assert got.value.dtype == np.float64
    np.testing.assert_array_equal(canonical_bits(got.value), canonical_bits(expected.value), err_msg="value")


def canonical_bits(value: NDArray[Any]) -> NDArray[Any]:
    return np.where(np.isnan(value), np.nan, value).view(np.uint64)


def quiet_plant(seed: int = 5) -> SampleBatch:
    """300 points for 60 s: gas at zero with noise, slow walks, constants."""
    rng = np.random.default_rng(seed)
    gas = np.rint(819 + rng.normal(0, 0.4, (60, 150)))
    walk = np.rint(rng.uniform(8e3, 5e4, 100) + np.cumsum(rng.normal(0, 3, (60, 100)), axis=0))
    return scans(np.hstack([gas, walk, np.full((60, 50), 77)]).astype(np.int64))
