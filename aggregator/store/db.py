"""Opens the database, so that no other module needs to know that it is SQLite.

One process writes and checkpoints (``open_writer``), all others only read (``open_reader``): versions of SQLite before
3.51.3 may lose a WAL reset with two writers. Every writing transaction begins IMMEDIATE: with the driver's default, four
writers that each read the head of a chain and add to it forked it, in silence.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from contract.errors import StoreError

BUSY_TIMEOUT_S: Final = 10.0
WAL_BYTES_KEPT: Final = 64 * 1024 * 1024
NAMING: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

METADATA: Final = sa.MetaData(naming_convention=NAMING)
"""Every durable table of the aggregator; the slices add theirs in their ``tables`` modules."""

Row = Mapping[str, Any]
Synchronous = Literal["FULL", "OFF"]


def open_writer(path: Path, synchronous: Synchronous = "FULL") -> sa.Engine:
    """For the one process that writes ``path``; makes the file. FULL: what was committed survives a power cut."""

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES_KEPT}")
        return connection

    return _engine(connect, "BEGIN IMMEDIATE", sa.pool.QueuePool)


def open_reader(path: Path) -> sa.Engine:
    """Can only read; each transaction sees one state of the database, whatever is written meanwhile."""

    def connect() -> sqlite3.Connection:
        uri = f"file:{quote(str(path.absolute()))}?mode=ro"
        return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)

    return _engine(connect, "BEGIN", sa.pool.NullPool)  # opened anew each time: the file may have been replaced


def _engine(connect: Callable[[], sqlite3.Connection], begin: str, pool: type[sa.Pool]) -> sa.Engine:
    # The driver must not begin transactions by itself (isolation_level None): we say how they begin.
    engine = sa.create_engine("sqlite://", creator=connect, poolclass=pool)

    @sa.event.listens_for(engine, "begin")
    def do_begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def migrate(connection: sa.Connection) -> None:
    """Bring the schema to the newest revision, within the caller's transaction. Raises StoreError."""
    config = Config()
    config.set_main_option("script_location", "aggregator.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(f"the database was made by a newer version of this program ({error})") from error


def upsert(table: sa.Table) -> sa.Insert:
    """INSERT of whole rows that replaces the row of the same primary key."""
    statement = sqlite_insert(table)
    others = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=others)


@contextmanager
def writing(connection: sa.Connection) -> Iterator[None]:
    """A writing transaction for ``Prepared`` statements alone, without the cost of a Core one: for the hot path."""
    driver: Any = connection.connection.dbapi_connection
    driver.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        driver.rollback()
        raise
    driver.commit()


class Prepared:
    """A statement compiled once, for the hot path: a Core execution costs ten times the driver's own.

    ``columns`` names the parameters of an INSERT; without it all parameters are those written in the statement.
    """

    def __init__(self, statement: sa.ClauseElement, columns: Sequence[str] | None = None) -> None:
        compiled = statement.compile(dialect=_DIALECT, column_keys=list(columns) if columns is not None else None)
        self._sql = str(compiled)
        assert isinstance(compiled, sa.sql.compiler.SQLCompiler)
        self._names = tuple(compiled.positiontup or ())
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}

    @staticmethod
    def insert(table: sa.Table) -> Prepared:
        return Prepared(sa.insert(table), table.columns.keys())

    @staticmethod
    def upsert(table: sa.Table) -> Prepared:
        return Prepared(upsert(table), table.columns.keys())

    def run(self, connection: sa.Connection, rows: Sequence[Row]) -> None:
        """Execute once per row, within the connection's transaction; nothing for no rows."""
        if rows:
            cursor = connection.connection.cursor()
            cursor.executemany(self._sql, [self._values(row) for row in rows])
            cursor.close()

    def first(self, connection: sa.Connection, row: Row) -> tuple[Any, ...] | None:
        """The first row that the query gives."""
        cursor = connection.connection.cursor()
        cursor.execute(self._sql, self._values(row))
        found: tuple[Any, ...] | None = cursor.fetchone()
        cursor.close()
        return found

    def _values(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[name] if name in row else self._fixed[name] for name in self._names)


_DIALECT: Final = sa.dialects.sqlite.dialect()
