"""How a point's value is shown: digits that the device can tell, its place in the range, whether it may be believed. Pure.

A value that is not confirmed never looks like one that is: it comes with a question mark, its age and the reason.
"""

from __future__ import annotations

import math
from typing import Final
from urllib.parse import quote

from aggregator.live.service import PointView
from aggregator.pages.moments import NO_NUMBER, duration, number
from aggregator.pages.texts import Texts
from contract.quality import Quality, is_good

BAR_WIDTH: Final = 130
BAR_HEIGHT: Final = 16
DECIMALS_MAX: Final = 9
FRESH_S_MIN: Final = 3
_EDGE: Final = 4
"""Room for the pointer at both ends of the bar."""


def value(point: PointView) -> str:
    return digits(point.value, point.resolution)


def digits(value: float | None, resolution: float | None) -> str:
    """Three significant digits, and none that the device cannot tell."""
    if value is None or not math.isfinite(value) or resolution is None or resolution <= 0:
        return number(value)
    told = max(0, -math.floor(math.log10(resolution) + 1e-9))
    if value == 0:
        return f"{0:.{min(told, DECIMALS_MAX)}f}"
    wanted = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(told, wanted, DECIMALS_MAX)}f}"


def with_unit(text: Texts, point: PointView) -> str:
    return f"{value(point)} {text.word('unit', point.unit)}".rstrip()


def why_not(text: Texts, point: PointView) -> str:
    """Why the value is not to be believed; empty where it is."""
    if point.doubt is not None:
        return text.word("doubt", point.doubt)
    return "" if is_good(point.quality) else quality(text, point.quality)


def quality(text: Texts, code: int) -> str:
    """In words; a code of a newer version stands for itself."""
    known = code in Quality.__members__.values()
    return text.word("quality", Quality(code).name.lower()) if known else f"0x{code:02x}"


def age(point: PointView) -> str:
    """Since the last confirmed scan. While that is as it should be, the same words every second."""
    if point.age_s is None:
        return NO_NUMBER
    fresh_s = math.ceil(max(FRESH_S_MIN, 2 * point.poll_s))
    return f"≤ {fresh_s} s" if point.age_s <= fresh_s else duration(point.age_s)


def address(point: PointView) -> str:
    return point_address(point.organisation, point.tag)


def point_address(organisation: str, tag: str) -> str:
    return f"/points/{quote(organisation, safe='')}/{quote(tag, safe='')}"


def bar(point: PointView) -> str:
    """Markup made of numbers alone: the range as a line, alarm zones darker and darker, the value as a pointer."""
    low, high = point.range_low, point.range_high
    if low is None or high is None or high <= low:
        return ""
    limits = point.limits

    def x(at: float) -> float:
        return _EDGE + (BAR_WIDTH - 2 * _EDGE) * min(1.0, max(0.0, (at - low) / (high - low)))

    zones = [(low, limits.l, "z1"), (low, limits.ll, "z2"), (limits.h, high, "z1"), (limits.hh, high, "z2")]
    rects = "".join(
        f'<rect class="{zone}" x="{x(start):.1f}" y="6" width="{max(0, x(end) - x(start)):.1f}" height="8"/>'
        for start, end, zone in zones
        if start is not None and end is not None
    )
    pointer = ""
    if point.value is not None:
        at = x(point.value)
        pointer = f'<path class="{_pointer(point)}" d="M{at:.1f} 9 l-4 -8 h8 z"/>'
    return (
        f'<svg class="bar" viewBox="0 0 {BAR_WIDTH} {BAR_HEIGHT}" width="{BAR_WIDTH}" height="{BAR_HEIGHT}" '
        f'aria-hidden="true"><rect class="z0" x="{_EDGE}" y="6" width="{BAR_WIDTH - 2 * _EDGE}" height="8"/>'
        f"{rects}{pointer}</svg>"
    )


def _pointer(point: PointView) -> str:
    """Hollow where the value is not believed, thick beyond a set-point."""
    if not point.is_believed:
        return "p old"
    at, limits = point.value, point.limits
    assert at is not None
    beyond = (limits.h is not None and at >= limits.h) or (limits.l is not None and at <= limits.l)
    far = (limits.hh is not None and at >= limits.hh) or (limits.ll is not None and at <= limits.ll)
    return "p far" if far else "p beyond" if beyond else "p"
