"""Events of a real agent become alarms of a real database, and people act on them: through restarts, once, on record."""

from __future__ import annotations

import pytest

from aggregator.alarms.commands import Action
from aggregator.commands.refusal import RefusalCode, RefusedError
from contract.clock import NS_PER_S
from contract.wire import frames

KEY = "acme/AT-1/high"


# --- the life of a gas alarm -------------------------------------------------------------------------------------------


def test_gas_comes_is_acknowledged_goes_and_is_reset(room, wang, agent):
    room.told(agent, "AT-1", 1)
    (view,) = room.alarms.standing(wang)
    assert (view.letter, view.level, view.priority, view.sounding, view.activations) == ("B", 1, 2, True, 1)
    view = room.act(wang, Action.ACKNOWLEDGE, comment="seen on camera")
    assert (view.letter, view.sounding, view.acknowledged_by, view.comment) == ("C", False, "wang", "seen on camera")
    agent.turn("AT-1", 0, 1)
    agent.acked(agent.batch(2))
    assert room.letter(wang) == "C"
    assert room.act(wang, Action.RESET).letter == "A"
    assert room.alarms.standing(wang) == []
    (instance,) = room.alarms.history(wang)
    assert (instance.activations, instance.level_max, instance.ended_ns is not None) == (1, 1, True)
    assert room.story() == [("raised", "B"), ("acknowledge", "C"), ("returned", "C"), ("reset", "A")]


def test_a_higher_level_sounds_again_and_is_the_same_instance(room, wang, agent):
    room.told(agent, "AT-1", 1)
    room.act(wang, Action.ACKNOWLEDGE)
    before = room.alarms.one(wang, KEY).instance
    agent.turn("AT-1", 2, 1)
    agent.acked(agent.batch(2))
    view = room.alarms.one(wang, KEY)
    assert (view.letter, view.level, view.priority, view.sounding, view.instance) == ("B", 2, 1, True, before)


def test_the_names_of_people_stand_in_the_restricted_part_only(room, wang, agent):
    room.told(agent, "AT-1", 1)
    room.act(wang, Action.ACKNOWLEDGE)
    (row,) = room.park.rows("SELECT open, restricted FROM journal WHERE kind = 'alarm' AND restricted <> x''")
    assert b"wang" not in row.open
    assert b'"person":"wang"' in row.restricted


# --- who saw what ------------------------------------------------------------------------------------------------------


def test_an_action_on_what_has_moved_on_is_refused_and_on_record(room, wang, agent):
    room.told(agent, "AT-1", 1)
    seen = room.alarms.one(wang, KEY).revision
    agent.turn("AT-1", 2, 1)
    agent.acked(agent.batch(2))
    error = room.refused(wang, Action.ACKNOWLEDGE, seen=seen)
    assert error.code is RefusalCode.MOVED_ON
    assert (error.params["seen"], error.params["revision"]) == (seen, seen + 1)
    assert room.letter(wang) == "B"
    (record,) = room.park.journal("action_refused")
    assert (record["data"]["verb"], record["data"]["code"]) == ("alarm_acknowledge", "moved_on")


@pytest.mark.parametrize(
    ("action", "args", "code"),
    [
        (Action.RESET, {}, RefusalCode.NOT_POSSIBLE),
        (Action.UNSHELVE, {}, RefusalCode.NOT_POSSIBLE),
        (Action.COMMENT, {}, RefusalCode.INVALID),
        (Action.SHELVE, {"reason": "x"}, RefusalCode.INVALID),
        (Action.SHELVE, {"reason": "x", "until_ns": "1"}, RefusalCode.INVALID),
        (Action.SHELVE, {"reason": "x", "until_ns": str(10**19)}, RefusalCode.INVALID),
        (Action.REMOVE_FROM_SERVICE, {"permit": "P-7"}, RefusalCode.NOT_ALLOWED),
        (Action.ACKNOWLEDGE, {"comment": "x" * 5000}, RefusalCode.INVALID),
    ],
)
def test_what_cannot_be_is_refused_with_a_code(room, wang, agent, action, args, code):
    room.told(agent, "AT-1", 1)
    before = room.alarms.one(wang, KEY)
    assert room.refused(wang, action, **args).code is code
    assert room.alarms.one(wang, KEY) == before


@pytest.mark.parametrize(
    "character", ["\0", "\n", "\x1b", "\x7f", "\x85", "\u2028", "\u202a", "\u202e", "\u2066", "\u2069"]
)
@pytest.mark.parametrize(
    ("action", "field"),
    [(Action.COMMENT, "comment"), (Action.ACKNOWLEDGE, "comment"), (Action.SHELVE, "reason"),
     (Action.REMOVE_FROM_SERVICE, "permit")],
)  # fmt: skip
def test_a_text_that_would_be_shown_as_another_is_refused(room, agent, action, field, character):
    zhou = room.enter("zhou", "engineer")
    room.told(agent, "AT-1", 1)
    before = room.alarms.one(zhou, KEY)
    ends = {} if field == "comment" else {"until_ns": until(room, 600)}
    error = room.refused(zhou, action, **{field: f"阀门{character}7 closed"}, **ends)
    assert (error.code, error.params["field"]) == (RefusalCode.INVALID, field)
    assert f"U+{ord(character):04X}" in str(error.params["message"])
    assert str(error.params["message"]).endswith("remove it")
    assert room.alarms.one(zhou, KEY) == before
    assert room.act(zhou, action, **{field: "阀门 №7 – closed ✓ é"}, **ends).revision >= before.revision


def test_outside_his_scope_a_person_sees_and_does_nothing(room, wang, agent):
    li = room.enter("li", "operator", "other-works")
    room.told(agent, "AT-1", 1)
    assert room.alarms.standing(li) == []
    assert room.alarms.history(li) == []
    with pytest.raises(RefusedError) as caught:
        room.during(room.alarms.act, li, Action.ACKNOWLEDGE, KEY, 1)
    assert caught.value.code is RefusalCode.UNKNOWN
    assert room.letter(wang) == "B"


# --- holds and timers --------------------------------------------------------------------------------------------------


def until(room, seconds):
    return str(room.park.clock.wall_ns() + seconds * NS_PER_S)


def test_a_shelf_ends_when_it_was_promised(room, wang, agent):
    room.told(agent, "AT-1", 1)
    assert room.act(wang, Action.SHELVE, reason="calibrating", until_ns=until(room, 600)).letter == "E"
    room.park.clock.tick(599 * NS_PER_S)
    room.park.receiver.turn()
    assert room.letter(wang) == "E"
    room.park.clock.tick(2 * NS_PER_S)
    room.park.receiver.turn()
    view = room.alarms.one(wang, KEY)
    assert (view.letter, view.sounding) == ("B", True)
    assert room.story()[-1] == ("shelf_expired", "B")


def test_a_shelf_that_ended_while_nobody_ran_ends_at_the_start(room, wang, agent):
    room.told(agent, "AT-1", 1)
    room.act(wang, Action.SHELVE, reason="calibrating", until_ns=until(room, 600))
    room.park.clock.tick(900 * NS_PER_S)
    room.park.restart()
    assert room.letter(wang) == "B"


def test_a_higher_level_ends_a_shelf(room, wang, agent):
    room.told(agent, "AT-1", 1)
    room.act(wang, Action.SHELVE, reason="calibrating", until_ns=until(room, 600))
    agent.turn("AT-1", 2, 1)
    agent.acked(agent.batch(2))
    view = room.alarms.one(wang, KEY)
    assert (view.letter, view.sounding, view.shelved_until_ns) == ("B", True, None)


def test_what_stands_acknowledged_for_long_is_heard_again(room, wang, agent):
    room.told(agent, "AT-1", 1)
    room.act(wang, Action.ACKNOWLEDGE)
    room.park.restart()
    room.park.clock.tick(3601 * NS_PER_S)
    room.park.receiver.turn()
    assert room.letter(room.enter("wang", "operator")) == "B"
    assert room.story()[-1] == ("realarm", "B")


def test_out_of_service_needs_an_engineer_a_permit_and_a_date(room, wang, agent):
    chen = room.enter("chen", "engineer")
    room.told(agent, "AT-1", 1)
    view = room.act(chen, Action.REMOVE_FROM_SERVICE, permit="P-7", until_ns=until(room, 86400))
    assert (view.letter, view.hold["service"]["permit"], view.hold["service"]["person"]) == ("G", "P-7", "chen")
    assert room.refused(wang, Action.ACKNOWLEDGE).params["reason"] == "held"
    assert room.act(chen, Action.RETURN_TO_SERVICE).letter == "B"


# --- restarts, snapshots, history --------------------------------------------------------------------------------------


def snapshot(agent, as_of, *conditions):
    return frames.Snapshot(agent.epoch, as_of, conditions)


def test_what_was_acknowledged_stays_so_through_a_restart_and_a_snapshot(room, wang, agent):
    room.told(agent, "AT-1", 1)
    room.act(wang, Action.ACKNOWLEDGE)
    before = room.alarms.one(wang, KEY)
    room.park.restart()
    agent.welcome()
    agent.send(snapshot(agent, 1, agent.condition("AT-1", 1, 1)))
    room.park.turn_until(lambda: room.alarms.one(wang, KEY) == before)
    for _ in range(5):
        room.park.receiver.turn()
    assert room.alarms.one(wang, KEY) == before
    assert len(room.story()) == 2


def test_another_activation_in_the_snapshot_is_heard_even_if_the_one_before_was_acknowledged(room, wang, agent):
    room.told(agent, "AT-1", 1)
    room.act(wang, Action.ACKNOWLEDGE)
    agent.turn("AT-1", 0, 1)
    agent.turn("AT-1", 1)
    agent.send(snapshot(agent, 3, agent.condition("AT-1", 1, 3)))
    room.park.turn_until(lambda: room.letter(wang) == "B")
    view = room.alarms.one(wang, KEY)
    assert view.activations == 2
    agent.acked(agent.batch(2))
    assert room.alarms.one(wang, KEY) == view


def test_what_came_and_went_during_an_outage_is_owed_without_sound(room, wang, agent):
    agent.turn("AT-1", 1)
    agent.turn("AT-1", 0, 1)
    agent.send(snapshot(agent, 2))
    agent.acked(agent.batch(1))
    view = room.alarms.one(wang, KEY)
    assert (view.letter, view.sounding, view.late, view.activations) == ("D", False, True, 1)
    (record,) = room.park.journal("alarm")
    assert (record["data"]["event"], record["late"]) == ("missed", True)


def test_each_activation_belongs_to_one_instance(room, wang, agent):
    room.told(agent, "AT-1", 1, 0)
    room.told(agent, "AT-1", 1, 0)
    room.told(agent, "AT-2", 1)
    rows = room.park.rows("SELECT seq, instance FROM alarm_activations ORDER BY seq")
    assert [row.seq for row in rows] == [1, 3, 5]
    assert rows[0].instance == rows[1].instance != rows[2].instance


def test_a_database_from_before_there_were_alarms_gets_them_at_the_start(room, wang, agent):
    room.told(agent, "AT-1", 2)
    for table in ("alarms", "alarm_instances", "alarm_activations"):
        with room.park.connection.begin():
            room.park.connection.exec_driver_sql(f"DELETE FROM {table}")
    room.park.restart()
    assert room.letter(wang) == "B"
