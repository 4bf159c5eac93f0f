"""Whether what followed is what had to follow. Pure.

Comes from ``runner``: the moments at which things happened and the events that the aggregator committed; goes to the
table on the screen and into the report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from contract.clock import NS_PER_S
from hil_tests.journal_lines import JournalEvent
from hil_tests.scenario import Expect, Pattern, Scenario


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """An event with the moment right after the aggregator's commit, on the monotonic clock."""

    event: JournalEvent
    committed_ns: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """``found`` events fitted; ``latency_ms`` is from the begin of the window to the commit of the first of them."""

    what: str
    forbidden: bool
    passed: bool
    found: int
    latency_ms: float | None


def judge(scenario: Scenario, moments: Mapping[str, int], seen: Sequence[SeenEvent]) -> list[Verdict]:
    """``moments``: when each named entry took effect, monotonic ns; one that is missing never did, and its
    expectations fail."""
    return [_judge(pattern, moments.get(pattern.after), seen) for pattern in scenario.patterns]


def _judge(pattern: Pattern, begin_ns: int | None, seen: Iterable[SeenEvent]) -> Verdict:
    forbidden = not isinstance(pattern, Expect)
    if begin_ns is None:
        return Verdict(pattern.shown(), forbidden, passed=False, found=0, latency_ms=None)
    found = sorted(each.committed_ns - begin_ns for each in seen if _fits(pattern, begin_ns, each))
    return Verdict(
        pattern.shown(), forbidden, _enough(pattern, len(found)), len(found), found[0] / 1e6 if found else None
    )


def _enough(pattern: Pattern, count: int) -> bool:
    if not isinstance(pattern, Expect):
        return count == 0
    return count == pattern.times if pattern.times is not None else count > 0


def _fits(pattern: Pattern, begin_ns: int, seen: SeenEvent) -> bool:
    event = seen.event
    in_window = event.mono_ns >= begin_ns and seen.committed_ns - begin_ns <= pattern.within_s * NS_PER_S
    asked = (pattern.type, pattern.kind, pattern.tag, pattern.level, pattern.agent, pattern.condition_class)
    given = (event.type, event.kind, event.tag, event.level, event.agent, event.condition_class)
    return in_window and all(want is None or want == is_ for want, is_ in zip(asked, given, strict=True))
