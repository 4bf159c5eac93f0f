"""Servers that die, move, fall silent or lose news: noticed in time, said as BAD, and back by itself."""

from __future__ import annotations

import asyncio
import logging
import math
import signal

import pytest

from contract.quality import Quality
from drivers.base import DeviceState
from drivers.opcua import session

DEVICE = 1
GOOD = Quality.GOOD
COMM = Quality.BAD_COMM_FAILURE


def is_good(watched, value):
    return lambda: watched.latest().get(2) == (value, GOOD)


def is_lost(watched):
    return lambda: {point: quality for point, (_, quality) in watched.latest().items()} == {DEVICE: COMM, 2: COMM}


def test_a_killed_server_is_bad_at_once_and_comes_back_alone(new_server, new_driver, new_point, watch, caplog):
    server = new_server(("a", "Double", 1.0))
    driver = new_driver(server, new_point(2, "a"))

    async def scenario(watched):
        await watched.until(is_good(watched, 1.0))
        server.kill()
        await watched.until(is_lost(watched))
        lost = next(batch for batch in watched.batches if batch.quality[0] == COMM)
        assert lost.point.tolist() == [DEVICE, 2]
        count = len(watched.rows)
        await watched.until(lambda: len(watched.rows) >= count + 8)
        assert all(row[2] == COMM and math.isnan(row[1]) for row in watched.rows[count:])
        assert driver.health().state is DeviceState.SILENT
        await asyncio.to_thread(server.start, nodes=[("a", "Double", 2.0)])
        await watched.until(is_good(watched, 2.0))
        health = driver.health()
        assert (health.state, health.reconnects) == (DeviceState.ANSWERING, 1)
        assert health.failures >= 2
        assert "no connection" in health.last_failure

    watch(driver, scenario)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_all_points_return_under_other_indices_of_their_namespaces(new_server, new_driver, new_point, watch):
    """The index of each namespace leads to another node of the same name by then."""
    first, second = "urn:park:a", "urn:park:b"
    server = new_server(
        ("a", "Double", 1.0, first), ("a", "Double", 2.0, second), namespaces=[first, second]
    )  # fmt: skip
    driver = new_driver(server, new_point(2, f"nsu={first};s=a"), new_point(3, f"nsu={second};s=a"))

    async def scenario(watched):
        await watched.until(lambda: (watched.latest().get(2), watched.latest().get(3)) == ((1.0, GOOD), (2.0, GOOD)))
        server.kill()
        await watched.until(lambda: watched.latest()[DEVICE][1] == COMM)
        moved = [("a", "Double", 10.0, first), ("a", "Double", 20.0, second)]
        await asyncio.to_thread(server.start, namespaces=["urn:new", second, first], nodes=moved)
        await watched.until(lambda: (watched.latest()[2], watched.latest()[3]) == ((10.0, GOOD), (20.0, GOOD)))
        assert {row[1] for row in watched.of(2) if row[2] == GOOD} == {1.0, 10.0}
        assert {row[1] for row in watched.of(3) if row[2] == GOOD} == {2.0, 20.0}

    watch(driver, scenario)


def test_a_server_that_stands_still_is_noticed_within_the_deadline(new_server, new_driver, new_point, watch):
    server = new_server(("a", "Double", 1.0))
    driver = new_driver(server, new_point(2, "a"))

    async def scenario(watched):
        await watched.until(is_good(watched, 1.0))
        server.signal(signal.SIGSTOP)
        try:
            await watched.until(is_lost(watched))
            assert "silent for 0.55 s" in driver.health().last_failure  # one interval of 50 ms, and 500 ms for the way
        finally:
            server.signal(signal.SIGCONT)
        await watched.until(is_good(watched, 1.0))

    watch(driver, scenario)


def test_news_that_got_lost_begin_a_new_session(new_server, new_driver, new_point, watch):
    server = new_server(("a", "Double", 1.0))
    driver = new_driver(server, new_point(2, "a"))

    async def scenario(watched):
        await watched.until(lambda: len(watched.of(2)) >= 3)
        server.tell("lose_news")
        server.tell("write", "a", "Double", 2.0)
        await watched.until(is_good(watched, 2.0))
        assert driver.health().reconnects == 1

    watch(driver, scenario)


def test_a_node_that_appears_later_is_taken_up(new_server, new_driver, new_point, watch, monkeypatch):
    monkeypatch.setattr(session, "RETRY_S", 0.2)
    server = new_server(("a", "Double", 1.0))
    driver = new_driver(server, new_point(2, "late"), new_point(3, "a"))

    async def scenario(watched):
        await watched.until(lambda: len(watched.of(2)) >= 4)
        assert {row[2] for row in watched.of(2)} == {Quality.BAD_CONFIG}
        server.tell("add", "late", "Double", 5.0)
        await watched.until(is_good(watched, 5.0))
        server.tell("write", "late", "Double", 6.0)
        await watched.until(is_good(watched, 6.0))
        assert {row[2] for row in watched.of(3)} == {GOOD}
        assert driver.health().reconnects == 0

    watch(driver, scenario)


def test_calls_are_cut_to_what_the_server_allows(new_server, new_driver, new_point, watch):
    names = [f"n{k}" for k in range(23)]
    server = new_server(*((name, "Double", float(k)) for k, name in enumerate(names)), limit=5)
    driver = new_driver(server, *(new_point(2 + k, name) for k, name in enumerate(names)))

    async def scenario(watched):
        await watched.until(lambda: watched.batches)
        assert watched.latest() == {DEVICE: (1.0, GOOD)} | {2 + k: (float(k), GOOD) for k in range(23)}
        for k, name in enumerate(names):
            server.tell("write", name, "Double", 100.0 + k)
        await watched.until(lambda: all(watched.latest()[2 + k][0] == 100.0 + k for k in range(23)))

    watch(driver, scenario)


@pytest.mark.parametrize(("password", "comes_in"), [("secret", True), ("guess", False)])
def test_a_server_that_wants_a_user_lets_in_the_right_one(
    new_server, new_driver, new_point, watch, tmp_path, password, comes_in
):
    server = new_server(("a", "Double", 1.0), user=["edge", "secret"])
    (tmp_path / "password").write_text(password + "\n", "utf-8")
    driver = new_driver(
        server, new_point(2, "a"), username="edge", password_file=str(tmp_path / "password"), reconnect_max_s=0.2
    )

    async def scenario(watched):
        await watched.until(is_good(watched, 1.0) if comes_in else is_lost(watched))
        if not comes_in:
            assert "refused" in driver.health().last_failure
            (tmp_path / "password").write_text("secret", "utf-8")
            await watched.until(is_good(watched, 1.0))

    watch(driver, scenario)
