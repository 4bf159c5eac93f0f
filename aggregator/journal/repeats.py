"""Lets the first of many equal happenings through, and counts the rest: whoever knocks every millisecond fills no log."""

from __future__ import annotations

from typing import Final

KEYS_MAX: Final = 256
OTHER: Final = "other"


class Repeats:
    """One report per key and period. Beyond KEYS_MAX keys at a time the rest shares the key ``OTHER``."""

    def __init__(self, period_ns: int) -> None:
        self._period_ns = period_ns
        self._since: dict[str, tuple[int, int]] = {}

    def due(self, key: str, now_ns: int) -> int | None:
        """None while a report of ``key`` is fresh; else how many times it happened since that report, this included."""
        key = self.key_of(key)
        since_ns, held_back = self._since.get(key, (now_ns - self._period_ns, 0))
        if now_ns - since_ns < self._period_ns:
            self._since[key] = (since_ns, held_back + 1)
            return None
        self._since[key] = (now_ns, 0)
        return held_back + 1

    def key_of(self, key: str) -> str:
        """Under which key it is counted: its own, or ``OTHER`` where there is no room."""
        return key if key in self._since or len(self._since) < KEYS_MAX else OTHER

    def leftover(self, now_ns: int) -> list[tuple[str, int]]:
        """Keys whose period is over, with the count that was held back, where there is one; they are forgotten."""
        over = [(key, count) for key, (since_ns, count) in self._since.items() if now_ns - since_ns >= self._period_ns]
        for key, _ in over:
            del self._since[key]
        return [(key, count) for key, count in over if count]
