"""A real OPC UA server as a process of its own, which can be killed, stopped and told what to serve.

Started by the fixtures beside it: one JSON argument says what to serve, then each line of standard input is a JSON command
``[name, arguments ...]`` and each is answered by a line. It ends when standard input does.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from asyncua import Server, ua
from asyncua.common import event_objects
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from asyncua.server.event_generator import EventGenerator
from asyncua.server.internal_session import InternalSession
from asyncua.server.monitored_item_service import MonitoredItemService
from asyncua.server.subscription_service import SubscriptionService
from asyncua.server.uaprocessor import UaProcessor
from asyncua.server.user_managers import UserManager
from asyncua.ua.ua_binary import struct_from_binary

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_MONITORED_ITEMS_PER_SUBSCRIPTION = 24104


class OneUser(UserManager):
    def __init__(self, name: str, password: str) -> None:
        self._known = (name, password)

    def get_user(self, iserver, username=None, password=None, certificate=None):
        return User(role=UserRole.User) if (username, password) == self._known else None


class OneCertificate(UserManager):
    def __init__(self, path: str) -> None:
        self._known = Path(path).read_bytes()

    def get_user(self, iserver, username=None, password=None, certificate=None):
        return User(role=UserRole.User) if certificate == self._known else None


def refuse_channels(policy: str) -> None:
    """Answer a request for a channel of that policy with a fault, as servers do that do not trust a certificate, or nobody without."""
    original = UaProcessor.open_secure_channel

    def refusing(self, algohdr, seqhdr, body):
        if not algohdr.SecurityPolicyURI.endswith(f"#{policy}"):
            original(self, algohdr, seqhdr, body)
            return
        request = struct_from_binary(ua.OpenSecureChannelRequest, body)
        self._connection.select_policy(
            algohdr.SecurityPolicyURI, algohdr.SenderCertificate, request.Parameters.SecurityMode
        )
        fault = ua.ServiceFault()
        fault.ResponseHeader.ServiceResult = ua.StatusCode(status(ua.StatusCodes.BadSecurityChecksFailed))
        self.send_response(request.RequestHeader.RequestHandle, seqhdr, fault, ua.MessageType.SecureOpen)

    UaProcessor.open_secure_channel = refusing  # type: ignore[method-assign]


class KeepsValue(ua.StatusCode):
    """A status beside which asyncua's server leaves the value, as others do; it takes one away from a bad status."""

    def is_bad(self) -> bool:
        return False


def enforce(method: str, size, limit: int) -> None:
    """Refuse calls for more nodes than allowed, as most servers do and asyncua's does not."""
    original = getattr(InternalSession, method)

    async def limited(self, params, *more):
        if size(params) > limit:
            raise ServiceError(ua.StatusCodes.BadTooManyOperations)
        return await original(self, params, *more)

    setattr(InternalSession, method, limited)


def revise(publish_ms=None, keepalive=None, queue=None) -> None:
    """Grant other intervals, counts and queues than those asked for."""
    create = SubscriptionService.create_subscription

    async def revised(self, params, *more, **named):
        params.RequestedPublishingInterval = publish_ms or params.RequestedPublishingInterval
        params.RequestedMaxKeepAliveCount = keepalive or params.RequestedMaxKeepAliveCount
        return await create(self, params, *more, **named)

    SubscriptionService.create_subscription = revised  # type: ignore[method-assign]
    if queue is not None:
        MonitoredItemService._revise_queue_size = lambda self, requested: queue  # type: ignore[method-assign]


def refuse_filters() -> None:
    original = MonitoredItemService._create_data_change_monitored_item

    async def plain(self, params):
        if not params.RequestedParameters.Filter:  # an empty one is false
            return await original(self, params)
        code = status(ua.StatusCodes.BadMonitoredItemFilterUnsupported)
        return ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(code))

    MonitoredItemService._create_data_change_monitored_item = plain  # type: ignore[method-assign]


def status(code: int) -> Any:
    return code


class Served:
    def __init__(self, asked: dict) -> None:
        self.asked = asked
        user = asked.get("user")
        manager: Any = OneUser(*user) if user else None
        if path := asked.get("user_certificate"):
            manager = OneCertificate(path)
        self.server = Server(user_manager=manager)
        self.nodes: dict[str, Any] = {}
        self.sessions_max = 0
        self.channels_opened = 0
        self.refreshed = 0

    async def start(self) -> None:
        self.server.iserver.bind_condition_methods = True
        await self.server.init()
        self.count_refreshes()
        self.server.set_endpoint(f"opc.tcp://127.0.0.1:{self.asked['port']}/park")
        await self.secure()
        if self.asked.get("user"):
            self.server.set_identity_tokens([ua.UserNameIdentityToken])
        if self.asked.get("user_certificate"):
            self.server.set_identity_tokens([ua.X509IdentityToken])
        for uri in self.asked["namespaces"]:
            self.index: Any = await self.server.register_namespace(uri)
        for name, type_, value, *uri in self.asked["nodes"]:
            await self.add(name, type_, value, *uri)
        if limit := self.asked.get("limit"):
            await self.limit(limit)
        if (limit := self.asked.get("subscriptions")) is not None:
            self.server.iserver.max_subscriptions = limit
        if limit := self.asked.get("per_subscription"):
            await self.crowd(limit)
        if revised := self.asked.get("revised"):
            revise(**revised)
        if limit := self.asked.get("publish_requests"):
            UaProcessor.publish_request_limit = lambda *_: limit  # type: ignore[method-assign]
        if policy := self.asked.get("refuse_channels"):
            refuse_channels(policy)
        if self.asked.get("no_deadband"):
            refuse_filters()
        self.count_sessions()
        self.count_channels()
        await self.server.start()
        if self.asked.get("careless"):  # with passwords: as they are, in every mode
            for endpoint in self.server.iserver.endpoints:
                for token in endpoint.UserIdentityTokens:
                    token.SecurityPolicyUri = "http://opcfoundation.org/UA/SecurityPolicy#None"

    async def secure(self) -> None:
        """With ``certificate`` and ``key`` only by the policies asked for, and only for clients in the folder ``trusts``."""
        policies = self.asked.get("policies", ["NoSecurity"])
        self.server.set_security_policy([ua.SecurityPolicyType[name] for name in policies])
        if "certificate" not in self.asked:
            return
        await self.server.load_certificate(self.asked["certificate"])
        await self.server.load_private_key(self.asked["key"], format="pem")
        await self.server.set_application_uri(self.asked["uri"])
        store = TrustStore([Path(self.asked["trusts"])], [])
        await store.load()
        options = CertificateValidatorOptions.TRUSTED_VALIDATION | CertificateValidatorOptions.PEER_CLIENT
        self.server.set_certificate_validator(CertificateValidator(options, store))

    async def trust(self) -> None:
        """Look into the folder again."""
        await self.secure()

    def count_channels(self) -> None:
        original = UaProcessor.open_secure_channel

        def counted(processor, *arguments) -> None:
            self.channels_opened += 1
            original(processor, *arguments)

        UaProcessor.open_secure_channel = counted  # type: ignore[method-assign]

    def count_sessions(self) -> None:
        internal = self.server.iserver
        register = internal.register_external_session

        def registered(session) -> None:
            register(session)
            self.sessions_max = max(self.sessions_max, len(internal._external_sessions))

        internal.register_external_session = registered  # type: ignore[method-assign]

    async def crowd(self, limit: int) -> None:
        """Take no more items into a subscription; some servers say so beforehand, asyncua's names no limit."""
        if not self.asked.get("secretive"):
            node: Any = MAX_MONITORED_ITEMS_PER_SUBSCRIPTION
            await self.server.get_node(ua.NodeId(node)).write_value(limit, ua.VariantType.UInt32)
        original = MonitoredItemService.create_monitored_items

        async def limited(self, params):
            room = limit - len(self._monitored_items)
            asked, params.ItemsToCreate = params.ItemsToCreate, params.ItemsToCreate[: max(0, room)]
            results = await original(self, params)
            full = ua.MonitoredItemCreateResult(
                StatusCode=ua.StatusCode(status(ua.StatusCodes.BadTooManyMonitoredItems))
            )
            return results + [full] * (len(asked) - len(results))

        MonitoredItemService.create_monitored_items = limited  # type: ignore[method-assign]

    async def limit(self, limit: int) -> None:
        ids = ua.ObjectIds
        node: Any
        for node in (
            ()
            if self.asked.get("secretive")
            else (
                ids.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
                ids.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
            )
        ):
            await self.server.get_node(ua.NodeId(node)).write_value(limit, ua.VariantType.UInt32)
        enforce("read", lambda params: len(params.NodesToRead), limit)
        enforce("create_monitored_items", lambda params: len(params.ItemsToCreate), limit)

    async def add(self, name: Any, type_: str, value, uri: str | None = None) -> None:
        """Under the last of the namespaces, or the one of the URI."""
        index: Any = self.index if uri is None else await self.server.get_namespace_index(uri)
        self.nodes[name] = await self.server.nodes.objects.add_variable(
            ua.NodeId(name, index), name, number(value), ua.VariantType[type_]
        )

    async def write(self, name: str, type_: str, value, status: Any = 0, source_ns: int | None = None) -> None:
        source: Any = None if source_ns is None else EPOCH + timedelta(microseconds=source_ns // 1000)
        data = ua.DataValue(ua.Variant(number(value), ua.VariantType[type_]), KeepsValue(status), source)
        await self.server.write_attribute_value(self.nodes[name].nodeid, data)

    async def alarm(self, source: str, condition: str, active: bool | None, **more) -> None:
        """What a condition is now: told to who listens, and again with each refresh while it is retained."""
        told: dict[str, Any] = {
            "severity": 500,
            "retain": bool(active),
            "enabled": True,
            "branch": None,
            "type": "Exclusive",
        }
        told |= more
        event: Any = getattr(event_objects, f"{told['type']}LimitAlarm")()
        event.SourceNode = self.nodes[source].nodeid
        event.Severity = told["severity"]
        values = [
            ("NodeId", ua.NodeId(number(f"{source}.{condition}"), self.index), ua.VariantType.NodeId),
            ("ConditionName", condition, ua.VariantType.String),
            ("BranchId", ua.NodeId(number(told["branch"] or 0)), ua.VariantType.NodeId),
            ("Retain", told["retain"], ua.VariantType.Boolean),
            ("EnabledState/Id", told["enabled"], ua.VariantType.Boolean),
            ("ActiveState/Id", active, ua.VariantType.Boolean),
        ]
        if limit := told.get("limit"):
            state: Any = getattr(ua.ObjectIds, f"ExclusiveLimitStateMachineType_{limit}")
            values.append(("LimitState/CurrentState/Id", ua.NodeId(state), ua.VariantType.NodeId))
        values += [(f"{name}State/Id", told["outer"] == name, ua.VariantType.Boolean)
                   for name in ("HighHigh", "LowLow") if "outer" in told]  # fmt: skip
        for name, value, type_ in values:
            event.add_property(name, value, type_)
        await self.raise_event(event, told.get("ms"))

    async def raise_event(self, event: Any, ms: int | None = None) -> None:
        generator = EventGenerator(self.server.iserver.isession)
        await generator.init(event, add_generates_event=False)
        await generator.trigger(time_attr=None if ms is None else EPOCH + timedelta(milliseconds=ms))

    async def event(self, name: str) -> None:
        """One that is no condition."""
        await self.raise_event(getattr(event_objects, name)())

    async def refreshes(self) -> int:
        """How often a client has asked for all conditions."""
        return self.refreshed

    def count_refreshes(self) -> None:
        """With ``forgets``, the end of a refresh is not told."""
        service = self.server.iserver.subscription_service
        original = service.standard_events[ua.ObjectIds.RefreshStartEventType].trigger

        async def counted(*arguments, **more) -> None:
            self.refreshed += 1
            await original(*arguments, **more)

        service.standard_events[ua.ObjectIds.RefreshStartEventType].trigger = counted
        self.refresh_end = service.standard_events[ua.ObjectIds.RefreshEndEventType]
        if self.asked.get("forgets"):
            self._tell_ends(on=False)

    async def forget(self) -> None:
        self._tell_ends(on=False)

    async def remember(self) -> None:
        """Tell the ends of refreshes again."""
        self._tell_ends(on=True)

    def _tell_ends(self, *, on: bool) -> None:
        events: Any = self.server.iserver.subscription_service.standard_events
        if on:
            events[ua.ObjectIds.RefreshEndEventType] = self.refresh_end
        else:
            events.pop(ua.ObjectIds.RefreshEndEventType, None)

    async def lose_news(self) -> None:
        for subscription in self.subscriptions():
            subscription._notification_seq += 1

    async def mute_for_good(self) -> None:
        """No subscription says anything any more, nor does any that is made from now on."""
        service: Any = self.server.iserver.subscription_service
        create = service.create_subscription

        async def create_mute(*arguments, **more) -> Any:
            made = await create(*arguments, **more)
            service.subscriptions[made.SubscriptionId].publish_results = self.say_nothing
            return made

        self.talking, service.create_subscription = create, create_mute
        await self.mute()

    async def talk(self) -> None:
        """Subscriptions that are made from now on publish again."""
        service: Any = self.server.iserver.subscription_service
        service.create_subscription = self.talking

    async def mute(self, count: int | None = None) -> None:
        """So many subscriptions, or all, say nothing any more; everything else is answered."""
        for subscription in self.subscriptions()[:count]:
            subscription._task.cancel()
            subscription.publish_results = self.say_nothing  # one that waits for a request is called by that

    async def say_nothing(self, *_) -> bool:
        return False

    async def channels(self) -> int:
        """How often a secure channel was opened or renewed."""
        return self.channels_opened

    async def sessions(self) -> int:
        return len(self.server.iserver._external_sessions)

    async def most_sessions(self) -> int:
        """At any one time since the start."""
        return self.sessions_max

    async def items(self) -> list[int]:
        """Monitored items of each subscription."""
        return [len(each.monitored_item_srv._monitored_items) for each in self.subscriptions()]

    async def queues(self) -> list[int]:
        """The queue of each item, as asked for."""
        return [
            item.queue_size
            for each in self.subscriptions()
            for item in each.monitored_item_srv._monitored_items.values()
        ]

    def subscriptions(self) -> list:
        return list(self.server.iserver.subscription_service.subscriptions.values())


def number(value) -> Any:
    return math.nan if value == "nan" else value


async def main() -> None:
    logging.disable(logging.CRITICAL)
    served = Served(json.loads(sys.argv[1]))
    await served.start()
    print("up", flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        name, *arguments = json.loads(line)
        named = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        print(json.dumps(await getattr(served, name)(*arguments, **named)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
