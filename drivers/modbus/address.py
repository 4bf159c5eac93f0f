"""Where a point lies in a Modbus device: the address text, parsed and checked. Pure.

The settings loader composes the text from the columns of an I/O list; ``examine`` gives each mistake back by column.
``planner`` uses place and width, ``registers`` also bit and order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from contract.points import PointSpec, PointType
from drivers.base import PointFault
from drivers.numbers import examine_numbers

ADDRESS_SPACE: Final = 65_536
"""Places in each of the four tables."""

_SHAPE: Final = re.compile(
    r"(?P<table>[^:]*):(?P<offset>[^./@]*)(?:\.(?P<bit>[^/@]*))?(?:/(?P<order>[^@]*))?(?:@(?P<alone>.*))?\Z", re.DOTALL
)
_BLOCK: Final = re.compile(r"(?P<start>[0-9]{1,9})\+(?P<count>[0-9]{1,9})\Z")
_DIGITS: Final = re.compile(r"[0-9]{1,9}\Z")
_REGISTERS: Final = {
    PointType.BIT: 1,
    PointType.UINT16: 1,
    PointType.INT16: 1,
    PointType.UINT32: 2,
    PointType.INT32: 2,
    PointType.FLOAT32: 2,
    PointType.UINT64: 4,
    PointType.INT64: 4,
    PointType.FLOAT64: 4,
}


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
class ModbusAddress:
    """``offset`` and ``width`` count registers, in the bit tables bits; ``bit`` 0 is a register's least significant.

    ``alone`` is the start and count of the one request that may read it, for devices whose answer depends on what is asked.
    """

    table: Table
    offset: int
    width: int
    bit: int | None
    order: WordOrder
    alone: tuple[int, int] | None = None

    @property
    def end(self) -> int:
        return self.offset + self.width

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
    bit = None if shape["bit"] is None else _read_number("bit", shape["bit"], 15, faults)
    order = _read_order(shape["order"], faults)
    if table is None or offset is None or order is None or (bit is None and shape["bit"] is not None):
        return None, faults
    address = ModbusAddress(table, offset, _REGISTERS[spec.type], bit, order)
    if shape["alone"] is not None:
        address = replace(address, alone=_read_alone(shape["alone"], address, faults))
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


def _read_order(text: str | None, faults: list[PointFault]) -> WordOrder | None:
    if text is None:
        return WordOrder.ABCD
    try:
        return WordOrder(text)
    except ValueError:
        faults.append(PointFault("order", f"'{text}' is no order of bytes", f"Choose one of {', '.join(WordOrder)}"))
        return None


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


def _check_type(type_: PointType, address: ModbusAddress, *, ordered: bool) -> list[PointFault]:
    faults = []
    is_bit = type_ is PointType.BIT
    if address.table.holds_bits:
        if not is_bit:
            faults.append(PointFault("type", f"a {address.table} is one bit, not {type_}", "Use the type bit"))
        if address.bit is not None:
            faults.append(PointFault("bit", f"a {address.table} has no bits inside", "Leave the bit empty"))
        if ordered:
            faults.append(PointFault("order", f"a {address.table} has no order of bytes", "Leave the order empty"))
    elif is_bit and address.bit is None:
        faults.append(PointFault("bit", "a bit of a register needs its number", "Give 0 (least significant) to 15"))
    elif not is_bit and address.bit is not None:
        faults.append(PointFault("bit", f"a {type_} is no single bit", "Leave the bit empty, or use the type bit"))
    if address.end > ADDRESS_SPACE:
        remedy = f"The last place it can start at is {ADDRESS_SPACE - address.width}"
        faults.append(PointFault("address", f"a {type_} at {address.offset} reaches beyond 65535", remedy))
    return faults
