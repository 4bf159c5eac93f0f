"""How a number becomes registers: types, ranges and the four orders of bytes and words.

The encoding twin of what a driver decodes, written apart from it on purpose: two ends that share code agree on the same
mistake.
"""

from __future__ import annotations

import math
import struct
from enum import StrEnum
from typing import Final

from contract.points import PointType


class Table(StrEnum):
    """The four tables of a Modbus device."""

    HOLDING = "holding"
    INPUT = "input"
    COIL = "coil"
    DISCRETE = "discrete"

    @property
    def holds_bits(self) -> bool:
        return self in (Table.COIL, Table.DISCRETE)


class Order(StrEnum):
    """How the bytes of a number lie in its registers; A is the most significant byte of a 32-bit one.

    For 64 bits the same is meant: CDAB reverses the words, BADC swaps the bytes in each word, DCBA does both.
    """

    ABCD = "ABCD"
    CDAB = "CDAB"
    BADC = "BADC"
    DCBA = "DCBA"


_FORMAT: Final = {
    PointType.UINT16: ">H", PointType.INT16: ">h", PointType.UINT32: ">I", PointType.INT32: ">i",
    PointType.UINT64: ">Q", PointType.INT64: ">q", PointType.FLOAT32: ">f", PointType.FLOAT64: ">d",
}  # fmt: skip


def width(type_: PointType) -> int:
    """Addresses that a number takes: registers, or one bit."""
    return 1 if type_ is PointType.BIT else struct.calcsize(_FORMAT[type_]) // 2


def number_range(type_: PointType) -> tuple[int, int]:
    """Lowest and highest number of an integer type."""
    assert type_.is_integer, type_
    if type_ is PointType.BIT:
        return 0, 1
    bits = 16 * width(type_)
    return (0, (1 << bits) - 1) if type_.startswith("u") else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def wire_break(type_: PointType) -> int:
    """What an analogue input of a controller reads when the loop to its transmitter is open: 7FFFh and the like, as the
    S7 modules do. A register has no other way to say it."""
    assert type_.is_integer, type_
    bits = 16 * width(type_)
    return (1 << (bits - 1)) - 1


def resolve(type_: PointType, number: float) -> float:
    """The number that the register can hold: integers round half to even and stop at the ends of their range, as a
    converter does; float32 rounds to the nearest one, and to infinity beyond its range.

    Raises ValueError for NaN in an integer.
    """
    if type_ is PointType.FLOAT32:
        return _float32(number)
    if type_ is PointType.FLOAT64:
        return number
    if math.isnan(number):
        raise ValueError(f"a {type_} cannot say NaN")
    lowest, highest = number_range(type_)
    if math.isinf(number):
        return highest if number > 0 else lowest
    return min(highest, max(lowest, round(number)))


def encode(type_: PointType, order: Order, number: float) -> tuple[int, ...]:
    """The registers (or the one bit) of a number that ``resolve`` gave, in the order of their addresses."""
    if type_ is PointType.BIT:
        return (int(number),)
    data = struct.pack(_FORMAT[type_], number)
    words = [data[i : i + 2] for i in range(0, len(data), 2)]
    if order in (Order.CDAB, Order.DCBA):
        words.reverse()
    return tuple(int.from_bytes(word, "little" if order in (Order.BADC, Order.DCBA) else "big") for word in words)


def _float32(number: float) -> float:
    try:
        return float(struct.unpack(">f", struct.pack(">f", number))[0])
    except OverflowError:
        return math.copysign(math.inf, number)
