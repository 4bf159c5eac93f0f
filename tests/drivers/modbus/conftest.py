"""Points and drivers in one line."""

from __future__ import annotations

import random
from contextlib import aclosing

import pytest

from contract.points import PointRole, PointSpec, PointType
from drivers.base import DeviceSetup
from drivers.modbus.driver import ModbusDriver
from drivers.modbus.settings import ModbusSettings

DEVICE_ID = 1


@pytest.fixture
def new_point():
    """Makes the point ``id`` that is read from ``address``."""

    def make(id_: int, address: str, type_: PointType = PointType.UINT16, **more) -> PointSpec:
        return PointSpec(id=id_, tag=f"T{id_}", org="plant/store", device="plc", type=type_, address=address, **more)

    return make


@pytest.fixture
def new_driver(jump_clock):
    """Makes a driver for a device on 127.0.0.1; the device's own point has the id 1."""

    def make(port: int | None, *points: PointSpec, clock=None, folder=None, **settings) -> ModbusDriver:
        own = PointSpec(id=DEVICE_ID, tag="plc", org="plant", device="plc", role=PointRole.DEVICE)
        keys = ModbusSettings.model_validate({"host": "127.0.0.1", "port": port, "timeout_s": 5.0} | settings)
        setup = DeviceSetup("plc", "device.1", keys, [own, *points])
        return ModbusDriver([setup], clock or jump_clock, random.Random(7), folder)

    return make


@pytest.fixture
def turns():
    """``await turns(driver, n)``: what the first n turns gave, each a dict of point id to (value, quality).

    ``between(i)`` is awaited before turn i. The driver's points must be of one group, so that a turn has ended when each
    point and the device have a row.
    """

    async def collect(driver: ModbusDriver, count: int, between=None) -> list[dict[int, tuple[float, int]]]:
        seen: list[dict[int, tuple[float, int]]] = [{}]
        ((_, group),) = driver._groups
        async with aclosing(driver.run()) as batches:
            if between:
                await between(0)
            async for batch in batches:
                rows = zip(batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True)
                seen[-1] |= {point: (value, quality) for point, value, quality in rows}
                if len(seen[-1]) <= len(group.points):
                    continue
                if len(seen) == count:
                    break
                if between:
                    await between(len(seen))
                seen.append({})
        await driver.close()
        return seen

    return collect
