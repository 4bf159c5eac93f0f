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
from typing import Any

from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.internal_session import InternalSession
from asyncua.server.user_managers import UserManager

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class OneUser(UserManager):
    def __init__(self, name: str, password: str) -> None:
        self._known = (name, password)

    def get_user(self, iserver, username=None, password=None, certificate=None):
        return User(role=UserRole.User) if (username, password) == self._known else None


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


class Served:
    def __init__(self, asked: dict) -> None:
        self.asked = asked
        user = asked.get("user")
        self.server = Server(user_manager=OneUser(*user) if user else None)
        self.nodes: dict[str, Any] = {}

    async def start(self) -> None:
        await self.server.init()
        self.server.set_endpoint(f"opc.tcp://127.0.0.1:{self.asked['port']}/park")
        self.server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        if self.asked.get("user"):
            self.server.set_identity_tokens([ua.UserNameIdentityToken])
        for uri in self.asked["namespaces"]:
            self.index: Any = await self.server.register_namespace(uri)
        for name, type_, value in self.asked["nodes"]:
            await self.add(name, type_, value)
        if limit := self.asked.get("limit"):
            await self.limit(limit)
        await self.server.start()

    async def limit(self, limit: int) -> None:
        ids = ua.ObjectIds
        node: Any
        for node in (
            ids.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
            ids.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
        ):
            await self.server.get_node(ua.NodeId(node)).write_value(limit, ua.VariantType.UInt32)
        enforce("read", lambda params: len(params.NodesToRead), limit)
        enforce("create_monitored_items", lambda params: len(params.ItemsToCreate), limit)

    async def add(self, name: Any, type_: str, value) -> None:
        node = ua.NodeId(name, self.index)
        self.nodes[name] = await self.server.nodes.objects.add_variable(
            node, name, number(value), ua.VariantType[type_]
        )

    async def write(self, name: str, type_: str, value, status: Any = 0, source_ns: int | None = None) -> None:
        source: Any = None if source_ns is None else EPOCH + timedelta(microseconds=source_ns // 1000)
        data = ua.DataValue(ua.Variant(number(value), ua.VariantType[type_]), KeepsValue(status), source)
        await self.server.write_attribute_value(self.nodes[name].nodeid, data)

    async def lose_news(self) -> None:
        for subscription in self.subscriptions():
            subscription._notification_seq += 1

    async def mute(self) -> None:
        """Subscriptions say nothing any more, everything else is answered."""
        for subscription in self.subscriptions():
            subscription._task.cancel()

    async def sessions(self) -> int:
        """How many subscriptions there are: each session of the driver has one."""
        return len(self.subscriptions())

    def subscriptions(self) -> list:
        return list(self.server.iserver.subscription_service.subscriptions.values())


def number(value):
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
        print(json.dumps(await getattr(served, name)(*arguments)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
