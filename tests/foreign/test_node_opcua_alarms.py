"""Alarms that a server made of node-opcua judges, as points of the OPC UA driver."""

from __future__ import annotations

import asyncio
import json

import pytest

from contract.points import Limits, PointType
from contract.quality import Quality, is_bad

GOOD = Quality.GOOD
COMM = Quality.BAD_COMM_FAILURE
PLANT = "urn:plant:reactor"
UTILITIES = "urn:plant:utilities"
NODES = [(PLANT, "gas", "Double", 50.0), (PLANT, "level", "Double", 50.0)]
UNSET = "Unset Condition Name"


def written(node_home, namespaces=(PLANT, UTILITIES), **more):
    return json.dumps({"pki": str(node_home / "pki"), "namespaces": namespaces, "nodes": NODES, **more})


def set_up(server):
    server.tell("alarm", PLANT, "gas", "Exclusive", "Gas")
    server.tell("alarm", PLANT, "level", "NonExclusive", "")


@pytest.fixture
def server(new_node_program, node_home):
    program = new_node_program("node_opcua_server.js", written(node_home))
    set_up(program)
    return program


@pytest.fixture
def drivers(server, new_setup, new_drivers, new_point):
    """Points: 2 and 3 are the alarms of gas, by any and by its name, 4 and 5 those of level, 6 is the gas itself."""

    def alarm(id_, what):
        address = f"alarm(nsu={PLANT};s={what})"
        return new_point(id_, address, PointType.UINT16, poll_s=0.1, limits=Limits(h=1, hh=2))

    places = [alarm(2, "gas"), alarm(3, "gas;Gas"), alarm(4, "level"), alarm(5, f"level;{UNSET}")]
    gas = new_point(6, f"nsu={PLANT};s=gas", PointType.FLOAT64, poll_s=0.1)
    keys = {"endpoint": server.endpoint, "publish_ms": 100, "timeout_s": 5.0, "reconnect_max_s": 0.3}
    return new_drivers("opcua", new_setup("opcua", keys, *places, gas))


def show(watched, gas, level):
    wanted = {2: (gas, GOOD), 3: (gas, GOOD), 4: (level, GOOD), 5: (level, GOOD)}
    return watched.until(lambda: wanted.items() <= watched.latest().items())


def put(server, name, value):
    server.tell("write", PLANT, name, "Double", value, "Good", None)


def test_levels_follow_the_servers_limits_there_and_back_though_nobody_acknowledges_there(server, drivers, watch):
    async def scenario(watched):
        await show(watched, 0, 0)
        for value, level in ((85.0, 1), (95.0, 2), (85.0, 1), (50.0, 0), (15.0, 1), (5.0, 2), (50.0, 0)):
            put(server, "gas", value)
            await show(watched, level, 0)
        for value, level in ((85.0, 1), (95.0, 2), (50.0, 0), (5.0, 2), (50.0, 0)):
            put(server, "level", value)
            await show(watched, 0, level)
        assert watched.latest()[6] == (50.0, GOOD)
        assert watched.healths()["plc"].failures == 0
        assert "CallRequest" in server.tell("services")

    watch(drivers, scenario)


def test_what_stands_at_a_connect_is_known_and_under_other_indexes_after_a_restart(server, drivers, watch, node_home):
    put(server, "gas", 95.0)

    async def scenario(watched):
        await show(watched, 2, 0)
        assert {row[1] for row in watched.of(2) if row[2] == GOOD} == {2.0}
        server.kill()
        await watched.until(lambda: {watched.latest()[point][1] for point in range(2, 7)} == {COMM})
        await asyncio.to_thread(server.start, written(node_home, ["urn:new", UTILITIES, PLANT]))
        set_up(server)
        await show(watched, 0, 0)
        put(server, "level", 5.0)
        await show(watched, 0, 2)

    watch(drivers, scenario)


def test_a_session_that_the_server_ended_knows_what_happened_meanwhile(server, drivers, watch):
    async def scenario(watched):
        put(server, "gas", 85.0)
        await show(watched, 1, 0)
        put(server, "gas", 50.0)
        put(server, "level", 95.0)
        server.tell("drop_sessions")
        await watched.until(lambda: COMM in {row[2] for row in watched.of(4)[-5:]})
        await show(watched, 0, 2)

    watch(drivers, scenario)


def test_a_server_that_refuses_to_tell_its_alarms_costs_no_value(server, drivers, watch, node_home):
    server.kill()
    server.start(written(node_home, refreshes=False))
    set_up(server)

    async def scenario(watched):
        await watched.until(lambda: watched.latest().get(6) == (50.0, GOOD))
        await watched.until(lambda: len(watched.healths()["plc"].refused) == 4)
        await watched.more(2, 5)
        told = [row[2] for row in watched.of(2)]
        assert (told[0], told[-1]) == (COMM, Quality.BAD), "not told yet, then refused"
        assert all(map(is_bad, told))
        assert watched.healths()["plc"].failures == 0

    watch(drivers, scenario)


def test_an_alarm_that_is_disabled_at_the_server_is_uncertain(server, drivers, watch):
    async def scenario(watched):
        await show(watched, 0, 0)
        server.tell("enable", PLANT, "gas", False)
        await watched.until(lambda: watched.latest()[2] == (0.0, Quality.UNCERTAIN_MAINTENANCE))
        server.tell("enable", PLANT, "gas", True)
        await show(watched, 0, 0)

    watch(drivers, scenario)
