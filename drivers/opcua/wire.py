"""Values, events and requests in the words of asyncua, and back. Stateless; called by ``connection`` and what is above it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from asyncua import ua

from drivers.opcua.conditions import Event, NodeKey
from drivers.opcua.plan import Item
from drivers.opcua.values import Reading

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

EVENTS: Final = 0
"""Handle of the item that tells events; the others are the places of points."""
_FIELDS: Final = (
    (ua.ObjectIds.BaseEventType, "EventType"),
    (ua.ObjectIds.BaseEventType, "SourceNode"),
    (ua.ObjectIds.BaseEventType, "Time"),
    (ua.ObjectIds.BaseEventType, "Severity"),
    (ua.ObjectIds.ConditionType, ""),
    (ua.ObjectIds.ConditionType, "ConditionName"),
    (ua.ObjectIds.ConditionType, "BranchId"),
    (ua.ObjectIds.ConditionType, "Retain"),
    (ua.ObjectIds.ConditionType, "EnabledState/Id"),
    (ua.ObjectIds.AlarmConditionType, "ActiveState/Id"),
    (ua.ObjectIds.ExclusiveLimitAlarmType, "LimitState/CurrentState/Id"),
    (ua.ObjectIds.NonExclusiveLimitAlarmType, "HighHighState/Id"),
    (ua.ObjectIds.NonExclusiveLimitAlarmType, "LowLowState/Id"),
)
"""Type and path of each field of an event, in the order of ``event``; without a path it is the node of the condition itself."""


def node_id(identifier: Any, index: int = 0) -> ua.NodeId:
    """Asyncua annotates ids with subclasses of int and str that it neither needs nor makes itself."""
    return ua.NodeId(identifier, cast("Any", index))


def item_request(item: Item, node: ua.NodeId, queue_size: int) -> ua.MonitoredItemCreateRequest:
    """Its news carry the place of the point, counted from 1."""
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=item.point + 1,
            SamplingInterval=item.sampling_ms,
            Filter=_deadband(item.deadband) if item.deadband else None,
            QueueSize=queue_size,
            DiscardOldest=True,
        ),
    )


def _deadband(width: float) -> ua.DataChangeFilter:
    return ua.DataChangeFilter(
        Trigger=ua.DataChangeTrigger.StatusValue, DeadbandType=ua.DeadbandType.Absolute, DeadbandValue=width
    )


def event_request(queue_size: int) -> ua.MonitoredItemCreateRequest:
    """Every event of the server: a clause that asks for conditions would keep the ends of refreshes away at some."""
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node_id(ua.ObjectIds.Server), AttributeId=ua.AttributeIds.EventNotifier),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=EVENTS,
            Filter=ua.EventFilter(SelectClauses=[_field(type_, path) for type_, path in _FIELDS]),
            QueueSize=queue_size,
            DiscardOldest=True,
        ),
    )


def _field(type_: int, path: str) -> ua.SimpleAttributeOperand:
    return ua.SimpleAttributeOperand(
        TypeDefinitionId=node_id(type_),
        BrowsePath=[ua.QualifiedName(name) for name in path.split("/") if name],
        AttributeId=ua.AttributeIds.Value if path else ua.AttributeIds.NodeId,
    )


def event(fields: Sequence[ua.Variant]) -> Event:
    """Of the fields that ``event_request`` asks for. What is missing, or is not what it should be, is None."""
    values = [each.Value for each in fields] + [None] * len(_FIELDS)
    type_, source, time, severity, condition, name, branch, retain, enabled, active, limit, *outer = values[
        : len(_FIELDS)
    ]
    outers = [each for each in map(_flag, outer) if each is not None]
    return Event(
        type=_number(type_),
        source=node_key(source),
        condition=node_key(condition),
        name=name if isinstance(name, str) else None,
        branch=node_key(branch) is not None,
        retain=_flag(retain),
        enabled=_flag(enabled),
        active=_flag(active),
        severity=severity if isinstance(severity, int) else None,
        limit=_number(limit),
        outer=any(outers) if outers else None,
        time_ns=_ns(time) if isinstance(time, datetime) and time.year > 1601 else None,
    )


def node_key(value: object) -> NodeKey | None:
    """None for what is no node, or the null one."""
    if not isinstance(value, ua.NodeId) or value.is_null():
        return None
    return int(value.NamespaceIndex), value.Identifier


def _number(value: object) -> int | None:
    """Of a node of namespace 0."""
    key = node_key(value)
    return key[1] if key is not None and key[0] == 0 and isinstance(key[1], int) else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def reading(answer: ua.DataValue) -> Reading:
    """What ``decode`` would say, of a value that it left to the library. 1601 is the time of who gives none."""
    variant, source = answer.Value, answer.SourceTimestamp
    value = None if variant is None else _plain(variant)
    return Reading(
        status=ua.StatusCodes.Good if answer.StatusCode is None else answer.StatusCode.value,
        type=None if variant is None or value is None else int(variant.VariantType.value),
        value=value,
        source_ns=None if source is None or source.year <= 1601 else _ns(source),
    )


def _plain(variant: ua.Variant) -> object:
    """A text without its locale; the null text is the empty one (OPC 10000-6, clause 5.2.2.4)."""
    if isinstance(variant.Value, ua.LocalizedText):
        return variant.Value.Text or ""
    return "" if variant.Value is None and variant.VariantType is ua.VariantType.String else variant.Value


def _ns(moment: datetime) -> int:
    """Nanoseconds since 1970 of a time in UTC, named as such or not."""
    return (moment.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND * 1000


def count(answer: Reading) -> int:
    """A limit; 0 where the server names none."""
    return answer.value if isinstance(answer.value, int) and answer.value > 0 else 0
