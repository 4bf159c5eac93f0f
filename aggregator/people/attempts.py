"""Counts wrong passwords per name and per station, and says how long the next attempt has to wait. Pure, bounded.

From the fifth failure on the wait doubles, up to a minute: who guesses gets some 1400 tries a day, and an operator who
mistyped never waits longer than a minute. An attempt during the wait is refused unseen and makes it no longer.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from contract.clock import NS_PER_S

FREE_FAILURES: Final = 4
WAIT_FIRST_S: Final = 1
WAIT_MAX_S: Final = 60
FORGET_NS: Final = 15 * 60 * NS_PER_S
"""A key without a further failure for so long begins anew."""
KEYS_MAX: Final = 4096
"""Beyond it the key whose last failure is longest ago is forgotten."""


class _Failures(NamedTuple):
    number: int
    last_ns: int


class Attempts:
    """Failures by key; times on the monotonic axis."""

    def __init__(self) -> None:
        self._failures: dict[str, _Failures] = {}

    def wait_s(self, key: str, now_ns: int) -> int:
        """Whole seconds until the next attempt may be made; 0 for now."""
        known = self._of(key, now_ns)
        if known.number <= FREE_FAILURES:
            return 0
        doublings = min(known.number - FREE_FAILURES - 1, WAIT_MAX_S.bit_length())
        free_ns = known.last_ns + min(WAIT_MAX_S, WAIT_FIRST_S << doublings) * NS_PER_S
        return max(0, -((now_ns - free_ns) // NS_PER_S))

    def failed(self, key: str, now_ns: int) -> None:
        count = self._of(key, now_ns).number + 1
        self._failures.pop(key, None)  # the keys stand in the order of their last failure
        self._failures[key] = _Failures(count, now_ns)
        if len(self._failures) > KEYS_MAX:
            del self._failures[next(iter(self._failures))]

    def succeeded(self, key: str) -> None:
        """What failed before is forgiven."""
        self._failures.pop(key, None)

    def _of(self, key: str, now_ns: int) -> _Failures:
        known = self._failures.get(key)
        return _Failures(0, now_ns) if known is None or now_ns - known.last_ns >= FORGET_NS else known
