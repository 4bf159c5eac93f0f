"""All samples of one point over a time, out of the chunks of every agent and store that ever read it.

A renamed point brings the samples of its former tag. Chunks never change, so what was decoded of them is remembered
within a bound, and a page that looks again decodes only what has come since.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
import structlog
from numpy.typing import NDArray

from aggregator.agents.queries import load_catalogue
from aggregator.history.tables import CHUNKS
from aggregator.journal.tables import GAPS
from contract.clock import NS_PER_S
from contract.errors import FrameError, StoreError
from contract.ids import Lane, PointKey
from contract.points import Catalogue, PointSpec
from contract.wire.chunk import ScaleTable, decode_chunk

CHUNKS_MAX: Final = 20_000
"""Of one reading; about 4 s of work where nothing is remembered."""
SAMPLES_REMEMBERED_MAX: Final = 2_000_000
PIECES_REMEMBERED_MAX: Final = 100_000
CATALOGUES_REMEMBERED_MAX: Final = 64
GAPS_MAX: Final = 1000
SILENCE_PERIODS: Final = 1.5
"""A sample is reported at least every ``report_max_s``; after so many of these without one nothing is known."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DeclaredGap:
    """Telemetry that an agent declared as lost, placed between the chunks around it."""

    from_ns: int
    to_ns: int
    cause: str


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Columns of ``n`` samples in order of source time, and what is known to be missing.

    time_ns int64[n], value float64[n] (NaN without a number), quality uint8[n], late bool[n],
    silence_ns int64[n]  after so long without a further sample nothing is known
    """

    time_ns: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    late: NDArray[np.bool_]
    silence_ns: NDArray[np.int64]
    gaps: tuple[DeclaredGap, ...]
    specs: tuple[tuple[int, PointSpec], ...]
    """(source time from which on, what the catalogue said then), ascending."""
    unread_before_ns: int | None
    """More chunks than CHUNKS_MAX: what lies before was not read."""
    unreadable_chunks: int

    def __len__(self) -> int:
        return len(self.time_ns)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """One point's samples in one chunk."""

    time_ns: NDArray[np.int64]
    value: NDArray[np.float64]
    quality: NDArray[np.uint8]
    late: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Version:
    """A catalogue version, ready for decoding."""

    by_key: dict[PointKey, PointSpec]
    scales: ScaleTable


class ReadingsReader:
    """Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pieces: OrderedDict[tuple[str, str, int, int], _Piece | None] = OrderedDict()
        self._remembered = 0
        self._versions: OrderedDict[tuple[str, str, int], _Version] = OrderedDict()
        self._complained: set[str] = set()

    def read(self, connection: sa.Connection, key: PointKey, from_ns: int, to_ns: int) -> Readings:
        """Samples with source times from ``from_ns`` to ``to_ns``, inclusive."""
        names = [key]
        pieces: list[tuple[_Piece, PointSpec]] = []
        read = unreadable = 0
        unread_before_ns: int | None = None
        stores: set[tuple[str, str]] = set()
        for row in connection.execute(_BETWEEN, {"from_ns": from_ns, "to_ns": to_ns}):
            spec = self._spec(connection, row, names)
            if spec is None:
                continue
            if read == CHUNKS_MAX:
                unread_before_ns = int(row.last_ns)
                break
            read += 1
            stores.add((row.agent, row.epoch))
            try:
                piece = self._piece(connection, row, spec.id)
            except FrameError as error:
                unreadable += 1
                self._complain(f"{row.agent} {error.field}", error)
                continue
            if piece is not None:
                pieces.append((piece, spec))
        gaps = tuple(_declared_gaps(connection, sorted(stores), from_ns, to_ns))
        return _joined(pieces, from_ns, to_ns, gaps, unread_before_ns, unreadable)

    def _spec(self, connection: sa.Connection, row: Any, names: list[PointKey]) -> PointSpec | None:
        """The point as the chunk's catalogue knows it. Rows come newest first, so former tags add themselves."""
        version = self._version(connection, row.agent, row.epoch, row.catalogue_version)
        if version is None:
            return None
        for key in names:
            spec = version.by_key.get(key)
            if spec is not None:
                if spec.was is not None and (former := PointKey(key.organisation, spec.was)) not in names:
                    names.append(former)
                return spec
        return None

    def _version(self, connection: sa.Connection, agent: str, epoch: str, number: int) -> _Version | None:
        place = (agent, epoch, number)
        with self._lock:
            found = self._versions.get(place)
            if found is not None:
                self._versions.move_to_end(place)
                return found
        try:
            catalogue: Catalogue = load_catalogue(connection, agent, epoch, number)
        except StoreError as error:
            self._complain(f"{agent} catalogue", error)
            return None
        found = _Version({spec.key: spec for spec in catalogue}, ScaleTable.of(catalogue))
        with self._lock:
            self._versions[place] = found
            while len(self._versions) > CATALOGUES_REMEMBERED_MAX:
                self._versions.popitem(last=False)
        return found

    def _piece(self, connection: sa.Connection, row: Any, id_: int) -> _Piece | None:
        """None where the chunk holds no sample of the point. Raises FrameError."""
        place = (row.agent, row.epoch, row.seq, id_)
        with self._lock:
            if place in self._pieces:
                self._pieces.move_to_end(place)
                return self._pieces[place]
            version = self._versions.get((row.agent, row.epoch, row.catalogue_version))
        data = connection.scalar(_CHUNK, {"agent": row.agent, "epoch": row.epoch, "seq": row.seq})
        if data is None:
            return None  # thinned out meanwhile
        version = version or self._version(connection, row.agent, row.epoch, row.catalogue_version)
        assert version is not None, "the row's point was found in it"
        chunk = decode_chunk(data)
        batch = chunk.batch.select(chunk.batch.point == id_)
        batch = version.scales.fill(batch)
        piece = _Piece(batch.time_ns, batch.value, batch.quality, chunk.late) if len(batch) else None
        with self._lock:
            self._remember(place, piece)
        return piece

    def _remember(self, place: tuple[str, str, int, int], piece: _Piece | None) -> None:
        if place in self._pieces:  # another thread was as quick
            return
        self._pieces[place] = piece
        self._remembered += _size(piece)
        while self._remembered > SAMPLES_REMEMBERED_MAX or len(self._pieces) > PIECES_REMEMBERED_MAX:
            self._remembered -= _size(self._pieces.popitem(last=False)[1])

    def _complain(self, cause: str, error: Exception) -> None:
        with self._lock:
            is_new = cause not in self._complained and len(self._complained) < GAPS_MAX
            self._complained.add(cause)
        if is_new:
            log.error("telemetry_unreadable", cause=cause, error=str(error)[:200])


def silence_ns_of(spec: PointSpec) -> int:
    """After so long without a sample nothing is known of the point."""
    return round(spec.report_max_s * SILENCE_PERIODS * NS_PER_S)


def _size(piece: _Piece | None) -> int:
    return 0 if piece is None else len(piece.time_ns)


def _joined(
    pieces: Sequence[tuple[_Piece, PointSpec]], from_ns: int, to_ns: int, gaps: tuple[DeclaredGap, ...],
    unread_before_ns: int | None, unreadable: int,
) -> Readings:  # fmt: skip
    time_ns = np.concatenate([piece.time_ns for piece, _ in pieces] or [np.zeros(0, np.int64)])
    inside = np.flatnonzero((time_ns >= from_ns) & (time_ns <= to_ns))
    order = inside[np.argsort(time_ns[inside], kind="stable")]
    sizes = [_size(piece) for piece, _ in pieces]
    return Readings(
        time_ns[order],
        np.concatenate([piece.value for piece, _ in pieces] or [np.zeros(0)])[order],
        np.concatenate([piece.quality for piece, _ in pieces] or [np.zeros(0, np.uint8)])[order],
        np.repeat(np.array([piece.late for piece, _ in pieces], np.bool_), sizes)[order],
        np.repeat(np.array([silence_ns_of(spec) for _, spec in pieces], np.int64), sizes)[order],
        gaps,
        _specs(pieces),
        unread_before_ns,
        unreadable,
    )


def _specs(pieces: Sequence[tuple[_Piece, PointSpec]]) -> tuple[tuple[int, PointSpec], ...]:
    """Each time the catalogue began to say something else of the point."""
    found: list[tuple[int, PointSpec]] = []
    for time_ns, spec in sorted(((int(piece.time_ns.min()), spec) for piece, spec in pieces), key=lambda each: each[0]):
        if not found or found[-1][1] != spec:
            found.append((time_ns, spec))
    return tuple(found)


def _declared_gaps(
    connection: sa.Connection, stores: Sequence[tuple[str, str]], from_ns: int, to_ns: int
) -> Iterator[DeclaredGap]:
    for agent, epoch in stores:
        place = {"agent": agent, "epoch": epoch}
        for row in connection.execute(_GAPS, place):
            before = connection.scalar(_BEFORE, place | {"seq": row.first_seq})
            after = connection.scalar(_AFTER, place | {"seq": row.last_seq})
            first_ns, last_ns = sorted((from_ns if before is None else before, to_ns if after is None else after))
            if last_ns >= from_ns and first_ns <= to_ns:
                yield DeclaredGap(max(first_ns, from_ns), min(last_ns, to_ns), row.cause)


_C: Final = CHUNKS.c
_OF_STORE: Final = (_C.agent == sa.bindparam("agent"), _C.epoch == sa.bindparam("epoch"))
_BETWEEN: Final = (
    sa.select(_C.agent, _C.epoch, _C.seq, _C.catalogue_version, _C.last_ns)
    .where(_C.last_ns >= sa.bindparam("from_ns"), _C.first_ns <= sa.bindparam("to_ns"))
    .order_by(_C.last_ns.desc())
)
_CHUNK: Final = sa.select(_C.chunk).where(*_OF_STORE, _C.seq == sa.bindparam("seq"))
_BEFORE: Final = (
    sa.select(_C.last_ns)
    .where(*_OF_STORE, _C.seq < sa.bindparam("seq"), _C.last_ns.is_not(None))
    .order_by(_C.seq.desc())
    .limit(1)
)
_AFTER: Final = (
    sa.select(_C.first_ns)
    .where(*_OF_STORE, _C.seq > sa.bindparam("seq"), _C.first_ns.is_not(None))
    .order_by(_C.seq)
    .limit(1)
)
_GAPS: Final = (
    sa.select(GAPS.c.first_seq, GAPS.c.last_seq, GAPS.c.cause)
    .where(
        GAPS.c.agent == sa.bindparam("agent"), GAPS.c.epoch == sa.bindparam("epoch"), GAPS.c.lane == Lane.TELEMETRY.value
    )
    .order_by(GAPS.c.first_seq.desc())
    .limit(GAPS_MAX)
)  # fmt: skip
