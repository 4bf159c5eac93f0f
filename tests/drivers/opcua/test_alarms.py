"""Alarms that a real server judges, as points: raised, refreshed, lost and found again."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import pytest

import drivers
from contract.points import Limits, PointType
from contract.quality import Quality
from drivers.opcua import alarms
from drivers.opcua.connection import CONDITION_REFRESH, CONDITION_TYPE

DEVICE = 1
GOOD = Quality.GOOD
COMM = Quality.BAD_COMM_FAILURE
URI = "urn:park:reactor"
NODES = (("TT", "Double", 1.0), ("PT", "Double", 2.0))
FLAGS = Quality.UNCERTAIN_MAINTENANCE


@pytest.fixture
def new_alarm(new_point):
    def make(id_, what, **more):
        numbers = {"limits": Limits(h=1, hh=2), **more}
        return new_point(id_, f"alarm(nsu={URI};s={what})", PointType.UINT16, **numbers)

    return make


def shows(watched, **expected):
    """``T2=1``: the latest of point 2 is 1 and GOOD."""
    wanted = {int(tag[1:]): (float(level), GOOD) for tag, level in expected.items()}
    return lambda: wanted.items() <= watched.latest().items()


def test_each_level_of_the_server_is_a_value_of_its_point_with_the_servers_time(
    new_server, new_driver, new_alarm, new_point, watch
):
    server = new_server(*NODES)
    driver = new_driver(server, new_alarm(2, "TT"), new_alarm(3, "TT;Rate"), new_alarm(4, "PT"), new_point(5, "TT"))

    async def scenario(watched):
        await watched.until(shows(watched, T2=0, T3=0, T4=0, T5=1))
        raised_ms = time.time_ns() // 1_000_000 - 777
        server.tell("alarm", "TT", "Level", True, {"limit": "High", "ms": raised_ms})
        await watched.until(shows(watched, T2=1, T3=0, T4=0))
        assert next(row for row in watched.of(2) if row[1] == 1)[4] == raised_ms * 1_000_000
        server.tell("alarm", "TT", "Level", True, {"limit": "HighHigh"})
        await watched.until(shows(watched, T2=2, T3=0, T4=0))
        server.tell("alarm", "TT", "Rate", True, {"limit": "Low", "severity": 999})
        await watched.until(shows(watched, T2=2, T3=1, T4=0))
        server.tell("alarm", "TT", "Level", False)
        await watched.until(shows(watched, T2=1, T3=1, T4=0))
        server.tell("alarm", "PT", "Trip", True, {"severity": 800})
        await watched.until(shows(watched, T2=1, T3=1, T4=2))
        server.tell("alarm", "PT", "Trip", True, {"type": "NonExclusive", "outer": ""})
        await watched.until(shows(watched, T4=1))
        server.tell("alarm", "PT", "Trip", True, {"type": "NonExclusive", "outer": "LowLow"})
        await watched.until(shows(watched, T4=2))
        assert server.tell("refreshes") == 1
        assert driver.health().refused == ()

    watch(driver, scenario)


def test_what_stands_before_a_connect_and_what_ended_during_an_outage_are_known_after_it(
    new_server, new_driver, new_alarm, watch
):
    server = new_server(*NODES)
    server.tell("alarm", "TT", "Level", True, {"limit": "HighHigh"})
    driver = new_driver(server, new_alarm(2, "TT"), new_alarm(3, "PT"))

    async def scenario(watched):
        await watched.until(shows(watched, T2=2, T3=0))
        assert {row[1] for row in watched.of(2) if row[2] == GOOD} == {2.0}
        server.kill()
        await watched.until(lambda: watched.latest()[2][1] == COMM)
        await asyncio.to_thread(server.start)
        server.tell("alarm", "PT", "Level", True, {"limit": "Low"})
        await watched.until(shows(watched, T2=0, T3=1))
        lost = next(k for k, row in enumerate(watched.of(2)) if row[2] == COMM and k > 2)
        assert {row[1] for row in watched.of(2)[lost:] if row[2] == GOOD} == {0.0}

    watch(driver, scenario)


def test_rows_of_an_alarm_go_on_while_nothing_happens(new_server, new_driver, new_alarm, watch):
    server = new_server(*NODES)
    driver = new_driver(server, new_alarm(2, "TT"))

    async def scenario(watched):
        server.tell("alarm", "TT", "Level", True, {"limit": "High"})
        await watched.until(shows(watched, T2=1))
        count = len(watched.of(2))
        await watched.until(lambda: len(watched.of(2)) >= count + 5)
        assert {row[1] for row in watched.of(2)[count:]} == {1.0}
        assert driver.health().failures == 0

    watch(driver, scenario)


def test_an_alarm_that_is_disabled_at_the_server_is_never_normal(new_server, new_driver, new_alarm, watch):
    server = new_server(*NODES)
    driver = new_driver(server, new_alarm(2, "TT"))

    async def scenario(watched):
        await watched.until(shows(watched, T2=0))
        server.tell("alarm", "TT", "Level", False, {"enabled": False})
        await watched.until(lambda: watched.latest()[2] == (0.0, FLAGS))
        server.tell("alarm", "TT", "Level", True, {"limit": "High"})
        await watched.until(shows(watched, T2=1))

    watch(driver, scenario)


def test_a_former_state_that_waits_for_somebody_at_the_server_is_not_the_present(
    new_server, new_driver, new_alarm, watch
):
    server = new_server(*NODES)
    driver = new_driver(server, new_alarm(2, "TT"), new_alarm(3, "PT"))

    async def scenario(watched):
        await watched.until(shows(watched, T2=0, T3=0))
        server.tell("alarm", "TT", "Level", True, {"limit": "HighHigh"})
        await watched.until(shows(watched, T2=2))
        server.tell("alarm", "TT", "Level", False)
        server.tell("alarm", "TT", "Level", True, {"limit": "HighHigh", "branch": 4711})
        server.tell("alarm", "PT", "Level", True, {"limit": "High"})
        await watched.until(shows(watched, T2=0, T3=1))

    watch(driver, scenario)


@pytest.mark.parametrize("event", ["RefreshRequiredEvent", "EventQueueOverflowEvent"])
def test_where_something_got_lost_all_is_asked_for_again(new_server, new_driver, new_alarm, watch, event):
    server = new_server(*NODES)
    server.tell("alarm", "TT", "Level", True, {"limit": "High"})
    driver = new_driver(server, new_alarm(2, "TT"))

    async def scenario(watched):
        await watched.until(shows(watched, T2=1))
        count = len(watched.of(2))
        server.tell("event", event)
        await watched.until(lambda: COMM in {row[2] for row in watched.of(2)[count:]})
        await watched.until(shows(watched, T2=1))
        assert server.tell("refreshes") == 2
        assert driver.health().failures == 0

    watch(driver, scenario)


def test_a_refresh_that_never_ends_costs_the_alarms_and_no_value_and_is_asked_for_again(
    new_server, new_driver, new_alarm, new_point, watch, monkeypatch
):
    monkeypatch.setattr(alarms, "REFRESH_S", 0.4)
    monkeypatch.setattr("drivers.opcua.session.RETRY_S", 1.0)
    server = new_server(*NODES, forgets=True)
    driver = new_driver(server, new_alarm(2, "TT"), new_point(3, "TT"))

    async def scenario(watched):
        await watched.until(shows(watched, T3=1))
        await watched.until(lambda: "T2: BadTimeout" in driver.health().refused)
        assert {row[2] for row in watched.of(2)} == {COMM}
        server.tell("write", "TT", "Double", 5.0)
        await watched.until(shows(watched, T3=5))
        assert server.tell("refreshes") == 1  # not at once, but in its turn
        server.tell("remember")
        server.tell("alarm", "TT", "Level", True, {"limit": "High"})
        await watched.until(shows(watched, T2=1))
        assert driver.health().refused == ()
        assert server.tell("refreshes") == 2
        assert {row[2] for row in watched.of(1) + watched.of(3)} == {GOOD}
        assert driver.health().failures == 0

    watch(driver, scenario)


def test_a_refresh_that_ends_after_it_was_given_up_counts(new_server, new_driver, new_alarm, watch, monkeypatch):
    monkeypatch.setattr(alarms, "REFRESH_S", 0.4)
    server = new_server(*NODES, forgets=True)
    server.tell("alarm", "TT", "Level", True, {"limit": "High"})
    driver = new_driver(server, new_alarm(2, "TT"))

    async def scenario(watched):
        await watched.until(lambda: "T2: BadTimeout" in driver.health().refused)
        server.tell("event", "RefreshEndEvent")
        await watched.until(shows(watched, T2=1))
        assert driver.health().refused == ()
        assert server.tell("refreshes") == 1

    watch(driver, scenario)


def test_alarms_that_were_told_are_not_believed_while_a_refresh_does_not_end(
    new_server, new_driver, new_alarm, watch, monkeypatch
):
    monkeypatch.setattr(alarms, "REFRESH_S", 0.4)
    monkeypatch.setattr("drivers.opcua.session.RETRY_S", 0.3)
    server = new_server(*NODES)
    driver = new_driver(server, new_alarm(2, "TT"), new_alarm(3, "late"))

    async def scenario(watched):
        server.tell("alarm", "TT", "Level", True, {"limit": "High"})
        await watched.until(shows(watched, T2=1))
        server.tell("forget")
        server.tell("add", "late", "Double", 0.0)  # a source more: all are asked for anew
        await watched.until(lambda: watched.latest()[2][1] == COMM)
        await watched.until(lambda: "T2: BadTimeout" in driver.health().refused)
        assert watched.latest()[2][1] == COMM

    watch(driver, scenario)


def test_an_alarm_whose_source_the_server_lacks_is_bad_and_the_others_are_not(
    new_server, new_driver, new_alarm, new_point, watch, monkeypatch
):
    monkeypatch.setattr("drivers.opcua.session.RETRY_S", 0.3)
    server = new_server(*NODES)
    moved = new_point(4, "alarm(nsu=urn:elsewhere;s=TT)", PointType.UINT16, limits=Limits(h=1, hh=2))
    driver = new_driver(server, new_alarm(2, "TT"), new_alarm(3, "late"), moved)

    async def scenario(watched):
        await watched.until(shows(watched, T2=0))
        assert {row[2] for row in watched.of(3) + watched.of(4)} == {Quality.BAD_CONFIG}
        assert "T3: BadNodeIdUnknown" in driver.health().refused
        server.tell("alarm", "TT", "Level", True, {"limit": "High"})
        await watched.until(shows(watched, T2=1))
        server.tell("add", "late", "Double", 0.0)
        server.tell("alarm", "late", "Level", True, {"limit": "LowLow"})
        await watched.until(shows(watched, T2=1, T3=2))
        assert driver.health().failures == 0

    watch(driver, scenario)


def test_a_server_without_events_has_bad_alarms_and_good_values(new_server, new_driver, new_alarm, new_point, watch):
    server = new_server(*NODES, subscriptions=0)
    driver = new_driver(server, new_alarm(2, "TT"), new_point(3, "TT"))

    async def scenario(watched):
        await watched.until(shows(watched, T3=1))
        assert watched.of(2)
        assert {row[2] for row in watched.of(2)} <= {Quality.BAD, Quality.BAD_CONFIG}
        assert any(each.startswith("T2: BadTooManySubscriptions") for each in driver.health().refused)

    watch(driver, scenario)


def test_alarms_leave_the_only_subscription_to_nobody(new_server, new_driver, new_alarm, new_point, watch):
    server = new_server(*NODES, subscriptions=1)
    driver = new_driver(server, new_alarm(2, "TT"), new_point(3, "TT"))

    async def scenario(watched):
        await watched.until(shows(watched, T2=0, T3=1))
        server.tell("alarm", "TT", "Level", True, {"limit": "High"})
        server.tell("write", "TT", "Double", 5.0)
        await watched.until(shows(watched, T2=1, T3=5))

    watch(driver, scenario)


def test_check_refuses_what_would_judge_once_more(new_driver, new_alarm, new_point):
    class NoServer:
        endpoint = "opc.tcp://plc:4840/park"

    def columns(point, **settings):
        return [fault.column for fault in new_driver(NoServer, point, **settings).check()]

    assert columns(new_alarm(2, "TT;Level")) == []
    assert columns(new_alarm(2, "TT"), mode="poll") == ["mode"]
    assert columns(new_alarm(2, "TT", limits=Limits(h=1))) == ["hh"]
    judged = Limits(l=0, h=2, hh=3, deadband=0.5, on_delay_s=1, on_delay_2_s=1, off_delay_s=1)
    assert columns(new_alarm(2, "TT", limits=judged, scale=2.0, offset=1.0)) == [
        "h", "scale", "offset", "deadband", "on_delay_s", "on_delay_2_s", "off_delay_s", "l",
    ]  # fmt: skip
    plain = new_point(2, f"alarm(nsu={URI};s=TT)", PointType.BIT, limits=Limits(h=1, hh=2))
    assert columns(plain) == ["type"]


def test_the_plan_counts_alarms_apart(new_driver, new_alarm, new_point):
    class NoServer:
        endpoint = "opc.tcp://plc:4840/park"

    driver = new_driver(NoServer, new_alarm(2, "TT", poll_s=1.0), new_point(3, "TT", poll_s=1.0))
    assert [line[1:4] for line in driver.plan_report()] == [
        ("plc", "published every 50 ms, a sign of life every 500 ms", 1),
        ("plc", "the server's alarms, told every 50 ms, a sign of life every 500 ms", 1),
    ]


def test_no_other_call_than_that_of_a_refresh_is_written_anywhere():
    """Of a library that could write and call. Its ids stand in one place, beside the one request."""
    sources = {path: path.read_text("utf-8") for path in Path(drivers.__path__[0]).rglob("opcua/*.py")}
    (caller,) = [path.name for path, text in sources.items() if re.search(r"CallMethodRequest|\.call\(", text)]
    assert caller == "connection.py"
    text = next(text for path, text in sources.items() if path.name == "connection.py")
    assert len(re.findall(r"CallMethodRequest", text)) == len(re.findall(r"\.call\(", text)) == 1
    assert "ObjectId=node_id(CONDITION_TYPE),\n            MethodId=node_id(CONDITION_REFRESH)," in text
    assert (CONDITION_TYPE, CONDITION_REFRESH) == (2782, 3875)
    forbidden = (
        r"call_method|CallRequest|WriteRequest|WriteValue|write_(value|attribute)|HistoryUpdate|(Add|Delete)Nodes"
    )
    assert [path.name for path, text in sources.items() if re.search(forbidden, text)] == []
