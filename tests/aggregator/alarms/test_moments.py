"""What an alarm remembers from one moment to the next: promised ends, re-alarms, who held it, and what goes on record."""

from __future__ import annotations

import dataclasses

import pytest

from aggregator.alarms.alarm import Alarm
from aggregator.alarms.book import Book
from aggregator.alarms.policy import AlarmKey, AlarmRules
from aggregator.alarms.states import Event, Reason, Trigger
from aggregator.alarms.tables import ALARM_INSTANCES
from aggregator.journal.changeset import Changeset
from contract.events import ConditionData
from contract.ids import ActivationId, AgentName, new_epoch
from contract.points import ConditionClass, ConditionKind

EPOCH = new_epoch()
RULES = AlarmRules(re_alarm_ns=1000, shelve_max_ns=10**6)
WANG = {"person": "wang", "station": "console 2"}


def key(tag="AT-1"):
    return AlarmKey("acme", tag, ConditionKind.HIGH)


def condition(level, tag="AT-1", activation=1, unit="ppm", condition_class=ConditionClass.SAFETY, inhibited=False):
    return ConditionData(
        tag=tag, org="acme/tank", kind=ConditionKind.HIGH, condition_class=condition_class, level=level,
        previous_level=0, activation=ActivationId(AgentName("gate"), EPOCH, activation), on_time_ns=7, value=30.0,
        unit=unit, quality=0, setpoint=25.0, deadband=1.0, delay_ns=0, detector="limits/1", reason="limit",
        inhibited=inhibited,
    )  # fmt: skip


class Desk:
    """A book at a moment that the test names; ``done`` is what the last step would write."""

    def __init__(self) -> None:
        self.book = Book(rules=RULES)
        self.now_ns = 100
        self.done = Changeset(0)

    def begin(self, at_ns: int | None) -> Changeset:
        self.now_ns = self.now_ns if at_ns is None else at_ns
        self.done = Changeset(self.now_ns)
        return self.done

    def take(self, said: ConditionData, at_ns: int | None = None, exercise_id: str | None = None) -> Alarm:
        self.book.take(self.begin(at_ns), said, exercise_id)
        return self.of(said.tag)

    def history(self, said: ConditionData, exercise_id: str | None = None) -> Alarm:
        self.book.take_history(self.begin(None), said, exercise_id)
        return self.of(said.tag)

    def act(self, event: Event, until_ns: int | None = None, tag: str = "AT-1", **data: str) -> Alarm:
        done = self.book.act(self.begin(None), key(tag), Trigger(event), WANG, data, until_ns)
        assert isinstance(done, Alarm)
        return done

    def expire(self, at_ns: int) -> list[str]:
        """Tags and events of what ended."""
        self.book.expire(self.begin(at_ns))
        return self.events()

    def of(self, tag: str = "AT-1") -> Alarm:
        found = self.book.get(key(tag))
        assert found is not None
        return found

    def events(self) -> list[str]:
        return [f"{draft.data['tag']} {draft.data['event']}" for draft in self.done.drafts]

    def instance_row(self):
        [row] = self.done.rows[ALARM_INSTANCES].values()
        return row


@pytest.fixture
def desk():
    return Desk()


# --- timers ------------------------------------------------------------------------------------------------------------


def test_a_shelf_ends_at_the_moment_that_was_promised_and_not_before(desk):
    desk.take(condition(1))
    desk.act(Event.SHELVE, until_ns=500)
    assert desk.expire(499) == []
    assert not desk.done.is_to_be_written()
    assert desk.expire(500) == ["AT-1 shelf_expired"]
    assert desk.of().shelf_until_ns is None
    assert desk.expire(10**9) == []


def test_of_several_promises_each_is_kept_in_its_time(desk):
    for tag, until_ns in (("AT-1", 500), ("AT-2", 300), ("AT-3", 400)):
        desk.take(condition(1, tag))
        desk.act(Event.SHELVE, tag=tag, until_ns=until_ns)
    assert [desk.expire(at_ns) for at_ns in (300, 400, 500)] == [
        ["AT-2 shelf_expired"], ["AT-3 shelf_expired"], ["AT-1 shelf_expired"]
    ]  # fmt: skip


def test_promises_of_alarms_that_were_loaded_are_kept_too(desk):
    desk.take(condition(1))
    desk.act(Event.SHELVE, until_ns=500)
    desk.take(condition(1, "AT-2"))
    loaded = Book([desk.of(), desk.of("AT-2")], RULES)
    changes = Changeset(500)
    loaded.expire(changes)
    assert [draft.data["event"] for draft in changes.drafts] == ["shelf_expired"]


def test_what_stands_acknowledged_sounds_again_at_its_moment_and_every_time(desk):
    desk.take(condition(1))
    desk.act(Event.ACKNOWLEDGE)
    assert desk.expire(1099) == []
    assert desk.expire(1100) == ["AT-1 realarm"]
    assert desk.of().re_alarm_ns is None
    desk.act(Event.ACKNOWLEDGE)
    assert desk.of().re_alarm_ns == 2100


def test_of_several_that_were_acknowledged_only_the_one_whose_time_it_is_sounds_again(desk):
    for tag, now_ns in (("AT-1", 100), ("AT-2", 400), ("AT-3", 200)):
        desk.take(condition(1, tag), now_ns)
        desk.act(Event.ACKNOWLEDGE, tag=tag)
    assert [desk.expire(at_ns) for at_ns in (1100, 1200, 1400)] == [
        ["AT-1 realarm"], ["AT-3 realarm"], ["AT-2 realarm"]
    ]  # fmt: skip


def test_a_comment_or_a_lower_level_does_not_put_the_re_alarm_off(desk):
    desk.take(condition(2))
    desk.act(Event.ACKNOWLEDGE)
    desk.now_ns = 600
    assert desk.act(Event.COMMENT, comment="x").re_alarm_ns == 1100
    assert desk.take(condition(1)).re_alarm_ns == 1100


def test_only_safety_sounds_again(desk):
    desk.take(condition(1, condition_class=ConditionClass.ADVISORY))
    assert desk.act(Event.ACKNOWLEDGE).re_alarm_ns is None


def test_what_has_returned_does_not_sound_again(desk):
    desk.take(condition(1))
    desk.act(Event.ACKNOWLEDGE)
    assert desk.take(condition(0)).re_alarm_ns is None
    desk.take(condition(1, "AT-2"))
    desk.take(condition(0, "AT-2"))
    assert desk.act(Event.ACKNOWLEDGE, tag="AT-2").re_alarm_ns is None


def test_a_re_alarm_beneath_a_hold_is_given_up_without_a_record(desk):
    desk.take(condition(1))
    desk.act(Event.ACKNOWLEDGE)
    desk.act(Event.REMOVE_FROM_SERVICE, until_ns=10**9, permit="P-7")
    assert desk.of().re_alarm_ns == 1100
    assert desk.expire(1100) == []
    assert desk.of().re_alarm_ns is None
    desk.expire(1200)
    assert not desk.done.is_to_be_written()


# --- holds -------------------------------------------------------------------------------------------------------------


def test_each_hold_keeps_its_own_end_reason_and_person(desk):
    desk.take(condition(1))
    desk.act(Event.SHELVE, until_ns=500, reason="calibrating")
    desk.act(Event.REMOVE_FROM_SERVICE, until_ns=900, permit="P-7")
    alarm = desk.take(condition(2))
    assert (alarm.shelf_until_ns, alarm.service_until_ns) == (None, 900)
    assert alarm.hold == {"service": {"permit": "P-7", "person": "wang"}}
    desk.act(Event.SHELVE, until_ns=600, reason="again")
    alarm = desk.act(Event.COMMENT, comment="x")
    assert (alarm.shelf_until_ns, alarm.service_until_ns) == (600, 900)
    alarm = desk.act(Event.RETURN_TO_SERVICE)
    assert (alarm.shelf_until_ns, alarm.service_until_ns) == (600, None)
    assert alarm.hold == {"shelf": {"reason": "again", "person": "wang"}}
    assert desk.act(Event.UNSHELVE).hold == {}


def test_a_shelf_that_is_set_anew_ends_when_the_newer_one_says(desk):
    desk.take(condition(1))
    desk.act(Event.SHELVE, until_ns=500)
    assert desk.act(Event.SHELVE, until_ns=800).shelf_until_ns == 800
    assert desk.expire(500) == []


# --- sound -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "heard"),
    [(Event.ACKNOWLEDGE, False), (Event.SHELVE, False), (Event.REMOVE_FROM_SERVICE, False), (Event.COMMENT, True)],
)
def test_what_a_person_does_ends_the_sound_or_leaves_it(desk, event, heard):
    assert desk.take(condition(1)).sounding
    assert desk.act(event, until_ns=500).sounding is heard


def test_the_sound_goes_on_at_a_lower_level_and_ends_with_the_return(desk):
    desk.take(condition(2))
    assert desk.take(condition(1)).sounding
    assert not desk.take(condition(0)).sounding


def test_what_is_silent_is_not_woken_by_less(desk):
    desk.take(condition(2))
    desk.act(Event.ACKNOWLEDGE)
    assert not desk.act(Event.COMMENT, comment="x").sounding
    assert not desk.take(condition(1)).sounding
    assert not desk.history(condition(2, activation=9)).sounding


def test_an_inhibit_ends_the_sound_and_its_end_brings_it_back(desk):
    desk.take(condition(1))
    alarm = desk.take(condition(1, inhibited=True))
    assert (alarm.sounding, alarm.state.suppressed) == (False, True)
    alarm = desk.take(condition(1))
    assert (alarm.sounding, alarm.state.suppressed) == (True, False)
    assert desk.instance_row()["activations"] == 1


def test_a_suppression_ends_with_its_condition(desk):
    desk.take(condition(1, inhibited=True))
    alarm = desk.take(condition(0, inhibited=True))
    assert (alarm.state.suppressed, alarm.is_standing) == (False, False)


# --- instances and records ---------------------------------------------------------------------------------------------


def test_an_acknowledgement_stands_in_the_instance_until_it_is_taken_back(desk):
    desk.take(condition(1))
    desk.now_ns = 200
    desk.act(Event.ACKNOWLEDGE, comment="seen")
    row = desk.instance_row()
    assert (row["acknowledged_ns"], row["acknowledged_by"], row["comment"]) == (200, "wang", "seen")
    desk.act(Event.UNACKNOWLEDGE)
    row = desk.instance_row()
    assert (row["acknowledged_ns"], row["acknowledged_by"], row["comment"]) == (None, None, "seen")


def test_an_instance_ends_once_and_keeps_the_highest_level(desk):
    desk.take(condition(2))
    desk.take(condition(1))
    assert (desk.instance_row()["ended_ns"], desk.instance_row()["level_max"]) == (None, 2)
    desk.act(Event.ACKNOWLEDGE)
    desk.take(condition(0))
    assert desk.instance_row()["ended_ns"] is None, "it is latched"
    desk.now_ns = 300
    alarm = desk.act(Event.RESET)
    assert (desk.instance_row()["ended_ns"], alarm.instance, alarm.level_owed) == (300, None, 0)


@pytest.mark.parametrize("event", [Event.COMMENT, Event.SHELVE])
def test_nothing_but_an_acknowledgement_is_one(desk, event):
    desk.take(condition(1))
    desk.act(event, until_ns=500, comment="x")
    assert (desk.instance_row()["acknowledged_ns"], desk.instance_row()["acknowledged_by"]) == (None, None)
    desk.take(condition(1, activation=2))
    assert (desk.instance_row()["activations"], desk.instance_row()["comment"]) == (2, "x")


@pytest.mark.parametrize(("on_time_ns", "raised_ns"), [(3, 7), (9, 9)])
def test_what_comes_late_is_not_taken_for_newer_than_it_is(desk, on_time_ns, raised_ns):
    desk.take(condition(1))
    desk.history(dataclasses.replace(condition(1, activation=2), on_time_ns=on_time_ns))
    assert (desk.instance_row()["on_time_ns"], desk.instance_row()["raised_ns"]) == (7, raised_ns)


def test_a_comment_is_no_change_of_state_and_keeps_the_revision(desk):
    before = desk.take(condition(1))
    assert desk.act(Event.COMMENT, comment="x").revision == before.revision
    assert desk.act(Event.ACKNOWLEDGE).revision == before.revision + 1


def test_a_comment_on_what_is_normal_opens_nothing(desk):
    desk.take(condition(1, unit="bar"))
    desk.act(Event.ACKNOWLEDGE)
    desk.take(condition(0, unit="bar"))
    desk.act(Event.COMMENT, comment="x")
    assert ALARM_INSTANCES not in desk.done.rows
    assert desk.done.drafts[0].data["instance"] is None


def test_a_record_names_exercise_person_priority_and_both_states(desk):
    alarm = desk.take(condition(2), exercise_id="drill-1")
    [draft] = desk.done.drafts
    assert alarm.instance is not None
    assert draft.data["instance"] == alarm.instance.id
    assert draft.data["effects"] == ["opens_instance", "sound"]
    assert (draft.exercise_id, draft.late, draft.restricted, draft.org) == ("drill-1", False, None, "acme/tank")
    assert draft.data["priority"] == 1
    told = [draft.data[name] for name in ("kind", "class", "level", "value", "unit", "setpoint")]
    assert told == ["high", "safety", 2, 30.0, "ppm", 25.0]
    desk.take(condition(0))
    [draft] = desk.done.drafts
    assert draft.data["priority"] == 1, "what it returned from"
    desk.act(Event.ACKNOWLEDGE, comment="seen")
    [draft] = desk.done.drafts
    assert (draft.restricted, draft.data["details"]) == (WANG, {"comment": "seen"})


@pytest.mark.parametrize(
    ("said", "event", "letter"),
    [
        (condition(2), "missed", "D"),
        (condition(2, inhibited=True), "passed", "A"),
        (condition(2, condition_class=ConditionClass.ADVISORY), "passed", "A"),
    ],
)
def test_history_is_owed_where_somebody_should_have_answered(desk, said, event, letter):
    alarm = desk.history(said, exercise_id="drill-1")
    [draft] = desk.done.drafts
    assert (draft.data["event"], alarm.state.letter, draft.late, draft.exercise_id) == (event, letter, True, "drill-1")
    assert (desk.instance_row()["late"], desk.instance_row()["level_max"]) == (True, 2)
    assert (alarm.instance is None) == (letter == "A")


def test_history_beside_what_stands_does_not_take_its_place(desk):
    before = desk.take(condition(1, activation=5))
    alarm = desk.history(condition(2, activation=3))
    assert (alarm.condition, alarm.state) == (before.condition, before.state)
    assert (desk.instance_row()["activations"], desk.instance_row()["late"]) == (2, False)
    [draft] = desk.done.drafts
    assert draft.data["activation"] == {"agent": "gate", "epoch": EPOCH, "seq": "3"}


def test_what_passed_is_not_owed_at_its_level(desk):
    desk.take(condition(1, activation=5, condition_class=ConditionClass.ADVISORY))
    alarm = desk.history(condition(2, activation=3, condition_class=ConditionClass.ADVISORY))
    assert (alarm.level_owed, alarm.level_highest) == (1, 1)


def test_another_activation_of_the_same_agent_means_that_the_first_had_gone(desk):
    desk.take(condition(1, activation=1))
    desk.act(Event.ACKNOWLEDGE)
    alarm = desk.take(condition(1, activation=2))
    assert desk.events() == ["AT-1 returned", "AT-1 raised"]
    assert (alarm.state.letter, alarm.condition.activation.seq) == ("B", 2)


def test_what_another_activation_says_is_over_changes_nothing_where_all_is_normal(desk):
    desk.take(condition(1, activation=1, unit="bar"))
    desk.take(condition(0, activation=1, unit="bar"))
    desk.act(Event.ACKNOWLEDGE)
    desk.take(condition(0, activation=2, unit="bar"))
    assert not desk.done.is_to_be_written()


def test_what_was_missed_is_what_the_alarm_shows_where_nothing_stands(desk):
    desk.take(condition(1, activation=1, unit="bar"))
    desk.take(condition(0, activation=1, unit="bar"))
    desk.act(Event.ACKNOWLEDGE)
    assert desk.history(condition(2, activation=3)).condition.activation.seq == 3


def test_without_rules_of_its_own_a_book_has_those_of_the_house():
    book = Book()
    book.take(Changeset(1), condition(1))
    done = book.act(Changeset(5), key(), Trigger(Event.ACKNOWLEDGE), WANG, {})
    assert isinstance(done, Alarm)
    assert done.re_alarm_ns == 5 + AlarmRules().re_alarm_ns


def test_what_is_gone_and_never_was_here_changes_nothing(desk):
    desk.book.take(desk.begin(None), condition(0))
    assert not desk.done.is_to_be_written()
    assert desk.book.get(key()) is None


def test_a_refusal_of_the_table_changes_nothing(desk):
    before = desk.take(condition(1))
    changes = Changeset(200)
    assert desk.book.act(changes, key(), Trigger(Event.RESET), WANG, {}) is Reason.STILL_ACTIVE
    assert not changes.is_to_be_written()
    assert desk.of() == before
