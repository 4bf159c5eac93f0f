"""What an alarm is like, from the condition that it comes from: priority, latching, gas. Pure.

The edge says class and level; priority is the control room's (ISA-18.2 clause 11: severity of the consequence × time to
respond), and so is latching: alarm controllers hold a gas alarm until somebody resets it (GB 16808).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from contract.clock import NS_PER_S
from contract.events import ConditionData
from contract.points import ConditionClass, ConditionKind

RE_ALARM_MIN_DEFAULT: Final = 60.0
SHELVE_MAX_H_DEFAULT: Final = 8.0
"""A shift."""


class AlarmKey(NamedTuple):
    """Identity of an alarm, independent of gateway and epoch: that of its condition."""

    organisation: str
    tag: str
    kind: ConditionKind


class Gas(StrEnum):
    """What a gas measurement warns of; at equal priority toxic stands before combustible (GB/T 50493)."""

    TOXIC = "toxic"
    COMBUSTIBLE = "combustible"


_GAS_OF_UNIT: Final = {
    "ppm": Gas.TOXIC, "ppb": Gas.TOXIC, "mg/m3": Gas.TOXIC, "%vol": Gas.TOXIC, "%LEL": Gas.COMBUSTIBLE,
    "LEL.m": Gas.COMBUSTIBLE,
}  # fmt: skip
"""Oxygen in %vol counts as toxic: too little of it kills as quickly."""


@dataclass(frozen=True, slots=True)
class AlarmRules:
    """``re_alarm_ns``: an acknowledged safety alarm that still stands after that sounds again. ``shelve_max_ns``: the
    longest that anything may be shelved."""

    re_alarm_ns: int = round(RE_ALARM_MIN_DEFAULT * 60 * NS_PER_S)
    shelve_max_ns: int = round(SHELVE_MAX_H_DEFAULT * 3600 * NS_PER_S)


def key_of(condition: ConditionData) -> AlarmKey:
    return AlarmKey(condition.org.split("/", 1)[0], condition.tag, condition.kind)


def gas(condition: ConditionData) -> Gas | None:
    """None where the alarm is not about a gas that is there: a fault of a gas detector is none."""
    return gas_of(condition.unit, condition.condition_class)


def gas_of(unit: str, condition_class: str) -> Gas | None:
    """The same of a record that is no condition of this version."""
    return _GAS_OF_UNIT.get(unit) if condition_class == ConditionClass.SAFETY else None


def badness(condition: ConditionData) -> tuple[bool, bool, int]:
    """Of several agents' news of one condition the greatest rules: first what no gateway inhibits, then safety, then the
    higher level."""
    return not condition.inhibited, condition.condition_class is ConditionClass.SAFETY, condition.level


def latches(condition: ConditionData) -> bool:
    return gas(condition) is not None


def priority(condition: ConditionData, level: int) -> int:
    """1 high, 2 medium, 3 low. Level 2 of a safety condition is high, and so is more gas than its head can measure; gas
    at level 1 is medium, since people are in it already; everything else at level 1 leaves time and is low, as are faults,
    advisories and the system's own."""
    if condition.condition_class is not ConditionClass.SAFETY:
        return 3
    if level >= 2 or condition.kind is ConditionKind.OVER_RANGE:
        return 1
    return 2 if latches(condition) else 3
