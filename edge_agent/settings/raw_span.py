"""Scale and offset of a raw number that stands for an instrument's range, as 0 to 27648 of an analog card do. Pure.

Used by the commands that make rows of ``points.csv``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

_DIGITS_MIN: Final = 8
_DIGITS_EXACT: Final = 17
_STEPS_MAX: Final = 64
_NEAR: Final = 1e-6
"""Of the range: what scale and offset with fewer digits may be off at its ends."""


def scaling(first: int, last: int, low: float, high: float) -> tuple[float, float]:
    """Scale and offset by which the raw numbers ``first`` and ``last``, which differ, are ``low`` and ``high`` of the range.

    With as few digits as keep both ends in the range: a person can check them, and full scale is no over-range.
    """
    for scale, offset in _candidates(first, last, low, high):
        near = abs(last * scale + offset - high) <= _NEAR * (high - low)
        if low <= first * scale + offset and last * scale + offset <= high and near:
            break
    return scale, offset


def _candidates(first: int, last: int, low: float, high: float) -> Iterator[tuple[float, float]]:
    """From few digits to all, then by and by less steep: rounding alone may lift an end of the exact one over the range."""
    scale = (high - low) / (last - first)
    for digits in range(_DIGITS_MIN, _DIGITS_EXACT + 1):
        rounded = float(f"{scale:.{digits}g}")
        yield rounded, float(f"{low - first * rounded:.{digits}g}")
    for _ in range(_STEPS_MAX):
        scale = math.nextafter(scale, 0)
        offset = low - first * scale
        yield scale, offset
        yield scale, math.nextafter(offset, math.inf)
