"""What a page knows around its alarms: what the point is, and whether anybody can say that an alarm is still so."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from aggregator.alarms.service import AlarmView
from aggregator.live.agents import AgentView
from aggregator.pages.alarm_rows import Filter, Listing, row
from aggregator.pages.surroundings import NOTHING, Gateway, PointFacts, Surroundings, surroundings
from aggregator.pages.texts import Language, texts
from contract.clock import NS_PER_S

NOW_NS = 1_790_000_000 * NS_PER_S
EN = texts(Language.EN)
ALARM = AlarmView(
    organisation="acme", tag="AT-1", kind="high", org="acme/tank", instance="i", letter="B", active=True, level=1,
    level_highest=1, level_max=1, acknowledged=False, latched=True, shelved_until_ns=None, suppressed=False,
    out_of_service=False, service_until_ns=None, hold={}, priority=2, condition_class="safety", is_gas=True,
    is_toxic=True, sounding=True, value=7, unit="mg/m3", setpoint=1.25, quality=0, raised_ns=NOW_NS,
    received_ns=NOW_NS, changed_ns=NOW_NS, revision=1, activations=1, late=False, agent="gate", comment=None,
    acknowledged_by=None, acknowledged_ns=None, allowed=(),
)  # fmt: skip
AGENT = AgentView(
    name="gate", admitted=True, connected=True, heard_ns=NOW_NS, heard_age_s=0.0, software="1", epoch="e", epochs=1,
    catalogue_version=1, points=3, orgs=("acme/tank",), lanes={}, last_chunk_ns=None, gaps=0, devices=(),
)  # fmt: skip

agents = st.lists(
    st.builds(
        lambda name, admitted, connected, points: replace(
            AGENT, name=f"g{name}", admitted=admitted, connected=connected, points=points
        ),
        st.integers(0, 20), st.booleans(), st.booleans(), st.integers(0, 2),
    ),
    max_size=12, unique_by=lambda agent: agent.name,
)  # fmt: skip


def of(*found: AgentView) -> Surroundings:
    return surroundings((), found, ())


@given(agents)
def test_gateways_with_points_that_are_away_are_counted_and_named(found):
    counted = [agent for agent in found if agent.admitted and agent.points]
    away = sorted(agent.name for agent in counted if not agent.connected)
    said = of(*found).gateways_away(EN)
    assert (said == "") == (not away)
    if away:
        assert said.startswith(f"{len(away)} gateway")
        assert f"of {len(counted)} away: {', '.join(away[:3])}" in said
        assert said.endswith(f" +{len(away) - 3}") == (len(away) > 3)


def test_one_of_two_is_said_in_the_singular():
    other = replace(AGENT, name="chlorine-store", connected=False)
    assert of(AGENT, other).gateways_away(EN) == "1 gateway of 2 away: chlorine-store"


def test_what_moves_all_the_time_is_no_change():
    later = replace(AGENT, heard_ns=NOW_NS + NS_PER_S, heard_age_s=1.0, lanes={"events": 7}, last_chunk_ns=NOW_NS)
    assert of(AGENT) == of(later)
    assert of(AGENT) != of(replace(AGENT, connected=False))


def test_an_alarm_of_a_gateway_that_is_away_is_not_confirmed_and_since_when():
    away = of(replace(AGENT, connected=False, heard_ns=NOW_NS - 90 * NS_PER_S))
    assert not away.is_confirmed(ALARM)
    assert away.silent_s(ALARM, NOW_NS) == 90
    shown = row(EN, ALARM, NOW_NS, away)
    assert (shown["state"], shown["unconfirmed"]) == ("unacknowledged, not confirmed", True)
    shown = row(EN, ALARM, NOW_NS, of(AGENT))
    assert (shown["state"], shown["unconfirmed"]) == ("unacknowledged", False)


def test_of_one_that_was_never_heard_no_age_is_made_up():
    never = of(replace(AGENT, connected=False, heard_ns=None))
    assert not never.is_confirmed(ALARM)
    assert never.silent_s(ALARM, NOW_NS) is None


def test_a_row_under_the_readers_eyes_becomes_doubtful_in_its_place():
    listing = Listing(EN, Filter())
    listing.update([ALARM], NOW_NS, reading=False, around=of(AGENT))
    changed = listing.update([ALARM], NOW_NS, reading=True, around=of(replace(AGENT, connected=False))).update
    assert [(each["unconfirmed"], each["gone"]) for each in changed] == [(True, False)]
    ended = listing.update([], NOW_NS, reading=True, around=of(replace(AGENT, connected=False))).update
    assert [(each["unconfirmed"], each["gone"]) for each in ended] == [(False, True)]


def test_a_row_says_what_the_point_is_with_the_digits_that_its_device_can_tell():
    points = {("acme", "AT-1"): PointFacts("Chlorine at the pump", "mg/m3", 0.5)}
    shown = row(EN, ALARM, NOW_NS, Surroundings(points, {"gate": Gateway(True, True, None)}))
    assert (shown["description"], shown["value"], shown["setpoint"]) == (
        "Chlorine at the pump",
        "7.0 mg/m³",
        "1.2 mg/m³",
    )
    unknown = row(EN, ALARM, NOW_NS, NOTHING)
    assert (unknown["description"], unknown["value"], unknown["setpoint"]) == ("", "7.00 mg/m³", "1.25 mg/m³")


def test_an_alarm_is_found_by_what_its_point_is():
    around = Surroundings({("acme", "AT-1"): PointFacts("Chlorine at the pump", "mg/m3", 0.5)})
    listing = Listing(EN, Filter(find="the PUMP"))
    assert len(listing.update([ALARM], NOW_NS, reading=False, around=around).add) == 1
    assert listing.update([ALARM], NOW_NS, reading=False).add == []
