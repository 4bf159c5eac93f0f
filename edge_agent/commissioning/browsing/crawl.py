"""Browse and read within what the server can bear: calls of its size, halved where it still says too much. Free of the OPC UA library.

Called by ``cli`` with a ``Server`` (``server``, or a made-up one in tests); results go into a ``tree.Tree``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from drivers.opcua.values import Reading
from edge_agent.commissioning.browsing.tree import Node, NodeKey, Reference, Tree

CALL_MAX: Final = 200
"""Nodes in one call to a server that names no limit: a slow one answers each within its time."""
REFERENCES_MAX: Final = 500
"""Of one node in one answer; the server hands out the rest bit by bit."""
T = TypeVar("T")


class TooMuchError(Exception):
    """The server would answer fewer nodes at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said of one node. ``more`` is its bookmark for the rest; ``why`` is set where it refused."""

    references: Sequence[Reference] = ()
    more: bytes | None = None
    why: str | None = None
    no_room: bool = False
    """It holds as many bookmarks as it can; it may be asked again when those are used up."""


class Server(Protocol):
    """Raises TooMuchError where a call has too many nodes, DeviceError where the server is lost."""

    browse_max: int
    """Nodes in one call, 0: it names no limit."""
    read_max: int

    async def browse(self, nodes: Sequence[NodeKey], references_max: int) -> Sequence[Answer]: ...

    async def browse_next(self, bookmarks: Sequence[bytes]) -> Sequence[Answer]: ...

    async def release(self, bookmarks: Sequence[bytes]) -> None:
        """What they stand for is not wanted any more."""

    async def read_values(self, nodes: Sequence[NodeKey]) -> Sequence[Reading]: ...

    async def read_data_types(self, nodes: Sequence[NodeKey]) -> Sequence[NodeKey | None]: ...


async def crawl(server: Server, tree: Tree, progress: Callable[[Tree], None]) -> None:
    """Fill the tree; ``progress`` is told after each call."""
    size = _size(server.browse_max)
    while nodes := tree.due(size):
        try:
            answers = await server.browse([node.key for node in nodes], REFERENCES_MAX)
        except TooMuchError:
            if len(nodes) > 1:
                size = len(nodes) // 2
                tree.again(nodes)
            else:
                tree.refuse(nodes[0], "the server does not answer for this node alone")
            continue
        size = await _take_all(server, tree, list(zip(nodes, answers, strict=True)), size)
        progress(tree)


async def _take_all(server: Server, tree: Tree, answered: list[tuple[Node, Answer]], size: int) -> int:
    """Take answers and follow their bookmarks to the end. Returns how many nodes may be asked for at once from now on."""
    homeless = [node for node, answer in answered if answer.no_room]
    if homeless and len(answered) == 1:
        tree.refuse(homeless[0], "the server keeps no bookmark for so many references")
        homeless = []
    elif homeless:
        size = max(1, len(answered) - len(homeless))
    while answered:
        for node, answer in answered:
            tree.take(node, answer.references)
            if answer.why is not None and not answer.no_room:
                tree.refuse(node, answer.why)
        marked = [(node, answer.more) for node, answer in answered if answer.more is not None]
        if marked and tree.left.too_many:
            await server.release([mark for _, mark in marked])
            break
        answered = []
        for part in _parts(marked, size):
            answers = await server.browse_next([mark for _, mark in part])
            answered += zip([node for node, _ in part], answers, strict=True)
    tree.again(homeless)
    return size


async def values(server: Server, keys: Sequence[NodeKey]) -> list[Reading]:
    """A reading of each node, in order."""
    return [each async for each in _in_parts(server.read_max, keys, server.read_values)]


async def data_types(server: Server, keys: Sequence[NodeKey]) -> list[NodeKey | None]:
    """The data type of each node, in order; None where the server does not tell."""
    return [each async for each in _in_parts(server.read_max, keys, server.read_data_types)]


async def _in_parts(
    limit: int, keys: Sequence[NodeKey], ask: Callable[[Sequence[NodeKey]], Awaitable[Sequence[T]]]
) -> AsyncIterator[T]:
    size, start = _size(limit), 0
    while start < len(keys):
        part = keys[start : start + size]
        try:
            answers = await ask(part)
        except TooMuchError:
            if len(part) == 1:
                raise
            size = len(part) // 2
            continue
        start += len(part)
        for answer in answers:
            yield answer


def _size(limit: int) -> int:
    return min(limit, CALL_MAX) if limit > 0 else CALL_MAX


def _parts(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
