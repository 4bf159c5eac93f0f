"""The start of a telemetry store: opens or makes the file, goes on with its numbers, recovers what was spooled.

Numbers continue where a clean stop left them. After anything else they begin with the next block, since the last
commits of a power cut may be gone while their numbers have been sent; what lies between is a declared gap.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import structlog

from contract.batch import SampleBatch
from contract.chain import digest
from contract.errors import FrameError
from contract.ids import Epoch, Lane
from contract.wire.chunk import decode_chunk
from contract.wire.frames import LaneHead
from edge_agent.outbox import telemetry_tables as tables
from edge_agent.outbox.database import TELEMETRY_FILE, CorruptError, judged, open_writer
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.gaps import Gap, GapCause, LossCause, join
from edge_agent.outbox.rows import OutboxSettings

log = structlog.get_logger()

SpoolKey: TypeAlias = tuple[int, str, str]
"""Catalogue version, boot id, source."""


@dataclass(slots=True)
class Image:
    """What memory holds of the file as of the last commit. Numbers up to ``block_end`` are ours to give."""

    epoch: Epoch
    head: LaneHead
    next_seq: int
    block_end: int
    gaps: list[Gap]
    chunks_held: int
    cursors: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Opened:
    db: sqlite3.Connection
    image: Image
    replaced: str | None


def open_telemetry(
    directory: Path, events: EventStore, settings: OutboxSettings, replaced: str | None, delivered: int
) -> Opened:
    """``replaced`` says why the former file was set aside, ``delivered`` how far everybody has what it held. Raises
    CorruptError, or StoreError where the disk refuses or the file is a newer version's."""
    db = open_writer(directory, tables.LAYOUT, settings.budget_bytes)
    try:
        _enter_epoch(db, events.epoch)
        image = _image(db, events, delivered, replaced=replaced is not None)
    except BaseException as error:
        db.close()
        if isinstance(error, sqlite3.Error):
            raise judged(directory / TELEMETRY_FILE, error) from error
        raise
    return Opened(db, image, replaced)


def _enter_epoch(db: sqlite3.Connection, epoch: Epoch) -> None:
    if tables.epoch_of(db) not in {None, epoch}:
        raise CorruptError(f"{TELEMETRY_FILE} belongs to a former epoch")
    tables.put_epoch(db, epoch)


def _image(db: sqlite3.Connection, events: EventStore, delivered: int, *, replaced: bool) -> Image:
    gaps = events.telemetry_gaps()
    if delivered:
        freed = Gap(1, delivered, GapCause.FREED)
        events.declare_gap(freed)
        gaps = join(gaps, freed)
    mark, reserved = events.resume_telemetry()
    # A gap is durable before its rows are deleted; a crash may have come between.
    db.executemany("DELETE FROM chunks WHERE seq BETWEEN ? AND ?", [(gap.first, gap.last) for gap in gaps])
    row = tables.last_chunk(db)
    last = max(row[0] if row else 0, gaps[-1].last if gaps else 0)
    end = reserved if mark is None else mark - 1
    if end > last:
        cause = GapCause.STORE_REPLACED if replaced else GapCause.UNCLEAN_STOP
        gap = Gap(last + 1, end, cause, digest(events.hash_algorithm, row[1]) if row else b"")
        events.declare_gap(gap)
        gaps, last = join(gaps, gap), end
    head_hash = digest(events.hash_algorithm, row[1]) if row and row[0] == last else b""
    held: int = db.execute("SELECT count(*) FROM chunks").fetchone()[0]
    block_end = max(last, reserved if mark is not None else 0)
    return Image(events.epoch, LaneHead(last, head_hash), last + 1, block_end, gaps, held, tables.cursors(db))


def recovered(db: sqlite3.Connection, events: EventStore) -> Iterator[tuple[SpoolKey, SampleBatch]]:
    """What a former run spooled and never cut, by catalogue version, boot id and source. Rows that cannot be read are
    declared lost."""
    versions = {catalogue.version for catalogue in events.catalogues(0)}
    parts: dict[SpoolKey, list[SampleBatch]] = {}
    unreadable = 0
    for source, data in tables.spooled(db):
        try:
            chunk = decode_chunk(data)
        except FrameError as error:
            log.warning("spool_row_unreadable", cause=str(error))
            unreadable += 1
            continue
        if chunk.catalogue_version not in versions:
            log.warning("spool_row_unreadable", cause=f"no catalogue {chunk.catalogue_version}")
            unreadable += 1
            continue
        parts.setdefault((chunk.catalogue_version, chunk.boot_id, source), []).append(chunk.batch)
    if unreadable:
        events.declare_loss(Lane.TELEMETRY, LossCause.UNREADABLE, unreadable)
    return _joined(parts.items())


def _joined(parts: Iterable[tuple[SpoolKey, list[SampleBatch]]]) -> Iterator[tuple[SpoolKey, SampleBatch]]:
    return ((key, SampleBatch.concat(batches)) for key, batches in parts)
