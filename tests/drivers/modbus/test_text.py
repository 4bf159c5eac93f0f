"""Texts in registers: what is refused in the list, and what bytes say."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contract.batch import Said
from contract.points import PointSpec, PointType
from contract.quality import Quality
from drivers.catalogue import DRIVERS
from drivers.modbus.address import Encoding, examine
from drivers.modbus.instrument import Meaning, StatusWord
from drivers.modbus.planner import BusCost, Limits, plan
from drivers.modbus.registers import BlockDecoder, RegisterPoint

WALL, MONO = 17, 23


def point(id_, address, type_=PointType.STRING):
    return PointSpec(id=id_, tag=f"T{id_}", org="p", device="d", type=type_, address=address)


def decoded(points, payload, own=None, meanings=None):
    """The one reply that brings all these points, decoded."""
    placed = [RegisterPoint(each, place) for each in points if (place := examine(each)[0])]
    assert len(placed) == len(points)
    sides = [side for each in placed for side in each.address.sides]
    (request,) = plan([*(each.address for each in placed), *(side.address for side in sides)], Limits(), BusCost(9, 1))
    decoder = BlockDecoder(request, placed, sides, meanings)
    return decoder.decode(payload, WALL, MONO, decoder.side_words(payload), own)


def text_of(data, address):
    """(text, quality) of the only point."""
    batch = decoded([point(2, address)], data)
    said = [each.what for each in batch.said]
    assert [len(each) for each in said] == batch.value[: len(said)].tolist()
    return (said or [None])[0], batch.quality[0]


@pytest.mark.parametrize(
    ("data", "address", "text"),
    [
        (b"AB-1234 ", "holding:0;length=4", "AB-1234"),
        (b"BA1-32 4", "holding:0/BADC;length=4", "AB-1234"),
        (b"AB\0garba", "input:0;length=4", "AB"),
        (b"  AB\0\0  ", "holding:0;length=4", "AB"),
        (b"\0" * 8, "holding:0;length=4", ""),
        ("氯气报警".encode("gb18030"), "holding:0;length=4;encoding=gb18030", "氯气报警"),
        ("氯气".encode() + b"  ", "holding:0;length=4;encoding=utf-8", "氯气"),
        (b"a\x07\tb    ", "holding:0;length=4", "a\x07\tb"),
    ],
)
def test_registers_read_as_a_text_without_its_padding(data, address, text):
    assert text_of(data, address) == (text, Quality.GOOD)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"\xc2\xc8AB", "ascii"),
        (b"\xff\xff\xff\xff", "utf-8"),
        (b"AB\xc2\x20", "gb18030"),
        ("氯气".encode()[:4], "utf-8"),
    ],
)
def test_bytes_that_are_no_text_are_bad_and_nothing_is_said(data, encoding):
    assert text_of(data, f"holding:0;length=2;encoding={encoding}") == (None, Quality.BAD_SENSOR_FAILURE)


@given(st.text(max_size=40), st.sampled_from(Encoding), st.sampled_from(["ABCD", "BADC"]), st.sampled_from(["\0", " "]))
def test_what_a_device_writes_is_what_is_read(text, encoding, order, padding):
    try:
        data = text.encode(encoding)
    except UnicodeEncodeError:
        assume(False)
    assume("\0" not in text)
    data += padding.encode() * (2 + len(data) % 2)
    if order == "BADC":
        data = b"".join(data[i : i + 2][::-1] for i in range(0, len(data), 2))
    address = f"holding:7/{order};length={len(data) // 2};encoding={encoding}"
    assume(len(data) <= 250)
    assert text_of(data, address) == (text.strip(" "), Quality.GOOD)


@given(st.binary(min_size=8, max_size=8), st.sampled_from(Encoding))
def test_any_bytes_are_a_text_that_can_be_put_on_record_or_bad(data, encoding):
    text, quality = text_of(data, f"holding:0;length=4;encoding={encoding}")
    assert (text is None) == (quality == Quality.BAD_SENSOR_FAILURE)
    if text is not None:
        text.encode()


def test_a_text_lies_between_numbers_and_disturbs_none():
    points = [
        point(2, "holding:0", PointType.UINT16), point(3, "holding:1;length=2"), point(4, "holding:3", PointType.FLOAT32)
    ]  # fmt: skip
    batch = decoded(points, b"\x00\x07ab\x00\x00\x3f\x80\x00\x00", own=1)
    rows = zip(batch.point.tolist(), batch.value.tolist(), batch.raw.tolist(), batch.quality.tolist(), strict=True)
    assert sorted(rows) == [(1, 1.0, 1, 0), (2, 7.0, 7, 0), (3, 2.0, 0, 0), (4, 1.0, 0, 0)]
    assert batch.said == (Said(3, WALL, MONO, Quality.GOOD, "ab"),)


def test_a_status_word_judges_a_text_as_it_does_a_number():
    meanings = {"m": StatusWord(bits={0: Meaning.CALIBRATION, 1: Meaning.FAULT}).table()}
    points = [point(2, "holding:0;length=1;status=m@1")]
    (said,) = decoded(points, b"ab\x00\x01", meanings=meanings).said
    assert (said.what, said.quality) == ("ab", Quality.UNCERTAIN_CALIBRATION)
    assert decoded(points, b"ab\x00\x02", meanings=meanings).said == ()


@pytest.mark.parametrize(
    ("address", "columns"),
    [
        ("holding:0;length=125", []),
        ("holding:0", ["length"]),
        ("holding:0;length=0", ["length"]),
        ("holding:0;length=126", ["length"]),
        ("holding:0;length=x", ["length"]),
        ("holding:65535;length=2", ["address"]),
        ("holding:0;length=2;encoding=latin-1", ["encoding"]),
        ("holding:0/DCBA;length=2", ["order"]),
        ("holding:0.3;length=2", ["bit"]),
        ("holding:0;length=2;factor=3", ["factor"]),
        ("holding:0;length=2;decimals=3", ["decimals"]),
        ("holding:0;length=2;ne43=0..9", ["ne43"]),
        ("coil:0;length=2", ["type"]),
    ],
)
def test_a_mistake_is_found_in_its_column(address, columns):
    assert [fault.column for fault in DRIVERS["modbus"].check_point(point(2, address))] == columns


@pytest.mark.parametrize("option", ["length=2", "encoding=ascii"])
def test_only_a_text_has_a_length_and_an_encoding(option):
    faults = DRIVERS["modbus"].check_point(point(2, f"holding:0;{option}", PointType.UINT16))
    assert [fault.column for fault in faults] == [option.partition("=")[0]]
