"""Lets the agent's own kernels judge a recording, each column as a point and all of them as a group; pure.

Limits are no part of it, since a recording has none: what remains of the safety rules is that a value which is missing for
MISSING_SCANS is a fault.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.batch import SampleBatch
from contract.clock import NS_PER_S
from contract.points import Catalogue, PointSpec, PointType
from contract.quality import Quality
from edge_agent.commissioning.backtesting.recording import Recording
from edge_agent.detect.engine import Engine
from edge_agent.detect.groups import MEMBERS_MAX, GroupModel

MISSING_SCANS: Final = 9.0
"""A point of which nothing came for longer is a fault."""
DETECTORS: Final = ("points", "group", "all")
_ROWS_PER_BATCH: Final = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """One row per scan. ``raised``: something began, which is what people are told. ``standing``: something stands.
    ``score``: the highest of all detectors, 1 raises."""

    raised: NDArray[np.bool_]
    standing: NDArray[np.bool_]
    score: NDArray[np.float64]


def run(recording: Recording, learnt: Recording | None = None) -> dict[str, Outcome]:
    """By DETECTORS. ``learnt`` comes before and is known to be without trouble; it counts where it is of the same points."""
    if learnt is not None and learnt.names != recording.names:
        learnt = None
    points, group = _run_points(recording, learnt), _run_group(recording, learnt)
    together = Outcome(
        points.raised | group.raised, points.standing | group.standing, np.maximum(points.score, group.score)
    )  # fmt: skip
    return dict(zip(DETECTORS, (points, group, together), strict=True))


def _run_points(recording: Recording, learnt: Recording | None) -> Outcome:
    """By the detectors of single points alone."""
    before = len(learnt.scans) if learnt is not None else 0
    scans = recording.scans if learnt is None else np.concatenate([learnt.scans, recording.scans])
    raised, standing, score = _judge_points(scans, before, recording)
    return Outcome(raised[before:], standing[before:], score[before:])


def _run_group(recording: Recording, learnt: Recording | None) -> Outcome:
    """By the group model alone; nothing, where there are too few or too many points for it."""
    count, members = recording.scans.shape
    if not 2 <= members <= MEMBERS_MAX:
        return Outcome(np.zeros(count, np.bool_), np.zeros(count, np.bool_), np.zeros(count))
    model = GroupModel(members, recording.scan_s())
    if learnt is not None:
        model.judge(learnt.scans, learning=True)
    judged = model.judge(recording.scans)
    return Outcome(judged.leading >= 0, judged.standing, judged.score)


def _judge_points(
    scans: NDArray[np.float64], before: int, recording: Recording
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64]]:
    scan_s, members = recording.scan_s(), scans.shape[1]
    mono_ns = _times(before, recording)
    engine = Engine(Catalogue(1, tuple(_spec(n, name, scan_s) for n, name in enumerate(recording.names))), 0)
    raised, balance, score = np.zeros(len(scans), np.bool_), np.zeros(len(scans), np.int64), np.zeros(len(scans))
    row_of = {int(ns): row for row, ns in enumerate(mono_ns)}
    for first, batch in _batches(scans, mono_ns):
        scores = np.zeros(len(batch))
        found = [(each.mono_ns, each.new_level) for each in engine.judge(batch)]
        found += [(each.mono_ns, each.new_level) for each in engine.advisor.advise(batch, scores)]
        score[first : first + len(batch) // members] = scores.reshape(-1, members).max(axis=1)
        for ns, level in found:
            balance[row_of[ns]] += 1 if level else -1
            raised[row_of[ns]] |= level > 0
    return raised, np.cumsum(balance) > 0, score


def _times(before: int, recording: Recording) -> NDArray[np.int64]:
    """Nanoseconds of each row, the learnt ones before; a time that stands or goes back is set a nanosecond after the one before."""
    scan_s = recording.scan_s()
    since_s = np.concatenate([(np.arange(before) - before) * scan_s, recording.time_s - recording.time_s[0]])
    rows = np.arange(len(since_s))
    since_ns = np.round(since_s * NS_PER_S).astype(np.int64)
    return np.maximum.accumulate(since_ns - rows) + rows + (before + 1) * round(scan_s * NS_PER_S)


def _spec(number: int, name: str, scan_s: float) -> PointSpec:
    wait_s = MISSING_SCANS * scan_s
    return PointSpec(
        number, name, "recording", name, type=PointType.FLOAT64, poll_s=scan_s, stale_s=wait_s, fault_on_delay_s=wait_s
    )  # fmt: skip


def _batches(scans: NDArray[np.float64], mono_ns: NDArray[np.int64]) -> Iterator[tuple[int, SampleBatch]]:
    members = scans.shape[1]
    for first in range(0, len(scans), _ROWS_PER_BATCH):
        part = scans[first : first + _ROWS_PER_BATCH]
        batch = SampleBatch.zeros(part.size)
        batch.point[:] = np.tile(np.arange(members), len(part))
        batch.mono_ns[:] = np.repeat(mono_ns[first : first + len(part)], members)
        batch.time_ns[:] = batch.mono_ns
        batch.value[:] = part.ravel()
        batch.quality[np.isnan(batch.value)] = Quality.BAD_SENSOR_FAILURE
        yield first, batch
