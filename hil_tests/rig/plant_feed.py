"""A device's copy of the plant, and the curves that its instruments draw from it.

Every process that plays a device of a site holds a copy, with the site's seed and from the same moment on. ``Rig`` tells
all of them a command for one moment that lies ahead of all; so the copies agree without speaking to each other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from typing import Final

from contract.clock import NS_PER_S
from hil_tests.rig import signals
from hil_tests.rig.commands import PlantOrder
from hil_tests.rig.plant import STEP_NS, Plant, parse_plant_command
from hil_tests.rig.site import Node, PlantSettings, Register
from hil_tests.rig.words import CommandError

LEAD_NS: Final = NS_PER_S
"""How far ahead of the present a command is set: every copy must have heard of it by then."""


class PlantFeed:
    """``start_ns`` is the plant's 0 on the monotonic clock."""

    def __init__(self, seed: int, tags: Iterable[str], start_ns: int) -> None:
        self._plant = Plant(seed, only=tags)
        self._start_ns = start_ns

    def curve(self, tag: str) -> signals.Curve:
        """What the instrument shows at the last whole step at or before a moment."""

        def at(t_ns: int) -> float:
            self._plant.advance(t_ns)
            return self._plant.value(tag)

        return at

    def apply(self, order: PlantOrder) -> None:
        """Raises CommandError, and then nothing has changed, for an order whose moment this copy has passed."""
        if order.t_ns <= self._plant.t_ns:
            late_ms = (self._plant.t_ns - order.t_ns) / 1e6
            raise CommandError(f"{order.text!r} came {late_ms:.0f} ms too late: the plant's copies would differ")
        self._plant.apply(parse_plant_command(order.text), order.t_ns)

    async def keep_up(self) -> None:
        """Move the copy step by step, so that no request has to wait for many of them."""
        while True:
            t_ns = time.monotonic_ns() - self._start_ns
            self._plant.advance(t_ns)
            await asyncio.sleep((STEP_NS - t_ns % STEP_NS) / NS_PER_S)


def order(feed: PlantFeed | None, command: PlantOrder) -> None:
    """Raises CommandError, and then nothing has changed."""
    if feed is None:
        raise CommandError("no instrument of this device looks at the plant")
    feed.apply(command)


def feed_for(settings: PlantSettings | None, instruments: Iterable[Register | Node], start_ns: int) -> PlantFeed | None:
    """None where no instrument looks at the plant."""
    tags = [each.signal.tag for each in instruments if isinstance(each.signal, signals.PlantTag)]
    return PlantFeed(settings.seed, tags, start_ns) if settings is not None and tags else None


def curves(instruments: Iterable[Register | Node], feed: PlantFeed | None) -> Mapping[str, signals.Curve]:
    """By name. Reads recordings. Raises ConfigError for what is wrong in them."""
    return {each.name: _curve(each.signal, feed) for each in instruments}


def _curve(signal: signals.Signal, feed: PlantFeed | None) -> signals.Curve:
    if isinstance(signal, signals.PlantTag):
        assert feed is not None, "site_faults refuses a site whose instruments look at a plant that it has not"
        return feed.curve(signal.tag)
    return signal.curve()
