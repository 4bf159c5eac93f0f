"""What can come of a request: an answer, or the reason why there is none. Pure; ``link`` makes them, ``unit`` reads them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class FailureReason(StrEnum):
    """Why there is no answer."""

    WAITING = "waiting"
    """Nothing was tried: the link is down and the back-off still runs."""
    UNREACHABLE = "unreachable"
    """The connection could not be opened."""
    TIMED_OUT = "timed out"
    DROPPED = "dropped"
    """The connection ended while the request waited."""
    MALFORMED = "malformed"
    """A reply came that does not fit the request."""

    @property
    def was_asked(self) -> bool:
        """The request was on the wire, so that it, or the unit it went to, may be to blame."""
        return self not in (FailureReason.WAITING, FailureReason.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer. ``text`` is for a person."""

    reason: FailureReason
    text: str
    took_ns: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A valid reply: ``payload`` holds the data bytes, or ``exception`` the device's refusal. Stamped on arrival, which was
    ``took_ns`` after the request went out."""

    payload: bytes
    exception: int | None
    time_ns: int
    mono_ns: int
    took_ns: int = 0
