"""The statistical detectors of single points: spikes, shifts, drifts, noise and values that say nothing new.

A sample is compared with means over ever longer times. Scale 0 is the value less a mean over some 8 samples, scale 1 that
mean less one over 64, scale 2 less one over 512, scale 3 less one over 4,096: a spike shows in scale 0, a shift in 1 and
2, a drift in 3. Noise is the mean square of scale 0 over 16 samples against its usual one, STUCK a run of repeats.

*What a bound is.* The point's own past says it, and a budget of false alarms per day. Where two in a hundred absolute values
lie beyond u, and those lie beyond it by e in the mean, an exponential tail is beyond u + e ln(0.02 / p) with probability p;
p is the budget over the samples of a day (extreme-value theory, peaks over threshold). u and e follow the point. Of the slow
scales, where a past holds few independent values, they are those of a normal distribution with the mean absolute value seen;
while there are few, the scale before bounds them as it would bound a random walk. No bound is finer than some steps of the resolution, since rounding and cutting off at
zero hide how much a value scatters. Slow scales look upwards only: gas,
pressure and temperature that rise are the hazard, what falls in a rain or at rest is the plant's way.

*STUCK* weighs what repeats tell. If a share r of the samples repeats the one before, a run of n has probability r^n: it has to
be below p, above thrice the longest run before, and 30 samples long.

*Memory.* No influence is greater than the bound: a mean never moves faster than by a bound per its number of samples, so that an
outlier leaves little trace and another level is taken as normal by itself, the later the farther it is. While a condition
stands, bounds learn at a twentieth of the rate. A gap of 64 samples begins the means anew.

*Conditions.* One per point at a time, named by the detector that scored highest when it began; it ends when for 100 samples
its own score was below a half and no other reached 1.

Only + - * / sqrt and comparisons; no allocation. Constants stand here: numba's cache sees this file only.
"""

# ruff: noqa: FBT001 - functions that numba compiles have no keyword-only arguments
from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract.quality import SEVERITY_BAD, SEVERITY_MASK
from edge_agent.detect.advice_layout import AdviceRecords
from edge_agent.detect.kernels import jit

NOTHING: Final = 0
ADVICE_SPIKE: Final = 1
ADVICE_SHIFT: Final = 2
ADVICE_DRIFT: Final = 3
ADVICE_NOISE: Final = 4
ADVICE_STUCK: Final = 5
DETECTORS: Final = 5
"""They share the budget."""

VALUE_MAX: Final = 1e100
"""What is larger, or NaN, is missing: its square would not be finite, and no mean would ever be rid of it."""
WARM_SAMPLES: Final = 60
"""Learnt from before anything is said."""
SAMPLES_0: Final = 8.0
SAMPLES_1: Final = 64.0
SAMPLES_2: Final = 512.0
SAMPLES_3: Final = 4096.0
MEMORY: Final = 4096.0
"""Samples over which bounds are learnt; of the slow scales MEMORY_SLOW times theirs."""
MEMORY_SLOW: Final = 16.0
TAIL_SHARE: Final = 0.02
NORMAL_TAIL: Final = 2.9
"""u of a normal distribution by its mean absolute value (2.326 sd, that being 0.798 sd); e likewise (0.37 sd)."""
NORMAL_EXCESS: Final = 0.46
PRIOR_SAMPLES: Final = 4.0
PRIOR: Final = 0.6
PRIOR_1: Final = 0.5
RANDOM_WALK: Final = 2.8284271247461903
"""sqrt(8): how much farther a random walk goes in eight times the time."""
STEPS_0: Final = 5.0
"""Least bound, as a multiple of the resolution."""
STEPS_1: Final = 2.0
STEPS_SLOW: Final = 1.5
SCATTER_SAMPLES: Final = 16.0
SCATTER_RATIO_MIN: Final = 2.5
LEARN_IN_ALARM: Final = 0.05
REPEATS_MIN: Final = 30
REPEATS_OVER_MAX: Final = 3.0
REPEAT_SAMPLES: Final = 2000.0
END_SCORE: Final = 0.5
END_SAMPLES: Final = 100
GAP_SAMPLES: Final = 64.0
SECONDS_PER_DAY: Final = 86_400.0
NS_PER_S: Final = 1e9
LN_2: Final = 0.6931471805599453

Record = Any
"""One row of a record array, by reference: what is written to it is written to the array."""


@jit.kernel
def advise(
    point_rows: NDArray[np.int32],
    time_ns: NDArray[np.int64],
    mono_ns: NDArray[np.int64],
    value: NDArray[np.float64],
    quality: NDArray[np.uint8],
    params: AdviceRecords,
    state: AdviceRecords,
    out: AdviceRecords,
    scores: NDArray[np.float64],
) -> tuple[int, int]:
    """Judge rows until all are done or ``out`` is full.

    point_rows int32[n]          read     row in params and state; negative ones (TICK) are passed over
    time_ns    int64[n]          read     ns UTC, copied into advice
    mono_ns    int64[n]          read     ns, the axis of all judgement
    value      float64[n]        read     point's unit
    quality    uint8[n]          read     contract.quality.Quality; BAD rows have no value
    params     ADVICE_PARAMS[m]  read
    state      ADVICE_STATE[m]   written
    out        ADVICE[k]         written  k >= 1
    scores     float64[n or 0]   written  of each row, where there is room for all

    All arrays are C-contiguous, rows are in range (not checked). Returns (rows consumed, advice written).
    """
    written = 0
    with_scores = len(scores) >= len(point_rows)
    for i in range(len(point_rows)):
        if written == len(out):
            return i, written
        if with_scores:
            scores[i] = 0.0
        if point_rows[i] < 0 or quality[i] & SEVERITY_MASK >= SEVERITY_BAD or not abs(value[i]) <= VALUE_MAX:
            continue
        place = np.uint32(point_rows[i])
        s = state[place]
        if s["samples"] > 0 and mono_ns[i] <= s["last_mono_ns"]:
            continue
        p = params[place]
        _take_time(mono_ns[i], p, s)
        _score(value[i], s)
        if with_scores:
            scores[i] = s["score"]
        if s["kind"] + s["scorer"] != NOTHING and _turns(s):
            if s["kind"] != NOTHING:
                s["on_time_ns"] = time_ns[i]
                s["on_mono_ns"] = mono_ns[i]
            t = out[np.uint32(written)]
            t["mono_ns"] = mono_ns[i]
            t["time_ns"] = time_ns[i]
            t["on_time_ns"] = s["on_time_ns"]
            t["value"] = value[i]
            t["seen"] = s["seen"]
            t["expected"] = s["expected"]
            t["score"] = s["score"]
            t["row"] = point_rows[i]
            t["kind"] = s["kind"] if s["kind"] != NOTHING else s["scorer"]
            t["new_level"] = s["kind"] != NOTHING
            t["quality"] = quality[i]
            written += 1
    return len(point_rows), written


@jit.part
def _turns(s: Record) -> bool:
    """Begin or end the condition; True if it did. At an end ``scorer`` says what it was."""
    if s["kind"] == NOTHING:
        if s["score"] < 1.0:
            return False
        s["kind"] = s["scorer"]
        s["calm"] = 0
        return True
    s["calm"] += 1
    if s["calm"] <= END_SAMPLES:
        return False
    s["scorer"] = s["kind"]
    s["kind"] = NOTHING
    return True


@jit.part
def _take_time(mono_ns: int, p: Record, s: Record) -> None:
    """The usual interval, and with it how many samples share the budget of a day."""
    if s["samples"] == 0:
        s["last_mono_ns"] = mono_ns
        return
    elapsed_s = (mono_ns - s["last_mono_ns"]) / NS_PER_S
    s["last_mono_ns"] = mono_ns
    usual_s = s["interval_s"]
    if usual_s == 0.0:
        usual_s = elapsed_s
    if elapsed_s > GAP_SAMPLES * usual_s:
        s["calm"] = END_SAMPLES
        s["scatter"] = s["scatter_usual"]
        s["level_0"] = np.nan
    if elapsed_s > 2.0 * usual_s:
        s["repeats"] = 0
        elapsed_s = 2.0 * usual_s
    count = min(s["samples"], 64)
    s["interval_s"] = usual_s + (elapsed_s - usual_s) / count
    if s["tail"] == 0.0 or count < 64 or s["samples"] % 64 == 0:
        share = p["alarms_per_day"] * s["interval_s"] / SECONDS_PER_DAY / DETECTORS
        s["tail"] = max(_ln(TAIL_SHARE / share), 0.0)


@jit.part
def _ln(x: float) -> float:
    """Natural logarithm of a positive finite number, to some 1e-9, the same bits everywhere."""
    halvings = 0
    while x >= 2.0:
        x *= 0.5
        halvings += 1
    while x < 1.0:
        x *= 2.0
        halvings -= 1
    z = (x - 1.0) / (x + 1.0)
    q = z * z
    series = 1.0 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + q * (1 / 9 + q * (1 / 11 + q * (1 / 13 + q / 15))))))
    return halvings * LN_2 + 2.0 * z * series


@jit.part
def _score(value: float, s: Record) -> None:
    """Score a sample by what is known of the point, then learn from it."""
    if s["samples"] == 0 or math.isnan(s["level_0"]):
        if s["samples"] == 0:
            s["last"] = value
            s["repeat_rate"] = 0.5
        s["level_0"] = value
        s["level_1"] = value
        s["level_2"] = value
        s["level_3"] = value
    s["score"] = 0.0
    s["scorer"] = NOTHING
    repeated = s["samples"] > 0 and value == s["last"]
    step = abs(value - s["last"])
    if step > 1e-9 * abs(value) and (step < s["resolution"] or s["resolution"] == 0.0):
        s["resolution"] = step
    s["last"] = value
    s["samples"] += 1
    count = float(s["samples"])
    ready = count > WARM_SAMPLES
    _repeats(repeated, ready, count, s)

    d0 = value - s["level_0"]
    d1 = s["level_0"] - s["level_1"]
    d2 = s["level_1"] - s["level_2"]
    d3 = s["level_2"] - s["level_3"]
    tail = s["tail"]
    raw_0 = s["tail_0"] + s["excess_0"] * tail
    raw_1 = s["tail_1"] + s["excess_1"] * tail
    normal = NORMAL_TAIL + NORMAL_EXCESS * tail
    raw_2 = normal * s["spread_2"]
    raw_3 = normal * s["spread_3"]
    floor = 1e-9 * abs(s["level_3"]) + 1e-12
    bound_0 = max(raw_0, STEPS_0 * s["resolution"]) + floor
    few = PRIOR_SAMPLES / (PRIOR_SAMPLES + count / SAMPLES_1)
    bound_1 = max(raw_1, raw_0 * PRIOR_1 * few, STEPS_1 * s["resolution"]) + floor
    few = PRIOR_SAMPLES / (PRIOR_SAMPLES + count / SAMPLES_2)
    bound_2 = max(raw_2, raw_1 * RANDOM_WALK * PRIOR * few, STEPS_SLOW * s["resolution"]) + floor
    few = PRIOR_SAMPLES / (PRIOR_SAMPLES + count / SAMPLES_3)
    bound_3 = max(raw_3, raw_2 * RANDOM_WALK * PRIOR * few, STEPS_SLOW * s["resolution"]) + floor
    square = d0 * d0
    ratio = 0.0
    ratio_max = max(s["tail_noise"] + s["excess_noise"] * tail, SCATTER_RATIO_MIN)
    if ready:
        step = s["resolution"]
        usual = s["scatter_usual"] + 0.1 * step * step + 1e-300
        ratio = math.sqrt(s["scatter"] / usual)
        _claim(abs(d0) / bound_0, ADVICE_SPIKE, value, s["level_0"] + (bound_0 if d0 > 0.0 else -bound_0), s)
        _claim(abs(d1) / bound_1, ADVICE_SHIFT, s["level_0"], s["level_1"] + (bound_1 if d1 > 0.0 else -bound_1), s)
        _claim(d2 / bound_2, ADVICE_SHIFT, s["level_1"], s["level_2"] + bound_2, s)
        _claim(d3 / bound_3, ADVICE_DRIFT, s["level_2"], s["level_3"] + bound_3, s)
        _claim(ratio / ratio_max, ADVICE_NOISE, math.sqrt(s["scatter"]), ratio_max * math.sqrt(usual), s)
        square = min(square, bound_0 * bound_0)
    alarm = s["kind"] != NOTHING or s["score"] >= 1.0
    rate = LEARN_IN_ALARM if alarm else 1.0

    s["scatter"] += (square - s["scatter"]) / min(count, SCATTER_SAMPLES)
    if ready and s["scatter_usual"] > 0.0:
        square = min(square, 9.0 * s["scatter_usual"])
    s["scatter_usual"] += rate * (square - s["scatter_usual"]) / min(count, MEMORY)
    if not ready:
        s["level_0"] += d0 / min(count, SAMPLES_0)
        s["level_1"] += (s["level_0"] - s["level_1"]) / min(count, SAMPLES_1)
        s["level_2"] += (s["level_1"] - s["level_2"]) / min(count, SAMPLES_2)
        s["level_3"] += (s["level_2"] - s["level_3"]) / min(count, SAMPLES_3)
        s["spread_0"] += (abs(d0) - s["spread_0"]) / count
        s["spread_1"] += (abs(d1) - s["spread_1"]) / count
        s["spread_2"] += (abs(d2) - s["spread_2"]) / count
        s["spread_3"] += (abs(d3) - s["spread_3"]) / count
        s["tail_0"], s["excess_0"] = NORMAL_TAIL * s["spread_0"], NORMAL_EXCESS * s["spread_0"]
        s["tail_1"], s["excess_1"] = NORMAL_TAIL * s["spread_1"], NORMAL_EXCESS * s["spread_1"]
        s["tail_noise"], s["excess_noise"] = 1.5, 0.1
        return
    s["level_0"] += _within(d0, bound_0) / min(count, SAMPLES_0)
    s["level_1"] += _within(s["level_0"] - s["level_1"], bound_1) / min(count, SAMPLES_1)
    s["level_2"] += _within(s["level_1"] - s["level_2"], bound_2) / min(count, SAMPLES_2)
    s["level_3"] += _within(s["level_2"] - s["level_3"], bound_3) / min(count, SAMPLES_3)
    gain = rate / min(max(count * TAIL_SHARE, 5.0), MEMORY * TAIL_SHARE)
    s["tail_0"], s["excess_0"] = _tail(abs(d0), s["tail_0"], s["excess_0"], gain)
    s["tail_1"], s["excess_1"] = _tail(abs(d1), s["tail_1"], s["excess_1"], gain)
    s["tail_noise"], s["excess_noise"] = _tail(ratio, s["tail_noise"], s["excess_noise"], gain)
    s["spread_2"] += rate * (min(abs(d2), 0.5 * bound_2) - s["spread_2"]) / min(count, MEMORY_SLOW * SAMPLES_2)
    s["spread_3"] += rate * (min(abs(d3), 0.5 * bound_3) - s["spread_3"]) / min(count, MEMORY_SLOW * SAMPLES_3)


@jit.part
def _claim(score: float, kind: int, seen: float, expected: float, s: Record) -> None:
    if score >= (END_SCORE if kind == s["kind"] else 1.0):
        s["calm"] = -1
    if score > s["score"]:
        s["score"] = score
        s["scorer"] = kind
        s["seen"] = seen
        s["expected"] = expected


@jit.part
def _within(x: float, bound: float) -> float:
    return min(max(x, -bound), bound)


@jit.part
def _tail(size: float, tail: float, excess: float, gain: float) -> tuple[float, float]:
    """Where the tail begins, and the mean excess: stochastic approximation of the quantile that TAIL_SHARE exceeds."""
    pace = gain * (excess + 0.05 * tail)
    if size > tail:
        beyond = min(size - tail, 5.0 * excess + 0.01 * tail)
        excess += gain * (beyond - excess)
        return tail + (1.0 - TAIL_SHARE) * gain * (excess + 0.05 * tail), excess
    return tail - TAIL_SHARE * pace, excess


@jit.part
def _repeats(repeated: bool, ready: bool, count: float, s: Record) -> None:
    """Count repeats and score their run."""
    stands = s["kind"] == ADVICE_STUCK
    gain = 0.0 if stands else 1.0 / min(count + 10.0, REPEAT_SAMPLES)
    if count < 2.0:
        return
    if not repeated:
        s["repeat_rate"] -= s["repeat_rate"] * gain
        if not stands and s["repeats"] > s["repeats_max"]:
            s["repeats_max"] = float(s["repeats"])
        s["repeats_max"] *= 0.9999
        s["repeats"] = 0
        return
    s["repeats"] += 1
    s["repeat_rate"] += (1.0 - s["repeat_rate"]) * gain
    run = float(s["repeats"])
    if not ready or run < REPEATS_MIN or run < REPEATS_OVER_MAX * s["repeats_max"]:
        return
    allowed = (s["tail"] - _ln(TAIL_SHARE)) / -_ln(s["repeat_rate"])
    _claim(
        max(run / allowed, 0.9 if stands else 0.0),
        ADVICE_STUCK,
        run,
        max(allowed, REPEATS_OVER_MAX * s["repeats_max"]),
        s,
    )
