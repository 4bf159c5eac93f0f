"""The group kernel: points that belong together, judged by Hotelling's T2 of their smoothed deviations.

A scan is one value of each member, NaN where there is none. What a scan does:

1. *Deviation.* d = value - level, smoothed twice: z += lambda (d - z) (EWMA: Roberts 1959; of vectors: Lowry, Woodall, Champ,
   Rigdon 1992), once fast, once slow. A missing member is taken as expected, its z decays.
2. *Distance.* u = z / its own spread at this smoothing, so that members that wander by nature count little; the spread is at
   least the member's resolution. T2 = u' R^-1 u (Hotelling 1947) with R the correlation of the deviations, shrunk towards
   no correlation by m / scans (in the manner of Ledoit and Wolf 2004), through its Cholesky factor. The distance is sqrt(T2 / m).
3. *Score.* Distance over its threshold, the larger of both smoothings; >= 1 wants the condition. The threshold is the level
   that a block of scans passes with the probability of the budget, from the Gumbel distribution of the largest distances of
   the group's own past blocks, by moments (Gumbel 1958). Maxima of blocks carry the dependence from scan to scan. The scale of the
   distribution is taken larger while there are few blocks.
4. *Condition.* Raised at a score >= 1. Cleared when the score was under 0.7, or under 15 % of its peak, for 20 scans; what then
   remains of the deviation is the new level. After 700 scans it is accepted as the new normal: cleared and learnt anew.
5. *Learning*, while nothing stands: level (running mean, then EWMA), covariance (incremental: Welford 1962, with forgetting),
   spreads and thresholds. Deviations are cut at 5 spreads (Huber 1964) before anything learns from them, and a scan with a score
   >= 0.5 counts a tenth, so that what begins slowly is not learnt away.

The share of a member in T2 is u_i (R^-1 u)_i / T2; all shares together are 1 (complete decomposition: Alvarez, Brandolin, Sanchez 2007).

Only + - * / sqrt and comparisons on float64, loops written out, no allocation. Time is counted in scans, never by a clock. An array
handed on costs a reference count, but once per scan and not per value. Constants live here: numba's cache sees this file only.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.detect.kernels import jit
from edge_agent.detect.layout import Records

FAST: Final = 0.7
"""Weight of a new deviation in the fast smoothing, SLOW in the slow one."""
SLOW: Final = 0.06
LEVEL_SCANS: Final = 1000.0
"""Memory of levels; COVARIANCE_SCANS of covariance and spreads, BLOCKS of thresholds."""
COVARIANCE_SCANS: Final = 1000.0
BLOCKS: Final = 100.0
BLOCK_SCANS: Final = 32.0
BLOCKS_MIN: Final = 6.0
"""Nothing is raised before so many blocks were seen."""
WARM_SCANS: Final = 64.0
"""Scans before the first factor; FACTOR_SCANS between factors."""
FACTOR_SCANS: Final = 16.0
CUT: Final = 5.0
"""Spreads at which a deviation is cut before it is learnt."""
SPIKE: Final = 16.0
"""Times CUT squared: where a deviation is cut before the slow smoothing, 20 spreads."""
SOFT_SCORE: Final = 0.5
SOFT_WEIGHT: Final = 0.1
CLEAR_SCORE: Final = 0.7
CLEAR_PEAK: Final = 0.15
CLEAR_SCANS: Final = 20.0
ACCEPT_SCANS: Final = 700.0
CORRELATION_KEPT: Final = 0.5
"""The shrinkage is at most this much."""
PIVOT_MIN: Final = 1e-12
VALUE_MAX: Final = 1e100
"""What is larger is missing: its square would not be finite."""
GUMBEL_SCALE: Final = 0.7797
"""sqrt(6) / pi: scale of a Gumbel distribution by its standard deviation; EULER: its mean less its mode, in scales."""
EULER: Final = 0.5772
SCALE_MIN: Final = 0.05
"""Least scale of the distribution of maxima, in their mean."""
MAXIMUM_CUT: Final = 3.0
"""Standard deviations, beside a tenth of the mean, at which the maximum of a block is cut before it is learnt."""


@jit.kernel
def judge(
    scans: NDArray[np.float64],
    params: Records,
    state: Records,
    members: Records,
    smooths: Records,
    scales: Records,
    covariance: NDArray[np.float64],
    factor: NDArray[np.float64],
    work: NDArray[np.float64],
    score: NDArray[np.float64],
    standing: NDArray[np.uint8],
    leading: NDArray[np.int32],
) -> tuple[int, int]:
    """Judge scans of one group in order.

    scans      float64[n * m]   read     scan by scan, member's unit, NaN: missing
    params     GROUP_PARAMS[1]  read
    state      GROUP_STATE[1]   written
    members    MEMBER[m]        written
    smooths    SMOOTH[2 * m]    written  member by member: fast, slow
    scales     SCALE[2]         written  fast, slow
    covariance float64[m * m]   written  of cut deviations, lower triangle
    factor     float64[m * m]   written  Cholesky factor of the correlation, lower triangle
    work       float64[2 * m]   written  means nothing between calls
    score      float64[n]       written  >= 1 wants the condition; 0 before there is a threshold, or with no value at all
    standing   uint8[n]         written  1: the condition stands after the scan
    leading    int32[n]         written  member with the largest share if the scan raised the condition, else -1

    All arrays are C-contiguous. Returns (scans judged, conditions raised).
    """
    s = state[0]
    p = params[0]
    count = len(members)
    raised = 0
    for i in range(len(score)):
        leading[i] = -1
        score[i] = 0.0
        standing[i] = s["standing"]
        if _deviate(scans, i * count, s["scans"], members, smooths, covariance) == 0:
            continue
        s["scans"] += 1.0
        larger = 0
        if s["factored"]:
            for k in range(2):
                distance = _distance(k, members, smooths, factor, work)
                scales[k]["distance"] = distance
                ratio = distance / _threshold(scales[k], s["blocks"], p["reach"]) if s["blocks"] >= BLOCKS_MIN else 0.0
                if ratio > score[i]:
                    score[i] = ratio
                    larger = k
        if s["standing"]:
            _stand(score[i], s, members, smooths, scales)
        elif score[i] >= 1.0 and not p["learning"]:
            s["standing"] = 1
            s["stood"] = 0.0
            s["under"] = 0.0
            s["peak"] = score[i]
            _distance(larger, members, smooths, factor, work)
            leading[i] = _share(members, factor, work)
            raised += 1
        standing[i] = s["standing"]
        if not s["standing"]:
            weight = 1.0 if score[i] < SOFT_SCORE or p["learning"] else SOFT_WEIGHT
            _learn(weight, s, members, smooths, covariance)
            if s["factored"]:
                _learn_threshold(s, scales)
            if s["scans"] >= WARM_SCANS and _is_whole(s["scans"] / FACTOR_SCANS):
                _factorise(min(count / min(s["scans"], COVARIANCE_SCANS), CORRELATION_KEPT), count, covariance, factor)
                s["factored"] = 1
    return len(score), raised


@jit.part
def _is_whole(value: float) -> bool:
    """Not by a remainder: that is a call of fmod, and a kernel compiled ahead of time has no library to call."""
    return float(int(value)) == value


@jit.part
def _deviate(
    scans: NDArray[np.float64],
    start: int,
    seen: float,
    members: Records,
    smooths: Records,
    covariance: NDArray[np.float64],
) -> int:
    """Step 1 for one scan; how many members have a value."""
    present = 0
    for j in range(len(members)):
        x = scans[start + j]
        m = members[j]
        if not -VALUE_MAX <= x <= VALUE_MAX:
            m["missing"] = 1
            m["deviation"] = 0.0
        else:
            present += 1
            m["missing"] = 0
            if m["learnt"] == 0.0:
                m["level"] = x
            else:
                step = abs(x - m["seen"])
                if 0.0 < step < m["step"]:
                    m["step"] = step
            m["seen"] = x
            m["deviation"] = x - m["level"]
        smooths[2 * j]["value"] += FAST * (m["deviation"] - smooths[2 * j]["value"])
        # Cut, or one wild value would be remembered for hundreds of scans.
        kept = _cut(m["deviation"], SPIKE * covariance[j * len(members) + j], seen)
        smooths[2 * j + 1]["value"] += SLOW * (kept - smooths[2 * j + 1]["value"])
    return present


@jit.part
def _distance(
    k: int, members: Records, smooths: Records, factor: NDArray[np.float64], work: NDArray[np.float64]
) -> float:
    """sqrt(T2 / m) at smoothing ``k``; leaves u and L^-1 u in ``work``, one after the other."""
    count = len(members)
    t2 = 0.0
    for a in range(count):
        z = smooths[2 * a + k]
        spread = math.sqrt(z["variance"])
        if members[a]["step"] <= VALUE_MAX:
            spread = max(spread, members[a]["step"])
        u = z["value"] / spread if spread > 0.0 and not members[a]["missing"] else 0.0
        work[a] = u
        for b in range(a):
            u -= factor[a * count + b] * work[count + b]
        u /= factor[a * count + a]
        work[count + a] = u
        t2 += u * u
    return math.sqrt(t2 / count)


@jit.part
def _share(members: Records, factor: NDArray[np.float64], work: NDArray[np.float64]) -> int:
    """Shares in T2 from what ``_distance`` left in ``work``, by back substitution; the member with the largest."""
    count = len(members)
    t2 = 0.0
    for a in range(count):
        t2 += work[count + a] * work[count + a]
    first = 0
    for a in range(count - 1, -1, -1):
        y = work[count + a]
        for b in range(a + 1, count):
            y -= factor[b * count + a] * work[count + b]
        y /= factor[a * count + a]
        work[count + a] = y
        members[a]["share"] = work[a] * y / t2
    for a in range(count):
        if members[a]["share"] > members[first]["share"]:
            first = a
    return first


@jit.part
def _threshold(scale: Any, blocks: float, reach: float) -> float:
    """Distance that a block passes with probability exp(-reach)."""
    beta = GUMBEL_SCALE * math.sqrt(scale["variance"]) * (1.0 + 1.0 / math.sqrt(min(blocks, BLOCKS)))
    beta = max(beta, SCALE_MIN * scale["mean"])
    return float(scale["mean"] + beta * (reach - EULER))


@jit.part
def _stand(score: float, s: Any, members: Records, smooths: Records, scales: Records) -> None:
    """Step 4 for one scan of a condition that stands."""
    s["stood"] += 1.0
    s["peak"] = max(s["peak"], score)
    s["under"] = s["under"] + 1.0 if score < max(CLEAR_SCORE, CLEAR_PEAK * s["peak"]) else 0.0
    if s["under"] >= CLEAR_SCANS:
        s["standing"] = 0
        if score >= CLEAR_SCORE:
            _settle(0, members, smooths)
    elif s["stood"] >= ACCEPT_SCANS:
        s["standing"] = 0
        s["scans"] = WARM_SCANS
        s["blocks"] = min(s["blocks"], BLOCKS_MIN - 2.0)
        s["block_scans"] = 0.0
        for k in range(2):
            scales[k]["block_max"] = 0.0
        _settle(1, members, smooths)


@jit.part
def _settle(k: int, members: Records, smooths: Records) -> None:
    """The deviation at smoothing ``k`` becomes part of the level."""
    for j in range(len(members)):
        if members[j]["learnt"] > 0.0:
            members[j]["learnt"] = 1.0
        members[j]["level"] += smooths[2 * j + k]["value"]
        smooths[2 * j]["value"] = 0.0
        smooths[2 * j + 1]["value"] = 0.0


@jit.part
def _cut(value: float, variance: float, scans: float) -> float:
    limit = CUT * math.sqrt(variance)
    if scans <= WARM_SCANS or limit == 0.0:
        return value
    return max(-limit, min(limit, value))


@jit.part
def _learn(weight: float, s: Any, members: Records, smooths: Records, covariance: NDArray[np.float64]) -> None:
    """Levels, spreads and covariance from the deviations of one scan; a missing member learns nothing."""
    count = len(members)
    rate = weight / min(s["scans"], COVARIANCE_SCANS)
    for a in range(count):
        m = members[a]
        if m["missing"]:
            continue
        m["learnt"] += weight
        m["deviation"] = _cut(m["deviation"], covariance[a * count + a], s["scans"])
        m["level"] += weight / min(max(m["learnt"], 1.0), LEVEL_SCANS) * m["deviation"]
        for k in range(2):
            z = smooths[2 * a + k]
            cut = _cut(z["value"], z["variance"], s["scans"])
            z["variance"] += rate * (cut * cut - z["variance"])
        for b in range(a + 1):
            if not members[b]["missing"]:
                place = a * count + b
                covariance[place] += rate * (m["deviation"] * members[b]["deviation"] - covariance[place])


@jit.part
def _learn_threshold(s: Any, scales: Records) -> None:
    """Mean and variance of the largest distances of blocks; the first blocks, of a model that knew little, fade soonest."""
    s["block_scans"] += 1.0
    full = s["block_scans"] >= BLOCK_SCANS
    if full:
        s["block_scans"] = 0.0
        s["blocks"] += 1.0
    for k in range(2):
        c = scales[k]
        c["block_max"] = max(c["block_max"], c["distance"])
        if full:
            largest = c["block_max"]
            if s["blocks"] > 4.0:
                largest = min(largest, c["mean"] * 1.1 + MAXIMUM_CUT * math.sqrt(c["variance"]))
            rate = min(1.0, 2.0 / (min(s["blocks"], BLOCKS) + 1.0))
            off = largest - c["mean"]
            c["mean"] += rate * off
            c["variance"] = (1.0 - rate) * (c["variance"] + rate * off * off)
            c["block_max"] = 0.0


@jit.part
def _factorise(shrink: float, count: int, covariance: NDArray[np.float64], factor: NDArray[np.float64]) -> None:
    """Cholesky factor of the shrunk correlation (row by row: Golub and Van Loan 1983)."""
    for a in range(count):
        for b in range(a + 1):
            r = 1.0
            if b < a:
                norm = math.sqrt(covariance[a * count + a]) * math.sqrt(covariance[b * count + b])
                r = (1.0 - shrink) * covariance[a * count + b] / norm if norm > 0.0 else 0.0
            for c in range(b):
                r -= factor[a * count + c] * factor[b * count + c]
            if b < a:
                factor[a * count + b] = r / factor[b * count + b]
            else:
                factor[a * count + a] = math.sqrt(max(r, PIVOT_MIN))
