"""The process of one OPC UA device: a server around ``Nodes``, and a relay before it that can misbehave.

The namespace is configured by its URI; its index is the server's affair. Nodes are read only. ``device_process`` says
how the process is told what to do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Sequence
from datetime import UTC
from typing import Final

from asyncua import Server, ua
from asyncua.common.node import Node as ServerNode

from contract.clock import NS_PER_MS, NS_PER_S
from contract.points import PointType
from hil_tests.rig.commands import (
    Answer,
    ClearLimits,
    Disconnect,
    Limit,
    Listen,
    Publish,
    Quit,
    Restart,
    StopAnswering,
    StopPublishing,
    parse_command,
)  # fmt: skip
from hil_tests.rig.device_process import Assignment, run_device
from hil_tests.rig.ledger import LedgerWriter
from hil_tests.rig.nodes import NodeChange, Nodes, is_bad
from hil_tests.rig.opcua_limits import Switches, put_behind
from hil_tests.rig.plant_feed import feed_for
from hil_tests.rig.ports import reserve
from hil_tests.rig.relay import Relay
from hil_tests.rig.site import OpcUaSpec

_TYPES: Final = {
    PointType.BIT: ua.VariantType.Boolean,
    PointType.UINT16: ua.VariantType.UInt16, PointType.INT16: ua.VariantType.Int16,
    PointType.UINT32: ua.VariantType.UInt32, PointType.INT32: ua.VariantType.Int32,
    PointType.UINT64: ua.VariantType.UInt64, PointType.INT64: ua.VariantType.Int64,
    PointType.FLOAT32: ua.VariantType.Float, PointType.FLOAT64: ua.VariantType.Double,
}  # fmt: skip


class OpcUaDevice:
    """The device on the network. The server itself listens on a port of its own that nobody is told."""

    def __init__(self, assignment: Assignment) -> None:
        """Raises OSError (port taken, ledger not writable) and ConfigError (recordings)."""
        assert isinstance(assignment.first, OpcUaSpec)
        self._device = assignment.first
        self._plant = feed_for(assignment.plant, self._device.nodes, assignment.start_mono_ns)
        self._nodes = Nodes(self._device, assignment.start_mono_ns, self._plant)
        self._ledger = LedgerWriter(assignment.ledger_path(self._device.name))
        self._reserved = reserve(self._device.host, self._device.port)
        self._switches = Switches(self._tell_sessions)
        self._server: Server | None = None
        self._types = {each.name: each.type for each in self._device.nodes}
        self._variables: dict[str, ServerNode] = {}
        self._relay = Relay(self._device.host, self.port)

    @property
    def port(self) -> int:
        return int(self._reserved.getsockname()[1])

    async def open(self) -> None:
        """Raises OSError where the port cannot be listened on, CommandError for what it is told from the beginning."""
        await self._start()
        for text in self._device.told:
            await self.obey(self._device.name, text)
        await self._relay.listen()

    async def _start(self, namespaces_before: int = 0) -> None:
        server = self._server = Server()
        await server.init()
        put_behind(server, self._switches)
        server.set_server_name(self._device.name)
        server.set_endpoint(f"opc.tcp://{self._device.host}:0/")
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        for number in range(namespaces_before):
            await server.register_namespace(f"urn:namespace:{number}")
        index = await server.register_namespace(self._device.namespace)
        folder = await server.nodes.objects.add_folder(index, self._device.name)
        for node in self._device.nodes:
            place = ua.NodeId(ua.String(node.name), ua.Int16(index)), ua.QualifiedName(node.name, index)
            self._variables[node.name] = await folder.add_variable(*place, _variant(node.type, 0.0))
        await self._show()
        await self._write(self._nodes.all(time.monotonic_ns()))
        await server.start()
        assert server.bserver is not None
        self._relay.target_port = server.bserver.port

    async def _stop(self) -> None:
        await self._relay.disconnect()
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def obey(self, name: str, text: str) -> int:  # noqa: ARG002 - there is one device
        command = parse_command(text)
        match command:
            case Restart(namespaces_before):
                await self._stop()
                await self._start(namespaces_before)
                await self._relay.listen()
            case StopPublishing() | Publish():
                self._switches.publishing = isinstance(command, Publish)
            case Limit(what, count):
                self._switches.limits[what] = count
            case ClearLimits():
                self._switches.limits.clear()
            case Listen():
                await self._relay.listen()
            case Disconnect() | Quit():
                await self._relay.disconnect()
            case StopAnswering():
                self._relay.hold()
            case Answer():
                self._relay.let_go()
        now_ns = time.monotonic_ns()
        self._nodes.apply(command, now_ns)
        self._ledger.command(now_ns, text)
        await self._show()
        return now_ns

    def work(self) -> Sequence[Awaitable[None]]:
        keep_up = () if self._plant is None else (self._plant.keep_up(),)
        return self._sample(), *keep_up

    async def close(self) -> None:
        await self._stop()
        self._reserved.close()
        self._ledger.close()

    async def _sample(self) -> None:
        """Look at the signals at even distances, and leave out what could not be done in time."""
        period_ns = self._device.sample_ms * NS_PER_MS
        while True:
            await asyncio.sleep((period_ns - time.monotonic_ns() % period_ns) / NS_PER_S)
            await self._show()

    async def _show(self) -> None:
        """Put down what has changed, then let clients see it."""
        now_ns = time.monotonic_ns()
        changes = self._nodes.changes(now_ns)
        for each in changes:
            self._ledger.value(now_ns, each.name, each.value, each.status)
        await self._write(changes)

    async def _write(self, changes: Sequence[NodeChange]) -> None:
        now = ua.DateTime.now(UTC)
        for each in changes:
            await self._variables[each.name].write_value(self._data_value(each, now))

    def _tell_sessions(self, number: int) -> None:
        self._ledger.sessions(time.monotonic_ns(), number)

    def _data_value(self, change: NodeChange, now: ua.DateTime) -> ua.DataValue:
        status = ua.StatusCode(ua.UInt32(change.status))
        if is_bad(change.status):
            return ua.DataValue(ua.Variant(None, ua.VariantType.Null), status, now)
        return ua.DataValue(_variant(self._types[change.name], change.value), status, now)


def _variant(type_: PointType, number: float) -> ua.Variant:
    if type_ is PointType.BIT:
        return ua.Variant(bool(number), _TYPES[type_])
    return ua.Variant(int(number) if type_.is_integer else number, _TYPES[type_])


def main() -> None:
    # It warns of every connection that a client closes without a goodbye, and of each session time-out it revises.
    logging.getLogger("asyncua").setLevel(logging.ERROR)
    run_device(OpcUaDevice)


if __name__ == "__main__":
    main()
