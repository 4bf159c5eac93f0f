"""Subscriptions that say nothing any more while everything else is answered: noticed by their deadline, and rebuilt."""

from __future__ import annotations

import math
import time

import pytest

from contract.quality import Quality

GOOD = Quality.GOOD
COMM = Quality.BAD_COMM_FAILURE


def is_good(watched, value):
    return lambda: watched.latest().get(2) == (value, GOOD)


@pytest.mark.parametrize(
    ("settings", "revised", "deadline_s"),
    [
        ({"publish_ms": 50}, {}, 0.8),  # six intervals of 50 ms, and 500 ms for the way
        ({"publish_ms": 600}, {}, 1.2),
        ({"publish_ms": 50}, {"publish_ms": 510, "keepalive": 2}, 1.53),
    ],
    ids=["short", "long", "revised"],
)
def test_silence_is_noticed_after_keep_alive_count_and_one_intervals(
    new_server, new_driver, new_point, watch, settings, revised, deadline_s
):
    server = new_server(("a", "Double", 1.0), revised=revised)
    driver = new_driver(server, new_point(2, "a", poll_s=0.6), **settings)

    async def scenario(watched):
        await watched.until(is_good(watched, 1.0))
        server.tell("mute")
        muted = len(watched.rows)
        await watched.until(lambda: watched.latest()[2][1] == COMM)
        assert f"silent for {deadline_s:g} s" in driver.healths()[0].last_failure
        lost = next(row for row in watched.rows[muted:] if row[2] == COMM)
        last = next(row for row in reversed(watched.rows) if row[2] == GOOD and row[5] < lost[5])
        assert lost[5] - last[5] >= deadline_s * 1e9  # and not before

    watch(driver, scenario)


def test_rebuilding_opens_one_session_at_most_and_marks_the_hole(new_server, new_driver, new_point, watch):
    server = new_server(("a", "Double", 1.0))
    driver = new_driver(server, new_point(2, "a"))

    async def scenario(watched):
        await watched.until(is_good(watched, 1.0))
        for value in (10.0, 20.0, 30.0):
            server.tell("mute")
            muted = len(watched.rows)
            for step in range(5):  # nobody is told of these
                server.tell("write", "a", "Double", value + step)
            await watched.until(is_good(watched, value + 4))
            rows = [row for row in watched.rows[muted:] if row[0] == 2]
            hole = [k for k, row in enumerate(rows) if row[2] == COMM]
            assert hole, "a loss without a mark"
            assert hole == list(range(hole[0], hole[-1] + 1))  # no value in between
            assert all(math.isnan(rows[k][1]) for k in hole)
            assert rows[hole[-1] + 1][1:3] == (value + 4, GOOD)
        assert server.tell("most_sessions") == 1
        assert server.tell("sessions") == 1
        assert len(server.tell("items")) == 1
        assert driver.healths()[0].reconnects == 3

    watch(driver, scenario)


def test_a_stall_of_our_own_is_not_the_servers_silence(new_server, new_driver, new_point, watch):
    server = new_server(("a", "Double", 1.0))
    driver = new_driver(server, new_point(2, "a"))

    async def scenario(watched):
        await watched.until(is_good(watched, 1.0))
        for _ in range(5):
            time.sleep(1.0)  # noqa: ASYNC251 - the loop stands still for longer than the deadline
            count = len(watched.rows)
            await watched.until(lambda count=count: len(watched.rows) > count + 2)
        assert driver.healths()[0].last_failure is None
        assert {row[2] for row in watched.rows} == {GOOD}

    watch(driver, scenario)


def test_a_subscription_is_missed_while_another_one_talks(new_server, new_driver, new_point, watch):
    server = new_server(("a", "Double", 1.0), ("b", "Double", 1.0), per_subscription=1)
    driver = new_driver(server, new_point(2, "a"), new_point(3, "b"))

    async def scenario(watched):
        await watched.until(is_good(watched, 1.0))
        server.tell("mute", 1)
        await watched.until(lambda: {quality for _, quality in watched.latest().values()} == {COMM})
        assert "silent" in driver.healths()[0].last_failure
        server.tell("write", "a", "Double", 2.0)
        server.tell("write", "b", "Double", 2.0)
        await watched.until(lambda: watched.latest()[2] == watched.latest()[3] == (2.0, GOOD))

    watch(driver, scenario)


@pytest.mark.parametrize("more", [{}, {"polled": {"poll_s": 0.1}}], ids=["told", "told-and-read-beside"])
def test_a_server_that_lets_in_and_never_publishes_is_one_standing_fault(
    new_server, new_driver, new_point, watch, more
):
    """However often it can be opened and read; until values flow again."""
    points = [new_point(2, "a")]
    if more:  # with a deadband left to the server, so read now and then beside its reports
        points.append(new_point(3, "b", report_deadband=0.5, report_max_s=0.1, **more["polled"]))
    server = new_server(("a", "Double", 1.0), ("b", "Double", 1.0))
    driver = new_driver(server, *points)

    async def scenario(watched):
        await watched.until(is_good(watched, 1.0))
        server.tell("mute_for_good")
        await watched.until(lambda: watched.latest()[1][1] == COMM)
        faulty = len(watched.of(1))
        await watched.until(lambda: driver.health().reconnects >= 3, timeout_s=30.0)
        assert {row[2] for row in watched.of(1)[faulty:]} == {COMM}
        server.tell("talk")
        server.tell("write", "a", "Double", 2.0)
        await watched.until(
            lambda: (watched.latest()[1][1], watched.latest()[2]) == (GOOD, (2.0, GOOD)), timeout_s=30.0
        )

    watch(driver, scenario)
