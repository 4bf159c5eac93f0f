"""What a loop check found, as data: a shot for each reference that was applied, an outcome for each point. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from contract.points import PointSpec


class Result(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Shot:
    """One reference: ``expected`` and ``seen`` in the point's unit, ``deviation_pct`` of the span, or of the reference where the
    point has no range. ``alarm_expected`` and ``alarm_seen`` are like "high 2", empty for none."""

    expected: float
    seen: float
    deviation_pct: float
    quality: str
    alarm_expected: str
    alarm_seen: str
    passed: bool
    time_ns: int


@dataclass(frozen=True, slots=True)
class Record:
    """The outcome of one point; a later one of the same tag takes its place."""

    tag: str
    result: Result
    reason: str
    remarks: str
    by: str
    witness: str
    tolerance_pct: float
    time_ns: int
    point: str
    """``fingerprint`` of what was checked."""
    shots: tuple[Shot, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def fingerprint(point: PointSpec) -> str:
    """Another one as soon as anything of the point is changed: what was proved of the former point says nothing of it."""
    return hashlib.sha256(repr(replace(point, id=0)).encode()).hexdigest()[:16]


def of_json(data: Mapping[str, Any]) -> Record:
    """Raises KeyError, TypeError and ValueError for what is no record."""
    shots = tuple(Shot(**each) for each in data["shots"])
    return Record(**{**data, "result": Result(data["result"]), "shots": shots})
