"""Keeps ingest and web running, each a process of its own, so that rendering a page never delays a commit.

A child that dies is started again, with back-off. Each child's standard input is a pipe whose other end only this
process holds: when this process goes, even by SIGKILL, the children read end-of-file and go too.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from contract.clock import NS_PER_MS, NS_PER_S, Clock

READY: Final = "ready"
"""First word of the line that a child prints on its standard output once it serves; the rest says where."""
EXIT_HOPELESS: Final = 3
"""A child's exit status for what another start cannot mend: a wrong setting, a folder in use."""
BACK_OFF_FIRST_NS: Final = 200 * NS_PER_MS
BACK_OFF_MAX_NS: Final = 5 * NS_PER_S
STEADY_NS: Final = 30 * NS_PER_S
"""A child that lived so long starts again without back-off."""
STOP_TIMEOUT_S: Final = 10.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep: its name, and the command that starts it."""

    name: str
    command: Sequence[str]


class HopelessError(Exception):
    """A child said that starting it again would not help."""


class Supervisor:
    """Runs children until told to stop. They start one after the other, each once the one before it is ready."""

    def __init__(self, children: Sequence[Child], clock: Clock, say: Callable[[str], None]) -> None:
        """``say`` tells a person where each child serves."""
        self._children = children
        self._clock = clock
        self._say = say
        self._stopping = asyncio.Event()
        self._running: dict[str, Process] = {}

    async def run(self) -> bool:
        """True after SIGTERM or SIGINT, False where a child could not be helped."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        hopeless = False
        try:
            async with asyncio.TaskGroup() as tasks:
                keepers = tasks.create_task(self._keep_all())
                await self._stopping.wait()
                await self._stop_all()
                keepers.cancel()
        except* HopelessError:
            hopeless = True
        await self._stop_all()
        return not hopeless

    async def _keep_all(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for child in self._children:
                ready = asyncio.Event()
                tasks.create_task(self._keep(child, ready))
                await ready.wait()

    async def _keep(self, child: Child, ready: asyncio.Event) -> None:
        back_off_ns = 0
        while not self._stopping.is_set():
            started_ns = self._clock.mono_ns()
            status = await self._run_once(child, ready)
            if self._stopping.is_set():
                return
            if status == EXIT_HOPELESS:
                raise HopelessError(child.name)
            steady = self._clock.mono_ns() - started_ns > STEADY_NS
            back_off_ns = BACK_OFF_FIRST_NS if steady else min(BACK_OFF_MAX_NS, max(BACK_OFF_FIRST_NS, 2 * back_off_ns))
            log.error("child_died", child=child.name, status=status, restart_in_ms=back_off_ns // NS_PER_MS)
            await self._clock.sleep_until(self._clock.mono_ns() + back_off_ns)

    async def _run_once(self, child: Child, ready: asyncio.Event) -> int:
        process = await asyncio.create_subprocess_exec(*child.command, stdin=PIPE, stdout=PIPE, start_new_session=True)
        self._running[child.name] = process
        log.info("child_started", child=child.name, pid=process.pid)
        try:
            assert process.stdout is not None
            async for line in process.stdout:
                word, _, where = line.decode(errors="replace").strip().partition(" ")
                if word == READY:
                    self._say(f"{child.name} serves {where} (pid {process.pid})")
                    ready.set()
            return await process.wait()
        finally:
            if process.returncode is not None:
                del self._running[child.name]

    async def _stop_all(self) -> None:
        self._stopping.set()
        for process in [*self._running.values()]:
            await _stop(process)


async def _stop(process: Process) -> None:
    """Ask, wait, then make it end."""
    assert process.stdin is not None
    process.stdin.close()
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
    except TimeoutError:
        log.warning("child_killed", pid=process.pid)
        process.kill()
        await process.wait()
