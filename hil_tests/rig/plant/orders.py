"""What can happen to the plant, as values, and as the words that a person or a scenario writes.

Whether a source, unit or instrument exists is the plant's matter (``Plant.apply``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from hil_tests.rig.commands import CommandError, shown

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
    verb, *args = text.split() or [""]
    word = _WORDS.get(verb)
    if word is None:
        raise CommandError(f"no such plant command {verb!r}; there are: {'; '.join(PLANT_USAGES)}")
    if not word.fewest <= len(args) <= word.most:
        raise CommandError(f"write: {word.usage}")
    return word.make(args)


def plant_command_text(command: PlantCommand) -> str:
    """The words of a command: ``parse_plant_command`` makes an equal command of them."""
    args: tuple[object, ...]
    match command:
        case Leak(source, rate_kg_s):
            args = source, shown(rate_kg_s)
        case StopLeak(source):
            args = () if source is None else (source,)
        case CoolingFails(unit) | CoolingBack(unit):
            args = (unit,)
        case SetWind(speed_m_s, from_deg):
            args = shown(speed_m_s), shown(from_deg)
        case FreeWind():
            args = ()
        case _:
            args = (command.tag,)
    return " ".join(map(str, (_VERBS[type(command)], *args)))


def _leak(args: Sequence[str]) -> Leak:
    return Leak(args[0], _number(args[1], "RATE_KG_S", 0.0, RATE_KG_S_MAX, open_low=True))


def _wind(args: Sequence[str]) -> SetWind:
    speed_m_s = _number(args[0], "SPEED_M_S", WIND_M_S_MIN, WIND_M_S_MAX)
    return SetWind(speed_m_s, _number(args[1], "FROM_DEG", 0.0, 360.0))


def _number(text: str, name: str, low: float, high: float, *, open_low: bool = False) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high or (open_low and number == low):
        raise CommandError(f"{name} is a number {'above' if open_low else 'from'} {low:g} to {high:g}, not {text!r}")
    return number


@dataclass(frozen=True, slots=True)
class _Word:
    usage: str
    fewest: int
    most: int
    make: Callable[[Sequence[str]], PlantCommand]


_WORDS: Final = {
    "leak": _Word("leak SOURCE RATE_KG_S", 2, 2, _leak),
    "stop_leak": _Word("stop_leak [SOURCE]", 0, 1, lambda args: StopLeak(args[0] if args else None)),
    "cooling_fails": _Word("cooling_fails UNIT", 1, 1, lambda args: CoolingFails(args[0])),
    "cooling_back": _Word("cooling_back UNIT", 1, 1, lambda args: CoolingBack(args[0])),
    "freeze": _Word("freeze TAG", 1, 1, lambda args: Freeze(args[0])),
    "unfreeze": _Word("unfreeze TAG", 1, 1, lambda args: Unfreeze(args[0])),
    "open_circuit": _Word("open_circuit TAG", 1, 1, lambda args: OpenCircuit(args[0])),
    "close_circuit": _Word("close_circuit TAG", 1, 1, lambda args: CloseCircuit(args[0])),
    "wind": _Word("wind SPEED_M_S FROM_DEG", 2, 2, _wind),
    "wind_free": _Word("wind_free", 0, 0, lambda args: FreeWind()),
}

_VERBS: Final[dict[type[PlantCommand], str]] = {
    Leak: "leak",
    StopLeak: "stop_leak",
    CoolingFails: "cooling_fails",
    CoolingBack: "cooling_back",
    Freeze: "freeze",
    Unfreeze: "unfreeze",
    OpenCircuit: "open_circuit",
    CloseCircuit: "close_circuit",
    SetWind: "wind",
    FreeWind: "wind_free",
}

PLANT_USAGES: Final = tuple(word.usage for word in _WORDS.values())
