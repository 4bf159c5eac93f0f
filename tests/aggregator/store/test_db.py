"""The database is opened so that nothing is lost and no chain can fork, and made from nothing by migrations."""

from __future__ import annotations

import sqlite3

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import aggregator.agents.tables
import aggregator.alarms.tables
import aggregator.history.tables
import aggregator.ingest.tables
import aggregator.journal.tables
import aggregator.people.tables
from aggregator.store.db import METADATA, Prepared, migrate, open_reader, open_writer
from contract.errors import StoreError

TABLES = (
    aggregator.agents.tables,
    aggregator.alarms.tables,
    aggregator.history.tables,
    aggregator.ingest.tables,
    aggregator.journal.tables,
    aggregator.people.tables,
)
THING = sa.Table("thing", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), sa.Column("text", sa.Text))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.db"


@pytest.fixture
def engine(path):
    found = open_writer(path)
    yield found
    found.dispose()


def test_what_is_committed_survives_a_power_cut(engine):
    with engine.connect() as connection, connection.begin():
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_transaction_holds_the_write_lock_from_its_beginning(engine, path):
    with engine.begin(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
        finally:
            other.close()


def test_a_reader_cannot_write_and_sees_one_state_throughout(engine, path):
    with engine.begin() as connection:
        THING.create(connection)
    with open_reader(path).begin() as reader:
        assert reader.execute(sa.select(THING)).all() == []
        with engine.begin() as connection:
            connection.execute(sa.insert(THING), {"id": 1, "text": "x"})
        assert reader.execute(sa.select(THING)).all() == []
        with pytest.raises(sa.exc.OperationalError, match="readonly"):
            reader.execute(sa.insert(THING), {"id": 2, "text": "x"})


def test_prepared_statements_insert_replace_and_find(engine):
    with engine.begin() as connection:
        THING.create(connection)
        Prepared.insert(THING).run(connection, [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}])
        Prepared.upsert(THING).run(connection, [{"id": 2, "text": "c"}, {"id": 3, "text": None}])
        find = Prepared(sa.select(THING.c.text).where(THING.c.id == sa.bindparam("wanted")).limit(1))
        assert [find.first(connection, {"wanted": id_}) for id_ in (1, 2, 3, 4)] == [("a",), ("c",), (None,), None]


def test_migrations_make_from_nothing_exactly_the_tables_that_the_code_names(engine):
    assert TABLES
    with engine.begin() as connection:
        migrate(connection)
        migrate(connection)
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_a_failed_migration_leaves_nothing_behind(engine):
    with pytest.raises(sa.exc.OperationalError, match="already exists"), engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE chunks (x)")
        migrate(connection)
    with engine.begin() as connection:
        assert sa.inspect(connection).get_table_names() == []


def test_a_database_of_a_newer_program_is_left_alone(engine):
    with engine.begin() as connection:
        migrate(connection)
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer version"), engine.begin() as connection:
        migrate(connection)


def test_the_schema_is_one_that_postgresql_takes_as_well():
    from sqlalchemy.dialects import postgresql
    from sqlalchemy.schema import CreateTable

    for table in METADATA.sorted_tables:
        ddl = str(CreateTable(table).compile(dialect=postgresql.dialect()))
        assert "SERIAL" not in ddl, "numbers are ours, not a sequence's"
