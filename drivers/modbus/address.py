"""Where a point lies in a Modbus device: the address text, parsed and checked. Pure.

The settings loader composes the text from the columns of an I/O list; ``examine`` gives each mistake back by column.
``planner`` uses place and width, ``registers`` also bit and order.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from contract.points import PointSpec, PointType
from drivers.base import REGISTER_TYPES, PointFault
from drivers.numbers import examine_numbers

ADDRESS_SPACE: Final = 65_536
"""Places in each of the four tables."""

_OPTIONS: Final = ("code", "status", "decimals", "factor", "ne43", "length", "encoding")
TEXT_REGISTERS_MAX: Final = 125
"""What one request can bring."""
_SHAPE: Final = re.compile(
    r"(?P<table>[^:]*):(?P<offset>[^./@;]*)(?:\.(?P<bit>[^/@;]*))?(?:/(?P<order>[^@;]*))?(?:@(?P<alone>[^;]*))?"
    r"(?P<options>(?:;[^;]*)*)\Z",
    re.DOTALL,
)
_BLOCK: Final = re.compile(r"(?P<start>[0-9]{1,9})\+(?P<count>[0-9]{1,9})\Z")
_BITS: Final = re.compile(r"(?P<low>[0-9]{1,2})(?:-(?P<high>[0-9]{1,2}))?\Z")
_STATUS: Final = re.compile(r"(?P<name>[^@]{1,64})@(?P<place>.*)\Z", re.DOTALL)
_FACTOR: Final = re.compile(r"(?P<place>[^*]*)(?:\*(?P<constant>.*))?\Z", re.DOTALL)
_DIGITS: Final = re.compile(r"[0-9]{1,9}\Z")
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?([eE]-?[0-9]{1,3})?\Z")


class Coding(StrEnum):
    """How a device writes a number, or a text. Those that the contract does not know as a type are kept as one that it knows."""

    BIT = "bit"
    UINT16 = "uint16"
    INT16 = "int16"
    UINT32 = "uint32"
    INT32 = "int32"
    UINT64 = "uint64"
    INT64 = "int64"
    BCD16 = "bcd16"
    BCD32 = "bcd32"
    BCD64 = "bcd64"
    TENTHS16 = "tenths16"
    """The whole number in the high byte, one decimal in the low byte; kept in tenths."""
    FLOAT16 = "float16"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    STRING = "string"
    """Two characters in a register, or parts of one; as many registers as the point says."""

    @property
    def registers(self) -> int:
        """What a number takes."""
        return 1 if self in (Coding.BIT, Coding.STRING) else int(self.value[-2:]) // 16

    @property
    def kept(self) -> PointType:
        """What its numbers are kept as, where nothing but a fixed scale is applied."""
        return REGISTER_TYPES[self.value] if self.value in REGISTER_TYPES else PointType(self.value)


class Encoding(StrEnum):
    """How the bytes of a text become characters."""

    ASCII = "ascii"
    UTF_8 = "utf-8"
    GB18030 = "gb18030"


class Table(StrEnum):
    """The four tables of a device, with the function code that reads each."""

    COIL = "coil"
    DISCRETE = "discrete"
    HOLDING = "holding"
    INPUT = "input"

    @property
    def function(self) -> int:
        return {Table.COIL: 1, Table.DISCRETE: 2, Table.HOLDING: 3, Table.INPUT: 4}[self]

    @property
    def holds_bits(self) -> bool:
        return self in (Table.COIL, Table.DISCRETE)


class WordOrder(StrEnum):
    """How the bytes of a value lie on the wire, A being the most significant; longer values follow the same pattern."""

    ABCD = "ABCD"
    """Big-endian throughout."""
    CDAB = "CDAB"
    """Words reversed."""
    BADC = "BADC"
    """The two bytes of each word swapped."""
    DCBA = "DCBA"
    """Little-endian throughout."""

    @property
    def words_reversed(self) -> bool:
        return self in (WordOrder.CDAB, WordOrder.DCBA)

    @property
    def bytes_swapped(self) -> bool:
        return self in (WordOrder.BADC, WordOrder.DCBA)


@dataclass(frozen=True, slots=True)
class SideWord:
    """A register (or bit) that says how a value is meant; ``swapped``: its two bytes are."""

    table: Table
    offset: int
    swapped: bool = False

    @property
    def address(self) -> ModbusAddress:
        order = WordOrder.BADC if self.swapped else WordOrder.ABCD
        return ModbusAddress(self.table, self.offset, 1, None, order)


@dataclass(frozen=True, slots=True)
class ModbusAddress:
    """``offset`` and ``width`` count registers, in the bit tables bits.

    ``bit`` 0 is a register's least significant; ``bits`` of them from there on are the value. ``alone`` is the start and
    count of the one request that may read it, for devices whose answer depends on what is asked. ``status`` names the meaning
    of a status word; ``decimals`` and ``factor`` are registers that scale (``constant`` beside the latter); ``loop`` are the
    numbers at 4 and at 20 mA. ``encoding`` is of a text.
    """

    table: Table
    offset: int
    width: int
    bit: int | None
    order: WordOrder
    alone: tuple[int, int] | None = None
    bits: int = 1
    coding: Coding = Coding.UINT16
    status_name: str = ""
    status: SideWord | None = None
    decimals: SideWord | None = None
    factor: SideWord | None = None
    constant: float = 1.0
    loop: tuple[float, float] | None = None
    encoding: Encoding = Encoding.ASCII

    @property
    def end(self) -> int:
        return self.offset + self.width

    @property
    def sides(self) -> tuple[SideWord, ...]:
        return tuple(side for side in (self.status, self.decimals, self.factor) if side is not None)

    @property
    def scaled_by_device(self) -> bool:
        return self.decimals is not None or self.factor is not None

    def __str__(self) -> str:
        return f"{self.table}:{self.offset}"


def examine(spec: PointSpec) -> tuple[ModbusAddress | None, list[PointFault]]:
    """The place of a point and all its faults; the place is None exactly when there are any."""
    faults = examine_numbers(spec)
    shape = _SHAPE.match(spec.address)
    if shape is None:
        faults.append(
            PointFault("address", f"'{spec.address}' is no Modbus address", "Write table:offset, as holding:40")
        )
        return None, faults
    table = _read_table(shape["table"], faults)
    offset = _read_number("address", shape["offset"], ADDRESS_SPACE - 1, faults)
    bit, bits = (None, 1) if shape["bit"] is None else _read_bits(shape["bit"], faults)
    order = _read_order(shape["order"], faults)
    options = _read_options(shape["options"], faults)
    coding = _read_coding(options.get("code"), spec.type, faults)
    if table is None or offset is None or order is None or coding is None or (bit is None and shape["bit"] is not None):
        return None, faults
    address = ModbusAddress(table, offset, coding.registers, bit, order, bits=bits, coding=coding)
    if coding is Coding.STRING:
        address = _read_text(address, options, faults)
    else:
        faults += [_not_of_a_number(key) for key in ("length", "encoding") if key in options]
    if shape["alone"] is not None:
        address = replace(address, alone=_read_alone(shape["alone"], address, faults))
    address = _with_options(address, options, faults)
    faults += _check_type(spec.type, address, ordered=shape["order"] is not None)
    return (None if faults else address), faults


def _read_table(text: str, faults: list[PointFault]) -> Table | None:
    try:
        return Table(text)
    except ValueError:
        faults.append(PointFault("table", f"'{text}' is no Modbus table", f"Choose one of {', '.join(Table)}"))
        return None


def _read_number(column: str, text: str, highest: int, faults: list[PointFault]) -> int | None:
    if _DIGITS.match(text) and int(text) <= highest:
        return int(text)
    remedy = f"Give a whole number from 0 to {highest}"
    if column == "address":
        remedy += ", as it goes over the wire: 40001 or %MW1 in a manual is mostly 0 or 1 here"
    faults.append(PointFault(column, f"'{text}' is out of range", remedy))
    return None


def _read_bits(text: str, faults: list[PointFault]) -> tuple[int | None, int]:
    """The lowest bit and how many there are."""
    found = _BITS.match(text)
    if found is not None:
        low = int(found["low"])
        high = int(found["high"] or low)
        if low <= high <= 15:
            return low, high - low + 1
    faults.append(PointFault("bit", f"'{text}' is out of range", "Give 0 to 15, or the bits of a field as 4-7"))
    return None, 1


def _read_order(text: str | None, faults: list[PointFault]) -> WordOrder | None:
    if text is None:
        return WordOrder.ABCD
    try:
        return WordOrder(text)
    except ValueError:
        faults.append(PointFault("order", f"'{text}' is no order of bytes", f"Choose one of {', '.join(WordOrder)}"))
        return None


def _read_options(text: str, faults: list[PointFault]) -> dict[str, str]:
    """What stands behind the place as ``;key=value``."""
    options: dict[str, str] = {}
    for part in text.split(";")[1:]:
        key, _, value = part.partition("=")
        if key not in _OPTIONS or key in options:
            faults.append(PointFault("address", f"';{part}' is not known here", f"Known are {', '.join(_OPTIONS)}"))
        options[key] = value
    return options


def _read_coding(text: str | None, type_: PointType, faults: list[PointFault]) -> Coding | None:
    if text is None:
        return Coding(type_.value)
    try:
        return Coding(text)
    except ValueError:
        faults.append(PointFault("type", f"'{text}' is no coding of a number", f"Choose one of {', '.join(Coding)}"))
        return None


def _read_text(address: ModbusAddress, options: dict[str, str], faults: list[PointFault]) -> ModbusAddress:
    """The address with its length and encoding. What only a number has is refused."""
    given = {"bit": address.bit is not None, **{key: key in options for key in ("decimals", "factor", "ne43")}}
    faults += [PointFault(key, f"a text has no {key}", "Leave it empty") for key, there in given.items() if there]
    if address.order.words_reversed:
        message, remedy = f"a text is not written backwards, as {address.order}", "Give ABCD, or BADC for swapped bytes"
        faults.append(PointFault("order", message, remedy))
    length = options.get("length", "")
    if not (_DIGITS.match(length) and 1 <= int(length) <= TEXT_REGISTERS_MAX):
        message = f"'{length}' is no length of a text"
        faults.append(
            PointFault("length", message, f"Give its registers, 1 to {TEXT_REGISTERS_MAX}: two bytes in each")
        )
        length = "1"
    encoding = options.get("encoding", Encoding.ASCII.value)
    if encoding not in tuple(Encoding):
        remedy = f"Choose one of {', '.join(Encoding)}"
        faults.append(PointFault("encoding", f"'{encoding}' is no encoding known here", remedy))
        encoding = Encoding.ASCII
    return replace(address, width=int(length), encoding=Encoding(encoding))


def _not_of_a_number(key: str) -> PointFault:
    return PointFault(key, f"only a text has a {key}", "Leave it empty, or use the type string")


def _read_alone(text: str, address: ModbusAddress, faults: list[PointFault]) -> tuple[int, int] | None:
    """``alone``, or the start and count of the request as ``0+2``, which must hold the value."""
    if text == "alone":
        return address.offset, address.width
    block = _BLOCK.match(text)
    if block is None:
        faults.append(PointFault("read", f"'{text}' is no way to read", "Write alone, or start+count as 0+2"))
        return None
    start, count = int(block["start"]), int(block["count"])
    if start + count > ADDRESS_SPACE or not start <= address.offset <= address.end <= start + count:
        remedy = f"It must hold {address.offset} to {address.end - 1} and end before {ADDRESS_SPACE}"
        faults.append(PointFault("read", f"'{text}' does not hold the value", remedy))
    return start, count


def _with_options(address: ModbusAddress, options: dict[str, str], faults: list[PointFault]) -> ModbusAddress:
    if (text := options.get("status")) is not None:
        named = _STATUS.match(text)
        if named is None:
            remedy = "Write the name of its meaning and its place, as regard@5 or regard@input:5"
            faults.append(PointFault("status", f"'{text}' is no status word", remedy))
        else:
            side = _read_side("status", named["place"], address, faults)
            address = replace(address, status_name=named["name"], status=side)
    if (text := options.get("decimals")) is not None:
        address = replace(address, decimals=_read_side("decimals", text, address, faults))
    if (text := options.get("factor")) is not None:
        parts = _FACTOR.match(text)
        assert parts is not None, "the pattern takes anything"
        if parts["constant"] is not None:
            address = replace(address, constant=_read_constant("factor", parts["constant"], faults))
        address = replace(address, factor=_read_side("factor", parts["place"], address, faults))
    if (text := options.get("ne43")) is not None:
        at_4_ma, _, at_20_ma = text.partition("..")
        loop = _read_constant("ne43", at_4_ma, faults), _read_constant("ne43", at_20_ma, faults)
        if loop[0] == loop[1]:
            faults.append(
                PointFault("ne43", f"'{text}' is no span", "Give the numbers at 4 and at 20 mA, as 5530..27648")
            )
        address = replace(address, loop=loop)
    return address


def _read_side(column: str, text: str, address: ModbusAddress, faults: list[PointFault]) -> SideWord:
    """A place in the value's own table, or in another as ``input:5``; any place where it is at fault."""
    table = address.table.value
    if ":" in text:
        table, _, text = text.partition(":")
    if table not in tuple(Table):
        faults.append(PointFault(column, f"'{table}' is no Modbus table", f"Choose one of {', '.join(Table)}"))
        table = address.table.value
    offset = _read_number(column, text, ADDRESS_SPACE - 1, faults)
    return SideWord(Table(table), offset or 0, address.order.bytes_swapped)


def _read_constant(column: str, text: str, faults: list[PointFault]) -> float:
    if _NUMBER.match(text):
        return float(text)
    faults.append(PointFault(column, f"'{text}' is no number", "Give a plain number such as 0.001"))
    return math.nan


def _check_type(type_: PointType, address: ModbusAddress, *, ordered: bool) -> list[PointFault]:
    is_bit = address.coding is Coding.BIT
    scaled = address.scaled_by_device and address.coding is not Coding.STRING
    kept = PointType.FLOAT64 if scaled else address.coding.kept
    faults = []
    if kept is not type_:
        faults.append(PointFault("type", f"a {address.coding} here is kept as {kept}, not {type_}", f"Use {kept}"))
    if is_bit and (address.scaled_by_device or address.loop):
        faults.append(PointFault("type", "a bit is not scaled by registers and has no current", "Leave these empty"))
    if address.table.holds_bits:
        faults += _check_bit_table(type_, address, ordered=ordered)
    elif is_bit and address.bit is None:
        faults.append(PointFault("bit", "a bit of a register needs its number", "Give 0 (least significant) to 15"))
    elif is_bit and address.bits > 1:
        faults.append(PointFault("bit", "a bit is one, not several", "Use the type uint16 for a field of bits"))
    elif (
        address.coding not in (Coding.BIT, Coding.STRING)
        and address.bit is not None
        and (address.coding is not Coding.UINT16 or address.bits == 1)
    ):
        remedy = "Use the type bit, or uint16 for a field as 4-7, or leave the bit empty"
        faults.append(PointFault("bit", f"a {type_} is no single bit", remedy))
    if address.end > ADDRESS_SPACE:
        remedy = f"The last place it can start at is {ADDRESS_SPACE - address.width}"
        faults.append(PointFault("address", f"a {type_} at {address.offset} reaches beyond 65535", remedy))
    return faults


def _check_bit_table(type_: PointType, address: ModbusAddress, *, ordered: bool) -> list[PointFault]:
    faults = []
    if address.coding is not Coding.BIT:
        faults.append(PointFault("type", f"a {address.table} is one bit, not {type_}", "Use the type bit"))
    if address.bit is not None:
        faults.append(PointFault("bit", f"a {address.table} has no bits inside", "Leave the bit empty"))
    if ordered:
        faults.append(PointFault("order", f"a {address.table} has no order of bytes", "Leave the order empty"))
    return faults
