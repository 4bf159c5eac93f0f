"""When each group of points is due: a timetable without drift. Pure: time comes in and goes out as numbers.

``driver`` asks which turn is next, sleeps until then, polls, and reports the end. Turn ``k`` of a group is due at its
start + k × period, however late an earlier one was; turns whose time has passed are left out and counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Due:
    """The next turn: index of the group, and its time on the monotonic axis."""

    group: int
    mono_ns: int


class Timetable:
    """Turns of several groups on one connection, one at a time."""

    def __init__(self, periods_ns: Sequence[int], start_mono_ns: int) -> None:
        """Groups start staggered over the shortest period, so that they do not all meet at each common multiple."""
        assert periods_ns, "a timetable has at least one group"
        assert min(periods_ns) > 0, "a period is longer than nothing"
        self._periods_ns = tuple(periods_ns)
        step_ns = min(periods_ns) // len(periods_ns)
        self._starts_ns = tuple(start_mono_ns + i * step_ns for i in range(len(periods_ns)))
        self._turns = [0] * len(periods_ns)
        self.missed = 0
        """Turns left out so far, over all groups."""

    def next(self) -> Due:
        """The turn that is due first; of two at once, that of the group named first."""
        times_ns = [self._time_ns(group) for group in range(len(self._turns))]
        group = times_ns.index(min(times_ns))
        return Due(group, times_ns[group])

    def finish(self, group: int, mono_ns: int) -> None:
        """A group's turn ended at ``mono_ns``. Of the turns passed meanwhile only the latest is still run, late."""
        latest = (mono_ns - self._starts_ns[group]) // self._periods_ns[group]
        following = self._turns[group] + 1
        self._turns[group] = max(following, latest)
        self.missed += self._turns[group] - following

    def _time_ns(self, group: int) -> int:
        return self._starts_ns[group] + self._turns[group] * self._periods_ns[group]
