"""Table of telemetry chunks; a chunk's bytes are the record, its other columns only help to find it."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from aggregator.store.db import METADATA

CHUNKS: Final = sa.Table(
    "chunks",
    METADATA,
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("epoch", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("received_ns", sa.BigInteger, nullable=False),
    sa.Column("catalogue_version", sa.BigInteger),
    sa.Column("samples", sa.BigInteger),
    sa.Column("first_ns", sa.BigInteger),
    sa.Column("last_ns", sa.BigInteger),
    sa.Column("digest", sa.LargeBinary, nullable=False),
    sa.Column("chunk", sa.LargeBinary, nullable=False),
    sa.Index(None, "last_ns", "first_ns", "agent", "epoch", "seq", "catalogue_version"),
)
"""``catalogue_version``, ``samples`` and times are NULL where the chunk could not be decoded; times also where empty. The
index answers which chunks hold a time without touching the chunks themselves."""
