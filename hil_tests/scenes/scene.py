"""A scene: what the instruments of a small site show, step by step, and what happened to them when. Pure.

Made by the modules beside it; goes to ``recording`` (files with labels) and to ``hil_tests.simulated`` (the agent's own judgement
of it).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.quality import Quality
from hil_tests.scenes.instrument import Floats, Sheet, show

QUIET_S: Final = 1800
"""So long nothing happens at the begin of a scene in seconds; detectors may learn from it."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """One instrument. value float64[n]: NaN where nothing was heard; quality uint8[n]: as the driver gives it."""

    tag: str
    sheet: Sheet
    value: Floats
    quality: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Window:
    """Something happened from step ``first`` to step ``last``, both in it; what it shows is over then, too."""

    kind: str
    tags: tuple[str, ...]
    first: int
    last: int
    permitted: bool = False
    """Somebody was allowed to do it, and said so: what is detected counts neither way."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """``traces`` are of one length and step; rows before ``quiet`` are normal."""

    name: str
    seed: int
    step_s: int
    quiet: int
    traces: tuple[Trace, ...]
    windows: tuple[Window, ...]

    def __len__(self) -> int:
        return len(self.traces[0].value)

    def trace(self, tag: str) -> Trace:
        return next(each for each in self.traces if each.tag == tag)


class Draft:
    """A scene in the making: ``count`` steps of ``step_s``, and the chance of its seed."""

    def __init__(self, name: str, seed: int, count: int = 5400, step_s: int = 1, quiet: int = QUIET_S) -> None:
        self.name, self.seed, self.count, self.step_s, self.quiet = name, seed, count, step_s, quiet
        self.rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        self.time_s = np.arange(count) * float(step_s)
        self._traces: dict[str, Trace] = {}
        self._windows: list[Window] = []

    def nothing(self) -> Floats:
        return np.zeros(self.count)

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def whole(self, low: int, high: int) -> int:
        """Both ends in it."""
        return int(self.rng.integers(low, high + 1))

    def show(self, tag: str, sheet: Sheet, truth: Floats) -> Floats:
        """What the instrument shows, which may be changed in place afterwards."""
        value = show(sheet, truth, self.step_s, self.rng)
        self._traces[tag] = Trace(tag, sheet, value, np.full(self.count, Quality.GOOD, np.uint8))
        return value

    def quality(self, tag: str) -> NDArray[np.uint8]:
        """To be changed in place."""
        return self._traces[tag].quality

    def happened(self, kind: str, tags: tuple[str, ...], first: int, last: int, *, permitted: bool = False) -> None:
        self._windows.append(Window(kind, tags, first, min(last, self.count - 1), permitted))

    def starts(self, lengths: list[int], gap: tuple[int, int]) -> list[int]:
        """Where stretches of these lengths begin, one after the other, the first some minutes after the quiet time."""
        at, found = self.quiet + self.whole(240, 420), []
        for length in lengths:
            found.append(at)
            at += length + self.whole(*gap)
        return found

    def scene(self) -> Scene:
        return Scene(
            self.name, self.seed, self.step_s, self.quiet, tuple(self._traces.values()), tuple(self._windows)
        )  # fmt: skip
