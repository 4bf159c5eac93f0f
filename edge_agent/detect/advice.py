"""Holds what the statistical detectors know of every point: sample batches in, advice out.

Owned by ``engine``, which hands it every batch after it has judged it; advice goes the way of transitions. Apart from that
the two share nothing, so that no statistics delay, mask or outrank what a limit says. Knows no clock: time is in the rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.batch import SampleBatch
from contract.points import Catalogue, ConditionKind, PointRole, PointSpec, PointType
from edge_agent.detect.advice_layout import ADVICE, ADVICE_PARAMS, ADVICE_STATE, AdviceRecords
from edge_agent.detect.kernels import advice

ALARMS_PER_DAY: Final = 0.02
"""False-alarm budget of a point: twenty a day where a thousand points are watched."""
ADVICE_PER_CALL_MAX: Final = 64
"""Rows of the kernel's output; more are fetched in further calls."""

_KINDS: Final = {
    advice.ADVICE_SPIKE: ConditionKind.SPIKE,
    advice.ADVICE_SHIFT: ConditionKind.SHIFT,
    advice.ADVICE_DRIFT: ConditionKind.DRIFT,
    advice.ADVICE_NOISE: ConditionKind.NOISE,
    advice.ADVICE_STUCK: ConditionKind.STUCK,
}
_CODES: Final = {kind: code for code, kind in _KINDS.items()}
_NO_SCORES: Final = np.zeros(0)
_TWO_STATE: Final = frozenset({PointType.BIT, PointType.STRING})


@dataclass(frozen=True, slots=True)
class Advice:
    """A statistical condition of a point began (``new_level`` 1) or ended (0).

    ``seen`` was held against ``expected``, the bound that it was to stay within: a value (SPIKE), a mean (SHIFT, DRIFT), a
    scatter (NOISE), all in the point's unit, or a number of repeats (STUCK). ``score`` is the excess over what is usual
    as a multiple of what the budget of false alarms allows: 1 raises. ``value`` is the sample that decided.
    """

    point: int
    kind: ConditionKind
    new_level: int
    mono_ns: int
    time_ns: int
    on_time_ns: int
    value: float
    quality: int
    seen: float
    expected: float
    score: float


class Advisor:
    """Advises on the measuring points of one catalogue version."""

    def __init__(self, catalogue: Catalogue, alarms_per_day: float = ALARMS_PER_DAY) -> None:
        assert alarms_per_day > 0.0
        self._points = np.array(sorted(spec.id for spec in catalogue if is_advised(spec)), np.int32)
        self._params = np.zeros(len(self._points), ADVICE_PARAMS)
        self._params["alarms_per_day"] = alarms_per_day
        self._state = np.zeros(len(self._points), ADVICE_STATE)
        self._out = np.zeros(ADVICE_PER_CALL_MAX, ADVICE)

    def advise(self, batch: SampleBatch, scores: NDArray[np.float64] = _NO_SCORES) -> list[Advice]:
        """Judge samples in their order. ``scores`` float64[n], if given, receives the score of each row."""
        rows = self._rows(batch.point)
        columns = (
            rows, np.ascontiguousarray(batch.time_ns), np.ascontiguousarray(batch.mono_ns),
            np.ascontiguousarray(batch.value), np.ascontiguousarray(batch.quality),
        )  # fmt: skip
        done, found = 0, list[Advice]()
        while done < len(rows):
            consumed, written = advice.advise(*columns, self._params, self._state, self._out, scores)
            found += [self._advice(row) for row in self._out[:written]]
            done += consumed
            columns = tuple(column[consumed:] for column in columns)  # type: ignore[assignment]
            scores = scores[consumed:]
        return found

    def warm(self) -> None:
        """Compile the kernel, or load it from its cache."""
        nothing = SampleBatch.empty()
        columns = (nothing.point, nothing.time_ns, nothing.mono_ns, nothing.value, nothing.quality)
        advice.advise(*columns, self._params, self._state, self._out, _NO_SCORES)

    def conditions(self) -> list[tuple[int, ConditionKind, int]]:
        """(point id, kind, 1) of every condition that stands."""
        rows = np.flatnonzero(self._state["kind"])
        return [(int(self._points[row]), _KINDS[int(self._state["kind"][row])], 1) for row in rows]

    def restore(self, active: Iterable[tuple[int, ConditionKind, int]]) -> list[tuple[int, ConditionKind, int]]:
        """Conditions stand as before a restart and end by themselves. Returns those that nobody here watches."""
        unknown = []
        for point, kind, level in active:
            row = int(self._rows(np.array([point], np.int32))[0])
            if row < 0 or kind not in _CODES or self._state["kind"][row] not in {advice.NOTHING, _CODES[kind]}:
                unknown.append((point, kind, level))
            else:
                self._state["kind"][row] = _CODES[kind]
        return unknown

    def saved(self) -> tuple[NDArray[np.int32], AdviceRecords]:
        """Point ids and their state, plain bytes, to be kept with ``advice_layout.LAYOUT``."""
        return self._points.copy(), self._state.copy()

    def resume(self, points: NDArray[np.int32], state: AdviceRecords) -> None:
        """Go on exactly from what was saved, of points that are still watched; ``state`` has a row per point."""
        assert state.dtype == ADVICE_STATE
        _, mine, theirs = np.intersect1d(self._points, points, return_indices=True)
        self._state[mine] = state[theirs]

    def resume_later(self, points: NDArray[np.int32], state: AdviceRecords, mono_ns: int) -> None:
        """After a restart and after ``restore``: what was learnt goes on with the samples behind ``mono_ns``, and the time
        between counts for nothing. Conditions stand as they were restored, since those are the newer."""
        stands = self._state["kind"].copy()
        self.resume(points, state)
        self._state["kind"] = stands
        for name in ("last_mono_ns", "on_mono_ns"):
            self._state[name] = mono_ns

    def take_over(self, former: Advisor, anew: Iterable[int] = ()) -> None:
        """Go on where the advisor of the catalogue version before stands; of points in ``anew`` only conditions stay."""
        self.resume(*former.saved())
        fresh = np.isin(self._points, np.array(list(anew), np.int32))
        stands = self._state["kind"][fresh]
        self._state[fresh] = np.zeros(1, ADVICE_STATE)
        self._state["kind"][fresh] = stands

    def _rows(self, points: NDArray[np.int32]) -> NDArray[np.int32]:
        """int32[k]: row of each point, -1 for one that is not advised."""
        if not len(self._points):
            return np.full(len(points), -1, np.int32)
        place = np.minimum(np.searchsorted(self._points, points), len(self._points) - 1)
        return np.where(self._points[place] == points, place, -1).astype(np.int32)

    def _advice(self, row: AdviceRecords) -> Advice:
        return Advice(
            int(self._points[row["row"]]), _KINDS[int(row["kind"])], int(row["new_level"]), int(row["mono_ns"]),
            int(row["time_ns"]), int(row["on_time_ns"]), float(row["value"]), int(row["quality"]), float(row["seen"]),
            float(row["expected"]), float(row["score"]),
        )  # fmt: skip


def is_advised(spec: PointSpec) -> bool:
    """Measuring points have a past to learn from; two states or a text have none."""
    return spec.role is PointRole.MEASUREMENT and spec.type not in _TWO_STATE
