"""What the server grants is taken as it is: every value it keeps arrives, no limit is passed, and what is less is told."""

from __future__ import annotations

import asyncio
import time

import pytest

from contract.points import Limits, PointType
from contract.quality import Quality

GOOD = Quality.GOOD


def values(watched, point):
    """The values of a point in order, each once."""
    found: list[float] = []
    for row in watched.of(point):
        if not found or found[-1] != row[1]:
            found.append(row[1])
    return found


def write_series(server, name, count):
    for k in range(1, count + 1):
        server.tell("write", name, "Double", float(k))


def test_a_queue_is_sized_by_the_interval_that_was_granted(new_server, new_driver, new_point, watch):
    server = new_server(("a", "Double", 0.0), revised={"publish_ms": 400})
    driver = new_driver(server, new_point(2, "a"), publish_ms=50, sampling_ms=20)

    async def scenario(watched):
        await watched.until(lambda: len(watched.of(2)) >= 2)
        assert server.tell("queues") == [400 // 20 + 2]
        write_series(server, "a", 20)
        await watched.until(lambda: watched.latest()[2] == (20.0, GOOD))
        assert values(watched, 2) == [float(k) for k in range(21)]
        (health,) = driver.healths()
        assert "published every 400 ms instead of 50 ms" in health.slowed
        assert health.refused == ()

    watch(driver, scenario)


def test_a_queue_that_the_server_cut_is_told_before_anything_is_lost(new_server, new_driver, new_point, watch):
    server = new_server(("a", "Double", 0.0), revised={"queue": 1})
    driver = new_driver(server, new_point(2, "a"), publish_ms=200, sampling_ms=20, mode="subscribe")

    async def scenario(watched):
        await watched.until(lambda: watched.batches)
        (health,) = driver.healths()
        # asyncua's server says that it samples as often as it publishes, so one place would do
        assert health.slowed == "1 point(s) sampled every 100 ms instead of 20 ms"
        assert health.refused == ()

    watch(driver, scenario)


def test_an_overflow_is_told_in_health(server, new_driver, new_point, watch):
    server.tell("add", "o", "Double", 0.0)
    driver = new_driver(server, new_point(2, "o"))

    async def scenario(watched):
        await watched.until(lambda: watched.batches)
        assert driver.healths()[0].refused == ()
        server.tell("write", "o", "Double", 1.0, 0x0480)
        await watched.until(lambda: watched.latest()[2] == (1.0, GOOD))
        assert driver.healths()[0].refused == ("values that did not fit into the server's queues, 1 time(s)",)

    watch(driver, scenario)


@pytest.mark.parametrize("secretive", [False, True], ids=["told", "found out"])
def test_items_are_spread_over_as_many_subscriptions_as_the_server_makes_necessary(
    new_server, new_driver, new_point, watch, secretive
):
    names = [f"n{k}" for k in range(23)]
    nodes = [(name, "Double", float(k)) for k, name in enumerate(names)]
    server = new_server(*nodes, per_subscription=10, secretive=secretive)
    driver = new_driver(server, *(new_point(2 + k, name) for k, name in enumerate(names)), mode="subscribe")

    async def scenario(watched):
        await watched.until(lambda: watched.batches)
        assert sorted(server.tell("items")) == [3, 10, 10]
        for k, name in enumerate(names):
            server.tell("write", name, "Double", 100.0 + k)
        await watched.until(lambda: all(watched.latest()[2 + k] == (100.0 + k, GOOD) for k in range(23)))
        assert driver.healths()[0].refused == ()

    watch(driver, scenario)


def test_no_more_publish_requests_wait_at_the_server_than_it_takes(new_server, new_driver, new_point, watch):
    server = new_server(("a", "Double", 0.0), publish_requests=1)
    driver = new_driver(server, new_point(2, "a"))

    async def scenario(watched):
        await watched.until(lambda: len(watched.of(2)) >= 3)
        write_series(server, "a", 3)
        await watched.until(lambda: watched.latest()[2] == (3.0, GOOD))
        assert driver.healths()[0].last_failure is None

    watch(driver, scenario)


def test_a_refused_item_is_bad_with_its_reason_and_the_others_run(server, new_driver, new_point, watch):
    server.tell("add", "p", "Double", 1.0)
    driver = new_driver(server, new_point(2, "p"), new_point(3, "nowhere"))

    async def scenario(watched):
        await watched.until(lambda: len(watched.of(3)) >= 3)
        assert {row[2] for row in watched.of(3)} == {Quality.BAD_CONFIG}
        assert {row[2] for row in watched.of(2)} == {GOOD}
        assert driver.healths()[0].refused == ("T3: BadNodeIdUnknown",)

    watch(driver, scenario)


def test_a_deadband_is_left_to_the_server_where_only_the_trend_looks_at_the_value(server, new_driver, new_point, watch):
    """The server compares with the sample before: a drift in small steps is never told, and found by reading behind."""
    for name in ("quiet", "judged", "ranged"):
        server.tell("add", name, "Double", 0.0)
    asked = {"report_deadband": 5.0, "report_max_s": 1.0}
    driver = new_driver(
        server,
        new_point(2, "quiet", **asked),
        new_point(3, "judged", limits=Limits(h=100.0), **asked),
        new_point(4, "ranged", range_high=100.0, **asked),
    )

    async def scenario(watched):
        await watched.until(lambda: len(watched.of(2)) >= 2)
        for k in range(1, 10):
            for name in ("quiet", "judged", "ranged"):
                server.tell("write", name, "Double", float(k))
        await watched.until(lambda: watched.latest()[3] == (9.0, GOOD) and watched.latest()[4] == (9.0, GOOD))
        assert values(watched, 3)[-3:] == [7.0, 8.0, 9.0]
        await watched.until(lambda: watched.latest()[2] == (9.0, GOOD))
        assert values(watched, 2) == [0.0, 9.0]
        server.tell("write", "quiet", "Double", 20.0)
        await watched.until(lambda: watched.latest()[2] == (20.0, GOOD))
        mono = [row[5] for row in watched.of(2)]
        assert mono == sorted(mono)

    watch(driver, scenario)


def test_a_deadband_is_meant_in_the_servers_unit(server, new_driver, new_point, watch):
    server.tell("add", "scaled", "Int32", 0)
    spec = new_point(2, "scaled", PointType.INT32, scale=-0.1, report_deadband=5.0, report_max_s=3600.0)
    driver = new_driver(server, spec)

    async def scenario(watched):
        await watched.until(lambda: watched.batches)
        server.tell("write", "scaled", "Int32", 49)
        server.tell("write", "scaled", "Int32", 100)
        await watched.until(lambda: watched.latest()[2] == (-10.0, GOOD))
        assert values(watched, 2) == [0.0, -10.0]

    watch(driver, scenario)


def test_a_server_without_deadbands_tells_every_change(new_server, new_driver, new_point, watch):
    server = new_server(("a", "Double", 0.0), no_deadband=True)
    driver = new_driver(server, new_point(2, "a", report_deadband=5.0, report_max_s=3600.0))

    async def scenario(watched):
        await watched.until(lambda: watched.batches)
        write_series(server, "a", 3)
        await watched.until(lambda: watched.latest()[2] == (3.0, GOOD))
        assert driver.healths()[0].refused == ("1 point(s): every change is told, since the server offers no deadband",)

    watch(driver, scenario)


def test_times_are_those_of_arrival_while_reads_and_reports_cross(server, new_driver, new_point, watch):
    """A point that is reported and read behind: its rows never go back in time, nor to an older value."""
    server.tell("add", "both", "Double", 0.0)
    driver = new_driver(server, new_point(2, "both", report_deadband=0.5, report_max_s=0.1), publish_ms=20)

    async def scenario(watched):
        await watched.until(lambda: watched.batches)
        until = time.monotonic() + 1.0
        k = 0
        while time.monotonic() < until:
            k += 1
            server.tell("write", "both", "Double", float(k))
            await asyncio.sleep(0)
        await watched.until(lambda: watched.latest()[2] == (float(k), GOOD))
        assert values(watched, 2) == sorted(values(watched, 2))
        mono = [row[5] for row in watched.of(2)]
        assert mono == sorted(mono)

    watch(driver, scenario)
