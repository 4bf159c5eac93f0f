"""A point's trend as it is drawn: few samples, gaps that stay gaps, and quality kept apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.folder import Folder
from aggregator.history.readings import Readings, ReadingsReader, silence_ns_of
from aggregator.history.reduction import Flags, breaks, keep, kinds_of, longest
from aggregator.people.rights import Caller, Right
from aggregator.people.service import PeopleService
from aggregator.plant.points import PointBook
from aggregator.store import db
from contract.clock import NS_PER_S, Clock
from contract.ids import PointKey
from contract.points import PointSpec

WIDTH_MIN: Final = 10
WIDTH_MAX: Final = 4000
RANGE_MAX_S: Final = 400 * 86400
SILENT: Final = "silent"
UNREAD: Final = "unread"


class RunKind(StrEnum):
    """In the order of ``reduction.kinds_of``."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Run:
    """Samples of one kind that follow one another; between two of them the last one holds. ``end_ns``: it holds until
    then, when something else was known, or nothing."""

    kind: RunKind
    time_ns: tuple[int, ...]
    value: tuple[float | None, ...]
    quality: tuple[int, ...]
    end_ns: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Nothing is known here. ``cause``: ``silent``, ``unread`` (choose a shorter time), or what the agent declared."""

    from_ns: int
    to_ns: int
    cause: str


@dataclass(frozen=True, slots=True)
class SetPoint:
    """A limit while it stood so; ``kind`` is ll, l, h, hh."""

    kind: str
    value: float
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class LateSpan:
    """Samples that an outage held back."""

    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class Trend:
    """One point between two moments (ns UTC). ``samples``: how many there are before reduction."""

    organisation: str
    tag: str
    unit: str
    description: str
    range_low: float | None
    range_high: float | None
    from_ns: int
    to_ns: int
    samples: int
    runs: tuple[Run, ...]
    gaps: tuple[Gap, ...]
    set_points: tuple[SetPoint, ...]
    late: tuple[LateSpan, ...]
    unreadable_chunks: int


class TrendService:
    """Safe to call from several threads; the work of a call is bounded by ``readings.CHUNKS_MAX``."""

    def __init__(self, folder: Folder, people: PeopleService, clock: Clock, book: PointBook) -> None:
        self._folder = folder
        self._people = people
        self._clock = clock
        self._book = book
        self._reader = ReadingsReader()

    def trend(self, caller: Caller, organisation: str, tag: str, from_ns: int, to_ns: int, width: int) -> Trend:
        """At most about ``10 * width`` samples out of all. Raises RefusedError (UNKNOWN, INVALID, NOT_SIGNED_IN)."""
        if not WIDTH_MIN <= width <= WIDTH_MAX:
            raise _invalid("width", f"must be {WIDTH_MIN} to {WIDTH_MAX}")
        spec, readings = self._read(caller, organisation, tag, from_ns, to_ns, lead_in=True)
        return reduce(spec, readings, from_ns, min(to_ns, max(from_ns, self._clock.wall_ns())), width)

    def samples(self, caller: Caller, organisation: str, tag: str, from_ns: int, to_ns: int) -> tuple[str, Readings]:
        """The point's unit and every sample. Raises RefusedError as ``trend``, INVALID also where there are too many."""
        spec, readings = self._read(caller, organisation, tag, from_ns, to_ns, lead_in=False)
        if readings.unread_before_ns is not None:
            raise _invalid("from", "is too long ago for one file; choose a shorter time")
        return spec.unit, readings

    def _read(
        self, caller: Caller, organisation: str, tag: str, from_ns: int, to_ns: int, *, lead_in: bool
    ) -> tuple[PointSpec, Readings]:
        person = self._people.require(caller, Right.SEE)
        if not 0 <= from_ns < to_ns < 2**63:
            raise _invalid("to", "must be after from")
        if to_ns - from_ns > RANGE_MAX_S * NS_PER_S:
            raise _invalid("from", f"must be at most {RANGE_MAX_S // 86400} days before to")
        with db.open_reader(self._folder.database).begin() as connection:
            spec = self._book.find(connection, person, organisation, tag)[0].spec
            first_ns = max(0, from_ns - silence_ns_of(spec)) if lead_in else from_ns
            return spec, self._reader.read(connection, PointKey(organisation, tag), first_ns, to_ns)


def _invalid(field: str, message: str) -> RefusedError:
    return RefusedError(RefusalCode.INVALID, field=field, message=message)


# -- pure --------------------------------------------------------------------------------------------------------------


def reduce(spec: PointSpec, readings: Readings, from_ns: int, to_ns: int, width: int) -> Trend:
    """``readings`` may begin before ``from_ns``: what held at the left edge is the last sample before it."""
    start = max(0, int(np.searchsorted(readings.time_ns, from_ns)) - 1)
    end = int(np.searchsorted(readings.time_ns, to_ns, side="right"))
    window = slice(start, end)
    time_ns, value, quality = readings.time_ns[window], readings.value[window], readings.quality[window]
    broken = breaks(time_ns, readings.silence_ns[window], [(gap.from_ns, gap.to_ns) for gap in readings.gaps])
    kept = keep(np.maximum(time_ns, from_ns), value, quality, from_ns, to_ns, width)
    kept = np.union1d(kept, longest(time_ns, broken, width))
    until_ns = _known_until(time_ns, readings.silence_ns[window], to_ns)
    return Trend(
        spec.organisation, spec.tag, spec.unit, spec.description, _finite(spec.range_low), _finite(spec.range_high),
        from_ns, to_ns, int(np.count_nonzero(time_ns >= from_ns)),
        _runs(time_ns, value, quality, broken, kept, until_ns),
        _gaps(readings, time_ns, broken, from_ns, to_ns, until_ns),
        _set_points(readings.specs or ((from_ns, spec),), from_ns, to_ns),
        _late(time_ns[kept], readings.late[window][kept]),
        readings.unreadable_chunks,
    )  # fmt: skip


def _known_until(time_ns: NDArray[np.int64], silence_ns: NDArray[np.int64], to_ns: int) -> int | None:
    """Until when the last sample holds: to the right edge, unless it has been silent for too long; None without any."""
    if not len(time_ns):
        return None
    last_ns = int(time_ns[-1])
    return to_ns if to_ns - last_ns <= int(silence_ns[-1]) else last_ns


def _runs(
    time_ns: NDArray[np.int64], value: NDArray[np.float64], quality: NDArray[np.uint8], broken: Flags,
    kept: NDArray[np.intp], until_ns: int | None,
) -> tuple[Run, ...]:  # fmt: skip
    if not len(kept) or until_ns is None:
        return ()
    kinds = kinds_of(value, quality)[kept]
    passed = np.concatenate([[0], np.cumsum(broken)])[kept]  # breaks before each kept sample, kept ones or not
    parted = np.diff(passed) > 0
    firsts = np.concatenate([[0], np.flatnonzero(parted | (np.diff(kinds) != 0)) + 1])
    ends = np.append(firsts[1:], len(kept))
    runs = []
    for first, end in zip(firsts.tolist(), ends.tolist(), strict=True):
        rows = kept[first:end]
        # What follows ends the run, unless nothing was known first.
        next_ns = until_ns if end == len(kept) else int(time_ns[kept[end]])
        end_ns = int(time_ns[rows[-1]]) if end < len(kept) and parted[end - 1] else next_ns
        kind = tuple(RunKind)[int(kinds[first])]
        numbers = [None if kind is RunKind.BAD else number for number in value[rows].tolist()]
        runs.append(Run(kind, tuple(time_ns[rows].tolist()), tuple(numbers), tuple(quality[rows].tolist()), end_ns))
    return tuple(runs)


def _gaps(
    readings: Readings, time_ns: NDArray[np.int64], broken: Flags, from_ns: int, to_ns: int, until_ns: int | None
) -> tuple[Gap, ...]:  # fmt: skip
    before = np.flatnonzero(broken)
    edges = list(zip(time_ns[before].tolist(), time_ns[before + 1].tolist(), strict=True))
    if until_ns is None:
        edges = [(from_ns, to_ns)]
    else:
        if time_ns[0] > from_ns:
            edges.insert(0, (from_ns, int(time_ns[0])))
        if until_ns < to_ns:
            edges.append((until_ns, to_ns))
    return tuple(
        Gap(max(first, from_ns), last, _cause(readings, first, last)) for first, last in edges if last > from_ns
    )


def _cause(readings: Readings, first_ns: int, last_ns: int) -> str:
    if readings.unread_before_ns is not None and first_ns <= readings.unread_before_ns:
        return UNREAD
    declared = (gap.cause for gap in readings.gaps if gap.from_ns < last_ns and gap.to_ns > first_ns)
    return next(declared, SILENT)


def _set_points(specs: tuple[tuple[int, PointSpec], ...], from_ns: int, to_ns: int) -> tuple[SetPoint, ...]:
    """Each limit from when it was first seen until it was another; the first one known holds from the left edge on."""
    found: list[SetPoint] = []
    starts = [from_ns, *(max(from_ns, time_ns) for time_ns, _ in specs[1:])]
    ends = [*starts[1:], to_ns]
    for kind in ("ll", "l", "h", "hh"):
        last: SetPoint | None = None
        for (_, spec), start_ns, end_ns in zip(specs, starts, ends, strict=True):
            value = float(getattr(spec.limits, kind))
            if last is not None and last.value == value and last.to_ns == start_ns:
                found.pop()
                start_ns = last.from_ns  # noqa: PLW2901 - one line for as long as it stood
            last = SetPoint(kind, value, start_ns, end_ns) if math.isfinite(value) and end_ns > start_ns else None
            if last is not None:
                found.append(last)
    return tuple(found)


def _late(time_ns: NDArray[np.int64], late: Flags) -> tuple[LateSpan, ...]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], late.astype(np.int8), [0]])))
    return tuple(
        LateSpan(int(time_ns[first]), int(time_ns[end - 1]))
        for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
