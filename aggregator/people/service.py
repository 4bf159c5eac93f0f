"""What pages and API ask about people. Reads the database, has ingest carry out the rest.

``person`` reads the session anew at every call: one that was revoked can do nothing more, whatever page is open.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from aggregator.commands.channel import CommandClient
from aggregator.commands.messages import Command
from aggregator.commands.refusal import RefusalCode, RefusedError, UnavailableError
from aggregator.folder import Folder
from aggregator.journal.repeats import Repeats
from aggregator.people import passwords, queries
from aggregator.people.attempts import Attempts
from aggregator.people.rights import Caller, Person, Right
from aggregator.store import db
from contract.clock import NS_PER_S, Clock
from contract.events import Json
from contract.ids import is_name

TOKEN_BYTES: Final = 32
CHECKS_AT_ONCE: Final = 2
"""A check takes 64 MiB and a tenth of a second of a core."""
CHECKS_WAITING_MAX: Final = 10
"""Those at work included; who comes then is told to try again."""
REPORT_PERIOD_NS: Final = 60 * NS_PER_S
NAME_LENGTH_MAX: Final = 64
STATION_LENGTH_MAX: Final = 128

log = structlog.get_logger()


class PeopleService:
    """Safe to call from several threads; every method may block for as long as ingest takes."""

    def __init__(self, folder: Folder, clock: Clock, client: CommandClient) -> None:
        self._database = folder.database
        self._clock = clock
        self._client = client
        self._attempts = Attempts()
        self._reports = Repeats(REPORT_PERIOD_NS)
        self._strangers = Repeats(REPORT_PERIOD_NS)
        self._lock = threading.Lock()
        self._checks = threading.BoundedSemaphore(CHECKS_AT_ONCE)
        self._waiting = threading.BoundedSemaphore(CHECKS_WAITING_MAX)

    def sign_in(self, name: str, password: str, station: str) -> str:
        """The token of a new session. Raises RefusedError WRONG_PASSWORD, TOO_MANY_ATTEMPTS, and UnavailableError."""
        name, station = name[:NAME_LENGTH_MAX], station[:STATION_LENGTH_MAX]
        self._report_leftovers()
        self._require_patience(name, station)
        with db.open_reader(self._database).begin() as connection:
            user = queries.load_user(connection, name) if is_name(name) else None
        with self._a_check(name, station):
            right = passwords.is_right(None if user is None else user.password_hash, password)
            if not right or user is None or user.disabled:
                raise self._failed(name, station)
            args: dict[str, Json] = {"name": name, "checked_hash": user.password_hash}
            if passwords.is_outdated(user.password_hash):
                args["renewed_hash"] = passwords.hash_again(password)
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._client.send(Command("sign_in", args | {"token": digest_of(token)}, None, station))
        with self._lock:
            self._attempts.succeeded(f"name {name}")
        return token

    def person(self, token: str) -> Person:
        """Who is behind a token, now. Raises RefusedError NOT_SIGNED_IN."""
        if not token:
            raise RefusedError(RefusalCode.NOT_SIGNED_IN)
        with db.open_reader(self._database).begin() as connection:
            return queries.load_person(connection, digest_of(token), self._clock.wall_ns())

    def require(self, caller: Caller, right: Right, org: str | None = None) -> Person:
        """Raises RefusedError NOT_SIGNED_IN and NOT_ALLOWED."""
        person = self.person(caller.token)
        person.require(right, org)
        return person

    def sign_out(self, caller: Caller) -> None:
        """Raises RefusedError where it is over already, and UnavailableError."""
        self.command(caller, "sign_out", {})

    def command(self, caller: Caller, verb: str, args: dict[str, Json]) -> dict[str, Json]:
        """Have ingest carry out what this person wants; it checks session and rights itself, when it writes.

        Who has no session is told so here: what ingest refuses is on record, and nobody's knocking is to fill that."""
        try:
            self.person(caller.token)
        except RefusedError:
            self._count_stranger(caller.station)
            raise
        return self._client.send(Command(verb, args, digest_of(caller.token), caller.station[:STATION_LENGTH_MAX]))

    def _count_stranger(self, station: str) -> None:
        now_ns = self._clock.mono_ns()
        with self._lock:
            count = self._strangers.due(station[:STATION_LENGTH_MAX], now_ns)
            told = [
                *self._strangers.leftover(now_ns),
                *([] if count is None else [(station[:STATION_LENGTH_MAX], count)]),
            ]
        for each, number in told:
            log.warning("command_without_session", station=each, count=number)

    def _require_patience(self, name: str, station: str) -> None:
        now_ns = self._clock.mono_ns()
        with self._lock:
            wait_s = max(self._attempts.wait_s(key, now_ns) for key in _keys(name, station))
        if wait_s:
            raise self._refusal(name, station, RefusalCode.TOO_MANY_ATTEMPTS, retry_after_s=wait_s)

    @contextmanager
    def _a_check(self, name: str, station: str) -> Iterator[None]:
        """Room for one check. Few may wait for it, or a flood of them would take every thread there is."""
        if not self._waiting.acquire(blocking=False):
            raise self._refusal(name, station, RefusalCode.TOO_MANY_ATTEMPTS, retry_after_s=1)
        try:
            with self._checks:
                yield
        finally:
            self._waiting.release()

    def _failed(self, name: str, station: str) -> RefusedError:
        now_ns = self._clock.mono_ns()
        with self._lock:
            for key in _keys(name, station):
                self._attempts.failed(key, now_ns)
        return self._refusal(name, station, RefusalCode.WRONG_PASSWORD)

    def _refusal(self, name: str, station: str, code: RefusalCode, **params: Json) -> RefusedError:
        """Put on record once a minute for each name and code, with the count since."""
        with self._lock:
            count = self._reports.due(f"{code.value} {name}", self._clock.mono_ns())
        if count is not None:
            self._report(name, code.value, count, station)
        return RefusedError(code, **params)

    def _report_leftovers(self) -> None:
        """What was counted and not told before the minute was over; told when somebody comes again."""
        with self._lock:
            leftovers = self._reports.leftover(self._clock.mono_ns())
        for key, count in leftovers:
            code, _, name = key.partition(" ")
            self._report(name, code, count, station="")

    def _report(self, name: str, reason: str, count: int, station: str) -> None:
        args: dict[str, Json] = {"name": name, "reason": reason, "count": count}
        try:
            self._client.send(Command("sign_in_refused", args, None, station))
        except UnavailableError as error:
            log.warning("sign_in_refusal_not_on_record", reason=reason, count=count, error=str(error))


def _keys(name: str, station: str) -> tuple[str, str]:
    return f"name {name}", f"station {station}"


def digest_of(token: str) -> str:
    """What is stored of a token: who reads the database cannot sign in with it."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
