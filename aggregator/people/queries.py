"""SQL of people: who acts in a session at a moment, and what the lists show."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import sqlalchemy as sa

from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.people.rights import Person, Role
from aggregator.people.tables import SESSIONS, USERS
from aggregator.store.db import Row


@dataclass(frozen=True, slots=True)
class User:
    """A row of ``users``; ``scope`` is empty for the whole park."""

    name: str
    role: Role
    scope: str
    password_hash: str
    disabled: bool
    added_ns: int


@dataclass(frozen=True, slots=True)
class Session:
    """A row of ``sessions``; it stands from ``begun_ns`` until ``ended_ns``, at the latest until ``ends_ns``."""

    digest: str
    user: str
    station: str
    begun_ns: int
    ends_ns: int
    ended_ns: int | None


def load_person(connection: sa.Connection, digest: str, wall_ns: int) -> Person:
    """Who acts in the session of this digest. Raises RefusedError NOT_SIGNED_IN with a ``reason``."""
    row = connection.execute(_PERSON, {"digest": digest}).first()
    reason = _why_over(row, wall_ns)
    if row is None or reason is not None:
        raise RefusedError(RefusalCode.NOT_SIGNED_IN, reason=reason)
    return Person(row.name, Role(row.role), row.scope, digest)


def load_user(connection: sa.Connection, name: str) -> User | None:
    row = connection.execute(sa.select(USERS).where(USERS.c.name == name)).mappings().first()
    return None if row is None else _user(row)


def load_users(connection: sa.Connection) -> list[User]:
    return [_user(row) for row in connection.execute(sa.select(USERS).order_by(USERS.c.name)).mappings()]


def load_sessions(connection: sa.Connection, user: str | None, wall_ns: int) -> list[Session]:
    """Sessions that stand, of one user or of all; oldest first."""
    columns = SESSIONS.c
    query = sa.select(SESSIONS).where(columns.ended_ns.is_(None), columns.ends_ns > wall_ns)
    if user is not None:
        query = query.where(columns.user == user)
    rows = connection.execute(query.order_by(columns.begun_ns, columns.digest)).mappings()
    return [Session(**row) for row in rows]


def user_row(user: User) -> Row:
    return {**asdict(user), "role": user.role.value}


def session_row(session: Session) -> Row:
    return asdict(session)


def _user(row: Any) -> User:
    return User(**{**row, "role": Role(row["role"])})


def _why_over(row: Any, wall_ns: int) -> str | None:
    """``unknown``, ``ended`` (signed out, revoked, or the user was changed), ``expired``; None while it stands."""
    if row is None:
        return "unknown"
    if row.ended_ns is not None or row.disabled:
        return "ended"
    return "expired" if wall_ns >= row.ends_ns else None


_PERSON: Final = (
    sa.select(USERS.c.name, USERS.c.role, USERS.c.scope, USERS.c.disabled, SESSIONS.c.ended_ns, SESSIONS.c.ends_ns)
    .select_from(SESSIONS.join(USERS, USERS.c.name == SESSIONS.c.user))
    .where(SESSIONS.c.digest == sa.bindparam("digest"))
)
