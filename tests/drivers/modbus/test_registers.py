"""Block decoding against its plain twin, for all types and orders."""

from __future__ import annotations

import math
import struct

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from contract.points import PointSpec, PointType
from contract.quality import Quality
from drivers.modbus.address import Coding, examine
from drivers.modbus.planner import BusCost, Limits, plan
from drivers.modbus.registers import BlockDecoder, RegisterPoint
from naive.modbus_registers import encode, value

COST = BusCost(1, 0)
ORDERS = ["ABCD", "CDAB", "BADC", "DCBA"]
NUMBERS = [t for t in PointType if t not in (PointType.BIT, PointType.STRING)]
CODINGS = [each for each in Coding if each is not Coding.STRING]


@st.composite
def blocks(draw):
    """Points of one request anywhere in a table, overlapping as they like, and the bytes of a reply."""
    table = draw(st.sampled_from(["holding", "input", "coil", "discrete"]))
    base = draw(st.integers(0, 65_400))
    points = []
    for id_ in range(2, 2 + draw(st.integers(1, 12))):
        offset = base + draw(st.integers(0, 20))
        if table in ("coil", "discrete"):
            type_, text = PointType.BIT, f"{table}:{offset}"
        else:
            coding = draw(st.sampled_from(CODINGS))
            type_ = coding.kept
            low = draw(st.integers(0, 14))
            bit = f".{low}" if coding is Coding.BIT else ""
            if coding is Coding.UINT16 and draw(st.booleans()):
                bit = f".{low}-{draw(st.integers(low + 1, 15))}"
            code = "" if coding == type_.value else f";code={coding}"
            text = f"{table}:{offset}{bit}/{draw(st.sampled_from(ORDERS))}{code}"
        factors = st.floats(allow_nan=False, allow_infinity=False).filter(bool)
        scale = draw(factors | st.just(0.1)) if type_.is_integer else 1.0
        shift = draw(st.floats(-1e6, 1e6)) if type_.is_integer else 0.0
        points.append(
            PointSpec(id=id_, tag="T", org="p", device="d", type=type_, address=text, scale=scale, offset=shift)
        )
    places = [place for point in points if (place := examine(point)[0])]
    (request,) = plan(places, Limits(max_gap=125), COST)
    edge = st.sampled_from([b"\x7f", b"\x80", b"\xff", b"\x00", b"\xf8", b"\xf0", b"\x01"])
    payload = b"".join(draw(st.lists(edge | st.binary(min_size=1, max_size=1), min_size=request.reply_size,
                                     max_size=request.reply_size)))  # fmt: skip
    return points, places, request, payload


@given(blocks())
def test_a_block_decodes_as_value_by_value(block):
    points, places, request, payload = block
    decoder = BlockDecoder(request, [RegisterPoint(p, a) for p, a in zip(points, places, strict=True)])
    batch = decoder.decode(payload, 17, 23)
    assert sorted(batch.point.tolist()) == [point.id for point in points]
    assert set(batch.time_ns.tolist()) == {17}
    assert set(batch.mono_ns.tolist()) == {23}
    for row, id_ in enumerate(batch.point.tolist()):
        point, place = points[id_ - 2], places[id_ - 2]
        number, raw, broken = value(
            payload, request.start, str(place.table), place.offset, place.bit, str(place.order), str(place.coding),
            point.scale, point.offset, place.bits,
        )  # fmt: skip
        assert raw is None or batch.raw[row] == raw
        assert batch.quality[row] == (Quality.BAD_SENSOR_FAILURE if broken else Quality.GOOD)
        assert struct.pack(">d", batch.value[row]) == struct.pack(">d", number) or (
            broken and math.isnan(batch.value[row])
        )


@given(st.sampled_from(NUMBERS), st.sampled_from(ORDERS), st.data())
@example(PointType.UINT64, "CDAB", None)
def test_what_a_device_encodes_is_what_is_decoded(type_, order, data):
    widths = {"16": 16, "32": 32, "64": 64}
    bits = widths[type_[-2:]]
    if data is None:
        number = 2**64 - 1
    elif type_.is_integer:
        low, high = (0, 2**bits - 1) if type_.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        number = data.draw(st.integers(low, high))
    else:
        number = data.draw(st.floats(width=32 if bits == 32 else 64, allow_nan=False, allow_infinity=False))
    point = PointSpec(id=2, tag="T", org="p", device="d", type=type_, address=f"holding:9/{order}")
    place = examine(point)[0]
    assert place is not None
    (request,) = plan([place], Limits(), COST)
    batch = BlockDecoder(request, [RegisterPoint(point, place)]).decode(encode(type_, number, order), 0, 0)
    assert batch.value[0] == float(number)
    assert batch.quality[0] == Quality.GOOD
    if type_.is_integer:
        assert int(batch.raw[0]) % 2**64 == number % 2**64


def test_words_and_bytes_lie_as_the_order_says():
    wire = {"ABCD": "01020304", "CDAB": "03040102", "BADC": "02010403", "DCBA": "04030201"}
    for order, text in wire.items():
        point = PointSpec(id=2, tag="T", org="p", device="d", type=PointType.UINT32, address=f"holding:9/{order}")
        place = examine(point)[0]
        assert place is not None
        decoder = BlockDecoder(plan([place], Limits(), COST)[0], [RegisterPoint(point, place)])
        assert decoder.decode(bytes.fromhex(text), 0, 0).raw.tolist() == [0x01020304]


def test_failed_rows_hold_no_number():
    point = PointSpec(id=2, tag="T", org="p", device="d", address="holding:9")
    place = examine(point)[0]
    assert place is not None
    batch = BlockDecoder(plan([place], Limits(), COST)[0], [RegisterPoint(point, place)]).failed(
        Quality.BAD_CONFIG, 5, 6
    )
    assert (batch.point.tolist(), batch.raw.tolist(), batch.quality.tolist()) == ([2], [0], [Quality.BAD_CONFIG])
    assert np.isnan(batch.value).all()
