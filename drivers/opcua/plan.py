"""Points become subscriptions, under what the server can bear. Pure.

Before the first connect ``plan`` groups the points; after it ``session`` asks how to cut its calls and when to give up. Times
are of two kinds: the *sampling* interval, at which the server looks at a node, and the *publishing* interval, at which it
tells what it saw. A point that is to be polled faster than ``publish_ms`` is published as fast as it is polled.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from contract.clock import NS_PER_MS, NS_PER_S

QUEUE_MARGIN: Final = 2
"""Samples that a late publish response may add to those of one publishing interval."""
QUEUE_MAX: Final = 1000
CALL_MAX: Final = 500
"""Nodes in one call to a server that names no limit or a higher one: its answer stays below 64 KiB."""
SIGN_OF_LIFE_MS_MAX: Final = 1000.0
LIFETIME_MS_MIN: Final = 10_000.0
"""How long a server keeps a subscription whose client has died."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Item:
    """A monitored item; ``point`` is its place in the list of points."""

    point: int
    sampling_ms: float
    queue_size: int


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is asked of the server; it may revise the interval and both counts."""

    publish_ms: float
    keepalive_count: int
    """Publishing intervals without news after which the server says that it lives."""
    lifetime_count: int
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class OperationLimits:
    """Most nodes in one call, as the server says; 0: it names no limit (OPC 10000-5, clause 6.3.11)."""

    nodes_per_read: int = 0
    items_per_call: int = 0


def plan(polls_s: Sequence[float], publish_ms: float, sampling_ms: float | None) -> tuple[Subscription, ...]:
    """A subscription for each publishing interval, the shortest first.

    ``polls_s`` has the poll period of each point; with ``sampling_ms`` None the server samples as often.
    """
    groups: dict[float, dict[int, float]] = {}
    for point, poll_s in enumerate(polls_s):
        groups.setdefault(min(publish_ms, poll_s * 1000), {})[point] = poll_s * 1000
    return tuple(_subscription(interval_ms, polls_ms, sampling_ms) for interval_ms, polls_ms in sorted(groups.items()))


def _subscription(publish_ms: float, polls_ms: dict[int, float], sampling_ms: float | None) -> Subscription:
    """The server gives two signs of life in the shortest poll period, and not much less than one a second."""
    sign_ms = min(*polls_ms.values(), SIGN_OF_LIFE_MS_MAX) / 2
    keepalive_count = max(1, math.floor(sign_ms / publish_ms))
    return Subscription(
        publish_ms,
        keepalive_count,
        max(3 * keepalive_count, math.ceil(LIFETIME_MS_MIN / publish_ms)),
        tuple(
            Item(point, sampling_ms or poll_ms, queue_size(publish_ms, sampling_ms or poll_ms))
            for point, poll_ms in polls_ms.items()
        ),
    )


def queue_size(publish_ms: float, sampling_ms: float) -> int:
    """Room for every sample between two publish responses: with one place each second sample would be lost."""
    return min(math.ceil(publish_ms / sampling_ms) + QUEUE_MARGIN, QUEUE_MAX)


def chunks(items: Sequence[T], limit: int) -> Iterator[Sequence[T]]:
    """Parts for one call each. ``limit`` is the server's: asyncua does not split, and the server refuses the whole."""
    size = min(limit, CALL_MAX) if limit > 0 else CALL_MAX
    for start in range(0, len(items), size):
        yield items[start : start + size]


def deadline_ns(publish_ms: float, keepalive_count: int, timeout_s: float) -> int:
    """Longest silence of a subscription that lives, from what the server revised; ``timeout_s`` is for the way."""
    return round((keepalive_count + 1) * publish_ms * NS_PER_MS + timeout_s * NS_PER_S)
