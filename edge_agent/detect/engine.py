"""Holds the state of every point and feeds the kernel: sample batches in, changes of condition out.

Batches come from the drivers by way of the pipeline, transitions go back to it and become events. The engine knows no
clock: time is in the rows. After a failure nothing is half done: a call either returns or raised AssertionError before
it judged anything. Not for use by two threads at once.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract.advice import AdviceData
from contract.batch import TICK, SampleBatch
from contract.points import Catalogue, ConditionKind
from contract.quality import SEVERITY_BAD, SEVERITY_GOOD, SEVERITY_MASK
from edge_agent.detect.advice import Advice, Advisor
from edge_agent.detect.advice_layout import ADVICE_STATE
from edge_agent.detect.checkpoint import LAYOUTS, Checkpoint
from edge_agent.detect.compile import plan
from edge_agent.detect.kernels import advice, conditions, jit
from edge_agent.detect.layout import PARAMS, TRANSITION, new_state

TRANSITIONS_PER_CALL_MAX: Final = 256
"""Rows of the kernel's output; more are fetched in further calls."""

_TICK_ROWS: Final = np.array([TICK], np.int32)
_KINDS: Final = {
    conditions.KIND_HIGH: ConditionKind.HIGH,
    conditions.KIND_LOW: ConditionKind.LOW,
    conditions.KIND_FAULT: ConditionKind.FAULT,
    conditions.KIND_OVER_RANGE: ConditionKind.OVER_RANGE,
    conditions.KIND_FROZEN: ConditionKind.FROZEN,
}
_LEVEL_FIELDS: Final = {
    ConditionKind.HIGH: "high_level",
    ConditionKind.LOW: "low_level",
    ConditionKind.FAULT: "fault_level",
    ConditionKind.OVER_RANGE: "over_range_level",
    ConditionKind.FROZEN: "frozen_level",
}
_TIMER_FIELDS: Final = (
    "high_timer_1_ns", "high_timer_2_ns", "low_timer_1_ns", "low_timer_2_ns", "fault_timer_ns", "frozen_timer_ns",
    "below_timer_ns",     "pending",
)  # fmt: skip
_TIMERS_RESUMED: Final = (
    "high_timer_1_ns", "high_timer_2_ns", "low_timer_1_ns", "low_timer_2_ns", "frozen_timer_ns"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Transition:
    """The reported level of a condition changed.

    ``mono_ns`` and ``time_ns`` are of the row that decided (the TICK, where a delay ran out without a sample). ``value``
    and ``raw`` are what was judged, NaN and 0 where ``quality`` (the effective one) is BAD. ``setpoint`` is the limit
    that was crossed, before the deadband is taken off; NaN for FAULT and FROZEN. ``elapsed_ns`` is the
    time gathered against the delay. ``inhibited``: the point was, when it changed. ``advice``: the numbers of a statistical one.
    """

    point: int
    kind: ConditionKind
    old_level: int
    new_level: int
    mono_ns: int
    time_ns: int
    value: float
    raw: int
    quality: int
    setpoint: float
    elapsed_ns: int
    inhibited: bool = False
    advice: AdviceData | None = None


class NotReset(StrEnum):
    """Why an over-range condition was not reset."""

    NOTHING_STANDS = "nothing_stands"
    STILL_OVER_RANGE = "still_over_range"
    QUALITY_NOT_GOOD = "quality_not_good"


class Engine:
    """Judges the points of one catalogue version."""

    def __init__(self, catalogue: Catalogue, start_mono_ns: int) -> None:
        """All points never read and normal; what was never read is overdue ``stale_s`` after ``start_mono_ns``."""
        compiled = plan(catalogue)
        self._points = compiled.points
        self._order = np.argsort(self._points)
        self._sorted = self._points[self._order]
        self._params = compiled.params
        self._state = new_state(len(self._points), start_mono_ns)
        self._since_mono_ns = self._state["last_mono_ns"].copy()
        self._out = np.zeros(TRANSITIONS_PER_CALL_MAX, TRANSITION)
        self._tick = SampleBatch.tick(0, 0)
        self.advisor = Advisor(catalogue)

    def restore(self, active: Iterable[tuple[int, ConditionKind, int]]) -> list[tuple[int, ConditionKind, int]]:
        """Set the levels of (point id, kind, level) as they were before a restart; their timers begin at zero.

        Returns those whose point this catalogue lacks: nobody judges them any more, so the caller must close them.
        A restored level of a limit that the point no longer has clears by its first GOOD sample.
        """
        active = list(active)
        unknown = self.advisor.restore(each for each in active if each[1].is_statistical)
        rows = {int(point): row for row, point in enumerate(self._points)}
        for point, kind, level in active:
            if kind.is_statistical:
                continue
            assert 0 <= level <= kind.level_max, f"{kind} has no level {level}"
            if point in rows:
                self._state[_LEVEL_FIELDS[kind]][rows[point]] = level
            else:
                unknown.append((point, kind, level))
        return unknown

    def take_over(self, former: Engine, anew: Collection[int] = ()) -> None:
        """Go on where ``former``, an engine of the catalogue version before, stands: once, before the first row.

        A point with the same id keeps its value, quality and levels; where its parameters are the same too, so do the
        timers that run. Of points in ``anew`` only the levels stay: what was read of them is of another device.
        """
        both, mine, theirs = np.intersect1d(self._points, former._points, return_indices=True)
        fresh = np.isin(both, np.array(list(anew), np.int32))
        since, state = self._state[mine[fresh]].copy(), former._state[theirs]
        for each in (*_LEVEL_FIELDS.values(), "inhibited"):
            since[each] = state[each][fresh]
        mask = [name for name in PARAMS.names or () if name != "device_row"]
        same = np.array(
            [self._params[a][mask].tobytes() == former._params[b][mask].tobytes() for a, b in zip(mine, theirs, strict=True)],
            np.bool_,
        )  # fmt: skip
        self._state[mine] = state
        changed = mine[~same]
        for timer in _TIMER_FIELDS:
            self._state[timer][changed] = 0
        self._since_mono_ns[mine] = former._since_mono_ns[theirs]
        self._state[mine[fresh]] = since
        self._since_mono_ns[mine[fresh]] = since["last_mono_ns"]
        self.advisor.take_over(former.advisor, anew)

    def resume(self, checkpoint: Checkpoint) -> None:
        """After a restart and after ``restore``: go on with delays where an engine of the same catalogue stood.

        What was gathered towards a limit's level or FROZEN goes on with the next sample, as after a time without answers: the
        time between counts for nothing. Not so where ``restore`` gave a level that the checkpoint does not know; it is the
        older. Nothing counts as read, and delays of faults and below the range begin anew. What statistics have learnt goes
        on likewise. Raises ValueError as ``load``.
        """
        self._check_fits(checkpoint)
        before = checkpoint.arrays["conditions"]
        goes_on = np.ones(len(self._points), np.bool_)
        for level in _LEVEL_FIELDS.values():
            goes_on &= (self._state[level] == before[level]) | (level == "fault_level")
        for name in ("value", "raw", *_TIMERS_RESUMED):
            self._state[name][goes_on] = before[name][goes_on]
        running = before["pending"] & (conditions.PENDING_LEVELS + conditions.PENDING_FROZEN)
        self._state["pending"][goes_on] = running[goes_on]
        self.advisor.resume_later(
            checkpoint.points, checkpoint.arrays["advice"], int(self._since_mono_ns.max(initial=0))
        )

    def checkpoint(self) -> Checkpoint:
        """A copy of all state as it is now."""
        advised, known = self.advisor.saved()
        advice_state = np.zeros(len(self._points), ADVICE_STATE)
        advice_state[self.rows(advised)] = known
        return Checkpoint(self.points, {
            "conditions": self._state.copy(), "since_mono_ns": self._since_mono_ns.copy(), "advice": advice_state,
        })  # fmt: skip

    def load(self, checkpoint: Checkpoint) -> None:
        """Stand exactly where the engine stood that the checkpoint is of, one of the same catalogue: to judge the same
        rows again. Raises ValueError where the points are others or an array is missing."""
        self._check_fits(checkpoint)
        self._state = checkpoint.arrays["conditions"].copy()
        self._since_mono_ns = checkpoint.arrays["since_mono_ns"].copy()
        self.advisor.resume(checkpoint.points, checkpoint.arrays["advice"])

    def _check_fits(self, checkpoint: Checkpoint) -> None:
        if not np.array_equal(self._points, checkpoint.points) or checkpoint.arrays.keys() != LAYOUTS.keys():
            raise ValueError("the state is of other points, or of another version of the detectors")

    def conditions(self) -> list[tuple[int, ConditionKind, int]]:
        """(point id, kind, level) of every condition that is not normal, in the form that ``restore`` takes."""
        return [
            (int(self._points[row]), kind, int(self._state[field][row]))
            for kind, field in _LEVEL_FIELDS.items()
            for row in np.flatnonzero(self._state[field])
        ] + self.advisor.conditions()

    def judge(self, batch: SampleBatch) -> list[Transition]:
        """Judge samples and TICK rows in their order. AssertionError, nothing judged, for a point not in the catalogue."""
        columns = (
            self._kernel_rows(batch.point), _plain(batch.time_ns), _plain(batch.mono_ns), _plain(batch.value),
            _plain(batch.quality), _plain(batch.raw),
        )  # fmt: skip
        consumed, written = conditions.judge(*columns, self._params, self._state, self._out)
        transitions = self._read_out(written) if written else []
        while consumed < len(batch):
            columns = tuple(column[consumed:] for column in columns)  # type: ignore[assignment]
            batch = batch.select(slice(consumed, None))
            consumed, written = conditions.judge(*columns, self._params, self._state, self._out)
            transitions += self._read_out(written)
        return transitions

    def tick(self, time_ns: int, mono_ns: int) -> list[Transition]:
        """Time has passed: let delays and staleness run out. The same as judging ``SampleBatch.tick``."""
        row = self._tick
        row.time_ns[0], row.mono_ns[0] = time_ns, mono_ns
        columns = (_TICK_ROWS, row.time_ns, row.mono_ns, row.value, row.quality, row.raw)
        consumed, written = conditions.judge(*columns, self._params, self._state, self._out)
        transitions = self._read_out(written) if written else []
        while not consumed:
            consumed, written = conditions.judge(*columns, self._params, self._state, self._out)
            transitions += self._read_out(written)
        return transitions

    def advise(self, batch: SampleBatch) -> list[Transition]:
        """What statistics say of samples that ``judge`` has judged. On its own: a limit never waits for it."""
        return [self._advised(each) for each in self.advisor.advise(batch)]

    def reset(self, point: int, time_ns: int, mono_ns: int) -> Transition | NotReset:
        """A person has looked at a head that was over its range: end the condition, if it reads well and within again."""
        s = self._state[self._row(point)]
        if not s["over_range_level"]:
            return NotReset.NOTHING_STANDS
        over_range = self._params["over_range"][self._row(point)]
        severity = s["quality"] & SEVERITY_MASK
        if severity < SEVERITY_BAD and s["value"] >= over_range:
            return NotReset.STILL_OVER_RANGE
        if severity != SEVERITY_GOOD:
            return NotReset.QUALITY_NOT_GOOD
        self._state["over_range_level"][self._row(point)] = 0
        return Transition(
            point, ConditionKind.OVER_RANGE, 1, 0, mono_ns, time_ns, float(s["value"]), int(s["raw"]), int(s["quality"]),
            float(over_range), 0, bool(s["inhibited"]),
        )  # fmt: skip

    def set_inhibit(self, point: int, inhibited: bool) -> None:  # noqa: FBT001 - the state itself
        """Transitions of the point are flagged from now on, or no longer; it is judged and reported as ever."""
        self._state["inhibited"][self._row(point)] = inhibited

    def _row(self, point: int) -> int:
        return int(self.rows(np.array([point], np.int32))[0])

    @property
    def points(self) -> NDArray[np.int32]:
        """int32[n]: point id of each row of the views below."""
        return self._points.copy()

    def rows(self, points: NDArray[np.int32]) -> NDArray[np.intp]:
        """intp[k]: row of each point id. AssertionError for one that the catalogue lacks."""
        place = np.searchsorted(self._sorted, points)
        if len(self._sorted) == 0 or place.max(initial=0) >= len(self._sorted):
            assert len(points) == 0, "point not in this catalogue"
            return place
        assert np.array_equal(self._sorted[place], points), "point not in this catalogue"
        return self._order[place]

    def quality(self) -> NDArray[np.uint8]:
        """uint8[n]: effective quality now, by row."""
        quality: NDArray[np.uint8] = self._state["quality"].copy()
        return quality

    def value(self) -> NDArray[np.float64]:
        """float64[n]: value now, by row; NaN where the quality is BAD, so that an old value is never shown as a new one."""
        bad = self._state["quality"] & SEVERITY_MASK >= SEVERITY_BAD
        return np.where(bad, np.nan, self._state["value"])

    def scanned_mono_ns(self) -> NDArray[np.int64]:
        """int64[n]: last confirmed scan, by row; the engine's start before the first."""
        scanned: NDArray[np.int64] = self._state["last_mono_ns"].copy()
        return scanned

    def is_scanned(self) -> NDArray[np.bool_]:
        """bool[n]: whether there was a confirmed scan, by row."""
        scanned: NDArray[np.bool_] = self._state["last_mono_ns"] != self._since_mono_ns
        return scanned

    def _kernel_rows(self, points: NDArray[np.int32]) -> NDArray[np.int32]:
        ticks = points == TICK
        if not ticks.any():
            return self.rows(points).astype(np.int32)
        rows = np.full(len(points), TICK, np.int32)
        rows[~ticks] = self.rows(points[~ticks])
        return rows

    def _read_out(self, written: int) -> list[Transition]:
        return [self._transition(record) for record in self._out[:written]]

    def _advised(self, found: Advice) -> Transition:
        inhibited = bool(self._state["inhibited"][self._row(found.point)])
        numbers = AdviceData(found.seen, found.expected, found.score)
        return Transition(
            found.point, found.kind, 1 - found.new_level, found.new_level, found.mono_ns, found.time_ns, found.value, 0,
            found.quality, math.nan, found.time_ns - found.on_time_ns, inhibited, numbers,
        )  # fmt: skip

    def _transition(self, record: Any) -> Transition:
        return Transition(
            point=int(self._points[record["row"]]),
            kind=_KINDS[int(record["kind"])],
            old_level=int(record["old_level"]),
            new_level=int(record["new_level"]),
            mono_ns=int(record["mono_ns"]),
            time_ns=int(record["time_ns"]),
            value=float(record["value"]),
            raw=int(record["raw"]),
            quality=int(record["quality"]),
            setpoint=float(record["setpoint"]),
            elapsed_ns=int(record["elapsed_ns"]),
            inhibited=bool(record["inhibited"]),
        )


def warm() -> None:
    """Compile the kernel, or load it from its cache, on throwaway arrays; call it before the first poll."""
    engine = Engine(Catalogue(0, ()), 0)
    engine.tick(0, 0)
    engine.advisor.warm()
    jit.seal(conditions.judge)
    jit.seal(advice.advise)


def _plain(column: NDArray[Any]) -> NDArray[Any]:
    """The column as the kernel was compiled for: contiguous, aligned, writeable."""
    return column if column.flags.carray else column.copy()
