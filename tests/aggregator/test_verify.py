"""Whatever is changed in the database behind the program's back, the walk names the chain and the place."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from aggregator import cli
from contract.events import EventType


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
