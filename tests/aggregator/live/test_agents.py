"""Agents and devices as facts: connected, heard, scanned; each person sees those that read his points."""

from __future__ import annotations

import pytest

from aggregator.live.agents import AgentService
from aggregator.plant.points import PointBook
from contract.clock import NS_PER_S
from contract.points import PointRole, PointSpec, PointType

PLC = PointSpec(1, "plc", "acme", "plc", PointRole.DEVICE, PointType.BIT, unit="state")
GAS = PointSpec(2, "AT-1", "acme/tank", "plc")


@pytest.fixture
def agents(park, people) -> AgentService:
    return AgentService(park.folder, people, park.clock, PointBook())


def test_an_agent_shows_its_session_its_points_and_when_its_device_answered(agent, agents, make_agent, sign_in):
    make_agent("pump")
    agent.declare(PLC, GAS)
    agent.show({2: (0.05, 0)}, scanned_s_ago=2)
    found = agents.stations(sign_in())
    gate, pump = found.agents
    assert (found.ingest_alive, gate.name, gate.connected, gate.points, gate.orgs) == (
        True,
        "gate",
        True,
        1,
        ("acme/tank",),
    )
    assert (gate.software, gate.catalogue_version, gate.epochs) == ("tests", 1, 1)
    assert [(each.name, each.points, each.age_s, each.answers) for each in gate.devices] == [("plc", 1, 2, True)]
    assert (pump.name, pump.connected, pump.heard_ns, pump.devices) == ("pump", False, None, ())


def test_a_device_that_was_not_scanned_in_time_does_not_answer(agent, agents, sign_in):
    agent.declare(PLC, GAS)
    agent.show({}, scanned_s_ago=60)
    assert agents.stations(sign_in()).agents[0].devices[0].answers is False


def test_nothing_answers_behind_an_ingest_that_is_silent(agent, agents, park, sign_in):
    agent.declare(PLC, GAS)
    agent.show({2: (1, 0)})
    caller = sign_in()
    park.clock.tick(10 * NS_PER_S)
    found = agents.stations(caller)
    assert (found.ingest_alive, found.ingest_age_s) == (False, 10)
    assert [(each.connected, each.devices[0].answers) for each in found.agents] == [(False, False)]


def test_lanes_and_declared_gaps_are_counted(agent, agents, sign_in):
    for level in (1, 2, 3):
        agent.turn(f"AT-{level}", 1)
    agent.acked(agent.batch(1, gaps=(agent.gap(2, 2),)))
    found = agents.stations(sign_in()).agents[0]
    assert (found.lanes["events"], found.gaps) == (3, 1)


def test_a_person_with_a_scope_sees_agents_that_read_his_points(agent, agents, make_agent, sign_in):
    make_agent("pump")
    agent.declare(PLC, GAS)
    assert [each.name for each in agents.stations(sign_in("li", scope="acme/tank")).agents] == ["gate"]
    assert agents.stations(sign_in("wu", scope="other")).agents == ()
