"""Samples on their way into chunks: which source they belong to, what is spooled already, what is to be cut.

Pure: memory of the telemetry store's commit thread. A chunk holds the samples of one hazard source under one catalogue
version, so that an event of that source can send off its chunk alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np

from contract.batch import SampleBatch
from contract.clock import NS_PER_MS
from contract.points import Catalogue, PointType
from contract.wire.chunk import SAMPLES_ALWAYS_FIT, encode_chunk

SAMPLES_PER_CHUNK_MAX: Final = 100_000
"""A chunk with more is cut before its time."""

ChunkKey: TypeAlias = tuple[int, str]
"""Catalogue version, source."""


@dataclass(slots=True)
class OpenChunk:
    """Samples of one key that have no number yet. ``spooled`` ones survive a crash, ``fresh`` ones do not."""

    opened_ns: int
    spooled: list[SampleBatch] = field(default_factory=list)
    fresh: list[SampleBatch] = field(default_factory=list)
    flush: bool = False

    @property
    def samples(self) -> int:
        return sum(len(batch) for batch in (*self.spooled, *self.fresh))

    def is_due(self, now_ns: int, chunk_ns: int) -> bool:
        return self.flush or now_ns - self.opened_ns >= chunk_ns or self.samples >= SAMPLES_PER_CHUNK_MAX


class OpenChunks:
    """All open chunks; samples go to those of the newest catalogue."""

    def __init__(self) -> None:
        self.by_key: dict[ChunkKey, OpenChunk] = {}
        self.unknown = 0
        self._sources: tuple[str, ...] = ()
        self._source_of_id = np.zeros(0, np.int32)
        self._version = 0

    def set_catalogue(self, catalogue: Catalogue) -> None:
        """From now on samples carry ids of this version; what is open under another one is due."""
        self._sources = tuple(sorted({point.source for point in catalogue}))
        number = {source: index for index, source in enumerate(self._sources)}
        self._source_of_id = np.full(max((point.id for point in catalogue), default=-1) + 1, -1, np.int32)
        for point in catalogue:
            self._source_of_id[point.id] = number[point.source]
        if catalogue.version != self._version:
            for chunk in self.by_key.values():
                chunk.flush = True
        self._version = catalogue.version

    def add(self, batch: SampleBatch, now_ns: int) -> None:
        """TICK rows are no samples; ids that the catalogue lacks are counted in ``unknown``."""
        source = self._source_rows(batch)
        for index in np.unique(source[source >= 0]).tolist():
            key = (self._version, self._sources[index])
            chunk = self.by_key.setdefault(key, OpenChunk(now_ns))
            chunk.fresh.append(batch.select(np.flatnonzero(source == index)))

    def _source_rows(self, batch: SampleBatch) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        source = np.full(len(batch), -1, np.int32)
        known = (batch.point >= 0) & (batch.point < len(self._source_of_id))
        source[known] = self._source_of_id[batch.point[known]]
        self.unknown += int(np.count_nonzero((source < 0) & (batch.point >= 0)))
        return source

    def flush_source(self, source: str) -> None:
        for (_, of_source), chunk in self.by_key.items():
            if of_source == source:
                chunk.flush = True

    def flush_all(self) -> None:
        for chunk in self.by_key.values():
            chunk.flush = True

    @property
    def samples(self) -> int:
        return sum(chunk.samples for chunk in self.by_key.values())

    def due(self, now_ns: int, chunk_ns: int) -> Iterator[tuple[ChunkKey, OpenChunk]]:
        return ((key, chunk) for key, chunk in self.by_key.items() if chunk.is_due(now_ns, chunk_ns))


def floored(batch: SampleBatch) -> SampleBatch:
    """The same samples with both stamps floored to the millisecond: what trends need, and half the bytes of a stamp."""
    time_ns = batch.time_ns - batch.time_ns % NS_PER_MS
    mono_ns = batch.mono_ns - batch.mono_ns % NS_PER_MS
    return SampleBatch(batch.point, time_ns, mono_ns, batch.value, batch.quality, batch.raw)


def encode(batch: SampleBatch, version: int, boot_id: str, types: Mapping[int, PointType]) -> list[tuple[bytes, int]]:
    """(chunk, samples in it): one, or several where one would exceed what a chunk may hold."""
    try:
        return [(encode_chunk(batch, version, boot_id, types), len(batch))]
    except ValueError:
        if len(batch) <= SAMPLES_ALWAYS_FIT:
            raise
    half = len(batch) // 2
    return [
        *encode(batch.select(slice(None, half)), version, boot_id, types),
        *encode(batch.select(slice(half, None)), version, boot_id, types),
    ]
