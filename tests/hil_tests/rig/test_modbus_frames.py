"""Frames of the device's side against pymodbus' own: requests are found however they are cut, damage can be noticed."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU

from hil_tests.rig.modbus_frames import Frames, NoModbusError, Request, RtuFrames, SocketFrames

PYMODBUS = {RtuFrames: FramerRTU(DecodePDU(is_server=True)), SocketFrames: FramerSocket(DecodePDU(is_server=True))}
KINDS = st.sampled_from([RtuFrames, SocketFrames])
READING = st.builds(
    lambda function, rest: bytes((function,)) + rest, st.integers(1, 4), st.binary(min_size=4, max_size=4)
)
WRITING = st.binary(min_size=1, max_size=20).map(lambda data: b"\x10\x00\x01\x00\x02" + bytes((len(data),)) + data)
PDUS = READING | WRITING


@given(
    kind=KINDS,
    asked=st.lists(st.tuples(st.integers(1, 247), st.integers(1, 0xFFFF), PDUS), min_size=1, max_size=4),
    data=st.data(),
)
def test_requests_come_back_however_their_bytes_are_cut(
    kind: type[Frames], asked: list[tuple[int, int, bytes]], data: st.DataObject
) -> None:
    stream = b"".join(PYMODBUS[kind].encode(pdu, unit, number) for unit, number, pdu in asked)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    frames = kind()
    found = [
        request
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for request in frames.requests(stream[start:end])
    ]
    assert found == [Request(unit, number if frames.numbered else 0, pdu) for unit, number, pdu in asked]


@given(kind=KINDS, unit=st.integers(1, 247), number=st.integers(0, 0xFFFF), pdu=st.binary(min_size=2, max_size=250))
def test_a_reply_is_what_pymodbus_makes_of_it(kind: type[Frames], unit: int, number: int, pdu: bytes) -> None:
    assert kind().frame(unit, number, pdu) == PYMODBUS[kind].encode(pdu, unit, number)


@given(unit=st.integers(1, 247), pdu=st.binary(min_size=2, max_size=250), seed=st.integers(0, 2**31))
def test_damage_on_a_serial_line_never_passes_the_checksum(unit: int, pdu: bytes, seed: int) -> None:
    frames = RtuFrames()
    frame = frames.frame(unit, 0, pdu)
    damaged = frames.damaged(frame, random.Random(seed))
    assert damaged != frame
    assert not FramerRTU.check_CRC(damaged[:-2], int.from_bytes(damaged[-2:], "big"))


@given(data=st.binary(min_size=2, max_size=240), seed=st.integers(0, 2**31))
def test_damage_on_tcp_is_before_the_data(data: bytes, seed: int) -> None:
    frames = SocketFrames()
    frame = frames.frame(1, 5, bytes((3, len(data))) + data)
    damaged = frames.damaged(frame, random.Random(seed))
    assert (damaged[:9] != frame[:9], damaged[9:]) == (True, frame[9:])


def test_noise_on_a_line_is_passed_over() -> None:
    request = PYMODBUS[RtuFrames].encode(b"\x03\x00\x00\x00\x01", 1, 0)
    frames = RtuFrames()
    found = frames.requests(b"\x00\x03" + bytes(10) + request)
    assert found == [Request(1, 0, b"\x03\x00\x00\x00\x01")]


def test_what_is_no_modbus_is_told() -> None:
    with pytest.raises(NoModbusError):
        SocketFrames().requests(b"GET / HTTP/1.1\r\n")
