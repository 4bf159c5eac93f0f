"""What the commit thread of the telemetry file does: spool, cut into chunks, number, free.

Samples reach the disk twice: within ``spool_s`` as small spool rows, so that a crash costs no more than what came since,
and when a chunk is full as that chunk, in whose transaction its spool rows go. ``TelemetryStore`` is the door to it.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final, TypeAlias

import structlog

from contract.batch import SampleBatch
from contract.chain import digest
from contract.clock import NS_PER_S, Clock
from contract.ids import Lane
from contract.points import Catalogue, PointType
from contract.wire.frames import LaneHead
from edge_agent.outbox import telemetry_start
from edge_agent.outbox import telemetry_tables as tables
from edge_agent.outbox.database import EVENTS_FILE, TELEMETRY_FILE, live_bytes, set_aside, size_on_disk
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.gaps import Gap, GapCause, LossCause, join
from edge_agent.outbox.ledger import Ledger, LedgerLine
from edge_agent.outbox.open_chunks import ChunkKey, OpenChunk, OpenChunks, encode, floored
from edge_agent.outbox.retention import acknowledged_by_all, excess, expired, oldest, runs_of
from edge_agent.outbox.rows import OutboxSettings, SetAside

NUMBERS_PER_BLOCK: Final = 4096
SAMPLES_IN_MEMORY_MAX: Final = 1_000_000
"""About 40 MB: what is kept while the disk refuses; beyond it new samples are dropped, counted and put on record."""
ROWS_PER_PASS_MAX: Final = 1000
SPACE_CHECK_NS: Final = 60 * NS_PER_S
SPACE_CHECKS_PER_BUDGET: Final = 256
NS_PER_H: Final = 3600 * NS_PER_S

EVERY_SOURCE: Final = ""
"""No hazard source is named so."""

log = structlog.get_logger()
Item: TypeAlias = SampleBatch | Catalogue | str
"""Samples; the catalogue of those that follow; a source whose chunk is to be cut."""


@dataclass(slots=True)
class _Draft:
    """One transaction's doings, forgotten when it fails."""

    next_seq: int
    chunks: list[tuple[int, bytes, int]] = field(default_factory=list)
    cut: list[ChunkKey] = field(default_factory=list)
    spooled: list[OpenChunk] = field(default_factory=list)
    freed: int = 0


class TelemetryWork:
    """State and doing of the telemetry commit thread. ``image`` is what is committed."""

    def __init__(
        self, directory: Path, events: EventStore, settings: OutboxSettings, clock: Clock, ledger: Ledger | None,
        image: telemetry_start.Image,
    ) -> None:  # fmt: skip
        self._directory, self._events, self.settings = directory, events, settings
        self._clock, self._ledger = clock, ledger
        self.lock = Lock()
        self.image = image
        self.on_commit: list[Callable[[int, int], None]] = []
        self.samples_appended = self.chunks = self.samples_in_chunks = self.samples_dropped = 0
        self.closing = False
        self._buffer: deque[Item] = deque()
        self._buffered = 0
        self._urgent = False
        self._unwritten = False
        self._spooled_ns = clock.mono_ns()
        self._open = OpenChunks()
        self._open_samples = 0
        self._types: dict[int, Mapping[int, PointType]] = {}
        self._cursors_version = self._cursors_stored = 0
        self._relief_wanted = self._more_to_free = False
        self._grown_bytes = 0
        self._space_checked_ns: int | None = None
        self._unknown_told = 0
        self._kept_as: tuple[str, ...] = ()

    # -- from any thread ---------------------------------------------------------------------------------------------

    def append(self, batch: SampleBatch) -> bool:
        """True where the thread should be woken."""
        with self.lock:
            self.samples_appended += len(batch)
            if self.samples_waiting + len(batch) > SAMPLES_IN_MEMORY_MAX:
                self.samples_dropped += len(batch)
                dropped = True
            else:
                self._buffer.append(batch)
                self._buffered += len(batch)
                dropped = False
        if dropped:
            self._events.declare_loss(Lane.TELEMETRY, LossCause.MEMORY_FULL, len(batch))
        return self._is_time_to_spool()

    def push(self, item: Catalogue | str) -> None:
        with self.lock:
            self._buffer.append(item)
            self._urgent = True

    @property
    def samples_waiting(self) -> int:
        """In memory: not in a chunk yet, spooled or not."""
        return self._buffered + self._open_samples

    def acknowledge(self, destination: str, seq: int) -> None:
        with self.lock:
            if self.image.cursors.get(destination, 0) != seq:
                self.image.cursors[destination] = seq
                self._cursors_version += 1

    def relieve(self) -> bool:
        self._relief_wanted = self.image.chunks_held > 0
        return self._relief_wanted

    def _is_time_to_spool(self) -> bool:
        return self._clock.mono_ns() - self._spooled_ns >= round(self.settings.spool_s * NS_PER_S)

    # -- in the commit thread ----------------------------------------------------------------------------------------

    def due(self) -> bool:
        if self._events.epoch != self.image.epoch:
            return False  # the events file was set aside; ours follows before another number is given
        to_spool = bool(self._buffer) and (self._urgent or self.closing or self._is_time_to_spool())
        to_cut = any(True for _ in self._open.due(self._clock.mono_ns(), round(self.settings.chunk_s * NS_PER_S)))
        cursors = self._cursors_version != self._cursors_stored
        last = self.closing and bool(self._open.by_key)
        return to_spool or to_cut or cursors or last or self._unwritten or self._relief_wanted or self._more_to_free

    def write(self, db: sqlite3.Connection) -> Callable[[], None]:
        self._unwritten = True
        self._stage()
        with self.lock:
            version, cursors = self._cursors_version, dict(self.image.cursors)
        draft = _Draft(self.image.next_seq)
        due = {key for key, _ in self._open.due(self._clock.mono_ns(), round(self.settings.chunk_s * NS_PER_S))}
        for key, chunk in self._open.by_key.items():
            if key in due:
                self._cut(db, key, chunk, draft)
            elif chunk.fresh:
                self._spool(db, key, chunk, draft)
        if version != self._cursors_stored:
            tables.put_cursors(db, cursors)
        self._look_after_space(db, draft)
        return lambda: self._committed(draft, version)

    def _stage(self) -> None:
        """Take what was appended into the open chunks, in order. Memory only: a failed commit finds it there again."""
        with self.lock:
            items, self._urgent = list(self._buffer), False
            self._buffer.clear()
            self._open_samples += self._buffered
            self._buffered = 0
        self._spooled_ns = self._clock.mono_ns()
        for item in items:
            self._take(item)
        if self.closing:
            self._open.flush_all()
        if self._open.unknown != self._unknown_told:
            self._unknown_told = self._open.unknown
            log.error("samples_of_unknown_points", samples=self._open.unknown)

    def _take(self, item: Item) -> None:
        if isinstance(item, SampleBatch):
            self._open.add(floored(item), self._spooled_ns)
        elif isinstance(item, Catalogue):
            self._types[item.version] = {point.id: point.type for point in item}
            self._open.set_catalogue(item)
        elif item == EVERY_SOURCE:
            self._open.flush_all()
        else:
            self._open.flush_source(item)

    def _cut(self, db: sqlite3.Connection, key: ChunkKey, chunk: OpenChunk, draft: _Draft) -> None:
        batch = SampleBatch.concat([*chunk.spooled, *chunk.fresh])
        self._insert(db, encode(batch, key[0], self._events.boot_id, self._types[key[0]]), draft)
        tables.delete_spool(db, *key)
        draft.cut.append(key)

    def _insert(self, db: sqlite3.Connection, chunks: list[tuple[bytes, int]], draft: _Draft) -> None:
        for data, samples in chunks:
            if draft.next_seq > self.image.block_end:
                # Stays reserved though this transaction may fail.
                block = self._events.reserve_telemetry(NUMBERS_PER_BLOCK, self.image.block_end)
                self.image.block_end = block.stop - 1
                draft.next_seq = block.start
            tables.insert_chunk(db, draft.next_seq, data, samples, self._clock.wall_ns())
            draft.chunks.append((draft.next_seq, data, samples))
            draft.next_seq += 1

    def _spool(self, db: sqlite3.Connection, key: ChunkKey, chunk: OpenChunk, draft: _Draft) -> None:
        batch = SampleBatch.concat(chunk.fresh)
        for data, _ in encode(batch, key[0], self._events.boot_id, self._types[key[0]]):
            tables.insert_spool(db, *key, data)
        draft.spooled.append(chunk)

    def recover(self, db: sqlite3.Connection) -> None:
        """Once, before the thread starts: what a former run left in the spool becomes chunks."""
        types = {each.version: {point.id: point.type for point in each} for each in self._events.catalogues(0)}
        draft = _Draft(self.image.next_seq)
        db.execute("BEGIN IMMEDIATE")
        for (version, boot_id, _), batch in telemetry_start.recovered(db, self._events):
            self._insert(db, encode(batch, version, boot_id, types[version]), draft)
        tables.clear_spool(db)
        db.execute("COMMIT")
        self._committed(draft, self._cursors_stored)

    def has_freed(self) -> bool:
        return self._more_to_free

    def replace(self, reason: str, label: str) -> tuple[sqlite3.Connection, SetAside]:
        former = self.image
        # A second attempt must not rename what the first one made.
        kept = set_aside(self._directory, TELEMETRY_FILE, label, self._clock.wall_ns())
        self._kept_as = self._kept_as or kept
        delivered = acknowledged_by_all(self.settings.destinations, former.cursors)
        same_epoch = former.epoch == self._events.epoch
        opened = telemetry_start.open_telemetry(
            self._directory, self._events, self.settings, reason, delivered if same_epoch else 0
        )
        with self.lock:
            self.image = opened.image
            if same_epoch:
                self.image.cursors = former.cursors
            self._cursors_version += 1
            for chunk in self._open.by_key.values():
                chunk.fresh, chunk.spooled = [*chunk.spooled, *chunk.fresh], []
        self._unwritten = bool(self._open.by_key)
        replaced = SetAside(reason, former.epoch, former.head, self._kept_as)
        self._kept_as = ()
        return opened.db, replaced

    # -- space -------------------------------------------------------------------------------------------------------

    def _look_after_space(self, db: sqlite3.Connection, draft: _Draft) -> None:
        now_ns = self._clock.mono_ns()
        grown = self._grown_bytes >= self.settings.budget_bytes // SPACE_CHECKS_PER_BUDGET
        last_ns = self._space_checked_ns
        wanted = self._relief_wanted or self._more_to_free
        if not (wanted or grown or last_ns is None or now_ns - last_ns >= SPACE_CHECK_NS):
            return
        self._space_checked_ns, self._grown_bytes = now_ns, 0
        before = draft.freed
        self._free(db, draft)
        self._more_to_free = draft.freed > before

    def _free(self, db: sqlite3.Connection, draft: _Draft) -> None:
        """The oldest rows: those whose time is over, then as many as space asks for, delivered or not."""
        acknowledged = acknowledged_by_all(self.settings.destinations, self.image.cursors)
        kept_since_ns = self._clock.wall_ns() - round(self.settings.keep_acked_h * NS_PER_H)
        # Rows of this very transaction stay: their gap would be durable before they are.
        rows = [row for row in tables.oldest_rows(db, ROWS_PER_PASS_MAX) if row.seq < self.image.next_seq]
        # Declared gone already, in an attempt that failed afterwards.
        declared = max((row.seq for row in rows if self._is_declared(row.seq)), default=0)
        last = max(expired(rows, acknowledged, kept_since_ns), oldest(rows, self._need_bytes(db)))
        last = max(last, declared)
        if not last:
            return
        delivered = max((row.seq for row in rows if declared < row.seq <= min(last, acknowledged)), default=0)
        if delivered:
            self._give_up(Gap(1, delivered, GapCause.FREED, b"", self._digest(db, delivered)))
        for first, end in runs_of(row.seq for row in rows if max(delivered, declared) < row.seq <= last):
            edges = self._digest(db, first - 1), self._digest(db, end)
            self._give_up(Gap(first, end, GapCause.EVICTED, *edges))
        draft.freed = sum(row.seq <= last for row in rows)
        tables.delete_chunks(db, last)

    def _need_bytes(self, db: sqlite3.Connection) -> int:
        beside = (f"{TELEMETRY_FILE}-wal", EVENTS_FILE, f"{EVENTS_FILE}-wal")
        used = live_bytes(db) + sum(size_on_disk(self._directory / file) for file in beside)
        budget = self.settings.budget_bytes
        # Whoever asked for relief saw too little room, even where we, a moment later, see enough.
        return max(excess(used, budget), budget // 16 if self._relief_wanted else 0)

    def _is_declared(self, seq: int) -> bool:
        return any(gap.first <= seq <= gap.last for gap in self.image.gaps)

    def _give_up(self, gap: Gap) -> None:
        self._events.declare_gap(gap)
        self.image.gaps = join(self.image.gaps, gap)

    def _digest(self, db: sqlite3.Connection, seq: int) -> bytes:
        data = tables.chunk_at(db, seq)
        if data is not None:
            return digest(self._events.hash_algorithm, data)
        return next((gap.hash_last for gap in self.image.gaps if gap.last == seq), b"")

    # -- after the commit --------------------------------------------------------------------------------------------

    def _committed(self, draft: _Draft, cursors_version: int) -> None:
        digests = [digest(self._events.hash_algorithm, data) for _, data, _ in draft.chunks]
        self._witness(draft, digests)
        for key in draft.cut:
            del self._open.by_key[key]
        for chunk in draft.spooled:
            chunk.spooled, chunk.fresh = [*chunk.spooled, *chunk.fresh], []
        self.image.next_seq = draft.next_seq
        self.image.chunks_held += len(draft.chunks) - draft.freed
        self._cursors_stored = cursors_version
        self._unwritten = self._relief_wanted = False
        self._open_samples = self._open.samples
        self._grown_bytes += sum(len(data) for _, data, _ in draft.chunks)
        if draft.chunks:
            self._tell(draft, digests[-1])

    def _witness(self, draft: _Draft, digests: list[bytes]) -> None:
        if self._ledger is None or not draft.chunks:
            return
        mono_ns, epoch = self._clock.mono_ns(), self.image.epoch
        rows = zip(draft.chunks, digests, strict=True)
        try:
            self._ledger.record(
                LedgerLine(Lane.TELEMETRY, epoch, seq, of_chunk, mono_ns, samples)
                for (seq, _, samples), of_chunk in rows
            )
        except OSError:
            log.exception("ledger_failed")

    def _tell(self, draft: _Draft, last_digest: bytes) -> None:
        first, last = draft.chunks[0][0], draft.chunks[-1][0]
        self.chunks += len(draft.chunks)
        self.samples_in_chunks += sum(samples for _, _, samples in draft.chunks)
        self.image.head = LaneHead(last, last_digest)
        for callback in self.on_commit:
            try:
                callback(first, last)
            except Exception:  # a listener's fault must not undo or repeat a commit
                log.exception("commit_listener_failed")
