"""Modbus TCP: a device's registers and bits become samples. Entry point: ``ModbusTcp``, a ``drivers.base.DriverFactory``.

The way of a value: ``address`` (text to place) -> ``planner`` (places to requests) -> ``schedule`` (which turn is due) ->
``link`` (request to bytes) -> ``registers`` (bytes to samples); ``driver`` ties them together. Function codes 1 to 4,
which read, are the only ones that exist here.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from pydantic import BaseModel

from contract.clock import Clock
from contract.points import PointRole, PointSpec
from drivers.base import Driver, PointFault
from drivers.modbus.address import examine
from drivers.modbus.settings import ModbusTcpSettings

__all__ = ["ModbusTcp"]


class ModbusTcp:
    """Factory of the driver ``modbus_tcp``; keeps no state."""

    @property
    def settings_model(self) -> type[BaseModel]:
        return ModbusTcpSettings

    @property
    def has_registers(self) -> bool:
        return True

    def check_point(self, spec: PointSpec) -> list[PointFault]:
        return [] if spec.role is PointRole.DEVICE else examine(spec)[1]

    def make(self, settings: BaseModel, points: Sequence[PointSpec], clock: Clock, rng: random.Random) -> Driver:
        from drivers.modbus.driver import ModbusDriver  # brings pymodbus, which an agent without Modbus can spare

        assert isinstance(settings, ModbusTcpSettings)
        return ModbusDriver(settings, points, clock, rng)
