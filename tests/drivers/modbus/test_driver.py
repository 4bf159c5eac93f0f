"""A driver against devices that answer, refuse, fall silent, drop, delay and garble."""

from __future__ import annotations

import asyncio
import logging
import math
import struct
from contextlib import aclosing
from itertools import pairwise

import pytest

from contract.errors import ConfigError
from contract.points import PointType
from contract.quality import Quality
from drivers.base import DeviceState

DEVICE = 1
GOOD = Quality.GOOD
COMM = Quality.BAD_COMM_FAILURE


def qualities(turn):
    return {point: quality for point, (_, quality) in turn.items()}


def test_a_turn_gives_the_device_and_every_point(new_device, new_driver, new_point, turns):
    async def scenario():
        async with new_device() as device:
            driver = new_driver(
                device.port, new_point(2, "holding:40"), new_point(3, "input:41", scale=0.5, offset=-1.0)
            )
            assert await turns(driver, 1) == [{DEVICE: (1.0, GOOD), 2: (40.0, GOOD), 3: (19.5, GOOD)}]
            health = driver.healths()[0]
            assert health.state is DeviceState.ANSWERING
            assert (health.requests, health.failures, health.reconnects, health.last_failure) == (2, 0, 0, None)

    asyncio.run(scenario())


def test_each_reply_is_a_batch_of_its_own_and_the_first_leads_with_the_device(new_device, new_driver, new_point):
    async def scenario():
        async with new_device() as device:
            driver = new_driver(device.port, new_point(2, "holding:1"), new_point(3, "holding:900"))
            async with aclosing(driver.run()) as batches:
                first, second, third = [(await anext(batches)) for _ in range(3)]
            await driver.close()
        assert [b.point.tolist() for b in (first, second, third)] == [[DEVICE, 2], [3], [DEVICE, 2]]
        assert first.raw.tolist() == [1, 1]
        assert len(set(first.mono_ns.tolist())) == len(set(first.time_ns.tolist())) == 1
        assert first.mono_ns[0] < second.mono_ns[0] < third.mono_ns[0]

    asyncio.run(scenario())


def test_a_silent_device_is_bad_from_the_first_unanswered_poll_and_comes_back_alone(
    new_device, new_driver, new_point, turns
):
    async def scenario():
        async with new_device() as device:

            async def between(turn):
                device.silent = 3 <= turn < 8

            driver = new_driver(
                device.port, new_point(2, "holding:7"), new_point(3, "holding:700"), reconnect_max_s=2, timeout_s=0.2
            )
            seen = await turns(driver, 14, between)
            bad = {DEVICE: COMM, 2: COMM, 3: COMM}
            good = {DEVICE: GOOD, 2: GOOD, 3: GOOD}
            assert [qualities(turn) for turn in seen[:8]] == [good] * 3 + [bad] * 5
            assert all(math.isnan(value) for turn in seen[3:8] for value, _ in turn.values())
            assert seen[-1] == {DEVICE: (1.0, GOOD), 2: (7.0, GOOD), 3: (700.0, GOOD)}
            assert driver.healths()[0].reconnects >= 1

    asyncio.run(scenario())


def test_a_device_that_refuses_connections_gives_bad_rows_on_time_until_it_listens(
    new_device, new_driver, new_point, turns
):
    async def scenario():
        device = new_device()
        await device.listen()
        await device.vanish()

        async def between(turn):
            if turn == 4:
                await device.listen()

        driver = new_driver(device.port, new_point(2, "holding:7"), reconnect_max_s=1)
        seen = await turns(driver, 8, between)
        await device.vanish()
        assert [qualities(turn) for turn in seen[:4]] == [{DEVICE: COMM, 2: COMM}] * 4
        assert seen[-1] == {DEVICE: (1.0, GOOD), 2: (7.0, GOOD)}
        assert driver.healths()[0].state is DeviceState.ANSWERING
        assert "no connection" in (driver.healths()[0].last_failure or "")

    asyncio.run(scenario())


@pytest.mark.timeout(20)
def test_a_connection_dropped_while_waiting_is_noticed_at_once(new_device, new_driver, new_point, turns):
    async def scenario():
        async with new_device() as device:
            device.drops = True
            driver = new_driver(device.port, new_point(2, "holding:7"), timeout_s=60)
            (turn,) = await turns(driver, 1)
            assert qualities(turn) == {DEVICE: COMM, 2: COMM}
            assert "closed" in (driver.healths()[0].last_failure or "")

    asyncio.run(scenario())


def test_a_connection_dropped_between_two_turns_costs_no_sample(new_device, new_driver, new_point, turns):
    async def scenario():
        async with new_device() as device:

            async def between(turn):
                device.hang_up()
                await asyncio.sleep(0.01)  # let the end of the stream arrive

            driver = new_driver(device.port, new_point(2, "holding:7"))
            seen = await turns(driver, 3, between)
            assert seen == [{DEVICE: (1.0, GOOD), 2: (7.0, GOOD)}] * 3
            assert driver.healths()[0].reconnects == 2

    asyncio.run(scenario())


def test_a_late_reply_never_becomes_the_answer_to_another_request(new_device, new_driver, new_point, turns):
    async def scenario():
        async with new_device() as device:

            async def between(turn):
                device.delay_s = 0.3 if turn < 6 else 0.0

            driver = new_driver(device.port, new_point(2, "holding:11"), new_point(3, "holding:511"), timeout_s=0.2)
            seen = await turns(driver, 12, between)
            assert all(qualities(turn) == {DEVICE: COMM, 2: COMM, 3: COMM} for turn in seen[:6])
            for turn in seen:
                assert turn[2] == (11.0, GOOD) or turn[2][1] == COMM
                assert turn[3] == (511.0, GOOD) or turn[3][1] == COMM
            assert qualities(seen[-1]) == {DEVICE: GOOD, 2: GOOD, 3: GOOD}

    asyncio.run(scenario())


def test_one_illegal_register_in_a_merged_block_costs_no_sample_of_the_others(new_device, new_driver, new_point, turns):
    async def scenario():
        async with new_device() as device:
            device.refusals[11] = 2
            driver = new_driver(device.port, *(new_point(id_, f"holding:{id_ + 8}") for id_ in (2, 3, 4)))
            seen = await turns(driver, 3)
            assert [qualities(t) for t in seen] == [{DEVICE: GOOD, 2: GOOD, 3: Quality.BAD_CONFIG, 4: GOOD}] * 3
            searched = [(3, 10, 3), (3, 10, 1), (3, 11, 2), (3, 11, 1), (3, 12, 1)]
            assert device.requests == searched + [(3, 10, 1), (3, 12, 1)] * 2
            health = driver.healths()[0]
            assert health.refused == ("holding 11..11: refused with exception 02",)
            assert health.last_failure == "holding 11..11: refused with exception 02"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("code", "quality"),
    [(code, Quality.BAD_CONFIG) for code in (1, 2, 3)] + [(code, Quality.BAD_DEVICE_FAILURE) for code in (4, 5, 6, 99)],
)
def test_an_exception_is_an_answer_and_decides_the_quality(code, quality, new_device, new_driver, new_point, turns):
    async def scenario():
        async with new_device() as device:
            device.refusals[7] = code
            driver = new_driver(device.port, new_point(2, "holding:7"))
            seen = await turns(driver, 2)
            assert [qualities(turn) for turn in seen] == [{DEVICE: GOOD, 2: quality}] * 2
            assert (device.connections, driver.healths()[0].failures) == (1, 0)

    asyncio.run(scenario())


@pytest.mark.parametrize("code", [0x0A, 0x0B])
def test_a_gateway_that_cannot_reach_its_unit_is_no_answer(code, new_device, new_driver, new_point, turns):
    """One silent unit behind a gateway: the device's own point is BAD as well, so one fault is raised, not one a point."""

    async def scenario():
        async with new_device() as device:
            device.refusals[7] = code
            driver = new_driver(device.port, new_point(2, "holding:7"), new_point(3, "holding:900"))
            bad = Quality.BAD_COMM_FAILURE
            (turn,) = await turns(driver, 1)
            assert qualities(turn) == {DEVICE: bad, 2: bad, 3: bad}
            assert driver.healths()[0].last_answer_mono_ns is None
            assert device.connections == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_float_that_is_no_number_is_a_broken_sensor(number, new_device, new_driver, new_point, turns):
    async def scenario():
        async with new_device() as device:
            device.registers[7], device.registers[8] = struct.unpack(">HH", struct.pack(">f", number))
            driver = new_driver(device.port, new_point(2, "holding:7", PointType.FLOAT32), new_point(3, "holding:9"))
            (turn,) = await turns(driver, 1)
            assert qualities(turn) == {DEVICE: GOOD, 2: Quality.BAD_SENSOR_FAILURE, 3: GOOD}
            assert math.isnan(turn[2][0])

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "mangle",
    [
        lambda pdu: pdu[:-2],
        lambda pdu: pdu + b"\0\0",
        lambda pdu: bytes((pdu[0], pdu[1] - 2)) + pdu[2:-2],
        lambda pdu: bytes((4,)) + pdu[1:],
        lambda pdu: b"\x03",
        lambda pdu: b"\x84\x02",
        lambda pdu: bytes((pdu[0], pdu[1] + 2)) + pdu[2:],
        lambda pdu: b"\x83",
        lambda pdu: b"\x63\x00",
    ],
    ids=[
        "cut",
        "longer",
        "one register less",
        "other function",
        "nothing",
        "refusal of another function",
        "wrong count",
        "refusal without reason",
        "unknown",
    ],
)
def test_a_reply_that_does_not_fit_gives_no_value(mangle, new_device, new_driver, new_point, turns, caplog):
    async def scenario():
        async with new_device() as device:
            device.mangle = mangle
            driver = new_driver(device.port, new_point(2, "holding:7"), new_point(3, "holding:8"))
            (turn,) = await turns(driver, 1)
            assert qualities(turn) == {DEVICE: COMM, 2: COMM, 3: COMM}
            assert driver.healths()[0].failures == 1
            assert "does not fit" in (driver.healths()[0].last_failure or "")
            assert caplog.records == []

    asyncio.run(scenario())


def test_a_request_that_is_never_answered_does_not_starve_the_others(new_device, new_driver, new_point, turns):
    async def scenario():
        async with new_device() as device:
            device.mute.add(7)
            points = [new_point(2, "holding:7"), new_point(3, "holding:500"), new_point(4, "holding:900")]
            seen = await turns(new_driver(device.port, *points, timeout_s=0.3), 4)
            assert qualities(seen[0]) == {DEVICE: COMM, 2: COMM, 3: COMM, 4: COMM}
            assert [qualities(turn) for turn in seen[1:]] == [{DEVICE: GOOD, 2: COMM, 3: GOOD, 4: GOOD}] * 3

    asyncio.run(scenario())


@pytest.mark.timeout(20)
def test_a_silent_device_does_not_delay_another(new_device, new_driver, new_point, turns):
    async def scenario():
        async with new_device() as silent, new_device() as well:
            silent.silent = True
            waiting = asyncio.create_task(turns(new_driver(silent.port, new_point(2, "holding:7"), timeout_s=60), 1))
            seen = await turns(new_driver(well.port, new_point(2, "holding:7")), 5)
            assert seen == [{DEVICE: (1.0, GOOD), 2: (7.0, GOOD)}] * 5
            assert not waiting.done()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    asyncio.run(scenario())


def test_groups_are_polled_each_at_its_own_period(new_device, new_driver, new_point):
    async def scenario():
        async with new_device() as device:
            driver = new_driver(
                device.port, new_point(2, "holding:7", poll_s=1.0), new_point(3, "holding:8", poll_s=10.0)
            )
            rows: dict[int, list[int]] = {2: [], 3: []}
            async with aclosing(driver.run()) as batches:
                while len(rows[3]) < 4:  # one at once, then on the timetable
                    batch = await anext(batches)
                    rows[int(batch.point[-1])].append(int(batch.mono_ns[-1]))
            await driver.close()
            periods_s = [(later - earlier) / 1e9 for earlier, later in pairwise(rows[3][1:])]
            assert periods_s == pytest.approx([10.0] * 2, abs=0.05)
            assert 21 <= len(rows[2]) <= 22
            assert driver.healths()[0].missed_turns == 0

    asyncio.run(scenario())


def test_a_device_that_is_back_is_read_whole_at_once(new_device, new_driver, new_point):
    """Else points of a slow group stay BAD long after their device is well, and each of them is told as broken."""

    async def scenario():
        async with new_device() as device:
            driver = new_driver(
                device.port,
                new_point(2, "holding:7", poll_s=1.0),
                new_point(3, "holding:8", poll_s=60.0),
                timeout_s=0.1,
            )
            start_ns = back_ns = slow_ns = None
            async with aclosing(driver.run()) as batches:
                for _ in range(300):
                    batch = await anext(batches)
                    now_ns = int(batch.mono_ns[0])
                    start_ns = start_ns or now_ns
                    passed_s = (now_ns - start_ns) / 1e9
                    device.silent = 58 <= passed_s < 65  # over the slow group's turn
                    good = {int(p) for p, q in zip(batch.point, batch.quality, strict=True) if q == GOOD}
                    if passed_s > 65 and back_ns is None and 2 in good:
                        back_ns = now_ns
                    if back_ns is not None and 3 in good:
                        slow_ns = now_ns
                        break
            await driver.close()
            assert back_ns is not None
            assert slow_ns is not None
            assert slow_ns - back_ns < 1e9

    asyncio.run(scenario())


def test_cancelling_ends_the_run_and_closing_ends_the_connection(new_device, new_driver, new_point):
    async def scenario():
        async with new_device() as device:
            device.silent = True
            driver = new_driver(device.port, new_point(2, "holding:7"), timeout_s=60)

            async def poll():
                async for _ in driver.run():
                    pass

            task = asyncio.create_task(poll())
            await device.asked(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await driver.close()
            await driver.close()

    asyncio.run(scenario())


def test_turns_whose_time_passed_are_left_out_and_counted(new_device, new_driver, new_point, turns):
    async def scenario():
        async with new_device() as device:
            device.delay_s = 0.05
            driver = new_driver(device.port, new_point(2, "holding:7", poll_s=0.01), timeout_s=5)
            await turns(driver, 3)
            assert driver.healths()[0].missed_turns >= 4

    asyncio.run(scenario())


def test_failures_leave_no_trace_in_the_log(new_device, new_driver, new_point, turns, caplog):
    async def scenario():
        async with new_device() as device:
            device.silent = True
            await turns(new_driver(device.port, new_point(2, "holding:7"), timeout_s=0.1), 2)
        await turns(new_driver(device.port, new_point(2, "holding:7")), 2)

    with caplog.at_level(logging.WARNING):
        asyncio.run(scenario())
    assert caplog.records == []


def test_faults_are_found_offline_and_refuse_the_run(new_driver, new_point):
    async def scenario():
        driver = new_driver(9, new_point(2, "coils:7"), new_point(3, "holding:7", PointType.FLOAT64), max_registers=2)
        faults = driver.check()
        assert [(f.file, f.column) for f in faults] == [
            ("points.csv", "table"),
            ("agent.toml", "device.1.max_registers"),
        ]
        assert "T2" in faults[0].message
        with pytest.raises(ConfigError) as refusal:
            await anext(driver.run())
        assert refusal.value.faults == tuple(faults)

    asyncio.run(scenario())


def test_a_device_without_points_is_a_fault(new_driver):
    assert [fault.column for fault in new_driver(9).check()] == ["device"]


def test_a_timetable_that_cannot_be_kept_is_a_fault(new_driver, new_point):
    points = [new_point(id_, f"holding:{id_ * 100}", poll_s=0.1) for id_ in range(2, 12)]
    assert new_driver(9, *points).check() == []
    (fault,) = new_driver(9, *points, pause_ms=10.0).check()
    assert (fault.column, "120%" in fault.message) == ("poll_s", True)


def test_the_plan_is_told_per_group(new_driver, new_point):
    driver = new_driver(
        9, new_point(2, "holding:1"), new_point(3, "holding:2"), new_point(4, "coil:0", PointType.BIT, poll_s=5.0)
    )
    first, second = driver.plan_report()
    assert first[:5] == ("127.0.0.1:9", "plc", "every 1 s", 2, 1)
    assert first.busy_ms == pytest.approx(2, abs=0.5)
    assert first.load == pytest.approx(first.busy_ms / 1000)
    assert second[:5] == ("127.0.0.1:9", "plc", "every 5 s", 1, 1)
