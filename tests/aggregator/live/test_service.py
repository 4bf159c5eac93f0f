"""A value is good only while device, agent and ingest all live; each person sees his own points."""

from __future__ import annotations

import math

import pytest

from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.live.service import Doubt, PointService
from aggregator.people.rights import Caller
from aggregator.plant.points import PointBook
from contract.clock import NS_PER_S
from contract.points import Limits, PointRole, PointSpec, PointType

PLC = PointSpec(1, "plc", "acme", "plc", PointRole.DEVICE, PointType.BIT, unit="state")
GAS = PointSpec(
    2, "AT-1", "acme/tank", "plc", scale=0.01, unit="mg/m3", range_low=0, range_high=3, limits=Limits(h=1.0, hh=2.0)
)
FLOW = PointSpec(3, "FT-1", "acme/loading", "plc", type=PointType.FLOAT32, unit="kg/h")


@pytest.fixture
def points(park, people) -> PointService:
    return PointService(park.folder, people, park.clock, PointBook())


@pytest.fixture
def station(agent):
    agent.declare(PLC, GAS, FLOW)
    agent.show({1: (1.0, 0), 2: (0.05, 0), 3: (math.nan, 0x81)})
    return agent


def test_a_confirmed_value_is_shown_with_all_that_belongs_to_it(station, points, sign_in):
    gas = points.one(sign_in(), "acme", "AT-1")
    assert (gas.value, gas.unit, gas.agent, gas.doubt, gas.is_believed) == (0.05, "mg/m3", "gate", None, True)
    assert (gas.limits.h, gas.limits.hh, gas.limits.l, gas.range_high, gas.resolution) == (1.0, 2.0, None, 3, 0.01)
    assert gas.age_s == 0


def test_a_bad_value_has_no_number_and_devices_are_no_points(station, points, sign_in):
    found = {each.tag: each for each in points.points(sign_in())}
    assert list(found) == ["FT-1", "AT-1"]  # by organisation path, then tag
    assert (found["FT-1"].value, found["FT-1"].resolution, found["FT-1"].is_believed) == (None, None, False)


def test_age_counts_from_the_last_confirmed_scan_and_an_overdue_value_is_not_believed(station, points, sign_in):
    caller = sign_in()
    station.show({2: (0.05, 0)}, scanned_s_ago=4)
    assert points.one(caller, "acme", "AT-1").age_s == 4
    assert points.one(caller, "acme", "AT-1").doubt is None
    station.show({2: (0.05, 0)}, scanned_s_ago=6)
    gas = points.one(caller, "acme", "AT-1")
    assert (gas.doubt, gas.is_believed, gas.value) == (Doubt.OVERDUE, False, 0.05)


def test_an_ingest_that_is_silent_makes_every_value_doubtful(station, points, park, sign_in):
    caller = sign_in()
    park.clock.tick(6 * NS_PER_S)
    assert {each.doubt for each in points.points(caller)} == {Doubt.INGEST_SILENT}


def test_an_agent_that_is_away_makes_its_values_doubtful(station, points, park, sign_in):
    caller = sign_in()
    for _ in range(8):
        park.clock.tick(2 * NS_PER_S)
        park.receiver.turn()
    park.board.flush()
    assert {each.doubt for each in points.points(caller)} == {Doubt.AGENT_AWAY}


def test_what_never_came_is_not_zero(agent, points, sign_in):
    agent.declare(PLC, GAS)
    agent.show({}, device=9)
    gas = points.one(sign_in(), "acme", "AT-1")
    assert (gas.value, gas.doubt, gas.age_s) == (None, Doubt.NEVER, None)


def test_before_ingest_made_its_board_points_are_there_without_values(station, points, park, sign_in):
    caller = sign_in()
    park.close()
    park.folder.live_database.unlink()
    assert {each.doubt for each in points.points(caller)} == {Doubt.INGEST_SILENT}
    park.open()


def test_a_person_sees_the_points_of_his_scope_only(station, points, sign_in):
    tank = sign_in("li", scope="acme/tank")
    assert [each.tag for each in points.points(tank)] == ["AT-1"]
    with pytest.raises(RefusedError) as refused:
        points.one(tank, "acme", "FT-1")
    assert refused.value.code is RefusalCode.UNKNOWN
    assert points.points(sign_in("zhou", scope="acme/tan")) == []


@pytest.mark.parametrize("ask", [lambda p, c: p.points(c), lambda p, c: p.one(c, "acme", "AT-1")])
def test_nobody_without_a_session_sees_anything(station, points, ask):
    with pytest.raises(RefusedError) as refused:
        ask(points, Caller("made up", "tests"))
    assert refused.value.code is RefusalCode.NOT_SIGNED_IN


def test_of_two_agents_that_claim_a_point_the_newer_is_shown_and_the_other_named(station, points, make_agent, sign_in):
    station.park.clock.tick(1)
    other = make_agent("spare")
    other.welcome()
    other.declare(PLC, GAS)
    other.show({2: (0.07, 0)})
    gas = points.one(sign_in(), "acme", "AT-1")
    assert (gas.agent, gas.value, gas.rivals) == ("spare", 0.07, ("gate",))


def test_a_new_version_of_the_list_replaces_the_old_one(station, points, sign_in):
    caller = sign_in()
    assert len(points.points(caller)) == 2
    station.catalogue = 2
    station.declare(PLC, GAS)
    assert [each.tag for each in points.points(caller)] == ["AT-1"]
