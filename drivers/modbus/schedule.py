"""When each group of points is due: a timetable without drift for all units of a connection. Pure.

``driver`` asks which turn is next, sleeps until then, polls, and reports the end and how long it took. Turn ``k`` of a group
is due at its start + k × period, however late an earlier one was; turns whose time has passed are left out and counted.

Where the connection turns out too slow for what is asked of it, periods are stretched rather than turns lost at random:
first those of the slowest groups, those with safety points last of all, and ``stretch`` says by how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contract.clock import NS_PER_S

STRETCH_MAX: Final = 10.0
"""A group is stretched up to this before one with a shorter period is."""
LOAD_TARGET: Final = 0.9
"""Share of the time on the connection that stretching leaves in use; the rest is for what cannot be foreseen."""
REVIEW_NS: Final = 10 * NS_PER_S
_STEP: Final = 0.25
"""Stretches are multiples of this, so that small changes of speed move nothing."""
_MEMORY: Final = 8
"""Turns over which the measured time of a group is averaged."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What one group asks of the connection: ``busy_ns`` in each ``period_ns``. ``safety``: it keeps its rate to the last."""

    period_ns: int
    busy_ns: int
    safety: bool = False

    @property
    def load(self) -> float:
        return self.busy_ns / self.period_ns


@dataclass(frozen=True, slots=True)
class Due:
    """The next turn: index of the group, its time on the monotonic axis, and that of the turn after it."""

    group: int
    mono_ns: int
    deadline_mono_ns: int


def load(slots: Sequence[Slot]) -> float:
    """Share of the time that the connection is busy; above 1 the timetable cannot be kept."""
    return sum(slot.load for slot in slots)


def stretches(slots: Sequence[Slot], load_max: float = 1.0) -> list[float]:
    """By how much each period must grow for the load to come down to LOAD_TARGET; 1 throughout where it is not above
    ``load_max``.

    Groups without safety points first, of these the longest period first, each up to STRETCH_MAX; then the others. What is
    still too much after that is left: turns are then lost.
    """
    found = [1.0] * len(slots)
    excess = load(slots) - LOAD_TARGET
    if load(slots) <= load_max:
        return found
    for index in sorted(range(len(slots)), key=lambda i: (slots[i].safety, -slots[i].period_ns, i)):
        share = slots[index].load
        if excess <= 0 or share <= 0:
            continue
        wanted = share / (share - excess) if share > excess else STRETCH_MAX
        steps = -(-(wanted - 1) // _STEP)
        found[index] = min(1 + steps * _STEP, STRETCH_MAX)
        excess -= share - share / found[index]
    return found


class Timetable:
    """Turns of several groups on one connection."""

    def __init__(self, slots: Sequence[Slot], start_mono_ns: int) -> None:
        """Groups start staggered over the shortest period, each with room for those before it as far as there is any."""
        assert slots, "a timetable has at least one group"
        assert min(slot.period_ns for slot in slots) > 0, "a period is longer than nothing"
        self._slots = tuple(slots)
        self._busy_ns = [float(slot.busy_ns) for slot in slots]
        self._stretch = [1.0] * len(slots)
        self._periods_ns = [slot.period_ns for slot in slots]
        shortest_ns, total_ns, before_ns = min(self._periods_ns), sum(max(slot.busy_ns, 1) for slot in slots), 0
        self._starts_ns = []
        for slot in slots:
            self._starts_ns.append(start_mono_ns + shortest_ns * before_ns // total_ns)
            before_ns += max(slot.busy_ns, 1)
        self._turns = [0] * len(slots)
        self._at_it: set[int] = set()
        self._extra_ns: dict[int, int] = {}
        self._at_extra: set[int] = set()
        self._next_review_ns = start_mono_ns + REVIEW_NS
        self.missed = [0] * len(slots)
        """Turns left out so far, by group."""

    @property
    def load(self) -> float:
        """As measured, at the periods that were asked for."""
        return load(self._measured())

    def stretch(self, group: int) -> float:
        """How many times longer than asked for the period of a group is at present."""
        return self._stretch[group]

    def next(self) -> Due | None:
        """The turn that is due first, of groups that are not at it; of two at once, that of the group named first."""
        waiting = [(self._due_ns(group), group) for group in range(len(self._turns)) if group not in self._at_it]
        if not waiting:
            return None
        time_ns, group = min(waiting)
        return Due(group, time_ns, time_ns + self._periods_ns[group])

    def hurry(self, group: int, mono_ns: int) -> None:
        """One turn more, at once; those of the timetable stay as they are."""
        if group not in self._at_it:
            self._extra_ns[group] = mono_ns

    def begin(self, group: int) -> None:
        """The turn that is due has been taken up."""
        self._at_it.add(group)
        extra_ns = self._extra_ns.pop(group, None)
        if extra_ns is not None and extra_ns < self._time_ns(group):
            self._at_extra.add(group)

    def finish(self, group: int, mono_ns: int, busy_ns: int | None) -> None:
        """A group's turn ended. Of the turns passed meanwhile only the latest is still run, late.

        ``busy_ns`` is the time it took on the connection; None where that says nothing of a turn that goes well.
        """
        if busy_ns is not None:
            self._busy_ns[group] += (busy_ns - self._busy_ns[group]) / _MEMORY
        self._at_it.remove(group)
        latest = (mono_ns - self._starts_ns[group]) // self._periods_ns[group]
        following = self._turns[group] + (group not in self._at_extra)
        self._at_extra.discard(group)
        self._turns[group] = max(following, latest)
        self.missed[group] += self._turns[group] - following
        if mono_ns >= self._next_review_ns:
            self._next_review_ns = mono_ns + REVIEW_NS
            self._review()

    def _review(self) -> None:
        """Stretch, or give back. A group begins its new grid at the turn that is due next."""
        stretched = max(self._stretch) > 1  # then the load must fall further before anything is given back
        for group, stretch in enumerate(stretches(self._measured(), LOAD_TARGET if stretched else 1.0)):
            if stretch != self._stretch[group]:
                self._starts_ns[group], self._turns[group] = self._time_ns(group), 0
                self._stretch[group] = stretch
                self._periods_ns[group] = round(self._slots[group].period_ns * stretch)

    def _measured(self) -> list[Slot]:
        return [
            Slot(slot.period_ns, round(busy_ns), slot.safety)
            for slot, busy_ns in zip(self._slots, self._busy_ns, strict=True)
        ]

    def _due_ns(self, group: int) -> int:
        return min(self._time_ns(group), self._extra_ns.get(group, self._time_ns(group)))

    def _time_ns(self, group: int) -> int:
        return self._starts_ns[group] + self._turns[group] * self._periods_ns[group]
