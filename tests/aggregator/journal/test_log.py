"""The journal is one chain, whoever writes and whatever goes wrong."""

from __future__ import annotations

import json
import sqlite3

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from aggregator.journal.log import Draft, Head, Journal, JournalKind, encode
from contract.events import Json, canonical

JOURNAL = Journal("park", "ingest")


def draft(stamp: int = 0, **data: Json) -> Draft:
    return Draft(JournalKind.INGEST_START, 1_790_000_000_000_000_000 + stamp, {"n": str(stamp), **data})


def test_records_are_numbered_linked_and_canonical(engine):
    with engine.begin() as connection:
        first, second = JOURNAL.append(connection, [draft(1), draft(2)])
    with engine.begin() as connection:
        [third] = JOURNAL.append(connection, [draft(3)])
    assert [each.seq for each in (first, second, third)] == [1, 2, 3]
    assert (second.prev_hash, third.prev_hash) == (first.hash, second.hash)
    assert canonical(json.loads(third.open)) == third.open
    assert json.loads(third.open)["seq"] == "3"


def test_a_transaction_rolled_back_takes_its_number_with_it(engine):
    with engine.begin() as connection:
        JOURNAL.append(connection, [draft(1)])
    with pytest.raises(ZeroDivisionError), engine.begin() as connection:
        JOURNAL.append(connection, [draft(2)])
        raise ZeroDivisionError
    with engine.begin() as connection:
        assert JOURNAL.append(connection, [draft(3)])[0].seq == 2


def test_a_fork_is_refused_by_the_database_whatever_the_code_does(engine):
    with engine.begin() as connection:
        JOURNAL.append(connection, [draft(1), draft(2)])
    copied = "aggregator, chain, journal_epoch, 99, kind, received_ns, org, exercise_id, class_label, late, event_agent, event_epoch, event_seq, open, prev_hash, hash, salt, restricted"
    with pytest.raises(sa.exc.IntegrityError, match="prev_hash"), engine.begin() as connection:
        connection.exec_driver_sql(f"INSERT INTO journal SELECT {copied} FROM journal WHERE seq = 2")


@given(text=st.text(), number=st.floats(allow_nan=False, allow_infinity=False))
def test_a_record_reads_back_as_what_was_written(text, number):
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    head = Head("park", "ingest", "e" * 32, "sha256", 0, b"")
    record = json.loads(encode(head, 7, draft(0, text=text, number=number)))
    assert (record["seq"], record["data"]["text"], float(record["data"]["number"])) == ("7", text, number)


def test_without_the_immediate_lock_a_writer_that_read_an_old_head_is_stopped(database, engine):
    """Why transactions begin IMMEDIATE: a deferred one reads the head, and may not write behind another's back."""
    deferred = sqlite3.connect(database, isolation_level=None, timeout=0)
    with engine.begin() as connection:
        JOURNAL.append(connection, [draft(1)])
    deferred.execute("BEGIN")
    deferred.execute("SELECT seq FROM journal_chains").fetchall()
    with engine.begin() as connection:
        JOURNAL.append(connection, [draft(2)])
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        deferred.execute("UPDATE journal_chains SET seq = 9")
    deferred.close()
