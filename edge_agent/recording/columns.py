"""Rows that were judged, as bytes, bit for bit and in order, TICK rows among them.

Pure. Differences along time and along each point, byte planes, one zstd frame: most of a plant stands still most of the
time. ``value`` of an integer point follows from ``raw`` and the catalogue, so only what differs from that takes room.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import zstandard
from numpy.typing import NDArray

from contract.batch import SampleBatch, scale_raw
from contract.errors import FrameError
from contract.wire.chunk import ScaleTable
from contract.wire.codec import decompress
from contract.wire.planes import unzigzag, zigzag

ROWS_MAX: Final = 1 << 18
"""In one block."""
_ROW_BYTES: Final = 4 + 8 * 4 + 1
_U64: Final = np.uint64


def encode(batch: SampleBatch, scales: ScaleTable) -> bytes:
    """At most ROWS_MAX rows, of points of the catalogue that ``scales`` is of, or TICK."""
    assert len(batch) <= ROWS_MAX, f"{len(batch)} rows"
    shift = batch.time_ns - batch.mono_ns
    order, first = _by_point(batch.point)
    scaled, integer = _scaled(batch.point, batch.raw, scales)
    bits = batch.value.view(_U64)
    planes = [
        _planes(batch.point.view(np.uint32)),
        _planes(zigzag(np.diff(batch.mono_ns, prepend=np.int64(0))).astype(_U64)),
        _planes(zigzag(np.diff(shift, prepend=np.int64(0))).astype(_U64)),
        _planes(zigzag(_differences(batch.raw, order, first)).astype(_U64)),
        _planes(np.where(integer, bits ^ scaled, _changes(bits, order, first))),
        batch.quality.tobytes(),
    ]
    return zstandard.ZstdCompressor(level=3).compress(b"".join(planes))


def decode(data: bytes, scales: ScaleTable) -> SampleBatch:
    """Raises FrameError for bytes that ``encode`` did not make."""
    packed = decompress(data, ROWS_MAX * _ROW_BYTES, "rows")
    count, rest = divmod(len(packed), _ROW_BYTES)
    if rest:
        raise FrameError("rows", "are not whole")
    octets = np.frombuffer(packed, np.uint8)
    point = _numbers(octets[: 4 * count], np.dtype("u4")).view(np.int32)
    mono, shift, raw, value = (
        _numbers(octets[count * start : count * (start + 8)], np.dtype("u8")) for start in (4, 12, 20, 28)
    )
    if len(point) and (unknown := ~np.isin(point, scales.ids) & (point != -1)).any():
        raise FrameError("rows", f"point {point[unknown.argmax()]} is not in the catalogue")
    mono_ns = np.cumsum(unzigzag(mono).astype(np.int64))
    time_ns = np.cumsum(unzigzag(shift).astype(np.int64)) + mono_ns
    order, first = _by_point(point)
    raws = _sums(unzigzag(raw).astype(np.int64), order, first)
    scaled, integer = _scaled(point, raws, scales)
    bits = np.where(integer, value ^ scaled, _unchanged(value, order, first))
    quality = octets[36 * count :].copy()
    return SampleBatch(point, time_ns, mono_ns, bits.view(np.float64), quality, raws)


def _by_point(point: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows ordered by point, each point's in their order; for each place there, where its point begins."""
    order = np.argsort(point, kind="stable")
    begins = np.diff(point[order], prepend=np.int32(-2)) != 0
    return order, np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))


def _differences(
    column: NDArray[np.int64], order: NDArray[np.intp], first: NDArray[np.intp]
) -> NDArray[np.int64]:  # fmt: skip
    """Each less the one before it of its point, modulo 2^64; the first of a point as it is."""
    column = column[order]
    found = np.diff(column, prepend=np.int64(0))
    begins = first == np.arange(len(first))
    found[begins] = column[begins]
    return found


def _sums(column: NDArray[np.int64], order: NDArray[np.intp], first: NDArray[np.intp]) -> NDArray[np.int64]:
    total = np.cumsum(column)
    result = np.empty_like(column)
    result[order] = total - (total - column)[first] if len(column) else column
    return result


def _changes(column: NDArray[np.uint64], order: NDArray[np.intp], first: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Bits that differ from the row before of the same point."""
    column = column[order]
    before = np.concatenate(([_U64(0)], column[:-1])) if len(column) else column
    begins = first == np.arange(len(first))
    found = np.empty_like(column)
    found[order] = column ^ np.where(begins, _U64(0), before)
    return found


def _unchanged(column: NDArray[np.uint64], order: NDArray[np.intp], first: NDArray[np.intp]) -> NDArray[np.uint64]:
    column = column[order]
    total = np.bitwise_xor.accumulate(column)
    result = np.empty_like(column)
    result[order] = total ^ (total ^ column)[first] if len(column) else column
    return result


def _scaled(
    point: NDArray[np.int32], raw: NDArray[np.int64], scales: ScaleTable
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Bits of the value that ``raw`` stands for, and whether it stands for one; TICK and floats have none."""
    if not len(scales.ids):
        return np.zeros(len(point), _U64), np.zeros(len(point), np.bool_)
    row = np.minimum(np.searchsorted(scales.ids, point), len(scales.ids) - 1)
    value = scale_raw(raw, scales.scale[row], scales.offset[row], scales.unsigned64[row])
    return value.view(_U64), scales.integer[row] & (scales.ids[row] == point)


def _planes(column: NDArray[Any]) -> bytes:
    """All low bytes, then all second bytes, and so on."""
    octets = np.ascontiguousarray(column).view(np.uint8).reshape(len(column), column.itemsize)
    return np.ascontiguousarray(octets.T).tobytes()


def _numbers(octets: NDArray[np.uint8], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(octets.reshape(dtype.itemsize, -1).T).view(dtype).reshape(-1)
