"""Whatever the tree and whatever the server bears, each node that can be reached is found once."""

from __future__ import annotations

import asyncio
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.values import Reading
from edge_agent.commissioning.browsing.crawl import Answer, TooMuchError, crawl, values
from edge_agent.commissioning.browsing.tree import OBJECTS, Bounds, NodeKey, Reference, Tree

NO_VALUE = Reading(0, 11, 1.0, None)


class MadeUpServer:
    """Answers from a table of children. ``bears`` nodes in a call, ``page`` references at once, ``bookmarks`` at a time."""

    def __init__(self, children, bears=10**6, page=10**6, bookmarks=10**6, says=0):
        self.children = children
        self.bears, self.page, self.room = bears, page, bookmarks
        self.browse_max = self.read_max = says
        self.kept: dict[bytes, list[Reference]] = {}
        self.browsed: list[NodeKey] = []
        self.largest = 0

    async def browse(self, nodes, references_max):
        self._bear(nodes)
        return [self._first(key, min(self.page, references_max)) for key in nodes]

    def _bear(self, nodes):
        if len(nodes) > self.bears:
            raise TooMuchError
        self.largest = max(self.largest, len(nodes))

    def _first(self, key, page):
        references = self.children.get(key, [])
        if len(references) > page and len(self.kept) >= self.room:
            return Answer(no_room=True, why="BadNoContinuationPoints")
        self.browsed.append(key)
        return self._page(references, page)

    def _page(self, references, page):
        if len(references) <= page:
            return Answer(references)
        mark = str(len(self.kept)).encode() + str(id(references)).encode()
        self.kept[mark] = references[page:]
        return Answer(references[:page], mark)

    async def browse_next(self, bookmarks):
        self._bear(bookmarks)
        return [self._page(self.kept.pop(mark), self.page) for mark in bookmarks]

    async def release(self, bookmarks):
        for mark in bookmarks:
            del self.kept[mark]

    async def read_values(self, nodes):
        self._bear(nodes)
        return [NO_VALUE._replace(value=float(key.identifier)) for key in nodes]

    async def read_data_types(self, nodes):
        return [None for _ in nodes]


def key(number):
    return OBJECTS if number == 0 else NodeKey(1, number)


def reference(number):
    return Reference(key(number), f"n{number}", is_variable=number % 2 == 1, is_property=False)


def found(server, bounds=None):
    tree = Tree(bounds or Bounds())
    asyncio.run(crawl(server, tree, lambda _: None))
    return tree


def depths(children):
    """By a plain walk."""
    known = {0: 0}
    waiting = deque([0])
    while waiting:
        number = waiting.popleft()
        for child in children.get(number, []):
            if child not in known:
                known[child] = known[number] + 1
                waiting.append(child)
    return known


TREES = st.dictionaries(st.integers(0, 12), st.lists(st.integers(0, 12), max_size=8), max_size=13)


@given(TREES, st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.sampled_from([0, 1, 3]), st.integers(1, 5))
def test_what_can_be_reached_is_found_once_with_its_depth(children, bears, page, bookmarks, says, depth_max):
    server = MadeUpServer(
        {key(parent): [reference(child) for child in below] for parent, below in children.items()},
        max(bears, says), page, bookmarks, says,
    )  # fmt: skip
    tree = found(server, Bounds(depth_max=depth_max))
    reachable = depths(children)
    expected = {key(number): depth for number, depth in reachable.items() if 0 < depth <= depth_max}
    assert {node.key: len(node.path) for node in tree.nodes} == expected
    assert len(server.browsed) == len(set(server.browsed)), "a node was browsed twice"
    assert server.kept == {}, "a bookmark was left at the server"
    assert tree.left.refused == []
    assert tree.left.too_deep == {key(number) for number, depth in reachable.items() if depth == depth_max + 1}


@given(st.integers(1, 30), st.integers(1, 5))
def test_no_more_nodes_than_asked_for_and_no_bookmark_left_behind(nodes_max, page):
    server = MadeUpServer({OBJECTS: [reference(number) for number in range(1, 21)]}, page=page)
    tree = found(server, Bounds(nodes_max=nodes_max))
    assert tree.size == min(nodes_max, 20)
    assert tree.left.too_many == (nodes_max < 20)
    assert server.kept == {}


def test_a_server_that_has_no_room_for_one_bookmark_is_told_of():
    tree = found(MadeUpServer({OBJECTS: [reference(1), reference(2)]}, page=1, bookmarks=0))
    assert tree.left.refused == [("Objects", "the server keeps no bookmark for so many references")]


def test_nodes_for_which_there_was_no_room_are_asked_for_again():
    below = {number: [reference(10 * number + i) for i in range(3)] for number in range(1, 7)}
    children = {OBJECTS: [reference(number) for number in below]} | {
        key(number): each for number, each in below.items()
    }
    tree = found(MadeUpServer(children, page=2, bookmarks=1))
    assert tree.size == 6 + 18
    assert tree.left.refused == []


def test_calls_keep_to_the_limit_that_the_server_names():
    server = MadeUpServer({OBJECTS: [reference(number) for number in range(1, 40)]}, bears=7, says=7)
    tree = found(server)
    assert tree.size == 39
    assert server.largest == 7


@given(st.integers(0, 50), st.integers(1, 9))
def test_values_come_in_order_whatever_the_server_bears(count, bears):
    server = MadeUpServer({}, bears=bears)
    readings = asyncio.run(values(server, [NodeKey(1, number) for number in range(count)]))
    assert [each.value for each in readings] == list(range(count))


def test_the_servers_own_nodes_are_left_out_unless_asked_for():
    own = Reference(NodeKey(0, 2253), "Server", is_variable=False, is_property=False)
    server = MadeUpServer({OBJECTS: [own, reference(1)]})
    assert [node.path for node in found(server).nodes] == [("n1",)]
    assert [node.path for node in found(server, Bounds(standard=True)).nodes] == [("Server",), ("n1",)]
