"""Telemetry chunks: the samples of many points over some seconds or a minute, as bytes, without loss.

The edge makes a chunk from the samples that its outbox keeps; it travels opaque on the telemetry lane, is stored as it
came, and whoever reads it (aggregator, history) decodes it here. A chunk stands for itself except for the catalogue
version it names, which gives type and scale: of an integer point only the raw number travels, and ``fill_values``
computes the value again with the one function that both ends share.

A chunk is a msgpack array:

===  =================  ==============  ================================================================================
 at  field              msgpack         meaning
===  =================  ==============  ================================================================================
  0  schema             int             CHUNK_SCHEMA
  1  catalogue_version  int             0 to 2^31-1; ids are valid within it
  2  boot_id            str             1 to 64 bytes; mono_ns is valid within it
  3  exercise_id        str or nil      1 to 64 bytes; nil outside a drill
  4  class_label        str             1 to 64 bytes; who may see it
  5  late               bool            held back by an outage
  6  counts             3 ints          samples, points, stamps
  7  widths             bin, 9 bytes    a width code (``planes.WIDTHS_BITS``) for each column of the head, step, quality
  8  head               bin             the columns mono to base, one after another, each in planes
  9  streams            array of bin    the planes of step, of quality, then of the numbers of each class, ascending
===  =================  ==============  ================================================================================

=======  =======  ==================================================================================================
column   per      meaning
=======  =======  ==================================================================================================
mono     stamp    mono_ns, second difference
shift    stamp    time_ns - mono_ns, difference: 0 until the clock is set
id       point    ascending, difference
count    point    samples of the point, difference
first    point    stamp of its first sample, difference
class    point    kind, guess, width (``series``)
base     point    what its numbers are near, in order of class
step     sample   stamps since the point's former sample, less 1 (``timetable``)
quality  sample   contract.quality, absent (width 0) where all are GOOD; not folded
=======  =======  ==================================================================================================

Columns are folded by zig-zag and differences are modulo 2^64. Head and streams are zstd frames where their length is
not the expected one, and plain where it is. Samples of BAD quality carry no number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar

import msgpack
import numpy as np
from numpy.typing import NDArray

from contract.batch import SampleBatch, scale_raw
from contract.errors import FrameError
from contract.points import Catalogue, PointType
from contract.quality import SEVERITY_BAD
from contract.wire import series, timetable
from contract.wire.planes import (
    CODE_OF_BYTE,
    WIDTHS_BITS,
    Expander,
    Squeezer,
    pack_columns,
    packed_size,
    peak_code,
    to_planes,
    unpack_columns,
    unzigzag,
    zigzag,
)

CHUNK_SCHEMA: Final = 1
CHUNK_BYTES_MAX: Final = 1 << 20
SAMPLES_MAX: Final = 1_000_000
POINTS_MAX: Final = 65_536
STAMPS_MAX: Final = 1_000_000
SAMPLES_ALWAYS_FIT: Final = 20_000
"""So many samples stay under CHUNK_BYTES_MAX even when nothing in them can be compressed (about 50 bytes each)."""

_T = TypeVar("_T")

_LABEL_BYTES_MAX: Final = 64
_STREAMS_MAX: Final = 1024
_VERSION_MAX: Final = (1 << 31) - 1
_ID_MAX: Final = (1 << 31) - 1
_HEAD_COLUMNS: Final = 7


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """What a chunk says.

    ``batch`` is ordered by point id; a point's samples keep the order in which they were encoded, which is that of
    time. For integer points ``value`` is NaN until ``fill_values`` computes it; where quality is BAD, ``value`` is NaN
    and ``raw`` is 0.
    """

    batch: SampleBatch
    catalogue_version: int
    boot_id: str
    exercise_id: str | None
    class_label: str
    late: bool
    schema: int = CHUNK_SCHEMA


def encode_chunk(
    batch: SampleBatch, catalogue_version: int, boot_id: str, types: Mapping[int, PointType], *,
    exercise_id: str | None = None, class_label: str = "general", late: bool = False,
) -> bytes:  # fmt: skip
    """The bytes of one chunk.

    ``types`` names the type of every point in ``batch`` (KeyError where it does not). TICK rows are no samples and must
    have been left out. Rows may interleave as they like; each point's must be in order of time. What a row of BAD
    quality holds in ``value`` and ``raw`` is not sent. Raises ValueError where the result would exceed a limit of a
    chunk: cut the batch; SAMPLES_ALWAYS_FIT always fit.
    """
    _assert_labels(catalogue_version, boot_id, exercise_id, class_label)
    body = _encode_body(batch, types) if len(batch) else _EMPTY_BODY
    envelope = (CHUNK_SCHEMA, catalogue_version, boot_id, exercise_id, class_label, late, *body)
    data: bytes = msgpack.packb(envelope)
    if len(data) > CHUNK_BYTES_MAX:
        raise ValueError(f"{len(batch)} samples make {len(data)} bytes, a chunk holds {CHUNK_BYTES_MAX}")
    return data


def decode_chunk(data: bytes) -> Chunk:
    """The chunk that ``data`` is. Whatever the bytes, the only exception is FrameError, and memory stays bounded: what
    the sizes in a chunk claim is checked against the limits before anything is allocated for it."""
    envelope = _Envelope.read(data)
    expander = Expander(envelope.streams)
    columns = envelope.head(expander)
    points = _Points.read(columns, envelope)
    batch = _decode_rows(envelope, points, columns, expander)
    expander.finish()
    return Chunk(
        batch, envelope.catalogue_version, envelope.boot_id, envelope.exercise_id, envelope.class_label, envelope.late
    )


# --- encoding ---------------------------------------------------------------------------------------------------------

_IS_INTEGER: Final = {type_: type_.is_integer for type_ in PointType}

_Body = tuple[tuple[int, int, int], bytes, bytes, list[bytes]]
_EMPTY_BODY: Final[_Body] = ((0, 0, 0), bytes(_HEAD_COLUMNS + 2), b"", [])


def _encode_body(batch: SampleBatch, types: Mapping[int, PointType]) -> _Body:
    rows = timetable.Rows.of(batch.point)
    assert rows.ids[0] >= 0, "TICK rows are no samples"
    times = timetable.build(batch, rows)
    counts = (len(batch), len(rows.ids), len(times.time_ns))
    _check_counts(counts)
    quality = batch.quality[rows.order] if batch.quality.any() else None
    coded = _encode_numbers(batch, rows, quality, types)
    widths, head = pack_columns(
        [
            _differences(_differences(times.mono_ns)),
            _differences(times.time_ns - times.mono_ns),
            _differences(rows.ids.astype(np.int64)),
            _differences(rows.counts.astype(np.int64)),
            _differences(times.first.astype(np.int64)),
            coded.classes.astype(np.int64),
            coded.bases[np.argsort(coded.classes, kind="stable")],
        ]
    )
    step_code, steps = _step_planes(times.steps)
    quality_code, qualities = (0, []) if quality is None else (CODE_OF_BYTE, [quality.tobytes()])
    squeezer = Squeezer()
    streams = [squeezer.squeeze(plane) for plane in (*steps, *qualities, *coded.planes)]
    return counts, widths + bytes((step_code, quality_code)), squeezer.squeeze(head), streams


def _check_counts(counts: tuple[int, int, int]) -> None:
    for count, limit, what in zip(counts, (SAMPLES_MAX, POINTS_MAX, STAMPS_MAX), _COUNTED, strict=True):
        if count > limit:
            raise ValueError(f"{count} {what}, a chunk holds {limit}")


def _encode_numbers(
    batch: SampleBatch, rows: timetable.Rows, quality: NDArray[np.uint8] | None, types: Mapping[int, PointType]
) -> series.CodedSeries:
    """Classes and bases of all points (0 for a point whose rows are all BAD), planes of the rows that have a number."""
    order, counts = rows.order, rows.counts
    if quality is not None:
        kept = quality < SEVERITY_BAD
        order, counts = order[kept], np.add.reduceat(kept, rows.starts, dtype=np.intp)
    full = counts > 0
    coded = series.encode(_series(batch, order, rows.ids[full], counts[full], types))
    classes, bases = np.zeros(len(full), np.uint8), np.zeros(len(full), np.int64)
    classes[full], bases[full] = coded.classes, coded.bases
    return series.CodedSeries(classes, bases, coded.planes)


def _series(
    batch: SampleBatch, order: NDArray[np.intp], ids: NDArray[np.int32], counts: NDArray[np.intp],
    types: Mapping[int, PointType],
) -> series.Series:  # fmt: skip
    numbers = batch.raw[order]
    kinds = np.zeros(len(ids), np.uint8)
    of_point = map(_IS_INTEGER.__getitem__, map(types.__getitem__, ids.tolist()))
    is_float = ~np.fromiter(of_point, np.bool_, len(ids))
    if is_float.any():
        of_row = np.repeat(is_float, counts)
        numbers[of_row], kinds[is_float] = series.float_numbers(batch.value[order[of_row]], counts[is_float])
    return series.Series(numbers, counts, kinds)


def _step_planes(steps: NDArray[np.int32]) -> tuple[int, list[bytes]]:
    folded = zigzag(steps)
    code = peak_code(folded)
    return code, to_planes(folded, code)


def _differences(column: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.diff(column, prepend=np.int64(0))


def _assert_labels(catalogue_version: int, boot_id: str, exercise_id: str | None, class_label: str) -> None:
    assert 0 <= catalogue_version <= _VERSION_MAX, catalogue_version
    for label in (boot_id, exercise_id or "-", class_label):
        assert 0 < len(label.encode()) <= _LABEL_BYTES_MAX, label


# --- decoding ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Envelope:
    """The outer array, every field of the right type and within its limit."""

    catalogue_version: int
    boot_id: str
    exercise_id: str | None
    class_label: str
    late: bool
    samples: int
    points: int
    stamps: int
    widths: bytes
    packed_head: bytes
    streams: list[bytes]

    @classmethod
    def read(cls, data: bytes) -> Self:
        if len(data) > CHUNK_BYTES_MAX:
            raise FrameError("chunk", f"{len(data)} bytes, at most {CHUNK_BYTES_MAX} are allowed")
        schema, *fields = _items(_unpacked(data), "chunk", _FIELDS)
        if _integer(schema, "schema", _VERSION_MAX) != CHUNK_SCHEMA:
            raise FrameError("schema", f"{schema} is not known here")
        version, boot_id, exercise_id, class_label, late, counts, widths, head, streams = fields
        return cls(
            _integer(version, "catalogue_version", _VERSION_MAX),
            _label(boot_id, "boot_id"),
            None if exercise_id is None else _label(exercise_id, "exercise_id"),
            _label(class_label, "class_label"),
            _typed(late, bool, "late"),
            *_counts(counts),
            _widths(widths),
            _typed(head, bytes, "head"),
            [_typed(stream, bytes, "streams") for stream in _typed(streams, list, "streams")],
        )

    def head(self, expander: Expander) -> list[NDArray[np.int64]]:
        """mono, shift, id, count, first, class, base as they travel, unfolded."""
        codes = self.widths[:_HEAD_COLUMNS]
        lengths = (self.stamps,) * 2 + (self.points,) * 5
        return unpack_columns(codes, expander.expand(self.packed_head, packed_size(codes, lengths), "head"), lengths)


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """What the head says of the points, checked. Columns as in ``timetable.Rows`` and ``series``."""

    ids: NDArray[np.int32]
    counts: NDArray[np.intp]
    first: NDArray[np.int64]
    classes: NDArray[np.uint8]
    bases: NDArray[np.int64]

    @classmethod
    def read(cls, columns: list[NDArray[np.int64]], envelope: _Envelope) -> Self:
        _, _, id_, count, first, class_, base = columns
        classes = series.check_classes(class_)
        bases = np.empty_like(base)
        bases[np.argsort(classes, kind="stable")] = base
        return cls(_ids(id_), _sample_counts(count, envelope.samples), np.cumsum(first), classes, bases)


def _decode_rows(
    envelope: _Envelope, points: _Points, columns: list[NDArray[np.int64]], expander: Expander
) -> SampleBatch:
    mono_ns = np.cumsum(np.cumsum(columns[0]))
    time_ns = np.cumsum(columns[1]) + mono_ns
    step_code, quality_code = envelope.widths[_HEAD_COLUMNS:]
    steps = unzigzag(expander.planes(step_code, envelope.samples, "step"))
    stamp = timetable.stamps_of_rows(points.first, steps, points.counts, envelope.stamps)
    quality = expander.planes(quality_code, envelope.samples, "quality").astype(np.uint8)
    value, raw = _decode_numbers(points, quality, expander)
    return SampleBatch(np.repeat(points.ids, points.counts), time_ns[stamp], mono_ns[stamp], value, quality, raw)


def _decode_numbers(
    points: _Points, quality: NDArray[np.uint8], expander: Expander
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(value, raw) of all rows: NaN and 0 where quality is BAD, value NaN for integers, raw 0 for floats."""
    if quality.max(initial=0) < SEVERITY_BAD:
        return _typed_numbers(points.classes, points.bases, points.counts, expander)
    kept = quality < SEVERITY_BAD
    counts = np.add.reduceat(kept, np.cumsum(points.counts) - points.counts, dtype=np.intp)
    full = counts > 0
    value, raw = np.full(len(quality), np.nan), np.zeros(len(quality), np.int64)
    value[kept], raw[kept] = _typed_numbers(points.classes[full], points.bases[full], counts[full], expander)
    return value, raw


def _typed_numbers(
    classes: NDArray[np.uint8], bases: NDArray[np.int64], counts: NDArray[np.intp], expander: Expander
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    numbers = series.decode(classes, bases, counts, expander)
    kinds = series.kinds_of(classes)
    if not kinds.any():
        return np.full(len(numbers), np.nan), numbers
    of_row = np.repeat(kinds, counts)
    value = series.float_values(numbers, of_row)
    numbers[of_row != series.Kind.INTEGER] = 0
    return value, numbers


def _ids(differences: NDArray[np.int64]) -> NDArray[np.int32]:
    # Each difference is checked before they are summed, so that no sum can come round through 2^64.
    if (differences < 0).any() or (differences[1:] == 0).any() or (differences > _ID_MAX).any():
        raise FrameError("id", "not ascending")
    ids = np.cumsum(differences)
    if ids.max(initial=0) > _ID_MAX:
        raise FrameError("id", f"over {_ID_MAX}")
    return ids.astype(np.int32)


def _sample_counts(differences: NDArray[np.int64], samples: int) -> NDArray[np.intp]:
    counts = np.cumsum(differences)
    if ((counts < 1) | (counts > samples)).any() or counts.sum() != samples:
        raise FrameError("count", f"the points' counts do not make {samples} samples")
    return counts.astype(np.intp)


# --- fields of the envelope -------------------------------------------------------------------------------------------

_FIELDS: Final = 10
_COUNTED: Final = ("samples", "points", "stamps")


def _unpacked(data: bytes) -> object:
    try:
        return msgpack.unpackb(
            data, max_array_len=_STREAMS_MAX, max_map_len=0, max_ext_len=0, max_str_len=_LABEL_BYTES_MAX,
            max_bin_len=CHUNK_BYTES_MAX,
        )  # fmt: skip
    except (ValueError, msgpack.UnpackException) as error:
        raise FrameError("chunk", f"no msgpack within limits: {error}") from error


def _items(value: object, field: str, length: int) -> list[Any]:
    if not isinstance(value, list) or len(value) != length:
        raise FrameError(field, f"not an array of {length}")
    return value


def _typed(value: object, type_: type[_T], field: str) -> _T:
    if not isinstance(value, type_):
        raise FrameError(field, f"{type(value).__name__} stands where {type_.__name__} is due")
    return value


def _integer(value: object, field: str, limit: int) -> int:
    if type(value) is not int or not 0 <= value <= limit:
        raise FrameError(field, f"not an integer from 0 to {limit}")
    return value


def _label(value: object, field: str) -> str:
    text = _typed(value, str, field)
    if not 0 < len(text.encode()) <= _LABEL_BYTES_MAX:
        raise FrameError(field, f"not 1 to {_LABEL_BYTES_MAX} bytes")
    return text


def _counts(value: object) -> tuple[int, int, int]:
    limits = (SAMPLES_MAX, POINTS_MAX, STAMPS_MAX)
    items = _items(value, "counts", len(limits))
    samples, points, stamps = map(_integer, items, _COUNTED, limits)
    if points > samples or stamps > samples or (samples > 0) != (points > 0) or (samples > 0) != (stamps > 0):
        raise FrameError("counts", "each point and each stamp has a sample, and each sample has both")
    return samples, points, stamps


def _widths(value: object) -> bytes:
    widths = _typed(value, bytes, "widths")
    if len(widths) != _HEAD_COLUMNS + 2 or max(widths) >= len(WIDTHS_BITS) or widths[-1] > CODE_OF_BYTE:
        raise FrameError("widths", "unknown width code, or not one per column")
    return widths


# --- values -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class ScaleTable:
    """What one catalogue version says about turning raw numbers into values; make it once per version.

    ids int32[points] ascending; scale, offset float64[points]; integer, unsigned64 bool[points]
    """

    ids: NDArray[np.int32]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    integer: NDArray[np.bool_]
    unsigned64: NDArray[np.bool_]

    @staticmethod
    def of(catalogue: Catalogue) -> ScaleTable:
        points = sorted(catalogue, key=lambda point: point.id)
        return ScaleTable(
            np.array([point.id for point in points], np.int32),
            np.array([point.scale for point in points], np.float64),
            np.array([point.offset for point in points], np.float64),
            np.array([_IS_INTEGER[point.type] for point in points], np.bool_),
            np.array([point.type is PointType.UINT64 for point in points], np.bool_),
        )

    def fill(self, batch: SampleBatch) -> SampleBatch:
        """The batch with ``value`` computed for integer points, NaN where quality is BAD. Raises FrameError for a point
        that the catalogue lacks, and for a number that is not of the kind the catalogue says."""
        row = np.searchsorted(self.ids, batch.point)
        if len(batch) and (not len(self.ids) or (self.ids[np.minimum(row, len(self.ids) - 1)] != batch.point).any()):
            raise FrameError("id", "a point that the catalogue lacks")
        computed = scale_raw(batch.raw, self.scale[row], self.offset[row], self.unsigned64[row])
        computed[batch.quality >= SEVERITY_BAD] = np.nan
        integer = self.integer[row]
        foreign = np.where(integer, ~np.isnan(batch.value) & (batch.value != computed), batch.raw != 0)
        if foreign.any():
            raise FrameError("number", f"point {batch.point[foreign.argmax()]} is not of the catalogue's type")
        value = np.where(integer, computed, batch.value)
        return SampleBatch(batch.point, batch.time_ns, batch.mono_ns, value, batch.quality, batch.raw)


def fill_values(batch: SampleBatch, catalogue: Catalogue) -> SampleBatch:
    """``ScaleTable.of(catalogue).fill(batch)``, for who decodes few chunks of a version."""
    return ScaleTable.of(catalogue).fill(batch)
