"""Where the words of a drawing go, so that none lies on another or on a symbol. Pure.

Each label names the places where it may stand, the best first. They are served in order: a label takes its first place
that is free. One that must be read takes the least crowded place when none is; any other is left out, and its thing
is named by its title alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""

LATIN_EM: Final = 0.56
"""Mean width of a letter or digit of the page's fonts, in ems; what lies beyond U+2E7F (CJK) is one em wide."""
_RINGS: Final = (0.0, 1.2, 2.4, 4.0, 6.0, 8.0)
"""How far a label may move away from its symbol, in label heights."""
_GAP: Final = 0.15
"""Between a symbol and a label close to it, likewise."""
_CACHED: Final = 32
"""Drawings in memory: those of the people who look at the same map with the same alarms are alike."""


@dataclass(frozen=True, slots=True)
class Label:
    """``centres`` are the places where its middle may lie, best first."""

    width: float
    height: float
    centres: tuple[Point, ...]
    must: bool = False


def width(words: str, size: float) -> float:
    """Of a text in a font of that size; an estimate that is rather too wide."""
    return size * sum(1.0 if ord(letter) > 0x2E7F else LATIN_EM for letter in words)


def around(at: Point, side: float, size: tuple[float, float], *, far: bool) -> tuple[Point, ...]:
    """Places beside a symbol of that side: right, left, below, above and the corners; ``far`` also further away."""
    (x, y), (wide, high) = at, size
    found: list[Point] = []
    for ring in _RINGS if far else _RINGS[:1]:
        away = side / 2 + (_GAP + ring) * high
        right, down = away + wide / 2, away + high / 2
        found += [(x + right, y), (x - right, y), (x, y + down), (x, y - down)]
        found += [(x + i * right, y + j * down) for j in (-1, 1) for i in (1, -1)]
    return tuple(found)


@lru_cache(maxsize=_CACHED)
def place(labels: tuple[Label, ...], taken: tuple[Box, ...], bounds: Box) -> tuple[Point | None, ...]:
    """The centre of each label, None for one that is left out. ``taken`` are boxes that no label may cover."""
    boxes = np.empty((len(taken) + len(labels), 4))
    boxes[: len(taken)] = np.reshape(np.array(taken, dtype=float), (len(taken), 4))
    used = len(taken)
    found: list[Point | None] = []
    for label in labels:
        centre = _first_free(label, boxes[:used], bounds)
        found.append(centre)
        if centre is not None:
            boxes[used] = box(centre, label.width, label.height)
            used += 1
    return tuple(found)


def box(centre: Point, wide: float, high: float) -> Box:
    """The box of that size around a point."""
    x, y = centre
    return x - wide / 2, y - high / 2, x + wide / 2, y + high / 2


def _first_free(label: Label, boxes: npt.NDArray[np.float64], bounds: Box) -> Point | None:
    least, best = np.inf, None
    for centre in label.centres:
        own = box(centre, label.width, label.height)
        if own[0] < bounds[0] or own[1] < bounds[1] or own[2] > bounds[2] or own[3] > bounds[3]:
            continue
        covered = _covered(own, boxes)
        if covered == 0:
            return centre
        if covered < least:
            least, best = covered, centre
    if not label.must:
        return None
    return best if best is not None else label.centres[0]


def _covered(own: Box, boxes: npt.NDArray[np.float64]) -> float:
    """The area that others take of it, counted once for each."""
    wide = np.minimum(own[2], boxes[:, 2]) - np.maximum(own[0], boxes[:, 0])
    high = np.minimum(own[3], boxes[:, 3]) - np.maximum(own[1], boxes[:, 1])
    return float(np.sum(np.clip(wide, 0, None) * np.clip(high, 0, None)))


def nearest(at: Point, centre: Point, label: Label) -> Point:
    """The point of a placed label's edge that is nearest to ``at``: where a line from the symbol ends."""
    left, top, right, bottom = box(centre, label.width, label.height)
    return min(max(at[0], left), right), min(max(at[1], top), bottom)


def is_far(at: Point, centre: Point, label: Label, side: float) -> bool:
    """True where the eye needs a line from the symbol to its label: anywhere but right beside it."""
    x, y = nearest(at, centre, label)
    return max(abs(x - at[0]), abs(y - at[1])) > side / 2 + label.height * 2 * _GAP
