"""Alarms as one person is shown them, and which one is meant by a name."""

from __future__ import annotations

import dataclasses

import pytest

from aggregator.alarms.commands import Action
from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.people.rights import Caller
from contract.clock import NS_PER_S
from contract.events import EventType
from contract.points import ConditionClass, ConditionKind

KEY = "acme/AT-1/high"


def say(agent, tag, level=1, **changed):
    """The agent reports a condition that differs from the usual one in ``changed``."""
    seq = len(agent.records) + 1
    condition = dataclasses.replace(agent.condition(tag, level, seq), **changed)
    agent.event(EventType.CONDITION_ON, condition.to_json())
    agent.acked(agent.batch(seq))


def code_of(call, *args):
    with pytest.raises(RefusedError) as caught:
        call(*args)
    return caught.value.code


def test_the_most_urgent_stands_first(room, wang, agent):
    say(agent, "PT-1", unit="bar", on_time_ns=90)
    say(agent, "AT-LEL", unit="%LEL", on_time_ns=80)
    say(agent, "AT-OLD", on_time_ns=10)
    say(agent, "AT-NEW", on_time_ns=20)
    say(agent, "AT-SEEN", on_time_ns=99)
    say(agent, "AT-2", 2, unit="%LEL", on_time_ns=1)
    room.act(wang, Action.ACKNOWLEDGE, "acme/AT-SEEN/high")
    found = room.alarms.standing(wang)
    assert [each.tag for each in found] == ["AT-2", "AT-NEW", "AT-OLD", "AT-SEEN", "AT-LEL", "PT-1"]
    assert [(each.priority, each.is_gas, each.is_toxic) for each in found] == [
        (1, True, False), (2, True, True), (2, True, True), (2, True, True), (2, True, False), (3, False, False)
    ]  # fmt: skip


def test_an_advisory_stands_behind_every_safety_condition_and_neither_latches_nor_counts_as_gas(room, wang, agent):
    for at, kind in enumerate(kind for kind in ConditionKind if kind.is_statistical):
        say(agent, f"AT-{kind}", kind=kind, condition_class=ConditionClass.ADVISORY, on_time_ns=90 + at)
    say(agent, "PT-1", unit="bar", on_time_ns=5)
    say(agent, "AT-1", kind=ConditionKind.FROZEN, condition_class=ConditionClass.FAULT, on_time_ns=4)
    first, second, *advisories = room.alarms.standing(wang)
    assert (first.tag, second.tag) == ("PT-1", "AT-1")
    assert {(each.priority, each.is_advisory, each.is_gas) for each in advisories} == {(3, True, False)}
    assert len(advisories) == 6


def test_more_than_a_head_can_measure_is_as_grave_as_level_2_and_latches(room, wang, agent):
    say(agent, "AT-1", 2, unit="%LEL", on_time_ns=1)
    say(agent, "AT-1", unit="%LEL", kind=ConditionKind.OVER_RANGE, on_time_ns=2)
    over, level_2 = room.alarms.standing(wang)
    assert (over.kind, over.priority, over.is_gas) == ("over_range", 1, True)
    assert (level_2.kind, level_2.priority) == ("high", 1)


def test_an_instance_is_shown_from_its_beginning(room, wang, agent):
    opened_ns = room.park.clock.wall_ns()
    say(agent, "AT-1", 2, on_time_ns=5)
    room.park.clock.tick(NS_PER_S)
    say(agent, "AT-1", 1, on_time_ns=9)
    view = room.alarms.one(wang, KEY)
    assert (view.first_raised_ns, view.received_ns, view.changed_ns) == (5, opened_ns, opened_ns + NS_PER_S)
    assert view.raised_ns == 9
    assert (view.late, view.level_max, view.activations) == (False, 2, 2)
    assert room.act(wang, Action.ACKNOWLEDGE).acknowledged_ns == opened_ns + NS_PER_S


def test_an_alarm_that_is_raised_again_shows_when_and_no_answer_of_before(room, wang, agent):
    say(agent, "AT-1", on_time_ns=10)
    say(agent, "AT-2", on_time_ns=20)
    assert room.act(wang, Action.ACKNOWLEDGE).acknowledged_by == "wang"
    say(agent, "AT-1", 0)
    latched = room.alarms.one(wang, KEY)
    assert (latched.letter, latched.acknowledged_by, latched.raised_ns) == ("C", "wang", 10)
    say(agent, "AT-1", on_time_ns=30)
    again = room.alarms.one(wang, KEY)
    assert (again.letter, again.sounding, again.activations) == ("B", True, 2)
    assert (again.raised_ns, again.first_raised_ns) == (30, 10)
    assert (again.acknowledged_by, again.acknowledged_ns) == (None, None)
    assert [each.tag for each in room.alarms.standing(wang)] == ["AT-1", "AT-2"]
    assert room.act(wang, Action.ACKNOWLEDGE).acknowledged_by == "wang"


def test_what_another_agent_raises_as_well_shows_when_it_did(room, wang, agent, make_agent):
    say(agent, "AT-1", 2, on_time_ns=10)
    room.act(wang, Action.ACKNOWLEDGE)
    other = make_agent("spare")
    other.welcome()
    say(other, "AT-1", 1, on_time_ns=30)
    view = room.alarms.one(wang, KEY)
    assert (view.letter, view.raised_ns, view.first_raised_ns, view.acknowledged_by) == ("B", 30, 10, None)


def test_a_number_that_is_none_is_shown_as_none(room, wang, agent):
    say(agent, "AT-1", value=float("nan"), setpoint=25.0)
    say(agent, "AT-2", value=30.0, setpoint=float("inf"))
    views = {each.tag: (each.value, each.setpoint) for each in room.alarms.standing(wang)}
    assert views == {"AT-1": (None, 25.0), "AT-2": (30.0, None)}


def test_who_is_not_signed_in_is_shown_nothing(room, wang, agent):
    say(agent, "AT-1")
    nobody = Caller("of nobody", "tests")
    for call, args in ((room.alarms.standing, ()), (room.alarms.one, (KEY,)), (room.alarms.history, ())):
        assert code_of(call, nobody, *args) is RefusalCode.NOT_SIGNED_IN


@pytest.mark.parametrize("name", ["acme/AT-9/high", "acme/AT-1/odd", "acme/AT-1", "f" * 16, "", "a/b/c/d", "x" * 500])
def test_a_name_of_nothing_is_unknown_however_it_is_spelt(room, wang, agent, name):
    say(agent, "AT-1")
    assert code_of(room.alarms.one, wang, name) is RefusalCode.UNKNOWN
    assert code_of(room.during, room.alarms.act, wang, Action.ACKNOWLEDGE, name, 1) is RefusalCode.UNKNOWN


def test_one_alarm_of_another_scope_is_as_unknown_as_none(room, wang, agent):
    say(agent, "AT-1")
    li = room.enter("li", "operator", "acme/tan")
    assert code_of(room.alarms.one, li, KEY) is RefusalCode.UNKNOWN
    assert code_of(room.alarms.one, li, room.alarms.one(wang, KEY).instance) is RefusalCode.UNKNOWN


def test_what_is_held_while_normal_is_named_by_its_condition(room, wang, agent):
    room.told(agent, "AT-1", 1, 0)
    room.act(wang, Action.ACKNOWLEDGE)
    room.act(wang, Action.RESET)
    until_ns = str(room.park.clock.wall_ns() + 60 * NS_PER_S)
    view = room.act(wang, Action.SHELVE, reason="nuisance", until_ns=until_ns)
    assert (view.instance, view.letter, view.active, view.activations, view.level_max) == (KEY, "E", False, 0, 0)
    assert [each.instance for each in room.alarms.standing(wang)] == [KEY]
    assert (view.raised_ns, view.late, view.acknowledged_by, view.priority) == (1, False, None, 2)
    assert room.act(wang, Action.UNSHELVE).letter == "A"


def test_what_is_named_by_its_condition_is_the_instance_that_stands(room, wang, agent):
    room.told(agent, "AT-1", 1)
    before = room.alarms.one(wang, KEY)
    assert before.instance != KEY
    view = room.during(room.alarms.act, wang, Action.ACKNOWLEDGE, KEY, before.revision)
    assert (view.letter, view.instance) == ("C", before.instance)


def test_what_is_named_by_an_instance_that_is_over_has_moved_on(room, wang, agent):
    room.told(agent, "AT-1", 1, 0)
    first = room.act(wang, Action.ACKNOWLEDGE).instance
    room.act(wang, Action.RESET)
    room.told(agent, "AT-1", 1)
    seen = room.alarms.one(wang, KEY).revision
    assert code_of(room.during, room.alarms.act, wang, Action.ACKNOWLEDGE, first, seen) is RefusalCode.MOVED_ON
    assert room.letter(wang) == "B"
