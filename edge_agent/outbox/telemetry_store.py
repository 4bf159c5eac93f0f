"""The telemetry lane on disk: samples spooled within a second, cut into chunks per hazard source, numbered, bounded.

Samples come from the pipeline (reduced or not) and go to the uplink as chunks through ``read``. Stamps are floored to
the millisecond, both of them: finer ones mean nothing in a trend and cost most of its bytes; events keep theirs exact.
Numbers and gaps of this lane are durable in the events file, see ``telemetry_start``.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from contract.batch import SampleBatch
from contract.chain import digest
from contract.clock import Clock
from contract.points import Catalogue
from contract.wire.frames import LaneHead
from edge_agent.outbox import telemetry_start
from edge_agent.outbox import telemetry_tables as tables
from edge_agent.outbox.database import TELEMETRY_FILE, CorruptError, judged, set_aside
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.gaps import assemble
from edge_agent.outbox.ledger import Ledger
from edge_agent.outbox.reader import Reader
from edge_agent.outbox.rows import ChunkRows, OutboxSettings, SetAside, WriterHealth
from edge_agent.outbox.telemetry_work import EVERY_SOURCE, TelemetryWork
from edge_agent.outbox.writer import Writer

FLUSH_POLL_S: Final = 0.005


class TelemetryStore:
    """One directory's telemetry. ``replaced`` says why a file that lay there was set aside (None: it was not)."""

    def __init__(
        self, directory: Path, events: EventStore, settings: OutboxSettings, work: TelemetryWork,
        opened: telemetry_start.Opened,
    ) -> None:  # fmt: skip
        self._settings, self._events, self._work = settings, events, work
        self.replaced = opened.replaced
        self._writer = Writer("telemetry", opened.db, work, min(1.0, settings.spool_s))
        self._reader = Reader(directory / TELEMETRY_FILE, lambda reason: self._writer.replace(reason, "corrupt"))
        events.relieved_by(self)
        events.on_replaced(self._follow)
        self._writer.start()

    @classmethod
    def open(
        cls, directory: Path, events: EventStore, settings: OutboxSettings, clock: Clock, ledger: Ledger | None
    ) -> TelemetryStore:
        """Open the file beside ``events`` or make it; a corrupt one, or one of a former epoch, is set aside. What a
        crash left in the spool becomes chunks. Raises StoreError."""
        try:
            return cls._open(directory, events, settings, clock, ledger, None)
        except CorruptError as error:
            set_aside(directory, TELEMETRY_FILE, "corrupt", clock.wall_ns())
            return cls._open(directory, events, settings, clock, ledger, str(error))

    @classmethod
    def _open(
        cls, directory: Path, events: EventStore, settings: OutboxSettings, clock: Clock, ledger: Ledger | None,
        replaced: str | None,
    ) -> TelemetryStore:  # fmt: skip
        opened = telemetry_start.open_telemetry(directory, events, settings, replaced, 0)
        work = TelemetryWork(directory, events, settings, clock, ledger, opened.image)
        try:
            work.recover(opened.db)
        except BaseException as error:
            opened.db.close()
            if isinstance(error, sqlite3.Error):
                raise judged(directory / TELEMETRY_FILE, error) from error
            raise
        return cls(directory, events, settings, work, opened)

    async def close(self) -> None:
        """Cut and commit everything, mark where numbers go on. Before the event store's. Raises StoreError."""
        self._work.closing = True
        # The writer closes last: only then is the WAL worked into the file and synced.
        await asyncio.to_thread(self._reader.close)
        await asyncio.to_thread(self._writer.stop)
        await asyncio.to_thread(self._events.mark_telemetry_closed, self._work.image.next_seq)

    def set_catalogue(self, catalogue: Catalogue) -> None:
        """The version of the samples that follow; what is open under another is cut. Before the first ``append``."""
        self._work.push(catalogue)
        self._writer.wake()

    def adopt(self, settings: OutboxSettings) -> None:
        """Other destinations, limits or times: they hold from the next commit on."""
        self._settings = self._work.settings = settings

    def append(self, batch: SampleBatch) -> None:
        """Take samples. Returns at once; they survive a crash within ``spool_s``."""
        if self._work.append(batch):
            self._writer.wake()

    def flush_source(self, source: str) -> None:
        """Cut the open chunk of a source now, with everything appended before: a trend never ends before its alarm."""
        self._work.push(source)
        self._writer.wake()

    async def flush_all(self) -> None:
        """Cut every open chunk; returns when all that was appended before is committed, or the disk refuses."""
        self.flush_source(EVERY_SOURCE)
        while self._work.samples_waiting and self._writer.failing is None:  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(FLUSH_POLL_S)

    def on_commit(self, callback: Callable[[int, int], None]) -> None:
        """``callback(first_seq, last_seq)`` is called IN THE COMMIT THREAD after chunks are committed."""
        self._work.on_commit.append(callback)

    def head(self) -> LaneHead:
        """The last number accounted for and the digest of its chunk; the digest is empty where it lies in a gap."""
        return self._work.image.head

    async def read(self, after_seq: int, chunks_max: int, bytes_max: int) -> ChunkRows | None:
        """What accounts for the numbers behind ``after_seq``: chunks (the first whatever its size, then as many as fit)
        and gaps. None where there is nothing yet. Raises StoreError."""
        rows = await self._reader.run(lambda db: tables.read_chunks(db, after_seq, chunks_max, bytes_max))
        # Looked at after the rows: what went meanwhile was declared before it went.
        taken, declared = assemble(after_seq, rows, lambda row: row[0], self._work.image.gaps)
        if not taken and not declared:
            return None
        chunks, samples = tuple(data for _, data, _ in taken), tuple(count for _, _, count in taken)
        return ChunkRows(after_seq + 1, chunks, tuple(declared), samples)

    async def digest_at(self, seq: int) -> bytes | None:
        """Digest of the chunk with this number; None where it is gone or has never been."""
        head = self.head()
        if seq == head.seq:
            return head.hash or None
        data = await self._reader.run(lambda db: tables.chunk_at(db, seq))
        return None if data is None else digest(self._events.hash_algorithm, data)

    def acknowledge(self, destination: str, seq: int) -> None:
        """As on the events lane."""
        assert any(each.name == destination for each in self._settings.destinations), destination
        self._work.acknowledge(destination, seq)

    def acknowledged(self, destination: str) -> int:
        return self._work.image.cursors.get(destination, 0)

    def relieve(self) -> bool:
        """The events need room: free some, oldest first. False where there is nothing left to give. Any thread."""
        wanted = self._work.relieve()
        if wanted:
            self._writer.wake()
        return wanted

    def health(self) -> WriterHealth:
        work = self._work
        return WriterHealth(self._writer.failing, work.samples_waiting, work.samples_dropped, over_budget=False)

    @property
    def samples_appended(self) -> int:
        return self._work.samples_appended

    @property
    def chunks(self) -> int:
        """Committed since the start, those recovered from the spool included; likewise ``samples_in_chunks``."""
        return self._work.chunks

    @property
    def samples_in_chunks(self) -> int:
        return self._work.samples_in_chunks

    def _follow(self, replaced: SetAside) -> None:
        self._reader.reopen()
        self._writer.replace(replaced.reason, "former")
