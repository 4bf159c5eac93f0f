"""Level 1 and level 2 of a gas become set-points. Pure.

They are high and high-high, except for oxygen, which is watched on both sides or for lack alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from edge_agent.settings.cells import CellError
from edge_agent.settings.point_rules import GAS_UNITS

_AIR_O2_PCT: Final = 20.9
"""Share of oxygen in air: a level below it means lack."""


def from_levels(unit: str, level_1: str, level_2: str, say: Callable[[str], None]) -> Mapping[str, str]:
    """The set-points by column. Raises CellError where level 2 of a gas is the lower one."""
    first, second = _value(level_1), _value(level_2)
    if unit == "%vol" and first is not None and first < _AIR_O2_PCT:
        if second is None or second > _AIR_O2_PCT:
            say("level 1 in %vol below 20.9 taken for lack of oxygen (l), level 2 for enrichment (h)")
            return {"l": level_1, "h": level_2}
        if second < first:
            say("falling levels in %vol taken for lack of oxygen (l, ll)")
            return {"l": level_1, "ll": level_2}
    if first is not None and second is not None and second <= first:
        message = f"level 2 ({level_2}) is not above level 1 ({level_1})"
        raise CellError(message, "Exchange the two, or use columns for low and low-low where a low value is the danger")
    return {"h": level_1, "hh": level_2}


def missing(row: Mapping[str, str]) -> str | None:
    """What one would expect of a point and does not find, in words."""
    if row.get("unit") in GAS_UNITS:
        levels = [name for name in ("ll", "l", "h", "hh") if row.get(name)]
        if not levels:
            return "gas without a set-point"
        return "gas with one level only" if len(levels) == 1 else None
    return None


def _value(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None
