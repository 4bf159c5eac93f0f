"""One process between real sockets and a real database: what is acknowledged is committed, once and in order."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from aggregator.agents.queries import load_catalogue
from aggregator.history.chunks import samples
from aggregator.ingest import queries
from aggregator.ingest.receiver import QUEUED_BATCHES_PER_AGENT_MAX
from aggregator.ingest.sessions import HELLO_PERIOD_NS, HELLOS_AT_ONCE
from contract.batch import SampleBatch
from contract.chain import Record
from contract.clock import NS_PER_S
from contract.errors import StoreError
from contract.events import EventType
from contract.ids import Lane, new_epoch
from contract.points import Catalogue, PointSpec, PointType
from contract.wire import frames
from contract.wire.chunk import encode_chunk
from contract.wire.frames import LaneHead, RefuseCode

CATALOGUE = Catalogue(1, (PointSpec(1, "AT-1", "acme/tank", "plc", unit="ppm", scale=0.1),))


def numbers(park) -> list[int]:
    return [row.seq for row in park.rows("SELECT seq FROM events ORDER BY seq")]


def a_chunk() -> bytes:
    batch = SampleBatch.zeros(3)
    batch.point[:], batch.raw[:], batch.time_ns[:] = 1, (10, 11, 12), (5, 6, 7)
    return encode_chunk(batch, 1, "boot", {1: PointType.UINT16})


def test_a_first_hello_is_welcomed_with_nothing_on_either_lane(make_agent):
    welcome = make_agent("gate").welcome()
    assert welcome.lanes == {Lane.EVENTS: LaneHead(0, b""), Lane.TELEMETRY: LaneHead(0, b"")}
    assert welcome.aggregator_id == "park"


def test_events_are_stored_as_they_came_and_vouched_for_in_the_journal(park, agent):
    agent.event(EventType.AGENT_START, {"points": 1})
    agent.turn("AT-1", 1)
    assert agent.acked(agent.batch(1)) == 2
    stored = park.rows("SELECT open, hash FROM events ORDER BY seq")
    assert [row.open for row in stored] == [record.open for record in agent.records]
    assert [row.hash for row in stored] == agent.hashes[1:]
    assert [each["data"]["hash"] for each in park.journal("event")] == [hash_.hex() for hash_ in agent.hashes[1:]]
    assert [line["digest"] for line in park.ledger()] == [each.digest("sha256").hex() for each in agent.records]


def test_what_came_twice_is_acknowledged_again_and_stored_once(park, agent):
    for _ in range(5):
        agent.event(EventType.CHECKPOINT, {})
    assert agent.acked(agent.batch(1, 3)) == 3
    assert agent.acked(agent.batch(1, 3)) == 3
    assert agent.acked(agent.batch(2, 5)) == 5
    assert numbers(park) == [1, 2, 3, 4, 5]


def test_a_hole_that_nobody_declared_is_refused_and_nothing_behind_it_is_stored(park, agent):
    for _ in range(4):
        agent.event(EventType.CHECKPOINT, {})
    answer = agent.ask(agent.batch(3))
    assert isinstance(answer, frames.Refuse)
    assert answer.code is RefuseCode.OUT_OF_ORDER
    assert numbers(park) == []


def test_a_declared_gap_is_put_on_record_and_the_chain_goes_on_behind_it(park, agent):
    for _ in range(6):
        agent.event(EventType.CHECKPOINT, {})
    assert agent.acked(agent.batch(1, gaps=(agent.gap(2, 4),))) == 6
    assert numbers(park) == [1, 5, 6]
    assert park.rows("SELECT hash FROM events WHERE seq = 6")[0].hash == agent.hashes[6]
    gap = park.journal("gap")[0]["data"]
    assert (gap["lane"], gap["first"], gap["last"], gap["cause"]) == ("events", "2", "4", "evicted")


def test_nothing_is_acknowledged_that_is_not_committed(park, agent, monkeypatch):
    def full_disk(*_):
        raise sa.exc.OperationalError("INSERT", {}, Exception("database or disk is full"))

    agent.event(EventType.CHECKPOINT, {})
    monkeypatch.setattr(queries, "write", full_disk)
    agent.send(agent.batch(1))
    with pytest.raises(StoreError, match="cannot commit"):
        park.turn_until(agent.answers)
    assert agent.answers() == []
    assert park.ledger() == []


def test_at_the_moment_of_the_ack_another_process_could_read_the_event(park, agent, monkeypatch):
    """What is sent is sent after the commit: looked at through a second connection at that moment."""
    from aggregator.store.db import open_reader

    seen = []
    send = park.link.send

    def watched(routing_id: bytes, data: bytes) -> None:
        with open_reader(park.folder.database).begin() as connection:
            seen.append(connection.scalar(sa.text("SELECT count(*) FROM events")))
        send(routing_id, data)

    monkeypatch.setattr(park.link, "send", watched)
    agent.event(EventType.CHECKPOINT, {})
    agent.acked(agent.batch(1))
    assert seen == [1]


def test_a_restart_keeps_the_heads_and_goes_on_behind_them(park, agent):
    for _ in range(3):
        agent.event(EventType.CHECKPOINT, {})
    agent.acked(agent.batch(1))
    park.restart()
    welcome = agent.welcome()
    assert welcome.lanes[Lane.EVENTS] == LaneHead(3, agent.hashes[3])
    agent.event(EventType.CHECKPOINT, {})
    assert agent.acked(agent.batch(4)) == 4
    assert park.rows("SELECT hash FROM events WHERE seq = 4")[0].hash == agent.hashes[4]


def test_an_agent_set_back_behind_our_mark_is_told_of_the_fork_and_it_is_put_on_record(park, agent):
    for _ in range(3):
        agent.event(EventType.CHECKPOINT, {})
    agent.acked(agent.batch(1))
    old_image = agent.hello(lanes={Lane.EVENTS: LaneHead(2, agent.hashes[2])})
    answer = agent.connect().ask(old_image)
    assert isinstance(answer, frames.Refuse)
    assert answer.code is RefuseCode.FORK
    assert park.journal("fork")[0]["data"]["seq"] == "2"


def test_another_history_under_the_same_numbers_is_a_fork(park, agent):
    for _ in range(3):
        agent.event(EventType.CHECKPOINT, {})
    agent.acked(agent.batch(1))
    answer = agent.connect().ask(agent.hello(lanes={Lane.EVENTS: LaneHead(3, b"x" * 32)}))
    assert isinstance(answer, frames.Refuse)
    assert answer.code is RefuseCode.FORK


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: Record(b"{not json"),
        lambda record: Record(record.open.replace(b'"seq":"1"', b'"seq":"2"')),
        lambda record: Record(record.open.replace(b'"agent":"gate"', b'"agent":"pump"')),
        lambda record: Record(record.open.replace(b'"acme/tank"', b'"acme/\\ud800"')),
        lambda record: Record(record.open.replace(b'{"agent"', b'{\n"agent"')),
        lambda record: Record(record.open.decode().encode("utf-16")),
    ],
    ids=["no json", "another number", "another agent", "half a surrogate", "not canonical", "utf-16"],
)
def test_what_cannot_be_read_is_kept_acknowledged_and_put_on_record(park, agent, spoil):
    agent.turn("AT-1", 1)
    agent.records[0] = spoil(agent.records[0])
    assert agent.acked(agent.batch(1)) == 1
    assert park.rows("SELECT open, type FROM events")[0] == (agent.records[0].open, None)
    assert park.journal("undecodable")[0]["data"]["seq"] == "1"
    assert park.journal("event") == []
    assert park.standing() == set()


def test_telemetry_is_stored_as_it_came_and_read_back_value_for_value(park, agent):
    agent.send(frames.CatalogueFrame(agent.epoch, CATALOGUE))
    answer = agent.ask(agent.chunks(1, a_chunk(), b"no chunk"))
    assert isinstance(answer, frames.Ack)
    assert answer.lanes == {Lane.TELEMETRY: 2}
    assert [row.samples for row in park.rows("SELECT samples FROM chunks ORDER BY seq")] == [3, None]
    assert [line["samples"] for line in park.ledger()] == [3, 0]
    assert park.journal("undecodable")[0]["data"]["lane"] == "telemetry"
    with park.connection.begin():

        def catalogue_of(version: int) -> Catalogue:
            return load_catalogue(park.connection, "gate", agent.epoch, version)

        found = samples(park.connection, "gate", agent.epoch, "AT-1", catalogue_of, first_ns=6)
    assert found.raw.tolist() == [11, 12]
    assert found.value.tolist() == [11 * 0.1, 12 * 0.1]


def test_a_silent_session_is_closed_and_asked_for_a_hello_when_it_speaks_again(park, agent):
    park.clock.tick(10 * NS_PER_S)
    park.receiver.turn()
    assert park.journal("session_closed")[0]["data"]["reason"] == "silent"
    answer = agent.ask(frames.Heartbeat(1, 1))
    assert isinstance(answer, frames.Refuse)
    assert answer.code is RefuseCode.HELLO_REQUIRED


def test_a_disk_that_stalls_makes_nobody_silent(park, agent, monkeypatch):
    write = queries.write

    def stalling(*arguments) -> None:
        park.clock.tick(10 * NS_PER_S)
        write(*arguments)

    monkeypatch.setattr(queries, "write", stalling)
    agent.event(EventType.CHECKPOINT, {})
    assert agent.acked(agent.batch(1)) == 1
    agent.event(EventType.CHECKPOINT, {})
    assert agent.acked(agent.batch(2)) == 2
    assert park.journal("session_closed") == []


def test_a_second_machine_with_the_same_key_is_a_conflict_and_the_newer_start_stays(park, agent):
    answer = agent.connect().ask(agent.hello(boot_id="c" * 32 + ".1", start_number=0))
    assert isinstance(answer, frames.Refuse)
    assert answer.code is RefuseCode.BOOT_CONFLICT
    assert park.journal("boot_conflict")[0]["data"]["boot_id"] == "c" * 32 + ".1"


def test_a_second_store_on_one_machine_is_refused_and_on_record_until_the_first_is_silent(park, agent):
    other = agent.hello(boot_id="b" * 32 + ".7", start_number=7, epoch=new_epoch())
    answer = agent.connect().ask(other)
    assert isinstance(answer, frames.Refuse)
    assert answer.code is RefuseCode.BOOT_CONFLICT
    told = park.journal("boot_conflict")[0]["data"]
    assert (told["boot_id"], told["other_boot_id"]) == ("b" * 32 + ".7", "b" * 32 + ".1")
    assert park.journal("session_opened")[-1]["data"]["epoch"] == agent.epoch
    park.clock.tick(10 * NS_PER_S)
    assert isinstance(agent.connect().ask(other), frames.Welcome)


def test_a_start_that_comes_back_after_a_later_one_is_a_second_agent(park, agent):
    later = agent.hello(boot_id="b" * 32 + ".2", start_number=2)
    assert isinstance(agent.connect().ask(later), frames.Welcome)
    answer = agent.connect().ask(agent.hello())
    assert isinstance(answer, frames.Refuse)
    assert answer.code is RefuseCode.BOOT_CONFLICT
    assert park.journal("boot_conflict")[0]["data"]["other_boot_id"] == "b" * 32 + ".2"


def test_hellos_beyond_what_a_healthy_agent_says_are_not_answered_and_on_record_once(park, agent):
    agent.connect()
    answers = []
    for _ in range(4 * HELLOS_AT_ONCE):
        agent.send(agent.hello())
        park.turn_until(lambda: True)
        answers += agent.answers()
    park.turn_until(lambda: park.journal("link_refused"))
    answers += agent.answers()
    assert len(answers) == HELLOS_AT_ONCE - 1
    assert [each["data"]["cause"] for each in park.journal("link_refused")] == ["too_many_hellos"]
    park.clock.tick(HELLO_PERIOD_NS)
    assert isinstance(agent.ask(agent.hello()), frames.Welcome)


def test_more_batches_than_any_window_are_refused(park, agent):
    agent.event(EventType.CHECKPOINT, {})
    flood = [agent.chunks(1, a_chunk())] * (QUEUED_BATCHES_PER_AGENT_MAX + 20)
    agent.send(*flood)
    received = []

    def refusals():
        received.extend(agent.answers())
        return [each for each in received if isinstance(each, frames.Refuse)]

    # All of them must be there before the receiver looks, else it works them off as they come.
    import time

    time.sleep(0.2)
    assert park.turn_until(refusals)[0].code is RefuseCode.MALFORMED


def test_live_values_stand_on_the_board_and_nowhere_else(park, agent):
    import numpy as np

    agent.send(frames.CatalogueFrame(agent.epoch, CATALOGUE))
    records = len(park.journal())
    agent.send(
        frames.Live(
            agent.epoch, 1, 1, 1, np.array([1, 99], "<i4").tobytes(), np.array([5, 5], "<i8").tobytes(),
            np.array([2.5, 1.0], "<f8").tobytes(), np.array([0, 0], np.uint8).tobytes(), {1: 77},
        )
    )  # fmt: skip
    agent.ask(frames.Heartbeat(1, 1))
    park.clock.tick(NS_PER_S)
    park.receiver.turn()
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(park.folder.live_database)) as live:
        assert live.execute("SELECT tag, value, quality, time_ns FROM live_values").fetchall() == [("AT-1", 2.5, 0, 5)]
        assert live.execute("SELECT tag, last_good_ns FROM live_devices").fetchall() == [("AT-1", 77)]
        assert live.execute("SELECT agent, connected FROM live_sessions").fetchall() == [("gate", 1)]
    assert len(park.journal()) == records


def test_start_and_stop_are_on_record_with_a_signed_checkpoint_last(park, agent):
    park.receiver.stop()
    kinds = [each["kind"] for each in park.journal()]
    assert kinds[:2] == ["ingest_start", "checkpoint"]
    assert kinds[-3:] == ["session_closed", "ingest_stop", "checkpoint"]


def test_a_checkpoint_is_signed_every_hour(park):
    park.clock.tick(3601 * NS_PER_S)
    park.receiver.turn()
    assert len(park.journal("checkpoint")) == 2


def test_the_exercise_and_class_of_an_event_are_on_its_record(park, agent):
    agent.event(EventType.CONFIG_CHANGE, {}, exercise_id="drill-7", late=True)
    agent.acked(agent.batch(1))
    record = park.journal("event")[0]
    assert (record["exercise_id"], record["late"], record["org"]) == ("drill-7", True, "acme/tank")
    assert json.loads(park.rows("SELECT open FROM events")[0].open)["exercise_id"] == "drill-7"
