"""The links that run, one task each: they begin and end with their destinations, while the stores' news go to all.

``app`` says which there are; what is sent on one, and when, is ``sender``'s matter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields

import structlog

from contract.points import Catalogue
from edge_agent.outbox.rows import Committed
from edge_agent.settings.model import Destination
from edge_agent.uplink.sender import Traffic, Uplink


class Uplinks:
    """By the name of the destination. All methods are called from the loop's thread."""

    def __init__(self, make: Callable[[Destination], Uplink], watch: Callable[[asyncio.Task[None]], None]) -> None:
        """``watch`` is told of every task; one that is ended here was cancelled."""
        self._make, self._watch = make, watch
        self._running: dict[str, tuple[Uplink, asyncio.Task[None]]] = {}
        self._former: list[Traffic] = []

    def begin(self, destinations: Iterable[Destination]) -> None:
        for each in destinations:
            uplink = self._make(each)
            task = asyncio.create_task(uplink.run(), name=f"uplink {each.name}")
            self._running[each.name] = (uplink, task)
            self._watch(task)

    async def end(self, names: Iterable[str]) -> None:
        """Nothing is sent there and nothing taken from there any more when this returns."""
        ended = [self._running.pop(name) for name in names]
        await cancel([task for _, task in ended])
        self._former += [uplink.traffic for uplink, _ in ended]

    async def close(self) -> None:
        """End all; what they sent can still be asked for."""
        await cancel([task for _, task in self._running.values()])

    def traffic(self) -> dict[str, int]:
        """Counted at all sockets since the start, those of destinations that are no more among them."""
        counted = [asdict(each) for each in (*self._former, *(uplink.traffic for uplink in self.all()))]
        return {each.name: sum(one[each.name] for one in counted) for each in fields(Traffic)}

    async def drain(self, until_mono_ns: int) -> None:
        await asyncio.gather(*(uplink.drain(until_mono_ns) for uplink in self.all()))

    def all(self) -> list[Uplink]:
        return [uplink for uplink, _ in self._running.values()]

    def events_committed(self, committed: Sequence[Committed]) -> None:
        for uplink in self.all():
            uplink.events_committed(committed)

    def telemetry_committed(self, last_seq: int) -> None:
        for uplink in self.all():
            uplink.telemetry_committed(last_seq)

    def catalogue_changed(self, catalogue: Catalogue) -> None:
        for uplink in self.all():
            uplink.catalogue_changed(catalogue)

    def epoch_changed(self) -> None:
        for uplink in self.all():
            uplink.epoch_changed()


async def cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Returns when they have ended; what they fail with at it is logged."""
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    log = structlog.get_logger()
    for task, result in zip(tasks, results, strict=True):
        if isinstance(result, Exception):
            log.error("task_failed", task=task.get_name(), error=repr(result))
