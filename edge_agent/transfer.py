"""From one catalogue version to the next while the agent judges: who goes on, what ends, what bears another tag.

Pure but for what it is handed: ``app`` gives the engine and the reporter that judge now, gets those that follow, and the
events that the change itself brings about. Nothing has changed before the caller puts them in place.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from contract.events import ConditionData
from contract.ids import PointKey
from contract.points import Catalogue, ConditionKind
from contract.quality import Quality
from edge_agent.detect.engine import Engine, Transition
from edge_agent.outbox.rows import Pending
from edge_agent.reporting import RENAMED, Reporter

REMOVED: Final = "point_removed"


@dataclass(frozen=True, slots=True)
class Successors:
    """``events`` are of conditions whose point is gone, or bears another tag; they go before all others."""

    engine: Engine
    reporter: Reporter
    events: list[Pending]


@dataclass(frozen=True, slots=True)
class Moment:
    time_ns: int
    mono_ns: int


def transfer(
    former: Catalogue, engine: Engine, reporter: Reporter, new: Catalogue, read_anew: Collection[str], now: Moment
) -> Successors:
    """``read_anew`` names devices of which only the levels of conditions are kept."""
    anew = {point.id for point in new if point.device in read_anew}
    made = Engine(new, now.mono_ns)
    made.take_over(engine, anew)
    successor = reporter.successor(new)
    specs, new_specs = former.by_id(), new.by_id()
    new_ids = {point.key: point.id for point in new}
    events: list[Pending] = []
    restored: list[tuple[int, ConditionKind, int]] = []
    for point, kind, level in engine.conditions():
        spec = specs[point]
        if spec.key in new_ids:
            # Also where its number means something else from now on: the condition is the tag's.
            restored.append((new_ids[spec.key], kind, level))
        elif point in new_specs:
            events += [
                reporter.pending(_moved(point, kind, level, 0, now), RENAMED),
                successor.goes_on(_moved(point, kind, 0, level, now), spec),
            ]
        else:
            events.append(reporter.pending(_moved(point, kind, level, 0, now), REMOVED))
    made.restore(restored)
    return Successors(made, successor, events)


def _moved(point: int, kind: ConditionKind, old_level: int, new_level: int, now: Moment) -> Transition:
    """A change that no sample brought about."""
    return Transition(
        point, kind, old_level, new_level, now.mono_ns, now.time_ns, math.nan, 0, int(Quality.BAD_NEVER_READ), math.nan, 0
    )  # fmt: skip


def restore(
    catalogue: Catalogue, engine: Engine, standing: Sequence[ConditionData]
) -> tuple[list[ConditionData], list[tuple[ConditionData, int]]]:
    """At a start: hand the conditions that stand in the store back to the kernel; returns those whose point is gone, and
    those whose point, by its id, bears another tag now."""
    ids = {point.key: point.id for point in catalogue}
    former = {PointKey(point.organisation, point.was or ""): point.id for point in catalogue}
    known = [(ids[_key(each)], each.kind, each.level) for each in standing if _key(each) in ids]
    taken = {(point, kind) for point, kind, _ in known}
    orphans, renamed = [], []
    for condition in (each for each in standing if _key(each) not in ids):
        point = former.get(_key(condition))
        if point is None or (point, condition.kind) in taken:
            orphans.append(condition)
        else:
            known.append((point, condition.kind, condition.level))
            renamed.append((condition, point))
    engine.restore(known)
    return orphans, renamed


def _key(condition: ConditionData) -> PointKey:
    return PointKey(condition.org.split("/")[0], condition.tag)
