"""Tables of ``live.db``: written by ingest, read by the web, made anew whenever they cannot be read."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

LIVE_METADATA: Final = sa.MetaData()

VALUES: Final = sa.Table(
    "live_values",
    LIVE_METADATA,
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("organisation", sa.Text, primary_key=True),
    sa.Column("tag", sa.Text, primary_key=True),
    sa.Column("value", sa.Float),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("quality", sa.Integer, nullable=False),
    sa.Column("time_ns", sa.BigInteger, nullable=False),
    sa.Column("received_ns", sa.BigInteger, nullable=False),
)
"""Latest value of each point; NULL where there is no number."""

DEVICES: Final = sa.Table(
    "live_devices",
    LIVE_METADATA,
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("tag", sa.Text, primary_key=True),
    sa.Column("last_good_ns", sa.BigInteger, nullable=False),
)
"""Last confirmed scan of each device by the agent's clock; 0 for never."""

SESSIONS: Final = sa.Table(
    "live_sessions",
    LIVE_METADATA,
    sa.Column("agent", sa.Text, primary_key=True),
    sa.Column("connected", sa.Boolean, nullable=False),
    sa.Column("epoch", sa.Text, nullable=False),
    sa.Column("software", sa.Text, nullable=False),
    sa.Column("boot_id", sa.Text, nullable=False),
    sa.Column("heard_ns", sa.BigInteger, nullable=False),
)

PROCESSES: Final = sa.Table(
    "live_processes",
    LIVE_METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("pid", sa.BigInteger, nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("alive_ns", sa.BigInteger, nullable=False),
)
