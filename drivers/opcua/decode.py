"""Values out of the bytes of a response, several times faster than the library's general decoder. Pure.

``connection`` asks here first. Whatever is not plain (arrays, strings, diagnostics, news other than of values) is None, and the
library decodes it: this module need not know everything, only what comes a thousand times a second. Layouts are those of
OPC 10000-6, clause 5.2; ids of encodings are of its table of node ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct, error, unpack_from
from typing import Final, NamedTuple

from drivers.opcua.values import BuiltIn, Reading

PUBLISH_RESPONSE: Final = 829
READ_RESPONSE: Final = 634
DATA_CHANGE: Final = 811
TICKS_OF_1970: Final = 116_444_736_000_000_000
"""100 ns since 1601."""

_VALUE, _STATUS, _SOURCE, _SERVER, _SOURCE_PICO, _SERVER_PICO = 1, 2, 4, 8, 16, 32
_FORMATS: Final = {
    BuiltIn.BOOLEAN: "?", BuiltIn.SBYTE: "b", BuiltIn.BYTE: "B", BuiltIn.INT16: "h", BuiltIn.UINT16: "H",
    BuiltIn.INT32: "i", BuiltIn.UINT32: "I", BuiltIn.INT64: "q", BuiltIn.UINT64: "Q", BuiltIn.FLOAT: "f",
    BuiltIn.DOUBLE: "d",
}  # fmt: skip
_HEADER: Final = Struct("<BBHqIIBi")  # id of the encoding, time, handle, result, mask of diagnostics, count of strings
_NO_MORE: Final = b"\x00\x00\x00"  # no additional header


class _Layout(NamedTuple):
    """How a DataValue of one mask and type lies; places count in what ``struct`` unpacks, 0 is none."""

    struct: Struct
    value: int
    status: int
    source: int


def _layouts() -> Mapping[int, _Layout]:
    """By mask and type, as one number: the two bytes in their order."""
    found = {}
    for mask in range(64):
        for type_, value_format in _FORMATS.items() if mask & _VALUE else ((0, ""),):
            parts, places = ["<B"], {}
            if mask & _VALUE:
                parts.append("x" + value_format)
            fields = ((_STATUS, "I"), (_SOURCE, "q"), (_SOURCE_PICO, "H"), (_SERVER, "q"), (_SERVER_PICO, "H"))
            count = 1 + bool(mask & _VALUE)
            for bit, each in fields:
                if mask & bit:
                    parts.append(each)
                    places[bit] = count
                    count += 1
            layout = _Layout(
                Struct("".join(parts)), mask & _VALUE, places.get(_STATUS, 0), places.get(_SOURCE, 0)
            )  # fmt: skip
            found[mask | type_ << 8] = layout
    return found


_LAYOUTS: Final = _layouts()


@dataclass(frozen=True, slots=True)
class News:
    """A publish response. ``changes`` are pairs of an item's handle and its reading; a sign of life has no ``notifications``."""

    result: int
    subscription: int
    more: bool
    sequence: int
    notifications: int
    changes: list[tuple[int, Reading]]


def publish_response(data: bytes) -> News | None:
    """None where it holds anything but changes of plain values."""
    try:
        return _publish_response(data)
    except (error, IndexError):  # cut short: the library says what is wrong with it
        return None


def read_response(data: bytes) -> list[Reading] | None:
    """The readings in their order; None where the call failed or holds anything but plain values."""
    try:
        return _read_response(data)
    except (error, IndexError):
        return None


def _body(data: bytes, encoding: int) -> tuple[int, int] | None:
    """The service's result and where its parameters begin."""
    kind, namespace, number, _, _, result, diagnostics, strings = _HEADER.unpack_from(data)
    end = _HEADER.size + len(_NO_MORE)
    plain = (kind, namespace, number) == (1, 0, encoding) and not diagnostics and strings <= 0
    return (result, end) if plain and data[_HEADER.size : end] == _NO_MORE else None


def _publish_response(data: bytes) -> News | None:
    body = _body(data, PUBLISH_RESPONSE)
    if body is None:
        return None
    result, at = body
    subscription, available = unpack_from("<Ii", data, at)
    at += 8 + 4 * max(0, available)
    more, sequence, _, parts = unpack_from("<?Iqi", data, at)
    at += 17
    changes: list[tuple[int, Reading]] = []
    for _ in range(max(0, parts)):
        kind, namespace, number, encoding, _, items = unpack_from("<BBHBii", data, at)
        if (kind, namespace, number, encoding) != (1, 0, DATA_CHANGE, 1):
            return None
        at += 13
        for _ in range(max(0, items)):
            reading, end = _reading(data, at + 4)
            if reading is None:
                return None
            changes.append((unpack_from("<I", data, at)[0], reading))
            at = end
        (diagnostics,) = unpack_from("<i", data, at)
        if diagnostics > 0:
            return None
        at += 4
    return News(result, subscription, more, sequence, max(0, parts), changes)


def _read_response(data: bytes) -> list[Reading] | None:
    body = _body(data, READ_RESPONSE)
    if body is None or body[0] != 0:
        return None
    (count,) = unpack_from("<i", data, body[1])
    at = body[1] + 4
    readings = []
    for _ in range(max(0, count)):
        reading, at = _reading(data, at)
        if reading is None:
            return None
        readings.append(reading)
    return readings


def _reading(data: bytes, at: int) -> tuple[Reading | None, int]:
    """A DataValue and where it ends; None for what is not plain."""
    mask = data[at]
    layout = _LAYOUTS.get(mask | data[at + 1] << 8 if mask & _VALUE else mask)
    if layout is None:
        return None, at
    struct, value, status, source = layout
    fields = struct.unpack_from(data, at)
    ticks = fields[source] if source else 0
    reading = Reading(
        fields[status] if status else 0,
        data[at + 1] if value else None,
        fields[1] if value else None,
        (ticks - TICKS_OF_1970) * 100 if ticks > 0 else None,
    )
    return reading, at + struct.size
