"""Tables of the journal, and of the events whose bytes it vouches for.

``journal.open`` is the record as it was hashed, the other columns are made from it, but for ``salt`` and ``restricted``,
which are empty, or NULL in records from before there were any, where nobody is named. A record of kind "event" names its
event, whose bytes lie in ``events`` as the agent wrote them.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from aggregator.store.db import METADATA

JOURNAL_CHAINS: Final = sa.Table(
    "journal_chains",
    METADATA,
    sa.Column("aggregator", sa.Text, primary_key=True),
    sa.Column("chain", sa.Text, primary_key=True),
    sa.Column("journal_epoch", sa.Text, primary_key=True),
    sa.Column("algorithm", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)
"""Head of each epoch of each chain; its row is the lock under which numbers are given."""

JOURNAL: Final = sa.Table(
    "journal",
    METADATA,
    sa.Column("aggregator", sa.Text, primary_key=True),
    sa.Column("chain", sa.Text, primary_key=True),
    sa.Column("journal_epoch", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("received_ns", sa.BigInteger, nullable=False),
    sa.Column("org", sa.Text),
    sa.Column("exercise_id", sa.Text),
    sa.Column("class_label", sa.Text, nullable=False),
    sa.Column("late", sa.Boolean, nullable=False),
    sa.Column("event_agent", sa.Text),
    sa.Column("event_epoch", sa.Text),
    sa.Column("event_seq", sa.BigInteger),
    sa.Column("open", sa.LargeBinary, nullable=False),
    sa.Column("salt", sa.LargeBinary),
    sa.Column("restricted", sa.LargeBinary),
    sa.Column("prev_hash", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("chain", "prev_hash"),
)

EVENTS: Final = sa.Table(
    "events",
    METADATA,
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("received_ns", sa.BigInteger, nullable=False),
    sa.Column("type", sa.Text),
    sa.Column("org", sa.Text),
    sa.Column("edge_time_ns", sa.BigInteger),
    sa.Column("open", sa.LargeBinary, nullable=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("restricted", sa.LargeBinary, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)
"""Every event verbatim. ``type``, ``org`` and ``edge_time_ns`` are NULL where it could not be decoded."""

GAPS: Final = sa.Table(
    "gaps",
    METADATA,
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Text, primary_key=True),
    sa.Column("lane", sa.Text, primary_key=True),
    sa.Column("first_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("hash_last", sa.LargeBinary, nullable=False),
)
"""Numbers that agents declared as never to come; the chain goes on from ``hash_last`` where that is not empty."""
