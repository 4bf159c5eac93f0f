"""The Modbus driver against a device made of libmodbus; mbpoll reads the same device, so that strangers agree on the bytes."""

from __future__ import annotations

import asyncio
import math
import struct

import pytest

from contract.points import PointSpec, PointType
from contract.quality import Quality
from drivers.base import DeviceState
from naive.modbus_registers import encode

DEVICE = 1
GOOD = Quality.GOOD
COMM = Quality.BAD_COMM_FAILURE
FLOAT32 = struct.unpack(">f", struct.pack(">f", 20.9))[0]
SAMPLES = {
    PointType.UINT16: 0xBEEF,
    PointType.INT16: -12_345,
    PointType.UINT32: 0xDEADBEEF,
    PointType.INT32: -1_234_567_890,
    PointType.UINT64: 2**64 - 12_345,
    PointType.INT64: -(2**60) - 7,
    PointType.FLOAT32: FLOAT32,
    PointType.FLOAT64: -1.0e-200,
}
ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
BITS = (1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1)


@pytest.fixture
def settings(libmodbus):
    return {"host": "127.0.0.1", "port": libmodbus.port, "timeout_s": 5.0, "reconnect_max_s": 0.2}


def all_good(watched, expected):
    return lambda: watched.latest() == {DEVICE: (1.0, GOOD)} | {id_: (value, GOOD) for id_, value in expected.items()}


def lay_out(libmodbus, new_point, table, first_id):
    """Every type in every order, side by side from address 0; points, the values that must come, and the registers."""
    registers: list[int] = []
    points: list[PointSpec] = []
    expected: dict[int, float] = {}
    for type_, number in SAMPLES.items():
        for order in ORDERS:
            points.append(new_point(first_id + len(points), f"{table}:{len(registers)}/{order}", type_))
            expected[points[-1].id] = float(number)
            registers += [word for (word,) in struct.iter_unpack(">H", encode(type_, number, order))]
    for address, word in enumerate(registers):
        libmodbus.put(table, address, word)
    return points, expected, registers


def test_every_type_in_every_order_from_every_table(
    libmodbus, settings, new_point, new_setup, new_drivers, watch, mbpoll
):
    points: list[PointSpec] = []
    expected: dict[int, float] = {}
    for table, kind, first_id in (("holding", "4:hex", 100), ("input", "3:hex", 200)):
        some, values, registers = lay_out(libmodbus, new_point, table, first_id)
        points += some
        expected |= values
        read = mbpoll(libmodbus.port, kind, 0, len(registers))
        assert read == {address: f"0x{word:04X}" for address, word in enumerate(registers)}
    for table, first_id in (("coil", 300), ("discrete", 400)):
        for address, bit in enumerate(BITS):
            libmodbus.put(table, address, bit)
            points.append(new_point(first_id + address, f"{table}:{address}", PointType.BIT))
            expected[first_id + address] = float(bit)
    points += [new_point(500 + bit, f"holding:0.{bit}", PointType.BIT) for bit in range(16)]
    expected |= {500 + bit: float(0xBEEF >> bit & 1) for bit in range(16)}

    async def scenario(watched):
        await watched.until(all_good(watched, expected))

    watch(new_drivers("modbus", new_setup("modbus", settings, *points)), scenario)
    assert mbpoll(libmodbus.port, "0", 0, len(BITS)) == mbpoll(libmodbus.port, "1", 0, len(BITS))
    assert [int(bit) for bit in mbpoll(libmodbus.port, "0", 0, len(BITS)).values()] == [*BITS]


def test_numbers_laid_by_libmodbus_mean_the_same_to_mbpoll_and_to_the_driver(
    libmodbus, settings, new_point, new_setup, new_drivers, watch, mbpoll
):
    libmodbus.put("int32", 10, -1_234_567_890)
    libmodbus.put("int64", 20, -(2**60) - 7)
    libmodbus.put("float", 30, 20.9)
    assert mbpoll(libmodbus.port, "4:int", 10, 1, "-B") == {10: "-1234567890"}
    assert mbpoll(libmodbus.port, "4:float", 30, 1) == {30: "20.9"}
    points = (
        new_point(2, "holding:10", PointType.INT32),
        new_point(3, "holding:20", PointType.INT64),
        new_point(4, "holding:30/CDAB", PointType.FLOAT32),
    )

    async def scenario(watched):
        await watched.until(all_good(watched, {2: -1_234_567_890.0, 3: float(-(2**60) - 7), 4: FLOAT32}))
        assert watched.of(3)[-1][3] == -(2**60) - 7

    watch(new_drivers("modbus", new_setup("modbus", settings, *points)), scenario)


def test_one_hole_in_a_hundred_leaves_ninety_nine_good_and_only_reading_is_asked_for(
    libmodbus, settings, new_point, new_setup, new_drivers, watch
):
    libmodbus.put("hole", 1042)
    for address in range(1000, 1100):
        libmodbus.put("holding", address, address)
    points = [new_point(1000 + i, f"holding:{1000 + i}") for i in range(100)]
    expected = {id_: (float(id_), GOOD) for id_ in range(1000, 1100) if id_ != 1042}

    def good(watched):
        return {id_: row for id_, row in watched.latest().items() if id_ != DEVICE and row[1] == GOOD}

    async def scenario(watched):
        await watched.until(lambda: good(watched) == expected)
        assert math.isnan(watched.latest()[1042][0])
        seen = len(watched.of(1042))
        await watched.more(1042, 10)
        assert {row[2] for row in watched.of(1042)} == {Quality.BAD_CONFIG}
        settled = [row for row in watched.rows if row[5] >= watched.of(1042)[seen][5] and row[0] in expected]
        assert {row[2] for row in settled} == {GOOD}
        assert watched.latest()[DEVICE] == (1.0, GOOD)

    watch(new_drivers("modbus", new_setup("modbus", settings, *points)), scenario)
    assert libmodbus.ask("functions") == "3"


def test_a_device_that_is_killed_is_bad_until_it_is_back(libmodbus, settings, new_point, new_setup, new_drivers, watch):
    libmodbus.put("holding", 7, 1234)
    (driver,) = new_drivers("modbus", new_setup("modbus", settings, new_point(2, "holding:7")))

    async def scenario(watched):
        await watched.until(all_good(watched, {2: 1234.0}))
        libmodbus.kill()
        await watched.until(lambda: watched.latest()[2][1] == COMM)
        lost = len(watched.rows)
        await watched.more(2, 10)
        assert {row[2] for row in watched.rows[lost:]} == {COMM}
        assert watched.healths()["plc"].state is DeviceState.SILENT
        await asyncio.to_thread(libmodbus.start)
        libmodbus.put("holding", 7, 4321)
        await watched.until(all_good(watched, {2: 4321.0}))
        health = watched.healths()["plc"]
        assert health.state is DeviceState.ANSWERING
        assert health.reconnects >= 1

    watch([driver], scenario)


def test_a_device_that_hangs_up_and_one_that_keeps_its_mouth_shut(
    libmodbus, settings, new_point, new_setup, new_drivers, watch
):
    libmodbus.put("holding", 7, 1234)

    async def scenario(watched):
        await watched.until(all_good(watched, {2: 1234.0}))
        libmodbus.put("hang_up")
        await watched.more(2, 5)
        await watched.until(all_good(watched, {2: 1234.0}))
        libmodbus.put("mute", 1)
        await watched.until(lambda: watched.latest()[2][1] == COMM)
        libmodbus.put("holding", 7, 4321)
        silent = len(watched.rows)
        await watched.more(2, 5)
        assert {row[2] for row in watched.rows[silent:]} == {COMM}
        libmodbus.put("mute", 0)
        await watched.until(all_good(watched, {2: 4321.0}))
        assert 1234.0 not in {row[1] for row in watched.rows[silent:]}

    watch(
        new_drivers("modbus", new_setup("modbus", settings | {"timeout_s": 0.1}, new_point(2, "holding:7"))),
        scenario,
    )
