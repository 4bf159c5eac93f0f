"""Commands over a real socket to a real receiver: answered after the commit, and open to the folder's own key only."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import zmq
import zmq.utils.z85

from aggregator.app import ask
from aggregator.commands.channel import CommandClient
from aggregator.commands.messages import Command, encode_command
from aggregator.commands.refusal import RefusalCode, RefusedError, UnavailableError
from contract.keys import generate


@pytest.fixture
def client(park):
    found = CommandClient(park.folder)
    yield found
    found.close()


def sent(park, client, command):
    """What came of a command while the receiver turned."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.send, command)
        park.turn_until(asked.done)
        return asked.result()


def test_a_refusal_comes_back_with_its_code_and_stands_in_the_journal(park, client):
    with pytest.raises(RefusedError) as caught:
        sent(park, client, Command("fly", {"how": "high"}, station="console 2"))
    assert caught.value.code is RefusalCode.UNKNOWN
    (record,) = park.journal("action_refused")
    assert record["data"]["args"] == {"how": "high"}
    (row,) = park.rows("SELECT restricted FROM journal WHERE kind = 'action_refused'")
    assert row.restricted == b'{"person":null,"station":"console 2"}'


def test_a_ping_is_answered_and_leaves_no_record(park, client):
    before = len(park.journal())
    assert sent(park, client, Command("ping")) == {}
    assert len(park.journal()) == before


def test_after_a_restart_commands_go_to_the_new_place(park, client):
    sent(park, client, Command("ping"))
    park.restart()
    assert sent(park, client, Command("ping")) == {}


def test_where_nobody_answers_it_is_said_that_nothing_was_delivered(park, client):
    with pytest.raises(UnavailableError) as caught:
        client.send(Command("ping"), timeout_s=0.2)
    assert not caught.value.delivered


def test_the_place_is_told_to_the_owner_only(park):
    assert park.folder.command_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("whose", ["an admitted agent's", "a stranger's"])
def test_another_key_is_not_let_in(park, make_agent, whose):
    keys = make_agent("gate").keys if whose.startswith("an admitted") else generate("stranger")
    context = zmq.Context()
    with closing(context.socket(zmq.DEALER)) as link:
        link.linger = 0
        link.curve_secretkey = zmq.utils.z85.encode(keys.curve_secret)
        link.curve_publickey = zmq.utils.z85.encode(keys.public.curve_public)
        link.curve_serverkey = zmq.utils.z85.encode(park.folder.public_keys().curve_public)
        link.connect(park.folder.command_file.read_text())
        link.send(encode_command(1, Command("ping")))
        for _ in range(5):
            park.receiver.turn()
        assert not link.poll(100)
    context.term()


def test_garbage_from_the_own_key_ends_nothing(park, client):
    link = client._open(park.folder.command_file.read_text())
    link.send(b"garbage")
    link.send_multipart([b"two", b"parts"])
    for _ in range(3):
        park.receiver.turn()
    link.close(0)
    assert sent(park, client, Command("ping")) == {}


def test_where_no_aggregator_runs_the_command_is_carried_out_here(park):
    park.close()
    with pytest.raises(RefusedError):
        ask(park.folder, Command("fly"))
    park.restart()
    assert [record["data"]["verb"] for record in park.journal("action_refused")] == ["fly"]
