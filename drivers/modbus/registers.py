"""The bytes of a reply become samples: a whole block at once, no loop over points. Pure.

A ``BlockDecoder`` is made once per request. Word order is folded into its gather indices, so that a reply costs one
numpy gather per type, whatever orders the points have. Bytes come from ``link``, samples leave through ``driver``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.batch import SampleBatch, scale_raw
from contract.points import PointSpec, PointType
from contract.quality import Quality
from drivers.modbus.address import ModbusAddress, WordOrder
from drivers.modbus.planner import ReadRequest

_LITTLE_ENDIAN: Final = {
    PointType.UINT16: "<u2",
    PointType.INT16: "<i2",
    PointType.UINT32: "<u4",
    PointType.INT32: "<i4",
    PointType.UINT64: "<i8",  # kept as its two's complement; scale_raw reads it as unsigned
    PointType.INT64: "<i8",
    PointType.FLOAT32: "<f4",
    PointType.FLOAT64: "<f8",
}
_ROW_ORDER: Final = {type_: rank for rank, type_ in enumerate((PointType.BIT, *_LITTLE_ENDIAN))}


@dataclass(frozen=True, slots=True)
class RegisterPoint:
    """A point of the catalogue and where it lies."""

    spec: PointSpec
    address: ModbusAddress


@dataclass(frozen=True, slots=True, eq=False)
class _Gather:
    """``rows`` of the batch that share a type; ``index[k, b]`` is where byte ``b`` (0: least significant) lies."""

    rows: slice
    index: NDArray[np.intp]
    dtype: str

    def numbers(self, block: NDArray[np.uint8]) -> NDArray[np.generic]:
        return block.take(self.index).view(self.dtype)[:, 0]


class BlockDecoder:
    """Decodes the replies to one request. Rows are in order of type, then of the request's members."""

    def __init__(self, request: ReadRequest, points: Sequence[RegisterPoint]) -> None:
        """``points`` is the sequence that ``request.members`` counts in."""
        members = sorted((points[i] for i in request.members), key=lambda p: _ROW_ORDER[p.spec.type])
        self._reply_size = request.reply_size
        self._size = len(members)
        self._points = np.array([p.spec.id for p in members], np.int32)
        self._bits = slice(0, sum(p.spec.type is PointType.BIT for p in members))
        self._integers = slice(0, sum(p.spec.type.is_integer for p in members))
        self._bit_byte, self._bit_shift = _bit_places(request, members[self._bits])
        self._gathers = tuple(_gathers(request, members))
        self._scale = np.array([p.spec.scale for p in members[self._integers]], np.float64)
        self._offset = np.array([p.spec.offset for p in members[self._integers]], np.float64)
        self._unsigned64 = np.array([p.spec.type is PointType.UINT64 for p in members[self._integers]], np.bool_)

    def decode(self, payload: bytes, time_ns: int, mono_ns: int) -> SampleBatch:
        """Samples of a reply's data bytes, all with the one stamp of their arrival.

        Integers give raw and scaled value, floats the device's own number with raw 0. What is no finite number is
        BAD_SENSOR_FAILURE with the value NaN.
        """
        assert len(payload) == self._reply_size, "the link lets only replies of the right size through"
        batch = self._batch(time_ns, mono_ns)
        block = np.frombuffer(payload, np.uint8)
        batch.raw[self._bits] = (block.take(self._bit_byte) >> self._bit_shift) & 1
        with np.errstate(invalid="ignore", over="ignore"):  # a signalling NaN or an overflow is judged two lines below
            for gather in self._gathers:
                column = batch.raw if gather.rows.stop <= self._integers.stop else batch.value
                column[gather.rows] = gather.numbers(block)
            batch.value[self._integers] = scale_raw(
                batch.raw[self._integers], self._scale, self._offset, self._unsigned64
            )
        broken = ~np.isfinite(batch.value)
        batch.value[broken] = np.nan
        batch.quality[broken] = Quality.BAD_SENSOR_FAILURE
        return batch

    def failed(self, quality: Quality, time_ns: int, mono_ns: int) -> SampleBatch:
        """The rows of a request that brought no values: NaN and raw 0 under a BAD quality."""
        batch = self._batch(time_ns, mono_ns)
        batch.value.fill(np.nan)
        batch.quality.fill(quality)
        return batch

    def _batch(self, time_ns: int, mono_ns: int) -> SampleBatch:
        batch = SampleBatch.zeros(self._size)
        batch.point[:] = self._points
        batch.time_ns.fill(time_ns)
        batch.mono_ns.fill(mono_ns)
        return batch


def _gathers(request: ReadRequest, members: Sequence[RegisterPoint]) -> Iterable[_Gather]:
    for type_, dtype in _LITTLE_ENDIAN.items():
        rows = [row for row, point in enumerate(members) if point.spec.type is type_]
        if rows:
            index = np.array([_byte_places(request, members[row].address) for row in rows], np.intp)
            yield _Gather(slice(rows[0], rows[-1] + 1), index, dtype)


def _byte_places(request: ReadRequest, address: ModbusAddress) -> list[int]:
    """Where the bytes of a value lie in the reply, least significant first."""
    words = range(address.width) if address.order.words_reversed else range(address.width - 1, -1, -1)
    return [2 * (address.offset - request.start + word) + byte for word in words for byte in _low_high(address.order)]


def _low_high(order: WordOrder) -> tuple[int, int]:
    """Within a word on the wire: the place of its low and of its high byte."""
    return (0, 1) if order.bytes_swapped else (1, 0)


def _bit_places(request: ReadRequest, members: Sequence[RegisterPoint]) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
    """Byte in the reply and shift within it, for bits of the bit tables and bits out of registers alike."""
    places = [_bit_place(request, point.address) for point in members]
    return np.array([byte for byte, _ in places], np.intp), np.array([shift for _, shift in places], np.uint8)


def _bit_place(request: ReadRequest, address: ModbusAddress) -> tuple[int, int]:
    place = address.offset - request.start
    if address.bit is None:
        return divmod(place, 8)
    half, shift = divmod(address.bit, 8)
    return 2 * place + _low_high(address.order)[half], shift
