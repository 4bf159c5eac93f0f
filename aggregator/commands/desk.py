"""The answering end: finds out who asks, lets the owner of the verb decide, puts refusals on record. No I/O of its own.

A decision fills a Changeset and is answered after its commit. A handler checks everything before it changes anything it
remembers, so that a refusal leaves no trace but its record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from aggregator.commands.messages import PING, Command, decode_command, encode_answer
from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.journal.changeset import Changeset
from aggregator.journal.log import Draft, JournalKind
from aggregator.journal.repeats import Repeats
from contract.clock import NS_PER_S
from contract.errors import FrameError
from contract.events import Json

SECRET_ARGS: Final = frozenset({"token", "password_hash", "checked_hash", "renewed_hash", "session"})
"""Arguments that never go on record."""
NAME_ARG: Final = "name"
"""The person whom a command is about: on record in the restricted part only."""
_NOT_OPEN: Final = SECRET_ARGS | {NAME_ARG}
_TEXT_RECORDED_MAX: Final = 200
REFUSALS_PERIOD_NS: Final = 60 * NS_PER_S
"""What one session is refused again and again is put on record at most this often, with its count."""


class Actor(Protocol):
    """Who asks, as a handler and the record need it."""

    @property
    def name(self) -> str: ...

    @property
    def role(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Request:
    """A command and who gave it; ``actor`` is None for the console of this machine."""

    command: Command
    actor: Actor | None

    @property
    def args(self) -> dict[str, Json]:
        return self.command.args

    @property
    def restricted(self) -> dict[str, Json]:
        """The restricted part of every record of what a person did."""
        return {"person": None if self.actor is None else self.actor.name, "station": self.command.station}


C = TypeVar("C", bound=Changeset)
Handler = Callable[[Changeset, Request], dict[str, Json]]
"""Decides; fills the Changeset and gives the result. Raises RefusedError, and then has changed nothing."""
Resolve = Callable[[str, int], Actor]
"""The person of a session digest at a wall time, ns. Raises RefusedError."""


class Desk:
    """``console`` names the verbs that need no person: the command line's own, and signing in. ``mono_ns``: the clock
    by which repeated refusals are counted."""

    def __init__(
        self, handlers: Mapping[str, Handler], console: frozenset[str], resolve: Resolve, mono_ns: Callable[[], int]
    ) -> None:
        self._handlers = handlers
        self._console = console
        self._resolve = resolve
        self._refusals = Refusals(mono_ns)

    def serve(self, make_changeset: Callable[[], C], data: bytes) -> tuple[C, bytes]:
        """What is to be committed, and the answer to be sent after that. Raises FrameError for what is no command."""
        number, command = decode_command(data)
        changes = make_changeset()
        if command.verb == PING:
            return changes, encode_answer(number, {})
        actor: Actor | None = None
        try:
            if command.session is not None:
                actor = self._resolve(command.session, changes.wall_ns)
            answer = encode_answer(number, self._handle(changes, Request(command, actor)))
        except RefusedError as error:
            changes, answer = make_changeset(), encode_answer(number, error)
            self._refusals.put(changes, Request(command, actor), error)
        self._refusals.put_leftovers(changes)
        return changes, answer

    def _handle(self, changes: Changeset, request: Request) -> dict[str, Json]:
        verb = request.command.verb
        handler = self._handlers.get(verb)
        if handler is None:
            raise RefusedError(RefusalCode.UNKNOWN, what="verb", name=verb)
        if request.actor is None and verb not in self._console:
            raise RefusedError(RefusalCode.NOT_SIGNED_IN)
        try:
            return handler(changes, request)
        except FrameError as error:
            raise RefusedError(RefusalCode.INVALID, field=error.field, message=str(error)) from error


class Refusals:
    """Puts refusals on record: of one session, verb and code the first at once and then one a minute, with the count.
    What the console is refused is on record each time."""

    def __init__(self, mono_ns: Callable[[], int]) -> None:
        self._mono_ns = mono_ns
        self._repeats = Repeats(REFUSALS_PERIOD_NS)
        self._held_back: dict[str, Draft] = {}

    def put(self, changes: Changeset, request: Request, error: RefusedError) -> None:
        draft, session = _refused(changes.wall_ns, request, error), request.command.session
        if session is None:
            changes.drafts.append(_counted(draft, 1))
            return
        key = self._repeats.key_of(f"{session} {request.command.verb} {error.code.value}")
        count = self._repeats.due(key, self._mono_ns())
        if count is None:
            self._held_back[key] = draft
        else:
            self._held_back.pop(key, None)
            changes.drafts.append(_counted(draft, count))

    def put_leftovers(self, changes: Changeset) -> None:
        """What was counted and not told before the minute was over; told when somebody commands again."""
        for key, count in self._repeats.leftover(self._mono_ns()):
            newest = replace(self._held_back.pop(key), received_ns=changes.wall_ns)
            changes.drafts.append(_counted(newest, count))


def _counted(draft: Draft, count: int) -> Draft:
    return replace(draft, data={**draft.data, "count": count})


def _refused(wall_ns: int, request: Request, error: RefusedError) -> Draft:
    data: dict[str, Json] = {
        "verb": request.command.verb,
        "role": None if request.actor is None else request.actor.role,
        "args": {name: _recorded(value) for name, value in request.args.items() if name not in _NOT_OPEN},
        "code": error.code.value,
        "params": dict(error.params),
    }
    restricted = request.restricted
    if NAME_ARG in request.args:
        restricted["user"] = _recorded(request.args[NAME_ARG])
    return Draft(JournalKind.ACTION_REFUSED, wall_ns, data, restricted=restricted)


def _recorded(value: Json) -> Json:
    """What was asked, bounded: a refusal must not become a way to fill the journal."""
    if isinstance(value, str):
        return value[:_TEXT_RECORDED_MAX].encode("utf-8", "replace").decode()
    return value if isinstance(value, bool | int | float) or value is None else "…"
