"""Points, trends, agents and the map over HTTP: as the services say, and within the person's scope."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta

import numpy as np
import pytest

from contract.batch import SampleBatch
from contract.clock import NS_PER_S
from contract.points import PointRole, PointSpec, PointType
from contract.wire.chunk import encode_chunk

PLC = PointSpec(1, "plc", "acme", "plc", PointRole.DEVICE, PointType.BIT, unit="state")
GAS = PointSpec(2, "氯-1", "acme/tank", "plc", scale=0.1, unit="mg/m3")


@pytest.fixture
def now_ns(park) -> int:
    return int(park.clock.wall_ns())


@pytest.fixture
def station(agent, add_user, park, now_ns):
    add_user("li", "viewer", "acme")
    add_user("wu", "viewer", "bolt")
    agent.declare(PLC, GAS)
    agent.show({2: (0.3, 0)})
    batch = SampleBatch.zeros(3)
    batch.point[:] = 2
    batch.time_ns[:] = now_ns - np.array([30, 20, 10]) * NS_PER_S
    batch.mono_ns[:] = np.arange(1, 4) * NS_PER_S
    batch.raw[:], batch.value[:], batch.quality[:] = [1, 3, 0], np.nan, [0, 0, 0x81]
    agent.send(agent.chunks(1, encode_chunk(batch, 1, "b" * 32, {2: GAS.type}, late=True)))
    park.turn_until(lambda: park.rows("SELECT 1 FROM chunks"))
    return agent


def test_a_point_is_found_by_organisation_and_tag(station, api):
    api.sign_in("li")
    found = api("GET", "/points/acme/氯-1").json()
    assert (found["value"], found["doubt"], found["unit"]) == (0.3, None, "mg/m3")
    assert [each["tag"] for each in api("GET", "/points").json()] == ["氯-1"]


def test_outside_the_scope_there_is_nothing(station, api):
    api.sign_in("wu")
    assert api("GET", "/points").json() == []
    answer = api("GET", "/points/acme/氯-1")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown")
    assert api("GET", "/agents").json()["agents"] == []


def test_nobody_is_shown_anything(park, api):
    paths = ("/points", "/points/acme/x", "/agents", "/map", "/points/acme/x/trend?from=1&to=2")
    assert [api("GET", path).status_code for path in paths] == [401] * 5


def test_a_trend_has_runs_and_keeps_the_bad_sample_apart(station, api, now_ns):
    api.sign_in("li")
    found = api("GET", f"/points/acme/氯-1/trend?from={now_ns - 30 * NS_PER_S}&to={now_ns}").json()
    assert [(run["kind"], run["value"]) for run in found["runs"]] == [
        ("good", [0.1, pytest.approx(0.3)]),
        ("bad", [None]),
    ]
    assert len(found["late"]) == 1


def test_a_trend_without_a_time_is_refused(station, api):
    api.sign_in("li")
    for query in ("", "?from=1", "?from=2&to=1", "?from=a&to=2", "?from=0&to=99999999999999999999"):
        answer = api("GET", f"/points/acme/氯-1/trend{query}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), query


def test_a_spreadsheet_reads_every_sample(station, api, now_ns):
    api.sign_in("li")
    answer = api("GET", f"/points/acme/氯-1/trend.csv?from={now_ns - 60 * NS_PER_S}&to={now_ns}")
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "%E6%B0%AF" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [(row["value"], row["unit"], row["quality"], row["late"]) for row in rows] == [
        ("0.1", "mg/m3", "good", "late"),
        ("0.3", "mg/m3", "good", "late"),
        ("", "mg/m3", "bad_comm_failure", "late"),
    ]
    apart = datetime.fromisoformat(rows[0]["time_beijing"]) - datetime.fromisoformat(rows[0]["time_utc"])
    assert apart == timedelta(hours=8)


def test_agents_and_the_map_are_served(station, api):
    api.sign_in("li")
    assert [each["name"] for each in api("GET", "/agents").json()["agents"]] == ["gate"]
    assert api("GET", "/map").json()["park"] is None
