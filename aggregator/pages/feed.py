"""One follower of the journal for all pages of the web process, which wakes them when there is something new.

Pages then ask the services again, each with the rights of whoever looks at it: the feed itself carries no data. It also
looks whether ingest lives. Reading blocks, so it happens in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, TypedDict

import sqlalchemy as sa
import structlog

from aggregator.folder import Folder
from aggregator.journal.cursor import Cursor, Place
from aggregator.journal.followers import POLL_S, read_after
from aggregator.journal.log import JournalKind
from aggregator.journal.tables import JOURNAL_CHAINS
from aggregator.live.tables import PROCESSES, SESSIONS
from aggregator.store import db
from contract.clock import NS_PER_S, Clock

HEARTBEAT_NS: Final = NS_PER_S
INGEST_SILENT_NS: Final = 5 * NS_PER_S
"""Ingest says every second that it lives; after this its values and alarms are shown as old."""
PEOPLE_KINDS: Final = frozenset({JournalKind.SESSION_REVOKED, JournalKind.SIGNED_OUT, JournalKind.USER_CHANGED})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Pulse:
    """What the last look found. ``journal`` and ``people`` are counters: they differ when there is something new."""

    wall_ns: int
    journal: int = 0
    people: int = 0
    ingest_alive_ns: int | None = None
    """None: it never ran, or its board cannot be read."""
    connected: frozenset[str] = frozenset()
    """Agents whose session stands, as of ingest's last word: pages ask who is away when it changes."""

    @property
    def ingest_age_s(self) -> float | None:
        return None if self.ingest_alive_ns is None else max(0, self.wall_ns - self.ingest_alive_ns) / NS_PER_S

    @property
    def ingest_is_alive(self) -> bool:
        return self.ingest_alive_ns is not None and self.wall_ns - self.ingest_alive_ns < INGEST_SILENT_NS


class _Board(TypedDict):
    ingest_alive_ns: int | None
    connected: frozenset[str]


_NO_BOARD: Final[_Board] = {"ingest_alive_ns": None, "connected": frozenset()}


class Feed:
    """``run`` looks until cancelled; a page waits on an event of its own, set at news and once a second."""

    def __init__(self, folder: Folder, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._woken: set[asyncio.Event] = set()
        self._cursor: Cursor | None = None
        self._fault = ""
        self.pulse = Pulse(clock.wall_ns())

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that is set at news; whoever waits on it clears it."""
        event = asyncio.Event()
        self._woken.add(event)
        try:
            yield event
        finally:
            self._woken.discard(event)

    async def run(self) -> None:
        """Look every POLL_S, for ever. A database that cannot be read is logged once per cause, and tried again."""
        spoken_ns = 0
        while True:
            started_ns = self._clock.mono_ns()
            before, self.pulse = self.pulse, await asyncio.to_thread(self.look)
            news = _what_wakes(before) != _what_wakes(self.pulse)
            if news or started_ns - spoken_ns >= HEARTBEAT_NS:
                spoken_ns = started_ns
                for event in self._woken:
                    event.set()
            await self._clock.sleep_until(started_ns + round(POLL_S * NS_PER_S))

    def look(self) -> Pulse:
        """What is so now."""
        try:
            pulse, fault = self._read(), ""
        except (sa.exc.DBAPIError, OSError) as error:
            pulse, fault = self.pulse, type(error).__name__
            if fault != self._fault:
                log.exception("feed_cannot_read")
        self._fault = fault
        return replace(pulse, wall_ns=self._clock.wall_ns())

    def _read(self) -> Pulse:
        board = self._board()
        with db.open_reader(self._folder.database).begin() as connection:
            if self._cursor is None:  # pages start from what the services say; only what comes after wakes them
                self._cursor = _heads(connection)
                return replace(self.pulse, journal=self.pulse.journal + 1, **board)
            found = read_after(connection, self._cursor)
        if found:
            self._cursor = found[-1].cursor
        return replace(
            self.pulse,
            journal=self.pulse.journal + bool(found),
            people=self.pulse.people + any(each.entry.kind in PEOPLE_KINDS for each in found),
            **board,
        )

    def _board(self) -> _Board:
        if not self._folder.live_database.exists():
            return _NO_BOARD
        try:
            with db.open_reader(self._folder.live_database).begin() as connection:
                alive_ns = connection.scalar(sa.select(PROCESSES.c.alive_ns).where(PROCESSES.c.name == "ingest"))
                connected = connection.scalars(sa.select(SESSIONS.c.agent).where(SESSIONS.c.connected))
                return {"ingest_alive_ns": alive_ns, "connected": frozenset(connected)}
        except sa.exc.DatabaseError:  # ingest is making the board anew
            return _NO_BOARD


def _what_wakes(pulse: Pulse) -> tuple[object, ...]:
    return pulse.journal, pulse.people, pulse.connected, pulse.ingest_is_alive


def _heads(connection: sa.Connection) -> Cursor:
    rows = connection.execute(sa.select(JOURNAL_CHAINS).order_by(JOURNAL_CHAINS.c.journal_epoch)).all()
    return Cursor({row.chain: Place(row.journal_epoch, row.seq) for row in rows})
