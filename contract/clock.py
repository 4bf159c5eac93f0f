"""Time as something that is handed in.

``wall_ns`` stamps (UTC since 1970), ``mono_ns`` measures intervals. Everything that waits or measures takes a
``Clock``; the real one is made beside each program's ``app``. ``SimulatedClock`` lets a test run through hours in
milliseconds: time stands still until the test advances it.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


class Clock(Protocol):
    """Called by every loop that waits, stamps or measures."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC. May step in either direction."""

    def mono_ns(self) -> int:
        """Nanoseconds on an axis that never steps and never goes back; comparable only within one boot id."""

    async def sleep_until(self, mono_ns: int) -> None:
        """Return when ``mono_ns()`` has reached the given moment; at once (but after one turn of the loop) if past."""


class SimulatedClock:
    """A clock that a test moves by hand. Sleepers wake in order of their deadlines."""

    def __init__(self, wall_ns: int = 1_790_000_000 * NS_PER_S, mono_ns: int = 1_000 * NS_PER_S) -> None:
        self._wall_ns = wall_ns
        self._mono_ns = mono_ns
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def wall_ns(self) -> int:
        return self._wall_ns

    def mono_ns(self) -> int:
        return self._mono_ns

    def step_wall(self, by_ns: int) -> None:
        """Move the wall clock alone, as an operator or NTP does."""
        self._wall_ns += by_ns

    def tick(self, by_ns: int) -> None:
        """Move both axes without waking anybody; for code that does not sleep."""
        assert by_ns >= 0, "monotonic time never goes back"
        self._wall_ns += by_ns
        self._mono_ns += by_ns

    async def sleep_until(self, mono_ns: int) -> None:
        if mono_ns <= self._mono_ns:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (mono_ns, next(self._order), future))
        await future

    async def advance(self, by_ns: int, settle_turns: int = 20) -> None:
        """Move time forward, stopping at each sleeper's deadline to let it (and what it wakes) run."""
        target = self._mono_ns + by_ns
        await self._settle(settle_turns)
        while self._sleepers and self._sleepers[0][0] <= target:
            deadline, _, future = heapq.heappop(self._sleepers)
            self.tick(max(0, deadline - self._mono_ns))
            if not future.done():
                future.set_result(None)
            await self._settle(settle_turns)
        self.tick(target - self._mono_ns)
        await self._settle(settle_turns)

    async def _settle(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
