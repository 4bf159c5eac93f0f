"""The Modbus driver on a serial line whose only device is made of libmodbus: unit 17, at the other end of a pseudo-terminal."""

from __future__ import annotations

import asyncio
import struct

import pytest

from contract.points import PointType
from contract.quality import Quality

DEVICE = 1
GOOD = Quality.GOOD
COMM = Quality.BAD_COMM_FAILURE
UNIT = 17
FLOAT32 = struct.unpack(">f", struct.pack(">f", 20.9))[0]


@pytest.fixture
def port(libmodbus_rtu, tmp_path):
    """A name for the terminal, as /dev/serial/by-id has: the terminal behind it may be another one after a restart."""
    name = tmp_path / "line"
    name.symlink_to(libmodbus_rtu.place)
    return name


@pytest.fixture
def settings(port):
    return {"transport": "rtu", "serial_port": str(port), "baudrate": 115_200, "parity": "none", "unit": UNIT,
            "timeout_s": 5.0, "reconnect_max_s": 0.2, "late_s": 0.2, "silent_max_s": 0.3}  # fmt: skip


def test_mbpoll_and_the_driver_read_the_same_from_a_serial_line(
    libmodbus_rtu, settings, new_point, new_setup, new_drivers, watch, mbpoll
):
    line = libmodbus_rtu
    line.put("int32", 10, -1_234_567_890)
    line.put("int64", 20, -(2**60) - 7)
    line.put("float", 30, 20.9)
    line.put("input", 40, 0xBEEF)
    line.put("coil", 50, 1)
    line.put("discrete", 61, 1)
    assert mbpoll(line.place, "4:int", 10, 1, "-B", unit=UNIT) == {10: "-1234567890"}
    assert mbpoll(line.place, "4:float", 30, 1, unit=UNIT) == {30: "20.9"}
    assert mbpoll(line.place, "3:hex", 40, 1, unit=UNIT) == {40: "0xBEEF"}
    points = (
        new_point(2, "holding:10", PointType.INT32),
        new_point(3, "holding:20", PointType.INT64),
        new_point(4, "holding:30/CDAB", PointType.FLOAT32),
        new_point(5, "input:40"),
        new_point(6, "coil:50", PointType.BIT),
        new_point(7, "coil:51", PointType.BIT),
        new_point(8, "discrete:60", PointType.BIT),
        new_point(9, "discrete:61", PointType.BIT),
    )
    numbers = [1.0, -1_234_567_890.0, float(-(2**60) - 7), FLOAT32, float(0xBEEF), 1.0, 0.0, 0.0, 1.0]

    async def scenario(watched):
        await watched.until(lambda: watched.latest() == {1 + i: (number, GOOD) for i, number in enumerate(numbers)})

    watch(new_drivers("modbus", new_setup("modbus", settings, *points)), scenario)
    assert set(line.ask("functions").split()) == {"1", "2", "3", "4"}


def test_one_hole_in_a_hundred_leaves_ninety_nine_good(
    libmodbus_rtu, settings, new_point, new_setup, new_drivers, watch
):
    libmodbus_rtu.put("hole", 1042)
    for address in range(1000, 1100):
        libmodbus_rtu.put("holding", address, address)
    points = [new_point(address, f"holding:{address}", poll_s=0.2) for address in range(1000, 1100)]
    expected = {DEVICE: (1.0, GOOD)} | {id_: (float(id_), GOOD) for id_ in range(1000, 1100) if id_ != 1042}

    async def scenario(watched):
        def others():
            return {id_: row for id_, row in watched.latest().items() if id_ != 1042}

        await watched.until(lambda: others() == expected)
        await watched.more(1042, 3)
        assert {row[2] for row in watched.of(1042)} == {Quality.BAD_CONFIG}

    watch(new_drivers("modbus", new_setup("modbus", settings, *points)), scenario)


def test_a_unit_that_is_not_on_the_line_leaves_the_other_its_values(
    libmodbus_rtu, settings, new_point, new_setup, new_drivers, watch
):
    """The time-out is longer than the 0.5 s for which libmodbus takes whatever follows a request to another unit for that
    unit's reply."""
    libmodbus_rtu.put("holding", 7, 1234)
    setups = (
        new_setup("modbus", settings | {"silent_max_s": 15}, new_point(2, "holding:7", poll_s=0.2)),
        new_setup("modbus", settings | {"silent_max_s": 15, "unit": UNIT + 1, "timeout_s": 0.7},
                  new_point(12, "holding:7", device="absent", poll_s=0.2), name="absent", own_id=11),
    )  # fmt: skip

    async def scenario(watched):
        await watched.until(lambda: {2, 12} <= set(watched.latest()))
        await watched.more(2, 30)
        assert {row[1:3] for row in watched.of(2)} == {(1234.0, GOOD)}
        assert {row[2] for row in watched.of(12)} == {COMM}
        assert watched.healths()["absent"].requests < len(watched.of(12)) / 5, "it is not asked in each of its turns"

    watch(new_drivers("modbus", *setups), scenario)


def test_silence_is_bad_and_what_was_there_before_it_does_not_come_again(
    libmodbus_rtu, settings, new_point, new_setup, new_drivers, watch
):
    libmodbus_rtu.put("holding", 7, 1234)

    async def scenario(watched):
        await watched.until(lambda: watched.latest().get(2) == (1234.0, GOOD))
        libmodbus_rtu.put("mute", 1)
        await watched.until(lambda: watched.latest()[2][1] == COMM)
        libmodbus_rtu.put("holding", 7, 4321)
        silent = len(watched.rows)
        await watched.more(2, 5)
        assert {row[2] for row in watched.rows[silent:]} == {COMM}
        libmodbus_rtu.put("mute", 0)
        await watched.until(lambda: watched.latest()[2] == (4321.0, GOOD))
        assert 1234.0 not in {row[1] for row in watched.rows[silent:]}

    one = new_setup("modbus", settings | {"timeout_s": 0.1}, new_point(2, "holding:7", poll_s=0.1))
    watch(new_drivers("modbus", one), scenario)


def test_a_converter_that_is_pulled_and_comes_back_as_another_terminal_is_found_again(
    libmodbus_rtu, port, settings, new_point, new_setup, new_drivers, watch
):
    libmodbus_rtu.put("holding", 7, 1234)

    async def scenario(watched):
        await watched.until(lambda: watched.latest().get(2) == (1234.0, GOOD))
        port.unlink()  # first, so that nobody else's terminal is met under the old number
        libmodbus_rtu.kill()
        await watched.until(lambda: watched.latest()[2][1] == COMM)
        lost = len(watched.rows)
        await watched.more(2, 5)
        assert {row[2] for row in watched.rows[lost:]} == {COMM}
        await asyncio.to_thread(libmodbus_rtu.start)
        libmodbus_rtu.put("holding", 7, 4321)
        port.symlink_to(libmodbus_rtu.place)
        await watched.until(lambda: watched.latest()[2] == (4321.0, GOOD))

    one = new_setup("modbus", settings, new_point(2, "holding:7", poll_s=0.1))
    watch(new_drivers("modbus", one), scenario)
