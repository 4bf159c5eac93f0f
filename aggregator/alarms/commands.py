"""What people do to alarms, decided by ingest: each action names the instance and the revision that the person saw.

If either has moved on, nothing is done and the refusal says so: nobody acknowledges what he has not seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from aggregator.alarms.alarm import Alarm
from aggregator.alarms.book import Book
from aggregator.alarms.policy import AlarmKey
from aggregator.alarms.states import Event, Reason, Trigger
from aggregator.commands.desk import Handler, Request
from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.journal.changeset import Changeset
from aggregator.people.rights import Person, Right
from contract.clock import NS_PER_S
from contract.events import INT64_MAX, Json
from contract.points import ConditionKind

TEXT_LENGTH_MAX: Final = 1000
NAME_LENGTH_MAX: Final = 200
"""Of an instance, or of organisation/tag/kind."""
SERVICE_MAX_NS: Final = 366 * 24 * 3600 * NS_PER_S


_MISLEADING: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters, line separators (a text is one line) and bidirectional overrides (Unicode UAX 9: a text that is
displayed in another order than it stands on record)."""


class Action(StrEnum):
    """What a person may ask for."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    SHELVE = "shelve"
    UNSHELVE = "unshelve"
    REMOVE_FROM_SERVICE = "remove_from_service"
    RETURN_TO_SERVICE = "return_to_service"
    RESET = "reset"
    COMMENT = "comment"


@dataclass(frozen=True, slots=True)
class Demand:
    """What an action needs: a right, texts, and whether it must say until when."""

    event: Event
    right: Right
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ("comment",)
    ends: bool = False


DEMANDS: Final[Mapping[Action, Demand]] = {
    Action.ACKNOWLEDGE: Demand(Event.ACKNOWLEDGE, Right.ACKNOWLEDGE),
    Action.UNACKNOWLEDGE: Demand(Event.UNACKNOWLEDGE, Right.ACKNOWLEDGE),
    Action.SHELVE: Demand(Event.SHELVE, Right.SHELVE, needs=("reason",), ends=True),
    Action.UNSHELVE: Demand(Event.UNSHELVE, Right.SHELVE),
    Action.REMOVE_FROM_SERVICE: Demand(Event.REMOVE_FROM_SERVICE, Right.SERVICE, needs=("permit",), ends=True),
    Action.RETURN_TO_SERVICE: Demand(Event.RETURN_TO_SERVICE, Right.SERVICE),
    Action.RESET: Demand(Event.RESET, Right.RESET),
    Action.COMMENT: Demand(Event.COMMENT, Right.COMMENT, needs=("comment",), takes=()),
}


def handlers(book: Book) -> dict[str, Handler]:
    """A verb ``alarm_<action>`` for each action."""
    return {f"alarm_{action.value}": _handler(book, action) for action in Action}


def _handler(book: Book, action: Action) -> Handler:
    def handle(changes: Changeset, request: Request) -> dict[str, Json]:
        demand = DEMANDS[action]
        alarm = _seen(book, request, demand)
        data: dict[str, Json] = {name: _text(request, name, required=True) for name in demand.needs}
        data |= {name: text for name in demand.takes if (text := _text(request, name, required=False))}
        until_ns = _until(book, changes, request, action) if demand.ends else None
        if until_ns is not None:
            data["until_ns"] = str(until_ns)
        trigger = Trigger(demand.event, once=request.args.get("once") is True)
        moved = book.act(changes, alarm.key, trigger, request.restricted, data, until_ns)
        if isinstance(moved, Reason):
            raise RefusedError(RefusalCode.NOT_POSSIBLE, reason=moved.value)
        return {"revision": str(moved.revision), "letter": moved.state.letter.value}

    return handle


def _seen(book: Book, request: Request, demand: Demand) -> Alarm:
    """The alarm that is meant, if the person may and if it is still what he saw. What lies outside his scope is unknown
    in the same words as what is not there."""
    assert isinstance(request.actor, Person), "no alarm verb is the console's"
    request.actor.require(demand.right)
    alarm = book.get(_key(request)) if "tag" in request.args else None
    if alarm is None or not request.actor.may(demand.right, alarm.condition.org):
        raise RefusedError(RefusalCode.UNKNOWN, what="alarm", name=request.args.get("alarm"))
    instance = None if alarm.instance is None else alarm.instance.id
    if request.args.get("instance") != instance or request.args.get("seen") != alarm.revision:
        raise RefusedError(
            RefusalCode.MOVED_ON, seen=request.args.get("seen"), revision=alarm.revision, instance=instance,
            letter=alarm.state.letter.value,
        )  # fmt: skip
    return alarm


def _key(request: Request) -> AlarmKey:
    kind = _text(request, "kind", required=True)
    if kind not in {each.value for each in ConditionKind}:
        raise RefusedError(RefusalCode.INVALID, field="kind", message=f"must be one of {', '.join(ConditionKind)}")
    organisation, tag = _text(request, "organisation", required=True), _text(request, "tag", required=True)
    return AlarmKey(organisation, tag, ConditionKind(kind))


def _text(request: Request, name: str, *, required: bool) -> str:
    value = request.args.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or len(value) > TEXT_LENGTH_MAX or (required and not value.strip()):
        message = f"must be text of 1 to {TEXT_LENGTH_MAX} characters"
        raise RefusedError(RefusalCode.INVALID, field=name, message=message)
    text = _encodable(name, value.strip())
    if found := _MISLEADING.search(text):
        message = (
            f"holds the character U+{ord(found[0]):04X}, which hides or turns round what stands beside it; remove it"
        )
        raise RefusedError(RefusalCode.INVALID, field=name, message=message)
    return text


def _encodable(name: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RefusedError(RefusalCode.INVALID, field=name, message="holds half a surrogate pair") from None
    return text


def _until(book: Book, changes: Changeset, request: Request, action: Action) -> int:
    """The end is mandatory: ahead of now, and not further than allowed."""
    value = request.args.get("until_ns")
    longest_ns = book.rules.shelve_max_ns if action is Action.SHELVE else SERVICE_MAX_NS
    digits = isinstance(value, str) and value.isascii() and value.isdigit()
    until_ns = int(str(value)) if digits and len(str(value)) <= len(str(INT64_MAX)) else 0
    if not changes.wall_ns < until_ns <= changes.wall_ns + longest_ns:
        message = f"must be a time (ns, text) within the next {longest_ns // NS_PER_S // 60} minutes"
        raise RefusedError(RefusalCode.INVALID, field="until_ns", message=message)
    return until_ns
