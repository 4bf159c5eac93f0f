"""Whoever asks for another configuration, by command or signal, is answered; what came of it is in the log.

``app`` carries a reload out; here it becomes a task of its own, since it goes on when the one who asked is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import structlog

from contract.errors import ConfigError
from edge_agent.station.control import Answer

Reload: TypeAlias = Callable[[str], Awaitable[tuple[str, list[str]]]]
"""Asked by whom; what was done, and what changed of points, in words. Raises ConfigError."""


class Reloads:
    def __init__(self, reload: Reload, agent: str, config_hash: Callable[[], str]) -> None:
        self._reload = reload
        self._config_hash = config_hash
        self._running: set[asyncio.Task[Answer]] = set()
        self._log = structlog.get_logger().bind(agent=agent)

    def begin(self, asked_by: str) -> asyncio.Task[Answer]:
        task = asyncio.create_task(self._answer(asked_by), name="reload")
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Answer]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("reload_failed", error=repr(error))

    async def _answer(self, asked_by: str) -> Answer:
        self._log.info("reload_begun", asked_by=asked_by)
        try:
            outcome, points = await self._reload(asked_by)
        except ConfigError as error:
            faults = [str(fault) for fault in error.faults]
            self._log.error("reload_refused", asked_by=asked_by, faults=faults)
            return {"faults": faults}
        self._log.info("reload", asked_by=asked_by, outcome=outcome)
        return {"outcome": outcome, "points": points, "config_hash": self._config_hash()}
