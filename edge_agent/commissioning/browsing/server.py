"""The server behind ``crawl.Server``: the driver's own connection, with its security, and two services more.

Called by ``cli``. Browse and BrowseNext only tell; nothing here writes, calls or subscribes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from asyncua import ua

from contract.errors import DeviceError
from drivers.opcua.connection import Connection, Traffic, name_of
from drivers.opcua.security import Credentials
from drivers.opcua.settings import OpcUaSettings
from drivers.opcua.values import Reading
from drivers.opcua.wire import count, node_id
from edge_agent.commissioning.browsing.crawl import Answer, TooMuchError
from edge_agent.commissioning.browsing.tree import NodeKey, Reference
from edge_agent.station.machine import RealClock

_TOO_MUCH: Final = frozenset({
    ua.StatusCodes.BadTooManyOperations, ua.StatusCodes.BadResponseTooLarge, ua.StatusCodes.BadRequestTooLarge,
    ua.StatusCodes.BadEncodingLimitsExceeded, ua.StatusCodes.BadTcpMessageTooLarge,
})  # fmt: skip
_DIAGNOSED: Final = 0x3F
"""All fields of a reference."""
_OBJECTS_AND_VARIABLES: Final = 1 | 2


class _Connection(Connection):
    async def browse(self, parameters: ua.BrowseParameters) -> list[ua.BrowseResult]:
        return await self._session.browse(parameters)

    async def browse_next(self, bookmarks: Sequence[bytes], *, release: bool) -> list[ua.BrowseResult]:
        return await self._session.browse_next(
            ua.BrowseNextParameters(ReleaseContinuationPoints=release, ContinuationPoints=list(bookmarks))
        )


class OpcUaServer:
    """Use: ``open`` once, services, ``close`` in any case. Every method raises DeviceError where the server is lost."""

    def __init__(self, device: str, settings: OpcUaSettings, credentials: Credentials) -> None:
        self._device = device
        self._connection = _Connection(device, settings, RealClock(), Traffic(), credentials)
        self.browse_max = 0
        self.read_max = 0
        self.namespaces: list[str] = []

    async def open(self) -> None:
        try:
            await self._connection.open()
            limits = ua.ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead, 11710
            self.read_max, self.browse_max = map(count, await self._connection.read([node_id(each) for each in limits]))
            (answer,) = await self._connection.read([node_id(ua.ObjectIds.Server_NamespaceArray)])
        except Exception as error:
            raise self._lost(error) from error
        if not isinstance(answer.value, list):
            raise DeviceError(self._device, "the server gives no list of namespaces")
        self.namespaces = [uri if isinstance(uri, str) else "" for uri in answer.value]

    async def close(self) -> None:
        await self._connection.close()

    async def browse(self, nodes: Sequence[NodeKey], references_max: int) -> list[Answer]:
        parameters = ua.BrowseParameters(
            RequestedMaxReferencesPerNode=ua.UInt32(references_max),
            NodesToBrowse=[
                ua.BrowseDescription(
                    NodeId=node_id(key.identifier, key.namespace),
                    ReferenceTypeId=node_id(ua.ObjectIds.HierarchicalReferences),
                    NodeClassMask=ua.UInt32(_OBJECTS_AND_VARIABLES),
                    ResultMask=ua.UInt32(_DIAGNOSED),
                )
                for key in nodes
            ],
        )
        try:
            return [self._answer(each) for each in await self._connection.browse(parameters)]
        except Exception as error:
            raise self._lost(error) from error

    async def browse_next(self, bookmarks: Sequence[bytes]) -> list[Answer]:
        try:
            return [self._answer(each) for each in await self._connection.browse_next(bookmarks, release=False)]
        except Exception as error:
            raise self._lost(error) from error

    async def release(self, bookmarks: Sequence[bytes]) -> None:
        try:
            await self._connection.browse_next(bookmarks, release=True)
        except Exception as error:
            raise self._lost(error) from error

    async def read_values(self, nodes: Sequence[NodeKey]) -> list[Reading]:
        return await self._read(nodes, ua.AttributeIds.Value)

    async def read_data_types(self, nodes: Sequence[NodeKey]) -> list[NodeKey | None]:
        return [_key(each.value) for each in await self._read(nodes, ua.AttributeIds.DataType)]

    async def _read(self, nodes: Sequence[NodeKey], attribute: ua.AttributeIds) -> list[Reading]:
        try:
            return await self._connection.read([node_id(key.identifier, key.namespace) for key in nodes], attribute)
        except Exception as error:
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> Exception:
        if isinstance(error, ua.UaStatusCodeError) and error.code in _TOO_MUCH:
            return TooMuchError(name_of(error.code))
        return error if isinstance(error, DeviceError) else DeviceError(self._device, self._connection.in_words(error))

    def _answer(self, result: ua.BrowseResult) -> Answer:
        status = int(result.StatusCode.value)
        return Answer(
            [self._reference(each) for each in result.References or ()],
            result.ContinuationPoint or None,
            name_of(status) if status >> 31 else None,
            no_room=status == ua.StatusCodes.BadNoContinuationPoints,
        )

    def _reference(self, each: ua.ReferenceDescription) -> Reference:
        kind = each.ReferenceTypeId
        return Reference(
            self._target(each.NodeId),
            each.BrowseName.Name or "",
            is_variable=each.NodeClass == ua.NodeClass.Variable,
            is_property=(kind.NamespaceIndex, kind.Identifier) == (0, ua.ObjectIds.HasProperty),
            title=each.DisplayName.Text or "",
        )

    def _target(self, node: Any) -> NodeKey | None:
        """An expanded NodeId may name its namespace by URI, and may be of another server."""
        if getattr(node, "ServerIndex", 0):
            return None
        if uri := getattr(node, "NamespaceUri", None):
            return NodeKey(self.namespaces.index(uri), node.Identifier) if uri in self.namespaces else None
        return _key(node)


def _key(node: Any) -> NodeKey | None:
    return NodeKey(int(node.NamespaceIndex), node.Identifier) if isinstance(node, ua.NodeId) else None


def unit_parts(value: object) -> tuple[str | None, int, str | None] | None:
    """Namespace, number and name of an EUInformation; None for anything else."""
    if not isinstance(value, ua.EUInformation):
        return None
    return value.NamespaceUri, int(value.UnitId), value.DisplayName.Text


def range_parts(value: object) -> tuple[object, object] | None:
    """Both ends of a Range; None for anything else."""
    return (value.Low, value.High) if isinstance(value, ua.Range) else None
