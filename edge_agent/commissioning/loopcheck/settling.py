"""When a reading stands still after a reference was applied. Pure: readings in, a mean out.

Only readings that the device confirmed after the reference was applied count, and each confirmation once: what a silent device
showed before is no proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

READINGS_MIN: Final = 3


@dataclass(frozen=True, slots=True)
class Seen:
    """A point as the agent has it now. ``confirmed_s`` is on the axis of the caller's clock, None: never confirmed."""

    value: float | None
    quality: str
    confirmed_s: float | None
    conditions: tuple[tuple[str, int], ...] = ()
    """Kind and level of what stands."""

    @property
    def is_bad(self) -> bool:
        return self.value is None or self.quality.startswith("BAD")


class Settling:
    """``take`` readings until ``mean`` is a number."""

    def __init__(self, applied_s: float, window_s: float, spread_max: float) -> None:
        self._window_s = window_s
        self._spread_max = spread_max
        self._latest_s = applied_s
        self._readings: list[tuple[float, float]] = []

    def take(self, seen: Seen) -> None:
        if seen.confirmed_s is None or seen.confirmed_s <= self._latest_s:
            return
        self._latest_s = seen.confirmed_s
        if seen.is_bad or seen.value is None:
            self._readings.clear()
        else:
            self._readings.append((seen.confirmed_s, seen.value))

    @property
    def mean(self) -> float | None:
        """Of the window that ends with the latest reading, and of three readings at least, however seldom one comes; None while
        there are not so many, or they still move."""
        if len(self._readings) < READINGS_MIN or self._latest_s - self._readings[0][0] < self._window_s:
            return None
        recent = [value for moment, value in self._readings if self._latest_s - moment <= self._window_s]
        values = recent if len(recent) >= READINGS_MIN else [value for _, value in self._readings[-READINGS_MIN:]]
        return sum(values) / len(values) if max(values) - min(values) <= self._spread_max else None
