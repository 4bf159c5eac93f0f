"""A driver that crashes is a defect of ours, and still no reason to stop watching."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from contract.batch import SampleBatch
from contract.clock import NS_PER_S, SimulatedClock
from edge_agent.acquire.tasks import Acquisition, acquire


class Crashing:
    """Yields one batch, then raises; again and again."""

    runs = 0

    async def run(self) -> AsyncIterator[SampleBatch]:
        self.runs += 1
        yield SampleBatch.empty()
        raise RuntimeError("a defect")


def test_a_crashed_driver_is_started_again_and_counted(clock: SimulatedClock) -> None:
    driver, seen, accepted = Crashing(), Acquisition("plc1"), list[SampleBatch]()

    async def scenario() -> None:
        task = asyncio.create_task(acquire(driver, accepted.append, clock, seen))  # type: ignore[arg-type]
        await clock.advance(5 * NS_PER_S)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())
    assert driver.runs == len(accepted) == seen.crashes >= 4
    assert seen.last_crash == "RuntimeError: a defect"
