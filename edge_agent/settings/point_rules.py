"""What must hold between the columns of one point, whatever its device speaks. Pure.

Comes after ``cells`` (each value is well-formed by itself) and beside the driver's own check of addresses. A rule that
lacks one of its values is silent, so a cell that could not be read causes no second fault.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from contract.points import Limits, PointSpec, PointType
from drivers.base import PointFault

GAS_UNITS: Final = frozenset({"%LEL", "LEL.m", "%vol", "ppm", "ppb", "mg/m3"})
"""Their level 2 is never delayed: at that concentration every second counts."""
_LOW: Final = ("ll", "l")
_HIGH: Final = ("h", "hh")
_ASCENDING: Final = (*_LOW, *_HIGH)


def check(spec: PointSpec) -> list[PointFault]:
    """Every fault of one measured point. Deadbands are judged only where the set-points themselves are sound."""
    if spec.type is PointType.STRING:
        return [*_text_only(spec), *_staleness(spec)]
    faults = [*_scale(spec), *_range(spec), *_order(spec), *_inside(spec), *_bit(spec)]
    if not faults:
        faults += _deadband(spec)
    return [*faults, *_delays(spec), *_staleness(spec)]


def _text_only(spec: PointSpec) -> Iterator[PointFault]:
    """A text is not judged, not scaled, and kept whenever it changes."""
    limits = spec.limits
    numbers: dict[str, float | None] = dict(_given(limits, _ASCENDING))
    numbers |= {name: None if math.isnan(each) else each for name, each in _ends(spec)}
    delays = ("deadband", "on_delay_s", "on_delay_2_s", "off_delay_s")
    numbers |= {name: getattr(limits, name) or None for name in delays}
    numbers["report_deadband"] = spec.report_deadband or None
    numbers["scale"] = None if spec.scale == 1 else spec.scale
    numbers["offset"] = spec.offset or None
    for name, number in numbers.items():
        if number is not None:
            yield PointFault(name, f"a text has no {name}", "Leave it empty")
    if spec.unit != "1":
        yield PointFault("unit", f"a text is not measured in {spec.unit}", "Give 1")


def _ends(spec: PointSpec) -> tuple[tuple[str, float], tuple[str, float]]:
    return ("range_low", spec.range_low), ("range_high", spec.range_high)


def _scale(spec: PointSpec) -> Iterator[PointFault]:
    if spec.scale == 0:
        yield PointFault("scale", "scale 0 makes every value the same", "Give the worth of one step of the raw number")


def _range(spec: PointSpec) -> Iterator[PointFault]:
    if spec.range_low >= spec.range_high:
        message = f"range_high {_text(spec.range_high)} is not above range_low {_text(spec.range_low)}"
        yield PointFault("range_high", message, "Give the ends of the instrument's range, the lower one first")


def _order(spec: PointSpec) -> Iterator[PointFault]:
    for (lower, below), (upper, above) in pairwise(_given(spec.limits, _ASCENDING)):
        if below >= above:
            message = f"{upper} {_text(above)} is not above {lower} {_text(below)}"
            yield PointFault(upper, message, "Set-points must rise: ll < l < h < hh")


def _inside(spec: PointSpec) -> Iterator[PointFault]:
    for name, value in _given(spec.limits, _ASCENDING):
        if value < spec.range_low or value > spec.range_high:
            message = f"{name} {_text(value)} lies outside {_text(spec.range_low)} to {_text(spec.range_high)}"
            yield PointFault(name, message, "Set it inside the instrument's range, or mend range_low and range_high")


def _bit(spec: PointSpec) -> Iterator[PointFault]:
    """A set-point of a bit must tell its two values apart, and only one side can be the alarm."""
    if spec.type is not PointType.BIT or spec.scale == 0:
        return
    lowest, highest = _bit_values(spec)
    remedy = f"Set it between {_text(lowest)} and {_text(highest)}, as h = {_text((lowest + highest) / 2)}"
    for name, value in _given(spec.limits, _ASCENDING):
        if not (lowest < value <= highest if name in _HIGH else lowest <= value < highest):
            yield PointFault(name, f"{name} {_text(value)} does not tell the two states of a bit apart", remedy)
    lows, highs = _given(spec.limits, _LOW), _given(spec.limits, _HIGH)
    if lows and highs:
        message = "a bit with a low and a high set-point is always in alarm"
        yield PointFault(lows[0][0], message, "Keep the side that is the alarm")


def _deadband(spec: PointSpec) -> Iterator[PointFault]:
    """The way back to normal must exist: a value inside the range, beyond the deadband, on the far side of no limit."""
    limits, deadband = spec.limits, spec.limits.deadband
    lowest, highest = _bit_values(spec) if spec.type is PointType.BIT else (spec.range_low, spec.range_high)
    highs, lows = _given(limits, _HIGH), _given(limits, _LOW)
    stuck = [name for name, value in highs if value - deadband <= lowest]
    stuck += [name for name, value in lows if value + deadband >= highest]
    for name in stuck:
        column = "deadband" if deadband else name
        message = f"{name} could never return to normal inside the range with deadband {_text(deadband)}"
        yield PointFault(column, message, "Make the deadband smaller, or move the set-point")
    if highs and lows and highs[0][1] - lows[-1][1] <= deadband:
        message = f"deadband {_text(deadband)} reaches from {highs[0][0]} to {lows[-1][0]}"
        yield PointFault("deadband", message, "It must be smaller than the distance of the two set-points")


def _delays(spec: PointSpec) -> Iterator[PointFault]:
    if spec.unit in GAS_UNITS and spec.limits.on_delay_2_s and _given(spec.limits, ("ll", "hh")):
        message = f"level 2 of a gas ({spec.unit}) is delayed by {_text(spec.limits.on_delay_2_s)} s"
        yield PointFault("on_delay_2_s", message, "Give 0: level 2 of a gas is never delayed")


def _staleness(spec: PointSpec) -> Iterator[PointFault]:
    if spec.stale_s <= spec.poll_s:
        message = f"stale_s {_text(spec.stale_s)} is not above poll_s {_text(spec.poll_s)}"
        yield PointFault("stale_s", message, "Leave it empty for 2.5 polls, or make it longer than one poll")


def _given(limits: Limits, names: tuple[str, ...]) -> list[tuple[str, float]]:
    """The set-points that there are, in the order of ``names``."""
    return [(name, value) for name in names if not math.isnan(value := getattr(limits, name))]


def _bit_values(spec: PointSpec) -> tuple[float, float]:
    low, high = sorted((spec.offset, spec.offset + spec.scale))
    return low, high


def _text(value: float) -> str:
    return f"{value:.12g}"
