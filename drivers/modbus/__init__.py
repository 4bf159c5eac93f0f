"""Modbus TCP: a device's registers and bits become samples. Entry point: ``ModbusTcp``, a ``drivers.base.DriverFactory``.

The way of a value: ``address`` (text to place) -> ``planner`` (places to requests) -> ``schedule`` (which turn is due) ->
``link`` (request to bytes) -> ``registers`` (bytes to samples); ``driver`` ties them together. Function codes 1 to 4,
which read, are the only ones that exist here.
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

    def connection(self, settings: BaseModel) -> str | None:  # noqa: ARG002
        return None

    def make(
        self,
        devices: Sequence[DeviceSetup],
        clock: Clock,
        rng: random.Random,
        folder: Path | None = None,  # noqa: ARG002
    ) -> Driver:
        from drivers.modbus.driver import ModbusDriver  # brings pymodbus, which an agent without Modbus can spare

        (device,) = devices
        assert isinstance(device.settings, ModbusTcpSettings)
        return ModbusDriver(device.settings, device.points, clock, rng)
