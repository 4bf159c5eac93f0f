"""What a server says of the alarms that it judges by itself, as the level of points. Pure.

``alarms`` hands events over in the order of their arrival and passes the levels on. A point's level is the worst among the
conditions of its source: 0 not active, 1 active, 2 active beyond the outer limit (OPC 10000-9, clauses 5.8.19 and 5.8.20), or so
severe where there is no limit. A condition's *branches* are former states that wait for somebody to acknowledge them at the server:
they say nothing of the present and are left out.

What is known counts from the end of a refresh on. A refresh begins with an event and ends with one; what is told between the two
replaces what was known, so that an alarm that ended while nobody listened ends then (clause 4.5). When the server says that
something got lost, nothing is known until another refresh has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from contract.errors import DeviceError
from drivers.opcua.values import BuiltIn, Reading

REFRESH_START: Final = 2787
REFRESH_END: Final = 2788
REFRESH_REQUIRED: Final = 2789
QUEUE_OVERFLOW: Final = 3035
"""Numbers of event types in namespace 0, as all below (OPC 10000-6, annex A)."""
HIGH_HIGH, HIGH, LOW, LOW_LOW = 9329, 9331, 9333, 9335
"""States of ExclusiveLimitStateMachineType."""

SEVERE: Final = 800
"""Severities from here on are level 2 where no limit tells; of 1000, as OPC 10000-5, clause 6.4.2, counts."""
CONDITIONS_MAX: Final = 10_000
UNKNOWN: Final = 0x8031_0000
"""BadNoCommunication: nothing is known of the alarm yet, or any more."""
_DISABLED: Final = 0x0096_0000
"""GoodLocalOverride: somebody at the server has put it out of service."""

NodeKey = tuple[int, object]
"""Index of the namespace and identifier."""


class Event(NamedTuple):
    """The fields that we ask for; None where the event has no such field. Types and states are numbers in namespace 0."""

    type: int | None
    source: NodeKey | None
    condition: NodeKey | None
    name: str | None
    branch: bool
    retain: bool | None
    enabled: bool | None
    active: bool | None
    severity: int | None
    limit: int | None
    outer: bool | None
    """Beyond an outer limit, of an alarm whose limits do not exclude each other."""
    time_ns: int | None

    @property
    def is_condition(self) -> bool:
        """Some servers tell of a disabled one only that it is."""
        return self.retain is not None or self.enabled is not None


class _Condition(NamedTuple):
    name: str | None
    level: int
    disabled: bool
    time_ns: int | None

    @property
    def is_news(self) -> bool:
        return self.level > 0 or self.disabled


_Known = dict[NodeKey, dict[object, _Condition]]
"""By source, then by condition."""


def level_of(event: Event) -> int:
    """Of a condition. One that is no alarm has no active state: it counts while the server retains it."""
    if not (event.retain if event.active is None else event.active):
        return 0
    if event.limit in (HIGH_HIGH, LOW_LOW) or event.outer:
        return 2
    if event.limit in (HIGH, LOW) or event.outer is not None:
        return 1
    return 2 if (event.severity or 0) >= SEVERE else 1


class Conditions:
    """Of one session. ``bind`` once and whenever a node is another one, then ``take`` what comes."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._points: dict[NodeKey, list[tuple[int, str | None]]] = {}
        self._known: _Known = {}
        self._refreshing: _Known | None = None
        self._told: dict[int, tuple[int, object]] = {}
        self.is_valid = False
        """True from the end of a refresh until something got lost."""
        self.wants_refresh = True
        """Until whoever asks the server for one says False."""

    def bind(self, points: Mapping[int, tuple[NodeKey, str | None]]) -> None:
        """What each place stands for: a source, and one of its conditions by name or None for all. Nothing is known then."""
        self._points = {}
        for place, (source, name) in points.items():
            self._points.setdefault(source, []).append((place, name))
        self._told = dict.fromkeys(points, (UNKNOWN, None))
        self._forget()

    def take(self, events: Iterable[Event]) -> list[tuple[int, Reading]]:
        """The readings that have changed by these events, by place.

        Raises DeviceError where more is told than can be kept.
        """
        return [change for event in events for change in self._heard(event)]

    def _heard(self, event: Event) -> list[tuple[int, Reading]]:
        if event.type == REFRESH_START:
            self._refreshing = {}
        elif event.type in (REFRESH_REQUIRED, QUEUE_OVERFLOW):
            self._forget()
            return self._changes(self._points, None)
        elif event.type == REFRESH_END:
            return self._refreshed()
        elif event.is_condition and not event.branch and event.source in self._points:
            self._learn(event.source, event)
            return self._changes([event.source], event.time_ns)
        return []

    def _forget(self) -> None:
        self._known, self._refreshing = {}, None
        self.is_valid, self.wants_refresh = False, True

    def _refreshed(self) -> list[tuple[int, Reading]]:
        """An end whose beginning got lost ends nothing."""
        if self._refreshing is None:
            self.wants_refresh |= not self.is_valid
            return []
        self._known, self._refreshing = _only_news(self._refreshing), None
        self.is_valid, self.wants_refresh = True, False
        return self._changes(self._points, None)

    def _learn(self, source: NodeKey, event: Event) -> None:
        key = event.name if event.condition is None else event.condition
        told = _Condition(event.name, level_of(event), event.enabled is False, event.time_ns)
        if self._refreshing is not None:
            fresh = self._refreshing.setdefault(source, {})
            if _is_older(told, fresh.get(key)):
                return
            fresh[key] = told
            self._limit(self._refreshing)
        conditions = self._known.setdefault(source, {})
        conditions.pop(key, None)
        if told.is_news:
            conditions[key] = told
        self._limit(self._known)

    def _limit(self, known: _Known) -> None:
        if sum(map(len, known.values())) > CONDITIONS_MAX:
            raise DeviceError(self._device, f"the server tells more than {CONDITIONS_MAX} alarms")

    def _changes(self, sources: Iterable[NodeKey], time_ns: int | None) -> list[tuple[int, Reading]]:
        changes = []
        for source in sources:
            for place, name in self._points[source]:
                status, level = self._state(source, name)
                if self._told[place] != (status, level):
                    self._told[place] = status, level
                    type_ = None if level is None else BuiltIn.UINT16
                    changes.append((place, Reading(status, type_, level, time_ns)))
        return changes

    def _state(self, source: NodeKey, name: str | None) -> tuple[int, int | None]:
        if not self.is_valid:
            return UNKNOWN, None
        own = [each for each in self._known.get(source, {}).values() if name is None or each.name == name]
        status = _DISABLED if any(each.disabled for each in own) else 0
        return status, max((each.level for each in own if not each.disabled), default=0)


def _is_older(told: _Condition, former: _Condition | None) -> bool:
    """A refresh may repeat a state that has been overtaken by an event since it began."""
    if former is None or told.time_ns is None or former.time_ns is None:
        return False
    return told.time_ns < former.time_ns


def _only_news(known: _Known) -> _Known:
    return {
        source: {key: each for key, each in conditions.items() if each.is_news} for source, conditions in known.items()
    }
