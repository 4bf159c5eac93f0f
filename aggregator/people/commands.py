"""What ingest decides about people: users added and changed, sessions begun, ended and revoked, sign-ins refused.

Password hashes are made and checked by whoever asks (they take a tenth of a second of a core, which a commit must not
wait for); what is decided here is on record in the same transaction, people's names in the restricted part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import sqlalchemy as sa

from aggregator.commands.desk import Handler, Request
from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.journal.changeset import Changeset
from aggregator.journal.log import Draft, JournalKind
from aggregator.people import passwords, queries
from aggregator.people.queries import Session, User
from aggregator.people.rights import Person, Right, Role, covers
from aggregator.people.tables import SESSIONS, USERS
from contract.clock import NS_PER_S
from contract.events import Json
from contract.ids import is_name, is_org_path

SESSION_NS: Final = 12 * 3600 * NS_PER_S
"""A shift; then one signs in again."""
SESSIONS_PER_USER_MAX: Final = 16
"""One more ends the oldest."""
CONSOLE_VERBS: Final = frozenset({"sign_in", "sign_in_refused", "user_add", "user_change", "sessions_revoke"})
"""No person is needed: the password has just been checked, or somebody sits at the machine itself."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_CHANGES: Final = frozenset({"name", "role", "scope", "password_hash", "disabled"})


def handlers(connection: sa.Connection) -> Mapping[str, Handler]:
    """The verbs of this slice; ``connection`` is the writer's."""
    return {
        "sign_in": _over(connection, _sign_in),
        "sign_in_refused": _over(connection, _sign_in_refused),
        "sign_out": _over(connection, _sign_out),
        "user_add": _over(connection, _user_add),
        "user_change": _over(connection, _user_change),
        "sessions_revoke": _over(connection, _sessions_revoke),
    }


_Decision = Callable[[sa.Connection, Changeset, Request], dict[str, Json]]


def _over(connection: sa.Connection, decide: _Decision) -> Handler:
    def handle(changes: Changeset, request: Request) -> dict[str, Json]:
        with connection.begin():
            return decide(connection, changes, request)

    return handle


# --- sessions ---------------------------------------------------------------------------------------------------------


def _sign_in(connection: sa.Connection, changes: Changeset, request: Request) -> dict[str, Json]:
    """The password was right. A user who was disabled meanwhile is refused as one whose password was wrong."""
    user, digest = queries.load_user(connection, _text(request, "name")), _text(request, "token")
    if not _DIGEST.match(digest):
        raise RefusedError(RefusalCode.INVALID, field="token", message="is no digest")
    if user is None or user.disabled or user.password_hash != _text(request, "checked_hash"):
        raise RefusedError(RefusalCode.WRONG_PASSWORD)
    standing = queries.load_sessions(connection, user.name, changes.wall_ns)
    for oldest in standing[: max(0, len(standing) + 1 - SESSIONS_PER_USER_MAX)]:
        changes.put(SESSIONS, queries.session_row(replace(oldest, ended_ns=changes.wall_ns)))
    ends_ns = changes.wall_ns + SESSION_NS
    session = Session(digest, user.name, request.command.station, changes.wall_ns, ends_ns, None)
    changes.put(SESSIONS, queries.session_row(session))
    if renewed := request.args.get("renewed_hash"):
        changes.put(USERS, queries.user_row(replace(user, password_hash=str(renewed))))
    restricted: dict[str, Json] = {"person": user.name, "station": request.command.station}
    changes.drafts.append(
        Draft(JournalKind.SIGNED_IN, changes.wall_ns, {"role": user.role.value}, user.scope or None,
              restricted=restricted)
    )  # fmt: skip
    return {"ends_ns": str(ends_ns)}


def _sign_in_refused(connection: sa.Connection, changes: Changeset, request: Request) -> dict[str, Json]:
    """``count``: how often since this was last put on record. A name that is nobody's stays off the record: people type
    their password into the wrong field."""
    name = _text(request, "name")
    user = queries.load_user(connection, name) if is_name(name) else None
    data: dict[str, Json] = {
        "reason": _text(request, "reason"), "count": _count(request), "known_name": user is not None,
    }  # fmt: skip
    restricted: dict[str, Json] = {"person": None if user is None else user.name, "station": request.command.station}
    changes.drafts.append(Draft(JournalKind.SIGN_IN_REFUSED, changes.wall_ns, data, restricted=restricted))
    return {}


def _sign_out(connection: sa.Connection, changes: Changeset, request: Request) -> dict[str, Json]:
    assert isinstance(request.actor, Person)
    _end(connection, changes, request.actor.session)
    data: dict[str, Json] = {"role": request.actor.role.value}
    changes.drafts.append(Draft(JournalKind.SIGNED_OUT, changes.wall_ns, data, restricted=request.restricted))
    return {}


def _sessions_revoke(connection: sa.Connection, changes: Changeset, request: Request) -> dict[str, Json]:
    """Every session of a user ends at once."""
    user = _known(connection, request)
    _require_people(request, user.scope)
    revoked = _end_all(connection, changes, user.name)
    _record(changes, request, JournalKind.SESSION_REVOKED, user, {"sessions": revoked})
    return {"sessions": revoked}


def _end_all(connection: sa.Connection, changes: Changeset, name: str) -> int:
    standing = queries.load_sessions(connection, name, changes.wall_ns)
    for session in standing:
        changes.put(SESSIONS, queries.session_row(replace(session, ended_ns=changes.wall_ns)))
    return len(standing)


def _end(connection: sa.Connection, changes: Changeset, digest: str) -> None:
    row = connection.execute(sa.select(SESSIONS).where(SESSIONS.c.digest == digest)).mappings().one()
    changes.put(SESSIONS, {**row, "ended_ns": changes.wall_ns})


# --- users ------------------------------------------------------------------------------------------------------------


def _user_add(connection: sa.Connection, changes: Changeset, request: Request) -> dict[str, Json]:
    _require_people(request, _scope(request))
    name = _text(request, "name")
    if not is_name(name):
        raise RefusedError(
            RefusalCode.INVALID, field="name", message="must be a letter or digit, then up to 63 letters, digits, _ . -"
        )
    if queries.load_user(connection, name) is not None:
        raise RefusedError(RefusalCode.INVALID, field="name", message="there is a user of this name already")
    user = User(name, _role(request), _scope(request), _hash(request), disabled=False, added_ns=changes.wall_ns)
    changes.put(USERS, queries.user_row(user))
    _record(changes, request, JournalKind.USER_ADDED, user, {"role": user.role.value, "scope": user.scope})
    return {"name": name}


def _user_change(connection: sa.Connection, changes: Changeset, request: Request) -> dict[str, Json]:
    """A changed role, scope or password, or a user disabled: sessions end, so that nothing goes on under old rights."""
    strange = request.args.keys() - _CHANGES
    if strange:
        raise RefusedError(RefusalCode.INVALID, field=min(strange), message="cannot be changed")
    user = changed = _known(connection, request)
    _require_people(request, user.scope, _scope(request) if "scope" in request.args else user.scope)
    if "role" in request.args:
        changed = replace(changed, role=_role(request))
    if "scope" in request.args:
        changed = replace(changed, scope=_scope(request))
    if "password_hash" in request.args:
        changed = replace(changed, password_hash=_hash(request))
    if "disabled" in request.args:
        changed = replace(changed, disabled=request.args["disabled"] is True)
    if changed == user:
        return {"sessions": 0}
    changes.put(USERS, queries.user_row(changed))
    ended = _end_all(connection, changes, user.name)
    data: dict[str, Json] = {
        "role": changed.role.value, "scope": changed.scope, "disabled": changed.disabled, "sessions_ended": ended,
        "password": changed.password_hash != user.password_hash,
    }  # fmt: skip
    _record(changes, request, JournalKind.USER_CHANGED, changed, data)
    return {"sessions": ended}


def _record(changes: Changeset, request: Request, kind: JournalKind, user: User, data: dict[str, Json]) -> None:
    restricted = request.restricted | {"user": user.name}
    changes.drafts.append(Draft(kind, changes.wall_ns, data, user.scope or None, restricted=restricted))


# --- arguments --------------------------------------------------------------------------------------------------------


def _require_people(request: Request, *scopes: str) -> None:
    """The console of the machine may. A person needs the right, and a scope that covers those of whom it is about:
    nobody makes a user who may more than himself."""
    if isinstance(request.actor, Person):
        request.actor.require(Right.PEOPLE)
        if not all(covers(request.actor.scope, scope or None) for scope in scopes):
            raise RefusedError(RefusalCode.NOT_ALLOWED, right=Right.PEOPLE.value)


def _known(connection: sa.Connection, request: Request) -> User:
    user = queries.load_user(connection, _text(request, "name"))
    if user is None:
        raise RefusedError(RefusalCode.UNKNOWN, what="user")
    return user


def _text(request: Request, name: str) -> str:
    value = request.args.get(name)
    if not isinstance(value, str):
        raise RefusedError(RefusalCode.INVALID, field=name, message="must be text")
    return value


def _count(request: Request) -> int:
    value = request.args.get("count")
    return value if isinstance(value, int) else 1


def _hash(request: Request) -> str:
    text = _text(request, "password_hash")
    if not passwords.is_hash(text):
        raise RefusedError(RefusalCode.INVALID, field="password_hash", message="is no argon2id hash")
    return text


def _role(request: Request) -> Role:
    try:
        return Role(_text(request, "role"))
    except ValueError:
        raise RefusedError(RefusalCode.INVALID, field="role", message=f"must be one of {', '.join(Role)}") from None


def _scope(request: Request) -> str:
    scope = _text(request, "scope") if "scope" in request.args else ""
    if scope and not is_org_path(scope):
        raise RefusedError(RefusalCode.INVALID, field="scope", message="must be ENTERPRISE[/SOURCE[/UNIT]], or empty")
    return scope
