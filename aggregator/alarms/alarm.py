"""One alarm with all that is known of it, and its rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aggregator.alarms.policy import AlarmKey
from aggregator.alarms.states import Letter, Shelf, State
from contract.events import ConditionData, Json
from contract.ids import ActivationId
from contract.points import ConditionKind


@dataclass(frozen=True, slots=True)
class Instance:
    """From normal back to normal; see ``tables.ALARM_INSTANCES``. Edge times: ``on_time_ns`` of the first activation,
    ``raised_ns`` of the newest."""

    id: str
    key: AlarmKey
    org: str
    condition_class: str
    opened_ns: int
    on_time_ns: int
    raised_ns: int
    level_max: int
    activations: int = 0
    late: bool = False
    ended_ns: int | None = None
    acknowledged_ns: int | None = None
    acknowledged_by: str | None = None
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Alarm:
    """The alarm of one condition. ``revision`` grows with every change of its state and never goes back. ``level_owed``:
    the highest level since it was last acknowledged, 0 where no instance stands."""

    key: AlarmKey
    condition: ConditionData
    state: State = field(default_factory=State)
    sounding: bool = False
    revision: int = 0
    changed_ns: int = 0
    instance: Instance | None = None
    shelf_until_ns: int | None = None
    service_until_ns: int | None = None
    re_alarm_ns: int | None = None
    hold: Mapping[str, Json] = field(default_factory=dict)
    level_owed: int = 0

    @property
    def is_standing(self) -> bool:
        return self.state.letter is not Letter.A

    @property
    def level_highest(self) -> int:
        """What people have to know of: while it is unacknowledged the highest level since the last answer, then the present
        one, or where only the latch holds it the highest of its instance."""
        if not self.state.acknowledged:
            return self.level_owed
        return self.state.level or (0 if self.instance is None else self.instance.level_max)


def instance_id(activation: ActivationId) -> str:
    """Made from the activation that opened it: the same after a restore, and never of another alarm."""
    text = f"{activation.agent}\n{activation.epoch}\n{activation.seq}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def alarm_row(alarm: Alarm) -> dict[str, Any]:
    state = alarm.state
    return {
        "organisation": alarm.key.organisation, "tag": alarm.key.tag, "kind": alarm.key.kind.value,
        "org": alarm.condition.org, "active": state.active, "level": state.level,
        "acknowledged": state.acknowledged, "latched": state.latched, "shelf": state.shelf.value,
        "suppressed": state.suppressed, "out_of_service": state.out_of_service, "sounding": alarm.sounding,
        "revision": alarm.revision, "changed_ns": alarm.changed_ns,
        "instance": None if alarm.instance is None else alarm.instance.id,
        "shelf_until_ns": alarm.shelf_until_ns, "service_until_ns": alarm.service_until_ns,
        "re_alarm_ns": alarm.re_alarm_ns, "level_owed": alarm.level_owed, "hold": json.dumps(dict(alarm.hold)),
        "condition": json.dumps(alarm.condition.to_json()), "standing": alarm.is_standing,
    }  # fmt: skip


def alarm_of(row: Any, instance: Instance | None) -> Alarm:
    """From a row of ALARMS."""
    state = State(
        row.active, row.level, row.acknowledged, row.latched, Shelf(row.shelf), row.suppressed, row.out_of_service
    )
    return Alarm(
        AlarmKey(row.organisation, row.tag, ConditionKind(row.kind)),
        ConditionData.from_json(json.loads(row.condition)), state, row.sounding, row.revision, row.changed_ns,
        instance, row.shelf_until_ns, row.service_until_ns, row.re_alarm_ns, json.loads(row.hold),
        row.level_owed,
    )  # fmt: skip


def instance_row(instance: Instance) -> dict[str, Any]:
    return {
        "id": instance.id, "organisation": instance.key.organisation, "tag": instance.key.tag,
        "kind": instance.key.kind.value, "org": instance.org, "condition_class": instance.condition_class,
        "opened_ns": instance.opened_ns, "on_time_ns": instance.on_time_ns, "raised_ns": instance.raised_ns, "ended_ns": instance.ended_ns,
        "level_max": instance.level_max, "activations": instance.activations, "late": instance.late,
        "acknowledged_ns": instance.acknowledged_ns, "acknowledged_by": instance.acknowledged_by,
        "comment": instance.comment,
    }  # fmt: skip


def instance_of(row: Any) -> Instance:
    return Instance(
        row.id, AlarmKey(row.organisation, row.tag, ConditionKind(row.kind)), row.org, row.condition_class,
        row.opened_ns, row.on_time_ns, row.raised_ns, row.level_max, row.activations, row.late, row.ended_ns, row.acknowledged_ns,
        row.acknowledged_by, row.comment,
    )  # fmt: skip
