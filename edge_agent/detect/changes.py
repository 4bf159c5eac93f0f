"""Which of the things that devices say beside numbers are news: texts, and status codes of their own.

Comes from the drivers by way of the pipeline, which hands news to ``reporting``. A driver repeats what it hears; here the
change is found. A text that flaps must not flood the log: each point has so many changes put on record in a minute, and
what is left out is counted in the next one, which comes as soon as there is room, also when nothing more is said. Knows no
clock: time is in what is said, and in ticks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from contract.batch import Said
from contract.clock import NS_PER_S
from contract.events import TEXT_LENGTH_MAX

CHANGES_MAX: Final = 6
"""Changes of one kind that a point may have on record within WINDOW_NS."""
WINDOW_NS: Final = 60 * NS_PER_S
_Key: TypeAlias = tuple[int, type]
"""Point and kind."""
GOOD: Final = 0
"""The status code of everything in order: no news from a point of which nothing else was heard."""


@dataclass(frozen=True, slots=True)
class Change:
    """To be put on record now. ``said`` is the latest, its text cut to TEXT_LENGTH_MAX; see ``ChangeData`` for the rest."""

    said: Said
    time_ns: int
    mono_ns: int
    former: str | int | None
    left_out: int


@dataclass(slots=True, eq=False)
class _Thread:
    """What one point says of one kind."""

    latest: Said
    former: str | int | None = None
    """On record last."""
    owed: int = 0
    """Changes since then."""
    recorded_mono_ns: deque[int] = field(default_factory=lambda: deque(maxlen=CHANGES_MAX))

    def has_room(self, mono_ns: int) -> bool:
        return len(self.recorded_mono_ns) < CHANGES_MAX or mono_ns - self.recorded_mono_ns[0] >= WINDOW_NS

    def record(self, time_ns: int, mono_ns: int) -> Change:
        change = Change(self.latest, time_ns, mono_ns, self.former, self.owed - 1)
        self.former, self.owed = self.latest.what, 0
        self.recorded_mono_ns.append(mono_ns)
        return change


class Changes:
    """Remembers what each point said last. Not for use by two threads at once."""

    def __init__(self) -> None:
        self._threads: dict[_Key, _Thread] = {}
        self._owing: dict[_Key, _Thread] = {}

    def heard(self, said: Iterable[Said]) -> list[Change]:
        """What is to be put on record of it."""
        changes = []
        for each in map(_cut, said):
            thread = self._changed(each)
            if thread is None or _key(each) in self._owing:
                continue
            if thread.has_room(each.mono_ns):
                changes.append(thread.record(each.time_ns, each.mono_ns))
            else:
                self._owing[_key(each)] = thread
        return changes

    def tick(self, time_ns: int, mono_ns: int) -> list[Change]:
        """Time has passed: what had no room before and has it now."""
        if not self._owing:
            return []
        ready = [key for key, thread in self._owing.items() if thread.has_room(mono_ns)]
        return [self._owing.pop(key).record(time_ns, mono_ns) for key in ready]

    def forget_all_but(self, points: Collection[int]) -> None:
        """Points that are gone say nothing any more, nor is anything owed of them."""
        self._threads = {key: thread for key, thread in self._threads.items() if key[0] in points}
        self._owing = {key: thread for key, thread in self._owing.items() if key[0] in points}

    def _changed(self, said: Said) -> _Thread | None:
        """The thread that it is news of; None for no news."""
        key = _key(said)
        thread = self._threads.get(key)
        if thread is None:
            thread = self._threads[key] = _Thread(said)
            if said.what == GOOD:
                thread.former = GOOD
                return None
        elif thread.latest.what == said.what:
            return None
        thread.latest = said
        thread.owed += 1
        return thread


def _key(said: Said) -> _Key:
    return said.point, type(said.what)


def _cut(said: Said) -> Said:
    if isinstance(said.what, str) and len(said.what) > TEXT_LENGTH_MAX:
        return Said(said.point, said.time_ns, said.mono_ns, said.quality, said.what[:TEXT_LENGTH_MAX])
    return said
