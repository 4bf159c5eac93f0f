"""Until somebody has answered for it an alarm tells the highest level that it reached, and keeps that priority."""

from __future__ import annotations

import pytest
from alembic import command
from alembic.config import Config

from aggregator.alarms.commands import Action
from aggregator.store.db import migrate, open_writer
from contract.wire import frames

KEY = "acme/AT-1/high"


def told(room, caller):
    view = room.alarms.one(caller, KEY)
    return view.letter, view.level, view.level_highest, view.priority


def test_what_fell_back_unacknowledged_still_tells_the_highest_level(room, wang, agent):
    activation = room.told(agent, "AT-1", 1, 2, 1)
    assert told(room, wang) == ("B", 1, 2, 1)
    room.later(agent, "AT-1", 0, activation)
    assert told(room, wang) == ("D", 0, 2, 1)
    room.park.restart()
    assert told(room, wang) == ("D", 0, 2, 1)


def test_acknowledged_it_tells_the_present_level(room, wang, agent):
    activation = room.told(agent, "AT-1", 2, 1)
    room.act(wang, Action.ACKNOWLEDGE)
    assert told(room, wang) == ("C", 1, 1, 2)
    room.later(agent, "AT-1", 0, activation)
    assert told(room, wang) == ("C", 0, 2, 1), "what latched was level 2"


def test_a_new_activation_after_the_answer_is_told_at_its_own_level(room, wang, agent):
    room.told(agent, "AT-1", 2, 0)
    room.act(wang, Action.ACKNOWLEDGE)
    room.told(agent, "AT-1", 1)
    assert told(room, wang) == ("B", 1, 1, 2)


def test_who_takes_his_acknowledgement_back_has_the_highest_level_before_him_again(room, wang, agent):
    room.told(agent, "AT-1", 2, 1)
    room.act(wang, Action.ACKNOWLEDGE)
    room.act(wang, Action.UNACKNOWLEDGE)
    assert told(room, wang) == ("B", 1, 2, 1)


def test_level_2_that_came_and_went_during_an_outage_is_owed_as_level_2(room, wang, agent):
    room.told(agent, "AT-1", 1, 0)
    first = len(agent.records) + 1
    agent.turn("AT-1", 2)
    agent.turn("AT-1", 0, first)
    agent.send(frames.Snapshot(agent.epoch, first + 1, ()))
    agent.acked(agent.batch(first))
    assert told(room, wang) == ("D", 0, 2, 1)
    record = room.park.journal("alarm")[-1]["data"]
    assert (record["event"], record["priority"], record["activation"]["seq"]) == ("missed", 1, str(first))
    (instance,) = room.alarms.history(wang)
    assert (instance.level_max, instance.activations) == (2, 2)


def test_an_instance_owes_nothing_of_the_one_before_it(room, wang, agent):
    room.told(agent, "AT-1", 2, 0)
    room.act(wang, Action.ACKNOWLEDGE)
    room.act(wang, Action.RESET)
    room.told(agent, "AT-1", 1)
    assert told(room, wang) == ("B", 1, 1, 2)


@pytest.mark.parametrize(("level_max", "instance"), [(2, "i"), (None, None)])
def test_alarms_of_a_database_from_before_owe_the_highest_level_of_their_instance(tmp_path, level_max, instance):
    engine = open_writer(tmp_path / "x.db")
    with engine.begin() as connection:
        config = Config()
        config.set_main_option("script_location", "aggregator.store:migrations")
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        if instance is not None:
            connection.exec_driver_sql(
                "INSERT INTO alarm_instances (id, organisation, tag, kind, org, condition_class, opened_ns, on_time_ns,"
                f" level_max, activations, late) VALUES ('i', 'a', 't', 'high', 'a', 'safety', 1, 1, {level_max}, 1, 0)"
            )
        connection.exec_driver_sql(
            "INSERT INTO alarms (organisation, tag, kind, org, active, level, acknowledged, latched, shelf, suppressed,"
            " out_of_service, sounding, revision, changed_ns, instance, hold, condition, standing) VALUES"
            " ('a', 't', 'high', 'a', 1, 1, 0, 1, 'none', 0, 0, 1, 1, 1, ?, '{}', '{}', 1)",
            (instance,),
        )
        migrate(connection)
        assert connection.exec_driver_sql("SELECT level_owed FROM alarms").scalar() == (level_max or 0)
    engine.dispose()
