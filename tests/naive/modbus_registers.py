"""Slow plain twin of drivers.modbus.registers: one value at a time, by struct."""

import math
import struct

_FORMAT = {
    "uint16": ">H", "int16": ">h", "uint32": ">I", "int32": ">i", "uint64": ">Q", "int64": ">q",
    "float32": ">f", "float64": ">d", "float16": ">e", "bcd16": ">H", "bcd32": ">I", "bcd64": ">Q", "tenths16": ">H",
}  # fmt: skip


def rearrange(data, order):
    """Big-endian bytes of a value into the given order on the wire; its own inverse."""
    words = [data[i : i + 2] for i in range(0, len(data), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    if order in ("BADC", "DCBA"):
        words = [word[::-1] for word in words]
    return b"".join(words)


def encode(type_, number, order="ABCD"):
    return rearrange(struct.pack(_FORMAT[type_], number), order)


def digits(number, size):
    """The number that binary coded decimals of ``size`` bytes stand for; None where a digit is none."""
    text = f"{number:0{2 * size}x}"
    return int(text) if text.isdecimal() else None


def value(payload, start, table, offset, bit, order, type_, scale, shift, bits=1):
    """(value, raw, broken) of one point out of the data bytes of a reply that begins at place ``start``."""
    place = offset - start
    if table in ("coil", "discrete"):
        raw = payload[place // 8] >> place % 8 & 1
    elif bit is not None:
        raw = int.from_bytes(rearrange(payload[2 * place : 2 * place + 2], order), "big") >> bit & 2**bits - 1
    else:
        size = struct.calcsize(_FORMAT[type_])
        (raw,) = struct.unpack(_FORMAT[type_], rearrange(payload[2 * place : 2 * place + size], order))
    if type_.startswith("bcd"):
        raw = digits(raw, size)
    elif type_ == "tenths16":
        raw = raw // 256 * 10 + raw % 256 if raw % 256 < 10 else None
    if raw is None:
        return math.nan, None, True
    if type_.startswith("float"):
        return (raw, 0, False) if math.isfinite(raw) else (math.nan, 0, True)
    kept = raw - 2**64 if raw >= 2**63 else raw
    scaled = float(raw) * scale + shift
    return (scaled, kept, False) if math.isfinite(scaled) else (math.nan, kept, True)
