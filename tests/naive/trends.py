"""What must be drawn of a trend, one sample at a time: the slow twin of aggregator.history.reduction."""

from __future__ import annotations

import math


def kind(value: float, quality: int) -> str:
    if quality >= 0x80 or not math.isfinite(value):
        return "none"
    return "uncertain" if quality >= 0x40 else "good"


def keep(samples: list[tuple[int, float, int]], from_ns: int, to_ns: int, width: int) -> set[int]:
    """Indices of (time, value, quality) that are drawn."""
    if len(samples) <= width:
        return set(range(len(samples)))
    step = max(1, math.ceil((to_ns - from_ns + 1) / width))
    groups: dict[tuple[int, str], list[int]] = {}
    for index, (time_ns, value, quality) in enumerate(samples):
        groups.setdefault(((time_ns - from_ns) // step, kind(value, quality)), []).append(index)
    kept = set()
    for (_, which), members in groups.items():
        kept |= {members[0], members[-1]}
        if which != "none":
            kept.add(min(members, key=lambda index: samples[index][1]))
            kept.add(max(members, key=lambda index: (samples[index][1], index)))
    return kept


def breaks(times: list[int], silence: list[int], gaps: list[tuple[int, int]]) -> list[bool]:
    broken = []
    for before, after, limit in zip(times, times[1:], silence, strict=False):
        inside = any(before < to_ns and after > from_ns for from_ns, to_ns in gaps)
        broken.append(after - before > limit or inside)
    return broken
