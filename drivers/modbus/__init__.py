"""Modbus: registers and bits of devices become samples. Entry point: ``Modbus``, a ``drivers.base.DriverFactory``.

The way of a value: ``address`` (text to place) -> ``planner`` (places to requests) -> ``schedule`` (which turn is due) ->
``link`` (request to bytes and back, by ``framing`` over ``wires``) -> ``registers`` (bytes to samples). ``unit`` says what each
outcome means, ``driver`` runs all units of a connection. Function codes 1 to 4, which read, are the only ones that exist here.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from contract.clock import Clock
from contract.points import PointRole, PointSpec
from drivers.base import DeviceSetup, Driver, PointFault
from drivers.modbus.address import examine
from drivers.modbus.overlaps import overlaps
from drivers.modbus.settings import ModbusSettings

__all__ = ["Modbus"]


class Modbus:
    """Factory of the driver ``modbus``; keeps no state."""

    @property
    def settings_model(self) -> type[BaseModel]:
        return ModbusSettings

    @property
    def has_registers(self) -> bool:
        return True

    def check_point(self, spec: PointSpec) -> list[PointFault]:
        return [] if spec.role is PointRole.DEVICE else examine(spec)[1]

    def doubts(self, points: Sequence[PointSpec]) -> list[str]:
        return overlaps(points)

    def connection(self, settings: BaseModel) -> str | None:
        assert isinstance(settings, ModbusSettings)
        return settings.endpoint

    def make(
        self,
        devices: Sequence[DeviceSetup],
        clock: Clock,
        rng: random.Random,
        folder: Path | None = None,
        phase: float = 0.0,
    ) -> Driver:
        from drivers.modbus.driver import ModbusDriver  # brings pymodbus, which an agent without Modbus can spare

        return ModbusDriver(devices, clock, rng, folder, phase)
