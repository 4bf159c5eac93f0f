"""Modbus devices on one connection as a driver: timetable, turns and the link tied together.

Setups come from the edge agent; sample batches go back to it, one per reply as soon as it is decoded. One request is on the
way at any time. Of the turns that are due the one whose next turn comes first goes on, request by request, so a long turn of
a slow group never holds up a fast one. What rows an outcome makes is ``unit``'s matter.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from contract.batch import SampleBatch
from contract.clock import NS_PER_MS, NS_PER_S, Clock
from contract.errors import ConfigError, Fault
from contract.points import PointRole, PointSpec
from drivers.base import DeviceHealth, DeviceSetup, PlanLine
from drivers.modbus import connection, schedule, wires
from drivers.modbus.address import examine
from drivers.modbus.link import ModbusLink
from drivers.modbus.memory import Memory
from drivers.modbus.registers import RegisterPoint
from drivers.modbus.schedule import Due, Timetable
from drivers.modbus.settings import ModbusSettings, Transport
from drivers.modbus.unit import Group, Turn, Unit

_SUMMANDS_TOLD_MAX: Final = 8


@dataclass(slots=True, eq=False)
class _Running:
    """A turn that has begun."""

    unit: Unit
    turn: Turn
    due: Due


class ModbusDriver:
    """The devices of one connection. See ``drivers.base.Driver`` for the methods."""

    def __init__(
        self,
        setups: Sequence[DeviceSetup],
        clock: Clock,
        rng: random.Random,
        folder: Path | None = None,
        phase: float = 0.0,
    ) -> None:
        self._setups = tuple(setups)
        self._phase = phase
        self._clock = clock
        self._settings = _settings(setups[0])
        self._link = ModbusLink(self._settings, clock, rng)
        self._faults = [*connection.check(setups), *_line_faults(setups)]
        self._units: list[Unit] = []
        for setup in setups:
            points, faults = _place(setup)
            self._faults += faults
            if not faults:
                cost = connection.bus_cost(_settings(setup))
                self._units.append(Unit(setup, points, cost, rng, shared=len(setups) > 1))
        self._groups = [(unit, group) for unit in self._units for group in unit.groups]
        if not self._faults:
            self._faults += [*self._overload(), *self._too_long()]
        self._memories = [] if folder is None else [Memory(folder, s.name, _settings(s), _measured(s)) for s in setups]
        self._timetable: Timetable | None = None

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(setup.name for setup in self._setups)

    def check(self) -> list[Fault]:
        return list(self._faults)

    def plan_report(self) -> list[PlanLine]:
        return [self._plan_line(unit, group) for unit, group in self._groups]

    def _plan_line(self, unit: Unit, group: Group) -> PlanLine:
        busy_ns = unit.busy_ns(group)
        return PlanLine(
            self._settings.endpoint, unit.name, f"every {group.poll_s:g} s", len(group.points), len(group.queue),
            busy_ns / NS_PER_MS, busy_ns / NS_PER_S / group.poll_s,
        )  # fmt: skip

    async def run(self) -> AsyncGenerator[SampleBatch, None]:
        if self._faults:
            raise ConfigError(self._faults)
        self._recall()
        timetable = self._timetable = self._begun()
        running: list[_Running] = []
        while True:
            due = timetable.next()
            if due is not None and not running:
                await self._clock.sleep_until(due.mono_ns)
            while due is not None and due.mono_ns <= self._clock.mono_ns():
                unit, group = self._groups[due.group]
                running.append(_Running(unit, unit.begin(group, self._clock.mono_ns()), due))
                timetable.begin(due.group)
                due = timetable.next()
            each = min(running, key=lambda one: one.due.deadline_mono_ns)
            yield await self._step(each)
            if each.unit.is_back:
                self._ask_all(each.unit, timetable)
            if not each.turn.pending:
                running.remove(each)
                await self._finish(each, timetable)

    def healths(self) -> tuple[DeviceHealth, ...]:
        reconnects = max(0, self._link.connects - 1)
        healths = [
            unit.health(reconnects=reconnects, missed_turns=self._missed(unit), slowed=self._slowed(unit))
            for unit in self._units
        ]
        for i, memory in enumerate(self._memories):
            if memory.trouble is not None:
                healths[i] = replace(healths[i], refused=(*healths[i].refused, f"not remembered: {memory.trouble}"))
        return tuple(healths)

    async def close(self) -> None:
        self._link.close()

    async def _step(self, running: _Running) -> SampleBatch:
        """Ask the next request of a turn; the rows that follow from what came back."""
        unit, turn = running.unit, running.turn
        request = unit.wants(turn, self._clock.mono_ns())
        if request is None:
            return unit.unasked(turn, self._clock.wall_ns(), self._clock.mono_ns())
        outcome = await self._link.read(unit.settings, request)
        return unit.take(turn, outcome, self._clock.wall_ns(), self._clock.mono_ns())

    def _begun(self) -> Timetable:
        """Everything is read at once; then the turns follow the timetable, put off by this connection's phase."""
        slots, now_ns = self._slots(), self._clock.mono_ns()
        timetable = Timetable(slots, now_ns + int(self._phase * min(slot.period_ns for slot in slots)))
        for group in range(len(slots)):
            timetable.hurry(group, now_ns)
        return timetable

    def _ask_all(self, unit: Unit, timetable: Timetable) -> None:
        """A device that is back is read whole: points of a slow group would else stay BAD, and be told as broken, until
        their turn."""
        unit.is_back = False
        for index, (owner, _) in enumerate(self._groups):
            if owner is unit:
                timetable.hurry(index, self._clock.mono_ns())

    async def _finish(self, running: _Running, timetable: Timetable) -> None:
        unit, turn = running.unit, running.turn
        unit.end(turn, self._clock.wall_ns())
        well = turn.answered_all and not turn.search.extra_requests
        timetable.finish(running.due.group, self._clock.mono_ns(), turn.busy_ns if well else None)
        if unit.changed and self._memories:
            unit.changed = False
            memory = self._memories[self._units.index(unit)]
            await asyncio.to_thread(memory.save, unit.holes.to_json())

    def _recall(self) -> None:
        for unit, memory in zip(self._units, self._memories, strict=False):
            learned = memory.recall()
            if learned is None:
                continue
            try:
                unit.recall(learned, self._clock.mono_ns())
            except ValueError as error:
                memory.trouble = str(error)

    def _slots(self) -> list[schedule.Slot]:
        return [slot for unit in self._units for slot in unit.slots()]

    def _overload(self) -> list[Fault]:
        """A timetable that cannot be kept, with the sum that shows it."""
        share = schedule.load(self._slots())
        if share <= 1:
            return []
        shares = sorted(((schedule.load(unit.slots()), unit.name) for unit in self._units), reverse=True)
        parts = [f"{name} {of_it:.0%}" for of_it, name in shares[:_SUMMANDS_TOLD_MAX]]
        if more := shares[_SUMMANDS_TOLD_MAX:]:
            parts.append(f"{len(more)} more {sum(of_it for of_it, _ in more):.0%}")
        message = f"{self._settings.endpoint} would be busy for {share:.0%} of the time ({' + '.join(parts)})"
        return [Fault("points.csv", None, "poll_s", message, "Poll less often, or shorten pause_ms of the devices")]

    def _too_long(self) -> list[Fault]:
        """Requests that a line of known speed cannot carry both ways within the time-out."""
        faults = []
        for unit, setup in zip(self._units, self._setups, strict=True):
            settings = unit.settings
            longest_s = (
                max(unit.cost.of(request.span) for group in unit.groups for request in group.requests) / NS_PER_S
            )
            if (settings.transport.is_rtu or settings.baudrate) and longest_s > settings.timeout_s:
                message = f"a request takes {longest_s:.2f} s on this line, and timeout_s is {settings.timeout_s:g}"
                remedy = "Make it longer, or max_registers and max_gap smaller"
                faults.append(Fault("agent.toml", None, f"{setup.place}.timeout_s", message, remedy))
        return faults

    def _missed(self, unit: Unit) -> int:
        if self._timetable is None:
            return 0
        return sum(self._timetable.missed[i] for i, (owner, _) in enumerate(self._groups) if owner is unit)

    def _slowed(self, unit: Unit) -> str | None:
        if self._timetable is None:
            return None
        slower = [
            f"every {group.poll_s * stretch:g} s instead of {group.poll_s:g} s" + (", safety points too" * group.safety)
            for i, (owner, group) in enumerate(self._groups)
            if owner is unit and (stretch := self._timetable.stretch(i)) > 1
        ]
        if not slower:
            return None
        return f"the connection needs {self._timetable.load:.0%} of its time: polled {'; '.join(slower)}"


def _settings(setup: DeviceSetup) -> ModbusSettings:
    assert isinstance(setup.settings, ModbusSettings)
    return setup.settings


def _measured(setup: DeviceSetup) -> list[PointSpec]:
    return [spec for spec in setup.points if spec.role is not PointRole.DEVICE]


def _line_faults(setups: Sequence[DeviceSetup]) -> list[Fault]:
    """What only this machine can say: speeds that it knows, certificates that it can read."""
    faults = []
    for setup in setups:
        settings = _settings(setup)
        if settings.transport is Transport.RTU and settings.baudrate and not wires.knows_baudrate(settings.baudrate):
            message = f"{settings.baudrate} is no speed of a serial port"
            faults.append(Fault("agent.toml", None, f"{setup.place}.baudrate", message, "Give 9600, 19200 or the like"))
        if settings.transport is Transport.TLS and settings.ca_file is not None:
            try:
                wires.tls_context(settings)
            except OSError as error:
                message = f"a certificate or key cannot be read: {error}"
                remedy = "See to ca_file, certificate_file and key_file: PEM, the key without a password"
                faults.append(Fault("agent.toml", None, f"{setup.place}.ca_file", message, remedy))
    return faults


def _place(setup: DeviceSetup) -> tuple[list[RegisterPoint], list[Fault]]:
    """The points with their places, and what is wrong with them or with their being none."""
    placed, faults, settings = [], [], _settings(setup)
    for spec in _measured(setup):
        address, found = examine(spec)
        faults += [Fault("points.csv", None, f.column, f"{spec.tag}: {f.message}", f.remedy) for f in found]
        if address is None:
            continue
        placed.append(RegisterPoint(spec, address))
        width, key = (
            (address.alone or (0, address.width))[1],
            "max_bits" if address.table.holds_bits else "max_registers",
        )
        if width > (most := getattr(settings, key)):
            message = f"{spec.tag} takes {width} registers, the device gives {most} at a time"
            faults.append(Fault("agent.toml", None, f"{setup.place}.{key}", message, f"Allow {width} or more"))
        if address.table.function not in settings.functions:
            message = f"{spec.tag} is read with function {address.table.function}, which {setup.name} does not have"
            faults.append(Fault("points.csv", None, "register", message, "Read it from another table"))
        if address.status is not None and address.status_name not in settings.status:
            message = f"{spec.tag} has a status word {address.status_name}, whose meaning {setup.name} does not give"
            remedy = f"Add [device.status.{address.status_name}] below the device in agent.toml"
            faults.append(Fault("points.csv", None, "status", message, remedy))
    for side in settings.sides:
        if side.table.function not in settings.functions:
            message = f"{side.table} {side.offset} is read with function {side.table.function}, which {setup.name} does not have"
            faults.append(Fault("agent.toml", None, f"{setup.place}.functions", message, "Allow it, or name another"))
    if not placed and not faults:
        remedy = "Add its points to the list, or take the device out"
        faults.append(Fault("points.csv", None, "device", f"device {setup.name} has no points", remedy))
    return placed, faults
