"""Frees rows of ``events.db``: what nobody needs any more, and, when space is short, what can be spared.

``retention`` decides, this module deletes and leaves a gap for every run; called in the commit thread, inside its
transaction.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from contract.ids import Lane
from edge_agent.outbox import event_tables as tables
from edge_agent.outbox.gaps import RUNS_PER_EVENT_MAX, Gap, GapCause
from edge_agent.outbox.retention import expired, oldest, sacrifice

ROWS_PER_PASS_MAX: Final = 2000
"""Freed in one transaction; more waits for the next, so that no alarm's commit waits long."""


def free_expired(db: sqlite3.Connection, image: tables.Image, acknowledged: int, written_before_ns: int) -> int:
    """Rows that everybody has and whose time is over. The last number freed, 0 for none."""
    # Mostly nothing is due: one row tells that, and an alarm's commit does not wait for thousands to be read.
    if not expired(tables.oldest_rows(db, 1), acknowledged, written_before_ns):
        return 0
    last = expired(tables.oldest_rows(db, ROWS_PER_PASS_MAX), acknowledged, written_before_ns)
    return _free_up_to(db, image, last)


def free_acknowledged(db: sqlite3.Connection, image: tables.Image, acknowledged: int, need_bytes: int) -> int:
    """The oldest rows that everybody has, for space. The last number freed, 0 for none."""
    rows = [row for row in tables.oldest_rows(db, ROWS_PER_PASS_MAX) if row.seq <= acknowledged]
    return _free_up_to(db, image, oldest(rows, need_bytes))


def evict(db: sqlite3.Connection, image: tables.Image, need_bytes: int) -> list[Gap]:
    """Give up rows that are still owed, lowest class first. The runs, which an event has to put on record."""
    runs = sacrifice(tables.rows_to_give_up(db, ROWS_PER_PASS_MAX), need_bytes, RUNS_PER_EVENT_MAX)
    # All edges are looked up before any row goes: one run's last number may be the one before the next.
    gaps = [_gap(db, image, first, last, GapCause.EVICTED) for first, last in runs]
    for gap in gaps:
        _remove(db, gap)
    return gaps


def _free_up_to(db: sqlite3.Connection, image: tables.Image, last: int) -> int:
    """Everything up to ``last`` is delivered or declared: one gap from the beginning tells it all."""
    if last:
        _remove(db, _gap(db, image, 1, last, GapCause.FREED))
    return last


def _gap(db: sqlite3.Connection, image: tables.Image, first: int, last: int, cause: GapCause) -> Gap:
    before, at_last = tables.chain_hash(db, image, first - 1), tables.chain_hash(db, image, last)
    assert before is not None, "every number has a row or lies in a gap"
    assert at_last is not None, "every number has a row or lies in a gap"
    return Gap(first, last, cause, before, at_last)


def _remove(db: sqlite3.Connection, gap: Gap) -> None:
    tables.delete_events(db, gap.first, gap.last)
    tables.put_gap(db, Lane.EVENTS, gap)
