"""Units behind one gateway: one connection, and a dead one takes nothing from its neighbours."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import aclosing

import pytest

from contract.clock import NS_PER_S
from contract.points import PointRole, PointSpec
from contract.quality import Quality
from drivers.base import DeviceSetup, DeviceState
from drivers.modbus import Modbus
from drivers.modbus.driver import ModbusDriver
from drivers.modbus.settings import ModbusSettings

GOOD, COMM = Quality.GOOD, Quality.BAD_COMM_FAILURE


@pytest.fixture
def new_bus(jump_clock):
    """Makes the driver of devices that share a connection: unit n has the points n (its own) and 100 + n."""

    def make(*units: int, poll_s: float = 1.0, clock=None, each=None, **settings) -> ModbusDriver:
        setups = []
        for number, unit in enumerate(units, 1):
            more = (each or {}).get(unit, {})
            keys = {"host": "127.0.0.1", "unit": unit, "timeout_s": 2.0, **settings, **more}
            name = f"d{unit}"
            points = [
                PointSpec(id=unit, tag=name, org="p", device=name, role=PointRole.DEVICE),
                PointSpec(id=100 + unit, tag=f"T{unit}", org="p", device=name, address="holding:7", poll_s=poll_s),
            ]
            setups.append(DeviceSetup(name, f"device.{number}", ModbusSettings.model_validate(keys), points))
        return ModbusDriver(setups, clock or jump_clock, random.Random(7))

    return make


async def rows_for(driver, clock, seconds, each_batch=None):
    """(point, quality, mono_ns) of every row within a time."""
    rows: list[tuple[int, int, int]] = []
    until_ns = clock.mono_ns() + round(seconds * NS_PER_S)
    async with aclosing(driver.run()) as batches:
        async for batch in batches:
            rows += zip(batch.point.tolist(), batch.quality.tolist(), batch.mono_ns.tolist(), strict=True)
            if each_batch:
                each_batch(rows)
            if clock.mono_ns() >= until_ns:
                break
    await driver.close()
    return rows


def test_devices_of_one_endpoint_open_one_connection(new_device, new_bus, jump_clock):
    async def scenario():
        async with new_device() as device:
            driver = new_bus(*range(1, 11), port=device.port)
            rows = await rows_for(driver, jump_clock, 5)
            assert device.connections == 1
            assert {quality for _, quality, _ in rows} == {GOOD}
            counts = Counter(point for point, *_ in rows)
            assert set(counts) == {*range(1, 11), *range(101, 111)}
            assert max(counts.values()) - min(counts.values()) <= 1
            assert [health.state for health in driver.healths()] == [DeviceState.ANSWERING] * 10
            assert driver.devices == tuple(f"d{unit}" for unit in range(1, 11))

    asyncio.run(scenario())


def test_one_silent_unit_of_ten_leaves_the_others_nine_tenths_of_their_rate(new_device, new_bus, jump_clock):
    """The dead one's time-out is as long as the period, so without a rest it would take half of all turns."""

    async def scenario():
        async with new_device() as device:
            device.mute_units.add(4)
            driver = new_bus(*range(1, 11), port=device.port, poll_s=0.1, timeout_s=0.1)
            start_ns = jump_clock.mono_ns()
            rows = await rows_for(driver, jump_clock, 8)
            after_ns = start_ns + 3 * NS_PER_S // 10
            turns = (jump_clock.mono_ns() - after_ns) / (NS_PER_S / 10)
            good = Counter(point for point, quality, at in rows if quality == GOOD and at > after_ns)
            rates = {unit: good[100 + unit] / turns for unit in range(1, 11) if unit != 4}
            print(rates, good[104], len(device.units))
            assert min(rates.values()) >= 0.9
            assert {quality for point, quality, _ in rows if point in (4, 104)} == {COMM}
            silent = next(health for health in driver.healths() if health.device == "d4")
            assert silent.state is DeviceState.SILENT
            assert "no answer within 0.1 s" in (silent.last_failure or "")

    asyncio.run(scenario())


def test_a_silent_unit_rests_twelve_time_outs_from_its_second_on(new_device, new_bus, jump_clock):
    async def scenario():
        async with new_device() as device:
            device.mute_units.add(2)
            driver = new_bus(1, 2, port=device.port, poll_s=0.1, timeout_s=0.05)
            asked_ns: list[int] = []

            def note(_):
                if device.units.count(2) > len(asked_ns):
                    asked_ns.append(jump_clock.mono_ns())

            await rows_for(driver, jump_clock, 5, note)
            first, second, third, *_ = asked_ns
            assert second - first <= 0.3 * NS_PER_S
            assert third - second >= 12 * 0.05 * NS_PER_S

    asyncio.run(scenario())


def test_two_silent_units_do_not_keep_the_connection_from_the_third(new_device, new_bus, jump_clock):
    """Connections that a time-out ended are no reason to wait before the next one."""

    async def scenario():
        async with new_device() as device:
            device.mute_units |= {1, 2, 3}
            driver = new_bus(1, 2, 3, 4, port=device.port, poll_s=0.5, timeout_s=0.2)
            rows = await rows_for(driver, jump_clock, 8)
            assert {quality for point, quality, _ in rows if point == 104} == {GOOD}

    asyncio.run(scenario())


def test_a_unit_that_came_back_is_good_within_one_rest(new_device, new_bus, jump_clock):
    async def scenario():
        async with new_device() as device:
            device.mute_units.add(2)
            driver = new_bus(1, 2, port=device.port, poll_s=0.1, timeout_s=0.05, silent_max_s=2.0)
            back_ns = 0

            def wake(rows):
                nonlocal back_ns
                if not back_ns and sum(point == 2 for point, *_ in rows) == 200:
                    device.mute_units.clear()
                    back_ns = jump_clock.mono_ns()

            rows = await rows_for(driver, jump_clock, 30, wake)
            first_ns = min(at for point, quality, at in rows if point == 102 and quality == GOOD)
            assert back_ns
            assert back_ns < first_ns <= back_ns + 2.2 * NS_PER_S
            later = [quality for point, quality, at in rows if point == 102 and at > first_ns]
            assert set(later) == {GOOD}

    asyncio.run(scenario())


def test_a_long_turn_does_not_hold_up_a_fast_group(new_device, jump_clock):
    """Twenty requests of a slow group, each as long as the period of the fast one."""

    async def scenario():
        async with new_device() as device:
            device.delay_s = 0.02
            name = "plc"
            keys = ModbusSettings(host="127.0.0.1", port=device.port, timeout_s=1.0)
            points = [PointSpec(id=1, tag=name, org="p", device=name, role=PointRole.DEVICE)]
            points.append(PointSpec(id=2, tag="fast", org="p", device=name, address="holding:0", poll_s=0.05))
            points += [
                PointSpec(id=i, tag=f"T{i}", org="p", device=name, address=f"holding:{i * 200}", poll_s=10.0)
                for i in range(3, 23)
            ]
            driver = ModbusDriver([DeviceSetup(name, "device.1", keys, points)], jump_clock, random.Random(7))
            order: list[int] = []
            async with aclosing(driver.run()) as batches:
                async for batch in batches:
                    order.append(int(batch.point[-1]))
                    if set(range(3, 23)) <= set(order):
                        break
            await driver.close()
            between = "".join("f" if point == 2 else "s" for point in order)
            assert "ssss" not in between, "never more than three slow requests between two fast ones"

    asyncio.run(scenario())


def test_settings_of_one_connection_must_agree(new_bus):
    odd = {2: {"connect_pause_ms": 50.0}, 3: {"reconnect_max_s": 9.0, "timeout_s": 2.0}}
    faults = new_bus(1, 2, 3, port=1, each=odd).check()
    assert [fault.column for fault in faults] == ["device.2.connect_pause_ms", "device.3.reconnect_max_s"]
    assert "9.0 here and 5.0 at d1" in faults[1].message


def test_two_devices_cannot_be_one_unit(new_bus):
    (fault,) = new_bus(1, 2, port=1, each={2: {"unit": 1}}).check()
    assert (fault.column, "is d1 already" in fault.message) == ("device.2.unit", True)


def test_the_sum_of_all_units_decides_whether_the_timetable_can_be_kept(new_bus):
    units = range(1, 41)
    (fault,) = new_bus(*units, port=1, poll_s=0.1, pause_ms=5.0).check()
    assert "281% of the time (d9 7% + d8 7%" in fault.message
    assert "+ 32 more 225%)" in fault.message
    driver = new_bus(*units, port=1, pause_ms=5.0)
    assert driver.check() == []
    assert {line.connection for line in driver.plan_report()} == {"127.0.0.1:1"}
    assert sum(line.load or 0 for line in driver.plan_report()) == pytest.approx(0.281, abs=0.001)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ({"host": "GDS"}, {"host": "gds", "port": 502}, True),
        ({"host": "gds"}, {"host": "gds", "transport": "rtu_over_tcp"}, True),
        ({"host": "gds"}, {"host": "gds", "port": 503}, False),
        ({"host": "gds", "transport": "tls", "ca_file": "ca.pem"}, {"host": "gds", "port": 802}, True),
        ({"transport": "rtu", "serial_port": "/dev/ttyS1"}, {"transport": "rtu", "serial_port": "/dev/ttyS1"}, True),
        ({"transport": "rtu", "serial_port": "/dev/ttyS1"}, {"transport": "rtu", "serial_port": "/dev/ttyS2"}, False),
    ],
)
def test_what_leads_to_one_place_is_one_connection(one, other, shared):
    factory = Modbus()
    first, second = (factory.connection(ModbusSettings.model_validate(keys)) for keys in (one, other))
    assert (first == second) is shared


def test_connections_take_their_turns_at_different_moments(new_device, jump_clock):
    """Twenty devices that are all asked in the same millisecond make each other late."""

    async def scenario():
        async with new_device() as device:
            keys = ModbusSettings(host="127.0.0.1", port=device.port, timeout_s=5.0)
            own = PointSpec(id=1, tag="plc", org="p", device="plc", role=PointRole.DEVICE)
            point = PointSpec(id=2, tag="T2", org="p", device="plc", address="holding:7", poll_s=1.0)
            for phase in (0.2, 0.9):
                setup = DeviceSetup("plc", "device.1", keys, [own, point])
                driver = ModbusDriver([setup], jump_clock, random.Random(1), None, phase)
                start_ns = jump_clock.mono_ns()
                async with aclosing(driver.run()) as batches:
                    seen_s = [((await anext(batches)).mono_ns[0] - start_ns) / 1e9 for _ in range(3)]
                await driver.close()
                assert seen_s == pytest.approx([0, phase, 1 + phase], abs=0.1)

    asyncio.run(scenario())
