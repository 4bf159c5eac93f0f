"""The device's side of Modbus frames: bytes to requests, replies to bytes, and the damage that a way can do to them. Pure.

Written apart from the driver's framing on purpose: two ends that share code agree on the same mistake. One object reads one
connection.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, Protocol

REFUSES: Final = 0x80
"""Set in the function of a reply that is an exception."""
_HEADER_BYTES: Final = 7
_LENGTH_MAX: Final = 254
_TCP_GUARDED_BYTES: Final = 9
"""Header, function and byte count: what a client can check. Nothing in Modbus TCP guards the data behind them."""
_RTU_FRAME_MAX: Final = 256
_RTU_REQUEST_BYTES: Final = 8
"""Of functions 1 to 6."""
_BITS_FLIPPED_MAX: Final = 3
"""A checksum of 16 bits finds every damage of so many bits in a frame (Hamming distance 4)."""


@dataclass(frozen=True, slots=True)
class Request:
    """``number`` identifies it on Modbus TCP; a serial line knows no such thing, and it is 0."""

    unit: int
    number: int
    pdu: bytes

    @property
    def function(self) -> int:
        return self.pdu[0]


class NoModbusError(ValueError):
    """What came is not Modbus; nothing that follows could be read either."""


class Frames(Protocol):
    """One connection's bytes."""

    numbered: bool
    """A reply says which request it answers."""

    def requests(self, data: bytes) -> list[Request]:
        """The requests that are whole with the bytes that came. Raises NoModbusError."""

    def frame(self, unit: int, number: int, pdu: bytes) -> bytes:
        """A reply's bytes."""

    def damaged(self, frame: bytes, rng: random.Random) -> bytes:
        """A few bits of it flipped, where this framing lets a client notice."""


class SocketFrames:
    """Modbus TCP."""

    numbered = True

    def __init__(self) -> None:
        self._buffer = bytearray()

    def requests(self, data: bytes) -> list[Request]:
        self._buffer += data
        found = []
        while len(self._buffer) >= _HEADER_BYTES:
            number, protocol, length = (int.from_bytes(self._buffer[at : at + 2], "big") for at in (0, 2, 4))
            if protocol != 0 or not 2 <= length <= _LENGTH_MAX:
                raise NoModbusError("not Modbus TCP")
            if len(self._buffer) < 6 + length:
                break
            found.append(Request(self._buffer[6], number, bytes(self._buffer[7 : 6 + length])))
            del self._buffer[: 6 + length]
        return found

    def frame(self, unit: int, number: int, pdu: bytes) -> bytes:
        return number.to_bytes(2, "big") + bytes(2) + (len(pdu) + 1).to_bytes(2, "big") + bytes((unit,)) + pdu

    def damaged(self, frame: bytes, rng: random.Random) -> bytes:
        return _flipped(frame, min(len(frame), _TCP_GUARDED_BYTES), 1, rng)


class RtuFrames:
    """Modbus RTU. How long a request is follows from its function; bytes that fit no request are passed over."""

    numbered = False

    def __init__(self) -> None:
        self._buffer = bytearray()

    def requests(self, data: bytes) -> list[Request]:
        self._buffer += data
        found = []
        while len(self._buffer) >= 4:
            size = self._size()
            if len(self._buffer) < size:
                break
            if _checks(self._buffer[:size]):
                found.append(Request(self._buffer[0], 0, bytes(self._buffer[1 : size - 2])))
                del self._buffer[:size]
            else:
                del self._buffer[0]
        return found

    def _size(self) -> int:
        function = self._buffer[1]
        if 1 <= function <= 6:
            return _RTU_REQUEST_BYTES
        if function in (15, 16):
            return 9 + self._buffer[6] if len(self._buffer) > 6 else _RTU_REQUEST_BYTES
        return min(len(self._buffer), _RTU_FRAME_MAX)  # no function that anything here could answer

    def frame(self, unit: int, number: int, pdu: bytes) -> bytes:  # noqa: ARG002 - a serial line has no numbers
        body = bytes((unit,)) + pdu
        return body + crc16(body).to_bytes(2, "little")

    def damaged(self, frame: bytes, rng: random.Random) -> bytes:
        return _flipped(frame, len(frame), rng.randint(1, _BITS_FLIPPED_MAX), rng)


def _flipped(frame: bytes, within: int, bits: int, rng: random.Random) -> bytes:
    damaged = bytearray(frame)
    for bit in rng.sample(range(8 * within), bits):
        damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ 0xA001 if byte & 1 else byte >> 1
    return byte


_CRC: Final = tuple(map(_crc_of, range(256)))


def crc16(data: bytes | bytearray) -> int:
    """Of a serial line (Modbus over serial line 1.02, appendix B)."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc


def _checks(frame: bytearray) -> bool:
    return crc16(frame[:-2]) == int.from_bytes(frame[-2:], "little")
