"""How a command is refused: a code with parameters, which the pages put into words.

``::``

    ParkSentryError
    ├── RefusedError       somebody asked for what he may not have, or what cannot be done now
    └── UnavailableError   ingest does not answer; whether the command was carried out is not known
"""

from __future__ import annotations

from enum import StrEnum

from contract.errors import ParkSentryError
from contract.events import Json


class RefusalCode(StrEnum):
    """Why a command was refused."""

    NOT_SIGNED_IN = "not_signed_in"
    """No session, or one that ended or was revoked."""
    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a code, no password
    """Of the name or the password one is wrong; which, is not said."""
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    """``retry_after_s``."""
    NOT_ALLOWED = "not_allowed"
    """``right``: the role does not have it, or not for this organisation."""
    UNKNOWN = "unknown"
    """``what``, ``name``: there is no such thing, or it lies outside the person's scope."""
    MOVED_ON = "moved_on"
    """``seen``, ``revision``: what the person saw is no longer so."""
    NOT_POSSIBLE = "not_possible"
    """``reason``: the state does not allow it; a code of whoever decides."""
    INVALID = "invalid"
    """``field``, ``message``: an argument is missing or out of bounds."""


class RefusedError(ParkSentryError):
    """A command was refused, and nothing was changed."""

    def __init__(self, code: RefusalCode, **params: Json) -> None:
        self.code = code
        self.params = params
        super().__init__(" ".join([code.value, *(f"{name}={value}" for name, value in params.items())]))


class UnavailableError(ParkSentryError):
    """Ingest did not answer in time. ``delivered``: it had the command, so the outcome has to be looked up."""

    def __init__(self, message: str, *, delivered: bool) -> None:
        self.delivered = delivered
        super().__init__(message)
