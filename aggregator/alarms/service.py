"""What pages and API may ask about alarms, and have done to them. Reads the database; what changes is ingest's.

Every function looks up the caller's session and rights at that moment, and shows what lies in his scope only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from aggregator.alarms.alarm import Alarm, Instance
from aggregator.alarms.commands import DEMANDS, NAME_LENGTH_MAX, Action
from aggregator.alarms.policy import AlarmKey, Gas, gas, latches, priority
from aggregator.alarms.queries import load_alarm, load_alarms, load_history, load_instance
from aggregator.alarms.states import Step, Trigger
from aggregator.alarms.table import step
from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.folder import Folder
from aggregator.people.rights import Caller, Right, covers
from aggregator.people.service import PeopleService
from aggregator.store import db
from contract.events import Json
from contract.points import ConditionClass, ConditionKind

HISTORY_MAX: Final = 1000


@dataclass(frozen=True, slots=True)
class AlarmView:
    """One alarm as a person sees it.

    ``instance`` names the instance that stands; an alarm that is held while normal has none, and is named by
    "organisation/tag/kind". ``level`` is the present one, 0 where the process is normal; ``level_highest`` the one that the
    alarm is named and ranked by: while it is unacknowledged the highest since it was last acknowledged. ``revision`` is what an action has to give back as *seen*. ``value``, ``setpoint`` are in
    ``unit``, None where there is no number. Times are ns UTC; ``raised_ns`` is the edge's, of
    the newest activation, ``first_raised_ns`` that of the first one, None where it is the same. ``acknowledged_by`` and
    ``acknowledged_ns`` are of the acknowledgement that stands, None while an answer is owed. ``allowed``: what the table
    would accept now, whoever asks.
    """

    organisation: str
    tag: str
    kind: str
    org: str
    instance: str
    letter: str
    active: bool
    level: int
    level_highest: int
    level_max: int
    acknowledged: bool
    latched: bool
    shelved_until_ns: int | None
    suppressed: bool
    out_of_service: bool
    service_until_ns: int | None
    hold: dict[str, Json]
    priority: int
    condition_class: str
    is_gas: bool
    is_toxic: bool
    sounding: bool
    value: float | None
    unit: str
    setpoint: float | None
    quality: int
    raised_ns: int
    received_ns: int
    changed_ns: int
    revision: int
    activations: int
    late: bool
    agent: str
    comment: str | None
    acknowledged_by: str | None
    acknowledged_ns: int | None
    allowed: tuple[Action, ...]
    first_raised_ns: int | None = None

    @property
    def is_advisory(self) -> bool:
        """It stands behind everything else of its priority."""
        return self.condition_class == ConditionClass.ADVISORY


class AlarmService:
    """Safe to call from several threads."""

    def __init__(self, folder: Folder, people: PeopleService) -> None:
        self._database = folder.database
        self._people = people

    def standing(self, caller: Caller) -> list[AlarmView]:
        """Everything that is not normal, or held: priority, toxic before combustible, unacknowledged, newest first."""
        person = self._people.require(caller, Right.SEE)
        with db.open_reader(self._database).begin() as connection:
            alarms = load_alarms(connection, standing_only=True)
        return sorted((_view(alarm) for alarm in alarms if covers(person.scope, alarm.condition.org)), key=_urgency)

    def one(self, caller: Caller, name: str) -> AlarmView:
        """By its instance, or by "organisation/tag/kind". Raises RefusedError UNKNOWN."""
        person = self._people.require(caller, Right.SEE)
        alarm = self._find(name)
        if alarm is None or not covers(person.scope, alarm.condition.org):
            raise RefusedError(RefusalCode.UNKNOWN, what="alarm", name=name[:NAME_LENGTH_MAX])
        return _view(alarm)

    def history(self, caller: Caller, tag: str | None = None, limit: int = 100) -> list[Instance]:
        """The newest instances of the person's scope, also those that are over; fewer than ``limit`` where there are no
        more."""
        person = self._people.require(caller, Right.SEE)
        with db.open_reader(self._database).begin() as connection:
            return load_history(connection, min(limit, HISTORY_MAX), person.scope, tag)

    def act(self, caller: Caller, action: Action, instance: str, seen: int, **args: Json) -> AlarmView:
        """Have it done; the alarm afterwards. ``seen`` is the revision that the person saw.

        Raises RefusedError (MOVED_ON where it has changed since, NOT_POSSIBLE with the table's reason, NOT_ALLOWED,
        INVALID, UNKNOWN, NOT_SIGNED_IN) and UnavailableError. Ingest alone judges, so that every refusal is on record and
        who may not act is told so whether there is such an alarm or not.
        """
        command: dict[str, Json] = {"alarm": instance[:NAME_LENGTH_MAX], "seen": seen, **args}
        alarm = self._find(instance)
        if alarm is not None:
            command |= _meant(alarm, instance)
        self._people.command(caller, f"alarm_{action.value}", command)
        assert alarm is not None, "nothing is done to what is unknown"
        with db.open_reader(self._database).begin() as connection:
            done = load_alarm(connection, alarm.key)
        assert done is not None, "an alarm's row stays for ever"
        return _view(done)

    def _find(self, name: str) -> Alarm | None:
        with db.open_reader(self._database).begin() as connection:
            key = _key(name)
            if key is None:
                instance = load_instance(connection, name)
                key = None if instance is None else instance.key
            return None if key is None else load_alarm(connection, key)


def _meant(alarm: Alarm, name: str) -> dict[str, Json]:
    """Whoever names a condition means the instance that stands."""
    key, standing = alarm.key, None if alarm.instance is None else alarm.instance.id
    return {
        "organisation": key.organisation, "tag": key.tag, "kind": key.kind.value,
        "instance": standing if "/" in name else name,
    }  # fmt: skip


def _key(name: str) -> AlarmKey | None:
    parts = name.split("/")
    if len(parts) != 3 or parts[2] not in {kind.value for kind in ConditionKind}:
        return None
    return AlarmKey(parts[0], parts[1], ConditionKind(parts[2]))


def _view(alarm: Alarm) -> AlarmView:
    condition, state, instance = alarm.condition, alarm.state, alarm.instance
    return AlarmView(
        organisation=alarm.key.organisation, tag=alarm.key.tag, kind=alarm.key.kind.value, org=condition.org,
        instance="/".join(alarm.key) if instance is None else instance.id, letter=state.letter.value,
        active=state.active, level=state.level, level_highest=alarm.level_highest, level_max=0 if instance is None else instance.level_max,
        acknowledged=state.acknowledged, latched=state.latched, shelved_until_ns=alarm.shelf_until_ns,
        suppressed=state.suppressed, out_of_service=state.out_of_service, service_until_ns=alarm.service_until_ns,
        hold=dict(alarm.hold), priority=priority(condition, alarm.level_highest or 1),
        condition_class=condition.condition_class.value, is_gas=latches(condition),
        is_toxic=gas(condition) is Gas.TOXIC, sounding=alarm.sounding, value=_number(condition.value),
        unit=condition.unit, setpoint=_number(condition.setpoint), quality=condition.quality,
        raised_ns=condition.on_time_ns if instance is None else instance.raised_ns,
        received_ns=alarm.changed_ns if instance is None else instance.opened_ns, changed_ns=alarm.changed_ns,
        revision=alarm.revision, activations=0 if instance is None else instance.activations,
        late=instance is not None and instance.late, agent=condition.activation.agent,
        comment=None if instance is None else instance.comment,
        acknowledged_by=None if instance is None else instance.acknowledged_by,
        acknowledged_ns=None if instance is None else instance.acknowledged_ns,
        allowed=tuple(action for action in Action if _would_go(alarm, action)),
        first_raised_ns=_first_raised_ns(instance),
    )  # fmt: skip


def _first_raised_ns(instance: Instance | None) -> int | None:
    if instance is None or instance.on_time_ns == instance.raised_ns:
        return None
    return instance.on_time_ns


def _would_go(alarm: Alarm, action: Action) -> bool:
    return isinstance(step(alarm.state, Trigger(DEMANDS[action].event, latching=latches(alarm.condition))), Step)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _urgency(view: AlarmView) -> tuple[int, bool, bool, bool, int]:
    return view.priority, view.is_advisory, not view.is_toxic, view.acknowledged, -view.raised_ns
