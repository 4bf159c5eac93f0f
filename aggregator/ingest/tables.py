"""Tables of conditions and activations as agents told them. Rebuilt into memory at start."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from aggregator.store.db import METADATA

CONDITIONS: Final = sa.Table(
    "conditions",
    METADATA,
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("organisation", sa.Text, primary_key=True),
    sa.Column("tag", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("level", sa.Integer, nullable=False),
    sa.Column("condition", sa.Text, nullable=False),
)
"""Present state. ``(epoch, seq)`` is the event it comes from or is as new as; cleared ones stay, with level 0."""

ACTIVATIONS: Final = sa.Table(
    "activations",
    METADATA,
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("org", sa.Text, nullable=False),
    sa.Column("tag", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("condition_class", sa.Text, nullable=False),
    sa.Column("first_seen", sa.Text, nullable=False),
    sa.Column("seen_ns", sa.BigInteger, nullable=False),
    sa.Column("event_received_ns", sa.BigInteger),
    sa.Column("closed_ns", sa.BigInteger),
    sa.Column("closed_reason", sa.Text),
    sa.Column("standing", sa.Boolean, nullable=False, index=True),
)
"""Each time a condition turned on, once. ``standing``: still on, or its own event is still to come."""
