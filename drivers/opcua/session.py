"""One session with an OPC UA server, from connect to loss; never used again after either failure or loss.

Called by ``driver``, one step at a time; the only module that knows asyncua. Asyncua encodes, decodes and asks; connecting,
publishing, deadlines and giving up are done here, since its own ways fail in silence: its reconnect keeps namespace
indices that have moved (connected, no error, no data for ever), its publish loop logs a trace each second once the
connection is gone, and its ``read_values`` turns an unknown node into None.

- ``open`` connects, asks which index each namespace URI has *now*, reads every node once, and then subscribes: what changes
  in between is reported by the subscription, since its first report is younger than the read.
- ``next`` keeps a publish request waiting at the server for each subscription and one more, and takes the answers in order.
- A subscription that says nothing until its deadline, a missing number in its sequence (a change that we never saw), a
  status change of it, any failed request: DeviceError, and the session is of no more use.

Where a node cannot be read or monitored, its point alone has a bad status; it is tried again every ``RETRY_S``.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

from asyncua import Client, ua
from asyncua.client.ua_session import UaSession
from asyncua.ua.uaerrors import UaStatusCodeError

from contract.clock import NS_PER_S, Clock
from contract.errors import DeviceError
from drivers.opcua.address import NodeAddress
from drivers.opcua.plan import Item, OperationLimits, Subscription, chunks, deadline_ns
from drivers.opcua.settings import OpcUaSettings
from drivers.opcua.values import BAD_NODE_ID_UNKNOWN, Reading

RETRY_S: Final = 30.0
SESSION_TIMEOUT_MS: Final = 60_000
"""A session whose client died is gone from the server by then."""
CHANNEL_LIFETIME_MS: Final = 3_600_000
MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
NOTIFICATIONS_MAX: Final = 10_000
"""Most changes in one publish response; what is more comes with the next."""
SEQUENCE_MAX: Final = 2**32 - 1
"""After it the number 1 follows (OPC 10000-4, clause 7.21)."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LIMIT_NODES: Final = (
    ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
)


@dataclass(slots=True)
class Traffic:
    """Counters over all sessions of a device; they only grow."""

    requests: int = 0
    connects: int = 0


@dataclass(frozen=True, slots=True)
class Opened:
    """A reading for each node, stamped when the last of them had arrived."""

    readings: Sequence[Reading]
    time_ns: int
    mono_ns: int


@dataclass(frozen=True, slots=True)
class Published:
    """One publish response: changes by place (from 1) of the node, and all places that it confirms."""

    changes: Sequence[tuple[int, Reading]]
    confirmed: Iterable[int]
    time_ns: int
    mono_ns: int


@dataclass(slots=True)
class _Live:
    """A subscription as the server made it."""

    asked: Subscription
    id: int
    deadline_ns: int
    overdue_mono_ns: int
    sequence: int = 1
    absent: dict[int, int] = field(default_factory=dict)
    """Status by point, for those that the server does not monitor; their turns repeat a bad status."""

    @property
    def places(self) -> list[int]:
        return [item.point + 1 for item in self.asked.items]


class _Session(UaSession):
    """Without asyncua's own publish loop, whose failures nobody would see."""

    def ensure_publish_loop(self) -> None:
        """Publishing is this module's."""


class OpcUaSession:
    """Use: ``open`` once, ``next`` again and again, ``close`` in any case."""

    def __init__(
        self,
        device: str,
        settings: OpcUaSettings,
        nodes: Sequence[NodeAddress],
        clock: Clock,
        traffic: Traffic,
        password: str | None,
    ) -> None:
        # It logs each failure, many with a trace, some every second; they are raised, counted and told here instead.
        logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)
        self._device = device
        self._settings = settings
        self._nodes = nodes
        self._clock = clock
        self._traffic = traffic
        self._client = _new_client(settings, password)
        self._limits = OperationLimits()
        self._indices: dict[str, int] = {}
        self._live: dict[int, _Live] = {}
        self._asked: deque[asyncio.Task[ua.PublishResponse]] = deque()
        self._acknowledge: list[ua.SubscriptionAcknowledgement] = []
        self._renewal: asyncio.Task[None] | None = None
        self._retry_mono_ns = 0
        self._known = False  # True: the server has a session of ours, to be closed even if its subscriptions are dead

    async def open(self, plan: Sequence[Subscription]) -> Opened:
        """Connect, read, subscribe. Raises DeviceError; each request takes ``timeout_s`` at most."""
        try:
            await self._connect()
            await self._look_around()
            readings = await self._read(range(len(self._nodes)))
            time_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
            for subscription in plan:
                await self._subscribe(subscription)
        except Exception as error:
            raise self._lost(error) from error
        for live in self._live.values():
            for point, status in live.absent.items():
                readings[point] = _worse(readings[point], status)
        self._retry_mono_ns = mono_ns + round(RETRY_S * NS_PER_S)
        return Opened(readings, time_ns, mono_ns)

    async def next(self) -> Published:
        """The next publish response, or what trying absent nodes again brought. Raises DeviceError."""
        try:
            while True:
                if self._must_retry():
                    return await self._retry()
                self._keep_asking()
                if self._asked[0].done():
                    if published := self._take(self._asked.popleft().result()):
                        return published
                    continue
                await self._wait()
        except Exception as error:
            raise self._lost(error) from error

    async def close(self) -> None:
        """Take leave if the connection still stands, then drop it in any case. Takes ``timeout_s`` at most."""
        tasks = [*self._asked, *([self._renewal] if self._renewal else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        protocol = self._client.uaclient.protocol
        try:
            if self._known and protocol is not None and not protocol.is_closed:
                async with asyncio.timeout(self._settings.timeout_s):
                    await self._client.close_session()
                    await self._client.close_secure_channel()
        except Exception:  # the connection goes either way
            logging.getLogger(__name__).debug("no farewell to %s", self._device, exc_info=True)
        finally:
            if protocol is not None and protocol.transport is not None:
                protocol.transport.abort()
            await asyncio.sleep(0)  # lets the transport close its socket

    def _lost(self, error: Exception) -> DeviceError:
        return error if isinstance(error, DeviceError) else DeviceError(self._device, _in_words(error, self._settings))

    async def _connect(self) -> None:
        client = self._client
        async with asyncio.timeout(self._settings.timeout_s):
            await client.connect_socket()
        await client.send_hello()
        await client.open_secure_channel()
        await client.create_session()
        self._known = True
        try:
            await client.activate_session(self._settings.username, client._password)  # noqa: SLF001 - it has no getter
        except AttributeError as error:
            message = "the server wants the password encrypted, which takes a secure channel"
            raise DeviceError(self._device, message) from error
        self._traffic.connects += 1
        self._traffic.requests += 4
        self._renewal = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        """A channel's keys end with its lifetime, as the server revised it: renew in good time."""
        while True:
            await asyncio.sleep(0.75 * self._client.secure_channel_timeout / 1000)
            await self._client.open_secure_channel(renew=True)
            self._client.uaclient.revolve_security_token()

    async def _look_around(self) -> None:
        """The server's limits, and which index each namespace has now."""
        per_read, per_call = [_count(await self._read_one(_node_id(node))) for node in _LIMIT_NODES]
        self._limits = OperationLimits(per_read, per_call)
        await self._map_namespaces()

    async def _map_namespaces(self) -> None:
        answer = await self._read_one(_node_id(ua.ObjectIds.Server_NamespaceArray))
        uris = answer.Value.Value if answer.Value is not None else None
        if not isinstance(uris, list):
            raise DeviceError(self._device, "the server gives no list of namespaces")
        self._indices = {uri: index for index, uri in reversed(list(enumerate(uris)))}

    async def _read_one(self, node: ua.NodeId) -> ua.DataValue:
        self._traffic.requests += 1
        (answer,) = await self._client.uaclient.read_attributes([node], ua.AttributeIds.Value)
        return answer

    async def _read(self, points: Iterable[int]) -> list[Reading]:
        """A reading for each point; one whose namespace the server lacks is unknown without asking."""
        readings: dict[int, Reading] = {}
        placed: list[tuple[int, ua.NodeId]] = []
        for point in points:
            readings[point] = Reading(BAD_NODE_ID_UNKNOWN, None, None, None)
            if (node := self._node(point)) is not None:
                placed.append((point, node))
        for part in chunks(placed, self._limits.nodes_per_read):
            self._traffic.requests += 1
            answers = await self._client.uaclient.read_attributes([node for _, node in part], ua.AttributeIds.Value)
            for (point, _), answer in zip(part, answers, strict=True):
                readings[point] = _reading(answer)
        return list(readings.values())

    def _node(self, point: int) -> ua.NodeId | None:
        address = self._nodes[point]
        index = 0 if address.namespace is None else self._indices.get(address.namespace)
        return None if index is None else _node_id(address.identifier, index)

    async def _subscribe(self, asked: Subscription) -> None:
        parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=asked.publish_ms,
            RequestedLifetimeCount=asked.lifetime_count,
            RequestedMaxKeepAliveCount=asked.keepalive_count,
            MaxNotificationsPerPublish=NOTIFICATIONS_MAX,
            PublishingEnabled=True,
        )
        self._traffic.requests += 1
        made = await self._client.uaclient.create_subscription(parameters, _unused)
        silence_ns = deadline_ns(
            made.RevisedPublishingInterval, made.RevisedMaxKeepAliveCount, self._settings.timeout_s
        )
        live = _Live(asked, made.SubscriptionId, silence_ns, self._clock.mono_ns() + silence_ns)
        self._live[made.SubscriptionId] = live
        await self._monitor(live, asked.items)

    async def _monitor(self, live: _Live, items: Sequence[Item]) -> None:
        placed: list[tuple[Item, ua.NodeId]] = []
        for item in items:
            if (node := self._node(item.point)) is None:
                live.absent[item.point] = BAD_NODE_ID_UNKNOWN
            else:
                placed.append((item, node))
        for part in chunks(placed, self._limits.items_per_call):
            parameters = ua.CreateMonitoredItemsParameters(
                SubscriptionId=live.id,
                TimestampsToReturn=ua.TimestampsToReturn.Source,
                ItemsToCreate=[_item(item, node) for item, node in part],
            )
            self._traffic.requests += 1
            results = await self._client.uaclient.create_monitored_items(parameters)
            for (item, _), result in zip(part, results, strict=True):
                live.absent.pop(item.point, None)
                if not result.StatusCode.is_good():
                    live.absent[item.point] = result.StatusCode.value

    def _must_retry(self) -> bool:
        due = self._clock.mono_ns() >= self._retry_mono_ns
        return due and any(live.absent for live in self._live.values())

    async def _retry(self) -> Published:
        """Try the absent nodes again; a server may still be loading them when it lets clients in."""
        await self._map_namespaces()
        changes: list[tuple[int, Reading]] = []
        for live in self._live.values():
            points = sorted(live.absent)
            readings = await self._read(points)
            await self._monitor(live, [item for item in live.asked.items if item.point in live.absent])
            for point, reading in zip(points, readings, strict=True):
                status = live.absent.get(point)
                changes.append((point + 1, reading if status is None else _worse(reading, status)))
        self._retry_mono_ns = self._clock.mono_ns() + round(RETRY_S * NS_PER_S)
        return Published(changes, (), self._clock.wall_ns(), self._clock.mono_ns())

    def _keep_asking(self) -> None:
        while len(self._asked) <= len(self._live):
            acknowledge, self._acknowledge = self._acknowledge, []
            self._traffic.requests += 1
            self._asked.append(asyncio.create_task(self._client.uaclient.publish(acknowledge)))

    async def _wait(self) -> None:
        """Until the first answer, the end of the channel's renewal (which is a failure), or the first deadline."""
        assert self._renewal is not None
        overdue = min(self._live.values(), key=lambda live: live.overdue_mono_ns)
        left_s = (overdue.overdue_mono_ns - self._clock.mono_ns()) / NS_PER_S
        if left_s <= 0:
            message = f"a subscription was silent for {overdue.deadline_ns / NS_PER_S:g} s"
            raise DeviceError(self._device, message)
        await asyncio.wait({self._asked[0], self._renewal}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        if self._renewal.done():
            self._renewal.result()

    def _take(self, response: ua.PublishResponse) -> Published | None:
        """What a publish response says; None for one that belongs to no subscription of ours."""
        time_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
        response.ResponseHeader.ServiceResult.check()
        live = self._live.get(response.Parameters.SubscriptionId)
        if live is None:
            return None
        live.overdue_mono_ns = mono_ns + live.deadline_ns
        message = response.Parameters.NotificationMessage
        self._check_sequence(live, message)
        changes = [change for data in message.NotificationData or () for change in self._changes(data)]
        more = response.Parameters.MoreNotifications  # then the rest of the news is still to come: nothing is confirmed
        return Published(changes, () if more else live.places, time_ns, mono_ns)

    def _check_sequence(self, live: _Live, message: ua.NotificationMessage) -> None:
        """Numbers follow each other; a keep-alive has that of the news to come (OPC 10000-4, clause 5.14.1.1)."""
        if message.SequenceNumber != live.sequence:
            raise DeviceError(self._device, f"news {live.sequence} of a subscription got lost")
        if message.NotificationData:
            self._acknowledge.append(ua.SubscriptionAcknowledgement(live.id, message.SequenceNumber))
            live.sequence = message.SequenceNumber % SEQUENCE_MAX + 1

    def _changes(self, data: object) -> list[tuple[int, Reading]]:
        if isinstance(data, ua.StatusChangeNotification):
            raise DeviceError(self._device, f"the server ended a subscription: {data.Status.name}")
        if not isinstance(data, ua.DataChangeNotification):
            raise DeviceError(self._device, f"unexpected news: {type(data).__name__}")
        changes = []
        for item in data.MonitoredItems or ():
            if not 1 <= item.ClientHandle <= len(self._nodes):
                raise DeviceError(self._device, f"news of an item {item.ClientHandle} that nobody asked for")
            changes.append((item.ClientHandle, _reading(item.Value)))
        return changes


def _new_client(settings: OpcUaSettings, password: str | None) -> Client:
    client = Client(settings.endpoint, timeout=settings.timeout_s)
    client.uaclient.session = _Session(client.uaclient)
    client.name = client.description = "parksentry edge agent"
    client.application_uri = "urn:parksentry:edge-agent"
    client.product_uri = "urn:parksentry"
    client.session_timeout = SESSION_TIMEOUT_MS
    client.secure_channel_timeout = CHANNEL_LIFETIME_MS
    client.max_messagesize = MESSAGE_BYTES_MAX
    if password is not None:
        client.set_password(password)
    return client


def _node_id(identifier: Any, index: int = 0) -> ua.NodeId:
    """Asyncua annotates ids with subclasses of int and str that it neither needs nor makes itself."""
    return ua.NodeId(identifier, cast("Any", index))


def _item(item: Item, node: ua.NodeId) -> ua.MonitoredItemCreateRequest:
    return ua.MonitoredItemCreateRequest(
        ItemToMonitor=ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value),
        MonitoringMode=ua.MonitoringMode.Reporting,
        RequestedParameters=ua.MonitoringParameters(
            ClientHandle=item.point + 1,
            SamplingInterval=item.sampling_ms,
            QueueSize=item.queue_size,
            DiscardOldest=True,
        ),
    )


def _reading(answer: ua.DataValue) -> Reading:
    variant, source = answer.Value, answer.SourceTimestamp
    return Reading(
        status=ua.StatusCodes.Good if answer.StatusCode is None else answer.StatusCode.value,
        type=None if variant is None or variant.Value is None else int(variant.VariantType.value),
        value=None if variant is None else variant.Value,
        source_ns=None if source is None else _ns(source),
    )


def _ns(moment: datetime) -> int:
    """Nanoseconds since 1970 of a time in UTC, named as such or not."""
    return (moment.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND * 1000


def _worse(reading: Reading, status: int) -> Reading:
    """A point that is not monitored must not be believed, however well it could be read once."""
    return reading if reading.status >> 31 else Reading(status, None, None, None)


def _count(answer: ua.DataValue) -> int:
    """A limit; 0 where the server names none."""
    value = answer.Value.Value if answer.Value is not None else None
    return value if isinstance(value, int) and value > 0 else 0


def _unused(_: ua.PublishResult) -> None:
    """Asyncua wants a callback with each subscription and calls it from the loop that is not run."""


def _in_words(error: Exception, settings: OpcUaSettings) -> str:
    if isinstance(error, UaStatusCodeError):
        return f"the server refused: {ua.StatusCode(error.code).name}"
    if isinstance(error, TimeoutError):
        return f"no answer within {settings.timeout_s:g} s"
    if isinstance(error, OSError):
        return f"no connection to {settings.endpoint}: {str(error) or type(error).__name__}"
    return f"{type(error).__name__}: {error}"
