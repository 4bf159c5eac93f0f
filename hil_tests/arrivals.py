"""When gas passed the set-points of detectors, and when their alarms came. Pure.

What was really there comes from a copy of the plant; alarms come from the journal, and from what an operator saw and
acknowledged. All times are of one host's monotonic clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from contract.points import ConditionClass, ConditionKind
from hil_tests.journal_lines import CONDITION_ON
from hil_tests.rig.plant import STEP_NS, Plant
from hil_tests.verdicts import SeenEvent


@dataclass(frozen=True, slots=True)
class Leak:
    """What was done to the plant, from when on, and until when it is judged."""

    source: str
    mono_ns: int
    until_ns: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An operator's acknowledgement that the control room took."""

    tag: str
    kind: str
    mono_ns: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """One detector. ``passed_ns``: the concentration in front of it passed the set-point of level 1. ``judged_ns`` and
    ``committed_ns``: its alarm, at the agent and at the aggregator; None where there was none, or nobody acknowledged."""

    tag: str
    passed_ns: int
    judged_ns: int | None
    committed_ns: int | None
    acknowledged_ns: int | None

    @property
    def after_setpoint_ms(self) -> float | None:
        return None if self.committed_ns is None else (self.committed_ns - self.passed_ns) / 1e6


def passings(plant: Plant, setpoints: Mapping[str, float], start_ns: int, leak: Leak) -> dict[str, int]:
    """When the true concentration first passed each detector's set-point, for those where it did.

    ``plant`` is a copy at its beginning that knows of the leak; its 0 is ``start_ns``.
    """
    passed: dict[str, int] = {}
    for t_ns in range(leak.mono_ns - start_ns, leak.until_ns - start_ns, STEP_NS):
        plant.advance(t_ns)
        for tag, setpoint in setpoints.items():
            if tag not in passed and plant.truth(tag) >= setpoint:
                passed[tag] = start_ns + t_ns
    return passed


def arrivals(
    passed: Mapping[str, int], leak: Leak, seen: Iterable[SeenEvent], acknowledged: Iterable[Acknowledged]
) -> list[Arrival]:
    """In the order in which the alarms came; detectors without one stand last."""
    firsts: dict[str, SeenEvent] = {}
    for each in sorted(seen, key=lambda each: each.event.mono_ns):
        if each.event.tag in passed and _is_gas_alarm(each) and leak.mono_ns <= each.event.mono_ns < leak.until_ns:
            firsts.setdefault(each.event.tag, each)
    done: dict[str, int] = {}
    for act in sorted(acknowledged, key=lambda act: act.mono_ns):
        if act.kind == ConditionKind.HIGH and act.tag in firsts and act.mono_ns >= firsts[act.tag].event.mono_ns:
            done.setdefault(act.tag, act.mono_ns)
    found = [_arrival(tag, passed_ns, firsts.get(tag), done.get(tag)) for tag, passed_ns in passed.items()]
    return sorted(found, key=lambda each: (each.judged_ns is None, each.judged_ns or each.passed_ns))


def order_of_arrival(found: Sequence[Arrival]) -> list[str]:
    """Tags of the detectors that raised an alarm, the first one first."""
    return [each.tag for each in found if each.judged_ns is not None]


def _is_gas_alarm(seen: SeenEvent) -> bool:
    event = seen.event
    kind = (event.type, event.kind, event.condition_class)
    return kind == (CONDITION_ON, ConditionKind.HIGH, ConditionClass.SAFETY)


def _arrival(tag: str, passed_ns: int, first: SeenEvent | None, acknowledged_ns: int | None) -> Arrival:
    if first is None:
        return Arrival(tag, passed_ns, None, None, None)
    return Arrival(tag, passed_ns, first.event.mono_ns, first.committed_ns, acknowledged_ns)
