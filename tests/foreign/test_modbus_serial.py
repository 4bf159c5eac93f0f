"""The Modbus driver against a device made of modbus-serial: slow registers, blocks that are no picture of one moment."""

from __future__ import annotations

import pytest

from contract.points import PointType
from contract.quality import Quality

DEVICE = 1
OTHER_DEVICE = 11
GOOD = Quality.GOOD
COMM = Quality.BAD_COMM_FAILURE


@pytest.fixture
def device(new_node_program):
    return new_node_program("modbus_serial_device.js")


@pytest.fixture
def settings(device):
    return {"host": "127.0.0.1", "port": device.port, "timeout_s": 5.0, "reconnect_max_s": 0.2}


def test_registers_and_bits_are_what_the_device_says(device, settings, new_point, new_setup, new_drivers, watch):
    device.tell("put", 1, 10, 0xDEAD)
    device.tell("put", 1, 11, 0xBEEF)
    points = (
        new_point(2, "holding:10", PointType.UINT32),
        new_point(3, "holding:10/CDAB", PointType.UINT32),
        new_point(4, "holding:11", PointType.INT16),
        new_point(5, "holding:12"),
        *(new_point(20 + i, f"coil:{i}", PointType.BIT) for i in range(11)),
        *(new_point(40 + i, f"discrete:{i}", PointType.BIT) for i in range(11)),
    )
    expected = {DEVICE: 1.0, 2: float(0xDEADBEEF), 3: float(0xBEEFDEAD), 4: float(0xBEEF - 0x10000), 5: 12.0}
    expected |= {20 + i: float(i % 2 == 1) for i in range(11)} | {40 + i: float(i % 3 == 1) for i in range(11)}

    async def scenario(watched):
        await watched.until(lambda: watched.latest() == {id_: (value, GOOD) for id_, value in expected.items()})

    watch(new_drivers("modbus", new_setup("modbus", settings, *points)), scenario)


def test_a_block_is_stamped_when_its_slowest_register_was_ready(
    device, settings, new_point, new_setup, new_drivers, watch
):
    for address in (0, 1, 2):
        device.tell("clock", 1, address)
    device.tell("slow", 1, 1, 150)
    points = [new_point(2 + address, f"holding:{address}", poll_s=0.3) for address in (0, 1, 2)]

    async def scenario(watched):
        await watched.more(4, 3)
        for first, slow, third in zip(watched.of(2), watched.of(3), watched.of(4), strict=False):
            assert {first[2], slow[2], third[2]} == {GOOD}
            assert (slow[1] - first[1]) % 65_536 >= 140, "neighbours of one reply, apart in time"
            assert first[4] == slow[4] == third[4]
            assert (slow[4] // 1_000_000 - slow[1]) % 65_536 < 60_000, "stamped before it was measured"

    watch(new_drivers("modbus", new_setup("modbus", settings, *points)), scenario)


def test_a_slow_register_silences_its_own_device_only(device, new_node_program, settings, new_point, new_setup,
                                                      new_drivers, watch):  # fmt: skip
    other = new_node_program("modbus_serial_device.js")
    setups = (
        new_setup("modbus", settings | {"timeout_s": 0.15}, new_point(2, "holding:7")),
        new_setup("modbus", settings | {"port": other.port}, new_point(12, "holding:8", device="other"),
                  name="other", own_id=OTHER_DEVICE),
    )  # fmt: skip

    async def scenario(watched):
        await watched.until(lambda: {2, 12} <= set(watched.latest()))
        device.tell("slow", 1, 7, 400)
        await watched.until(lambda: watched.latest()[2][1] == COMM)
        begun = len(watched.rows)
        await watched.more(12, 30)
        meanwhile = watched.rows[begun:]
        assert {row[1:3] for row in meanwhile if row[0] == 12} == {(8.0, GOOD)}
        assert {row[2] for row in meanwhile if row[0] in {DEVICE, 2}} == {COMM}, "an answer that is too late is none"
        device.tell("slow", 1, 7, 0)
        await watched.until(lambda: watched.latest()[2] == (7.0, GOOD))
        assert watched.healths()["other"].failures == 0

    watch(new_drivers("modbus", *setups), scenario)


def test_a_late_reply_of_one_unit_is_never_the_value_of_another(
    device, settings, new_point, new_setup, new_drivers, watch
):
    """Both units have their own value in the same register, and modbus-serial answers out of order."""
    device.tell("put", 1, 7, 1111)
    device.tell("put", 2, 7, 2222)
    common = settings | {"timeout_s": 0.15}
    setups = (
        new_setup("modbus", common | {"unit": 1}, new_point(2, "holding:7", poll_s=0.1)),
        new_setup("modbus", common | {"unit": 2}, new_point(12, "holding:7", device="other", poll_s=0.1),
                  name="other", own_id=OTHER_DEVICE),
    )  # fmt: skip

    async def scenario(watched):
        await watched.until(lambda: {2, 12} <= set(watched.latest()))
        device.tell("slow", 1, 7, 200)
        await watched.until(lambda: watched.latest()[2][1] == COMM)
        begun = len(watched.rows)
        await watched.until(lambda: [row[2] for row in watched.rows[begun:] if row[0] == 12].count(GOOD) >= 20)
        device.tell("slow", 1, 7, 0)
        await watched.until(lambda: watched.latest()[2] == (1111.0, GOOD))
        await watched.until(lambda: watched.latest()[12] == (2222.0, GOOD))
        assert {row[1] for row in watched.of(2) if row[2] == GOOD} == {1111.0}
        assert {row[1] for row in watched.of(12) if row[2] == GOOD} == {2222.0}

    watch(new_drivers("modbus", *setups), scenario)


@pytest.mark.parametrize(
    ("code", "quality"),
    [
        (1, Quality.BAD_CONFIG),
        (4, Quality.BAD_DEVICE_FAILURE),
        (6, Quality.BAD_DEVICE_FAILURE),
        (8, Quality.BAD_DEVICE_FAILURE),
    ],
)
def test_an_exception_says_what_is_wrong_with_its_own_points(
    device, settings, new_point, new_setup, new_drivers, watch, code, quality
):
    points = (new_point(2, "input:100", PointType.UINT32), new_point(3, "holding:9"))

    async def scenario(watched):
        await watched.until(lambda: {DEVICE, 2, 3} <= set(watched.latest()))
        device.tell("fail", 1, 101, code)
        await watched.until(lambda: watched.latest()[2][1] == quality)
        begun = len(watched.rows)
        await watched.more(2, 5)
        assert {row[2] for row in watched.rows[begun:] if row[0] == 2} == {quality}
        assert {row[2] for row in watched.of(DEVICE)} == {GOOD}
        assert {row[1:3] for row in watched.of(3)} == {(9.0, GOOD)}
        device.tell("fail", 1, 101, 0)
        await watched.until(lambda: watched.latest()[2] == (float(100 << 16 | 101), GOOD))

    watch(new_drivers("modbus", new_setup("modbus", settings, *points)), scenario)
