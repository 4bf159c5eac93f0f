"""What one transaction will hold: journal records in their order, and whole rows of any table.

Decisions fill it, nobody writes while deciding; ``write`` carries it into the database in one go. So a slice that
decides (alarms, people) needs no connection, and what it decided is on disk whole or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import sqlalchemy as sa

from aggregator.journal.log import Draft, Journal
from aggregator.store.db import Prepared, Row

RowsByKey = dict[tuple[Any, ...], Row]


@dataclass(slots=True)
class Changeset:
    """``wall_ns`` is the moment of the decision (UTC): records and rows of one transaction carry the same."""

    wall_ns: int
    drafts: list[Draft] = field(default_factory=list)
    rows: dict[sa.Table, RowsByKey] = field(default_factory=dict)

    def put(self, table: sa.Table, row: Row) -> None:
        """A whole row, every column, in place of one with the same primary key; the newest per key is written."""
        key = tuple(row[name] for name in table.primary_key.columns.keys())  # noqa: SIM118 - a column collection
        self.rows.setdefault(table, {})[key] = row

    def is_to_be_written(self) -> bool:
        return bool(self.drafts or self.rows)


def write(connection: sa.Connection, changes: Changeset, journal: Journal) -> None:
    """Rows and records, in the connection's transaction."""
    for table, rows in changes.rows.items():
        _upsert(table).run(connection, [*rows.values()])
    journal.append(connection, changes.drafts)


@cache
def _upsert(table: sa.Table) -> Prepared:
    return Prepared.upsert(table)
