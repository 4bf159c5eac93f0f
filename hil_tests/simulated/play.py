"""Lets the agent judge a scene: the points of a real folder, its engine, its reporter; only devices and stores are missing.

Rows go in as a driver yields them: of each scan the device's own row, then its points; TICK rows between them, as the agent's
loop makes them. Time is in the rows, so a day takes as long as its rows need. What comes out is what would be put on
record.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.batch import TICK, SampleBatch
from contract.clock import NS_PER_S
from contract.events import ClockState, ConditionData
from contract.ids import AgentName, Epoch
from contract.points import Catalogue, PointRole, PointSpec
from contract.quality import SEVERITY_BAD, SEVERITY_MASK, Quality
from edge_agent.detect.engine import Engine, Transition
from edge_agent.reporting import Reporter
from hil_tests.scenes.scene import Scene

TICKS_PER_STEP: Final = 10
"""A tenth of a second in scenes by the second, as in the agent."""
STEPS_PER_CALL: Final = 3600
_BEGIN_NS: Final = 1_790_000_000 * NS_PER_S
_AGENT: Final = AgentName("plant")
_EPOCH: Final = Epoch("simulated")


@dataclass(frozen=True, slots=True)
class Change:
    """A condition turned on, moved its level or ended, ``at_s`` after the scene's begin."""

    at_s: float
    type: str
    condition: ConditionData


class Judge:
    """An agent's judgement from its start on; ``points`` are of one device and have id 0."""

    def __init__(self, points: Sequence[PointSpec]) -> None:
        catalogue = Catalogue(1, tuple(replace(each, id=number) for number, each in enumerate(points, 1)))
        self._ids = {each.tag: each.id for each in catalogue}
        self._device = next(each.id for each in catalogue if each.role is PointRole.DEVICE)
        self._engine = Engine(catalogue, 0)
        self._reporter = Reporter(
            catalogue, _AGENT, "simulated", lambda: ClockState(synchronised=True, error_ns=None), ()
        )
        self._seq = 0

    def play(self, scene: Scene) -> list[Change]:
        """AssertionError for an instrument that is no point."""
        changes: list[Change] = []
        for first, stop in _stretches(scene):
            for window in scene.windows:
                if window.permitted and first in (window.first, window.last + 1):
                    for tag in window.tags:
                        self._engine.set_inhibit(self._ids[tag], first == window.first)
            transitions = self._engine.judge(self._rows(scene, first, stop))
            changes += [self._on_record(each) for each in transitions]
        return changes

    def _on_record(self, transition: Transition) -> Change:
        self._seq += 1
        event, condition = self._reporter.pending(transition).build(_EPOCH, self._seq)
        assert condition is not None
        return Change(transition.mono_ns / NS_PER_S, event.type, condition)

    def _rows(self, scene: Scene, first: int, stop: int) -> SampleBatch:
        """Scans of the steps ``first`` to ``stop``, with the ticks after each."""
        tags = [each.tag for each in scene.traces]
        assert set(tags) <= self._ids.keys(), f"{set(tags) - self._ids.keys()} are no points of this agent"
        width = 1 + len(tags) + TICKS_PER_STEP
        values = np.array([each.value[first:stop] for each in scene.traces]).T
        qualities = np.array([each.quality[first:stop] for each in scene.traces]).T
        point = np.full((stop - first, width), TICK, np.int32)
        value = np.full((stop - first, width), np.nan)
        quality = np.full((stop - first, width), Quality.GOOD, np.uint8)
        point[:, 0], value[:, 0] = self._device, 1.0
        silent = (qualities == Quality.BAD_COMM_FAILURE).all(axis=1)
        quality[silent, 0], value[silent, 0] = Quality.BAD_COMM_FAILURE, np.nan
        samples = slice(1, 1 + len(tags))
        point[:, samples] = [self._ids[tag] for tag in tags]
        value[:, samples] = np.where(qualities & SEVERITY_MASK >= SEVERITY_BAD, np.nan, values)
        quality[:, samples] = qualities
        mono_ns = np.arange(first, stop)[:, None] * (scene.step_s * NS_PER_S) + _offsets_ns(width, scene.step_s)
        flat = mono_ns.reshape(-1)
        return SampleBatch(
            point.reshape(-1), flat + _BEGIN_NS, flat, value.reshape(-1), quality.reshape(-1), np.zeros(len(flat), np.int64)
        )  # fmt: skip


def _offsets_ns(width: int, step_s: int) -> NDArray[np.int64]:
    """Of the rows of one step: its samples at once, then ticks up to just before the next."""
    ticks = np.arange(1, TICKS_PER_STEP + 1) * (step_s * NS_PER_S // TICKS_PER_STEP) - 1
    offsets_ns: NDArray[np.int64] = np.r_[np.zeros(width - TICKS_PER_STEP, np.int64), ticks]
    return offsets_ns


def _stretches(scene: Scene) -> Iterator[tuple[int, int]]:
    """The scene in parts: none is long, and inhibits begin and end between two."""
    ends = {each for window in scene.windows if window.permitted for each in (window.first, window.last + 1)}
    cuts = sorted({0, len(scene), *range(0, len(scene), STEPS_PER_CALL), *(each for each in ends if each < len(scene))})
    return pairwise(cuts)
