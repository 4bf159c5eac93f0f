"""The safety kernel: validity, staleness, LL/L/H/HH with deadband and delays, the fault of a point or
device, over-range and frozen values.

Rows come in order, each a sample of one point or a TICK (time has passed, for every point). What a row does to a point:

1. *Time.* dt = row's time - latest time the point was judged (0 if it went back) is added to the timers that the former
   row left running, if the quality it left was fit for them.
2. *Quality.* A sample brings its own; NaN or infinity is BAD_SENSOR_FAILURE, outside the range GOOD turns UNCERTAIN. At a
   TICK a value not confirmed for longer than ``stale_ns`` turns BAD_STALE; one that already says "no answer" keeps saying
   so, and one never read stays BAD_NEVER_READ.
3. *Levels.* GOOD raises and clears. UNCERTAIN raises, and its time does not count towards clearing. BAD holds levels and
   timers as they are. A level turns when its timer has reached its delay at a row that still wants it. Level 2 stands on
   level 1: turning on it takes level 1 along, so that falling back from HH the condition is H and not normal, and a
   reported level alone is enough to restore both.
   A value below the range is held for ``range_hold_ns`` before it may move LOW: a wire that breaks passes there.
4. *Fault.* BAD for the on-delay without a break raises, non-BAD for the off-delay clears. A point that gives no answer
   while its device is BAD too raises none (the device does) and keeps the one it has. A point whose sample comes before
   its device's, in one scan, is judged by the device's former quality: the fault's on-delay covers that; where it is 0
   the driver has to send the device's row first. A point never read counts from when it is overdue (``stale_ns`` after
   the start), so that slow points are no faults at the start.

5. *Over-range.* A sample at or above ``over_range`` raises at once and nothing that is measured clears it: only ``engine.reset``.
6. *Frozen.* A sample that is the very same as before, for ``frozen_ns`` that were not BAD, raises; a GOOD one that moved
   clears. UNCERTAIN moves clear nothing. Values at or beyond an end of the range are cut off and may repeat.

Only + - and comparisons on float64 and int64, no allocation. The low side is judged as the high side of the negated
value (negation is exact). Only ``judge`` holds arrays: an array handed on costs
a reference count, an atomic one, for every sample. Constants that may change live here and not in ``layout``: numba's cache sees this file only.
"""

# ruff: noqa: FBT001 - functions that numba compiles have no keyword-only arguments
from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract.batch import TICK
from contract.quality import SEVERITY_BAD, SEVERITY_GOOD, SEVERITY_MASK, Quality
from edge_agent.detect.kernels import jit
from edge_agent.detect.layout import Records

KIND_HIGH: Final = 0
KIND_LOW: Final = 1
KIND_FAULT: Final = 2
KIND_OVER_RANGE: Final = 3
KIND_FROZEN: Final = 4
TRANSITIONS_PER_POINT: Final = 5
"""Most transitions that one row can cause for one point: one of each kind."""

PENDING_1: Final = 1
PENDING_2: Final = 2
PENDING_HIGH: Final = 1
"""Factor that places PENDING_1 and PENDING_2 of the high side in ``pending``; PENDING_LOW of the low side."""
PENDING_LOW: Final = 4
PENDING_LEVELS: Final = 15
PENDING_FAULT: Final = 16
PENDING_FROZEN: Final = 32
PENDING_BELOW: Final = 64

# Plain integers: numba has no enums of numpy's unsigned bytes.
_COMM_FAILURE: Final = int(Quality.BAD_COMM_FAILURE)
_SENSOR_FAILURE: Final = int(Quality.BAD_SENSOR_FAILURE)
_STALE: Final = int(Quality.BAD_STALE)
_NEVER_READ: Final = int(Quality.BAD_NEVER_READ)
_OUT_OF_RANGE: Final = int(Quality.UNCERTAIN_OUT_OF_RANGE)

Record = Any
"""One row of a record array, by reference: what is written to it is written to the array."""


@jit.kernel
def judge(
    point_rows: NDArray[np.int32],
    time_ns: NDArray[np.int64],
    mono_ns: NDArray[np.int64],
    value: NDArray[np.float64],
    quality: NDArray[np.uint8],
    raw: NDArray[np.int64],
    params: Records,
    state: Records,
    out: Records,
) -> tuple[int, int]:
    """Judge rows until all are done or ``out`` might not hold what the next one causes.

    point_rows int32[n]       read     row in params and state, or TICK
    time_ns    int64[n]       read     ns UTC, copied into transitions
    mono_ns    int64[n]       read     ns, the axis of all judgement
    value      float64[n]     read     point's unit
    quality    uint8[n]       read     contract.quality.Quality as the driver gave it
    raw        int64[n]       read     the device's integer, copied into transitions
    params     PARAMS[m]      read
    state      STATE[m]       written
    out        TRANSITION[k]  written  k >= TRANSITIONS_PER_POINT

    All arrays are C-contiguous, aligned and writeable, rows are in range (not checked). Returns (rows consumed,
    transitions written). A TICK that ``out`` cannot hold is left unconsumed with some points judged already; judging it
    again gives the rest, since judging a point twice at one time changes nothing.
    """
    written = 0
    last_start = len(out) - TRANSITIONS_PER_POINT
    for i in range(len(point_rows)):
        now_ns = mono_ns[i]
        is_tick = point_rows[i] == TICK
        first = 0 if is_tick else point_rows[i]
        stop = len(params) if is_tick else first + 1
        for row in range(first, stop):
            if written > last_start:
                return i, written
            place = np.uint32(row)  # unsigned: for a signed index numba looks each time whether it counts from the end
            p = params[place]
            s = state[place]
            _advance(now_ns, p, s)
            repeats = value[i] == s["value"]
            if is_tick:
                _go_stale(now_ns, p, s)
            else:
                _take_sample(value[i], quality[i], raw[i], now_ns, p, s)
            too_young = _is_too_young(p, s)
            if _levels_may_move(p, s):
                written += _settle_high(row, time_ns[i], now_ns, p, s, out[written])
                if not too_young:
                    written += _settle_low(row, time_ns[i], now_ns, p, s, out[written])
            if _fault_may_move(s):
                written += _settle_fault(row, time_ns[i], now_ns, p, s, state[p["device_row"]], out[written])
            if is_tick or s["quality"] & SEVERITY_MASK >= SEVERITY_BAD:
                continue
            if s["value"] >= p["over_range"]:
                written += _go_over_range(row, time_ns[i], now_ns, p, s, out[written])
            if p["frozen_ns"] + s["frozen_level"] != 0:
                written += _settle_frozen(row, time_ns[i], now_ns, repeats, p, s, out[written])
    return len(point_rows), written


@jit.part
def _advance(mono_ns: int, p: Record, s: Record) -> None:
    """Add the time since the point was last judged to its running timers, by the quality that it had since then."""
    elapsed_ns = mono_ns - s["last_eval_ns"]
    if elapsed_ns <= 0:
        return
    s["last_eval_ns"] = mono_ns
    pending = s["pending"]
    if pending == 0:
        return
    if pending & PENDING_FAULT:
        s["fault_timer_ns"] += elapsed_ns
    severity = s["quality"] & SEVERITY_MASK
    if severity >= SEVERITY_BAD:
        return
    if pending & PENDING_FROZEN:
        s["frozen_timer_ns"] += elapsed_ns
    good = severity == SEVERITY_GOOD
    if pending & (PENDING_1 * PENDING_HIGH) and (good or s["high_level"] < 1):
        s["high_timer_1_ns"] += elapsed_ns
    if pending & (PENDING_2 * PENDING_HIGH) and (good or s["high_level"] < 2):
        s["high_timer_2_ns"] += elapsed_ns
    if pending & PENDING_BELOW:
        too_young = s["below_timer_ns"] < p["range_hold_ns"]
        s["below_timer_ns"] += elapsed_ns
        if too_young:
            return
    if pending & (PENDING_1 * PENDING_LOW) and (good or s["low_level"] < 1):
        s["low_timer_1_ns"] += elapsed_ns
    if pending & (PENDING_2 * PENDING_LOW) and (good or s["low_level"] < 2):
        s["low_timer_2_ns"] += elapsed_ns


@jit.part
def _take_sample(value: float, quality: int, raw: int, mono_ns: int, p: Record, s: Record) -> None:
    """Effective quality of a sample, and its value if it has one."""
    effective = quality
    if effective & SEVERITY_MASK < SEVERITY_BAD:
        if not math.isfinite(value):
            effective = _SENSOR_FAILURE
        else:
            outside = (value < p["range_low"]) | (value > p["range_high"])
            if outside and effective & SEVERITY_MASK == SEVERITY_GOOD:
                effective = _OUT_OF_RANGE
            s["value"] = value
            s["raw"] = raw
    s["quality"] = effective
    if not _no_answer(effective) and mono_ns > s["last_mono_ns"]:
        s["last_mono_ns"] = mono_ns


@jit.part
def _go_stale(mono_ns: int, p: Record, s: Record) -> None:
    if mono_ns - s["last_mono_ns"] > p["stale_ns"] and not _no_answer(s["quality"]):
        s["quality"] = _STALE


@jit.part
def _no_answer(quality: int) -> bool:
    """BAD because nothing was heard of the point, as it is when its device is gone."""
    # Not `in`: numba walks a tuple at run time, for every sample.
    return quality == _COMM_FAILURE or quality == _STALE or quality == _NEVER_READ  # noqa: PLR1714


@jit.part
def _is_too_young(p: Record, s: Record) -> bool:
    """Whether the value has been below the range for less than its hold. Keeps the timer of that, which BAD ends."""
    if p["range_hold_ns"] == 0:
        return False
    if s["quality"] & SEVERITY_MASK >= SEVERITY_BAD or not s["value"] < p["range_low"]:
        s["below_timer_ns"] = 0
        s["pending"] = s["pending"] & (PENDING_LEVELS + PENDING_FAULT + PENDING_FROZEN)
        return False
    s["pending"] = s["pending"] | PENDING_BELOW
    return bool(s["below_timer_ns"] < p["range_hold_ns"])


@jit.part
def _levels_may_move(p: Record, s: Record) -> bool:
    """False for nearly every sample: no level wants to turn and no timer of a level runs. BAD moves nothing."""
    if s["quality"] & SEVERITY_MASK >= SEVERITY_BAD:
        return False
    high = _pending(s["value"], p["h"], p["hh"], p["deadband"], s["high_level"])
    low = _pending(-s["value"], -p["l"], -p["ll"], p["deadband"], s["low_level"])
    return bool(high + low + (s["pending"] & PENDING_LEVELS) != 0)


@jit.part
def _fault_may_move(s: Record) -> bool:
    return bool(s["quality"] & SEVERITY_MASK >= SEVERITY_BAD or s["fault_level"] + (s["pending"] & PENDING_FAULT) != 0)


@jit.part
def _pending(value: float, limit_1: float, limit_2: float, deadband: float, level: int) -> int:
    """Bits of the levels that want to turn: on at the limit, off below limit - deadband. A NaN limit wants to be off."""
    is_on_1 = level >= 1
    is_on_2 = level >= 2
    wants_1 = (value >= (limit_1 - deadband if is_on_1 else limit_1)) != is_on_1
    wants_2 = (value >= (limit_2 - deadband if is_on_2 else limit_2)) != is_on_2
    return PENDING_1 * wants_1 + PENDING_2 * wants_2  # arithmetic: a branch per limit is mispredicted too often


@jit.part
def _turn(bits: int, level: int, good: bool, timer_1_ns: int, timer_2_ns: int, p: Record) -> int:
    """The level after the timers of the levels that want to turn have been held against their delays."""
    due_2 = bits & PENDING_2 != 0 and timer_2_ns >= (p["off_delay_ns"] if level == 2 else p["on_delay_2_ns"])
    due_1 = bits & PENDING_1 != 0 and timer_1_ns >= (p["off_delay_ns"] if level >= 1 else p["on_delay_ns"])
    if level < 2 and due_2:
        return 2
    if level == 0:
        return 1 if due_1 else 0
    if not good or (level == 2 and not due_2):
        return level
    return 0 if due_1 else 1


@jit.part
def _settle_high(row: int, time_ns: int, mono_ns: int, p: Record, s: Record, t: Record) -> int:
    """Keep, clear or cash the timers of the high side, 1 if that wrote ``t``; ``_settle_low`` mirrors it."""
    good = s["quality"] & SEVERITY_MASK == SEVERITY_GOOD
    old = s["high_level"]
    bits = _pending(s["value"], p["h"], p["hh"], p["deadband"], old)
    timer_1_ns = s["high_timer_1_ns"] if bits & PENDING_1 else 0
    timer_2_ns = s["high_timer_2_ns"] if bits & PENDING_2 else 0
    new = _turn(bits, old, good, timer_1_ns, timer_2_ns, p)
    if new != old:
        level = _crossed(old, new, p["h"])
        _write(t, row, KIND_HIGH, old, new, time_ns, mono_ns, s)
        t["setpoint"] = p["hh"] if level == 2 else p["h"]
        t["elapsed_ns"] = timer_2_ns if level == 2 else timer_1_ns
        s["high_level"] = new
        bits = _pending(s["value"], p["h"], p["hh"], p["deadband"], new)
        timer_1_ns = 0 if old == 0 or new == 0 else timer_1_ns
        timer_2_ns = 0 if old == 2 or new == 2 else timer_2_ns
    s["high_timer_1_ns"] = timer_1_ns
    s["high_timer_2_ns"] = timer_2_ns
    others = PENDING_BELOW + PENDING_FROZEN + PENDING_FAULT + (PENDING_1 + PENDING_2) * PENDING_LOW
    s["pending"] = (s["pending"] & others) + bits * PENDING_HIGH
    return int(new != old)


@jit.part
def _settle_low(row: int, time_ns: int, mono_ns: int, p: Record, s: Record, t: Record) -> int:
    good = s["quality"] & SEVERITY_MASK == SEVERITY_GOOD
    old = s["low_level"]
    bits = _pending(-s["value"], -p["l"], -p["ll"], p["deadband"], old)
    timer_1_ns = s["low_timer_1_ns"] if bits & PENDING_1 else 0
    timer_2_ns = s["low_timer_2_ns"] if bits & PENDING_2 else 0
    new = _turn(bits, old, good, timer_1_ns, timer_2_ns, p)
    if new != old:
        level = _crossed(old, new, p["l"])
        _write(t, row, KIND_LOW, old, new, time_ns, mono_ns, s)
        t["setpoint"] = p["ll"] if level == 2 else p["l"]
        t["elapsed_ns"] = timer_2_ns if level == 2 else timer_1_ns
        s["low_level"] = new
        bits = _pending(-s["value"], -p["l"], -p["ll"], p["deadband"], new)
        timer_1_ns = 0 if old == 0 or new == 0 else timer_1_ns
        timer_2_ns = 0 if old == 2 or new == 2 else timer_2_ns
    s["low_timer_1_ns"] = timer_1_ns
    s["low_timer_2_ns"] = timer_2_ns
    others = PENDING_BELOW + PENDING_FROZEN + PENDING_FAULT + (PENDING_1 + PENDING_2) * PENDING_HIGH
    s["pending"] = (s["pending"] & others) + bits * PENDING_LOW
    return int(new != old)


@jit.part
def _crossed(old: int, new: int, limit_1: float) -> int:
    """The level whose limit a change is about: the new one when rising, the last one left when falling."""
    if new > old:
        return new
    if new == 0 and (old == 1 or not math.isnan(limit_1)):
        return 1
    return 2


@jit.part
def _settle_fault(row: int, time_ns: int, mono_ns: int, p: Record, s: Record, device: Record, t: Record) -> int:
    """As ``_settle_high``; ``device`` is the state of the point's device."""
    bad = s["quality"] & SEVERITY_MASK >= SEVERITY_BAD
    standing = s["fault_level"] != 0
    wants = bad != standing
    if wants and not standing:
        excused = (
            p["device_row"] != row and _no_answer(s["quality"]) and device["quality"] & SEVERITY_MASK >= SEVERITY_BAD
        )
        wants = not excused and not _not_yet_due(mono_ns, p, s)
    timer_ns = s["fault_timer_ns"] if wants else 0
    turns = wants and timer_ns >= (p["fault_off_delay_ns"] if standing else p["fault_on_delay_ns"])
    if turns:
        _write(t, row, KIND_FAULT, s["fault_level"], not standing, time_ns, mono_ns, s)
        t["setpoint"] = np.nan
        t["elapsed_ns"] = timer_ns
        s["fault_level"] = not standing
        timer_ns = 0
        wants = False
    s["fault_timer_ns"] = timer_ns
    s["pending"] = (s["pending"] & (PENDING_LEVELS + PENDING_FROZEN + PENDING_BELOW)) + (PENDING_FAULT if wants else 0)
    return int(turns)


@jit.part
def _not_yet_due(mono_ns: int, p: Record, s: Record) -> bool:
    return bool(s["quality"] == _NEVER_READ and mono_ns - s["last_mono_ns"] <= p["stale_ns"])


@jit.part
def _go_over_range(row: int, time_ns: int, mono_ns: int, p: Record, s: Record, t: Record) -> int:
    """Latches: a head that falls back from beyond its range may read too low, so no value ends it."""
    if s["over_range_level"] != 0:
        return 0
    _write(t, row, KIND_OVER_RANGE, 0, 1, time_ns, mono_ns, s)
    t["setpoint"] = p["over_range"]
    t["elapsed_ns"] = 0
    s["over_range_level"] = 1
    return 1


@jit.part
def _settle_frozen(row: int, time_ns: int, mono_ns: int, repeats: bool, p: Record, s: Record, t: Record) -> int:
    """Only a sample shows that a value repeats, or moves. One at an end of the range, where readings are cut off, may."""
    watched = p["frozen_ns"] > 0
    clamped = (s["value"] <= p["range_low"]) | (s["value"] >= p["range_high"])
    same = repeats and watched and not clamped
    standing = s["frozen_level"] != 0
    turns = False
    if same:
        turns = not standing and s["frozen_timer_ns"] >= p["frozen_ns"]
    elif standing:
        turns = s["quality"] & SEVERITY_MASK == SEVERITY_GOOD
    if turns:
        _write(t, row, KIND_FROZEN, standing, not standing, time_ns, mono_ns, s)
        t["setpoint"] = np.nan
        t["elapsed_ns"] = 0 if standing else s["frozen_timer_ns"]
        s["frozen_level"] = not standing
    if turns or not same:
        s["frozen_timer_ns"] = 0
    runs = watched and not clamped and s["frozen_level"] == 0
    s["pending"] = (s["pending"] & (PENDING_LEVELS + PENDING_FAULT + PENDING_BELOW)) + (PENDING_FROZEN if runs else 0)
    return int(turns)


@jit.part
def _write(t: Record, row: int, kind: int, old: int, new: int, time_ns: int, mono_ns: int, s: Record) -> None:
    """All fields of a transition but the set-point and the elapsed time."""
    bad = s["quality"] & SEVERITY_MASK >= SEVERITY_BAD
    t["mono_ns"] = mono_ns
    t["time_ns"] = time_ns
    t["value"] = np.nan if bad else s["value"]
    t["raw"] = 0 if bad else s["raw"]
    t["row"] = row
    t["kind"] = kind
    t["old_level"] = old
    t["new_level"] = new
    t["quality"] = s["quality"]
    t["inhibited"] = s["inhibited"]
