"""Every alarm in memory, moved by news of conditions, by people and by timers, through the one table.

Its owner is ingest, the only writer: it loads the book at start, tells it what each agent had said, hands each decision
a Changeset, and ends when a commit fails, so memory and store never differ. Several agents may report one condition: the
alarm follows the worst of what they say, and is over when the last of them says so. What the table refuses from the process (a SNAPSHOT that repeats what is known)
is no news and leaves no record; what it refuses a person is told to him.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from aggregator.alarms.alarm import Alarm, Instance, alarm_row, instance_id, instance_row
from aggregator.alarms.policy import AlarmKey, AlarmRules, key_of, latches, priority
from aggregator.alarms.reports import Reports
from aggregator.alarms.states import Effect, Event, Reason, Shelf, State, Step, Trigger
from aggregator.alarms.table import step
from aggregator.alarms.tables import ALARM_ACTIVATIONS, ALARM_INSTANCES, ALARMS
from aggregator.journal.changeset import Changeset
from aggregator.journal.log import Draft, JournalKind
from contract.events import ConditionData, Json
from contract.ids import ActivationId
from contract.points import ConditionClass

_SILENCING: Final = frozenset({Event.ACKNOWLEDGE, Event.RETURNED, Event.SHELVE, Event.SUPPRESS,
                               Event.REMOVE_FROM_SERVICE})  # fmt: skip
_HISTORY: Final = frozenset({Event.MISSED, Event.PASSED})
_BESIDE: Final = _HISTORY | {Event.JOINED}
"""News beside that which a standing alarm shows."""


class Book:
    """Alarms by key. Times are the wall clock's, ns: a shelf ends at the moment that was promised."""

    def __init__(self, alarms: Iterable[Alarm] = (), rules: AlarmRules | None = None) -> None:
        self.rules = rules or AlarmRules()
        self._alarms = {alarm.key: alarm for alarm in alarms}
        self._reports = Reports()
        self._due_ns: int | None = None
        self._find_due()

    def get(self, key: AlarmKey) -> Alarm | None:
        return self._alarms.get(key)

    # -- the process -------------------------------------------------------------------------------------------------

    def know(self, condition: ConditionData) -> None:
        """What an agent said of a condition before this process began."""
        self._reports.take(condition)

    def take(self, changes: Changeset, condition: ConditionData, exercise_id: str | None = None) -> None:
        """The present state of a condition, as one agent has it. The same again changes nothing."""
        key, alarm = key_of(condition), self._of(condition)
        state, before = alarm.state, self._reports.take(condition)
        worst = self._reports.worst(condition, alarm.condition.activation.agent)
        is_new = before is None or before.activation != condition.activation
        is_beside = self._reports.has_others(condition)
        if state.active and (not worst.level or (is_new and not is_beside)):
            self._move(changes, key, Trigger(Event.RETURNED), worst, exercise_id)
        if worst.level and worst.inhibited and not state.suppressed:
            self._move(changes, key, Trigger(Event.SUPPRESS), worst, exercise_id)
        is_released = before is not None and before.inhibited
        if is_beside and condition.level and not condition.inhibited and (is_new or is_released):
            joins = Trigger(Event.JOINED, condition.level, latches(condition))
            self._move(changes, key, joins, condition, exercise_id)
        self._raise(changes, worst, exercise_id)
        self._follow(changes, worst)
        if state.suppressed and not (worst.level and worst.inhibited):
            self._move(changes, key, Trigger(Event.UNSUPPRESS), worst, exercise_id)

    def _follow(self, changes: Changeset, worst: ConditionData) -> None:
        """Show what the alarm rests on now, where that went from one agent to another without a change of state."""
        alarm = self._of(worst)
        if alarm.state.active and alarm.condition.activation != worst.activation:
            self._put(changes, replace(alarm, condition=worst))

    def take_history(self, changes: Changeset, condition: ConditionData, exercise_id: str | None = None) -> None:
        """An activation that came and went before anybody here could know of it."""
        owed = condition.condition_class is ConditionClass.SAFETY and not condition.inhibited
        event = Event.MISSED if owed else Event.PASSED
        trigger = Trigger(event, condition.level, latches(condition))
        self._move(changes, key_of(condition), trigger, condition, exercise_id)

    def _raise(self, changes: Changeset, condition: ConditionData, exercise_id: str | None) -> None:
        level, standing = condition.level, self._of(condition).state.level
        if level == standing:
            return
        event = Event.RAISED if not standing else Event.LEVEL_UP if level > standing else Event.LEVEL_DOWN
        trigger = Trigger(event, level, latches(condition))
        self._move(changes, key_of(condition), trigger, condition, exercise_id)

    def _of(self, condition: ConditionData) -> Alarm:
        return self._alarms.get(key_of(condition)) or Alarm(key_of(condition), replace(condition, level=0))

    # -- people ------------------------------------------------------------------------------------------------------

    def act(
        self,
        changes: Changeset,
        key: AlarmKey,
        trigger: Trigger,
        restricted: Mapping[str, Json],
        data: Mapping[str, Json],
        until_ns: int | None = None,
    ) -> Alarm | Reason:
        """What a person does; ``until_ns`` ends a shelf or is the date of the permit. The key must be known."""
        alarm = self._alarms[key]
        trigger = replace(trigger, latching=latches(alarm.condition))
        return self._apply(changes, alarm, trigger, alarm.condition, data, restricted, until_ns)

    # -- timers ------------------------------------------------------------------------------------------------------

    def expire(self, changes: Changeset) -> None:
        """End what was promised to end by now. Cheap where nothing is due."""
        if self._due_ns is None or changes.wall_ns < self._due_ns:
            return
        for alarm in [*self._alarms.values()]:
            if alarm.shelf_until_ns is not None and alarm.shelf_until_ns <= changes.wall_ns:
                self._expire(changes, alarm, Event.SHELF_EXPIRED)
            elif alarm.re_alarm_ns is not None and alarm.re_alarm_ns <= changes.wall_ns:
                self._expire(changes, alarm, Event.REALARM)
        self._find_due()

    def _expire(self, changes: Changeset, alarm: Alarm, event: Event) -> None:
        trigger = Trigger(event, latching=latches(alarm.condition))
        moved = self._apply(changes, alarm, trigger, alarm.condition, {})
        if isinstance(moved, Reason):  # a re-alarm beneath a hold: the release will sound
            self._put(changes, replace(alarm, re_alarm_ns=None))

    def _find_due(self) -> None:
        dues = [due for alarm in self._alarms.values() for due in (alarm.shelf_until_ns, alarm.re_alarm_ns) if due]
        self._due_ns = min(dues, default=None)

    # -- the one way -------------------------------------------------------------------------------------------------

    def _move(
        self, changes: Changeset, key: AlarmKey, trigger: Trigger, condition: ConditionData, exercise_id: str | None
    ) -> None:
        alarm = self._alarms.get(key) or Alarm(key, replace(condition, level=0))
        self._apply(changes, alarm, trigger, condition, {}, exercise_id=exercise_id)

    def _apply(
        self, changes: Changeset, alarm: Alarm, trigger: Trigger, condition: ConditionData, data: Mapping[str, Json],
        restricted: Mapping[str, Json] | None = None, until_ns: int | None = None, exercise_id: str | None = None,
    ) -> Alarm | Reason:  # fmt: skip
        found = step(alarm.state, trigger)
        if isinstance(found, Reason):
            return found
        instance = _instance(changes, alarm, trigger, found, condition, restricted, data)
        beside = trigger.event in _BESIDE and alarm.is_standing
        moved = replace(
            alarm, state=found.state, condition=alarm.condition if beside else condition,
            revision=alarm.revision + (trigger.event is not Event.COMMENT), changed_ns=changes.wall_ns,
            sounding=_sounding(alarm, trigger.event, found),
            instance=None if Effect.ENDS_INSTANCE in found.effects else instance,
            shelf_until_ns=_shelf_end(alarm, found, until_ns), service_until_ns=_service_end(alarm, found, until_ns),
            re_alarm_ns=_re_alarm(alarm, found, changes.wall_ns, self.rules),
            hold=_hold(alarm, found.state, trigger.event, restricted, data),
            level_owed=_level_owed(alarm, trigger, found, instance),
        )  # fmt: skip
        self._put(changes, moved)
        if instance is not None:
            ended_ns = changes.wall_ns if Effect.ENDS_INSTANCE in found.effects else None
            instance = replace(instance, ended_ns=ended_ns)
            changes.put(ALARM_INSTANCES, instance_row(instance))
        changes.drafts.append(
            _draft(changes, alarm, moved, instance, trigger, condition, found, data, restricted, exercise_id)
        )
        return moved

    def _put(self, changes: Changeset, alarm: Alarm) -> None:
        self._alarms[alarm.key] = alarm
        changes.put(ALARMS, alarm_row(alarm))
        for due_ns in (alarm.shelf_until_ns, alarm.re_alarm_ns):
            if due_ns is not None:
                self._due_ns = due_ns if self._due_ns is None else min(self._due_ns, due_ns)


def _instance(
    changes: Changeset, alarm: Alarm, trigger: Trigger, found: Step, condition: ConditionData,
    restricted: Mapping[str, Json] | None, data: Mapping[str, Json],
) -> Instance | None:  # fmt: skip
    """The instance behind the event: a new one, the one that stands, or none."""
    instance = alarm.instance
    if Effect.OPENS_INSTANCE in found.effects:
        instance = Instance(
            instance_id(condition.activation), alarm.key, condition.org, condition.condition_class.value,
            changes.wall_ns, condition.on_time_ns, condition.on_time_ns, trigger.level,
            late=trigger.event in _HISTORY,
        )  # fmt: skip
    if instance is None:
        return None
    if found.effects & {Effect.OPENS_INSTANCE, Effect.JOINS_INSTANCE}:
        changes.put(ALARM_ACTIVATIONS, _link(condition.activation, instance))
        # What is told late began before that which stands, or after it; other news is newer than all before it.
        is_older = trigger.event in _HISTORY and condition.on_time_ns < instance.raised_ns
        raised_ns = instance.raised_ns if is_older else condition.on_time_ns
        instance = replace(instance, activations=instance.activations + 1, raised_ns=raised_ns)
    if trigger.event is Event.ACKNOWLEDGE and restricted is not None:
        instance = replace(instance, acknowledged_ns=changes.wall_ns, acknowledged_by=str(restricted["person"]))
    if not found.state.acknowledged:
        instance = replace(instance, acknowledged_ns=None, acknowledged_by=None)
    if data.get("comment"):
        instance = replace(instance, comment=str(data["comment"]))
    return replace(instance, level_max=max(instance.level_max, trigger.level))


def _level_owed(alarm: Alarm, trigger: Trigger, found: Step, instance: Instance | None) -> int:
    if instance is None or Effect.ENDS_INSTANCE in found.effects:
        return 0
    if trigger.event is Event.ACKNOWLEDGE:
        return found.state.level
    if trigger.event is Event.UNACKNOWLEDGE:
        return instance.level_max
    return max(alarm.level_owed, trigger.level if trigger.event is Event.MISSED else found.state.level)


def _link(activation: ActivationId, instance: Instance) -> dict[str, object]:
    return {"agent": activation.agent, "epoch": activation.epoch, "seq": activation.seq, "instance": instance.id}


def _sounding(alarm: Alarm, event: Event, found: Step) -> bool:
    if Effect.SOUND in found.effects:
        return True
    return alarm.sounding and event not in _SILENCING


def _shelf_end(alarm: Alarm, found: Step, until_ns: int | None) -> int | None:
    if found.state.shelf is Shelf.NONE:
        return None
    return until_ns if Effect.STARTS_SHELF in found.effects else alarm.shelf_until_ns


def _service_end(alarm: Alarm, found: Step, until_ns: int | None) -> int | None:
    if not found.state.out_of_service:
        return None
    return alarm.service_until_ns if alarm.state.out_of_service else until_ns


def _re_alarm(alarm: Alarm, found: Step, now_ns: int, rules: AlarmRules) -> int | None:
    """Only what stands acknowledged is heard again."""
    if not (found.state.active and found.state.acknowledged):
        return None
    if Effect.STARTS_REALARM in found.effects and alarm.condition.condition_class is ConditionClass.SAFETY:
        return now_ns + rules.re_alarm_ns
    return alarm.re_alarm_ns


def _hold(
    alarm: Alarm, state: State, event: Event, restricted: Mapping[str, Json] | None, data: Mapping[str, Json]
) -> Mapping[str, Json]:
    """Why and by whom it is shelved or out of service, as long as it is."""
    hold = dict(alarm.hold)
    name = {Event.SHELVE: "shelf", Event.REMOVE_FROM_SERVICE: "service"}.get(event)
    if name is not None and restricted is not None:
        hold[name] = {**data, "person": restricted["person"]}
    if state.shelf is Shelf.NONE:
        hold.pop("shelf", None)
    if not state.out_of_service:
        hold.pop("service", None)
    return hold


def _draft(
    changes: Changeset, before: Alarm, after: Alarm, instance: Instance | None, trigger: Trigger,
    condition: ConditionData, found: Step, data: Mapping[str, Json], restricted: Mapping[str, Json] | None,
    exercise_id: str | None,
) -> Draft:  # fmt: skip
    activation, late = condition.activation, trigger.event in _HISTORY
    level = max(after.state.level, before.state.level, trigger.level)
    effects: list[Json] = [effect.value for effect in sorted(found.effects)]
    said = condition.to_json()
    record: dict[str, Json] = {
        "event": trigger.event.value, "organisation": after.key.organisation, "tag": after.key.tag,
        "kind": after.key.kind.value, "class": condition.condition_class.value,
        "instance": None if instance is None else instance.id, "revision": str(after.revision),
        "from": _state_json(before.state), "to": _state_json(after.state), "effects": effects,
        "priority": priority(condition, level), "level": level, "value": said["value"], "unit": condition.unit,
        "setpoint": said["setpoint"],
        "activation": {"agent": activation.agent, "epoch": activation.epoch, "seq": str(activation.seq)},
        "details": dict(data),
    }  # fmt: skip
    return Draft(
        JournalKind.ALARM, changes.wall_ns, record, condition.org, exercise_id, late=late, restricted=restricted
    )


def _state_json(state: State) -> Json:
    return {
        "letter": state.letter.value, "active": state.active, "level": state.level,
        "acknowledged": state.acknowledged, "latched": state.latched, "shelf": state.shelf.value,
        "suppressed": state.suppressed, "out_of_service": state.out_of_service,
    }  # fmt: skip
