"""What devices of one connection must agree on, which keys its transport wants, and what time its requests take. Pure.

Setups come in from the configuration; ``driver`` refuses to run with what is found here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from contract.clock import NS_PER_MS, NS_PER_S
from contract.errors import Fault
from drivers.base import DeviceSetup
from drivers.modbus.planner import BusCost
from drivers.modbus.settings import ModbusSettings, Transport

TCP_REQUEST_NS: Final = 2 * NS_PER_MS
"""Assumed of a request over TCP beside its data, until it is measured: turnaround of an ordinary device."""
TCP_BYTE_NS: Final = 10_000
"""Assumed of a byte of data over TCP: what slow stacks of controllers take to collect it."""
TURNAROUND_NS: Final = 5 * NS_PER_MS
"""Assumed time that a device on a serial line thinks."""
BAUDRATE_DEFAULT: Final = 19_200
"""Modbus over serial line 1.02, clause 3.2.1."""
SILENCE_MIN_NS: Final = 1_750_000
"""Between two frames above 19200 baud, 3.5 characters below (Modbus over serial line 1.02, clause 2.5.1.1)."""
UNIT_MAX: Final = 247
"""Of a serial line; 0 speaks to all and gets no answer (Modbus over serial line 1.02, clause 2.2)."""
_BITS_PER_CHARACTER: Final = 11
_RTU_FRAME_BYTES: Final = 8 + 5
"""A request, and a reply without its data."""

_SHARED: Final = (
    "transport", "baudrate", "parity", "stop_bits", "ca_file", "certificate_file", "key_file", "server_name",
    "connect_pause_ms", "reconnect_max_s",
)  # fmt: skip
"""Keys that belong to the connection: devices that share one cannot differ in them. What it leads to is the same anyway."""
_TLS_KEYS: Final = ("ca_file", "certificate_file", "key_file", "server_name")
_FILE: Final = "agent.toml"


def check(setups: Sequence[DeviceSetup]) -> list[Fault]:
    """Faults of the keys of devices that share a connection."""
    faults = [fault for setup in setups for fault in _transport(setup, _settings(setup))]
    if faults:
        return faults
    first, *others = setups
    units = {_settings(first).unit: first}
    for setup in others:
        faults += _disagreement(first, setup)
        unit = _settings(setup).unit
        if units.setdefault(unit, setup) is not setup:
            message = f"unit {unit} at {_settings(setup).endpoint} is {units[unit].name} already"
            faults.append(Fault(_FILE, None, f"{setup.place}.unit", message, "Give each device its own unit"))
    return faults


def bus_cost(settings: ModbusSettings) -> BusCost:
    """What a request is assumed to cost: computed where the speed of a serial line is known, be it behind a gateway."""
    if (settings.transport is Transport.TCP and settings.baudrate is None) or settings.transport is Transport.TLS:
        return BusCost(TCP_REQUEST_NS, TCP_BYTE_NS)
    network_ns = 0 if settings.transport is Transport.RTU else TCP_REQUEST_NS
    character_ns = _character_ns(settings)
    frames_ns = _RTU_FRAME_BYTES * character_ns + 2 * silence_ns(settings)
    return BusCost(network_ns + TURNAROUND_NS + frames_ns, character_ns)


def silence_ns(settings: ModbusSettings) -> int:
    """What must lie between two frames of a serial line."""
    return max(SILENCE_MIN_NS if _baudrate(settings) > 19_200 else 0, 7 * _character_ns(settings) // 2)


def _baudrate(settings: ModbusSettings) -> int:
    return settings.baudrate or BAUDRATE_DEFAULT


def _character_ns(settings: ModbusSettings) -> int:
    return _BITS_PER_CHARACTER * NS_PER_S // _baudrate(settings)


def _settings(setup: DeviceSetup) -> ModbusSettings:
    assert isinstance(setup.settings, ModbusSettings)
    return setup.settings


def _transport(setup: DeviceSetup, settings: ModbusSettings) -> Iterator[Fault]:
    serial = settings.transport is Transport.RTU
    useless = ["host", "port"] if serial else ["serial_port"]
    if settings.transport is not Transport.TLS:
        useless += _TLS_KEYS
    for key in useless:
        if getattr(settings, key) is not None:
            message = f"a connection by {settings.transport} has no {key}"
            yield Fault(_FILE, None, f"{setup.place}.{key}", message, "Take it out, or choose another transport")
    if settings.transport.is_rtu and not 1 <= settings.unit <= UNIT_MAX:
        message = f"unit {settings.unit} answers to nobody on a serial line"
        yield Fault(_FILE, None, f"{setup.place}.unit", message, f"Give the device's own, 1 to {UNIT_MAX}")
    if (settings.certificate_file is None) != (settings.key_file is None):
        absent = "key_file" if settings.key_file is None else "certificate_file"
        yield Fault(_FILE, None, f"{setup.place}.{absent}", "the key is missing", "A certificate needs its key")


def _disagreement(first: DeviceSetup, other: DeviceSetup) -> Iterator[Fault]:
    for key in _SHARED:
        here, there = getattr(other.settings, key), getattr(first.settings, key)
        if here != there:
            message = f"{key} is {_text(here)} here and {_text(there)} at {first.name}, on the same connection"
            remedy = f"Give both the same: devices at {_settings(first).endpoint} share one connection"
            yield Fault(_FILE, None, f"{other.place}.{key}", message, remedy)


def _text(value: object) -> str:
    return "not given" if value is None else str(value)
