"""Servers that cannot subscribe, or not for so many points: their values are read, as often and as honestly as told ones."""

from __future__ import annotations

import itertools
import math
import time

import pytest

from contract.quality import Quality
from drivers.opcua import session

DEVICE = 1
GOOD = Quality.GOOD
COMM = Quality.BAD_COMM_FAILURE
BAD_SENSOR_FAILURE = 0x808C_0000
NAMES = [f"n{k}" for k in range(23)]
NODES = [(name, "Double", float(k)) for k, name in enumerate(NAMES)]


def points_of(new_point):
    return [new_point(2 + k, name) for k, name in enumerate(NAMES)]


def all_at(watched, first):
    return lambda: all(watched.latest().get(2 + k) == (first + k, GOOD) for k in range(len(NAMES)))


def test_every_point_is_read_in_its_period_and_nothing_is_subscribed(server, new_driver, new_point, watch):
    server.tell("add", "a", "Double", 1.0)
    server.tell("add", "b", "Double", 2.0)
    driver = new_driver(server, new_point(2, "a"), new_point(3, "b", poll_s=0.4), mode="poll")
    assert [line[1:4] for line in driver.plan_report()] == [
        ("plc", "read every 100 ms", 1), ("plc", "read every 400 ms", 1)
    ]  # fmt: skip

    async def scenario(watched):
        await watched.until(lambda: len(watched.of(2)) >= 12)
        assert server.tell("items") == []
        gaps_ns = [b[5] - a[5] for a, b in itertools.pairwise(watched.of(2))]
        assert sorted(gaps_ns)[len(gaps_ns) // 2] == pytest.approx(0.1e9, rel=0.5)
        assert 2 <= len(watched.of(3)) <= 5
        source_ns = time.time_ns() // 1_000_000 * 1_000_000
        server.tell("write", "a", "Double", 5.0, 0, source_ns)
        await watched.until(lambda: watched.latest()[2] == (5.0, GOOD))
        assert next(row[4] for row in watched.of(2) if row[1] == 5.0) == source_ns
        server.tell("write", "a", "Double", 6.0, BAD_SENSOR_FAILURE)
        await watched.until(lambda: watched.latest()[2][1] == Quality.BAD_SENSOR_FAILURE)
        assert math.isnan(watched.latest()[2][0])
        assert watched.latest()[3] == (2.0, GOOD)

    watch(driver, scenario)


def test_turns_follow_from_the_first_and_not_from_the_last_answer(server, new_driver, new_point, watch):
    server.tell("add", "c", "Double", 1.0)
    driver = new_driver(server, new_point(2, "c", poll_s=0.05), mode="poll")

    async def scenario(watched):
        await watched.until(lambda: len(watched.of(2)) >= 40)
        rows = watched.of(2)[1:]  # the first is read before the timetable begins
        (health,) = driver.healths()
        turns = len(rows) - 1 + health.missed_turns
        drift_ns = (rows[-1][5] - rows[0][5]) - turns * 50_000_000
        assert abs(drift_ns) < 50_000_000

    watch(driver, scenario)


def test_a_node_that_appears_later_is_read_then(new_server, new_driver, new_point, watch):
    server = new_server(("a", "Double", 1.0))
    driver = new_driver(server, new_point(2, "late"), new_point(3, "a"), mode="poll")

    async def scenario(watched):
        await watched.until(lambda: len(watched.of(2)) >= 3)
        assert {row[2] for row in watched.of(2)} == {Quality.BAD_CONFIG}
        server.tell("add", "late", "Double", 5.0)
        await watched.until(lambda: watched.latest()[2] == (5.0, GOOD))

    watch(driver, scenario)


@pytest.mark.parametrize("secretive", [False, True], ids=["told", "found out"])
def test_reads_are_cut_to_what_the_server_allows(new_server, new_driver, new_point, watch, secretive):
    server = new_server(*NODES, limit=5, secretive=secretive)
    driver = new_driver(server, *points_of(new_point), mode="poll")

    async def scenario(watched):
        await watched.until(all_at(watched, 0.0))
        for k, name in enumerate(NAMES):
            server.tell("write", name, "Double", 100.0 + k)
        await watched.until(all_at(watched, 100.0))
        assert driver.healths()[0].reconnects == 0

    watch(driver, scenario)


def test_a_server_without_subscriptions_is_polled_and_that_is_told(new_server, new_driver, new_point, watch):
    server = new_server(("a", "Double", 1.0), subscriptions=0)
    driver = new_driver(server, new_point(2, "a"))

    async def scenario(watched):
        await watched.until(lambda: watched.latest().get(2) == (1.0, GOOD))
        server.tell("write", "a", "Double", 2.0)
        await watched.until(lambda: watched.latest()[2] == (2.0, GOOD))
        (health,) = driver.healths()
        assert health.refused == ("1 point(s): polled, since the server refused: BadTooManySubscriptions",)
        assert health.reconnects == 0

    watch(driver, scenario)


def test_who_insists_on_subscriptions_learns_why_there_are_none(new_server, new_driver, new_point, watch):
    server = new_server(("a", "Double", 1.0), subscriptions=0)
    driver = new_driver(server, new_point(2, "a"), mode="subscribe")

    async def scenario(watched):
        await watched.until(lambda: watched.latest().get(2, (0, GOOD))[1] == COMM)
        assert "the server refused: BadTooManySubscriptions" in driver.healths()[0].last_failure

    watch(driver, scenario)


def test_what_does_not_fit_into_the_servers_subscriptions_is_polled(new_server, new_driver, new_point, watch):
    server = new_server(*NODES, per_subscription=10, subscriptions=1)
    driver = new_driver(server, *points_of(new_point))

    async def scenario(watched):
        await watched.until(all_at(watched, 0.0))
        assert server.tell("items") == [10]
        for k, name in enumerate(NAMES):
            server.tell("write", name, "Double", 100.0 + k)
        await watched.until(all_at(watched, 100.0))
        assert driver.healths()[0].refused == (
            "13 point(s): polled, since the server refused: BadTooManySubscriptions",
        )

    watch(driver, scenario)


def test_a_server_with_slow_points_is_asked_for_a_sign_of_life(new_server, new_driver, new_point, watch, monkeypatch):
    monkeypatch.setattr(session, "SIGN_OF_LIFE_S", 0.1)
    server = new_server(("a", "Double", 1.0))
    driver = new_driver(server, new_point(2, "a", poll_s=60.0), mode="poll")

    async def scenario(watched):
        await watched.until(lambda: len(watched.of(DEVICE)) >= 5)
        assert len(watched.of(2)) == 1
        server.kill()
        await watched.until(lambda: watched.latest()[2][1] == COMM and watched.latest()[DEVICE][1] == COMM)

    watch(driver, scenario)
