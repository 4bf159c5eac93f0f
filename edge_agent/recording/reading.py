"""Recordings as whoever replays them reads them: files in order, rows in order, and what is missing between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import zstandard

from contract.batch import SampleBatch
from contract.errors import FrameError, StoreError
from contract.points import Catalogue
from contract.wire.chunk import ScaleTable
from edge_agent.detect.checkpoint import Checkpoint, CheckpointError, unpack
from edge_agent.outbox.catalogue import decode_points
from edge_agent.recording import columns
from edge_agent.recording.blocks import ROWS, Start, read_block, read_mark, read_start
from edge_agent.recording.recorder import SUFFIX


@dataclass(slots=True, eq=False)
class Segment:
    """One file. ``cut_bytes`` is known when ``blocks`` has come to its end: what lies behind the last whole block."""

    path: Path
    start: Start
    catalogue: Catalogue
    checkpoint: Checkpoint
    cut_bytes: int | None = field(default=None)

    def blocks(self) -> Iterator[SampleBatch]:
        """The rows that were judged, block by block. Raises StoreError for whole blocks that cannot be read."""
        scales = ScaleTable.of(self.catalogue)
        with self.path.open("rb") as file:
            read_mark(file)
            read_block(file)
            whole = file.tell()
            while (found := read_block(file)) is not None:
                kind, body = found
                whole = file.tell()
                if kind != ROWS:
                    raise StoreError(
                        f"{self.path}: a block of an unknown kind; a newer version of this software wrote it"
                    )
                try:
                    yield columns.decode(body, scales)
                except FrameError as error:
                    raise StoreError(f"{self.path}: {error}") from error
            self.cut_bytes = self.path.stat().st_size - whole


def segments(place: Path) -> list[Segment]:
    """Of a folder, or of one file, in order. Raises StoreError where there is none, or one that cannot be used."""
    if place.is_dir():
        paths = sorted(place.glob(f"*{SUFFIX}"))
        if not paths:
            raise StoreError(f"{place} holds no recording (*{SUFFIX}); [recording] in agent.toml makes one")
    elif place.exists():
        paths = [place]
    else:
        raise StoreError(f"{place} is not there")
    return [each for path in paths if (each := _segment(path)) is not None]


def _segment(path: Path) -> Segment | None:
    """None for a file that was cut before it had a beginning."""
    try:
        with path.open("rb") as file:
            read_mark(file)
            found = read_block(file)
        if found is None:
            return None
        start = read_start(found[1])
        catalogue = decode_points(start.catalogue_version, start.points)
        return Segment(path, start, catalogue, unpack(start.state))
    except (OSError, FrameError, CheckpointError, ValueError, KeyError, TypeError, zstandard.ZstdError) as error:
        raise StoreError(f"{path}: {error}") from error
