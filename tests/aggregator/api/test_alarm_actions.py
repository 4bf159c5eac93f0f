"""Every action over HTTP, both ways: on what the person saw it is done, on anything else it is refused and changes nothing.

And who may not act learns nothing of what there is.
"""

from __future__ import annotations

import pytest

from aggregator.alarms.commands import Action
from aggregator.commands.messages import Command
from contract.clock import NS_PER_S

LEADING_THERE = {
    Action.UNACKNOWLEDGE: (Action.ACKNOWLEDGE,),
    Action.UNSHELVE: (Action.SHELVE,),
    Action.RETURN_TO_SERVICE: (Action.REMOVE_FROM_SERVICE,),
    Action.RESET: (Action.ACKNOWLEDGE,),
}
LETTER_AFTER = {
    Action.ACKNOWLEDGE: "C", Action.UNACKNOWLEDGE: "B", Action.SHELVE: "E", Action.UNSHELVE: "B",
    Action.REMOVE_FROM_SERVICE: "G", Action.RETURN_TO_SERVICE: "B", Action.RESET: "A", Action.COMMENT: "B",
}  # fmt: skip
CONDITION = "acme/AT-1/high"


class Desk:
    """An engineer before one gas alarm, over HTTP, and the agent that reports it."""

    def __init__(self, park, agent, api):
        self.park, self.agent, self.api = park, agent, api
        agent.turn("AT-1", 1)
        agent.acked(agent.batch(1))

    def now(self):
        return self.api("GET", f"/alarms/{CONDITION}").json()

    def body(self, action):
        until_ns = self.park.clock.wall_ns() + 600 * NS_PER_S
        return {
            Action.SHELVE: {"reason": "calibrating", "until_ns": until_ns},
            Action.REMOVE_FROM_SERVICE: {"permit": "P-7", "until_ns": until_ns},
            Action.COMMENT: {"comment": "seen on camera"},
        }.get(action, {})

    def act(self, action, name, seen, api=None):
        return (api or self.api)("POST", f"/alarms/{name}/{action}", json={"seen": seen, **self.body(action)})

    def report(self, level, activation=None):
        self.agent.turn("AT-1", level, activation)
        self.agent.acked(self.agent.batch(len(self.agent.records)))

    def lead_to(self, action):
        """Make the action possible."""
        for each in LEADING_THERE.get(action, ()):
            seen = self.now()
            assert self.act(each, seen["instance"], seen["revision"]).status_code == 200
        if action is Action.RESET:
            self.report(0, 1)

    def refusals(self):
        return [(each["data"]["verb"], each["data"]["code"]) for each in self.park.journal("action_refused")]


@pytest.fixture
def desk(park, agent, add_user, api):
    add_user("li", "engineer", "acme")
    assert api.sign_in("li").status_code == 200
    return Desk(park, agent, api)


@pytest.mark.parametrize("action", Action)
def test_it_is_done_to_what_the_person_saw(desk, action):
    desk.lead_to(action)
    seen = desk.now()
    assert action in seen["allowed"]
    answer = desk.act(action, seen["instance"], seen["revision"])
    assert (answer.status_code, answer.json()["letter"]) == (200, LETTER_AFTER[action])
    assert desk.park.journal("alarm")[-1]["data"]["event"] == action
    assert answer.json() == desk.now()
    assert desk.refusals() == []


@pytest.mark.parametrize("action", Action)
def test_it_is_refused_where_the_alarm_has_moved_on_since(desk, action):
    desk.lead_to(action)
    seen = desk.now()
    if action is Action.RESET:
        desk.report(1)
    else:
        desk.report(2, 1)
    before = desk.now()
    assert before["instance"] == seen["instance"]
    answer = desk.act(action, seen["instance"], seen["revision"])
    assert (answer.status_code, answer.json()["code"]) == (409, "moved_on")
    told = answer.json()["params"]
    assert (told["seen"], told["revision"]) == (seen["revision"], before["revision"])
    assert (told["instance"], told["letter"]) == (before["instance"], before["letter"])
    assert desk.now() == before
    assert desk.refusals() == [(f"alarm_{action}", "moved_on")]


@pytest.mark.parametrize("action", Action)
def test_it_is_refused_where_another_instance_stands_than_the_one_named(desk, action):
    first = desk.now()["instance"]
    desk.lead_to(Action.RESET)
    seen = desk.now()
    assert desk.act(Action.RESET, first, seen["revision"]).status_code == 200
    desk.report(1)
    before = desk.now()
    assert before["instance"] != first
    answer = desk.act(action, first, before["revision"])
    assert (answer.status_code, answer.json()["code"]) == (409, "moved_on")
    assert answer.json()["params"]["instance"] == before["instance"]
    assert desk.now() == before


@pytest.mark.parametrize("action", Action)
def test_it_is_refused_with_the_reason_where_the_table_does_not_allow_it(desk, action):
    impossible = {
        Action.ACKNOWLEDGE: ((Action.ACKNOWLEDGE,), "already_acknowledged"),
        Action.UNACKNOWLEDGE: ((), "not_acknowledged"),
        Action.UNSHELVE: ((), "not_shelved"),
        Action.REMOVE_FROM_SERVICE: ((Action.REMOVE_FROM_SERVICE,), "already_out_of_service"),
        Action.RETURN_TO_SERVICE: ((), "not_out_of_service"),
        Action.RESET: ((), "still_active"),
    }
    before, reason = impossible.get(action, ((), None))
    if reason is None:
        assert action in {Action.SHELVE, Action.COMMENT}, "possible at any time"
        return
    for each in before:
        seen = desk.now()
        assert desk.act(each, seen["instance"], seen["revision"]).status_code == 200
    seen = desk.now()
    assert action not in seen["allowed"]
    answer = desk.act(action, seen["instance"], seen["revision"])
    assert (answer.status_code, answer.json()["code"]) == (409, "not_possible")
    assert answer.json()["params"] == {"reason": reason}
    assert desk.now() == seen


# --- who may not act learns nothing ------------------------------------------------------------------------------------


def stranger(desk, make_api_client, add_user, client, who):
    other = make_api_client()
    role, scope = {"viewer": ("viewer", "acme"), "elsewhere": ("engineer", "works")}.get(who, ("engineer", "acme"))
    if who != "nobody":
        add_user("wang", role, scope)
        other.sign_in("wang")
    if who == "revoked":
        desk.park.serve(lambda: client.send(Command("sessions_revoke", {"name": "wang"}, station="console")))
    return other


@pytest.mark.parametrize(("who", "status"), [("nobody", 401), ("revoked", 401), ("viewer", 403), ("elsewhere", 404)])
@pytest.mark.parametrize("by_instance", [True, False])
def test_who_may_not_act_is_told_the_same_whether_there_is_such_an_alarm_or_not(
    desk, make_api_client, add_user, client, who, status, by_instance
):
    other = stranger(desk, make_api_client, add_user, client, who)
    alarm = desk.now()
    there, made_up = (alarm["instance"], "f" * 16) if by_instance else (CONDITION, "acme/AT-9/high")
    first = desk.act(Action.ACKNOWLEDGE, there, alarm["revision"], other)
    second = desk.act(Action.ACKNOWLEDGE, made_up, alarm["revision"], other)
    assert first.status_code == second.status_code == status
    assert first.text.replace(there, "X") == second.text.replace(made_up, "X")
    assert len(desk.refusals()) == (0 if status == 401 else 1), (
        "of one session and verb once, without a session nothing"
    )
    assert desk.now() == alarm


def test_who_may_act_is_told_that_there_is_no_such_alarm(desk):
    for name in ("f" * 16, "acme/AT-9/high", "acme/AT-1/odd"):
        answer = desk.act(Action.ACKNOWLEDGE, name, 1)
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown")
        assert answer.json()["params"] == {"what": "alarm", "name": name}


def test_a_name_longer_than_any_is_refused(desk):
    assert desk.act(Action.ACKNOWLEDGE, "x" * 201, 1).status_code == 422
    assert desk.api("GET", "/alarms/" + "x" * 201).status_code == 422
