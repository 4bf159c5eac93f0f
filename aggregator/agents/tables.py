"""Tables of agents: who was admitted, their stores (epochs), lanes and lists of points. Only ingest writes them."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from aggregator.store.db import METADATA

AGENTS: Final = sa.Table(
    "agents",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("curve_public", sa.LargeBinary, nullable=False),
    sa.Column("revoked_reason", sa.Text),
)
"""The allow-list as the journal last recorded it; the list itself is the file ``agents.json``."""

EPOCHS: Final = sa.Table(
    "epochs",
    METADATA,
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Text, primary_key=True),
    sa.Column("algorithm", sa.Text, nullable=False),
    sa.Column("first_seen_ns", sa.BigInteger, nullable=False),
)

LANES: Final = sa.Table(
    "lanes",
    METADATA,
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Text, primary_key=True),
    sa.Column("lane", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)
"""High-water mark of each lane and the hash at it."""

CATALOGUES: Final = sa.Table(
    "catalogues",
    METADATA,
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("frame", sa.LargeBinary, nullable=False),
)
"""Every version of every agent's list of points, as a CATALOG frame."""
