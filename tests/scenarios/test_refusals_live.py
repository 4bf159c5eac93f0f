"""Who may not speak is refused and put on record, what is no message changes nothing, and the others go on meanwhile."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
import zmq
import zmq.utils.z85

from contract.ids import AgentName, Epoch, Lane, new_epoch
from contract.keys import SecretKeys, parse_public, parse_secret
from contract.wire import frames
from contract.wire.codec import decode, encode
from contract.wire.frames import LaneHead, RefuseCode
from hil_tests.audit import Flaw
from hil_tests.field import Field, FieldAgent, Tail, one_device, wait_for

DEVICE = "plant"
GOING_ON = "gate"
ANSWER_TIMEOUT_S = 5.0

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def field(open_module_field) -> Iterator[Field]:
    """One agent streams all the while; the tests bring the others."""
    wave = {"kind": "counter", "period_s": 0.2, "modulo": 2}
    field: Field = open_module_field(one_device(DEVICE, [{"name": f"wave{i}", "signal": wave} for i in range(4)]))
    field.add_agent(GOING_ON, DEVICE, _points())
    field.start()
    yield field
    field.wait_until_streaming(field.agents[GOING_ON])
    found = field.audit(field.agents[GOING_ON])
    # It still streams, so what was committed a moment ago may be on the way.
    flaws = [each for each in found.findings if each.flaw is not Flaw.LOST]
    assert not flaws, str(found)


@pytest.fixture(autouse=True)
def others_go_on(field) -> Iterator[None]:
    """Whatever a test does, the agent that did nothing keeps its session and its events keep arriving."""
    sessions = len(_of(field, GOING_ON, "session_opened"))
    yield
    tail = Tail(field.aggregator.ledger)
    before = _events_of(tail, field)
    wait_for(lambda: _events_of(tail, field) > before + 2, "the other agent's events arrive", 10.0)
    assert len(_of(field, GOING_ON, "session_opened")) == sessions
    assert not _of(field, GOING_ON, "session_closed")


def test_an_unknown_key_gets_no_link_and_is_put_on_record(field):
    before = len(field.aggregator.journal())
    stranger = field.add_agent("stranger", DEVICE, _points("S"), admitted=False)
    stranger.start()
    wait_for(lambda: _refusals(field, before), "the refusal is put on record", 30.0)
    time.sleep(1.0)
    # The handshake fails without a word: a refusal in words would mean that it had got a link to be refused on.
    assert stranger.status()["destinations"][0]["refusal"] is None
    stranger.program.stop()
    assert _refusals(field, before) == ["unknown_key"]
    assert _kinds(field, before, "stranger") <= {"link_refused"}
    assert not [each for each in field.aggregator.committed() if each.key.agent == "stranger"]


def test_a_key_revoked_while_it_streams_is_refused_and_nothing_of_it_is_committed_after(field):
    agent = field.add_agent("leaver", DEVICE, _points("L"))
    agent.start()
    field.wait_until_streaming(agent)
    wait_for(lambda: field.aggregator.events("leaver")[3:], "its events arrive")
    field.aggregator.revoke("leaver")
    wait_for(lambda: _of(field, "leaver", "agent_revoked"), "the revocation is put on record", 5.0)
    committed = len(field.aggregator.events("leaver"))
    wait_for(lambda: "revoked" in str(agent.status()["destinations"][0]["refusal"]), "the agent knows why", 5.0)
    sent = len(agent.committed())
    wait_for(lambda: len(agent.committed()) > sent + 5, "it goes on judging")
    agent.program.stop()
    records = field.aggregator.journal()
    revoked_at = next(i for i, each in enumerate(records) if each["kind"] == "agent_revoked")
    assert not [each for each in records[revoked_at:] if each["kind"] == "event" and each["data"]["agent"] == "leaver"]
    assert len(field.aggregator.events("leaver")) == committed
    assert _of(field, "leaver", "session_closed")[-1]["data"]["reason"] == "revoked"


def test_a_hello_under_another_name_is_refused_and_put_on_record(field):
    keys = _admit(field, "impostor")
    before = len(field.aggregator.journal())
    with _link(field, keys) as link:
        link.send(encode(replace(_hello("impostor"), agent=AgentName(GOING_ON))))
        refusal = _answer(link)
    assert isinstance(refusal, frames.Refuse)
    assert refusal.code is RefuseCode.NAME_MISMATCH
    assert _kinds(field, before, "impostor") == {"link_refused"}


def test_random_bytes_on_the_port_change_nothing(field):
    rng = random.Random(1)
    before = len(field.aggregator.journal())
    host, port = field.aggregator.endpoint.removeprefix("tcp://").split(":")
    for size in (1, 10, 64, 1000, 100_000):
        with closing(socket.create_connection((host, int(port)), timeout=5)) as raw:
            raw.settimeout(1)
            try:
                raw.sendall(rng.randbytes(size))
                raw.recv(1000)
            except OSError:
                pass  # it may hang up on us
    assert _kinds(field, before) <= {"link_refused", "event"}


def test_random_frames_over_an_admitted_link_change_nothing(field):
    keys = _admit(field, "babbler")
    rng = random.Random(2)
    before = len(field.aggregator.journal())
    valid = encode(_hello("babbler"))
    with _link(field, keys) as link:
        for size in range(0, 3000, 30):
            link.send(rng.randbytes(size))
            cut = bytearray(valid)
            cut[rng.randrange(2, len(cut))] ^= 0xFF
            link.send(bytes(cut[: rng.randrange(len(cut))]))
            link.send_multipart([b"", rng.randbytes(size)])
        refusal = _answer(link)
    assert isinstance(refusal, frames.Refuse)
    assert refusal.code is RefuseCode.MALFORMED
    time.sleep(0.5)
    assert _kinds(field, before, "babbler") == set()
    assert not [each for each in field.aggregator.committed() if each.key.agent == "babbler"]


def test_batches_that_lie_are_refused_and_an_honest_one_is_taken_after(field):
    keys = _admit(field, "liar")
    hello = _hello("liar")
    with _link(field, keys) as link:
        link.send(encode(hello))
        assert isinstance(_answer(link), frames.Welcome)
        link.send(encode(frames.TelemetryBatch(hello.epoch, 5, (), (b"no chunk",))))
        refusal = _answer(link)
        assert isinstance(refusal, frames.Refuse)
        assert refusal.code is RefuseCode.OUT_OF_ORDER
        link.send(encode(frames.TelemetryBatch(hello.epoch, 1, (), (b"no chunk",))))
        wait_for(lambda: field.aggregator.journal("undecodable"), "what cannot be read is stored and said", 5.0)
    rows = field.aggregator.rows("SELECT seq, chunk FROM chunks WHERE agent = 'liar'")
    assert rows == [(1, b"no chunk")]


# --- who speaks -------------------------------------------------------------------------------------------------------


def _points(prefix: str = "G"):
    row = {"register": "holding", "type": "uint16", "unit": "1", "poll_s": 0.1, "h": 0.5}
    return [{"tag": f"{prefix}-WAVE-{i}", "address": 2 * i, **row} for i in range(4)]


def _admit(field: Field, name: str) -> SecretKeys:
    agent: FieldAgent = field.add_agent(name, DEVICE, _points(name))
    wait_for(lambda: _of(field, name, "agent_admitted"), f"{name} is admitted", 5.0)
    path = agent.folder / "keys" / "agent.key"
    return parse_secret(path.read_text(encoding="ascii"), path.name)


def _hello(name: str) -> frames.Hello:
    return frames.Hello(
        protocol_lowest=1, protocol_highest=1, features=(), software="test", agent=AgentName(name), boot_id="b.1",
        start_number=1, epoch=Epoch(new_epoch()), hash_algorithm="sha256", catalogue_version=0, config_hash="",
        lanes={lane: LaneHead(0, b"") for lane in Lane}, wall_ns=time.time_ns(), mono_ns=time.monotonic_ns(),
    )  # fmt: skip


@contextmanager
def _link(field: Field, keys: SecretKeys) -> Iterator[zmq.Socket[bytes]]:
    path = field.aggregator.folder / "keys" / "aggregator.pub"
    server = parse_public(path.read_text(encoding="ascii"), path.name)
    with zmq.Context() as context, context.socket(zmq.DEALER) as link:
        link.curve_serverkey = zmq.utils.z85.encode(server.curve_public)
        link.curve_publickey = zmq.utils.z85.encode(keys.public.curve_public)
        link.curve_secretkey = zmq.utils.z85.encode(keys.curve_secret)
        link.linger = 0
        link.rcvtimeo = round(ANSWER_TIMEOUT_S * 1000)
        link.sndtimeo = link.rcvtimeo
        link.connect(field.aggregator.endpoint)
        yield link


def _answer(link: zmq.Socket[bytes]) -> frames.Frame:
    return decode(link.recv())


# --- what is on record ------------------------------------------------------------------------------------------------


def _of(field: Field, agent: str, kind: str):
    return [each for each in field.aggregator.journal(kind) if each["data"].get("agent") == agent]


def _kinds(field: Field, after: int, agent: str | None = None) -> set[str]:
    """Kinds of the records since then, of one agent or of all."""
    records = field.aggregator.journal()[after:]
    return {each["kind"] for each in records if agent in (None, each["data"].get("agent"))}


def _refusals(field: Field, after: int) -> list[str]:
    return [each["data"]["cause"] for each in field.aggregator.journal()[after:] if each["kind"] == "link_refused"]


def _events_of(tail: Tail, field: Field) -> int:
    return sum(each.key.agent == GOING_ON and each.key.lane is Lane.EVENTS for each in field.aggregator.committed())
