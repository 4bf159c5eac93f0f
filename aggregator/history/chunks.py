"""Samples out of the chunks that the telemetry lane brought.

A chunk is stored as it came, beside a summary; whoever wants samples decodes it here, with the catalogue version that
the chunk names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from aggregator.history.tables import CHUNKS
from contract.batch import SampleBatch
from contract.points import Catalogue
from contract.wire.chunk import decode_chunk, fill_values

CatalogueOf = Callable[[int], Catalogue]
"""Gives the catalogue of a version; raises StoreError where there is none."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a chunk holds: number of samples, catalogue version, first and last source time (None where it is empty)."""

    samples: int
    catalogue_version: int
    first_ns: int | None
    last_ns: int | None


def summarise(chunk: bytes) -> Summary:
    """Decodes the whole chunk, so that what is stored is known to be readable. Raises FrameError."""
    decoded = decode_chunk(chunk)
    times = decoded.batch.time_ns
    first, last = (int(times.min()), int(times.max())) if len(times) else (None, None)
    return Summary(len(times), decoded.catalogue_version, first, last)


def samples(
    connection: sa.Connection, agent: str, epoch: str, tag: str, catalogue_of: CatalogueOf,
    first_ns: int = 0, last_ns: int = 2**63 - 1,
) -> SampleBatch:  # fmt: skip
    """Samples of one point with source times from ``first_ns`` to ``last_ns``, in the order of its chunks.

    Integer points come with their raw number and the value made from it. Empty for a tag that no catalogue names.
    """
    place = {"agent": agent, "epoch": epoch, "first_ns": first_ns, "last_ns": last_ns}
    found = [
        _of_tag(row.chunk, tag, catalogue_of(row.catalogue_version)) for row in connection.execute(_BETWEEN, place)
    ]
    batch = SampleBatch.concat(found)
    return batch.select((batch.time_ns >= first_ns) & (batch.time_ns <= last_ns))


def _of_tag(data: bytes, tag: str, catalogue: Catalogue) -> SampleBatch:
    batch = fill_values(decode_chunk(data).batch, catalogue)
    ids = [point.id for point in catalogue if point.tag == tag]
    return batch.select(batch.point == ids[0]) if ids else SampleBatch.empty()


_BETWEEN: Final = (
    sa.select(CHUNKS.c.chunk, CHUNKS.c.catalogue_version)
    .where(
        CHUNKS.c.agent == sa.bindparam("agent"),
        CHUNKS.c.epoch == sa.bindparam("epoch"),
        CHUNKS.c.first_ns <= sa.bindparam("last_ns"),
        CHUNKS.c.last_ns >= sa.bindparam("first_ns"),
    )
    .order_by(CHUNKS.c.seq)
)
