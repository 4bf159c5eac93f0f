"""A database of each older version comes to the newest schema with every record whole."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from aggregator.journal.log import Draft, Head, Journal, JournalKind, encode
from aggregator.journal.verify import verify_journal
from aggregator.store.db import migrate, open_writer
from contract.chain import Record, genesis, link
from contract.keys import generate

EPOCH = "0" * 32


def upgrade_to(connection, revision):
    config = Config()
    config.set_main_option("script_location", "aggregator.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@pytest.fixture
def engine(tmp_path):
    found = open_writer(tmp_path / "old.db")
    yield found
    found.dispose()


def write_version_1(connection, records):
    """A journal as the first version left it: no restricted parts."""
    head = Head("park", "ingest", EPOCH, "sha256", 0, genesis("sha256", "park", "ingest", EPOCH))
    for seq in range(1, records + 1):
        open_part = encode(head, seq, Draft(JournalKind.INGEST_START, seq, {"n": seq}))
        hash_ = link("sha256", head.hash, Record(open_part).digest("sha256"))
        connection.execute(
            sa.text(
                "INSERT INTO journal (aggregator, chain, journal_epoch, seq, kind, received_ns, class_label, late, open,"
                " prev_hash, hash) VALUES ('park', 'ingest', :epoch, :seq, 'ingest_start', :seq, 'general', 0, :open,"
                " :prev, :hash)"
            ),
            {"epoch": EPOCH, "seq": seq, "open": open_part, "prev": head.hash, "hash": hash_},
        )
        head = Head("park", "ingest", EPOCH, "sha256", seq, hash_)
    connection.execute(
        sa.text("INSERT INTO journal_chains VALUES ('park', 'ingest', :epoch, 'sha256', :seq, :hash)"),
        {"epoch": EPOCH, "seq": head.seq, "hash": head.hash},
    )


def test_a_journal_of_the_first_version_stays_whole_and_goes_on(engine):
    with engine.begin() as connection:
        upgrade_to(connection, "0001")
        write_version_1(connection, records=3)
    with engine.begin() as connection:
        migrate(connection)
    journal = Journal("park", "ingest")
    named = Draft(JournalKind.SIGNED_IN, 9, {"role": "operator"}, restricted={"person": "wang"})
    with engine.connect() as connection, connection.begin():
        (entry,) = journal.append(connection, [named])
    assert (entry.journal_epoch, entry.seq) == (EPOCH, 4)
    with engine.begin() as connection:
        (walked,) = verify_journal(connection, generate("park").public)
    assert (walked.records, walked.broken) == (4, None)


@pytest.mark.parametrize("change", ["restricted = x'7B7D'", "salt = x'00'", "restricted = NULL"])
def test_who_rewrites_a_persons_name_breaks_the_chain(engine, change):
    with engine.begin() as connection:
        migrate(connection)
    with engine.connect() as connection, connection.begin():
        Journal("park", "ingest").append(
            connection, [Draft(JournalKind.SIGNED_IN, 9, {}, restricted={"person": "wang"})]
        )
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE journal SET {change}"))
        (walked,) = verify_journal(connection, generate("park").public)
    assert walked.broken is not None
    assert walked.broken.seq == 1


@pytest.mark.parametrize(("acknowledged", "by"), [(0, None), (1, "wang")])
def test_an_alarm_from_before_tells_its_newest_activation_and_the_answer_that_stands(engine, acknowledged, by):
    with engine.begin() as connection:
        upgrade_to(connection, "0004")
        for name, on_time_ns in (("stands", 5), ("over", 6)):
            connection.exec_driver_sql(
                "INSERT INTO alarm_instances (id, organisation, tag, kind, org, condition_class, opened_ns, on_time_ns,"
                " level_max, activations, late, acknowledged_ns, acknowledged_by) VALUES"
                " (?, 'a', 't', 'high', 'a', 'safety', 1, ?, 1, 2, 0, 3, 'wang')",
                (name, on_time_ns),
            )
        connection.exec_driver_sql(
            "INSERT INTO alarms (organisation, tag, kind, org, active, level, acknowledged, latched, shelf, suppressed,"
            " out_of_service, sounding, revision, changed_ns, instance, hold, condition, standing) VALUES"
            " ('a', 't', 'high', 'a', 1, 1, ?, 1, 'none', 0, 0, 1, 1, 1, 'stands', '{}', ?, 1)",
            (acknowledged, '{"on_time_ns": "1790000000000000009"}'),
        )
        migrate(connection)
        rows = connection.exec_driver_sql("SELECT raised_ns, acknowledged_by FROM alarm_instances ORDER BY id").all()
    assert [tuple(row) for row in rows] == [(6, "wang"), (1790000000000000009, by)]
