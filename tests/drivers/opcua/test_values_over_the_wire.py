"""What a real server says of its nodes, as samples."""

from __future__ import annotations

import itertools
import math
import time

import pytest

from contract.points import PointType
from contract.quality import Quality
from drivers.base import DeviceState

DEVICE = 1
GOOD = Quality.GOOD
BAD_SENSOR_FAILURE = 0x808C_0000
UNCERTAIN_CALIBRATION = 0x420A_0000


def test_the_first_batch_has_the_device_and_every_point(server, new_driver, new_point, watch):
    for node in (("a", "Double", 1.5), ("b", "Float", 0.5), ("c", "Int16", -7), ("d", "UInt64", 2**64 - 1),
                 ("e", "Boolean", True)):  # fmt: skip
        server.tell("add", *node)
    driver = new_driver(
        server,
        new_point(2, "a"),
        new_point(3, "b", PointType.FLOAT32),
        new_point(4, "c", PointType.INT16, scale=0.5, offset=1),
        new_point(5, "d", PointType.UINT64),
        new_point(6, "e", PointType.BIT),
    )

    async def scenario(watched):
        await watched.until(lambda: watched.batches)
        assert watched.batches[0].point.tolist() == [DEVICE, 2, 3, 4, 5, 6]
        assert watched.latest() == {
            DEVICE: (1.0, GOOD), 2: (1.5, GOOD), 3: (0.5, GOOD), 4: (-2.5, GOOD), 5: (2.0**64, GOOD), 6: (1.0, GOOD)
        }  # fmt: skip
        assert watched.batches[0].raw.tolist() == [1, 0, 0, -7, -1, 1]
        health = driver.health()
        assert (health.state, health.failures, health.reconnects) == (DeviceState.ANSWERING, 0, 0)
        assert health.last_failure is None

    watch(driver, scenario)


def test_what_cannot_be_read_is_bad_and_the_others_are_not(server, new_driver, new_point, watch):
    server.tell("add", "f", "Double", 1.5)
    server.tell("add", "array", "Double", [1.0, 2.0])
    server.tell("add", "text", "String", "12")
    server.tell("add", "nan", "Double", "nan")
    driver = new_driver(
        server,
        new_point(2, "f"),
        new_point(3, "no-such-node"),
        new_point(4, "nsu=urn:no-such-namespace;s=f"),
        new_point(5, "array"),
        new_point(6, "text"),
        new_point(7, "f", PointType.INT32),
        new_point(8, "nan"),
        new_point(9, "i=2259", PointType.INT32),  # the server's state, in namespace 0
    )

    async def scenario(watched):
        await watched.until(lambda: len(watched.of(3)) >= 4)
        qualities = {point: quality for point, (_, quality) in watched.latest().items()}
        assert qualities == {DEVICE: GOOD, 2: GOOD, 9: GOOD, 8: Quality.BAD_SENSOR_FAILURE} | dict.fromkeys(
            (3, 4, 5, 6, 7), Quality.BAD_CONFIG
        )
        assert all(math.isnan(watched.latest()[point][0]) for point in range(3, 9))
        assert {row[2] for row in watched.of(2)} == {GOOD}

    watch(driver, scenario)


def test_a_status_becomes_a_quality_and_a_value_with_a_bad_one_is_none(server, new_driver, new_point, watch):
    server.tell("add", "g", "Double", 18.0)
    driver = new_driver(server, new_point(2, "g"))

    async def scenario(watched):
        await watched.until(lambda: watched.latest().get(2) == (18.0, GOOD))
        server.tell("write", "g", "Double", 19.0, BAD_SENSOR_FAILURE)
        await watched.until(lambda: watched.latest()[2][1] == Quality.BAD_SENSOR_FAILURE)
        server.tell("write", "g", "Double", 20.0, UNCERTAIN_CALIBRATION)
        await watched.until(lambda: watched.latest()[2] == (20.0, Quality.UNCERTAIN_CALIBRATION))
        server.tell("write", "g", "Double", 21.0)
        await watched.until(lambda: watched.latest()[2] == (21.0, GOOD))
        assert all(row[1] != 19.0 for row in watched.rows)

    watch(driver, scenario)


def test_every_change_between_two_reports_arrives_with_its_source_time(server, new_driver, new_point, watch):
    server.tell("add", "h", "Double", 0.0)
    server.tell("add", "j", "Double", 0.0)
    driver = new_driver(server, new_point(2, "h"), new_point(3, "j"), publish_ms=200, sampling_ms=20)

    async def scenario(watched):
        await watched.until(lambda: len(watched.of(2)) >= 2)
        start_ns = time.time_ns() // 1_000_000 * 1_000_000
        times = [start_ns - (6 - k) * 10_000_000 for k in range(1, 6)]
        for k, source_ns in enumerate(times, 1):
            server.tell("write", "h", "Double", float(k), 0, source_ns)
        server.tell("write", "j", "Double", 5.0, 0, start_ns)
        await watched.until(lambda: watched.latest()[2][0] == 5.0 and watched.latest()[3][0] == 5.0)
        changed = [row for row in watched.of(2) if row[4] in times]
        assert [row[1] for row in changed] == [1.0, 2.0, 3.0, 4.0, 5.0]
        assert [row[4] for row in changed] == times
        mono = [row[5] for row in changed]
        assert mono == sorted(mono)
        assert mono[-1] - mono[-2] in (0, 10_000_000)  # the difference of source times, bounded by former rows
        assert all(len(set(batch.point.tolist())) == len(batch) for batch in watched.batches)

    watch(driver, scenario)


def test_an_unchanged_point_has_a_row_in_each_poll_period(server, new_driver, new_point, watch):
    server.tell("add", "k", "Double", 7.0)
    driver = new_driver(server, new_point(2, "k"), new_point(3, "k", poll_s=0.4))

    async def scenario(watched):
        await watched.until(lambda: len(watched.of(2)) >= 12)
        rows = watched.of(2)
        assert {row[1:3] for row in rows} == {(7.0, GOOD)}
        gaps_ns = [b[5] - a[5] for a, b in itertools.pairwise(rows)]
        assert sorted(gaps_ns)[len(gaps_ns) // 2] == pytest.approx(0.1e9, rel=0.5)
        assert all(abs((row[4] - rows[0][4]) - (row[5] - rows[0][5])) < 50e6 for row in rows)  # both of receipt
        assert 2 <= len(watched.of(3)) <= 5

    watch(driver, scenario)


def test_an_unbelievable_source_time_is_replaced_by_the_receipt(server, new_driver, new_point, watch):
    server.tell("add", "l", "Double", 0.0)
    driver = new_driver(server, new_point(2, "l"))

    async def scenario(watched):
        await watched.until(lambda: watched.latest().get(2) == (0.0, GOOD))
        for value, source_ns in ((1.0, 0), (2.0, time.time_ns() + 3600 * 10**9)):
            server.tell("write", "l", "Double", value, 0, source_ns)
            await watched.until(lambda value=value: watched.latest()[2][0] == value)
        assert all(abs(row[4] - time.time_ns()) < 10e9 for row in watched.rows)
        assert driver._memory.disbelieved == 2

    watch(driver, scenario)


def test_an_overflow_of_the_servers_queue_is_counted(server, new_driver, new_point, watch):
    server.tell("add", "m", "Double", 0.0)
    driver = new_driver(server, new_point(2, "m"))

    async def scenario(watched):
        await watched.until(lambda: watched.batches)
        server.tell("write", "m", "Double", 1.0, 0x0480)
        await watched.until(lambda: watched.latest()[2] == (1.0, GOOD))
        assert driver._memory.overflows == 1

    watch(driver, scenario)


def test_a_driver_that_is_stopped_leaves_no_session_behind(server, new_driver, new_point, watch):
    server.tell("add", "n", "Double", 0.0)

    async def scenario(watched):
        await watched.until(lambda: watched.batches)
        assert server.tell("sessions") == 1

    watch(new_driver(server, new_point(2, "n")), scenario)
    assert server.tell("sessions") == 0


def test_texts_and_native_status_codes_are_said_beside_the_numbers(server, new_driver, new_point, watch):
    server.tell("add", "lot", "String", "LOT-1")
    server.tell("add", "empty", "String", None)
    server.tell("add", "level", "Double", 1.0)
    texts = [new_point(2, "lot", PointType.STRING), new_point(3, "empty", PointType.STRING)]
    driver = new_driver(server, *texts, new_point(4, "level"))

    async def scenario(watched):
        def said():
            return [(each.point, each.what) for batch in watched.batches for each in batch.said]

        await watched.until(lambda: watched.batches)
        assert said() == [(2, "LOT-1"), (3, "")]
        assert watched.latest() == {DEVICE: (1.0, GOOD), 2: (5.0, GOOD), 3: (0.0, GOOD), 4: (1.0, GOOD)}
        server.tell("write", "lot", "String", "批号-2")
        await watched.until(lambda: (2, "批号-2") in said())
        server.tell("write", "level", "Double", 1.0, UNCERTAIN_CALIBRATION)
        await watched.until(lambda: (4, UNCERTAIN_CALIBRATION) in said())
        assert len(said()) == 4

    watch(driver, scenario)
