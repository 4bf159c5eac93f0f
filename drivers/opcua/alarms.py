"""The alarms of a server in one session: the item that tells its events, and the refreshes that say what stands already.

Called by ``monitoring``, which owns the subscription that the events come with; ``conditions`` says what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from asyncua import ua

from contract.clock import NS_PER_S, Clock
from drivers.opcua.conditions import Conditions, NodeKey
from drivers.opcua.connection import Connection
from drivers.opcua.values import Reading
from drivers.opcua.wire import event, event_request

REFRESH_S: Final = 10.0
"""Longest wait for the end of a refresh; after it nothing is known of the alarms until it comes, or is asked for again."""
QUEUE: Final = 10_000
"""Events between two reports, a refresh included; the server may keep fewer and says when they were too many."""


class Alarms:
    """Use: ``watch`` once it has a subscription, ``bind``, then ``refresh`` whenever one is ``wanted``.

    A refresh that is refused or does not end is not ``wanted`` again before ``try_again``.
    """

    def __init__(self, device: str, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._conditions = Conditions(device)
        self._asked_mono_ns: int | None = None
        self._gave_up = False
        self.subscription: int | None = None
        """None where the server tells no events."""

    async def watch(self, subscription: int) -> int:
        """Have the server's events told. Returns the status of its answer; raises what the connection raises."""
        (answer,) = await self._connection.create_items(subscription, [event_request(QUEUE)])
        status = int(answer.StatusCode.value)
        if status >> 30 == 0:
            self.subscription = subscription
        return status

    def bind(self, points: Mapping[int, tuple[NodeKey, str | None]]) -> None:
        """What each place stands for now. Nothing is known of them until a refresh has ended."""
        self._conditions.bind(points)
        self._gave_up = False

    @property
    def wanted(self) -> bool:
        """True where a refresh is to be asked for."""
        return self.subscription is not None and self._conditions.wants_refresh and not self._gave_up

    @property
    def is_known(self) -> bool:
        """True where all that stands has been told."""
        return self._conditions.is_valid

    def try_again(self) -> None:
        """Ask for what was given up, unless it has come meanwhile."""
        if self._gave_up:
            self._gave_up, self._conditions.wants_refresh = False, True

    async def refresh(self) -> int:
        """Ask for one; asking again, since its end got lost, gives it no more time. Returns the status of the answer."""
        assert self.subscription is not None
        self._conditions.wants_refresh = False
        if self._asked_mono_ns is None:
            self._asked_mono_ns = self._clock.mono_ns()
        status = await self._connection.refresh_conditions(self.subscription)
        if status >> 31:
            self.give_up()
        return status

    def give_up(self) -> None:
        """Wait no longer for the refresh that is under way."""
        self._asked_mono_ns, self._gave_up = None, True

    @property
    def due_mono_ns(self) -> int | None:
        """By when the refresh that is under way must have ended; None where there is none."""
        return None if self._asked_mono_ns is None else self._asked_mono_ns + round(REFRESH_S * NS_PER_S)

    def take(self, told: ua.EventNotificationList) -> list[tuple[int, Reading]]:
        """Readings that have changed, by place."""
        changes = self._conditions.take(event(each.EventFields or ()) for each in told.Events or ())
        if self._conditions.is_valid:
            self._asked_mono_ns, self._gave_up = None, False
        return changes
