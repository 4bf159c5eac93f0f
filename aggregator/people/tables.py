"""Tables of people and their sessions. A session's token is stored nowhere; its digest is what commands carry."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from aggregator.store.db import METADATA

USERS: Final = sa.Table(
    "users",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("password_hash", sa.Text, nullable=False),
    sa.Column("disabled", sa.Boolean, nullable=False),
    sa.Column("added_ns", sa.BigInteger, nullable=False),
)
"""``scope`` is an organisation path, empty for the whole park. Nobody is deleted: the journal names him for ever."""

SESSIONS: Final = sa.Table(
    "sessions",
    METADATA,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("user", sa.Text, nullable=False, index=True),
    sa.Column("station", sa.Text, nullable=False),
    sa.Column("begun_ns", sa.BigInteger, nullable=False),
    sa.Column("ends_ns", sa.BigInteger, nullable=False),
    sa.Column("ended_ns", sa.BigInteger),
)
"""``digest`` is the hex sha256 of the token; ``ended_ns`` is NULL unless somebody ended it before ``ends_ns``."""
