"""Two agents report one condition: the alarm follows the worst of them, and is over when the last one says so."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aggregator.alarms.alarm import alarm_of, instance_of
from aggregator.alarms.book import Book
from aggregator.alarms.commands import Action
from aggregator.alarms.policy import AlarmKey
from aggregator.alarms.states import Event, Trigger
from aggregator.alarms.tables import ALARM_INSTANCES, ALARMS
from aggregator.journal.changeset import Changeset
from contract.events import ConditionData, EventType
from contract.ids import ActivationId, AgentName, new_epoch
from contract.points import ConditionClass, ConditionKind
from naive.alarms import worst

KEY = "acme/AT-1/high"
EPOCH = new_epoch()
KEY_OF = AlarmKey("acme", "AT-1", ConditionKind.HIGH)


@pytest.fixture
def other(make_agent):
    found = make_agent("spare")
    found.welcome()
    return found


def test_what_one_agent_says_is_over_the_other_still_sees(room, wang, agent, other):
    mine, theirs = room.told(agent, "AT-1", 1), room.told(other, "AT-1", 1)
    room.act(wang, Action.ACKNOWLEDGE)
    room.later(agent, "AT-1", 0, mine)
    view = room.alarms.one(wang, KEY)
    assert (view.letter, view.active, view.agent) == ("C", True, "spare")
    assert "returned" not in [event for event, _ in room.story()]
    room.later(other, "AT-1", 0, theirs)
    assert room.alarms.one(wang, KEY).active is False
    assert room.story()[-1] == ("returned", "C")


def test_the_higher_level_of_both_is_shown_and_falls_back_to_the_other(room, wang, agent, other):
    room.told(agent, "AT-1", 1)
    theirs = room.told(other, "AT-1", 2)
    view = room.alarms.one(wang, KEY)
    assert (view.level, view.agent, view.activations) == (2, "spare", 2)
    room.later(other, "AT-1", 0, theirs)
    view = room.alarms.one(wang, KEY)
    assert (view.level, view.agent, view.active) == (1, "gate", True)


def test_what_the_second_agent_sees_is_heard_even_if_the_first_was_acknowledged(room, wang, agent, other):
    room.told(agent, "AT-1", 1)
    instance = room.act(wang, Action.ACKNOWLEDGE).instance
    theirs = room.told(other, "AT-1", 1)
    view = room.alarms.one(wang, KEY)
    assert (view.letter, view.sounding, view.instance, view.activations) == ("B", True, instance, 2)
    assert room.story()[-1] == ("joined", "B")
    last = room.park.journal("alarm")[-1]["data"]
    assert last["activation"] == {"agent": "spare", "epoch": other.epoch, "seq": str(theirs)}
    linked = room.park.rows("SELECT agent, instance FROM alarm_activations ORDER BY agent")
    assert [tuple(row) for row in linked] == [("gate", instance), ("spare", instance)]


def test_a_test_at_one_agent_neither_sounds_nor_hides_what_the_other_sees(room, wang, agent, other):
    room.told(agent, "AT-1", 1)
    room.act(wang, Action.ACKNOWLEDGE)
    before = room.alarms.one(wang, KEY)
    tested = dataclasses.replace(other.condition("AT-1", 2, 1), inhibited=True)
    other.event(EventType.CONDITION_ON, tested.to_json())
    other.acked(other.batch(1))
    assert room.alarms.one(wang, KEY) == before
    other.event(EventType.CONDITION_LEVEL, dataclasses.replace(tested, inhibited=False).to_json())
    other.acked(other.batch(2))
    view = room.alarms.one(wang, KEY)
    assert (view.letter, view.level, view.sounding, view.agent) == ("B", 2, True, "spare")


def test_what_each_agent_sees_survives_a_restart(room, wang, agent, other):
    mine, theirs = room.told(agent, "AT-1", 2), room.told(other, "AT-1", 1)
    before = room.alarms.one(wang, KEY)
    room.park.restart()
    assert room.alarms.one(wang, KEY) == before
    agent.welcome()
    room.later(agent, "AT-1", 0, mine)
    view = room.alarms.one(wang, KEY)
    assert (view.active, view.level, view.agent) == (True, 1, "spare")
    room.park.restart()
    other.welcome()
    room.later(other, "AT-1", 0, theirs)
    assert room.letter(wang) == "D"


def test_a_database_in_which_the_newest_news_had_ended_the_alarm_gets_it_back(room, wang, agent, other):
    room.told(agent, "AT-1", 1)
    with room.park.connection.begin():
        room.park.connection.exec_driver_sql(
            "UPDATE alarms SET active = 0, level = 0, acknowledged = 1, latched = 0, instance = NULL, standing = 0"
        )
    room.park.restart()
    assert room.letter(wang) == "B"


def test_a_database_in_which_a_lesser_agent_had_lowered_the_level_gets_the_higher_one(room, wang, agent, other):
    room.told(agent, "AT-1", 2)
    with room.park.connection.begin():
        room.park.connection.exec_driver_sql("UPDATE alarms SET level = 1")
    room.park.restart()
    assert room.alarms.one(wang, KEY).level == 2


# --- whatever they say, in whatever order ------------------------------------------------------------------------------


def report(agent, level, activation, *, inhibited, condition_class=ConditionClass.SAFETY):
    return ConditionData(
        tag="AT-1", org="acme/tank", kind=ConditionKind.HIGH, condition_class=condition_class, level=level,
        previous_level=0, activation=ActivationId(AgentName(agent), EPOCH, activation), on_time_ns=1,
        value=30.0, unit="ppm", quality=0, setpoint=25.0, deadband=1.0, delay_ns=0, detector="limits/1",
        reason="limit", inhibited=inhibited,
    )  # fmt: skip


class Claims(RuleBasedStateMachine):
    """A book that several agents tell of one condition, written and read again at any moment."""

    def __init__(self) -> None:
        super().__init__()
        self.book, self.numbers = Book(), 0
        self.said: dict[str, ConditionData] = {}
        self.alarm_rows: dict[str, Any] = {}
        self.instances: dict[str, Any] = {}

    def write(self, changes):
        for row in changes.rows.get(ALARMS, {}).values():
            self.alarm_rows = dict(row)
        for row in changes.rows.get(ALARM_INSTANCES, {}).values():
            self.instances[row["id"]] = row

    @rule(agent=st.sampled_from("abc"), level=st.sampled_from((0, 1, 2)), inhibited=st.booleans(), anew=st.booleans())
    def tell(self, agent, level, inhibited, anew):
        known = self.said.get(agent)
        standing = [each for each in self.said.values() if each.level]
        if known is None or anew or not known.level:
            self.numbers += 1
            news = report(agent, level, self.numbers, inhibited=inhibited)
        else:
            news = dataclasses.replace(known, level=level, inhibited=inhibited)
        changes = Changeset(1)
        self.book.take(changes, news)
        self.said[agent] = news
        self.write(changes)
        events = [draft.data["event"] for draft in changes.drafts]
        others = [each for each in standing if each.activation.agent != agent]
        assert not (others and "returned" in events)
        new_in_sight = level and (known is None or not known.level or known.activation != news.activation)
        alarm = self.book.get(KEY_OF)
        released = known is not None and known.inhibited
        if level and not inhibited and (new_in_sight or released):
            assert alarm is not None
            assert alarm.sounding
        if inhibited or not level:
            assert not any("sound" in str(draft.data["effects"]) for draft in changes.drafts)
        again = Changeset(1)
        self.book.take(again, news)
        assert not again.is_to_be_written()

    @rule()
    def answer(self):
        """Somebody acknowledges, where he can."""
        if self.book.get(KEY_OF) is not None:
            changes = Changeset(1)
            self.book.act(changes, KEY_OF, Trigger(Event.ACKNOWLEDGE), {"person": "wang"}, {})
            self.write(changes)

    @rule()
    def begin_again(self):
        """A new process: rows read back, and what every agent had said."""
        alarms = []
        if self.alarm_rows:
            row = SimpleNamespace(**self.alarm_rows)
            found = self.instances.get(row.instance)
            alarms.append(alarm_of(row, None if found is None else instance_of(SimpleNamespace(**found))))
        self.book = Book(alarms)
        changes = Changeset(1)
        for each in self.said.values():
            self.book.know(each)
        for each in self.said.values():
            if each.level:
                self.book.take(changes, each)
        assert not changes.is_to_be_written(), "what is known is no news"

    @invariant()
    def the_alarm_is_the_worst_of_them(self):
        alarm = self.book.get(KEY_OF)
        level, suppressed = worst((each.level, each.inhibited) for each in self.said.values())
        if alarm is None:
            assert level == 0
            return
        assert (alarm.state.level, alarm.state.active, alarm.state.suppressed) == (level, level > 0, suppressed)
        assert alarm.state.acknowledged or alarm.level_owed >= max(1, level)
        shown = alarm.condition
        assert not level or (shown.level, shown.activation) in [
            (each.level, each.activation) for each in self.said.values()
        ]
        assert json.loads(self.alarm_rows["condition"]) == shown.to_json()


TestClaims = Claims.TestCase
TestClaims.settings = settings(stateful_step_count=30, deadline=None)


def test_safety_rules_over_an_advisory_at_a_higher_level():
    book, changes = Book(), Changeset(1)
    book.take(changes, report("a", 2, 1, inhibited=False, condition_class=ConditionClass.ADVISORY))
    book.take(changes, report("b", 1, 1, inhibited=False))
    alarm = book.get(KEY_OF)
    assert alarm is not None
    assert (alarm.state.level, alarm.state.latched) == (1, True)
