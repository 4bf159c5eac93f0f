"""A site: the devices that the rig plays, their registers and what each of them shows over time.

Comes from ``site.toml`` (or is made in a test), goes to ``rig.Rig`` and from there to one process per device. Reading
a site touches no network; all faults are told at once.
"""

from __future__ import annotations

import math
import tomllib
from collections import Counter as Tally
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, FiniteFloat, Tag, ValidationError

from contract.errors import ConfigError, Fault
from contract.ids import is_name, is_tag
from contract.points import PointType
from hil_tests.rig import signals
from hil_tests.rig.commands import PLANT, PlantOrder, parse_command
from hil_tests.rig.registers import Order, Table, width
from hil_tests.rig.words import CommandError

SITE_FILE: Final = "site.toml"
DEVICES_MAX: Final = 64
REGISTERS_MAX: Final = 20_000
NODES_MAX: Final = 5_000
MODBUS: Final = "modbus"
OPCUA: Final = "opcua"


class _Settings(BaseModel):
    """``device`` and ``register`` are singular in the file, where they name TOML tables, and in the constructors."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")


def _is_number(type_: PointType) -> PointType:
    if type_ is PointType.STRING:
        raise ValueError("is no type of a number")
    return type_


NumberType = Annotated[PointType, AfterValidator(_is_number)]


class Register(_Settings):
    """One number of a device. ``register = round((signal - offset) / scale)``; floats are not rounded.

    ``address`` counts from 0 as on the wire.
    """

    name: str
    table: Table
    address: int = Field(ge=0, le=65535)
    type: NumberType
    order: Order = Order.ABCD
    scale: FiniteFloat = 1.0
    offset: FiniteFloat = 0.0
    signal: signals.Signal

    @property
    def addresses(self) -> range:
        return range(self.address, self.address + width(self.type))


class Node(_Settings):
    """One variable of an OPC UA server; its NodeId is the string ``name`` in the device's namespace."""

    name: str
    type: NumberType = PointType.FLOAT64
    signal: signals.Signal


class Transport(StrEnum):
    """What carries a Modbus device's frames."""

    TCP = "tcp"
    RTU_OVER_TCP = "rtu_over_tcp"
    RTU = "rtu"
    """A pseudo-terminal in place of a serial port."""

    @property
    def is_rtu(self) -> bool:
        return self is not Transport.TCP


class _Device(_Settings):
    """``port = 0`` takes a free one. ``told`` are commands that it has obeyed before anybody can ask it."""

    name: str
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    told: tuple[str, ...] = Field(default=(), max_length=64)


class ModbusSpec(_Device):
    """One Modbus device, or a unit ``behind`` the connection of another one.

    ``sample_ms`` is the time quantum of its signals (0: each request sees its own moment). ``unmapped`` says what a
    request over an address without a register gets: exception 02, or zeros as many devices give.
    """

    kind: Literal["modbus"] = MODBUS
    transport: Transport = Transport.TCP
    behind: str | None = None
    unit: int = Field(default=1, ge=0, le=255)
    sample_ms: int = Field(default=0, ge=0, le=3_600_000)
    unmapped: Literal["illegal", "zero"] = "illegal"
    registers: tuple[Register, ...] = Field(alias="register", min_length=1, max_length=REGISTERS_MAX)

    @property
    def instruments(self) -> tuple[Register, ...]:
        return self.registers

    def shown(self) -> str:
        """What a person needs to know to read it, besides the port."""
        return f"unit {self.unit}, {len(self.registers)} registers"


class OpcUaSpec(_Device):
    """One OPC UA server. ``namespace`` is the URI of its nodes; every ``sample_ms`` it looks at its signals."""

    kind: Literal["opcua"]
    namespace: str = Field(min_length=1, max_length=200, pattern=r"^[^\s;]+$")
    sample_ms: int = Field(default=100, ge=10, le=3_600_000)
    nodes: tuple[Node, ...] = Field(alias="node", min_length=1, max_length=NODES_MAX)

    @property
    def instruments(self) -> tuple[Node, ...]:
        return self.nodes

    def shown(self) -> str:
        """What a person needs to know to read it, besides the port."""
        return f"nsu={self.namespace}, {len(self.nodes)} nodes"


def _kind(device: Any) -> str | None:
    """Of a table of the file, or of a device made in code."""
    kind = device.get("kind", MODBUS) if isinstance(device, dict) else getattr(device, "kind", None)
    return kind if isinstance(kind, str) else None


Device = Annotated[
    Annotated[ModbusSpec, Tag(MODBUS)] | Annotated[OpcUaSpec, Tag(OPCUA)],
    Discriminator(_kind, "device_kind", f"A device is a table with kind = {MODBUS!r} (the default) or {OPCUA!r}"),
]


class PlantSettings(_Settings):
    """The simulated park behind the site's devices. The same seed gives the same run."""

    seed: int = Field(ge=0, lt=1 << 31)


class Site(_Settings):
    """All devices of a site, and the plant that they look at."""

    plant: PlantSettings | None = None
    devices: tuple[Device, ...] = Field(alias="device", min_length=1, max_length=DEVICES_MAX)

    def __getitem__(self, name: str) -> Device:
        """Raises KeyError."""
        return {each.name: each for each in self.devices}[name]

    def connections(self) -> list[tuple[Device, ...]]:
        """Devices that share a connection, the one that has it first."""
        return [
            (each, *(other for other in self.devices if leader(other) == each.name and other is not each))
            for each in self.devices
            if leader(each) == each.name
        ]

    def on_free_ports(self) -> Site:
        """The same site, each device on a port that is free when it starts."""
        devices = tuple(each.model_copy(update={"port": 0}) for each in self.devices)
        return self.model_copy(update={"devices": devices})


def leader(device: Device) -> str:
    """Name of the device whose connection this one is reached by."""
    return (device.behind if isinstance(device, ModbusSpec) else None) or device.name


def load_site(path: Path) -> Site:
    """Read a ``site.toml``, or the one in a folder; recordings are looked for beside it.

    Raises ConfigError with every fault found.
    """
    file = path / SITE_FILE if path.is_dir() else path
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        remedy = f"Give a folder with a {SITE_FILE} in it, or such a file."
        raise ConfigError([Fault(str(file), None, None, f"cannot be read ({error})", remedy)]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([Fault(str(file), None, None, f"is no TOML: {error}", "Mend the line.")]) from error
    return parse_site(data, file)


def parse_site(data: dict[str, Any], file: Path) -> Site:
    """Raises ConfigError with every fault found; ``file`` places them, and its folder is that of the recordings."""
    try:
        site = Site.model_validate(data, context={"folder": file.parent})
    except ValidationError as error:
        raise ConfigError([*model_faults(error, file.name)]) from error
    if faults := [*site_faults(site, file.name)]:
        raise ConfigError(faults)
    return site


def model_faults(error: ValidationError, file: str) -> Iterator[Fault]:
    """A pydantic error as faults: ``column`` is the dotted path of the key, lists counted from 1."""
    errors = error.errors()
    places = [each["loc"] for each in errors]
    for each in errors:
        place = each["loc"]
        if each["type"] == "too_short" and any(other != place == other[: len(place)] for other in places):
            continue  # pydantic counts only the good members of a list, so this one follows from their own faults
        path = ".".join(str(part + 1) if isinstance(part, int) else str(part) for part in _in_the_file(place))
        given = f" (given: {str(each['input'])[:60]!r})" if each["type"] != "missing" else ""
        yield Fault(file, None, path, each["msg"] + given, "Correct this key.")


def _in_the_file(place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Without the kind of the device, which pydantic puts in."""
    is_device = place[:1] == ("device",) and place[2:3] in ((MODBUS,), (OPCUA,))
    return place[:2] + place[3:] if is_device else place


def site_faults(site: Site, file: str = SITE_FILE) -> Iterator[Fault]:
    """What a site with well-formed keys may still have wrong; reads its recordings."""
    yield from _repeated((each.name for each in site.devices), file, "device", "name")
    endpoints = (f"{each.host}:{each.port}" for each in site.devices if each.port)
    yield from _repeated(endpoints, file, "device", "port")
    for device in site.devices:
        if not is_name(device.name):
            yield Fault(file, None, f"device {device.name!r}", "is no name", "Use letters, digits, and _ . - inside.")
        if device.name == PLANT and site.plant is not None:
            yield Fault(file, None, "device 'plant'", "has the plant's name", "Call the device something else.")
        yield from _told_faults(device, file)
        yield from _sharing_faults(site, device, file)
        yield from _device_faults(device, file)
        yield from _plant_faults(site, device, file)


def _told_faults(device: Device, file: str) -> Iterator[Fault]:
    for text in device.told:
        try:
            command = parse_command(text)
        except CommandError as error:
            yield Fault(file, None, f"device {device.name}, told", str(error), "Write it as it is typed.")
            continue
        if isinstance(command, PlantOrder):
            yield Fault(file, None, f"device {device.name}, told", f"{text!r} is for the plant", "Take it out.")


def _sharing_faults(site: Site, device: Device, file: str) -> Iterator[Fault]:
    if not isinstance(device, ModbusSpec) or device.behind is None:
        return
    where = f"device {device.name}, behind"
    first = next((each for each in site.devices if each.name == device.behind), None)
    if not isinstance(first, ModbusSpec) or first.behind is not None:
        message = f"{device.behind!r} is no Modbus device with a connection of its own"
        yield Fault(file, None, where, message, "Name the device whose connection it shares.")
        return
    if device.port or device.transport is not Transport.TCP:
        remedy = f"Take it out: it is reached as {first.name} is."
        yield Fault(file, None, where, "has a port or a transport of its own", remedy)
    others = [each for each in site.devices if isinstance(each, ModbusSpec) and leader(each) == first.name]
    if sum(each.unit == device.unit for each in others) > 1:
        yield Fault(file, None, where, f"unit {device.unit} is there more than once", "Give each unit its own number.")


def _device_faults(device: Device, file: str) -> Iterator[Fault]:
    yield from _repeated((each.name for each in device.instruments), file, f"device {device.name}", "name")
    if isinstance(device, OpcUaSpec):
        for node in device.nodes:
            for message, remedy in _instrument_faults(node):
                yield Fault(file, None, f"device {device.name}, node {node.name}", message, remedy)
        return
    taken: dict[tuple[Table, int], str] = {}
    for register in device.registers:
        for message, remedy in (*_register_faults(register), *_instrument_faults(register)):
            yield Fault(file, None, f"device {device.name}, register {register.name}", message, remedy)
        if clash := {taken.get((register.table, address)) for address in register.addresses} - {None}:
            where = f"device {device.name}, register {register.name}"
            message = f"lies on {', '.join(sorted(map(str, clash)))}"
            yield Fault(file, None, where, message, f"It takes {len(register.addresses)} address(es): move one.")
        taken.update({(register.table, address): register.name for address in register.addresses})


def _plant_faults(site: Site, device: Device, file: str) -> Iterator[Fault]:
    """Imports the plant only where one is looked at."""
    for each in device.instruments:
        if not isinstance(each.signal, signals.PlantTag):
            continue
        where = f"device {device.name}, {each.name}"
        if site.plant is None:
            yield Fault(file, None, where, "looks at a plant that is not there", "Add [plant] with a seed.")
            continue
        from hil_tests.rig.plant import INSTRUMENTS

        if each.signal.tag not in INSTRUMENTS:
            near = ", ".join(tag for tag in INSTRUMENTS if tag[:2] == each.signal.tag[:2]) or ", ".join(INSTRUMENTS)
            yield Fault(file, None, where, f"the plant has no instrument {each.signal.tag!r}", f"There are: {near}.")


def _register_faults(register: Register) -> Iterator[tuple[str, str]]:
    if register.table.holds_bits != (register.type is PointType.BIT):
        yield f"type {register.type} in table {register.table}", "Bits are coils or discretes, numbers are not."
    if register.addresses.stop > 65536:
        yield "reaches beyond address 65535", "Give a lower address."
    if register.scale == 0:
        yield "scale is 0", "Give the unit's worth of one step of the register."


def _instrument_faults(instrument: Register | Node) -> Iterator[tuple[str, str]]:
    if not is_tag(instrument.name):
        yield "has a name with blanks, quotes, commas or slashes", "Use other characters."
    try:
        missing = _may_be_nan(instrument.signal)
    except ConfigError as error:
        for fault in error.faults:
            yield f"recording: {fault}".removesuffix(f". {fault.remedy}"), fault.remedy
        return
    if isinstance(instrument, Register) and instrument.type.is_integer and missing:
        yield "its signal has NaN or missing values, and an integer cannot say so", "Use float32, or fill the gaps."


def _may_be_nan(signal: signals.Signal) -> bool:
    """Reads a recording; raises ConfigError for what is wrong in it."""
    match signal:
        case signals.Constant():
            return math.isnan(signal.value)
        case signals.Step():
            return math.isnan(signal.before) or math.isnan(signal.after)
        case signals.Recording():
            return any(map(math.isnan, signal.read().values))
    return False


def _repeated(words: Iterable[str], file: str, where: str, key: str) -> Iterator[Fault]:
    for word, times in Tally(words).items():
        if times > 1:
            yield Fault(file, None, f"{where}, {key}", f"{word!r} is there {times} times", "Give each its own.")
