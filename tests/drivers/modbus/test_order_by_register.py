"""What registers of a device say of all its values: a constant that proves the order of bytes, a choice of it for floats."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import ValidationError

from contract.points import PointType
from contract.quality import Quality
from drivers.modbus.settings import ModbusSettings

CONSTANT = {"register": "holding:8194", "value": 0x1234}
FLOAT_ORDER = {"register": "holding:131", "orders": ["ABCD", "CDAB", "DCBA", "BADC"]}
WORDS = [(0x42C8, 0x8000), (0x8000, 0x42C8), (0x0080, 0xC842), (0xC842, 0x0080)]
"""100.25 in formats 0 to 3, as the protocol guide of Rosemount's 3095FB works it out."""


def run(new_device, registers, scenario):
    async def whole():
        async with new_device() as device:
            device.registers |= registers
            return await scenario(device)

    return asyncio.run(whole())


def test_floats_lie_in_the_order_that_the_register_says_in_each_turn(new_device, new_driver, new_point, turns):
    """Rosemount 3095FB: the format in holding 131, the differential pressure in input 400. An integer has no part in it."""
    points = [new_point(2, "input:400/DCBA", PointType.FLOAT32), new_point(3, "input:402")]

    async def scenario(device):
        async def between(turn):
            device.registers |= {131: turn, 400: WORDS[turn % 4][0], 401: WORDS[turn % 4][1]}

        driver = new_driver(device.port, *points, float_order=FLOAT_ORDER)
        assert driver.check() == []
        return await turns(driver, 5, between), driver.healths()[0].last_failure

    seen, failure = run(new_device, {402: 7}, scenario)
    assert [turn[2] for turn in seen[:4]] == [(100.25, Quality.GOOD)] * 4
    assert seen[4][2][1] == Quality.BAD_CONFIG, "there is no format 4"
    assert seen[4][2][0] != seen[4][2][0], "and so no number"
    assert [turn[3] for turn in seen] == [(7.0, Quality.GOOD)] * 5
    assert "holding:131" in failure


@pytest.mark.parametrize(
    ("word", "said"),
    [(0x3412, "holding:8194 holds 0x3412, not 0x1234: bytes are swapped"), (7, "holds 0x0007, not 0x1234")],
)
def test_a_constant_that_is_another_lets_no_value_through(new_device, new_driver, new_point, turns, word, said):
    """WAGO 750: 0x1234 in holding 0x2002. The device still answers, and its values come back with the constant."""
    points = [new_point(2, "input:0", PointType.INT16), new_point(3, "input:1;length=1", PointType.STRING)]
    words = [0x1234, word, 0x1234]

    async def scenario(device):
        async def between(turn):
            device.registers[8194] = words[turn]

        driver = new_driver(device.port, *points, constant=CONSTANT)
        return await turns(driver, 3, between), driver.healths()[0].last_failure

    seen, failure = run(new_device, {0: 27648, 1: 0x4142}, scenario)
    assert [turn[2][1] for turn in seen] == [Quality.GOOD, Quality.BAD_CONFIG, Quality.GOOD]
    assert [turn[3][1] for turn in seen] == [Quality.GOOD, Quality.BAD_CONFIG, Quality.GOOD]
    assert [turn[1] for turn in seen] == [(1.0, Quality.GOOD)] * 3
    assert (seen[0][2][0], seen[2][3][0]) == (27648.0, 2.0)
    assert said in failure


def test_a_constant_that_the_device_refuses_proves_nothing(new_device, new_driver, new_point, turns):
    async def scenario(device):
        device.refusals[8194] = 2
        return await turns(new_driver(device.port, new_point(2, "input:0"), constant=CONSTANT), 2)

    seen = run(new_device, {0: 5}, scenario)
    assert [turn[2][1] for turn in seen] == [Quality.BAD_CONFIG] * 2


def test_the_register_is_read_before_the_values(new_device, new_driver, new_point, turns):
    async def scenario(device):
        await turns(new_driver(device.port, new_point(2, "input:0"), constant=CONSTANT), 1)
        return device.requests

    assert run(new_device, {8194: 0x1234}, scenario)[:2] == [(3, 8194, 1), (4, 0, 1)]


def test_a_function_that_the_device_lacks_is_found_offline(new_driver, new_point):
    driver = new_driver(None, new_point(2, "input:0"), constant=CONSTANT, functions=[4])
    assert [fault.column for fault in driver.check()] == ["device.1.functions"]


@pytest.mark.parametrize(
    "keys",
    [
        {"constant": {"register": "coil:1", "value": 1}},
        {"constant": {"register": "holding:70000", "value": 1}},
        {"constant": {"register": "holding:1", "value": 65536}},
        {"float_order": {"register": "holding:1", "orders": []}},
        {"float_order": {"register": "holding:1", "orders": ["ACBD"]}},
        {"float_order": {"register": "holding:1"}},
    ],
)
def test_what_makes_no_sense_is_refused(keys):
    with pytest.raises(ValidationError):
        ModbusSettings.model_validate({"host": "127.0.0.1", **keys})
