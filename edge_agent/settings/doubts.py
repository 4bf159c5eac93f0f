"""What the points of a device allow and is mostly a mistake, in lines for a person. Pure: a driver's factory is asked, none is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from contract.points import PointSpec
from drivers.base import DriverFactory

_TOLD_MAX: Final = 10


def doubts_of(device: str, factory: DriverFactory, points: Sequence[PointSpec]) -> list[str]:
    """``points`` are those of the device; of many doubts the first are told, and how many more there are."""
    found = factory.doubts(points)
    lines = [f"LOOK: {device}: {each}" for each in found[:_TOLD_MAX]]
    if (more := len(found) - _TOLD_MAX) > 0:
        lines.append(f"LOOK: {device}: {more} more such places")
    return lines
