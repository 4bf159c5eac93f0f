"""The bytes of a recording's files: a mark, then blocks that each say their length and carry a check sum. Pure.

==========  =======================================================================================================
part        bytes
==========  =======================================================================================================
mark        ``PKSR`` and the format's number, one byte
block       kind (1 byte: ``S`` or ``R``), length of its body (4 bytes, big endian), CRC-32 of kind and body (4), body
``S``       a ``Start`` as msgpack: whose, of which boot, under which catalogue, from which state of the detectors on
``R``       rows that were judged next, as in ``columns``
==========  =======================================================================================================

A file begins with its ``S``. One that was cut (the power went) reads up to the last block that is whole.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO, Final

import msgpack

from contract.errors import FrameError

FORMAT: Final = 1
MARK: Final = b"PKSR" + bytes((FORMAT,))
BLOCK_BYTES_MAX: Final = 256 * 1024 * 1024
START, ROWS = b"S", b"R"
_HEAD: Final = struct.Struct(">cII")


@dataclass(frozen=True, slots=True)
class Start:
    """From where on a file can be judged.

    ``points`` is the catalogue as the agent's store keeps it, ``state`` a ``detect.checkpoint``. ``continues``: the file
    before, ``number`` less 1 of the same ``session``, ends exactly here; else rows may be missing between. ``cause`` is a
    code: start, full, configuration, changed, fell_behind, disk.
    """

    agent: str
    session: str
    number: int
    continues: bool
    cause: str
    software: str
    boot_id: str
    config_hash: str
    catalogue_version: int
    points: bytes
    state: bytes
    wall_ns: int
    mono_ns: int


def block(kind: bytes, body: bytes) -> bytes:
    return _HEAD.pack(kind, len(body), zlib.crc32(kind + body)) + body


def start_block(start: Start) -> bytes:
    body: bytes = msgpack.packb(asdict(start))
    return block(START, body)


def read_mark(file: BinaryIO) -> None:
    """Raises FrameError where the file is no recording, or one of another format."""
    mark = file.read(len(MARK))
    if mark != MARK:
        message = "was written by another version of this software" if mark[:4] == MARK[:4] else "is no recording"
        raise FrameError("recording", message)


def read_block(file: BinaryIO) -> tuple[bytes, bytes] | None:
    """Kind and body; None at the end, and where what follows is not whole."""
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, length, check = _HEAD.unpack(head)
    if length > BLOCK_BYTES_MAX:
        return None
    body = file.read(length)
    return (kind, body) if len(body) == length and zlib.crc32(kind + body) == check else None


def read_start(body: bytes) -> Start:
    """Raises FrameError."""
    try:
        table: dict[str, Any] = msgpack.unpackb(body)
        start = Start(**table)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise FrameError("start", f"cannot be read: {error}") from error
    for name, kind in Start.__annotations__.items():
        if type(getattr(start, name)).__name__ != kind:
            raise FrameError(f"start.{name}", f"must be {kind}")
    return start
