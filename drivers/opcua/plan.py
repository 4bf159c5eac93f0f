"""Points become subscriptions and polls, under what the server can bear. Pure.

Before the first connect ``plan`` groups the points; after it ``session`` asks how to cut its calls and when to give up. Times
are of two kinds: the *sampling* interval, at which the server looks at a node, and the *publishing* interval, at which it
tells what it saw. A point that is to be polled faster than ``publish_ms`` is published as fast as it is polled.

A *deadband* is left to the server where a point asks for one: it then tells of larger changes only. How servers go about that
differs (some compare with the sample before instead of the value told last, so that a slow drift is never told), hence such
a point is also read from time to time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from contract.clock import NS_PER_MS

QUEUE_MARGIN: Final = 2
"""Samples that a late publish response may add to those of one publishing interval."""
QUEUE_MAX: Final = 1000
CALL_MAX: Final = 500
"""Nodes in one call to a server that names no limit or a higher one: its answer stays below 64 KiB."""
SUBSCRIPTIONS_MAX: Final = 32
"""Most subscriptions on one server; one that takes fewer items than it should would be given ever more."""
SIGN_OF_LIFE_MS_MAX: Final = 1000.0
LIFETIME_MS_MIN: Final = 10_000.0
"""How long a server keeps a subscription whose client has died."""
WAY_MS: Final = 500.0
"""Least time that a sign of life may be late: Linux sends a lost TCP segment again after 200 ms, and servers are busy at times."""
T = TypeVar("T")


class Wish(NamedTuple):
    """What is wanted of a point. ``deadband`` is in the server's unit, 0: every change is told.

    An ``alarm`` is told by the server's events; there is nothing to monitor or to read.
    """

    poll_s: float
    deadband: float = 0.0
    reread_s: float = math.inf
    """How often a point with a deadband is read all the same."""
    alarm: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """A monitored item; ``point`` is its place in the list of points."""

    point: int
    poll_ms: float
    sampling_ms: float
    deadband: float = 0.0


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is asked of the server; it may revise the interval and both counts."""

    publish_ms: float
    keepalive_count: int
    """Publishing intervals without news after which the server says that it lives."""
    lifetime_count: int
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Poll:
    """Points that are read together, in order of their places."""

    period_ms: float
    points: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    subscriptions: tuple[Subscription, ...]
    polls: tuple[Poll, ...]
    alarms: Subscription | None = None
    """Of its own: no flood of events holds up a value, and a refresh repeats nothing else."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Most nodes in one call and items in one subscription, as the server says; 0: it names none (OPC 10000-5, 6.3.11)."""

    nodes_per_read: int = 0
    items_per_call: int = 0
    items_per_subscription: int = 0


def plan(wishes: Sequence[Wish], publish_ms: float, sampling_ms: float | None) -> Plan:
    """A subscription for each publishing interval, the shortest first, and the reads that go with deadbands.

    With ``sampling_ms`` None the server samples a point as often as it is to be polled.
    """
    groups: dict[float, list[Item]] = {}
    alarms: list[Item] = []
    for point, wish in enumerate(wishes):
        poll_ms = wish.poll_s * 1000
        item = Item(point, poll_ms, sampling_ms or poll_ms, wish.deadband)
        group = alarms if wish.alarm else groups.setdefault(min(publish_ms, poll_ms), [])
        group.append(item)
    subscriptions = tuple(_subscription(interval_ms, items) for interval_ms, items in sorted(groups.items()))
    reread = [(wish.reread_s * 1000, point) for point, wish in enumerate(wishes) if wish.deadband]
    fastest_ms = min([publish_ms, *(item.poll_ms for item in alarms)])
    return Plan(subscriptions, polls(reread), _subscription(fastest_ms, alarms) if alarms else None)


def poll_plan(wishes: Sequence[Wish]) -> Plan:
    """Every point is read in each of its poll periods; for servers that cannot subscribe."""
    return Plan((), polls([(wish.poll_s * 1000, point) for point, wish in enumerate(wishes)]))


def polls(periods_ms: Sequence[tuple[float, int]]) -> tuple[Poll, ...]:
    """Points of one period are read together; the shortest period first."""
    groups: dict[float, list[int]] = {}
    for period_ms, point in periods_ms:
        groups.setdefault(period_ms, []).append(point)
    return tuple(Poll(period_ms, tuple(points)) for period_ms, points in sorted(groups.items()))


def _subscription(publish_ms: float, items: Sequence[Item]) -> Subscription:
    """The server gives two signs of life in the shortest poll period, and not much less than one a second."""
    sign_ms = min(*(item.poll_ms for item in items), SIGN_OF_LIFE_MS_MAX) / 2
    keepalive_count = max(1, math.floor(sign_ms / publish_ms))
    lifetime_count = max(3 * keepalive_count, math.ceil(LIFETIME_MS_MIN / publish_ms))
    return Subscription(publish_ms, keepalive_count, lifetime_count, tuple(items))


def queue_need(publish_ms: float, sampling_ms: float) -> int:
    """Samples between two publish responses."""
    return max(1, math.ceil(publish_ms / sampling_ms))


def queue_size(publish_ms: float, sampling_ms: float) -> int:
    """Room for every sample between two publish responses: with one place each second sample would be lost.

    ``publish_ms`` is the interval that the server granted, not the one asked for.
    """
    return min(queue_need(publish_ms, sampling_ms) + QUEUE_MARGIN, QUEUE_MAX)


def chunks(items: Sequence[T], limit: int) -> Iterator[Sequence[T]]:
    """Parts for one call each. ``limit`` is the server's: asyncua does not split, and the server refuses the whole."""
    size = min(limit, CALL_MAX) if limit > 0 else CALL_MAX
    for start in range(0, len(items), size):
        yield items[start : start + size]


def deadline_ns(publish_ms: float, keepalive_count: int) -> int:
    """Longest silence of a subscription that lives, from what the server revised: (count + 1) publishing intervals.

    The last sign of life may be late by one interval, or by ``WAY_MS`` where that is more.
    """
    return round((keepalive_count * publish_ms + max(publish_ms, WAY_MS)) * NS_PER_MS)
