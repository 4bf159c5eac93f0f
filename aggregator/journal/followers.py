"""Reads on in the journal from a cursor, and misses nothing, however many write meanwhile.

Numbers are given under the chain's lock inside the transaction that makes them visible, so whatever is read after
``seq`` is complete. Polling is the means: a follower asks again and again and keeps its place itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from aggregator.journal.cursor import Cursor, Place
from aggregator.journal.log import ALGORITHM, JournalEntry, JournalKind
from aggregator.journal.tables import EVENTS, JOURNAL, JOURNAL_CHAINS
from contract.chain import Record

PAGE_ROWS: Final = 500
POLL_S: Final = 0.2
"""How long a follower waits when there was nothing new; contract: at most 250 ms."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A record, the cursor behind it, and for a record of kind "event" the open part of that event, as it came.

    ``withheld`` is the digest that stands for a restricted part which is not shown.
    """

    entry: JournalEntry
    cursor: Cursor
    event_open: bytes | None
    org: str | None = None
    withheld: bytes | None = None


def without_names(followed: Followed) -> Followed:
    """The record without its restricted part; the chain still verifies."""
    entry = followed.entry
    if not entry.restricted:
        return followed
    withheld = Record(entry.open, entry.salt, entry.restricted).withheld(ALGORITHM)
    return replace(followed, entry=replace(entry, salt=b"", restricted=b""), withheld=withheld)


def read_after(connection: sa.Connection, after: Cursor, limit: int = PAGE_ROWS) -> list[Followed]:
    """Up to ``limit`` records after the cursor: each chain in its order, one chain after another."""
    found: list[Followed] = []
    for chain in connection.scalars(_CHAINS):
        place = after.places.get(chain, Place("", 0))
        for row in connection.execute(_after(chain, place, limit - len(found))):
            after = after.after(chain, Place(row.journal_epoch, row.seq))
            found.append(_followed(row, after))
    return found


def read_newest(
    connection: sa.Connection, limit: int = PAGE_ROWS, kinds: Collection[JournalKind] | None = None
) -> list[Followed]:
    """The newest ``limit`` records of all chains, of some kinds or of all, newest first; each with the cursor behind the
    newest of them."""
    rows = [row for chain in connection.scalars(_CHAINS) for row in connection.execute(_newest(chain, limit, kinds))]
    cursor = Cursor()
    for row in reversed(rows):
        cursor = cursor.after(row.chain, Place(row.journal_epoch, row.seq))
    rows.sort(key=lambda row: row.received_ns, reverse=True)  # stable: a chain's own order stays
    return [_followed(row, cursor) for row in rows[:limit]]


def follow(engine: sa.Engine, after: Cursor, pause: Callable[[], None]) -> Iterator[Followed]:
    """Every record after the cursor, then every new one, for ever. ``pause`` is called when there is nothing new."""
    with engine.connect() as connection:
        while True:
            with connection.begin():
                found = read_after(connection, after)
            if not found:
                pause()
                continue
            yield from found
            after = found[-1].cursor


_CHAINS: Final = sa.select(JOURNAL_CHAINS.c.chain).distinct().order_by(JOURNAL_CHAINS.c.chain)


def _newest(chain: str, limit: int, kinds: Collection[JournalKind] | None) -> sa.Select[Any]:
    rows = JOURNAL.c
    query = _records(chain)
    if kinds is not None:
        query = query.where(rows.kind.in_([kind.value for kind in kinds]))
    return query.order_by(rows.journal_epoch.desc(), rows.seq.desc()).limit(limit)


def _after(chain: str, place: Place, limit: int) -> sa.Select[Any]:
    rows = JOURNAL.c
    newer = sa.or_(
        rows.journal_epoch > place.journal_epoch,
        sa.and_(rows.journal_epoch == place.journal_epoch, rows.seq > place.seq),
    )
    return _records(chain).where(newer).order_by(rows.journal_epoch, rows.seq).limit(limit)


def _records(chain: str) -> sa.Select[Any]:
    rows = JOURNAL.c
    event = sa.and_(
        EVENTS.c.agent == rows.event_agent, EVENTS.c.epoch == rows.event_epoch, EVENTS.c.seq == rows.event_seq
    )
    return (
        sa.select(
            rows.chain, rows.journal_epoch, rows.seq, rows.kind, rows.received_ns, rows.org, rows.open,
            rows.salt, rows.restricted, rows.prev_hash, rows.hash, EVENTS.c.open.label("event_open"),
        )
        .select_from(JOURNAL.outerjoin(EVENTS, event))
        .where(rows.chain == chain)
    )  # fmt: skip


def _followed(row: sa.Row[Any], cursor: Cursor) -> Followed:
    return Followed(_entry(row), cursor, row.event_open if row.kind == JournalKind.EVENT else None, row.org)


def _entry(row: sa.Row[Any]) -> JournalEntry:
    return JournalEntry(
        row.chain, row.journal_epoch, row.seq, JournalKind(row.kind), row.received_ns, row.open, row.salt or b"",
        row.restricted or b"", row.prev_hash, row.hash,
    )  # fmt: skip
