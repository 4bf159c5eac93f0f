"""One task per connection. A driver never raises for its device's trouble; if it raises, that is a fault in our own code.

Even then polling goes on: the failure is logged and counted, the driver is started again, and meanwhile the ticks of
the pipeline let its points go stale, so nobody takes silence for health.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from contract.batch import SampleBatch
from contract.clock import NS_PER_S, Clock
from drivers.base import Driver

RESTART_PAUSE_NS: Final = 1 * NS_PER_S
RESTART_PAUSE_NS_MAX: Final = 30 * NS_PER_S


@dataclass(slots=True)
class Acquisition:
    """Counters of one driver's task; ``devices`` are the names of those on its connection."""

    devices: str
    batches: int = 0
    crashes: int = 0
    last_crash: str | None = None


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
