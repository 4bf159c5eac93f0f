"""Alarms over HTTP: seen within the scope, acted on by who may, refused where they moved on, all of it on record."""

from __future__ import annotations

import json

import pytest

from aggregator.commands.messages import Command


@pytest.fixture
def alarm(park, agent, add_user, api):
    """A standing alarm in acme/tank, as an operator of acme sees it."""
    add_user("li", "operator", "acme")
    agent.turn("AT-1", 1)
    agent.acked(agent.batch(1))
    assert api.sign_in("li").status_code == 200
    [found] = api("GET", "/alarms").json()
    return found


def path(alarm, action: str) -> str:
    return f"/alarms/{alarm['instance']}/{action}"


def named(park, kind: str) -> list[dict]:
    """Restricted parts of the records of a kind."""
    rows = park.rows(f"SELECT restricted FROM journal WHERE kind = '{kind}' AND length(restricted) > 0 ORDER BY seq")
    return [json.loads(row.restricted) for row in rows]


def test_an_operator_acknowledges_what_he_saw_and_is_named_in_the_journal(api, alarm, park):
    assert (alarm["letter"], alarm["acknowledged"]) == ("B", False)
    answer = api("POST", path(alarm, "acknowledge"), json={"seen": alarm["revision"], "comment": "氯气 checked"})
    assert answer.status_code == 200
    assert (answer.json()["letter"], answer.json()["acknowledged_by"]) == ("C", "li")
    assert named(park, "alarm")[-1] == {"person": "li", "station": "192.0.2.7"}
    assert b'"li"' not in park.rows("SELECT open FROM journal WHERE kind = 'alarm' ORDER BY seq DESC LIMIT 1")[0].open


def test_who_acts_on_what_moved_on_is_told_what_is_so_now(api, alarm, park):
    api("POST", path(alarm, "acknowledge"), json={"seen": alarm["revision"]})
    answer = api("POST", path(alarm, "shelve"), json={"seen": alarm["revision"], "reason": "x", "until_ns": 1})
    assert (answer.status_code, answer.json()["code"]) == (409, "moved_on")
    assert answer.json()["params"]["letter"] == "C"
    [record] = park.journal("action_refused")
    assert (record["data"]["verb"], record["data"]["code"]) == ("alarm_shelve", "moved_on")
    assert named(park, "action_refused") == [{"person": "li", "station": "192.0.2.7"}]


def test_what_the_table_refuses_is_told_with_its_reason(api, alarm):
    answer = api("POST", path(alarm, "reset"), json={"seen": alarm["revision"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_possible")
    assert answer.json()["params"].keys() == {"reason"}


@pytest.mark.parametrize("role", ["viewer", "administrator", "regulator"])
def test_who_may_not_acknowledge_sees_and_is_refused_on_record(alarm, make_api_client, add_user, park, role):
    add_user("wang", role)
    other = make_api_client()
    other.sign_in("wang")
    assert [each["instance"] for each in other("GET", "/alarms").json()] == [alarm["instance"]]
    answer = other("POST", path(alarm, "acknowledge"), json={"seen": alarm["revision"]})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert park.journal("action_refused")[-1]["data"]["params"] == {"right": "acknowledge"}
    assert other("GET", "/alarms").json()[0]["acknowledged"] is False


def test_what_lies_outside_the_scope_is_not_there(alarm, make_api_client, add_user):
    add_user("wang", "operator", "acme/tan")
    other = make_api_client()
    other.sign_in("wang")
    assert other("GET", "/alarms").json() == []
    assert other("GET", "/alarms/history").json() == []
    assert other("GET", f"/alarms/{alarm['instance']}").status_code == 404
    answer = other("POST", path(alarm, "acknowledge"), json={"seen": alarm["revision"]})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown")


def test_a_revoked_session_is_refused_at_once(api, alarm, park, client):
    park.serve(lambda: client.send(Command("sessions_revoke", {"name": "li"}, station="console")))
    for answer in (api("GET", "/alarms"), api("POST", path(alarm, "acknowledge"), json={"seen": alarm["revision"]})):
        assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
    assert park.rows("SELECT 1 FROM alarms WHERE acknowledged") == []


def test_an_alarm_may_be_named_by_its_condition(api, alarm):
    name = f"{alarm['organisation']}/{alarm['tag']}/{alarm['kind']}"
    assert api("GET", f"/alarms/{name}").json()["instance"] == alarm["instance"]
    answer = api("POST", f"/alarms/{name}/comment", json={"seen": alarm["revision"], "comment": "seen"})
    assert answer.json()["comment"] == "seen"


def test_the_past_is_kept(api, alarm):
    [found] = api("GET", "/alarms/history").json()
    assert found["id"] == alarm["instance"]
    assert api("GET", "/alarms/history", params={"tag": "AT-2"}).json() == []


@pytest.mark.parametrize(
    "body",
    [{}, {"seen": -1}, {"seen": "1"}, {"seen": 1.5}, {"seen": 2**63}, {"seen": 1, "more": 1}, {"seen": 1, "comment": 5},
     {"seen": True}],
)  # fmt: skip
def test_a_body_that_is_none_is_refused(api, alarm, body):
    answer = api("POST", path(alarm, "acknowledge"), json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


def test_an_action_that_is_none_is_refused(api, alarm):
    assert api("POST", path(alarm, "explode"), json={"seen": 1}).status_code == 422
