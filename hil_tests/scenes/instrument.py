"""What an instrument makes of the quantity in front of it, for a whole stretch of time at once. Pure.

``rig.plant.instrument`` does the same value by value in real time; here days must be ready in a second. White noise and
resolution are assumptions, except where a data sheet is named; the slow part is AR(1) with a time constant of 5 to 15 min.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
SLOW_S: Final = (300.0, 900.0)
"""Shortest and longest time constant of the slow part."""
_LN10: Final = math.log(10.0)
_BLOCK_DECAY: Final = 1e-6
"""Within a block of ``first_order`` no weight is smaller, so that its reciprocals stay exact enough."""
ZERO_MA: Final = 4.0
SPAN_MA: Final = 16.0


@dataclass(frozen=True, slots=True)
class Sheet:
    """``noise_sd``, ``slow_sd``, ``zero_sd`` and ``resolution`` in ``unit``; ``t90_s`` is the least and the greatest; ``floor``
    is the least that is ever shown (toxic heads show nothing below zero)."""

    unit: str
    range_low: float
    range_high: float
    noise_sd: float
    resolution: float
    slow_sd: float
    t90_s: tuple[float, float] = (0.0, 0.0)
    zero_sd: float = 0.0
    floor: float = -math.inf

    def at_current(self, current_ma: Floats) -> Floats:
        """What a receiver makes of a current of a 4 to 20 mA loop."""
        return self.range_low + (current_ma - ZERO_MA) / SPAN_MA * (self.range_high - self.range_low)

    def current_ma(self, value: Floats) -> Floats:
        return ZERO_MA + (value - self.range_low) / (self.range_high - self.range_low) * SPAN_MA


CL2: Final = Sheet("ppm", 0.0, 10.0, 0.03, 0.05, 0.012, (25.0, 60.0), 0.01, 0.0)
H2S: Final = Sheet("ppm", 0.0, 100.0, 0.12, 0.1, 0.05, (20.0, 45.0), 0.03, 0.0)
LEL: Final = Sheet("%LEL", 0.0, 100.0, 0.3, 0.5, 0.12, (8.0, 15.0), 0.12)
PRESSURE: Final = Sheet("MPa", 0.0, 1.6, 0.0008, 0.0005, 0.003)
TEMPERATURE: Final = Sheet("degC", 0.0, 200.0, 0.08, 0.05, 0.25)
LEVEL: Final = Sheet("%", 0.0, 100.0, 0.15, 0.1, 0.6)


def show(sheet: Sheet, truth: Floats, step_s: float, rng: np.random.Generator) -> Floats:
    """float64[n]: what a head of this kind, one of many, shows of ``truth`` (float64[n], in its unit)."""
    t90_s = rng.uniform(*sheet.t90_s)
    seen = first_order(truth, t90_s / _LN10, step_s)
    seen = seen + rng.normal(0.0, sheet.zero_sd) + slow(len(truth), sheet.slow_sd, step_s, rng)
    return rounded(sheet, seen + rng.normal(0.0, sheet.noise_sd, len(truth)))


def rounded(sheet: Sheet, value: Floats) -> Floats:
    steps = np.round(np.maximum(value, sheet.floor) / sheet.resolution)
    return np.round(steps * sheet.resolution, 6) + 0.0  # no negative zeros


def slow(count: int, sd: float, step_s: float, rng: np.random.Generator) -> Floats:
    """AR(1) of this standard deviation, in its steady state from the first value on."""
    tau_s = rng.uniform(*SLOW_S)
    keep = math.exp(-step_s / tau_s)
    moves = rng.normal(0.0, sd * math.sqrt(1 - keep * keep), count)
    moves[0] = rng.normal(0.0, sd)
    return _recursive(moves, keep)


def first_order(truth: Floats, tau_s: float, step_s: float) -> Floats:
    """The answer of a first-order lag that has settled to the first value; ``tau_s`` 0: none."""
    if tau_s <= 0.0:
        return truth
    keep = math.exp(-step_s / tau_s)
    moves = truth * (1 - keep)
    moves[0] = truth[0]
    return _recursive(moves, keep)


def _recursive(moves: Floats, keep: float) -> Floats:
    """y[i] = keep * y[i-1] + moves[i], in blocks: a loop over a week of seconds would take minutes."""
    longest = max(1, int(math.log(_BLOCK_DECAY) / math.log(keep))) if keep < 1.0 else len(moves)
    block = min(longest, len(moves))
    weight = keep ** np.arange(1, block + 1)
    out = np.empty_like(moves)
    last = 0.0
    for start in range(0, len(moves), block):
        part = moves[start : start + block]
        w = weight[: len(part)]
        out[start : start + block] = w * (last + np.cumsum(part / w))
        last = float(out[start + len(part) - 1])
    return out
