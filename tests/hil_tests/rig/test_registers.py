"""Numbers in registers, against the worked examples of each order."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.points import PointType
from hil_tests.rig.registers import Order, encode, number_range, resolve, width

INTEGERS = [each for each in PointType if each.is_integer]


@pytest.mark.parametrize(
    ("order", "words32", "words64"),
    [
        (Order.ABCD, (0x0102, 0x0304), (0x0102, 0x0304, 0x0506, 0x0708)),
        (Order.CDAB, (0x0304, 0x0102), (0x0708, 0x0506, 0x0304, 0x0102)),
        (Order.BADC, (0x0201, 0x0403), (0x0201, 0x0403, 0x0605, 0x0807)),
        (Order.DCBA, (0x0403, 0x0201), (0x0807, 0x0605, 0x0403, 0x0201)),
    ],
)
def test_the_four_orders(order: Order, words32: tuple[int, ...], words64: tuple[int, ...]) -> None:
    assert encode(PointType.UINT32, order, 0x01020304) == words32
    assert encode(PointType.UINT64, order, 0x0102030405060708) == words64


def test_floats_and_signs_are_what_their_bytes_say() -> None:
    assert encode(PointType.FLOAT32, Order.ABCD, 3.5) == (0x4060, 0x0000)
    assert encode(PointType.INT16, Order.ABCD, -2) == (0xFFFE,)
    assert encode(PointType.BIT, Order.ABCD, 1) == (1,)


@pytest.mark.parametrize("type_", INTEGERS)
def test_integers_stop_at_the_ends_of_their_range(type_: PointType) -> None:
    lowest, highest = number_range(type_)
    assert (resolve(type_, -1e30), resolve(type_, 1e30)) == (lowest, highest)
    assert (resolve(type_, -math.inf), resolve(type_, math.inf)) == (lowest, highest)
    assert len(encode(type_, Order.ABCD, highest)) == width(type_)


@pytest.mark.parametrize("type_", INTEGERS)
def test_an_integer_refuses_nan(type_: PointType) -> None:
    with pytest.raises(ValueError, match="NaN"):
        resolve(type_, math.nan)


@given(st.floats(allow_nan=True))
def test_float32_takes_the_nearest_or_infinity(number: float) -> None:
    shown = resolve(PointType.FLOAT32, number)
    if math.isnan(number):
        assert math.isnan(shown)
        return
    assert struct.unpack(">f", struct.pack(">f", shown))[0] == shown
    if math.isinf(shown):
        assert abs(number) > 3.4028234e38
    elif abs(number) > 1.2e-38:
        assert shown == pytest.approx(number, rel=2**-24)
