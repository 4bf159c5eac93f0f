"""What the alarm bar on every page says, from the standing alarms. Pure.

It shows the one alarm that wants a person first, counts per priority, and names what must sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aggregator.alarms.service import AlarmView
from aggregator.pages import symbols

PRIORITIES: Final = (1, 2, 3)
OWED: Final = frozenset({"B", "D"})


@dataclass(frozen=True, slots=True)
class Count:
    """Alarms of one priority that are shown to the operator: not shelved, suppressed or out of service."""

    priority: int
    unacknowledged: int
    standing: int
    colour: str
    """Of the gravest among them; "normal" where there is none."""


@dataclass(frozen=True, slots=True)
class Sounding:
    """``id`` is another one when the alarm has to be heard again; ``tone`` is a name out of control_room.js."""

    id: str
    tone: str


@dataclass(frozen=True, slots=True)
class Bar:
    counts: tuple[Count, ...]
    first: AlarmView | None
    """Highest priority, then newest, of those that nobody has acknowledged."""
    sounding: tuple[Sounding, ...]
    set_aside: int
    """Shelved, suppressed, out of service."""


def summarise(standing: Sequence[AlarmView]) -> Bar:
    shown = [alarm for alarm in standing if alarm.letter in "BCD"]
    owed = [alarm for alarm in shown if alarm.letter in OWED]
    return Bar(
        counts=tuple(_count(priority, shown, owed) for priority in PRIORITIES),
        first=min(owed, key=_urgency, default=None),
        sounding=tuple(Sounding(_sound_id(alarm), tone(alarm)) for alarm in shown if alarm.sounding),
        set_aside=len(standing) - len(shown),
    )


def _count(priority: int, shown: Sequence[AlarmView], owed: Sequence[AlarmView]) -> Count:
    standing = [alarm for alarm in shown if alarm.priority == priority]
    colours = {symbols.colour(alarm) for alarm in standing}
    return Count(
        priority,
        sum(alarm.priority == priority for alarm in owed),
        len(standing),
        min(colours, key=symbols.COLOURS.index, default="normal"),
    )


def tone(alarm: AlarmView) -> str:
    """Toxic differs from combustible, gas from the rest, a level from the next."""
    nature = "other" if alarm.priority == 3 or not alarm.is_gas else "toxic" if alarm.is_toxic else "gas"
    return f"{nature}_{alarm.priority}"


def _urgency(alarm: AlarmView) -> tuple[int, bool, bool, bool, int]:
    return alarm.priority, alarm.is_advisory, alarm.letter != "B", not alarm.is_toxic, -alarm.raised_ns


def _sound_id(alarm: AlarmView) -> str:
    return f"{alarm.instance}:{alarm.level}:{alarm.activations}"
