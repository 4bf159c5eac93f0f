"""Address texts: what is taken, and in which column each mistake is found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.points import PointRole, PointSpec, PointType
from drivers.catalogue import DRIVERS
from drivers.modbus.address import Coding, ModbusAddress, Table, WordOrder, examine


def columns(address, type_=PointType.UINT16, **more):
    spec = PointSpec(id=2, tag="T2", org="plant", device="plc", type=type_, address=address, **more)
    faults = DRIVERS["modbus"].check_point(spec)
    assert all(fault.message and fault.remedy for fault in faults)
    return [fault.column for fault in faults]


@pytest.mark.parametrize(
    ("text", "type_", "address"),
    [
        ("holding:0", PointType.UINT16, ModbusAddress(Table.HOLDING, 0, 1, None, WordOrder.ABCD)),
        ("input:65534/CDAB", PointType.FLOAT32, ModbusAddress(Table.INPUT, 65534, 2, None, WordOrder.CDAB)),
        ("holding:5/DCBA", PointType.INT64, ModbusAddress(Table.HOLDING, 5, 4, None, WordOrder.DCBA)),
        ("holding:5.15", PointType.BIT, ModbusAddress(Table.HOLDING, 5, 1, 15, WordOrder.ABCD)),
        ("holding:5.0/BADC", PointType.BIT, ModbusAddress(Table.HOLDING, 5, 1, 0, WordOrder.BADC)),
        ("coil:65535", PointType.BIT, ModbusAddress(Table.COIL, 65535, 1, None, WordOrder.ABCD)),
        ("discrete:9", PointType.BIT, ModbusAddress(Table.DISCRETE, 9, 1, None, WordOrder.ABCD)),
    ],
)
def test_the_text_names_a_place(text, type_, address):
    spec = PointSpec(id=2, tag="T2", org="plant", device="plc", type=type_, address=text)
    assert examine(spec) == (replace(address, coding=Coding(type_.value)), [])


@pytest.mark.parametrize(
    ("text", "type_", "expected"),
    [
        ("", PointType.UINT16, ["address"]),
        ("40001", PointType.UINT16, ["address"]),
        ("register:1", PointType.UINT16, ["table"]),
        ("Holding:1", PointType.UINT16, ["table"]),
        ("holding:", PointType.UINT16, ["address"]),
        ("holding:-1", PointType.UINT16, ["address"]),
        ("holding:65536", PointType.UINT16, ["address"]),
        ("holding:٣", PointType.UINT16, ["address"]),
        ("holding:65535", PointType.UINT32, ["address"]),
        ("holding:65533", PointType.FLOAT64, ["address"]),
        ("holding:1/ACBD", PointType.UINT32, ["order"]),
        ("holding:1/", PointType.UINT32, ["order"]),
        ("holding:1.16", PointType.BIT, ["bit"]),
        ("holding:1.", PointType.BIT, ["bit"]),
        ("holding:1", PointType.BIT, ["bit"]),
        ("holding:1.3", PointType.UINT16, ["bit"]),
        ("coil:1", PointType.UINT16, ["type"]),
        ("coil:1.2/CDAB", PointType.FLOAT32, ["type", "bit", "order"]),
        ("x:y.z/w", PointType.BIT, ["table", "address", "bit", "order"]),
    ],
)
def test_every_mistake_is_found_in_its_column(text, type_, expected):
    assert columns(text, type_) == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"scale": 0.0}, ["scale"]),
        ({"scale": float("inf")}, ["scale"]),
        ({"offset": float("nan")}, ["offset"]),
        ({"poll_s": 0.0}, ["poll_s"]),
        ({"poll_s": float("nan")}, ["poll_s"]),
        ({"type_": PointType.FLOAT32, "scale": 0.1, "offset": 2.0}, ["scale", "offset"]),
    ],
)
def test_numbers_that_cannot_be_are_found_in_their_column(more, expected):
    assert columns("holding:1", **more) == expected


def test_what_a_number_is_kept_as_follows_from_its_coding():
    assert columns("holding:1;code=bcd32", PointType.UINT32) == []
    assert columns("holding:1;code=bcd32", PointType.UINT16) == ["type"]
    assert columns("holding:1;code=uint16;decimals=2", PointType.FLOAT64) == []
    assert columns("holding:1;decimals=2", PointType.UINT16) == ["type"]
    assert columns("holding:1;code=nibbles") == ["type"]
    assert columns("holding:1;coda=bcd16") == ["address"]
    assert columns("holding:1;code=uint16;code=uint16") == ["address"]


def test_the_device_itself_has_no_address_to_check():
    spec = PointSpec(id=1, tag="plc", org="plant", device="plc", role=PointRole.DEVICE)
    assert DRIVERS["modbus"].check_point(spec) == []


@given(st.text(max_size=30) | st.from_regex(r"(holding|coil):[0-9]{0,6}(\.[0-9]{0,3})?(/[A-D]{0,5})?", fullmatch=True))
def test_any_text_gives_either_a_place_or_faults(text):
    spec = PointSpec(id=2, tag="T2", org="plant", device="plc", address=text)
    address, faults = examine(spec)
    assert (address is None) == bool(faults)
