"""Whether what the agent said of a scene is what had to be said. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hil_tests.scenes.scene import Scene, Window
from hil_tests.simulated.play import Change
from hil_tests.simulated.scenario import START, Expect, Forbid, Pattern, PlantScenario, Reached

NEVER: Final = "the moment never came"
WINDOW_TAG: Final = "@"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``moments``: how often it was asked; ``latency_s``: the longest from a moment to the first change that fits; ``why``: what
    was found wrong first."""

    what: str
    passed: bool
    moments: int
    latency_s: float | None
    why: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """A scene and all that the agent said of it."""

    scene: Scene
    changes: Sequence[Change]


def judge(scenario: PlantScenario, played: Sequence[Played]) -> list[Verdict]:
    return [_expected(each, played) for each in scenario.expectations] + [
        _forbidden(each, played) for each in scenario.prohibitions
    ]


def _expected(expect: Expect, played: Sequence[Played]) -> Verdict:
    moments = latency_s = 0.0
    why = ""
    for each in played:
        asked = list(_moments(expect.after, each.scene))
        if not asked and not why:
            why = f"seed {each.scene.seed}: {NEVER}"
        for at_s, window in asked:
            moments += 1
            found = [
                c.at_s - at_s
                for c in each.changes
                if at_s <= c.at_s <= at_s + expect.within_s and _fits(expect, c, window)
            ]
            if not (found if expect.times is None else len(found) == expect.times):
                why = why or f"seed {each.scene.seed}, at {at_s:.0f} s: found {len(found)}"
            latency_s = max([latency_s, *found[:1]])
    shown = f"must: {expect.shown()} within {expect.within_s:g} s after {expect.after}"
    return Verdict(shown, not why, int(moments), latency_s if not why else None, why)


def _forbidden(forbid: Forbid, played: Sequence[Played]) -> Verdict:
    wrong = [(each.scene.seed, c) for each in played for c in each.changes if _fits(forbid, c, None)
             and not (forbid.outside and _within(forbid.outside, c, each.scene))]  # fmt: skip
    why = (
        ""
        if not wrong
        else f"seed {wrong[0][0]}, at {wrong[0][1].at_s:.0f} s: {told(wrong[0][1])}; {len(wrong)} in all"
    )
    outside = f" outside {forbid.outside}" if forbid.outside else ""
    return Verdict(f"must not: {forbid.shown()}{outside}", not wrong, len(played), None, why)


def _moments(after: str, scene: Scene) -> Iterator[tuple[float, Window | None]]:
    """What ``after`` means, in seconds from the scene's begin."""
    if after == START:
        yield 0.0, None
    elif " " in after:
        reached = Reached(after)
        value = scene.trace(reached.tag).value
        rows = np.flatnonzero(value >= reached.limit if reached.above else value <= reached.limit)
        if len(rows):
            yield float(rows[0] * scene.step_s), None
    else:
        for window in scene.windows:
            if window.kind == after:
                yield float(window.first * scene.step_s), window


def _within(kind: str, change: Change, scene: Scene) -> bool:
    step = change.at_s / scene.step_s
    return any(each.kind == kind and each.first <= step <= each.last + 1 for each in scene.windows)


def _fits(pattern: Pattern, change: Change, window: Window | None) -> bool:
    said = change.condition
    if pattern.tag == WINDOW_TAG:
        if window is None or said.tag not in window.tags:
            return False
    elif pattern.tag is not None and pattern.tag != said.tag:
        return False
    asked = (pattern.type, pattern.kind, pattern.level, pattern.condition_class, pattern.inhibited)
    given = (change.type, said.kind, said.level, said.condition_class, said.inhibited)
    return all(want is None or want == is_ for want, is_ in zip(asked, given, strict=True))


def told(change: Change) -> str:
    said = change.condition
    return f"{change.type} {said.tag} {said.kind} level {said.level} ({said.reason})"
