"""Reports of a server become samples, and what it reported last is remembered while its subscription lives. Pure.

A subscription tells changes only. Modbus has a row for each point in every turn; here a turn is made up from two promises of
the server: a change is always reported, and a publish response (with news or as a keep-alive) comes in time. So each
response *confirms* that everything not named in it is still as reported last, and the point gets a row that repeats it.
That is honest because the row carries the time at which the response arrived and not a moment later: nothing is said of
the time since. When the responses stop, so do the rows, and staleness runs out as for any other device; when the
session is lost, the memory is wiped and every row is BAD_COMM_FAILURE, never a value.

Times of a row:

- a **change** has the source timestamp as ``time_ns``, if that is believable (``SOURCE_BEHIND_NS_MAX``,
  ``SOURCE_AHEAD_NS_MAX``), else the time of receipt. Of several changes of a point in one response, the last has the
  receipt as ``mono_ns``; the others lie before it by the differences of their source timestamps, but never before
  the point's former row.
- a **confirmation**, and the first row after a connect, has the time of receipt in both: the value may be days old,
  that it still holds is new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contract.batch import Said, SampleBatch, scale_raw
from contract.clock import NS_PER_S
from contract.points import PointRole, PointSpec, PointType
from contract.quality import Quality, is_bad
from drivers.opcua.values import Number, Reading, judge, overflowed

SOURCE_BEHIND_NS_MAX: Final = 60 * NS_PER_S
"""A change was reported within seconds; a source timestamp older than this is a clock that is wrong."""
SOURCE_AHEAD_NS_MAX: Final = 5 * NS_PER_S
_ALL_BITS: Final = 2**64 - 1
_OWN_PLACE: Final = np.zeros(1, np.intp)
_NEVER: Final = np.iinfo(np.int64).min // 2


class _Row(NamedTuple):
    """One sample on its way into a batch; ``place`` counts in the list of points."""

    place: int
    time_ns: int
    mono_ns: int
    number: Number


class Memory:
    """The device's own point is at place 0, the others follow in the order given. Not for two threads at once."""

    def __init__(self, own: PointSpec, points: Sequence[PointSpec]) -> None:
        assert own.role is PointRole.DEVICE
        specs = [own, *points]
        self._types = [spec.type for spec in specs]
        self._ids = np.array([spec.id for spec in specs], np.int32)
        self._integer = np.array([spec.type.is_integer for spec in specs], np.bool_)
        self._unsigned64 = np.array([spec.type is PointType.UINT64 for spec in specs], np.bool_)
        self._scale = np.array([spec.scale for spec in specs], np.float64)
        self._offset = np.array([spec.offset for spec in specs], np.float64)
        self._poll_ns = np.array([round(spec.poll_s * NS_PER_S) for spec in specs], np.int64)
        self._last: list[Reading | None] = [None] * len(specs)
        self._numbers = [_no_answer()] * len(specs)
        self._told_mono_ns = np.full(len(specs), _NEVER, np.int64)
        self._statuses = [0] * len(specs)
        """What each point's status was said to be last; it is kept while there is no session."""
        self._read_source_ns: dict[int, int | None] = {}
        """Source timestamp of the latest read of each place that was read beside its reports."""
        self.overflows = 0
        """Readings that came with the news that others were lost in the server's queue."""
        self.disbelieved = 0
        """Changes whose source timestamp was missing or could not be true."""

    def opened(self, readings: Sequence[Reading], time_ns: int, mono_ns: int, *, answering: bool = True) -> SampleBatch:
        """The state of every point, read just now, one reading for each; the device's row leads.

        Without ``answering`` the device stays BAD_COMM_FAILURE until ``answers``.
        """
        assert len(readings) == len(self._last) - 1, "one reading for each point"
        self._numbers[0] = Number(1, 1.0, Quality.GOOD) if answering else _no_answer()
        for place, reading in enumerate(readings, 1):
            self._remember(place, reading)
        said = [
            each for place, reading in enumerate(readings, 1) for each in self._said(place, reading, time_ns, mono_ns)
        ]
        return replace(self._told(np.arange(len(self._last)), time_ns, mono_ns), said=tuple(said))

    def answers(self) -> None:
        """The device is GOOD from its next row on, which comes with the next answer."""
        if is_bad(int(self._numbers[0].quality)):
            self._numbers[0] = Number(1, 1.0, Quality.GOOD)
            self._told_mono_ns[0] = _NEVER

    def published(
        self,
        changes: Iterable[tuple[int, Reading]],
        confirmed: Sequence[int] | NDArray[np.intp],
        time_ns: int,
        mono_ns: int,
        *,
        read: bool = False,
    ) -> list[SampleBatch]:
        """One answer of the server: each change, then those of ``confirmed`` and the device that are due for a row.

        Places count from 1. A point is due when its last row is nearly a poll period old; one that was ``read`` always has a
        row. No batch holds a point twice.
        """
        changes = list(changes)
        self.overflows += sum(overflowed(reading.status) for _, reading in changes)
        if read:
            self._read_source_ns |= {place: reading.source_ns for place, reading in changes}
        else:
            changes = [change for change in changes if not self._is_overtaken(*change)]
        batches = self._changed(changes, time_ns, mono_ns)
        places = np.concatenate((_OWN_PLACE, np.asarray(confirmed, np.intp)))
        due_ns = np.where(places == 0, self._poll_ns[0] // 4 * 3, 1) if read else self._poll_ns[places] // 4 * 3
        due = places[mono_ns - self._told_mono_ns[places] >= due_ns]
        if len(due):
            batches.append(self._told(due, time_ns, mono_ns))
        return batches

    def lost(self, time_ns: int, mono_ns: int) -> SampleBatch:
        """The session is gone: every point is BAD_COMM_FAILURE now, the device's row leads."""
        self._last = [None] * len(self._last)
        self._read_source_ns.clear()
        self._numbers = [_no_answer()] * len(self._numbers)
        return self._told(np.arange(len(self._last)), time_ns, mono_ns)

    def still_lost(self, time_ns: int, mono_ns: int) -> SampleBatch:
        """Rows of the points whose poll period has passed since their last one. Only after ``lost``."""
        return self._told(np.flatnonzero(mono_ns - self._told_mono_ns >= self._poll_ns), time_ns, mono_ns)

    def next_row_mono_ns(self) -> int:
        """When ``still_lost`` has its next row."""
        return int((self._told_mono_ns + self._poll_ns).min())

    def _is_overtaken(self, place: int, reading: Reading) -> bool:
        """True for what the server kept in a queue while the same node was read: an older value is no news."""
        read_ns = self._read_source_ns.get(place)
        return read_ns is not None and reading.source_ns is not None and reading.source_ns < read_ns

    def _remember(self, place: int, reading: Reading) -> None:
        self._last[place] = reading
        self._numbers[place] = judge(reading, self._types[place])

    def _changed(self, changes: Iterable[tuple[int, Reading]], time_ns: int, mono_ns: int) -> list[SampleBatch]:
        by_place: dict[int, list[Reading]] = {}
        for place, reading in changes:
            queued = by_place.get(place)
            if reading != (queued[-1] if queued else self._last[place]):  # a new item reports what was read already
                by_place.setdefault(place, []).append(reading)
        rows: list[_Row] = []
        said: list[Said] = []
        for place, queued in by_place.items():
            for reading, at_ns in zip(queued, self._mono_of(place, queued, time_ns, mono_ns), strict=True):
                self._remember(place, reading)
                source_ns = reading.source_ns if _believable(reading, time_ns) else None
                self.disbelieved += source_ns is None
                row = _Row(place, time_ns if source_ns is None else source_ns, at_ns, self._numbers[place])
                rows.append(row)
                if reading.status != self._statuses[place] or self._types[place] is PointType.STRING:
                    said += self._said(place, reading, row.time_ns, at_ns)
        rows.sort(key=lambda row: row.mono_ns)  # stable: the changes of a point keep their order
        batches = [self._batch(part) for part in _without_repeats(rows)]
        if said:
            batches[0] = replace(batches[0], said=tuple(said))
        return batches

    def _said(self, place: int, reading: Reading, time_ns: int, mono_ns: int) -> Iterator[Said]:
        """The text of a point, and its status where that is another than it was said to be."""
        point, quality = int(self._ids[place]), int(self._numbers[place].quality)
        if reading.status != self._statuses[place]:
            self._statuses[place] = reading.status
            yield Said(point, time_ns, mono_ns, quality, reading.status)
        if self._types[place] is PointType.STRING and not is_bad(quality) and isinstance(reading.value, str):
            yield Said(point, time_ns, mono_ns, quality, reading.value)

    def _mono_of(self, place: int, queued: Sequence[Reading], time_ns: int, mono_ns: int) -> list[int]:
        """When each change was, on our axis, from differences of the server's."""
        times = [mono_ns]
        for later, earlier in pairwise(reversed(queued)):
            gap_ns = 0
            if _believable(later, time_ns) and _believable(earlier, time_ns):
                assert later.source_ns is not None
                assert earlier.source_ns is not None
                gap_ns = max(0, later.source_ns - earlier.source_ns)
            times.append(max(times[-1] - gap_ns, min(int(self._told_mono_ns[place]), mono_ns)))
        return times[::-1]

    def _told(self, places: NDArray[np.intp], time_ns: int, mono_ns: int) -> SampleBatch:
        return self._batch([_Row(place, time_ns, mono_ns, self._numbers[place]) for place in places.tolist()])

    def _batch(self, rows: Sequence[_Row]) -> SampleBatch:
        batch = SampleBatch.zeros(len(rows))
        places = np.array([row.place for row in rows], np.intp)
        batch.point[:] = self._ids[places]
        batch.time_ns[:] = [row.time_ns for row in rows]
        batch.mono_ns[:] = [row.mono_ns for row in rows]
        batch.quality[:] = [row.number.quality for row in rows]
        batch.value[:] = [row.number.value for row in rows]
        batch.raw[:] = np.array([row.number.raw & _ALL_BITS for row in rows], np.uint64).view(np.int64)
        self._scale_integers(batch, places)
        self._told_mono_ns[places] = batch.mono_ns
        return batch

    def _scale_integers(self, batch: SampleBatch, places: NDArray[np.intp]) -> None:
        """``scale_raw`` for what came as an integer. A value that overflows float64 is no number."""
        scaled = self._integer[places] & ~np.isnan(batch.value)
        which = places[scaled]
        with np.errstate(over="ignore"):
            batch.value[scaled] = scale_raw(
                batch.raw[scaled], self._scale[which], self._offset[which], self._unsigned64[which]
            )
        broken = scaled & ~np.isfinite(batch.value)
        batch.value[broken] = np.nan
        batch.quality[broken] = Quality.BAD_SENSOR_FAILURE


def _no_answer() -> Number:
    return Number(0, float("nan"), Quality.BAD_COMM_FAILURE)


def _believable(reading: Reading, time_ns: int) -> bool:
    source_ns = reading.source_ns
    return source_ns is not None and time_ns - SOURCE_BEHIND_NS_MAX <= source_ns <= time_ns + SOURCE_AHEAD_NS_MAX


def _without_repeats(rows: Iterable[_Row]) -> list[list[_Row]]:
    """The rows in their order, cut wherever a point would come twice."""
    parts: list[list[_Row]] = []
    seen: set[int] = set()
    for row in rows:
        if not parts or row.place in seen:
            parts.append([])
            seen = set()
        parts[-1].append(row)
        seen.add(row.place)
    return parts
