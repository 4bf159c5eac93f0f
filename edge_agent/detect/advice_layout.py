"""Record arrays of the statistical detectors: one row of parameters and one of state per point.

``advice`` fills and owns them, ``kernels.advice`` reads and writes them. Apart from ``layout`` on purpose: what advises
shares nothing with what judges. Plain bytes, fixed size, so that the state may be saved and restored as it is; LAYOUT names
the meaning of the bytes and changes with it.

Levels 0 to 3 are exponentially weighted means over some 8, 64, 512 and 4,096 samples, each fed by the one before; scale k is
the difference between what feeds level k and level k.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LAYOUT: Final = "advice/1"
"""Saved state is good for a program of the same LAYOUT only."""

ADVICE_PARAMS: Final = np.dtype(
    [
        ("alarms_per_day", "f8"),  # > 0, false-alarm budget of the point
    ],
    align=True,
)
"""Read by the kernel, never written."""

ADVICE_STATE: Final = np.dtype(
    [
        ("samples", "i8"),  # values seen
        ("last", "f8"),  # latest value, point's unit
        ("last_mono_ns", "i8"),  # its time
        ("on_time_ns", "i8"),  # since when the condition stands, UTC
        ("on_mono_ns", "i8"),
        ("interval_s", "f8"),  # between samples, typically; 0 before the second
        ("tail", "f8"),  # mean excesses between the tail's begin and a bound that meets the budget
        ("resolution", "f8"),  # smallest step seen, point's unit; 0 before the first
        ("level_0", "f8"),
        ("level_1", "f8"),
        ("level_2", "f8"),
        ("level_3", "f8"),
        ("tail_0", "f8"),  # where the tail of scale 0 begins: two in a hundred lie beyond
        ("tail_1", "f8"),
        ("tail_noise", "f8"),  # of the ratio between present and usual scatter
        ("excess_0", "f8"),  # how far they lie beyond, in the mean
        ("excess_1", "f8"),
        ("excess_noise", "f8"),
        ("spread_0", "f8"),  # mean absolute value of the scale
        ("spread_1", "f8"),
        ("spread_2", "f8"),
        ("spread_3", "f8"),
        ("bound_0", "f8"),  # what a normal scale 0 stays below, by the budget
        ("bound_1", "f8"),
        ("scatter", "f8"),  # mean square of scale 0 of late
        ("scatter_usual", "f8"),
        ("repeat_rate", "f8"),  # share of samples that repeat the one before
        ("repeats_max", "f8"),  # longest run of repeats while nothing stood, slowly forgotten
        ("repeats", "i8"),  # length of the present run
        ("score", "f8"),  # of the latest sample: 1 is the bound
        ("seen", "f8"),  # what scored, and what was expected of it at most
        ("expected", "f8"),
        ("calm", "i4"),  # samples in a row that say the condition may end
        ("kind", "u1"),  # ADVICE_* that stands, or NOTHING
        ("scorer", "u1"),  # ADVICE_* that scored highest, or NOTHING
        ("unused", "u2"),  # 0; named, since numpy copies no padding and the same state is to be the same bytes
    ],
    align=True,
)
"""Read and written by the kernel."""

ADVICE: Final = np.dtype(
    [
        ("mono_ns", "i8"),  # of the sample that decided
        ("time_ns", "i8"),
        ("on_time_ns", "i8"),  # since when it stands, or stood
        ("value", "f8"),  # the sample
        ("seen", "f8"),  # what was judged: a value, a level, a scatter, a number of repeats
        ("expected", "f8"),  # the bound that it was expected to stay within
        ("score", "f8"),  # excess over what is usual, as a multiple of what the budget allows
        ("row", "i4"),
        ("kind", "u1"),  # ADVICE_*
        ("new_level", "u1"),  # 1 or 0
        ("quality", "u1"),  # as the driver gave it
    ],
    align=True,
)
"""Written by the kernel: an advisory condition began or ended."""

AdviceRecords = NDArray[Any]
"""An array of one of the dtypes above."""
