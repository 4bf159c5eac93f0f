"""What an engineer types to name a device and a place in it becomes settings and a place. Pure.

A device is a URL as ``tcp://10.0.0.9:502/1`` or ``rtu:///dev/ttyS1?baudrate=19200&unit=7``, a bare host, or the path of a serial
port. Any key of the driver's settings may stand behind ``?``. A place is ``holding:40`` as it goes over the wire, or a number as
manuals print it (40041). What is not understood is a ``PlaceError`` that says what to type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import ValidationError

from drivers.base import DeviceSetup
from drivers.modbus.address import ADDRESS_SPACE, Table
from drivers.modbus.connection import check
from drivers.modbus.settings import ModbusSettings, Transport
from edge_agent.settings.suggest import did_you_mean, shown

EXAMPLE: Final = "tcp://10.0.0.9:502/1 or rtu:///dev/ttyS1?baudrate=19200&unit=7"
_SCHEMES: Final = {
    "tcp": Transport.TCP, "modbus": Transport.TCP, "modbus+tcp": Transport.TCP, "tls": Transport.TLS,
    "rtu": Transport.RTU, "serial": Transport.RTU, "rtu+tcp": Transport.RTU_OVER_TCP,
}  # fmt: skip
_PLACE: Final = re.compile(r"(?P<table>[A-Za-z]+):(?P<offset>[0-9]{1,5})(?:\.(?P<bit>[0-9]{1,2}))?\Z")
_PRINTED: Final = re.compile(r"(?P<first>[0134])(?P<number>[0-9]{4,5})\Z")
_PRINTED_TABLES: Final = {"0": Table.COIL, "1": Table.DISCRETE, "3": Table.INPUT, "4": Table.HOLDING}
"""The first digit of the numbers in manuals (Modicon); the rest counts from 1."""
_UNIT: Final = re.compile(r"[0-9]{1,3}\Z")


class PlaceError(ValueError):
    """What was typed names nothing; ``remedy`` says what to type."""

    def __init__(self, message: str, remedy: str) -> None:
        self.remedy = remedy
        super().__init__(f"{message}. {remedy}")


@dataclass(frozen=True, slots=True)
class Place:
    """One place of a device; ``bit`` 0 is a register's least significant."""

    table: Table
    offset: int
    bit: int | None = None

    @property
    def printed(self) -> str:
        """The number that a manual would print, with five digits where they suffice."""
        first = next(digit for digit, table in _PRINTED_TABLES.items() if table is self.table)
        number = self.offset + 1
        return f"{first}{number:04d}" if number <= 9999 else f"{first}{number:05d}"

    def __str__(self) -> str:
        return f"{self.table}:{self.offset}" + ("" if self.bit is None else f".{self.bit}")


def is_place(text: str) -> bool:
    return bool(_PLACE.match(text) or _PRINTED.match(text))


def read_place(text: str) -> tuple[Place, str | None]:
    """The place, and what to tell the person of how the text was understood. Raises PlaceError."""
    printed = _PRINTED.match(text)
    if printed:
        table, number = _PRINTED_TABLES[printed["first"]], int(printed["number"])
        if not 1 <= number <= ADDRESS_SPACE:
            raise PlaceError(f"{shown(text)} is no number of a manual", f"They count from {printed['first']}0001")
        place = Place(table, number - 1)
        return place, f"{text} of a manual is taken as {place}: manuals mostly count from 1, the wire from 0"
    shape = _PLACE.match(text)
    if shape is None:
        remedy = "Write table:offset, as holding:40, input:7.3 or coil:12, or a number of the manual, as 40041"
        raise PlaceError(f"{shown(text)} is no place in a device", remedy)
    if shape["table"] not in tuple(Table):
        raise PlaceError(f"{shown(shape['table'])} is no table", did_you_mean(shape["table"], tuple(Table)))
    table, offset = Table(shape["table"]), int(shape["offset"])
    bit = None if shape["bit"] is None else int(shape["bit"])
    if offset >= ADDRESS_SPACE:
        raise PlaceError(f"{text} is beyond the last place", f"Give 0 to {ADDRESS_SPACE - 1}, as it goes over the wire")
    if bit is not None and (bit > 15 or table.holds_bits):
        raise PlaceError(f"{text} is no bit", "A register has bits 0 (least significant) to 15, a coil is one itself")
    note = None
    if not table.holds_bits and len(shape["offset"]) == 5 and (meant := _PRINTED.match(shape["offset"])) is not None:
        there = Place(_PRINTED_TABLES[meant["first"]], max(int(meant["number"]) - 1, 0))
        note = f"{text} is offset {offset} on the wire; if a manual says {shape['offset']}, try {there}"
    return Place(table, offset, bit), note


def read_device(text: str, options: Mapping[str, Any]) -> tuple[ModbusSettings, str | None]:
    """How a device is reached, and the text of a place that stood behind it. ``options`` are keys that win. Raises PlaceError."""
    keys, place = _keys(text)
    return settings_of({**keys, **options}), place


def settings_of(keys: Mapping[str, Any]) -> ModbusSettings:
    """Raises PlaceError."""
    try:
        settings = ModbusSettings.model_validate(keys)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        key = str(first["loc"][0]) if first["loc"] else "address"
        if first["type"] == "extra_forbidden":
            raise PlaceError(
                f"unknown key {shown(key)}", did_you_mean(key, list(ModbusSettings.model_fields))
            ) from None
        problem = str(first["msg"]).removeprefix("Value error, ")
        raise PlaceError(f"{key}: {problem}", f"Write it as in {EXAMPLE}") from None
    for fault in check([DeviceSetup("device", "device", settings, [])]):
        raise PlaceError(fault.message, fault.remedy)
    return settings


def _keys(text: str) -> tuple[dict[str, Any], str | None]:
    if "://" not in text:
        return ({"transport": "rtu", "serial_port": text}, None) if text.startswith("/") else _keys(f"tcp://{text}")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise PlaceError(f"{shown(text)}: {error}", f"Write it as in {EXAMPLE}") from None
    transport = _SCHEMES.get(url.scheme.replace("_over_", "+"))
    if transport is None:
        raise PlaceError(f"unknown transport {shown(url.scheme)}", did_you_mean(url.scheme, tuple(_SCHEMES)))
    keys: dict[str, Any] = {"transport": transport.value, **dict(parse_qsl(url.query, keep_blank_values=True))}
    parts = [unquote(part) for part in url.path.split("/") if part]
    place = parts.pop() if parts and is_place(parts[-1]) else None
    if transport is Transport.RTU:
        return {**keys, "serial_port": "/" + "/".join([url.netloc, *parts]).lstrip("/")}, place
    keys |= {"host": url.hostname or "", "port": port}
    if parts and _UNIT.match(parts[0]):
        keys["unit"] = int(parts.pop(0))
    if parts:
        raise PlaceError(f"{shown('/'.join(parts))} is no place in a device", "Write table:offset, as holding:40")
    return keys, place
