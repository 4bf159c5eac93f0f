"""Values and requests in the words of asyncua, and back. Stateless; called by ``session``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from asyncua import ua

from drivers.opcua.plan import Item
from drivers.opcua.values import Reading

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


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
