"""The subscriptions of one session: what the server was asked to monitor, what it made of that, and what it tells.

Called by ``session``, which decides when; here is what. The server's limits are respected: items per call and per
subscription, queues by the publishing interval that was *granted*. An item that is refused costs its own point only.

``begin`` hands back items that the server cannot monitor for want of room or of the service, so that they can be polled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from asyncua import ua
from numpy.typing import NDArray

from contract.clock import NS_PER_MS, NS_PER_S, Clock
from contract.errors import DeviceError
from drivers.opcua.alarms import Alarms
from drivers.opcua.conditions import NodeKey
from drivers.opcua.connection import Arrived, Connection, code_of, name_of
from drivers.opcua.decode import News
from drivers.opcua.plan import (
    SUBSCRIPTIONS_MAX,
    Item,
    Limits,
    Subscription,
    chunks,
    deadline_ns,
    queue_need,
    queue_size,
)
from drivers.opcua.values import BAD_NODE_ID_UNKNOWN, Reading
from drivers.opcua.wire import item_request, reading

SEQUENCE_MAX: Final = 2**32 - 1
"""After it the number 1 follows (OPC 10000-4, clause 7.21)."""

OWN_STALL_NS: Final = 100 * NS_PER_MS
"""So late no timer of an event loop fires that is not held up."""

_FULL: Final = frozenset({ua.StatusCodes.BadTooManyMonitoredItems})
_CANNOT: Final = frozenset({
    *_FULL, ua.StatusCodes.BadTooManySubscriptions, ua.StatusCodes.BadServiceUnsupported,
    ua.StatusCodes.BadNotImplemented, ua.StatusCodes.BadNotSupported,
})  # fmt: skip
"""The server cannot monitor, or not so many; what it would say to a Read is another matter."""
_FILTERS: Final = frozenset({
    ua.StatusCodes.BadFilterNotAllowed, ua.StatusCodes.BadMonitoredItemFilterInvalid,
    ua.StatusCodes.BadMonitoredItemFilterUnsupported, ua.StatusCodes.BadDeadbandFilterInvalid,
})  # fmt: skip


@dataclass(slots=True)
class _Live:
    """A subscription as the server made it."""

    asked: Subscription
    id: int
    publish_ms: float
    keepalive_count: int
    deadline_ns: int
    overdue_mono_ns: int
    excused: bool = False
    """Its latest silence was taken for ours."""
    heard: bool = False
    """It has said something since it was made."""
    sequence: int = 1
    items: list[Item] = field(default_factory=list)
    """Those that the server monitors."""
    places: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    """Of ``items``, counted from 1."""
    asked_for: set[int] = field(default_factory=set)
    """Places of items that the server may monitor: its news can be faster than its consent."""


class Monitoring:
    """``absent`` has the status of each point that shall be monitored and is not."""

    def __init__(
        self,
        device: str,
        connection: Connection,
        clock: Clock,
        node: Callable[[int], ua.NodeId | None],
        meant: Callable[[int], tuple[NodeKey, str | None]],
    ) -> None:
        self._device = device
        self._connection = connection
        self._clock = clock
        self._node = node
        self._meant = meant
        self._limits = Limits()
        self._live: dict[int, _Live] = {}
        self._acknowledge: list[ua.SubscriptionAcknowledgement] = []
        self._without: dict[int, tuple[Subscription, Item]] = {}
        self._notes = Counter[str]()
        self._slow = Counter[str]()
        self._alarms = Alarms(device, connection, clock)
        self._lost_alarms: list[tuple[int, Reading]] = []
        self.absent: dict[int, int] = {}
        self.requests_max = 2 * SUBSCRIPTIONS_MAX

    # -- making them ---------------------------------------------------------------------------------------------------

    async def begin_alarms(self, asked: Subscription, missing: Mapping[int, int]) -> None:
        """Have the alarms told whose points are its items, or see again what each of them stands for.

        ``missing`` are points without a source, with the status of each. Before all others: values can be polled instead.
        """
        self.absent |= missing
        there = [item for item in asked.items if item.point not in missing]
        if there and self._alarms.subscription is None and (status := await self._watch(asked)):
            self.absent |= {item.point: status for item in there}
            return
        live = self._live.get(self._alarms.subscription or 0)
        self._alarms.try_again()
        if live is not None and live.items != there:
            live.items = there
            live.places = np.array([item.point + 1 for item in there], np.intp)
            live.asked_for = set(live.places.tolist())
            self._alarms.bind({item.point + 1: self._meant(item.point) for item in there})

    async def _watch(self, asked: Subscription) -> int:
        """The status under which the server tells no events, 0 where it does."""
        try:
            live = await self._create(asked)
        except ua.UaStatusCodeError as error:
            if error.code not in _CANNOT:
                raise
            return code_of(error)
        status = await self._alarms.watch(live.id)
        if self._alarms.subscription is None:
            del self._live[live.id]
            await self._connection.delete_subscription(live.id)
            return status
        return 0

    async def begin(self, asked: Sequence[Subscription], limits: Limits, *, may_refuse: bool) -> list[Item]:
        """Make them all. Returns items to be polled instead, with ``may_refuse``; else these are absent, too."""
        self._limits = limits
        instead: list[Item] = []
        for each in asked:
            for item, status in await self._subscribe(each, may_refuse=may_refuse):
                if may_refuse and status in _CANNOT:
                    instead.append(item)
                    self._notes[f"polled, since the server refused: {name_of(status)}"] += 1
                else:
                    self._absent(each, item, status)
        for live in self._live.values():  # until now there was no publish request that it could have answered
            live.overdue_mono_ns = self._clock.mono_ns() + live.deadline_ns
        return instead

    async def retry(self) -> None:
        """Ask for the absent items again."""
        waiting = list(self._without.values())
        self._without, self.absent = {}, {}
        for live in [each for each in self._live.values() if each.id != self._alarms.subscription]:
            items = [item for asked, item in waiting if asked.publish_ms == live.asked.publish_ms]
            waiting = [each for each in waiting if each[0].publish_ms != live.asked.publish_ms]
            for item, status in await self._monitor(live, items):
                self._absent(live.asked, item, status)
        for asked, item in waiting:
            self._absent(asked, item, ua.StatusCodes.BadTooManyMonitoredItems)

    def _absent(self, asked: Subscription, item: Item, status: int) -> None:
        self._without[item.point] = asked, item
        self.absent[item.point] = status

    async def _subscribe(self, asked: Subscription, *, may_refuse: bool) -> list[tuple[Item, int]]:
        """Its items in as many subscriptions as they need; returns those that are not monitored."""
        refused: list[tuple[Item, int]] = []
        waiting = list(asked.items)
        while waiting:
            size = self._limits.items_per_subscription or len(waiting)
            part, later = waiting[:size], waiting[size:]
            try:
                live = await self._create(asked)
            except ua.UaStatusCodeError as error:
                if not (may_refuse and error.code in _CANNOT):
                    raise
                return refused + [(item, code_of(error)) for item in waiting]
            found = await self._monitor(live, part)
            full = [item for item, status in found if status in _FULL]
            refused += [each for each in found if each[1] not in _FULL]
            waiting = full + later
            if len(full) == len(part) or len(self._live) >= SUBSCRIPTIONS_MAX:  # no more will go into another one
                if not live.items and len(self._live) > 1:
                    del self._live[live.id]
                    await self._connection.delete_subscription(live.id)
                return refused + [(item, ua.StatusCodes.BadTooManyMonitoredItems) for item in waiting]
        return refused

    async def _create(self, asked: Subscription) -> _Live:
        made = await self._connection.create_subscription(asked)
        interval_ms, count = made.RevisedPublishingInterval, made.RevisedMaxKeepAliveCount
        silence_ns = deadline_ns(interval_ms, count)
        overdue_ns = self._clock.mono_ns() + silence_ns
        live = _Live(asked, made.SubscriptionId, interval_ms, count, silence_ns, overdue_ns)
        self._live[live.id] = live
        return live

    async def _monitor(self, live: _Live, items: Sequence[Item]) -> list[tuple[Item, int]]:
        """Ask for the items; returns those that are refused, with the status of each."""
        refused = [(item, BAD_NODE_ID_UNKNOWN) for item in items if self._node(item.point) is None]
        waiting = [item for item in items if self._node(item.point) is not None]
        while waiting:
            part = list(next(iter(chunks(waiting, self._limits.items_per_call))))
            live.asked_for |= {item.point + 1 for item in part}
            try:
                results = await self._connection.create_items(live.id, [self._request(live, item) for item in part])
            except ua.UaStatusCodeError as error:
                if error.code != ua.StatusCodes.BadTooManyOperations or len(part) == 1:
                    raise
                self._limits = replace(self._limits, items_per_call=len(part) // 2)
                continue
            del waiting[: len(part)]
            for item, result in zip(part, results, strict=True):
                status = result.StatusCode.value
                if status >> 30 == 0:
                    live.items.append(item)
                    self._note_revised(live, item, result)
                elif item.deadband and status in _FILTERS:
                    self._notes["every change is told, since the server offers no deadband"] += 1
                    waiting.append(replace(item, deadband=0.0))
                else:
                    refused.append((item, status))
        live.places = np.array([item.point + 1 for item in live.items], np.intp)
        return refused

    def _request(self, live: _Live, item: Item) -> ua.MonitoredItemCreateRequest:
        node = self._node(item.point)
        assert node is not None, "only items whose namespace the server has"
        return item_request(item, node, queue_size(live.publish_ms, item.sampling_ms))

    def _note_revised(self, live: _Live, item: Item, result: ua.MonitoredItemCreateResult) -> None:
        sampling_ms = result.RevisedSamplingInterval
        if sampling_ms > item.sampling_ms:
            self._slow[f"sampled every {sampling_ms:g} ms instead of {item.sampling_ms:g} ms"] += 1
        if 0 < result.RevisedQueueSize < queue_need(live.publish_ms, max(sampling_ms, item.sampling_ms)):
            self._notes[f"only {result.RevisedQueueSize} value(s) kept between two reports"] += 1

    def restrictions(self) -> list[str]:
        """What the server grants to fewer points than asked, or not as asked."""
        return [f"{count} point(s): {note}" for note, count in sorted(self._notes.items())]

    def slowed(self) -> list[str]:
        """Intervals that the server revised to be longer, or its sign of life rarer."""
        told = []
        for live in self._live.values():
            asked = live.asked
            if live.publish_ms > asked.publish_ms:
                told.append(f"published every {live.publish_ms:g} ms instead of {asked.publish_ms:g} ms")
            if live.keepalive_count * live.publish_ms > asked.keepalive_count * asked.publish_ms:
                told.append(f"a sign of life only every {live.keepalive_count * live.publish_ms:g} ms")
        return told + [f"{count} point(s) {note}" for note, count in sorted(self._slow.items())]

    @property
    def wants_refresh(self) -> bool:
        """True where the server is to be asked for all its alarms."""
        return self._alarms.wanted

    async def refresh(self) -> None:
        """A server that refuses has no alarms for us until it is asked again; its values are told all the same."""
        status = await self._alarms.refresh()
        if status >> 31:
            self._lose_alarms(status)

    def give_up_overdue_refresh(self) -> None:
        """So that one that did not end in time costs the alarms and nothing else."""
        due_mono_ns = self._alarms.due_mono_ns
        if due_mono_ns is not None and due_mono_ns <= self._clock.mono_ns():
            self._alarms.give_up()
            self._lose_alarms(ua.StatusCodes.BadTimeout)

    def _lose_alarms(self, status: int) -> None:
        """Told with the server's next answer: only an answer confirms anything."""
        points = [item.point for item in self._live[self._alarms.subscription or 0].items]
        self.absent |= dict.fromkeys(points, status)
        self._lost_alarms = [(point + 1, Reading(status, None, None, None)) for point in points]

    # -- hearing from them ---------------------------------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """False where there is no subscription, so that nothing is ever told."""
        return bool(self._live)

    @property
    def flows(self) -> bool:
        """True where every subscription has said something; also where there is none."""
        return all(live.heard for live in self._live.values())

    @property
    def requests_wanted(self) -> int:
        """Publish requests that should wait at the server."""
        return min(len(self._live) + 1, self.requests_max) if self._live else 0

    def acknowledgements(self) -> Sequence[ua.SubscriptionAcknowledgement]:
        """What has arrived since the last call, to go with the next publish request."""
        taken, self._acknowledge = self._acknowledge, []
        return taken

    def deadlines(self) -> Iterable[int]:
        """By when each subscription must have said something and a refresh have ended, ns on the monotonic axis."""
        refreshed = self._alarms.due_mono_ns
        return [live.overdue_mono_ns for live in self._live.values()] + ([] if refreshed is None else [refreshed])

    def is_overdue(self) -> bool:
        now_ns = self._clock.mono_ns()
        return any(overdue_ns <= now_ns for overdue_ns in self.deadlines())

    def silence(self) -> str | None:
        """What to say of the longest silence; None where there is none, or it is ours.

        Who looks at a deadline long after it has passed was asleep, and may not have sent a publish request either: the server
        gets its time once more, but not twice between two signs of life.
        """
        now_ns = self._clock.mono_ns()
        overdue = min(self._live.values(), key=lambda live: live.overdue_mono_ns)
        if now_ns < overdue.overdue_mono_ns:
            return None
        if now_ns - overdue.overdue_mono_ns <= OWN_STALL_NS or overdue.excused:
            return f"a subscription was silent for {overdue.deadline_ns / NS_PER_S:g} s"
        overdue.excused = True
        overdue.overdue_mono_ns = now_ns + overdue.deadline_ns
        return None

    def take(self, arrived: Arrived) -> tuple[list[tuple[int, Reading]], NDArray[np.intp]] | None:
        """The changes and the places that a publish response confirms; None for one of no subscription of ours.

        Raises DeviceError where a change got lost or the server ended a subscription.
        """
        news = arrived.response if isinstance(arrived.response, News) else self._news(arrived.response)
        ua.StatusCode(ua.UInt32(news.result)).check()
        live = self._live.get(news.subscription)
        if live is None:
            return None
        live.overdue_mono_ns = arrived.mono_ns + live.deadline_ns
        live.excused = False
        live.heard = True
        self._check_sequence(live, news)
        if not live.asked_for.issuperset([handle for handle, _ in news.changes]):
            raise DeviceError(self._device, "news of an item that nobody asked for")
        changes, self._lost_alarms = [*self._lost_alarms, *news.changes], []
        if news.more:  # the rest of the news is still to come: nothing is confirmed
            return changes, np.empty(0, np.intp)
        if self.absent:  # their turns repeat a bad status
            return changes, np.union1d(live.places, [point + 1 for point in self.absent])
        return changes, live.places

    def _check_sequence(self, live: _Live, news: News) -> None:
        """Numbers follow each other; a keep-alive has that of the news to come (OPC 10000-4, clause 5.14.1.1)."""
        if news.sequence != live.sequence:
            raise DeviceError(self._device, f"news {live.sequence} of a subscription got lost")
        if news.notifications:
            self._acknowledge.append(ua.SubscriptionAcknowledgement(live.id, news.sequence))
            live.sequence = news.sequence % SEQUENCE_MAX + 1

    def _news(self, response: ua.PublishResponse) -> News:
        """Of a response that is not plain."""
        message = response.Parameters.NotificationMessage
        return News(
            response.ResponseHeader.ServiceResult.value,
            response.Parameters.SubscriptionId,
            response.Parameters.MoreNotifications,
            message.SequenceNumber,
            len(message.NotificationData or ()),
            [change for data in message.NotificationData or () for change in self._changes(data)],
        )

    def _changes(self, data: object) -> list[tuple[int, Reading]]:
        if isinstance(data, ua.StatusChangeNotification):
            raise DeviceError(self._device, f"the server ended a subscription: {data.Status.name}")
        if isinstance(data, ua.EventNotificationList):
            return self._take_events(data)
        if not isinstance(data, ua.DataChangeNotification):
            raise DeviceError(self._device, f"unexpected news: {type(data).__name__}")
        return [(item.ClientHandle, reading(item.Value)) for item in data.MonitoredItems or ()]

    def _take_events(self, told: ua.EventNotificationList) -> list[tuple[int, Reading]]:
        """A refresh may end after it was given up: then its alarms are there again."""
        changes = self._alarms.take(told)
        if self._alarms.is_known:
            for item in self._live[self._alarms.subscription or 0].items:
                self.absent.pop(item.point, None)
        return changes
