"""SNAPSHOT and STATE overtake a backlog, through real sockets: visible at once, and never a second activation."""

from __future__ import annotations

from aggregator.ingest.receiver import ROWS_PER_COMMIT
from contract.events import EventType
from contract.ids import Lane
from contract.wire import frames
from contract.wire.frames import RefuseCode


def activations(park):
    return [
        (row.seq, row.first_seen, row.event_received_ns is not None, row.closed_reason)
        for row in park.rows("SELECT * FROM activations ORDER BY seq")
    ]


def test_a_snapshot_shows_what_stands_before_its_events_arrive(park, agent):
    gas = agent.turn("AT-1", 1)
    agent.event(EventType.CHECKPOINT, {})
    agent.ask(frames.Snapshot(agent.epoch, 2, (gas,)), frames.Heartbeat(1, 1))
    assert park.standing() == {("AT-1", 1, 1)}
    assert park.journal("condition_seen")[0]["data"]["via"] == "snapshot"
    agent.acked(agent.batch(1))
    assert park.standing() == {("AT-1", 1, 1)}
    assert activations(park) == [(1, "snapshot", True, None)]
    assert [each["late"] for each in park.journal("event")] == [True, True]
    assert len(park.journal("condition_seen")) == 1


def test_a_state_overtakes_the_queue_and_its_event_completes_it(park, agent):
    agent.event(EventType.CHECKPOINT, {})
    agent.ask(frames.Snapshot(agent.epoch, 1, ()), frames.Heartbeat(1, 1))
    on = agent.turn("AT-1", 1)
    off = agent.turn("AT-1", 0, activation=2)
    agent.ask(frames.State(agent.epoch, 2, on), frames.Heartbeat(1, 1))
    assert park.standing() == {("AT-1", 1, 2)}
    agent.ask(frames.State(agent.epoch, 3, off), frames.Heartbeat(1, 1))
    assert park.standing() == set()
    agent.acked(agent.batch(1))
    assert park.standing() == set()
    assert activations(park) == [(2, "state", True, "cleared")]
    assert [each["late"] for each in park.journal("event")] == [True, False, False]


def test_a_state_is_committed_before_the_batches_that_were_sent_before_it(park, agent):
    import time

    for _ in range(3000):
        agent.event(EventType.CHECKPOINT, {})
    on = agent.turn("AT-1", 2)
    agent.send(*[agent.batch(first, first + 999) for first in (1, 1001, 2001)], frames.State(agent.epoch, 3001, on))
    time.sleep(0.3)  # all of it is in the socket before the receiver looks
    park.receiver.turn()
    assert park.standing() == {("AT-1", 2, 3001)}
    assert park.rows("SELECT count(*) FROM events")[0][0] < 3000


def test_of_a_full_batch_a_turn_takes_a_part_so_that_a_command_need_not_wait_for_the_rest(park, agent):
    for _ in range(1000):
        agent.event(EventType.CHECKPOINT, {})
    agent.send(agent.batch(1, 1000))

    def committed():
        return park.rows("SELECT count(*) FROM events")[0][0]

    counts = [park.turn_until(committed)]
    while counts[-1] < 1000:
        park.receiver.turn()
        counts.append(committed())
    assert counts == list(range(ROWS_PER_COMMIT, 1001, ROWS_PER_COMMIT))
    acks: list[int] = []

    def all_acked():
        acks.extend(each.lanes[Lane.EVENTS] for each in agent.answers() if isinstance(each, frames.Ack))
        return acks[-1:] == counts[-1:]

    park.turn_until(all_acked)  # the network is a thread of its own: the last of them may come later than the commit
    assert acks == counts


def test_what_a_snapshot_lacks_is_reconciled_once_the_lane_has_passed_it(park, agent):
    agent.turn("AT-1", 1)
    agent.acked(agent.batch(1))
    agent.turn("AT-1", 0, activation=1)
    agent.event(EventType.CHECKPOINT, {})
    agent.welcome()
    agent.ask(frames.Snapshot(agent.epoch, 3, ()), frames.Heartbeat(1, 1))
    assert park.standing() == {("AT-1", 1, 1)}
    agent.acked(agent.batch(2, gaps=(agent.gap(2, 2),)))
    assert park.standing() == set()
    assert activations(park) == [(1, "event", True, "reconciled")]
    record = park.journal("condition_reconciled")[0]
    assert (record["data"]["tag"], record["org"]) == ("AT-1", "acme/tank")


def test_conditions_of_an_earlier_store_are_reconciled_by_the_new_ones_snapshot(park, agent, make_agent):
    agent.turn("AT-1", 1)
    agent.acked(agent.batch(1))
    renewed = make_agent("gate", admitted=False, keys=agent.keys)
    renewed.welcome()
    renewed.event(EventType.AGENT_START, {})
    renewed.acked(frames.Snapshot(renewed.epoch, 1, ()), renewed.batch(1))
    assert park.standing() == set()
    assert activations(park) == [(1, "event", True, "reconciled")]


def test_present_state_and_open_activations_survive_a_restart(park, agent):
    agent.turn("AT-1", 1)
    on = agent.turn("AT-2", 1)
    agent.acked(agent.batch(1, 1))
    agent.ask(frames.State(agent.epoch, 2, on), frames.Heartbeat(1, 1))
    park.restart()
    agent.welcome()
    assert park.standing() == {("AT-1", 1, 1), ("AT-2", 1, 2)}
    agent.turn("AT-1", 0, activation=1)
    agent.acked(agent.batch(2))
    assert park.standing() == {("AT-2", 1, 2)}
    assert activations(park) == [(1, "event", True, "cleared"), (2, "state", True, None)]


def test_a_condition_that_another_agent_owns_is_refused(park, agent, make_agent):
    other = make_agent("pump")
    other.welcome()
    on = agent.turn("AT-1", 1)
    answer = other.ask(frames.State(other.epoch, 1, on))
    assert isinstance(answer, frames.Refuse)
    assert answer.code is RefuseCode.MALFORMED
    assert park.standing() == set()
