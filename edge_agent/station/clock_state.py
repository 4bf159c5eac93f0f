"""Whether the wall clock is to be believed, asked of the kernel, and whether it was stepped.

Gateways often have no battery clock: they start in 1970 and jump when NTP answers. Every event therefore says whether
the clock was synchronised and within which bound, and a step is an event of its own.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

from contract.clock import NS_PER_MS, Clock
from contract.events import ClockState

_TIME_ERROR: Final = 5
_NS_PER_US: Final = 1000
STEP_NS_MIN: Final = 200 * NS_PER_MS
"""NTP slews offsets below 128 ms (RFC 5905, STEPT); a larger jump between two looks is a step."""


class _Timex(ctypes.Structure):
    """The head of ``struct timex`` (adjtimex(2)); the padding is larger than any kernel's rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("rest", ctypes.c_byte * 512),
    )


def kernel_clock_state() -> ClockState:
    """adjtimex(2) in read-only mode: synchronised or not, and the kernel's own error bound (maxerror, us)."""
    if not sys.platform.startswith("linux"):
        return ClockState(synchronised=False, error_ns=None)
    timex = _Timex()
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if state < 0:
        return ClockState(synchronised=False, error_ns=None)
    synchronised = state != _TIME_ERROR
    return ClockState(synchronised, timex.maxerror * _NS_PER_US if synchronised else None)


class StepWatch:
    """Notices that the wall clock moved against the monotonic one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ns = clock.wall_ns() - clock.mono_ns()

    def step_ns(self) -> int:
        """By how much the wall clock was stepped since the last call; 0 where it was only slewed."""
        offset_ns = self._clock.wall_ns() - self._clock.mono_ns()
        moved_ns, self._offset_ns = offset_ns - self._offset_ns, offset_ns
        return moved_ns if abs(moved_ns) >= STEP_NS_MIN else 0
