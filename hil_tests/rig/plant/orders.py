"""What can happen to the plant, as values, and as the words that a person or a scenario writes.

Whether a source, unit or instrument exists is the plant's matter (``Plant.apply``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from hil_tests.rig.words import CommandError, Vocabulary

RATE_KG_S_MAX: Final = 100.0
WIND_M_S_MIN: Final = 0.5
"""Below that gas spreads by itself more than the wind carries it, and the dispersion used here says nothing."""
WIND_M_S_MAX: Final = 30.0


@dataclass(frozen=True, slots=True)
class Leak:
    """Gas escapes at ``source`` from now on; a second leak of a source replaces the first."""

    source: str
    rate_kg_s: float


@dataclass(frozen=True, slots=True)
class StopLeak:
    """None: every leak. What has escaped is still carried by the wind."""

    source: str | None = None


@dataclass(frozen=True, slots=True)
class CoolingFails:
    """The cooling water of a unit stops."""

    unit: str


@dataclass(frozen=True, slots=True)
class CoolingBack:
    unit: str


@dataclass(frozen=True, slots=True)
class Freeze:
    """The instrument keeps showing what it shows now."""

    tag: str


@dataclass(frozen=True, slots=True)
class Unfreeze:
    tag: str


@dataclass(frozen=True, slots=True)
class OpenCircuit:
    """The instrument's wire breaks: NaN."""

    tag: str


@dataclass(frozen=True, slots=True)
class CloseCircuit:
    tag: str


@dataclass(frozen=True, slots=True)
class SetWind:
    """The mean wind from now on; ``from_deg`` is where it comes from, 0 north, 90 east. It still meanders a little."""

    speed_m_s: float
    from_deg: float


@dataclass(frozen=True, slots=True)
class FreeWind:
    """Back to the weather of the seed."""


PlantCommand = (
    Leak | StopLeak | CoolingFails | CoolingBack | Freeze | Unfreeze | OpenCircuit | CloseCircuit | SetWind | FreeWind
)


def parse_plant_command(text: str) -> PlantCommand:
    """``leak cl2-tank-a 0.0002`` and so on. Raises CommandError, which says how the command is written."""
    return _VOCABULARY.parse(text)


def _leak(source: str, rate_kg_s: str) -> Leak:
    return Leak(source, _number(rate_kg_s, "RATE_KG_S", 0.0, RATE_KG_S_MAX, open_low=True))


def _wind(speed_m_s: str, from_deg: str) -> SetWind:
    speed = _number(speed_m_s, "SPEED_M_S", WIND_M_S_MIN, WIND_M_S_MAX)
    return SetWind(speed, _number(from_deg, "FROM_DEG", 0.0, 360.0))


def _number(text: str, name: str, low: float, high: float, *, open_low: bool = False) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high or (open_low and number == low):
        raise CommandError(f"{name} is a number {'above' if open_low else 'from'} {low:g} to {high:g}, not {text!r}")
    return number


_VOCABULARY: Final[Vocabulary[PlantCommand]] = Vocabulary(
    "plant command",
    {
        "leak SOURCE RATE_KG_S": _leak,
        "stop_leak [SOURCE]": StopLeak,
        "cooling_fails UNIT": CoolingFails,
        "cooling_back UNIT": CoolingBack,
        "freeze TAG": Freeze,
        "unfreeze TAG": Unfreeze,
        "open_circuit TAG": OpenCircuit,
        "close_circuit TAG": CloseCircuit,
        "wind SPEED_M_S FROM_DEG": _wind,
        "wind_free": FreeWind,
    },
)

PLANT_USAGES: Final = _VOCABULARY.usages
