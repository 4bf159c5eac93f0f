"""Who may not speak is refused and put on record; what makes no sense changes nothing."""

from __future__ import annotations

import random
import socket
from dataclasses import replace

import structlog

from aggregator.agents import allowlist
from contract.clock import NS_PER_S
from contract.events import EventType
from contract.ids import AgentName
from contract.wire import frames
from contract.wire.frames import RefuseCode


def refusals(park):
    return [each["data"] for each in park.journal("link_refused")]


def test_an_unknown_key_gets_no_link_and_is_put_on_record_once_a_minute(park, make_agent):
    stranger = make_agent("stranger", admitted=False)
    stranger.send(stranger.hello())
    park.turn_until(lambda: refusals(park))
    stranger.connect()
    for _ in range(5):
        park.receiver.turn()
    key = stranger.keys.public.curve_public.hex()
    assert [(each["cause"], each["curve_public"], each["count"]) for each in refusals(park)] == [
        ("unknown_key", key, 1)
    ]
    assert stranger.answers() == []
    park.clock.tick(61 * NS_PER_S)
    stranger.connect()
    park.turn_until(lambda: len(refusals(park)) == 2)
    assert refusals(park)[1]["count"] > 1


def test_a_key_admitted_while_running_gets_in(park, make_agent):
    agent = make_agent("late", admitted=False)
    park.receiver.turn()
    allowlist.add(park.folder.agents_file, "late", agent.keys.public, 2)
    assert agent.welcome()
    assert park.journal("agent_admitted")[0]["data"]["agent"] == "late"


def test_a_revoked_key_is_cut_off_on_its_live_connection(park, agent):
    agent.event(EventType.CHECKPOINT, {})
    agent.acked(agent.batch(1))
    allowlist.revoke(park.folder.agents_file, "gate", "stolen", 3)
    agent.event(EventType.CHECKPOINT, {})
    answer = agent.ask(agent.batch(2))
    assert isinstance(answer, frames.Refuse)
    assert answer.code is RefuseCode.REVOKED
    for message in (agent.batch(2), agent.hello()):
        park.clock.tick(2 * NS_PER_S)
        answers = [answer, *agent.answers()]
        agent.send(message)
        answers += park.turn_until(agent.answers)
        assert {each.code for each in answers} == {RefuseCode.REVOKED}
    assert park.rows("SELECT count(*) FROM events")[0][0] == 1
    assert park.journal("agent_revoked")[0]["data"]["reason"] == "stolen"
    assert park.journal("session_closed")[0]["data"]["reason"] == "revoked"


def test_a_revoked_agent_that_says_nothing_is_told_at_once(park, agent):
    allowlist.revoke(park.folder.agents_file, "gate", "", 3)
    [answer] = park.turn_until(agent.answers)
    assert answer.code is RefuseCode.REVOKED


def test_a_revoked_key_does_not_come_back(park, agent):
    allowlist.revoke(park.folder.agents_file, "gate", "", 3)
    park.turn_until(agent.answers)
    agent.connect().send(agent.hello())
    park.turn_until(lambda: refusals(park))
    assert refusals(park)[0]["cause"] == "revoked"
    assert agent.answers() == []


def test_another_agents_name_is_refused_and_put_on_record(park, agent, make_agent):
    impostor = make_agent("impostor")
    answer = impostor.ask(replace(impostor.hello(), agent=AgentName("gate")))
    assert isinstance(answer, frames.Refuse)
    assert answer.code is RefuseCode.NAME_MISMATCH
    assert (refusals(park)[0]["cause"], refusals(park)[0]["agent"]) == ("name_mismatch", "impostor")
    agent.event(EventType.CHECKPOINT, {})
    assert agent.acked(agent.batch(1)) == 1


def test_garbage_from_an_admitted_key_is_refused_counted_and_changes_nothing(park, agent):
    rng = random.Random(7)
    before = len(park.journal())
    with structlog.testing.capture_logs() as logs:
        agent.send(*[rng.randbytes(size) for size in range(0, 2000, 20)])
        answers = park.turn_until(agent.answers)
        agent.send(frames.Heartbeat(1, 1))
        park.turn_until(lambda: any(isinstance(each, frames.Heartbeat) for each in agent.answers()))
    assert [each.code for each in answers] == [RefuseCode.MALFORMED]
    assert len(park.journal()) == before
    assert 1 <= len([each for each in logs if each["event"] == "malformed"]) <= 3


def test_garbage_on_the_bare_port_changes_nothing(park, agent):
    host, port = park.endpoint.removeprefix("tcp://").split(":")
    before = len(park.journal())
    for data in (b"GET / HTTP/1.1\r\n\r\n", random.Random(1).randbytes(10_000), b"\xff" * 64):
        with socket.create_connection((host, int(port)), timeout=5) as raw:
            raw.sendall(data)
            park.receiver.turn()
    assert len(park.journal()) == before
    assert isinstance(agent.ask(frames.Heartbeat(1, 1)), frames.Heartbeat)


def test_a_message_of_several_parts_is_no_frame(park, agent):
    agent.socket.send_multipart([b"a", b"b", b"c"])
    [answer] = park.turn_until(agent.answers)
    assert answer.code is RefuseCode.MALFORMED


def test_an_epoch_keeps_the_hash_algorithm_it_began_with(park, agent):
    answer = agent.connect().ask(agent.hello(hash_algorithm="sm3"))
    assert isinstance(answer, frames.Refuse)
    assert answer.code is RefuseCode.MALFORMED


def test_an_unreadable_list_of_agents_is_told_and_the_last_good_one_stays(park, agent):
    park.folder.agents_file.write_text("{")
    agent.event(EventType.CHECKPOINT, {})
    assert agent.acked(agent.batch(1)) == 1
    assert "agents.json" in str(park.faults[0])
