"""When a unit that does not answer is asked again, so that it takes no time from its neighbours. Pure.

``unit`` asks before each turn and tells what came of it. Closed: ask. Open: do not ask until a moment. Half-open, from that
moment on: the first request of a turn is the probe; an answer closes, another failure opens for twice as long.
"""

from __future__ import annotations

import random
from typing import Final

_DOUBLINGS_MAX: Final = 16
_JITTER: Final = 0.5
"""A wait is lengthened by chance by up to this share, so that many units do not come due at one moment."""


class Breaker:
    """One unit's state. ``rng`` gives the jitter."""

    def __init__(self, first_ns: int, max_ns: int, rng: random.Random) -> None:
        """The first failure opens for nothing, since one lost reply is no silence; then ``first_ns``, doubling up to
        ``max_ns``. Jitter comes on top of a wait below the maximum, and is taken off at the maximum."""
        assert first_ns > 0
        self._first_ns = min(first_ns, max_ns)
        self._max_ns = max_ns
        self._rng = rng
        self.failures = 0
        """In a row."""
        self.retry_mono_ns = 0
        """Not before this moment is the unit asked again."""

    def allows(self, mono_ns: int) -> bool:
        return mono_ns >= self.retry_mono_ns

    def answered(self) -> None:
        self.failures = 0

    def failed(self, mono_ns: int) -> None:
        """Nothing came by ``mono_ns``."""
        self.failures += 1
        wait_ns = 0
        if self.failures > 1:
            doublings = min(self.failures - 2, _DOUBLINGS_MAX)
            wait_ns = min(round(self._first_ns * 2**doublings * self._rng.uniform(1, 1 + _JITTER)), self._max_ns)
            if wait_ns == self._max_ns:
                wait_ns = round(self._max_ns * self._rng.uniform(1 - _JITTER / 2, 1))
        self.retry_mono_ns = mono_ns + wait_ns
