"""From a transition that the kernel saw, or a change of what a device says, to an event that is put on record.

Comes from ``pipeline``; goes to ``outbox``. The activation of a condition is named by the number of the event that
turned it on, and numbers are given in the commit thread, so what is handed over is a function that builds the event
once its number is known. Times on the event are those of the sample or tick that decided: the same recording gives the
same events.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from contract.events import ChangeData, ClockState, ConditionData, Event, EventType, Stamp
from contract.ids import ActivationId, AgentName, Epoch
from contract.points import Catalogue, ConditionClass, ConditionKind, PointSpec
from contract.quality import Quality
from edge_agent.detect.changes import Change
from edge_agent.detect.engine import Transition
from edge_agent.outbox.rows import Pending

DETECTOR: Final = "conditions/1"
"""Name and version of the rule set in ``detect.kernels.conditions``."""

RENAMED: Final = "point_renamed"
"""A reason: the condition goes on under another tag."""

ADVISOR: Final = "advice/1"
"""Likewise of ``detect.kernels.advice``."""

_FAULTS: Final = frozenset({ConditionKind.FAULT, ConditionKind.FROZEN})
"""Kinds that are of the class FAULT: they tell of the instrument, not of what it measures."""
_LIMITS: Final = frozenset({ConditionKind.HIGH, ConditionKind.LOW})
"""Kinds that deadband and delays of the limits belong to."""
_REASONS: Final = {
    ConditionKind.HIGH: ("at_or_above_setpoint", "below_setpoint"),
    ConditionKind.LOW: ("at_or_below_setpoint", "above_setpoint"),
    ConditionKind.RATE: ("at_or_above_rate", "below_rate"),
    ConditionKind.OVER_RANGE: ("at_or_above_range", "reset"),
    ConditionKind.FROZEN: ("same_value", "value_moved"),
}
"""Why a condition rose, and why it fell, where its quality does not tell."""
_NS_PER_S: Final = 1_000_000_000


class Reporter:
    """Builds events of points. The functions it returns run in the commit thread, one after the other, in order."""

    def __init__(
        self,
        catalogue: Catalogue,
        agent: AgentName,
        boot_id: str,
        clock_state: Callable[[], ClockState],
        standing: Iterable[ConditionData],
    ) -> None:
        """``standing``: the conditions that are active already, from the store."""
        self._specs = catalogue.by_id()
        self._agent = agent
        self._boot_id = boot_id
        self._clock_state = clock_state
        self._activations = {
            (each.org.split("/")[0], each.tag, each.kind): (each.activation, each.on_time_ns) for each in standing
        }

    def successor(self, catalogue: Catalogue) -> Reporter:
        """The reporter of the next version. Both know the same activations, since events that this one has built are
        numbered, one after the other, while the other builds its own."""
        made = Reporter(catalogue, self._agent, self._boot_id, self._clock_state, ())
        made._activations = self._activations
        return made

    def spec(self, transition: Transition) -> PointSpec:
        return self._specs[transition.point]

    def pending(self, transition: Transition, reason: str | None = None) -> Pending:
        """``reason``: a code that stands instead of the transition's own."""
        spec = self._specs[transition.point]
        stamp = Stamp(transition.time_ns, transition.mono_ns, self._boot_id, self._clock_state())

        def build(epoch: Epoch, seq: int) -> tuple[Event, ConditionData]:
            condition = self._condition(transition, spec, epoch, seq)
            condition = condition if reason is None else replace(condition, reason=reason)
            return Event(_type(transition), spec.org, stamp, condition.to_json()), condition

        return Pending(build)

    def goes_on(self, transition: Transition, former: PointSpec) -> Pending:
        """A condition of a point that was ``former`` a moment ago, under the tag that it has now. Its end under the other
        one is appended before."""
        spec = self._specs[transition.point]
        stamp = Stamp(transition.time_ns, transition.mono_ns, self._boot_id, self._clock_state())

        def build(epoch: Epoch, seq: int) -> tuple[Event, ConditionData]:
            _, on_time_ns = self._activations[former.organisation, former.tag, transition.kind]
            condition = self._condition(transition, spec, epoch, seq)
            condition = replace(condition, on_time_ns=on_time_ns, reason=RENAMED)
            self._activations[spec.organisation, spec.tag, transition.kind] = (condition.activation, on_time_ns)
            return Event(EventType.CONDITION_ON, spec.org, stamp, condition.to_json()), condition

        return Pending(build)

    def renamed(self, condition: ConditionData, point: int, stamp: Stamp) -> list[Pending]:
        """A condition that stands moves with its point to the tag that it has now: closed under the former one, active
        under this one in the same breath, with an activation of its own and the time since when it really stands."""
        spec = self._specs[point]
        closed = replace(
            condition, level=0, previous_level=condition.level, reason=RENAMED, value=math.nan, raw=None
        )  # fmt: skip
        key = (spec.organisation, spec.tag, condition.kind)

        def raised(epoch: Epoch, seq: int) -> tuple[Event, ConditionData]:
            activation = ActivationId(self._agent, epoch, seq)
            self._activations[key] = (activation, condition.on_time_ns)
            moved = replace(
                condition, tag=spec.tag, org=spec.org, previous_level=0, activation=activation, reason=RENAMED
            )  # fmt: skip
            return Event(EventType.CONDITION_ON, spec.org, stamp, moved.to_json()), moved

        off = Event(EventType.CONDITION_OFF, condition.org, stamp, closed.to_json())
        return [Pending(lambda _epoch, _seq: (off, closed)), Pending(raised)]

    def changed(self, change: Change) -> Pending:
        said, spec = change.said, self._specs[change.said.point]
        data = ChangeData(spec.tag, spec.org, said.what, change.former, said.quality, change.left_out)
        stamp = Stamp(change.time_ns, change.mono_ns, self._boot_id, self._clock_state())
        event = Event(data.type, spec.org, stamp, data.to_json())
        return Pending(lambda _epoch, _seq: (event, None))

    def _condition(self, transition: Transition, spec: PointSpec, epoch: Epoch, seq: int) -> ConditionData:
        key = (spec.organisation, spec.tag, transition.kind)
        if transition.old_level == 0:
            self._activations[key] = (ActivationId(self._agent, epoch, seq), transition.time_ns)
        activation, on_time_ns = self._activations[key]
        return ConditionData(
            tag=spec.tag,
            org=spec.org,
            kind=transition.kind,
            condition_class=_class(transition, spec),
            level=transition.new_level,
            previous_level=transition.old_level,
            activation=activation,
            on_time_ns=on_time_ns,
            value=transition.value,
            raw=_raw(transition, spec),
            unit=spec.unit,
            quality=transition.quality,
            setpoint=transition.setpoint,
            deadband=spec.limits.deadband if transition.kind in _LIMITS else 0.0,
            delay_ns=_delay_ns(transition, spec),
            detector=ADVISOR if transition.kind.is_statistical else DETECTOR,
            reason=_reason(transition),
            inhibited=transition.inhibited,
            advice=transition.advice,
        )


def _raw(transition: Transition, spec: PointSpec) -> int | None:
    if transition.kind.is_statistical or not spec.type.is_integer or math.isnan(transition.value):
        return None
    return transition.raw


def _type(transition: Transition) -> EventType:
    if transition.new_level == 0:
        return EventType.CONDITION_OFF
    return EventType.CONDITION_ON if transition.old_level == 0 else EventType.CONDITION_LEVEL


def _class(transition: Transition, spec: PointSpec) -> ConditionClass:
    if transition.kind.is_statistical:
        return ConditionClass.ADVISORY
    return ConditionClass.FAULT if transition.kind in _FAULTS else spec.limit_class


def _delay_ns(transition: Transition, spec: PointSpec) -> int:
    """The delay that this change had to sit out."""
    rising = transition.new_level > transition.old_level
    if transition.kind is ConditionKind.FAULT:
        delay_s = spec.fault_on_delay_s if rising else spec.fault_off_delay_s
    elif transition.kind is ConditionKind.FROZEN:
        delay_s = spec.frozen_s if rising else 0.0
    elif transition.kind not in _LIMITS:
        delay_s = 0.0
    elif not rising:
        delay_s = spec.limits.off_delay_s
    else:
        delay_s = spec.limits.on_delay_2_s if transition.new_level == 2 else spec.limits.on_delay_s
    return round(delay_s * _NS_PER_S)


def _reason(transition: Transition) -> str:
    """A code; its parameters are the event's own fields."""
    if transition.kind is ConditionKind.FAULT:
        return f"quality_{Quality(transition.quality).name.lower()}"
    rose, fell = _REASONS.get(transition.kind, (f"{transition.kind}_seen", f"{transition.kind}_over"))
    return rose if transition.new_level > transition.old_level else fell
