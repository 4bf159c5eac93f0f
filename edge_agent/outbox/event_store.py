"""The events lane on disk: numbered, chained, and committed before anyone acts on it.

Events come from the pipeline as ``Pending`` and get number and hash in the thread that commits them (``event_work``),
conditions in the same transaction. They go to the uplink through ``read``. Everything else whose numbers must survive a
power cut lives in this file too: catalogues, the blocks of telemetry numbers, the gaps of both lanes.

Methods may be called from any thread. Those that are said to wait, wait for a commit: they are for a start, and for the
telemetry thread.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Final, TypeVar

from contract.clock import Clock
from contract.errors import StoreError
from contract.events import ClockState, ConditionData, canonical
from contract.ids import AgentName, Epoch, Lane
from contract.points import Catalogue, PointSpec
from contract.wire.frames import GAPS_PER_BATCH_MAX, LaneHead
from edge_agent.outbox import event_start
from edge_agent.outbox import event_tables as tables
from edge_agent.outbox.catalogue import next_catalogue
from edge_agent.outbox.database import EVENTS_FILE, DirectoryLock, bytes_on_disk
from edge_agent.outbox.event_work import EventWork, SpaceRelief
from edge_agent.outbox.gaps import Gap, GapCause, LossCause, assemble, gap_data
from edge_agent.outbox.ledger import Ledger
from edge_agent.outbox.reader import Reader
from edge_agent.outbox.rows import Committed, EventRows, OutboxSettings, Pending, SetAside, WriterHealth
from edge_agent.outbox.writer import Writer

CALL_TIMEOUT_S: Final = 20.0
TICK_S: Final = 1.0
"""Cursors are committed at least this often, alone where no event comes."""

T = TypeVar("T")


class EventStore:
    """One directory's events. ``boot_id`` names this start of it; ``unclean_stop`` says that the one before was not
    closed, ``replaced`` why a file that lay there had to be set aside (None: it had not)."""

    def __init__(
        self, directory: Path, settings: OutboxSettings, clock: Clock, kernel_boot_id: str, ledger: Ledger | None,
        lock: DirectoryLock, opened: event_start.Opened,
    ) -> None:  # fmt: skip
        self._directory, self._settings, self._directory_lock = directory, settings, lock
        self.boot_id = f"{kernel_boot_id}.{opened.image.start_number}"
        self.unclean_stop = opened.unclean
        self.replaced = opened.replaced
        self._work = EventWork(directory, settings, clock, self.boot_id, ledger, opened.image)
        self._writer = Writer("events", opened.db, self._work, TICK_S)
        self._reader = Reader(directory / EVENTS_FILE, lambda reason: self._writer.replace(reason, "corrupt"))
        self._work.on_replaced.append(lambda _: self._reader.reopen())
        self._writer.start()

    @classmethod
    def open(
        cls, directory: Path, agent: AgentName, settings: OutboxSettings, clock: Clock, kernel_boot_id: str,
        ledger: Ledger | None,
    ) -> EventStore:  # fmt: skip
        """Open the store of ``directory`` or make it. A corrupt file is set aside and a new one with a new epoch takes
        its place. Raises StoreError: another process has it, it is another agent's, the disk refuses."""
        lock = DirectoryLock(directory)
        try:
            opened = event_start.open_events(directory, agent, settings, clock)
        except BaseException:
            lock.release()
            raise
        return cls(directory, settings, clock, kernel_boot_id, ledger, lock, opened)

    async def close(self) -> None:
        """Commit what is there, mark the stop as clean, let go of the directory. Raises StoreError where the disk
        would not take everything. The telemetry store is closed before."""
        self._work.call(lambda db: tables.put_meta(db, {"clean": 1}))
        # The writer closes last: only then is the WAL worked into the file.
        await asyncio.to_thread(self._reader.close)
        try:
            await asyncio.to_thread(self._writer.stop)
        finally:
            self._directory_lock.release()

    # -- what it is --------------------------------------------------------------------------------------------------

    @property
    def epoch(self) -> Epoch:
        return self._work.image.epoch

    @property
    def hash_algorithm(self) -> str:
        """Of this epoch; another one in the settings holds from the next epoch on."""
        return self._work.image.hash_algorithm

    @property
    def start_number(self) -> int:
        return self._work.image.start_number

    def head(self) -> LaneHead:
        """The last committed number and the chain's hash at it; (0, b"") where there is none."""
        return self._work.image.head

    def conditions(self) -> tuple[int, tuple[ConditionData, ...]]:
        """(as_of_seq, every condition with level > 0), both of the same commit."""
        with self._work.lock:
            image = self._work.image
            return image.head.seq, tuple(image.conditions.values())

    def bytes_used(self) -> int:
        """Both files, WAL included."""
        return bytes_on_disk(self._directory)

    def health(self) -> WriterHealth:
        work = self._work
        return WriterHealth(self._writer.failing, work.waiting, work.dropped, work.over_budget)

    @property
    def commits(self) -> int:
        """Transactions since the start."""
        return self._writer.commits

    # -- events ------------------------------------------------------------------------------------------------------

    def set_origin(
        self, software: str, config_hash: str, catalogue: int, *, org: str | None = None,
        clock_state: Callable[[], ClockState] | None = None,
    ) -> None:  # fmt: skip
        """What stands in every event that is appended from now on; before the first ``append``. ``org`` (the agent's name where it is not given) and
        ``clock_state`` (unknown) are for the GAP events that the store writes itself."""
        self._work.org = org or self._work.org
        self._work.clock_state = clock_state or self._work.clock_state
        self._work.origin = (software, config_hash, catalogue)

    def adopt(self, settings: OutboxSettings) -> None:
        """Other destinations, another budget or time to keep: they hold from the next commit on."""
        self._settings = self._work.settings = settings

    def note_config(self, config_hash: str) -> str | None:
        """Remember under which configuration this start runs. Returns that of the start before where it was another,
        None where it was the same or there was none. Waits."""

        def job(db: sqlite3.Connection) -> str | None:
            former = tables.get_meta(db, "config_hash")
            tables.put_meta(db, {"config_hash": config_hash})
            return str(former) if former and former != config_hash else None

        return self._wait(self._submit(job))

    def append(self, pending: Sequence[Pending]) -> None:
        """Take events to be committed in this order. Returns at once."""
        assert self._work.origin is not None, "set_origin comes first"
        self._work.enqueue(pending)
        self._writer.wake()

    def on_commit(self, callback: Callable[[list[Committed]], None]) -> None:
        """``callback`` is called IN THE COMMIT THREAD right after each commit and its ledger lines."""
        self._work.on_commit.append(callback)

    def on_replaced(self, callback: Callable[[SetAside], None]) -> None:
        """``callback`` is called IN THE COMMIT THREAD when the store was set aside while it ran, by ``set_aside`` or
        because the file turned out to be corrupt: another epoch has begun."""
        self._work.on_replaced.append(callback)

    async def flush(self) -> None:
        """Returns when everything appended so far is committed, however long the disk refuses."""
        await asyncio.wrap_future(self._submit(lambda _: None))

    async def read(self, after_seq: int, rows_max: int, bytes_max: int) -> EventRows | None:
        """What accounts for the numbers behind ``after_seq``: rows (the first whatever its size, then as many as fit)
        and gaps. None where there is nothing yet. Raises StoreError."""

        def query(db: sqlite3.Connection) -> EventRows | None:
            rows = tables.read_events(db, after_seq, rows_max, bytes_max)
            gaps: list[Gap] = []
            if not rows or rows[-1][0] != after_seq + len(rows):
                gaps = tables.read_gaps(db, Lane.EVENTS, after_seq, GAPS_PER_BATCH_MAX + 1)
            taken, declared = assemble(after_seq, rows, lambda row: row[0], gaps)
            if not taken and not declared:
                return None
            return EventRows(after_seq + 1, tuple(record for _, record in taken), tuple(declared))

        return await self._reader.run(query)

    async def hash_at(self, seq: int) -> bytes | None:
        """The chain's hash at a number; None where it is gone or has never been."""
        head = self.head()
        if seq == head.seq:
            return head.hash or None
        return await self._reader.run(lambda db: tables.hash_at(db, seq))

    async def set_aside(self, reason: str) -> SetAside:
        """End this epoch after a fork: both files are renamed and kept, a new store with a new epoch goes on.
        Conditions stand, their activation ids stay; events that wait for a commit go into the new epoch."""
        return await asyncio.wrap_future(self._writer.replace(reason, "forked"))

    # -- destinations ------------------------------------------------------------------------------------------------

    def acknowledge(self, destination: str, seq: int) -> None:
        """``destination`` has everything up to ``seq``; may go down (a restored aggregator). Returns at once, durable
        within about a second: what a crash forgets is said again at the next WELCOME."""
        assert any(each.name == destination for each in self._settings.destinations), destination
        self._work.acknowledge(destination, seq)

    def acknowledged(self, destination: str) -> int:
        return self._work.image.cursors.get(destination, 0)

    # -- catalogues --------------------------------------------------------------------------------------------------

    def catalogue(self, points: Sequence[PointSpec]) -> Catalogue:
        """The version of these points (ids ignored), a new one where they differ from the newest. Waits. One caller at
        a time. Raises StoreError."""
        made = self.proposed(points)
        image = self._work.image
        if made not in image.catalogues[-1:]:
            self._wait(self._submit(lambda db: tables.put_catalogue(db, made)))
            image.catalogues.append(made)
        return made

    def proposed(self, points: Sequence[PointSpec]) -> Catalogue:
        """The version that ``catalogue`` would give, and nothing written."""
        image = self._work.image
        newest = image.catalogues[-1] if image.catalogues else None
        used = (point.id for each in image.catalogues for point in each)
        return next_catalogue(points, newest, max(used, default=0) + 1)

    async def take_on(self, catalogue: Catalogue, config_hash: str) -> None:
        """Commit a ``proposed`` version and the configuration that it is of, in one transaction. However long the disk
        takes for it: a version that is given up half-way might be there after all."""
        image = self._work.image
        is_new = catalogue.version not in {each.version for each in image.catalogues}

        def job(db: sqlite3.Connection) -> None:
            if is_new:
                tables.put_catalogue(db, catalogue)
            tables.put_meta(db, {"config_hash": config_hash})

        await asyncio.wrap_future(self._submit(job))
        if is_new:
            image.catalogues.append(catalogue)

    def catalogues(self, after_version: int) -> list[Catalogue]:
        return [each for each in self._work.image.catalogues if each.version > after_version]

    # -- for the telemetry store; all wait and raise StoreError ------------------------------------------------------

    def reserve_telemetry(self, count: int, above: int = 0) -> range:
        """``count`` telemetry numbers that nobody else will ever get, durable when this returns: behind all that were
        reserved before, and behind ``above``."""

        def job(db: sqlite3.Connection) -> range:
            reserved = max(int(tables.get_meta(db, "telemetry_reserved") or 0), above)
            tables.put_meta(db, {"telemetry_reserved": reserved + count})
            return range(reserved + 1, reserved + count + 1)

        return self._wait(self._submit(job))

    def resume_telemetry(self) -> tuple[int | None, int]:
        """(next number where telemetry was closed cleanly, else None; last number that was reserved or declared gone).
        The mark is taken away: whatever stops us from now on is an unclean stop."""

        def job(db: sqlite3.Connection) -> tuple[int | None, int]:
            mark = tables.get_meta(db, "telemetry_next")
            tables.put_meta(db, {"telemetry_next": ""})
            return int(mark) if mark else None, int(tables.get_meta(db, "telemetry_reserved") or 0)

        return self._wait(self._submit(job))

    def mark_telemetry_closed(self, next_seq: int) -> None:
        self._wait(self._submit(lambda db: tables.put_meta(db, {"telemetry_next": next_seq})))

    def declare_gap(self, gap: Gap) -> None:
        """Telemetry numbers that will never come: durable here first, then the caller deletes. Unless they were
        delivered an event speaks of them, behind the first one of this start."""
        owes = gap.cause is not GapCause.FREED

        def job(db: sqlite3.Connection) -> None:
            tables.put_gap(db, Lane.TELEMETRY, gap)
            if owes:
                tables.owe_event(db, canonical(gap_data(Lane.TELEMETRY, gap.cause, [gap])))

        self._wait(self._submit(job, owes=owes))

    def telemetry_gaps(self) -> list[Gap]:
        """All of them, ascending."""
        return self._wait(self._submit(lambda db: tables.read_gaps(db, Lane.TELEMETRY, 0, -1)))

    def declare_loss(self, lane: Lane, cause: LossCause, count: int) -> None:
        """Something never got a number; an event will say it. Does not wait."""
        self._work.lose(lane, cause, count)
        self._writer.wake()

    def relieved_by(self, relief: SpaceRelief) -> None:
        """Who makes room before any event has to go."""
        self._work.relief = relief

    def _submit(self, job: Callable[[sqlite3.Connection], T], *, owes: bool = False) -> Future[T]:
        future = self._work.call(job, owes=owes)
        self._writer.wake()
        return future

    def _wait(self, future: Future[T]) -> T:
        try:
            return future.result(CALL_TIMEOUT_S)
        except TimeoutError as error:
            raise StoreError(f"{EVENTS_FILE} takes no commits: {self._writer.failing or 'the disk hangs'}") from error
