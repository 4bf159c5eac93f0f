"""Requests to bytes and bytes to replies, without a socket; ``link`` owns the wire. The only module that knows pymodbus.

Pymodbus frames requests and computes checksums. Its readers of replies are not used: they take what looks like a frame,
while we know of each reply which unit, function and length it must have, and take nothing else. A reply that is not the
awaited one is left out where its number proves that (TCP), else it ends the exchange.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU

from drivers.modbus.planner import ReadRequest

_REQUEST: Final = struct.Struct(">BHH")
_HEADER: Final = struct.Struct(">HHH")
"""Number, protocol, and the length of what follows, which begins with the unit."""
_HEADER_SIZE: Final = 7
_LENGTH_MAX: Final = 254
"""Of the unit and the PDU behind the length field (Modbus application protocol 1.1b3, clause 4.1: a PDU has 253 bytes)."""
_LINE_BYTES_MAX: Final = 1024
"""After one request on a serial line; more is no answer."""
_GLITCHES: Final = (0x00, 0xFF)
"""What a line reads as when nobody drives it; no unit has such a number."""
_GLITCHES_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class Reply:
    """Data bytes, or the code of an exception."""

    payload: bytes
    exception: int | None


@dataclass(frozen=True, slots=True)
class Garbled:
    """What came can be no reply to the request; ``text`` says why."""

    text: str


class Framing(Protocol):
    """One connection's bytes, one request at a time."""

    def ask(self, unit: int, request: ReadRequest) -> bytes:
        """The bytes of a request. What came before, and whatever answers a former request, is void from here on."""

    def feed(self, data: bytes) -> Reply | Garbled | None:
        """Bytes that arrived. None: wait for more. After a Reply the exchange is over, on a serial line once it has been
        silent; after Garbled the connection is."""


def _request_pdu(request: ReadRequest) -> bytes:
    """Only the four reading functions have a way out of this program: ``Table`` knows no other."""
    return _REQUEST.pack(request.function, request.start, request.count)


def _judged(request: ReadRequest, pdu: bytes) -> Reply | Garbled:
    """A reply of the right unit and number against what was asked."""
    if len(pdu) == 2 and pdu[0] == request.function | 0x80:
        return Reply(b"", pdu[1])
    if len(pdu) == request.reply_size + 2 and pdu[0] == request.function and pdu[1] == request.reply_size:
        return Reply(bytes(pdu[2:]), None)
    return Garbled("the reply does not fit the request")


class SocketFraming:
    """Modbus TCP: each frame carries its length and the number of the request that it answers."""

    def __init__(self, numbers: Iterator[int]) -> None:
        """``numbers`` go on over all connections to one place: a reply that a gateway held across a reconnect has none of
        theirs until they come round, 65536 requests later."""
        self._framer = FramerSocket(DecodePDU(is_server=False))
        self._numbers = numbers
        self._number = 0
        self._buffer = bytearray()
        self._awaited: tuple[int, ReadRequest] | None = None

    def ask(self, unit: int, request: ReadRequest) -> bytes:
        self._number = next(self._numbers) % 0x10000
        self._awaited = (unit, request)
        return self._framer.encode(_request_pdu(request), unit, self._number)

    def feed(self, data: bytes) -> Reply | Garbled | None:
        self._buffer += data
        while len(self._buffer) >= _HEADER_SIZE:
            number, protocol, length = _HEADER.unpack_from(self._buffer)
            if protocol != 0 or not 2 <= length <= _LENGTH_MAX:
                return Garbled("this is not Modbus TCP")
            if len(self._buffer) < 6 + length:
                return None
            unit, pdu = self._buffer[6], bytes(self._buffer[7 : 6 + length])
            del self._buffer[: 6 + length]
            if self._awaited is None or number != self._number:
                continue  # the copy of a reply, or one to a request that is given up
            awaited_unit, request = self._awaited
            self._awaited = None
            if unit != awaited_unit:
                return Garbled(f"unit {unit} answered for unit {awaited_unit}")
            return _judged(request, pdu)
        return None


class RtuFraming:
    """Modbus RTU: unit, function, data and a checksum of 16 bits; nothing says which request is answered.

    All that came since the request must make sense: the awaited frame, whole frames of other units or lengths, which are left
    out, and the zeros and ones that converters make when the line turns round. Searching for what looks like a frame among
    other bytes would find, once in 65536 damaged replies, a wrong one. A frame ends with a silence: whoever calls waits for it
    after a Reply and feeds what still comes. A late reply of the same unit and length cannot be told from the awaited one:
    whoever calls must let time pass after a time-out (``late_s``).
    """

    def __init__(self) -> None:
        self._framer = FramerRTU(DecodePDU(is_server=False))
        self._buffer = bytearray()
        self._awaited: tuple[int, ReadRequest] | None = None

    def ask(self, unit: int, request: ReadRequest) -> bytes:
        self._buffer.clear()
        self._awaited = (unit, request)
        return self._framer.encode(_request_pdu(request), unit, 0)

    def feed(self, data: bytes) -> Reply | Garbled | None:
        if self._awaited is None:
            return None  # nobody asked
        self._buffer += data
        if len(self._buffer) > _LINE_BYTES_MAX:
            return Garbled("the line does not fall silent")
        unit, request = self._awaited
        replies: set[bytes] = set()
        glitches, start = 0, 0
        while start < len(self._buffer):
            if self._buffer[start] in _GLITCHES:
                glitches, start = glitches + 1, start + 1
                continue
            size = _size_of_frame(self._buffer, start)
            if size is None or glitches > _GLITCHES_MAX or start + size > len(self._buffer):
                return None  # not to be understood, or not whole yet: the time decides
            frame = bytes(self._buffer[start : start + size])
            if not FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big")):
                return None
            if frame[0] == unit and isinstance(_judged(request, frame[1:-2]), Reply):
                replies.add(frame[1:-2])
            start += size
        if len(replies) > 1:
            return Garbled("two different replies to one request")
        return _judged(request, replies.pop()) if replies and glitches <= _GLITCHES_MAX else None


def _size_of_frame(buffer: bytearray, start: int) -> int | None:
    """How long a reply of any unit is that begins there; None where none can, beyond the buffer where it is not known yet."""
    if len(buffer) < start + 3:
        return 5
    function = buffer[start + 1]
    if function & 0x80:
        return 5
    return buffer[start + 2] + 5 if 1 <= function <= 4 else None
