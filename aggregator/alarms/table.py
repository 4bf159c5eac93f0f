"""The alarm table of ISA-18.2 as data: every event in every state, allowed or refused with a reason. Pure.

Rules
-----
1. A state is (active, level, acknowledged, latched) × shelved × suppressed × out of service. The letters A to G of the
   standard are derived for show.
2. The process moves ``active`` and ``level``, whatever people and holds do. Nobody can make an active alarm normal.
3. Unacknowledged means that somebody owes an answer. An alarm is normal (A) again when it is inactive, nothing is owed
   and nothing is latched; from leaving A to coming back to A it is one *instance*.
4. A hold (shelf, suppression, out of service) takes away the showing, never the following. The three are independent:
   as long as one stands, the alarm is not annunciated.
5. When the last hold goes, an active alarm is unacknowledged and sounds, whatever it was before; nobody has seen what
   happened beneath. What was owed before is owed still, silently.

Theory of operation
-------------------
``step`` looks up four small tables one after the other, and the first refusal counts:

- ``SHELF``, ``SUPPRESSED`` and ``OUT_OF_SERVICE`` say which holds stand *after* the event. A shelf holds up to the level
  at which it was set; a higher one ends it.
- ``LEVELS`` says at which level the process is then.
- ``CORE`` has a block for each ``Cover``, which is what the holds that stand after the event make of the alarm: OPEN
  (shown), SHELVED (a shelf and nothing else), SET_ASIDE (by design logic or a permit). In a block, a row per event has a
  cell for each of the eight modes. So that an event releases the *last* hold needs no rule: it is found in OPEN.
  Combinations that cannot be have no cell: an alarm that has just been shelved is not OPEN.

What the standard leaves open, and what is decided here
--------------------------------------------------------
- *Unacknowledging sounds.* The standard knows one state B, and in it the horn sounds; who took back his own mistake may
  silence it, and an alarm that nobody ever heard does not come of it.
- *A level up sounds again even if it was acknowledged*, and what latches latches then, if a hold kept it from that; a
  level down only moves the level: it is less, not new.
- *What another agent reports as well is heard* (JOINED), even if the alarm was acknowledged at that level: two agents of
  one tag may well be two places, of which the operator has looked at one. Beneath a hold it is like a condition that is
  raised there.
- *Acknowledge, unacknowledge and reset are refused while held*: one would answer for what is not shown.
- *Raised beneath a shelf* an alarm owes nothing if nothing was owed, since the shelf is a person's decision about just
  that; one that latches does owe, since a shelf is not to make a gas alarm forget itself.
- *Raised beneath suppression or out of service* it owes nothing and does not latch: it is a bump test, or work under a
  permit. If it is still active when the hold goes, it is raised then, latch included.
- *Shelving what is normal is allowed* (a nuisance that is quiet just now), and shelving anew what is shelved: end, level
  and reason are those of the newer one. Both are on record.
- *A one-shot shelf* ends with the return to normal as well.
- *An active acknowledged alarm sounds again* when its re-alarm time is over (REALARM); a latched one that has returned
  does not: nothing is getting worse.
- *Out of service has a date, and no timer*: the standard wants a person to put an alarm back.
- *History* (an activation that came and went before anybody here could know of it) never sounds. MISSED is for what
  somebody should have answered: it is owed, silently. PASSED is put on record only. Either joins the instance that
  stands, if one does; if that one is active, its own acknowledgement is answer enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from aggregator.alarms.states import (
    MODES,
    SHELF_LEVEL,
    Cover,
    Effect,
    Event,
    Mode,
    Reason,
    Shelf,
    State,
    Step,
    Trigger,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """Where an allowed event leads, and where it leads an alarm that latches."""

    to: Mode
    to_latching: Mode
    effects: frozenset[Effect] = frozenset()


class Move(Enum):
    """What an event does to a hold or to the level."""

    KEEP = auto()
    SET = auto()
    END = auto()
    END_IF_HIGHER = auto()
    """A shelf ends where the level rises above its own."""
    END_IF_ONCE = auto()
    TO_1 = auto()
    TO_2 = auto()
    TO_0 = auto()
    AS_RAISED = auto()


def step(state: State, trigger: Trigger) -> Step | Reason:
    """What ``trigger`` makes of ``state``, or why it cannot be."""
    event = trigger.event
    moves = (
        SHELF[state.shelf is not Shelf.NONE][event], SUPPRESSED[state.suppressed][event],
        OUT_OF_SERVICE[state.out_of_service][event],
    )  # fmt: skip
    for move in moves:
        if isinstance(move, Reason):
            return move
    shelving, suppressing, removing = (move for move in moves if isinstance(move, Move))
    level = _level(state, trigger)
    held = replace(
        state, shelf=_shelf(state, trigger, shelving, level), suppressed=_flag(suppressing, held=state.suppressed),
        out_of_service=_flag(removing, held=state.out_of_service),
    )  # fmt: skip
    cell = CORE[held.cover][event][state.mode]
    if isinstance(cell, Reason):
        return cell
    if isinstance(level, Reason):
        return level
    active, acknowledged, latched = _BITS[cell.to_latching if trigger.latching else cell.to]
    after = replace(held, active=active, level=level, acknowledged=acknowledged, latched=latched)
    return Step(after, _instance_effects(cell.effects, after) | _shelf_effects(state.shelf, after.shelf, shelving))


def _level(state: State, trigger: Trigger) -> int | Reason:
    move = LEVELS[state.level][trigger.event]
    if isinstance(move, Reason):
        return move
    return {Move.KEEP: state.level, Move.AS_RAISED: trigger.level}.get(move, _LEVEL_OF.get(move, 0))


def _shelf(state: State, trigger: Trigger, move: Move, level: int | Reason) -> Shelf:
    ends = {
        Move.END: True,
        Move.END_IF_HIGHER: isinstance(level, int) and level > SHELF_LEVEL[state.shelf],
        Move.END_IF_ONCE: state.shelf in {Shelf.ONCE_TO_1, Shelf.ONCE_TO_2},
    }
    if move is Move.SET:
        return _SHELVES[trigger.once, max(1, state.level)]
    return Shelf.NONE if ends.get(move, False) else state.shelf


def _flag(move: Move, *, held: bool) -> bool:
    return {Move.SET: True, Move.END: False}.get(move, held)


def _instance_effects(effects: frozenset[Effect], after: State) -> frozenset[Effect]:
    """An instance that was opened or stood ends wherever the alarm is normal; cells say so where it is not evident."""
    if Effect.OPENS_INSTANCE in effects and after.mode is Mode.NORMAL:
        return effects | {Effect.ENDS_INSTANCE}
    return effects


def _shelf_effects(before: Shelf, after: Shelf, move: Move) -> frozenset[Effect]:
    if move is Move.SET:
        return frozenset({Effect.STARTS_SHELF})
    return frozenset({Effect.ENDS_SHELF}) if before is not after else frozenset()


_BITS: Final = {mode: bits for bits, mode in MODES.items()}
_SHELVES: Final = {
    (False, 1): Shelf.TO_1, (False, 2): Shelf.TO_2, (True, 1): Shelf.ONCE_TO_1, (True, 2): Shelf.ONCE_TO_2,
}  # fmt: skip
_LEVEL_OF: Final = {Move.TO_0: 0, Move.TO_1: 1, Move.TO_2: 2}

# -- holds and level ---------------------------------------------------------------------------------------------------


def _moves(**changed: Move | Reason) -> Mapping[Event, Move | Reason]:
    return MappingProxyType({event: changed.get(event.value, Move.KEEP) for event in Event})


SHELF: Final = MappingProxyType({
    False: _moves(shelve=Move.SET, unshelve=Reason.NOT_SHELVED, shelf_expired=Reason.NOT_SHELVED),
    True: _moves(
        shelve=Move.SET, unshelve=Move.END, shelf_expired=Move.END, raised=Move.END_IF_HIGHER,
        level_up=Move.END_IF_HIGHER, returned=Move.END_IF_ONCE,
    ),
})  # fmt: skip
SUPPRESSED: Final = MappingProxyType(
    {
        False: _moves(suppress=Move.SET, unsuppress=Reason.NOT_SUPPRESSED),
        True: _moves(suppress=Reason.ALREADY_SUPPRESSED, unsuppress=Move.END),
    }
)
OUT_OF_SERVICE: Final = MappingProxyType(
    {
        False: _moves(remove_from_service=Move.SET, return_to_service=Reason.NOT_OUT_OF_SERVICE),
        True: _moves(remove_from_service=Reason.ALREADY_OUT_OF_SERVICE, return_to_service=Move.END),
    }
)
LEVELS: Final = MappingProxyType({
    0: _moves(
        raised=Move.AS_RAISED, returned=Reason.NOT_ACTIVE, level_up=Reason.NOT_ACTIVE, level_down=Reason.NOT_ACTIVE,
        joined=Reason.NOT_ACTIVE,
    ),
    1: _moves(
        raised=Reason.ALREADY_ACTIVE, returned=Move.TO_0, level_up=Move.TO_2, level_down=Reason.AT_THAT_LEVEL
    ),
    2: _moves(
        raised=Reason.ALREADY_ACTIVE, returned=Move.TO_0, level_up=Reason.AT_THAT_LEVEL, level_down=Move.TO_1
    ),
})  # fmt: skip

# -- the core ----------------------------------------------------------------------------------------------------------

_MODES: Final = tuple(Mode)
_N, _U, _UL, _K, _KL, _R, _RL, _L = _MODES
Block = Mapping[Event, Mapping[Mode, Cell | Reason]]
_Written = Cell | Reason | None


def _to(mode: Mode, *effects: Effect, latching: Mode | None = None) -> Cell:
    return Cell(mode, latching or mode, frozenset(effects))


def _block(**rows: tuple[_Written, ...]) -> Block:
    """A row per event, a cell per mode in their order; None: the event changes nothing of this."""
    return MappingProxyType(
        {
            Event(event): MappingProxyType(
                {mode: _to(mode) if cell is None else cell for mode, cell in zip(_MODES, cells, strict=True)}
            )
            for event, cells in rows.items()
        }
    )


_STAYS: Final = (None,) * len(_MODES)
_HELD: Final = (Reason.HELD,) * len(_MODES)
_ACTIVE, _INACTIVE = Reason.ALREADY_ACTIVE, Reason.NOT_ACTIVE
_NOT_ACKED, _IS_ACKED, _NOT_LATCHED = Reason.NOT_ACKNOWLEDGED, Reason.ALREADY_ACKNOWLEDGED, Reason.NOT_LATCHED
_OPENS, _JOINS, _ENDS, _SOUND = Effect.OPENS_INSTANCE, Effect.JOINS_INSTANCE, Effect.ENDS_INSTANCE, Effect.SOUND

_JOINED: Final = tuple(_to(mode, _JOINS) for mode in _MODES[1:])
_RETURNS: Final[tuple[_Written, ...]] = (
    _INACTIVE, _to(_R), _to(_RL), _to(_N, _ENDS), _to(_L), _INACTIVE, _INACTIVE, _INACTIVE,
)  # fmt: skip
"""The same under every cover: the process goes on beneath."""
_RELEASED: Final[tuple[_Written, ...]] = (
    None, _to(_U, _SOUND, latching=_UL), _to(_UL, _SOUND), _to(_U, _SOUND, latching=_UL), _to(_UL, _SOUND), None, None,
    None,
)  # fmt: skip
_RISES: Final = (_INACTIVE, *_RELEASED[1:5], _INACTIVE, _INACTIVE, _INACTIVE)
_LEVEL_MOVES: Final[tuple[_Written, ...]] = (_INACTIVE, None, None, None, None, _INACTIVE, _INACTIVE, _INACTIVE)

CORE: Final[Mapping[Cover, Block]] = MappingProxyType({
    # Cells stand in the order normal, unack, unack_latched, acked, acked_latched, returned, returned_latched, latched.
    Cover.OPEN: _block(
        raised=(_to(_U, _OPENS, _SOUND, latching=_UL), _ACTIVE, _ACTIVE, _ACTIVE, _ACTIVE,
                _to(_U, _JOINS, _SOUND, latching=_UL), _to(_UL, _JOINS, _SOUND), _to(_UL, _JOINS, _SOUND)),
        level_up=_RISES,
        level_down=_LEVEL_MOVES,
        joined=(_INACTIVE, _to(_U, _JOINS, _SOUND, latching=_UL), _to(_UL, _JOINS, _SOUND),
                _to(_U, _JOINS, _SOUND, latching=_UL), _to(_UL, _JOINS, _SOUND), _INACTIVE, _INACTIVE, _INACTIVE),
        returned=_RETURNS,
        missed=(_to(_R, _OPENS, latching=_RL), *_JOINED[:4], _to(_R, _JOINS, latching=_RL), _to(_RL, _JOINS),
                _to(_RL, _JOINS)),
        passed=(_to(_N, _OPENS), *_JOINED),
        acknowledge=(Reason.NOTHING_OWED, _to(_K, Effect.STARTS_REALARM), _to(_KL, Effect.STARTS_REALARM), _IS_ACKED,
                     _IS_ACKED, _to(_N, _ENDS), _to(_L), _IS_ACKED),
        unacknowledge=(_NOT_ACKED, _NOT_ACKED, _NOT_ACKED, _to(_U, _SOUND), _to(_UL, _SOUND), _NOT_ACKED, _NOT_ACKED,
                       _to(_RL)),
        reset=(_NOT_LATCHED, _NOT_LATCHED, Reason.STILL_ACTIVE, _NOT_LATCHED, Reason.STILL_ACTIVE, _NOT_LATCHED,
               _NOT_ACKED, _to(_N, _ENDS)),
        realarm=(_INACTIVE, _NOT_ACKED, _NOT_ACKED, _to(_U, _SOUND), _to(_UL, _SOUND), _INACTIVE, _INACTIVE, _INACTIVE),
        comment=_STAYS,
        unshelve=_RELEASED, shelf_expired=_RELEASED, unsuppress=_RELEASED, return_to_service=_RELEASED,
    ),
    Cover.SHELVED: _block(
        raised=(_to(_K, _OPENS, latching=_UL), _ACTIVE, _ACTIVE, _ACTIVE, _ACTIVE, _to(_U, _JOINS, latching=_UL),
                _to(_UL, _JOINS), _to(_UL, _JOINS)),
        level_up=_LEVEL_MOVES,
        level_down=_LEVEL_MOVES,
        joined=(_INACTIVE, _to(_U, _JOINS, latching=_UL), _to(_UL, _JOINS), _to(_K, _JOINS, latching=_UL),
                _to(_UL, _JOINS), _INACTIVE, _INACTIVE, _INACTIVE),
        returned=_RETURNS,
        missed=(_to(_N, _OPENS, latching=_RL), *_JOINED[:4], _to(_R, _JOINS, latching=_RL), _to(_RL, _JOINS),
                _to(_RL, _JOINS)),
        passed=(_to(_N, _OPENS), *_JOINED),
        acknowledge=_HELD, unacknowledge=_HELD, reset=_HELD, realarm=_HELD,
        comment=_STAYS,
        shelve=_STAYS, unsuppress=_STAYS, return_to_service=_STAYS,
    ),
    Cover.SET_ASIDE: _block(
        raised=(_to(_K, _OPENS), _ACTIVE, _ACTIVE, _ACTIVE, _ACTIVE, _to(_U, _JOINS), _to(_UL, _JOINS),
                _to(_KL, _JOINS)),
        level_up=_LEVEL_MOVES,
        level_down=_LEVEL_MOVES,
        joined=(_INACTIVE, *_JOINED[:4], _INACTIVE, _INACTIVE, _INACTIVE),
        returned=_RETURNS,
        missed=(_to(_N, _OPENS), *_JOINED),
        passed=(_to(_N, _OPENS), *_JOINED),
        acknowledge=_HELD, unacknowledge=_HELD, reset=_HELD, realarm=_HELD,
        comment=_STAYS,
        shelve=_STAYS, unshelve=_STAYS, shelf_expired=_STAYS, suppress=_STAYS, unsuppress=_STAYS,
        remove_from_service=_STAYS, return_to_service=_STAYS,
    ),
})  # fmt: skip
