"""The words of the alarm table: events, states, reasons, effects. Pure.

``table`` says what follows from what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Event(StrEnum):
    """What can befall an alarm: the process, history, people, timers, holds."""

    RAISED = "raised"
    LEVEL_UP = "level_up"
    LEVEL_DOWN = "level_down"
    JOINED = "joined"
    """Another agent reports it as well, or again, while it is active."""
    RETURNED = "returned"
    MISSED = "missed"
    PASSED = "passed"
    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    RESET = "reset"
    REALARM = "realarm"
    COMMENT = "comment"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    SHELF_EXPIRED = "shelf_expired"
    SUPPRESS = "suppress"
    UNSUPPRESS = "unsuppress"
    REMOVE_FROM_SERVICE = "remove_from_service"
    RETURN_TO_SERVICE = "return_to_service"


class Reason(StrEnum):
    """Why the table refuses an event."""

    ALREADY_ACTIVE = "already_active"
    NOT_ACTIVE = "not_active"
    AT_THAT_LEVEL = "at_that_level"
    NOTHING_OWED = "nothing_owed"
    ALREADY_ACKNOWLEDGED = "already_acknowledged"
    NOT_ACKNOWLEDGED = "not_acknowledged"
    NOT_LATCHED = "not_latched"
    STILL_ACTIVE = "still_active"
    HELD = "held"
    NOT_SHELVED = "not_shelved"
    ALREADY_SUPPRESSED = "already_suppressed"
    NOT_SUPPRESSED = "not_suppressed"
    ALREADY_OUT_OF_SERVICE = "already_out_of_service"
    NOT_OUT_OF_SERVICE = "not_out_of_service"


class Effect(StrEnum):
    """What else follows from an event."""

    OPENS_INSTANCE = "opens_instance"
    JOINS_INSTANCE = "joins_instance"
    """One more activation of the instance that stands."""
    ENDS_INSTANCE = "ends_instance"
    SOUND = "sound"
    STARTS_REALARM = "starts_realarm"
    STARTS_SHELF = "starts_shelf"
    ENDS_SHELF = "ends_shelf"


class Letter(StrEnum):
    """States as ISA-18.2 names them."""

    A = "A"
    """Normal."""
    B = "B"
    """Active, unacknowledged."""
    C = "C"
    """Acknowledged: active, or latched until somebody resets it."""
    D = "D"
    """Returned to normal, unacknowledged."""
    E = "E"
    """Shelved."""
    F = "F"
    """Suppressed by design."""
    G = "G"
    """Out of service."""


class Mode(StrEnum):
    """(active, acknowledged, latched) by name."""

    NORMAL = "normal"
    UNACK = "unack"
    UNACK_LATCHED = "unack_latched"
    ACKED = "acked"
    ACKED_LATCHED = "acked_latched"
    RETURNED = "returned"
    RETURNED_LATCHED = "returned_latched"
    LATCHED = "latched"


class Cover(StrEnum):
    """What the holds that stand make of an alarm."""

    OPEN = "open"
    SHELVED = "shelved"
    SET_ASIDE = "set_aside"


class Shelf(StrEnum):
    """A shelf and the level up to which it holds; ONCE ends with the next return to normal too."""

    NONE = "none"
    TO_1 = "to_1"
    TO_2 = "to_2"
    ONCE_TO_1 = "once_to_1"
    ONCE_TO_2 = "once_to_2"


@dataclass(frozen=True, slots=True)
class State:
    """``level`` is 0 while the process is normal."""

    active: bool = False
    level: int = 0
    acknowledged: bool = True
    latched: bool = False
    shelf: Shelf = Shelf.NONE
    suppressed: bool = False
    out_of_service: bool = False

    @property
    def mode(self) -> Mode:
        return MODES[self.active, self.acknowledged, self.latched]

    @property
    def cover(self) -> Cover:
        return COVERS[self.shelf is not Shelf.NONE, self.suppressed, self.out_of_service]

    @property
    def letter(self) -> Letter:
        return _HELD_LETTERS.get((self.suppressed, self.out_of_service)) or (
            Letter.E if self.shelf is not Shelf.NONE else _LETTERS[self.mode]
        )


@dataclass(frozen=True, slots=True)
class Trigger:
    """An event with what the table must know of it. ``level`` is what news of the process tells, or told, ``latching`` says whether the alarm is one
    that latches, ``once`` is for SHELVE."""

    event: Event
    level: int = 1
    latching: bool = False
    once: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """The state after an allowed event, and what follows from it."""

    state: State
    effects: frozenset[Effect]


# -- names of combinations ---------------------------------------------------------------------------------------------

MODES: Final[Mapping[tuple[bool, bool, bool], Mode]] = MappingProxyType(
    {
        # active, acknowledged, latched
        (False, True, False): Mode.NORMAL,
        (True, False, False): Mode.UNACK,
        (True, False, True): Mode.UNACK_LATCHED,
        (True, True, False): Mode.ACKED,
        (True, True, True): Mode.ACKED_LATCHED,
        (False, False, False): Mode.RETURNED,
        (False, False, True): Mode.RETURNED_LATCHED,
        (False, True, True): Mode.LATCHED,
    }
)
COVERS: Final[Mapping[tuple[bool, bool, bool], Cover]] = MappingProxyType(
    {
        # shelved, suppressed, out of service
        (False, False, False): Cover.OPEN,
        (True, False, False): Cover.SHELVED,
        (False, True, False): Cover.SET_ASIDE,
        (False, False, True): Cover.SET_ASIDE,
        (True, True, False): Cover.SET_ASIDE,
        (True, False, True): Cover.SET_ASIDE,
        (False, True, True): Cover.SET_ASIDE,
        (True, True, True): Cover.SET_ASIDE,
    }
)
SHELF_LEVEL: Final[Mapping[Shelf, int]] = MappingProxyType(
    {Shelf.NONE: 0, Shelf.TO_1: 1, Shelf.TO_2: 2, Shelf.ONCE_TO_1: 1, Shelf.ONCE_TO_2: 2}
)
_LETTERS: Final = {
    Mode.NORMAL: Letter.A, Mode.UNACK: Letter.B, Mode.UNACK_LATCHED: Letter.B, Mode.ACKED: Letter.C,
    Mode.ACKED_LATCHED: Letter.C, Mode.LATCHED: Letter.C, Mode.RETURNED: Letter.D, Mode.RETURNED_LATCHED: Letter.D,
}  # fmt: skip
_HELD_LETTERS: Final = {(True, False): Letter.F, (False, True): Letter.G, (True, True): Letter.G}
"""Of several holds the one shown is that which takes most to end: a permit, then design logic, then a person."""
