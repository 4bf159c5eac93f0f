"""Whatever is changed in the database behind the program's back, the walk names the chain and the place."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from aggregator import cli
from contract.chain import Record, genesis, link
from contract.events import EventType, canonical


@pytest.fixture
def filled(park, agent):
    """A park with six events of one agent, a declared gap and a clean stop."""
    for _ in range(8):
        agent.event(EventType.CHECKPOINT, {})
    agent.acked(agent.batch(1, gaps=(agent.gap(4, 5),)))
    park.receiver.stop()
    return park


def verify(park, capsys) -> tuple[int, str]:
    status = cli.main(["verify", str(park.folder.path)])
    return status, capsys.readouterr().out


def tamper(park, *statements: str) -> None:
    with closing(sqlite3.connect(park.folder.database)) as connection, connection:
        for statement in statements:
            assert connection.execute(statement).rowcount == 1


def test_whole_chains_pass_and_say_how_much_was_walked(filled, capsys):
    status, said = verify(filled, capsys)
    assert status == 0
    assert "events gate" in said
    assert "6 whole" in said


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM events WHERE seq = 7", "breaks at 7"),
        ("DELETE FROM events WHERE seq = 8", "missing or another one"),
        ("DELETE FROM gaps", "breaks at 4: the next event is 6"),
        ("UPDATE events SET open = open || ' ' WHERE seq = 3", "breaks at 3"),
        ("UPDATE events SET restricted = 'x' WHERE seq = 3", "breaks at 3"),
        ("DELETE FROM journal WHERE seq = 5", "breaks at 5: the next record is 6"),
        ("DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)", "the chain ends here"),
        ("UPDATE journal SET open = replace(open, 'gate', 'gota') WHERE seq = 5", "breaks at 5"),
        ("UPDATE journal SET kind = 'gap' WHERE seq = 5", "columns are not those of the record"),
    ],
)
def test_a_change_is_found_and_placed(filled, capsys, statement, said):
    tamper(filled, statement)
    status, found = verify(filled, capsys)
    assert status == 1
    assert said in found


def test_a_checkpoint_signed_by_another_key_is_found(filled, capsys):
    from contract.keys import format_public, generate

    filled.folder.public_file.write_text(format_public(generate("park").public))
    status, found = verify(filled, capsys)
    assert status == 1
    assert "signature of the checkpoint" in found


def test_a_journal_rewritten_without_the_key_contradicts_its_checkpoints(filled, capsys):
    """Every hash is computed anew after the change, as somebody would who can write the file but not sign."""
    with closing(sqlite3.connect(filled.folder.database)) as connection, connection:
        head = connection.execute("SELECT algorithm, aggregator, chain, journal_epoch FROM journal_chains").fetchone()
        hash_ = genesis(*head)
        for seq, text in connection.execute("SELECT seq, open FROM journal ORDER BY seq").fetchall():
            record = json.loads(text)
            record["received_ns"] = str(int(record["received_ns"]) - 3600 * 10**9)
            data = canonical(record)
            previous, hash_ = hash_, link(head[0], hash_, Record(data).digest(head[0]))
            connection.execute(
                "UPDATE journal SET open = ?, received_ns = ?, prev_hash = ?, hash = ? WHERE seq = ?",
                (data, int(record["received_ns"]), previous, hash_, seq),
            )
        connection.execute("UPDATE journal_chains SET hash = ?", (hash_,))
    status, found = verify(filled, capsys)
    assert status == 1
    assert "the checkpoint signed another history" in found


def test_events_without_a_journal_are_not_whole(filled, capsys):
    with closing(sqlite3.connect(filled.folder.database)) as connection, connection:
        connection.execute("DELETE FROM journal")
        connection.execute("DELETE FROM journal_chains")
    status, found = verify(filled, capsys)
    assert status == 1
    assert "no record of the journal vouches for the event" in found


def test_an_event_cut_out_with_a_forged_gap_is_found(filled, capsys):
    with closing(sqlite3.connect(filled.folder.database)) as connection, connection:
        connection.execute(
            "INSERT INTO gaps (agent, epoch, lane, first_seq, last_seq, cause, hash_last)"
            " SELECT agent, epoch, 'events', seq, seq, 'evicted', hash FROM events WHERE seq = 3"
        )
        connection.execute("DELETE FROM events WHERE seq = 3")
        connection.execute(
            "UPDATE journal SET event_agent = NULL, event_epoch = NULL, event_seq = NULL WHERE event_seq = 3"
        )
    status, found = verify(filled, capsys)
    assert status == 1
    assert "the columns name another event than the record" in found


def test_a_database_that_is_none_is_told_in_one_line(filled, capsys):
    filled.folder.database.write_bytes(b"no database at all" * 1000)
    assert cli.main(["verify", str(filled.folder.path)]) == 1
    assert "restore a backup" in capsys.readouterr().err
