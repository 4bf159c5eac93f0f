"""What a device answers at a given moment: its registers, and what it was told to do with them.

Pure: time is handed in, requests and commands go in, replies and marker changes come out. ``modbus_device`` puts a
socket, a clock and a ledger around it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from contract.clock import NS_PER_MS
from contract.points import PointType
from hil_tests.rig import commands, signals
from hil_tests.rig.commands import Command, InstrumentCommand
from hil_tests.rig.plant_feed import PlantFeed, curves, order
from hil_tests.rig.playing import Instruments
from hil_tests.rig.registers import Table, encode, resolve, wire_break
from hil_tests.rig.site import ModbusSpec, Register
from hil_tests.rig.words import CommandError

ILLEGAL_ADDRESS = 0x02
ILLEGAL_VALUE = 0x03
GATEWAY_NO_RESPONSE = 0x0B
REGISTERS_MAX = 125
BITS_MAX = 2000
"""In one request (Modbus application protocol 1.1b3, clauses 6.1 to 6.4)."""


@dataclass(frozen=True, slots=True)
class Values:
    """One number per register or bit asked for."""

    words: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A Modbus exception."""

    code: int


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer at all."""


@dataclass(frozen=True, slots=True)
class MarkerChange:
    mono_ns: int
    name: str
    number: int


class Playback:
    """One device. ``start_ns`` is the moment on the monotonic clock at which its signals begin."""

    def __init__(self, device: ModbusSpec, start_ns: int, plant: PlantFeed | None = None) -> None:
        """Reads recordings. Raises ConfigError for what is wrong in them."""
        self._unit = device.unit
        self._zero_where_unmapped = device.unmapped == "zero"
        self._answering = True
        self._exceptions: dict[int, int] = {}
        self._longest: commands.RefuseLonger | None = None
        quantum_ns = device.sample_ms * NS_PER_MS
        self._plant = plant
        self._instruments = Instruments("register", curves(device.registers, plant), start_ns, quantum_ns)
        self._registers = {each.name: _Register(each) for each in device.registers}
        self._at = {
            (each.table, address): (self._registers[each.name], index)
            for each in device.registers
            for index, address in enumerate(each.addresses)
        }
        self._markers = [
            _Marker(each.name, each.signal, start_ns) for each in device.registers
            if isinstance(each.signal, signals.Counter)
        ]  # fmt: skip

    def answer(self, unit: int, table: Table, address: int, count: int, now_ns: int) -> Values | Refusal | Silence:
        """Every register of one request shows the same moment."""
        if not self._answering:
            return Silence()
        if unit != self._unit:
            return Refusal(GATEWAY_NO_RESPONSE)
        if not 1 <= count <= (BITS_MAX if table.holds_bits else REGISTERS_MAX):
            return Refusal(ILLEGAL_VALUE)
        if self._longest is not None and count > self._longest.count:
            return Refusal(self._longest.code)
        for each in range(address, address + count):
            if each in self._exceptions:
                return Refusal(self._exceptions[each])
        return self._read(table, range(address, address + count), now_ns)

    def apply(self, command: Command, now_ns: int) -> None:
        """Obey. Raises CommandError, and then nothing has changed."""
        match command:
            case (
                commands.Step() | commands.Release() | commands.Freeze() | commands.Unfreeze()
                | commands.OpenCircuit() | commands.CloseCircuit()
            ):  # fmt: skip
                self._apply_to_instruments(command, now_ns)
            case commands.StopAnswering():
                self._answering = False
            case commands.Answer():
                self._answering = True
            case commands.RaiseException():
                self._exceptions[command.address] = command.code
            case commands.ClearExceptions():
                self._exceptions.clear()
            case commands.RefuseLonger():
                self._longest = command
            case commands.PlantOrder():
                order(self._plant, command)
            case commands.Status() | commands.ClearStatus():
                raise CommandError("a Modbus device has no status codes; `exception ADDRESS CODE` refuses requests")
            case _ if isinstance(command, commands.OpcUaCommand):
                raise CommandError("this is for OPC UA devices")
            case _:
                pass  # of the replies, the socket and the process, which the caller owns

    def marker_changes(self, until_ns: int) -> list[MarkerChange]:
        """Changes since the last call, up to and including ``until_ns``, in order of time."""
        changes = [change for marker in self._markers for change in marker.changes(until_ns)]
        return sorted(changes, key=lambda change: change.mono_ns)

    def next_marker_ns(self) -> int | None:
        """When the next change that ``marker_changes`` has not told yet is due; None without markers."""
        return min((marker.next_ns for marker in self._markers), default=None)

    def _apply_to_instruments(self, command: InstrumentCommand, now_ns: int) -> None:
        match command:
            case commands.Step(name, value):
                self._instruments.require(name)
                self._registers[name].require_sayable(value)
            case commands.OpenCircuit(name):
                self._instruments.require(name)
                self._registers[name].require_open_circuit_sayable()
        self._instruments.apply(command, now_ns)

    def _read(self, table: Table, addresses: range, now_ns: int) -> Values | Refusal:
        shown: dict[str, tuple[int, ...]] = {}
        words: list[int] = []
        for address in addresses:
            if (place := self._at.get((table, address))) is None:
                if not self._zero_where_unmapped or address > 65535:
                    return Refusal(ILLEGAL_ADDRESS)
                words.append(0)
                continue
            register, index = place
            if register.name not in shown:
                shown[register.name] = register.words(self._instruments.number(register.name, now_ns))
            words.append(shown[register.name][index])
        return Values(tuple(words))


class _Register:
    """The words of a register for the number that its instrument shows."""

    def __init__(self, register: Register) -> None:
        self._register = register

    @property
    def name(self) -> str:
        return self._register.name

    def words(self, number: float) -> tuple[int, ...]:
        type_ = self._register.type
        if math.isnan(number) and type_.is_integer:
            return encode(type_, self._register.order, wire_break(type_))
        return self._encoded(number)

    def require_open_circuit_sayable(self) -> None:
        """Raises CommandError."""
        if self._register.type is PointType.BIT:
            raise CommandError(
                f"register {self.name}: a contact shows a broken wire as one of its two states: use step"
            )

    def require_sayable(self, number: float) -> None:
        """Raises CommandError."""
        try:
            self._encoded(number)
        except ValueError as error:
            raise CommandError(f"register {self.name}: {error}") from error

    def _encoded(self, number: float) -> tuple[int, ...]:
        register = self._register
        in_steps = (number - register.offset) / register.scale
        return encode(register.type, register.order, resolve(register.type, in_steps))


class _Marker:
    """Tells the changes of a counter's signal, whether or not anybody reads it or a command covers it."""

    def __init__(self, name: str, counter: signals.Counter, start_ns: int) -> None:
        self._name = name
        self._counter = counter
        self._start_ns = start_ns
        self._told = 0

    @property
    def next_ns(self) -> int:
        return self._start_ns + (self._told + 1) * self._counter.period_ns

    def changes(self, until_ns: int) -> list[MarkerChange]:
        changes = []
        while self.next_ns <= until_ns:
            due_ns = self.next_ns
            self._told += 1
            changes.append(MarkerChange(due_ns, self._name, self._counter.number(due_ns - self._start_ns)))
        return changes
