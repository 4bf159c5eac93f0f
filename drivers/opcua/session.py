"""One session with an OPC UA server, from connect to loss; never used again after either failure or loss.

Called by ``driver``, one step at a time. ``connection`` speaks with the server, ``wire`` translates.

- ``open`` connects, asks which index each namespace URI has *now*, reads every node once, and then subscribes: what changes
  in between is reported by the subscription, since its first report is younger than the read.
- ``next`` keeps a publish request waiting at the server for each subscription and one more, and reads beside them what is to
  be polled: everything, where the configuration says so; points that the server cannot monitor, in the mode ``auto``; and
  points with a deadband now and then. Answers are taken in the order in which they arrive, with the time of their arrival.
- A subscription that says nothing until its deadline, a missing number in its sequence (a change that we never saw), a
  status change of it, any failed request: DeviceError, and the session is of no more use.

Where a node cannot be read or monitored, its point alone has a bad status; it is tried again every ``RETRY_S``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from asyncua import ua
from numpy.typing import NDArray

from contract.clock import NS_PER_MS, NS_PER_S, Clock
from contract.errors import DeviceError
from drivers.opcua.address import Address, AlarmAddress
from drivers.opcua.conditions import UNKNOWN, NodeKey
from drivers.opcua.connection import Arrived, Connection, Traffic, name_of
from drivers.opcua.monitoring import Monitoring
from drivers.opcua.plan import Limits, Plan, Poll, Subscription, chunks, polls
from drivers.opcua.security import Credentials
from drivers.opcua.settings import OpcUaSettings
from drivers.opcua.values import BAD_NODE_ID_UNKNOWN, Reading
from drivers.opcua.wire import count, node_id, node_key

RETRY_S: Final = 30.0
SIGN_OF_LIFE_S: Final = 5.0
"""How often a server without subscriptions is asked for its state, so that neither end takes the other for dead."""
LOOP_TURNS_OF_AN_ANSWER: Final = 10
"""From bytes in the socket to a letter in the inbox it takes four."""

_LIMIT_NODES: Final = (
    ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
    24104,  # Server_ServerCapabilities_MaxMonitoredItemsPerSubscription, younger than asyncua's list
)
_TOO_MUCH: Final = frozenset({
    ua.StatusCodes.BadTooManyOperations, ua.StatusCodes.BadResponseTooLarge, ua.StatusCodes.BadRequestTooLarge,
    ua.StatusCodes.BadEncodingLimitsExceeded, ua.StatusCodes.BadTcpMessageTooLarge,
})  # fmt: skip
"""A call with fewer nodes may do."""
_NONE: Final[NDArray[np.intp]] = np.empty(0, np.intp)


@dataclass(frozen=True, slots=True)
class Opened:
    """A reading for each node, stamped when the last of them had arrived."""

    readings: Sequence[Reading]
    time_ns: int
    mono_ns: int


@dataclass(frozen=True, slots=True)
class Published:
    """One answer of the server: changes by place (from 1) of the node, and all places that it confirms."""

    changes: Sequence[tuple[int, Reading]]
    confirmed: NDArray[np.intp]
    time_ns: int
    mono_ns: int
    read: bool = False
    """Not told but asked for."""


@dataclass(slots=True)
class _Turn:
    """A poll and when it is due next."""

    poll: Poll
    due_mono_ns: int


class OpcUaSession:
    """Use: ``open`` once, ``next`` again and again, ``close`` in any case."""

    def __init__(
        self,
        device: str,
        settings: OpcUaSettings,
        nodes: Sequence[Address],
        clock: Clock,
        traffic: Traffic,
        credentials: Credentials,
    ) -> None:
        self._device = device
        self._settings = settings
        self._nodes = nodes
        self._alarms = [point for point, node in enumerate(nodes) if isinstance(node, AlarmAddress)]
        self._clock = clock
        self._traffic = traffic
        self._connection = Connection(device, settings, clock, traffic, credentials)
        self._monitoring = Monitoring(device, self._connection, clock, self._node, self._meant)
        self._limits = Limits()
        self._alarms_asked: Subscription | None = None
        self._indices: dict[str, int] = {}
        self._turns: list[_Turn] = []
        self._inbox: deque[Arrived | Published] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._asking = 0
        self._reading = False
        self._retry_mono_ns = 0

    async def open(self, plan: Plan) -> Opened:
        """Connect, read, subscribe. Raises DeviceError; each request takes ``timeout_s`` at most."""
        try:
            await self._connection.open()
            await self._look_around()
            readings = [Reading(UNKNOWN, None, None, None)] * len(self._nodes)
            values = [point for point, node in enumerate(self._nodes) if not isinstance(node, AlarmAddress)]
            async for part in self._read(values):
                for point, each in zip(part.points, part.readings, strict=True):
                    readings[point] = each
            time_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
            await self._arrange(plan)
        except Exception as error:
            raise self._lost(error) from error
        for point, status in self._monitoring.absent.items():
            readings[point] = _worse(readings[point], status)
        self._retry_mono_ns = mono_ns + round(RETRY_S * NS_PER_S)
        return Opened(readings, time_ns, mono_ns)

    async def next(self) -> Published:
        """What came next, in order of arrival: a publish response, a read, or another try with absent nodes.

        Raises DeviceError.
        """
        try:
            while True:
                self._wake.clear()
                self._start_work()
                if self._inbox:
                    if published := self._opened(self._inbox.popleft()):
                        return published
                elif self._monitoring.is_overdue():
                    await self._hear_out()
                else:
                    await self._wait()
        except Exception as error:
            raise self._lost(error) from error

    async def close(self) -> None:
        """Take leave if the connection still stands, then drop it in any case. Takes ``timeout_s`` at most."""
        for task in self._tasks:
            task.cancel()
        try:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        finally:  # whoever stops the driver now may be in a hurry
            await self._connection.close()

    @property
    def refused(self) -> Mapping[int, str]:
        """Points that the server does not monitor and why, by their place in the list of points."""
        return {point: name_of(status) for point, status in self._monitoring.absent.items()}

    @property
    def flows(self) -> bool:
        """True where every subscription has said something; also where there is none."""
        return self._monitoring.flows

    @property
    def restrictions(self) -> Sequence[str]:
        """What the server grants to fewer points than asked, or not as asked."""
        return self._monitoring.restrictions()

    @property
    def slowed(self) -> Sequence[str]:
        """Intervals that the server revised."""
        return self._monitoring.slowed()

    def _lost(self, error: Exception) -> DeviceError:
        return error if isinstance(error, DeviceError) else DeviceError(self._device, self._connection.in_words(error))

    # -- finding nodes, and reading them -------------------------------------------------------------------------------

    async def _look_around(self) -> None:
        """The server's limits, and which index each namespace has now."""
        self._limits = Limits(*[count(await self._read_one(node)) for node in _LIMIT_NODES])
        await self._map_namespaces()

    async def _map_namespaces(self) -> None:
        answer = await self._read_one(ua.ObjectIds.Server_NamespaceArray)
        uris = answer.value
        if not isinstance(uris, list):
            raise DeviceError(self._device, "the server gives no list of namespaces")
        self._indices = {uri: index for index, uri in reversed(list(enumerate(uris)))}

    async def _read_one(self, number: int) -> Reading:
        (answer,) = await self._connection.read([node_id(number)])
        return answer

    async def _missing_sources(self) -> dict[int, int]:
        """Points of alarms whose source the server does not have: they would never be told, which must not pass for normal."""
        statuses = {
            point: each.status
            async for part in self._read(self._alarms, ua.AttributeIds.NodeClass)
            for point, each in zip(part.points, part.readings, strict=True)
        }
        return {point: status for point, status in statuses.items() if status >> 31}

    async def _read(
        self, points: Iterable[int], attribute: ua.AttributeIds = ua.AttributeIds.Value
    ) -> AsyncGenerator[_Part, None]:
        """A reading for each point in order, in parts as they come; one whose namespace the server lacks is unknown."""
        waiting = list(points)
        while waiting:
            part = next(iter(chunks(waiting, self._limits.nodes_per_read)))
            try:
                found = await self._read_part(part, attribute)
            except ua.UaStatusCodeError as error:
                if error.code not in _TOO_MUCH or len(part) == 1:
                    raise
                self._limits = replace(self._limits, nodes_per_read=len(part) // 2)
            else:
                del waiting[: len(part)]
                yield found

    async def _read_part(self, points: Sequence[int], attribute: ua.AttributeIds) -> _Part:
        placed = [(point, node) for point in points if (node := self._node(point)) is not None]
        readings = dict.fromkeys(points, Reading(BAD_NODE_ID_UNKNOWN, None, None, None))
        if placed:
            answers = await self._connection.read([node for _, node in placed], attribute)
            readings |= {point: answer for (point, _), answer in zip(placed, answers, strict=True)}
        return _Part(points, list(readings.values()), self._clock.wall_ns(), self._clock.mono_ns())

    def _node(self, point: int) -> ua.NodeId | None:
        address = self._nodes[point]
        if isinstance(address, AlarmAddress):
            address = address.source
        index = 0 if address.namespace is None else self._indices.get(address.namespace)
        return None if index is None else node_id(address.identifier, index)

    def _meant(self, point: int) -> tuple[NodeKey, str | None]:
        """Source and name of an alarm whose namespace the server has."""
        address, node = self._nodes[point], self._node(point)
        assert isinstance(address, AlarmAddress)
        source = node_key(node)
        assert source is not None
        return source, address.name

    # -- polling -------------------------------------------------------------------------------------------------------

    async def _arrange(self, plan: Plan) -> None:
        """Subscribe, and poll what cannot be had that way or shall not."""
        auto = self._settings.mode == "auto"
        self._alarms_asked = plan.alarms
        await self._arrange_alarms()
        instead = await self._monitoring.begin(plan.subscriptions, self._limits, may_refuse=auto)
        replaced = {item.point for item in instead}
        polled = [Poll(poll.period_ms, tuple(p for p in poll.points if p not in replaced)) for poll in plan.polls]
        polled += polls([(item.poll_ms, item.point) for item in instead])
        if not self._monitoring.alive:
            polled.append(Poll(SIGN_OF_LIFE_S * 1000, ()))
        now_ns = self._clock.mono_ns()
        self._turns = [_Turn(poll, now_ns + _period_ns(poll)) for poll in polled]

    async def _arrange_alarms(self) -> None:
        if self._alarms_asked is not None:
            await self._monitoring.begin_alarms(self._alarms_asked, await self._missing_sources())

    def _due_turn(self) -> _Turn | None:
        """The poll that is owed longest."""
        turn = min(self._turns, key=lambda each: each.due_mono_ns, default=None)
        return turn if turn is not None and turn.due_mono_ns <= self._clock.mono_ns() else None

    async def _poll(self, turn: _Turn) -> None:
        """Read its points; the next time follows from the last, not from now, so that periods do not drift."""
        period_ns = _period_ns(turn.poll)
        missed = max(0, (self._clock.mono_ns() - turn.due_mono_ns) // period_ns)
        self._traffic.missed_turns += missed
        turn.due_mono_ns += (missed + 1) * period_ns
        if not turn.poll.points:
            await self._read_one(ua.ObjectIds.Server_ServerStatus_State)
            self._inbox.append(Published((), _NONE, self._clock.wall_ns(), self._clock.mono_ns()))
        async for part in self._read(turn.poll.points):
            places = np.array(part.points, np.intp) + 1
            changes = list(zip(places.tolist(), part.readings, strict=True))
            self._inbox.append(Published(changes, places, part.time_ns, part.mono_ns, read=True))

    async def _retry(self) -> None:
        """Try the absent nodes again; a server may still be loading them when it lets clients in."""
        await self._map_namespaces()
        waiting = any(point in self._monitoring.absent for point in self._alarms)
        await self._monitoring.retry()
        if waiting:
            await self._arrange_alarms()
        changes = [(point + 1, Reading(status, None, None, None)) for point, status in self._monitoring.absent.items()]
        self._inbox.append(Published(changes, _NONE, self._clock.wall_ns(), self._clock.mono_ns()))

    # -- waiting -------------------------------------------------------------------------------------------------------

    def _start_work(self) -> None:
        """Keep publish requests at the server, and read what is due beside them: neither may hold up the other."""
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.remove(task)
            task.result()
        if self._connection.renewal.done():
            self._connection.renewal.result()
        while self._asking < self._monitoring.requests_wanted:
            self._asking += 1
            self._start(self._ask())
        if self._reading:
            return
        if self._monitoring.wants_refresh:
            self._start(self._read_beside(self._monitoring.refresh()))
        elif self._clock.mono_ns() >= self._retry_mono_ns:
            self._retry_mono_ns = self._clock.mono_ns() + round(RETRY_S * NS_PER_S)
            if self._monitoring.absent or any(self._node(point) is None for point in range(len(self._nodes))):
                self._start(self._read_beside(self._retry()))
        elif turn := self._due_turn():
            self._start(self._read_beside(self._poll(turn)))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._wake.set())

    async def _read_beside(self, work: Coroutine[Any, Any, None]) -> None:
        self._reading = True
        try:
            await work
        finally:
            self._reading = False

    async def _ask(self) -> None:
        """One publish request, until it is answered."""
        try:
            self._inbox.append(await self._connection.publish(self._monitoring.acknowledgements()))
        except ua.UaStatusCodeError as error:
            if error.code != ua.StatusCodes.BadTooManyPublishRequests or self._asking == 1:
                raise
            self._monitoring.requests_max = self._asking - 1
        finally:
            self._asking -= 1

    def _opened(self, letter: Arrived | Published) -> Published | None:
        if isinstance(letter, Published):
            return letter
        taken = self._monitoring.take(letter)
        return Published(*taken, letter.time_ns, letter.mono_ns) if taken else None

    async def _wait(self) -> None:
        """Until something arrives or fails, or the next poll, retry or deadline."""
        turns = () if self._reading else (self._retry_mono_ns, *(turn.due_mono_ns for turn in self._turns))
        moments = (*turns, *self._monitoring.deadlines())
        left_s = (min(moments) - self._clock.mono_ns()) / NS_PER_S if moments else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(left_s):
                await self._wake.wait()

    async def _hear_out(self) -> None:
        """A stall of our own is not the server's silence: what lies in the socket by now is taken first.

        A refresh of its alarms that does not end costs them, not the session.
        """
        for _ in range(LOOP_TURNS_OF_AN_ANSWER):
            await asyncio.sleep(0)
        if self._inbox:
            return
        self._monitoring.give_up_overdue_refresh()
        if silence := self._monitoring.silence():
            raise DeviceError(self._device, silence)


@dataclass(frozen=True, slots=True)
class _Part:
    """Readings of one call, stamped when they arrived."""

    points: Sequence[int]
    readings: Sequence[Reading]
    time_ns: int
    mono_ns: int


def _period_ns(poll: Poll) -> int:
    return round(poll.period_ms * NS_PER_MS)


def _worse(found: Reading, status: int) -> Reading:
    """A point that is not monitored must not be believed, however well it could be read once."""
    return found if found.status >> 31 and found.status != UNKNOWN else Reading(status, None, None, None)
