"""Record arrays that the kernel reads and writes: one row of parameters and one of state per point.

``compile`` fills PARAMS from a catalogue, ``engine`` owns STATE, ``kernels.conditions`` judges. Row order: DEVICE points
first, so that at a TICK a device is judged before its points; within each group ids ascend. Times are nanoseconds on the
monotonic axis of one boot. A limit that a point does not have is NaN.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract.quality import Quality

PARAMS: Final = np.dtype(
    [
        ("ll", "f8"),  # low-low limit, point's unit, NaN: none
        ("l", "f8"),  # low limit, point's unit, NaN: none
        ("h", "f8"),  # high limit, point's unit, NaN: none
        ("hh", "f8"),  # high-high limit, point's unit, NaN: none
        ("deadband", "f8"),  # >= 0, point's unit, taken off the return side
        ("range_low", "f8"),  # instrument range, point's unit, NaN: open
        ("range_high", "f8"),  # instrument range, point's unit, NaN: open
        ("on_delay_ns", "i8"),  # level 1 of HIGH and LOW
        ("on_delay_2_ns", "i8"),  # level 2 of HIGH and LOW
        ("off_delay_ns", "i8"),  # both levels
        ("stale_ns", "i8"),  # longest time without a confirmed scan
        ("fault_on_delay_ns", "i8"),
        ("fault_off_delay_ns", "i8"),
        ("over_range", "f8"),  # set-point of OVER_RANGE, point's unit, NaN: none
        ("frozen_ns", "i8"),  # the very same value for as long is FROZEN; 0: not watched
        ("range_hold_ns", "i8"),  # a value below range_low is too young for LOW until then
        ("device_row", "i4"),  # row of its device's DEVICE point; own row for a device, or where there is none
    ],
    align=True,
)
"""Read by the kernel, never written."""

STATE: Final = np.dtype(
    [
        ("value", "f8"),  # last value of non-BAD quality, point's unit; NaN before the first
        ("raw", "i8"),  # the device's integer belonging to value
        ("last_mono_ns", "i8"),  # last confirmed scan (the device answered); the engine's start before the first
        ("last_eval_ns", "i8"),  # latest row that judged the point; never goes back
        ("high_timer_1_ns", "i8"),  # time gathered towards level 1 turning on (if off) or off (if on)
        ("high_timer_2_ns", "i8"),
        ("low_timer_1_ns", "i8"),
        ("low_timer_2_ns", "i8"),
        ("fault_timer_ns", "i8"),
        ("frozen_timer_ns", "i8"),  # time that the value has been the very same
        ("below_timer_ns", "i8"),  # time that the value has been below range_low without a break
        ("quality", "u1"),  # effective contract.quality.Quality
        ("high_level", "u1"),  # reported level 0, 1, 2; level 2 stands on level 1
        ("low_level", "u1"),
        ("fault_level", "u1"),  # 0, 1
        ("pending", "u1"),  # bits PENDING_* of kernels.conditions: which timers run; a timer that does not run is 0
        ("over_range_level", "u1"),  # 0, 1; back to 0 by engine.reset only
        ("frozen_level", "u1"),  # 0, 1
        ("inhibited", "u1"),  # 0, 1; set by the engine, copied into transitions
    ],
    align=True,
)
"""Read and written by the kernel; ``engine`` reads it between calls."""

TRANSITION: Final = np.dtype(
    [
        ("mono_ns", "i8"),  # of the row (sample or TICK) that decided
        ("time_ns", "i8"),  # of that row, UTC
        ("value", "f8"),  # judged value, point's unit; NaN where quality is BAD
        ("raw", "i8"),  # 0 where quality is BAD
        ("setpoint", "f8"),  # limit crossed, point's unit; NaN for FAULT and FROZEN
        ("elapsed_ns", "i8"),  # time gathered when the delay was met
        ("row", "i4"),
        ("kind", "u1"),  # KIND_* of kernels.conditions
        ("old_level", "u1"),
        ("new_level", "u1"),
        ("quality", "u1"),  # effective, at that moment
        ("inhibited", "u1"),  # as in the state
    ],
    align=True,
)
"""Written by the kernel: a change of the reported level of one condition."""

Records = NDArray[Any]
"""An array of one of the dtypes above (numpy's typing cannot say which)."""


def new_state(rows: int, start_mono_ns: int) -> Records:
    """STATE[rows] of points never read, all conditions normal; ``start_mono_ns``: when the engine started."""
    state = np.zeros(rows, STATE)
    state["value"] = np.nan
    state["quality"] = Quality.BAD_NEVER_READ
    state["last_mono_ns"] = start_mono_ns
    state["last_eval_ns"] = start_mono_ns
    return state
