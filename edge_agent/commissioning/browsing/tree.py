"""A server's tree as far as it is known: what is to be browsed next, and what stands where. Pure.

Nodes are visited breadth first and each of them once, so that a tree with rings in it ends and every node has the shortest of its
paths. What a bound kept out is counted, never dropped in silence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

Identifier = int | str | UUID | bytes
PROPERTIES: Final = frozenset({"EngineeringUnits", "EURange"})
"""Of an AnalogItemType (OPC 10000-8, clause 5.3.2)."""


class NodeKey(NamedTuple):
    """A node within one session: indices of namespaces hold no longer than that."""

    namespace: int
    identifier: Identifier


OBJECTS: Final = NodeKey(0, 85)


@dataclass(frozen=True, slots=True)
class Reference:
    """From a browsed node to one below it. ``target`` is None where that one is of another server."""

    target: NodeKey | None
    name: str
    is_variable: bool
    is_property: bool
    title: str = ""
    """The display name."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """``depth_max`` counts from Objects, whose children are at depth 1. ``standard`` looks into the server's own nodes, too."""

    depth_max: int = 20
    nodes_max: int = 20_000
    standard: bool = False


@dataclass(slots=True)
class Node:
    """``properties`` are those of PROPERTIES that it has."""

    key: NodeKey
    path: tuple[str, ...]
    is_variable: bool
    title: str = ""
    properties: dict[str, NodeKey] = field(default_factory=dict)


@dataclass(slots=True)
class Left:
    """How much was left out, and why."""

    too_deep: set[NodeKey] = field(default_factory=set)
    """Nodes below the greatest depth, as far as they were seen from above."""
    too_many: bool = False
    elsewhere: int = 0
    """References to other servers."""
    refused: list[tuple[str, str]] = field(default_factory=list)
    """Paths of nodes that the server would not browse, and what it said."""


class Tree:
    """Ask ``due``, browse that, ``take`` each answer; again until nothing is due."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._root = Node(OBJECTS, (), is_variable=False)
        self._seen: dict[NodeKey, Node] = {OBJECTS: self._root}
        self._waiting: deque[Node] = deque([self._root])
        self.left = Left()

    @property
    def waiting(self) -> int:
        """Nodes that are still to be browsed."""
        return len(self._waiting)

    @property
    def nodes(self) -> Sequence[Node]:
        """What stands below Objects, in order of paths."""
        found = [node for node in self._seen.values() if node is not self._root]
        return sorted(found, key=lambda node: node.path)

    @property
    def size(self) -> int:
        return len(self._seen) - 1

    def due(self, count: int) -> list[Node]:
        """At most ``count`` nodes that are to be browsed now; they are not given again."""
        return [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]

    def again(self, nodes: Iterable[Node]) -> None:
        """The server had no room for these; they come next."""
        self._waiting.extendleft(reversed(list(nodes)))

    def take(self, node: Node, references: Iterable[Reference]) -> None:
        for reference in references:
            if reference.target is None:
                self.left.elsewhere += 1
            elif reference.is_property:
                if node.is_variable and reference.name in PROPERTIES:
                    node.properties[reference.name] = reference.target
            elif not self._is_standard(node, reference.target):
                self._found(node, reference, reference.target)

    def _is_standard(self, parent: Node, target: NodeKey) -> bool:
        """What namespace 0 puts below Objects (Server, Aliases, ...) tells of the server, not of the plant."""
        return parent is self._root and target.namespace == 0 and not self._bounds.standard

    def refuse(self, node: Node, why: str) -> None:
        self.left.refused.append((shown_path(node.path), why))

    def _found(self, parent: Node, reference: Reference, target: NodeKey) -> None:
        if target in self._seen:
            return
        if len(parent.path) == self._bounds.depth_max:
            self.left.too_deep.add(target)
        elif self.size == self._bounds.nodes_max:
            self.left.too_many = True
        else:
            node = Node(target, (*parent.path, reference.name), reference.is_variable, reference.title)
            self._seen[target] = node
            self._waiting.append(node)


def shown_path(path: Sequence[str]) -> str:
    """The names from Objects on, with a slash between them; what a terminal would obey is escaped."""
    return "/".join(printable(name.replace("/", "\\/")) for name in path) or "Objects"


def printable(text: str) -> str:
    """Whatever a server says may stand in a terminal and in a cell."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
