"""The matrix of roles and rights, and the reach of a person within the organisation. Pure.

A right says what, a scope says where: an organisation path, and everything below it. Administrators manage people and
do not handle alarms; who handles alarms does not manage people.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from aggregator.commands.refusal import RefusalCode, RefusedError


class Role(StrEnum):
    """What a person is in the control room."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    ADMINISTRATOR = "administrator"
    REGULATOR = "regulator"


class Right(StrEnum):
    """What a person may do."""

    SEE = "see"
    """Points, trends, alarms, agents."""
    ACKNOWLEDGE = "acknowledge"
    """And take it back."""
    SHELVE = "shelve"
    SERVICE = "service"
    """Take an alarm out of service, and return it."""
    COMMENT = "comment"
    RESET = "reset"
    JOURNAL = "journal"
    """Read the open part of journal records."""
    NAMES = "names"
    """Read their restricted part: who it was."""
    PEOPLE = "people"
    """Add and change people, end their sessions."""


_OPERATOR: Final = frozenset({Right.SEE, Right.ACKNOWLEDGE, Right.SHELVE, Right.COMMENT, Right.RESET, Right.JOURNAL})
RIGHTS: Final = {
    Role.VIEWER: frozenset({Right.SEE}),
    Role.OPERATOR: _OPERATOR,
    Role.ENGINEER: _OPERATOR | {Right.SERVICE},
    Role.ADMINISTRATOR: frozenset({Right.SEE, Right.JOURNAL, Right.NAMES, Right.PEOPLE}),
    Role.REGULATOR: frozenset({Right.SEE, Right.JOURNAL, Right.NAMES}),
}


def covers(scope: str, org: str | None) -> bool:
    """Whether ``org``, a path, lies in ``scope``; None, the aggregator itself, lies in the whole park ("") only."""
    return not scope or (org is not None and (org == scope or org.startswith(scope + "/")))


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in; ``session`` is the hex sha256 of the session's token."""

    name: str
    role: Role
    scope: str
    session: str

    def may(self, right: Right, org: str | None = None) -> bool:
        """Whether the role has it, and for this organisation where one is named."""
        return right in RIGHTS[self.role] and (org is None or covers(self.scope, org))

    def require(self, right: Right, org: str | None = None) -> None:
        """Raises RefusedError NOT_ALLOWED."""
        if not self.may(right, org):
            raise RefusedError(RefusalCode.NOT_ALLOWED, right=right.value)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who says that he asks: the token of a session, and where he sits. What every function of a service takes."""

    token: str
    station: str
