"""The way of one push: which step follows which outcome. A table, so that every way out can be seen and tried. Pure.

Whatever happens, the gateway has a whole configuration: all before ``SWITCH`` touches nothing that its agent reads, ``SWITCH`` and
``ROLL_BACK`` are one rename each. A connection that is lost ends the way where it is; the next push goes on from what it finds.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeAlias


class Step(StrEnum):
    CONNECT = "connect"
    FETCH = "fetch what is there"
    ASK = "waiting for your word"
    UPLOAD = "upload"
    CHECK = "check at the gateway"
    SWITCH = "switch"
    LOOK = "look whether it runs"
    """Nothing differs: does the agent run with it, and has it been confirmed?"""
    RELOAD = "reload"
    START = "start"
    CONFIRM = "confirm that polls run"
    ACCEPT = "accept"
    DISCARD = "discard"
    ROLL_BACK = "roll back"
    RELOAD_BACK = "reload the former"
    CONFIRM_BACK = "confirm the former"
    SETTLE = "settle the former"


class Result(StrEnum):
    OK = "ok"
    SAME = "same"
    """FETCH: no byte differs. LOOK: it runs and is confirmed. SWITCH: another hand was there meanwhile."""
    NO = "no"
    """ASK: not wanted. RELOAD: no agent runs. ROLL_BACK: there is nothing to go back to."""
    START = "start"
    """RELOAD: no agent runs, and there is a command that starts it."""
    DRY = "dry"
    FAILED = "failed"
    LOST = "lost"


class Outcome(StrEnum):
    DONE = "done"
    UNCHANGED = "unchanged"
    SHOWN = "shown"
    DECLINED = "declined"
    UNREACHED = "not reached"
    REFUSED = "refused, nothing changed"
    PLACED = "in place, but no agent runs"
    ROLLED_BACK = "rolled back"
    UNSURE = "rolled back, but not confirmed"
    FAILED = "failed"
    LOST = "connection lost"

    @property
    def is_good(self) -> bool:
        return self in {Outcome.DONE, Outcome.UNCHANGED, Outcome.SHOWN}


Next: TypeAlias = Step | Outcome

TABLE: Final[Mapping[tuple[Step, Result], Next]] = {
    (Step.CONNECT, Result.OK): Step.FETCH,
    (Step.CONNECT, Result.FAILED): Outcome.UNREACHED,
    (Step.FETCH, Result.OK): Step.ASK,
    (Step.FETCH, Result.SAME): Step.LOOK,
    (Step.FETCH, Result.DRY): Outcome.SHOWN,
    (Step.FETCH, Result.FAILED): Outcome.REFUSED,
    (Step.LOOK, Result.SAME): Outcome.UNCHANGED,
    (Step.LOOK, Result.OK): Step.ASK,
    (Step.LOOK, Result.FAILED): Outcome.FAILED,
    (Step.ASK, Result.OK): Step.UPLOAD,
    (Step.ASK, Result.SAME): Step.RELOAD,
    (Step.ASK, Result.NO): Outcome.DECLINED,
    (Step.UPLOAD, Result.OK): Step.CHECK,
    (Step.UPLOAD, Result.FAILED): Step.DISCARD,
    (Step.CHECK, Result.OK): Step.SWITCH,
    (Step.CHECK, Result.FAILED): Step.DISCARD,
    (Step.DISCARD, Result.OK): Outcome.REFUSED,
    (Step.DISCARD, Result.FAILED): Outcome.REFUSED,
    (Step.SWITCH, Result.OK): Step.RELOAD,
    (Step.SWITCH, Result.SAME): Step.DISCARD,
    (Step.SWITCH, Result.FAILED): Step.ROLL_BACK,  # perhaps before, perhaps after the rename
    (Step.RELOAD, Result.OK): Step.CONFIRM,
    (Step.RELOAD, Result.NO): Outcome.PLACED,
    (Step.RELOAD, Result.START): Step.START,
    (Step.RELOAD, Result.FAILED): Step.ROLL_BACK,
    (Step.START, Result.OK): Step.CONFIRM,
    (Step.START, Result.FAILED): Step.ROLL_BACK,
    (Step.CONFIRM, Result.OK): Step.ACCEPT,
    (Step.CONFIRM, Result.FAILED): Step.ROLL_BACK,
    (Step.ACCEPT, Result.OK): Outcome.DONE,
    (Step.ACCEPT, Result.FAILED): Outcome.FAILED,
    (Step.ROLL_BACK, Result.OK): Step.RELOAD_BACK,
    (Step.ROLL_BACK, Result.NO): Outcome.FAILED,
    (Step.ROLL_BACK, Result.FAILED): Outcome.FAILED,
    (Step.RELOAD_BACK, Result.OK): Step.CONFIRM_BACK,
    (Step.RELOAD_BACK, Result.NO): Step.SETTLE,
    (Step.RELOAD_BACK, Result.FAILED): Outcome.UNSURE,
    (Step.CONFIRM_BACK, Result.OK): Step.SETTLE,
    (Step.CONFIRM_BACK, Result.FAILED): Outcome.UNSURE,
    (Step.SETTLE, Result.OK): Outcome.ROLLED_BACK,
    (Step.SETTLE, Result.FAILED): Outcome.UNSURE,
}


def follow(step: Step, result: Result) -> Next:
    """What comes after. A result that a step cannot have is a mistake in the program."""
    if result is Result.LOST:
        return Outcome.UNREACHED if step is Step.CONNECT else Outcome.LOST
    return TABLE[step, result]
