"""One task per connection. A driver never raises for its device's trouble; if it raises, that is a fault in our own code.

Even then polling goes on: the failure is logged and counted, the driver is started again, and meanwhile the ticks of
the pipeline let its points go stale, so nobody takes silence for health.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from contract.batch import SampleBatch
from contract.clock import NS_PER_S, Clock
from drivers.base import DeviceHealth, Driver

RESTART_PAUSE_NS: Final = 1 * NS_PER_S
RESTART_PAUSE_NS_MAX: Final = 30 * NS_PER_S
CLOSE_TIMEOUT_S: Final = 10.0


@dataclass(slots=True)
class Acquisition:
    """Counters of one driver's task; ``devices`` are the names of those on its connection."""

    devices: str
    batches: int = 0
    crashes: int = 0
    last_crash: str | None = None


class Connections:
    """The drivers that run, each with its task, by the connection that it is for."""

    def __init__(
        self, accept: Callable[[SampleBatch], None], clock: Clock, watch: Callable[[asyncio.Task[None]], None]
    ) -> None:
        """``watch`` is told of every task; a driver's fault never ends one."""
        self._accept, self._clock, self._watch = accept, clock, watch
        self._running: dict[Hashable, tuple[Driver, Acquisition, asyncio.Task[None]]] = {}

    def begin(self, drivers: Mapping[Any, Driver], after: Mapping[Any, Driver] | None = None) -> None:
        """Run these. One for which ``after`` has a predecessor begins when that has given its connection back."""
        for key, driver in drivers.items():
            seen = Acquisition(", ".join(driver.devices))
            former = (after or {}).get(key)
            work = (
                acquire(driver, self._accept, self._clock, seen)
                if former is None
                else self._follow(former, driver, seen)
            )
            task = asyncio.create_task(work, name=seen.devices)
            self._running[key] = (driver, seen, task)
            self._watch(task)

    async def halt(self, keys: Iterable[Hashable]) -> dict[Any, Driver]:
        """No sample of these comes any more when this returns; the drivers, still to be closed."""
        halted = {key: self._running[key] for key in keys}
        for _, _, task in halted.values():
            task.cancel()
        await asyncio.gather(*(task for _, _, task in halted.values()), return_exceptions=True)
        for key in halted:
            del self._running[key]
        return {key: driver for key, (driver, _, _) in halted.items()}

    async def close(self) -> None:
        """End all; what they counted can still be asked for."""
        last = dict(self._running)
        for driver in (await self.halt(last)).values():
            await driver.close()
        self._running = last

    def healths(self) -> list[DeviceHealth]:
        return [health for driver, _, _ in self._running.values() for health in driver.healths()]

    def acquired(self) -> list[Acquisition]:
        return [seen for _, seen, _ in self._running.values()]

    async def _follow(self, former: Driver, driver: Driver, seen: Acquisition) -> None:
        await let_go(former)
        await acquire(driver, self._accept, self._clock, seen)


async def let_go(driver: Driver) -> None:
    """Close a driver that nobody waits for: what it says to that is logged, and its successor's turn comes."""
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await driver.close()
    except Exception as error:  # noqa: BLE001 - one connection's end must not end the watch over the others
        structlog.get_logger().error("driver_not_closed", devices=driver.devices, error=repr(error))


async def acquire(driver: Driver, accept: Callable[[SampleBatch], None], clock: Clock, seen: Acquisition) -> None:
    """Run ``driver`` until cancelled."""
    log = structlog.get_logger().bind(devices=seen.devices)
    pause_ns = RESTART_PAUSE_NS
    while True:
        try:
            async for batch in driver.run():
                accept(batch)
                seen.batches += 1
                pause_ns = RESTART_PAUSE_NS
        except Exception as error:  # one driver's defect must not end the watch over all other devices
            seen.crashes += 1
            seen.last_crash = f"{type(error).__name__}: {error}"
            log.exception("driver_crashed", crashes=seen.crashes)
        await clock.sleep_until(clock.mono_ns() + pause_ns)
        pause_ns = min(2 * pause_ns, RESTART_PAUSE_NS_MAX)
