"""The OPC UA driver against a server made of node-opcua."""

from __future__ import annotations

import asyncio
import json
import math
import time

import pytest

from contract.points import PointType
from contract.quality import Quality
from drivers.base import DeviceState

DEVICE = 1
GOOD = Quality.GOOD
COMM = Quality.BAD_COMM_FAILURE
PLANT = "urn:plant:reactor"
UTILITIES = "urn:plant:utilities"
READS_AND_SUBSCRIPTIONS = {
    "CreateSessionRequest", "ActivateSessionRequest", "CloseSessionRequest", "GetEndpointsRequest", "ReadRequest",
    "CreateSubscriptionRequest", "ModifySubscriptionRequest", "SetPublishingModeRequest", "DeleteSubscriptionsRequest",
    "CreateMonitoredItemsRequest", "ModifyMonitoredItemsRequest", "SetMonitoringModeRequest",
    "DeleteMonitoredItemsRequest", "PublishRequest", "RepublishRequest", "BrowseRequest", "BrowseNextRequest",
    "TranslateBrowsePathsToNodeIdsRequest", "RegisterNodesRequest", "UnregisterNodesRequest",
}  # fmt: skip


@pytest.fixture
def new_server(new_node_program, node_home):
    """Makes a server whose ``config`` holds more than folder and namespaces."""

    def make(**config):
        return new_node_program("node_opcua_server.js", written(node_home, **config))

    return make


def written(node_home, namespaces=(PLANT, UTILITIES), **config):
    return json.dumps({"pki": str(node_home / "pki"), "namespaces": namespaces, **config})


@pytest.fixture(scope="module")
def shared_server(node_program, node_home):
    shared = node_program("node_opcua_server.js", written(node_home))
    yield shared
    shared.end()


@pytest.fixture
def server(shared_server):
    """One for all tests that add nodes of their own; nobody is signed in."""
    shared_server.tell("allow", {})
    shared_server.tell("drop_sessions")
    return shared_server


@pytest.fixture
def new_driver(new_setup, new_drivers):
    def make(server, *points, **settings):
        keys = {"endpoint": server.endpoint, "publish_ms": 100, "timeout_s": 5.0, "reconnect_max_s": 0.3} | settings
        return new_drivers("opcua", new_setup("opcua", keys, *points))

    return make


@pytest.fixture
def new_node(new_point):
    """The point ``id`` of the node ``name``."""

    def make(id_, name, type_=PointType.FLOAT64, uri=PLANT, **more):
        return new_point(id_, f"nsu={uri};s={name}", type_, **{"poll_s": 0.1, **more})

    return make


def is_good(watched, value):
    return lambda: watched.latest().get(2) == (value, GOOD)


def test_nodes_of_two_namespaces_and_every_type(server, new_driver, new_node, watch):
    kinds = (
        ("Double", -1.0e-200, PointType.FLOAT64),
        ("Float", 0.5, PointType.FLOAT32),
        ("Int16", -12_345, PointType.INT16),
        ("UInt16", 0xBEEF, PointType.UINT16),
        ("Int32", -1_234_567_890, PointType.INT32),
        ("UInt32", 0xDEADBEEF, PointType.UINT32),
        ("Boolean", True, PointType.BIT),
    )
    points, expected = [], {DEVICE: (1.0, GOOD)}
    for k, (type_, value, point_type) in enumerate(kinds):
        for offset, uri in ((10, PLANT), (30, UTILITIES)):
            server.tell("add", uri, type_, type_, value)
            points.append(new_node(offset + k, type_, point_type, uri))
            expected[offset + k] = (float(value), GOOD)
    server.tell("write", UTILITIES, "Int16", "Int16", 77, "Good", None)
    expected[32] = (77.0, GOOD)

    async def scenario(watched):
        await watched.until(lambda: watched.latest() == expected)
        assert watched.of(15)[-1][3] == 0xDEADBEEF
        assert set(server.tell("services")) <= READS_AND_SUBSCRIPTIONS

    watch(new_driver(server, *points), scenario)


def test_a_status_and_a_source_time_are_kept_and_a_value_beside_a_bad_one_is_none(server, new_driver, new_node, watch):
    server.tell("add", PLANT, "gas", "Double", 18.0)

    async def scenario(watched):
        await watched.until(is_good(watched, 18.0))
        for status, value, quality in (
            ("BadSensorFailure", 19.0, Quality.BAD_SENSOR_FAILURE),
            ("BadDeviceFailure", 20.0, Quality.BAD_DEVICE_FAILURE),
            ("BadNoCommunication", 21.0, Quality.BAD_COMM_FAILURE),
        ):
            server.tell("write", PLANT, "gas", "Double", value, status, None)
            await watched.until(lambda quality=quality: watched.latest()[2][1] == quality)
            assert math.isnan(watched.latest()[2][0])
        server.tell("write", PLANT, "gas", "Double", 23.0, "UncertainSensorCalibration", None)
        await watched.until(lambda: watched.latest()[2] == (23.0, Quality.UNCERTAIN_CALIBRATION))
        source_ms = time.time_ns() // 1_000_000 - 1_234
        server.tell("write", PLANT, "gas", "Double", 24.0, "Good", source_ms)
        await watched.until(is_good(watched, 24.0))
        first = next(row for row in watched.of(2) if row[1] == 24.0)
        assert first[4] == source_ms * 1_000_000
        assert not {19.0, 20.0, 21.0} & {row[1] for row in watched.rows}

    watch(new_driver(server, new_node(2, "gas")), scenario)


def test_every_step_between_two_reports_arrives_with_its_own_time(server, new_driver, new_node, watch):
    server.tell("add", PLANT, "level", "Double", 0.0)

    async def scenario(watched):
        await watched.until(is_good(watched, 0.0))
        server.tell("climb", PLANT, "level", 12, 300)  # a busy machine delays the server's looks at it
        await watched.until(is_good(watched, 12.0))
        steps = [(value, ms * 1_000_000) for value, ms in server.tell("climbed", "level")]
        moments = {time_ns for _, time_ns in steps}
        assert [(row[1], row[4]) for row in watched.of(2) if row[4] in moments] == steps

    watch(new_driver(server, new_node(2, "level"), publish_ms=1500, sampling_ms=20), scenario)


def test_a_killed_server_is_bad_until_it_is_back_and_under_other_indexes_each_point_is_its_own_node(
    new_server, new_driver, new_node, watch, node_home
):
    """Both namespaces have a node of that name, and change places."""

    def nodes(plant, utilities):
        return [(PLANT, "gas", "Double", plant), (UTILITIES, "gas", "Double", utilities)]

    server = new_server(nodes=nodes(1.0, 2.0))

    async def scenario(watched):
        await watched.until(lambda: watched.latest().get(2) == (1.0, GOOD) and watched.latest().get(3) == (2.0, GOOD))
        server.kill()
        await watched.until(lambda: watched.latest()[2][1] == COMM)
        lost = len(watched.rows)
        await watched.more(2, 5)
        assert {row[2] for row in watched.rows[lost:]} == {COMM}
        assert watched.healths()["plc"].state is DeviceState.SILENT
        moved = written(node_home, ["urn:new", UTILITIES, PLANT], nodes=nodes(3.0, 4.0))
        await asyncio.to_thread(server.start, moved)
        await watched.until(lambda: watched.latest()[2] == (3.0, GOOD) and watched.latest()[3] == (4.0, GOOD))
        server.tell("write", PLANT, "gas", "Double", 5.0, "Good", None)
        server.tell("write", UTILITIES, "gas", "Double", 6.0, "Good", None)
        await watched.until(lambda: watched.latest()[2] == (5.0, GOOD) and watched.latest()[3] == (6.0, GOOD))
        assert {row[1] for row in watched.of(2) if row[2] == GOOD} == {1.0, 3.0, 5.0}
        assert {row[1] for row in watched.of(3) if row[2] == GOOD} == {2.0, 4.0, 6.0}
        assert server.tell("counts")["sessions"] == 1

    watch(new_driver(server, new_node(2, "gas"), new_node(3, "gas", uri=UTILITIES)), scenario)


def all_follow(server, names):
    """A scenario: each node's value comes, and the next one after it. Points are numbered from 2 on."""

    async def scenario(watched):
        expected = {DEVICE: (1.0, GOOD)} | {2 + k: (float(k), GOOD) for k in range(len(names))}
        await watched.until(lambda: watched.latest() == expected)
        for k, name in enumerate(names):
            server.tell("write", PLANT, name, "Double", 100.0 + k, "Good", None)
        await watched.until(lambda: all(watched.latest()[2 + k] == (100.0 + k, GOOD) for k in range(len(names))))

    return scenario


def added(server, prefix, count):
    names = [f"{prefix}{k}" for k in range(count)]
    for k, name in enumerate(names):
        server.tell("add", PLANT, name, "Double", float(k))
    return names


def test_no_call_and_no_subscription_is_longer_than_the_server_allows(new_server, new_driver, new_node, watch):
    server = new_server(limits={"maxNodesPerRead": 5, "maxMonitoredItemsPerCall": 4}, items_max=7)
    names = added(server, "limited", 23)
    follow = all_follow(server, names)

    async def scenario(watched):
        await follow(watched)
        largest = server.tell("largest")
        assert largest["read"] <= 5
        assert largest["monitor"] <= 4
        assert server.tell("counts") == {"sessions": 1, "subscriptions": 4, "items": 23}

    watch(new_driver(server, *(new_node(2 + k, name) for k, name in enumerate(names))), scenario)


def test_what_a_server_has_no_room_to_monitor_is_read(server, new_driver, new_node, watch):
    names = added(server, "crowded", 23)
    server.tell("allow", {"maxMonitoredItems": 10})
    follow = all_follow(server, names)

    async def scenario(watched):
        await follow(watched)
        assert server.tell("counts")["items"] == 10
        assert "BadTooManyMonitoredItems" in " ".join(watched.healths()["plc"].refused)

    watch(new_driver(server, *(new_node(2 + k, name) for k, name in enumerate(names))), scenario)


def test_a_server_that_takes_no_subscription_is_read(server, new_driver, new_node, watch):
    names = added(server, "read", 5)
    server.tell("allow", {"maxSubscriptions": 0})
    follow = all_follow(server, names)

    async def scenario(watched):
        await follow(watched)
        assert server.tell("counts") == {"sessions": 1, "subscriptions": 0, "items": 0}

    watch(new_driver(server, *(new_node(2 + k, name) for k, name in enumerate(names))), scenario)


def test_a_server_that_is_polled_is_as_honest_as_one_that_reports(server, new_driver, new_node, watch):
    names = added(server, "polled", 5)
    follow = all_follow(server, names)

    async def scenario(watched):
        await follow(watched)
        server.tell("write", PLANT, "polled0", "Double", 19.0, "BadSensorFailure", None)
        await watched.until(lambda: watched.latest()[2][1] == Quality.BAD_SENSOR_FAILURE)
        source_ms = time.time_ns() // 1_000_000 - 1_234
        server.tell("write", PLANT, "polled0", "Double", 20.0, "Good", source_ms)
        await watched.until(lambda: watched.latest()[2] == (20.0, GOOD))
        assert next(row for row in watched.of(2) if row[1] == 20.0)[4] == source_ms * 1_000_000
        assert 19.0 not in {row[1] for row in watched.of(2)}
        assert server.tell("counts") == {"sessions": 1, "subscriptions": 0, "items": 0}

    watch(new_driver(server, *(new_node(2 + k, name) for k, name in enumerate(names)), mode="poll"), scenario)


def test_a_server_that_lets_nobody_in_is_bad_until_it_does(server, new_driver, new_node, watch):
    server.tell("add", PLANT, "late", "Double", 1.0)
    server.tell("allow", {"maxSessions": 0})

    async def scenario(watched):
        await watched.until(lambda: watched.latest().get(2, (0, 0))[1] == COMM)
        await watched.more(2, 5)
        assert {row[2] for row in watched.rows} == {COMM}
        assert "BadTooManySessions" in watched.healths()["plc"].last_failure
        server.tell("allow", {"maxSessions": 1})
        await watched.until(is_good(watched, 1.0))
        assert server.tell("counts")["sessions"] == 1

    watch(new_driver(server, new_node(2, "late")), scenario)


def test_a_server_that_ends_the_session_finds_one_again_and_no_more(server, new_driver, new_node, watch):
    server.tell("add", PLANT, "flow", "Double", 1.0)

    async def scenario(watched):
        await watched.until(is_good(watched, 1.0))
        server.tell("drop_sessions")
        await watched.until(lambda: watched.latest()[2][1] == COMM)
        server.tell("write", PLANT, "flow", "Double", 2.0, "Good", None)
        await watched.until(is_good(watched, 2.0))
        assert server.tell("counts") == {"sessions": 1, "subscriptions": 1, "items": 1}

    watch(new_driver(server, new_node(2, "flow")), scenario)
