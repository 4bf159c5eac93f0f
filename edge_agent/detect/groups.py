"""The model of one group of points: owns its arrays, sets the threshold's reach from a budget of false alarms, calls the kernel.

Scans come from whoever collects the values of all members, one row per scan. Knows no clock and no file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.detect.group_layout import GROUP_PARAMS, GROUP_STATE, MEMBER, SCALE, SCALES, SMOOTH
from edge_agent.detect.kernels import groups as kernel
from edge_agent.detect.layout import Records

MEMBERS_MAX: Final = 64
FALSE_ALARMS_PER_DAY: Final = 0.1
"""Budget of one smoothing of one group."""
REACH_MIN: Final = 3.0
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Judged:
    """One row per scan."""

    score: NDArray[np.float64]
    """>= 1 wants the condition."""
    standing: NDArray[np.bool_]
    leading: NDArray[np.int32]
    """Member with the largest share in the scan that raised the condition, -1 in all others."""


class GroupModel:
    """2 to MEMBERS_MAX members, scanned every ``scan_s`` seconds."""

    def __init__(self, members: int, scan_s: float, false_alarms_per_day: float = FALSE_ALARMS_PER_DAY) -> None:
        assert 2 <= members <= MEMBERS_MAX, members
        self._params: Records = np.zeros(1, GROUP_PARAMS)
        per_block = false_alarms_per_day * kernel.BLOCK_SCANS * scan_s / _DAY_S
        self._params["reach"] = max(REACH_MIN, -math.log(per_block))
        self._members: Records = np.zeros(members, MEMBER)
        self._members["step"] = np.inf
        self._kept: tuple[Records, Records, Records, Records, NDArray[np.float64], NDArray[np.float64]] = (
            np.zeros(1, GROUP_STATE),
            self._members,
            np.zeros(SCALES * members, SMOOTH),
            np.zeros(SCALES, SCALE),
            np.zeros(members * members),
            np.zeros(members * members),
        )
        self._work = np.zeros(2 * members)

    def judge(self, scans: NDArray[np.float64], *, learning: bool = False) -> Judged:
        """``scans`` float64[n, members], NaN where a value is missing. ``learning``: known to be without trouble."""
        count = len(scans)
        self._params["learning"] = learning
        judged = Judged(np.zeros(count), np.zeros(count, np.bool_), np.zeros(count, np.int32))
        flat = np.ascontiguousarray(scans, dtype=np.float64).reshape(-1)
        state, members, smooths, scales, covariance, factor = self._kept
        kernel.judge(
            flat, self._params, state, members, smooths, scales, covariance, factor, self._work,
            judged.score, judged.standing.view(np.uint8), judged.leading,
        )  # fmt: skip
        return judged

    def shares(self) -> NDArray[np.float64]:
        """Part of each member in T2 when the condition was last raised; together 1, one may be negative."""
        return np.array(self._members["share"])

    def expected(self) -> NDArray[np.float64]:
        """Level of each member."""
        return np.array(self._members["level"])

    def save(self) -> bytes:
        return b"".join(array.tobytes() for array in self._kept)

    def restore(self, saved: bytes) -> None:
        """Go on where the model that gave ``saved`` stood; it must have had as many members."""
        assert len(saved) == sum(array.nbytes for array in self._kept), len(saved)
        at = 0
        for array in self._kept:
            array[:] = np.frombuffer(saved, array.dtype, len(array), at)
            at += array.nbytes
