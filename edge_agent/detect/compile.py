"""Turns a catalogue into the kernel's parameters.

Settings are checked where they are loaded; here a value that cannot be judged is a programmer's error. Input comes from
``contract.points``, output goes to ``engine``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.clock import NS_PER_S
from contract.points import Catalogue, PointRole, PointSpec
from edge_agent.detect.layout import PARAMS, Records

DURATION_S_MAX: Final = 366 * 86_400.0
"""Longest delay or stale time: keeps sums of nanoseconds far from the end of int64."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """points int32[n]: id of each row. params PARAMS[n]. DEVICE points first, ids ascending within both groups."""

    points: NDArray[np.int32]
    params: Records


def plan(catalogue: Catalogue) -> Plan:
    """Parameters of every point. AssertionError where ids do not ascend, a device has two DEVICE points, a duration is
    negative, not finite or over DURATION_S_MAX, or a deadband is negative or not finite.
    """
    specs = tuple(catalogue)
    assert all(a.id < b.id for a, b in pairwise(specs)), "ids must ascend"
    ordered = sorted(specs, key=lambda spec: (spec.role is not PointRole.DEVICE, spec.id))
    devices = _device_rows(ordered)
    params = np.zeros(len(ordered), PARAMS)
    for row, spec in enumerate(ordered):
        params[row] = _record(spec, devices.get(spec.device, row))
    return Plan(np.array([spec.id for spec in ordered], np.int32), params)


def _device_rows(ordered: list[PointSpec]) -> dict[str, int]:
    rows: dict[str, int] = {}
    for row, spec in enumerate(ordered):
        if spec.role is PointRole.DEVICE:
            assert spec.device not in rows, f"device {spec.device} has two DEVICE points"
            rows[spec.device] = row
    return rows


def _record(spec: PointSpec, device_row: int) -> tuple[float | int, ...]:
    """One PARAMS row, in the order of its fields."""
    limits = spec.limits
    assert 0.0 <= limits.deadband < math.inf, f"{spec.tag}: deadband {limits.deadband}"
    seconds = (
        limits.on_delay_s, limits.on_delay_2_s, limits.off_delay_s,
        spec.stale_s, spec.fault_on_delay_s, spec.fault_off_delay_s,
    )  # fmt: skip
    return (
        limits.ll, limits.l, limits.h, limits.hh, limits.deadband, spec.range_low, spec.range_high,
        *(_ns(duration_s, spec.tag) for duration_s in seconds), spec.over_range, _ns(spec.frozen_s, spec.tag), _ns(spec.range_hold_s, spec.tag), device_row,
    )  # fmt: skip


def _ns(duration_s: float, tag: str) -> int:
    assert 0.0 <= duration_s <= DURATION_S_MAX, f"{tag}: duration {duration_s} s"
    return round(duration_s * NS_PER_S)
