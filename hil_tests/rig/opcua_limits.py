"""What an OPC UA server refuses and leaves out when it is told to; asyncua's does neither by itself.

Stands before the methods of a server's own parts: sessions, subscriptions, monitored items. ``opcua_device`` has the switches.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_session import InternalSession
from asyncua.server.internal_subscription import InternalSubscription

from hil_tests.rig.commands import Limited

_REFUSAL: Final = {
    Limited.SESSIONS: ua.StatusCodes.BadTooManySessions,
    Limited.SUBSCRIPTIONS: ua.StatusCodes.BadTooManySubscriptions,
    Limited.ITEMS: ua.StatusCodes.BadTooManyMonitoredItems,
}


@dataclass(slots=True)
class Switches:
    """What is switched now. ``sessions_changed`` hears how many sessions are open."""

    sessions_changed: Callable[[int], None]
    publishing: bool = True
    limits: dict[Limited, int] = field(default_factory=dict)

    def room(self, what: Limited, there: int) -> float:
        return self.limits.get(what, math.inf) - there

    def require_room(self, what: Limited, there: int) -> None:
        """Raises ServiceError."""
        if self.room(what, there) < 1:
            raise ServiceError(_REFUSAL[what])


def put_behind(server: Server, switches: Switches) -> None:
    """Let the switches rule a server that has not started yet."""
    internal = server.iserver
    service = internal.subscription_service
    register, unregister = internal.register_external_session, internal.unregister_external_session
    create_session, create_subscription = internal.create_session, service.create_subscription
    sessions: set[InternalSession] = set()

    def registered(session: InternalSession) -> None:
        register(session)
        sessions.add(session)
        switches.sessions_changed(len(sessions))

    def unregistered(session: InternalSession) -> None:
        unregister(session)
        if session in sessions:
            sessions.remove(session)
            switches.sessions_changed(len(sessions))

    def new_session(name: str, *, external: bool) -> InternalSession:
        switches.require_room(Limited.SESSIONS, len(sessions))
        return create_session(name, external=external)

    async def new_subscription(*args: Any, **named: Any) -> ua.CreateSubscriptionResult:
        switches.require_room(Limited.SUBSCRIPTIONS, len(service.subscriptions))
        result = await create_subscription(*args, **named)
        _rule(service.subscriptions[result.SubscriptionId], switches)
        return result

    vars(internal).update(
        register_external_session=registered, unregister_external_session=unregistered, create_session=new_session
    )
    vars(service).update(create_subscription=new_subscription)


def _rule(subscription: InternalSubscription, switches: Switches) -> None:
    publish, items = subscription.publish_results, subscription.monitored_item_srv
    create = items.create_monitored_items

    async def publish_if_told(*args: Any) -> bool:
        return switches.publishing and await publish(*args)

    async def create_within(params: ua.CreateMonitoredItemsParameters) -> list[ua.MonitoredItemCreateResult]:
        there = len(items._monitored_items)  # noqa: SLF001 - it tells nobody
        asked = params.ItemsToCreate
        params.ItemsToCreate = asked[: int(max(0, min(len(asked), switches.room(Limited.ITEMS, there))))]
        results = await create(params)
        refused = ua.StatusCode(ua.UInt32(_REFUSAL[Limited.ITEMS]))
        return results + [ua.MonitoredItemCreateResult(StatusCode=refused) for _ in asked[len(results) :]]

    vars(subscription).update(publish_results=publish_if_told)
    vars(items).update(create_monitored_items=create_within)
