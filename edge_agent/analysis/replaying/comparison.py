"""What was judged again against what was reported: the first difference. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from contract.errors import FrameError
from contract.events import canonical
from contract.points import ConditionKind
from edge_agent.analysis.replaying.replay import Covered, Judged

NOT_OF_A_ROW: Final = frozenset({"point_removed", "point_renamed", "reset"})
"""Reasons of changes that a person or a configuration brought about: no row replays them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """``place`` counts from 1; None on the side that has no more. ``fields`` differ where both have one."""

    place: int
    replayed: Judged | None
    reported: Judged | None
    fields: tuple[str, ...] = ()


def first_difference(replayed: Sequence[Judged], reported: Sequence[Judged]) -> Difference | None:
    """In the order of both; bit for bit, NaN being the same as itself."""
    for place in range(max(len(replayed), len(reported))):
        ours = replayed[place] if place < len(replayed) else None
        theirs = reported[place] if place < len(reported) else None
        if ours is None or theirs is None:
            return Difference(place + 1, ours, theirs)
        if fields := _fields(ours, theirs):
            return Difference(place + 1, ours, theirs, fields)
    return None


def comparable(judged: Iterable[Judged], covered: Sequence[Covered]) -> list[Judged]:
    """Those that a row brought about, within what was judged without a hole; what statistics say comes last, since its order
    to what limits say follows from batches."""
    found = [
        each
        for each in judged
        if each.data.get("reason") not in NOT_OF_A_ROW
        and any(
            each.boot_id == one.boot_id and one.first_mono_ns <= each.mono_ns <= one.last_mono_ns for one in covered
        )
    ]
    return sorted(found, key=lambda each: ConditionKind(str(each.data["kind"])).is_statistical)


def line(judged: Judged) -> str:
    """As one line of JSON. 64-bit integers are decimal strings, as in an event."""
    table = asdict(judged)
    for name in ("mono_ns", "time_ns", "elapsed_ns"):
        table[name] = None if table[name] is None else str(table[name])
    return canonical(table).decode()


def read_line(text: str) -> Judged:
    """Raises FrameError for what ``line`` did not write."""
    try:
        table: dict[str, Any] = json.loads(text)
        for name in ("mono_ns", "time_ns", "elapsed_ns"):
            table[name] = None if table[name] is None else int(table[name])
        return Judged(**table)
    except (ValueError, TypeError, KeyError) as error:
        raise FrameError("line", f"is no event of a replay: {error}") from error


def _fields(ours: Judged, theirs: Judged) -> tuple[str, ...]:
    left, right = _flat(ours), _flat(theirs)
    if ours.elapsed_ns is None or theirs.elapsed_ns is None:
        left.pop("elapsed_ns"), right.pop("elapsed_ns")
    return tuple(sorted(name for name in left.keys() | right.keys() if left.get(name) != right.get(name)))


def _flat(judged: Judged) -> dict[str, bytes]:
    """By field, in the bytes that an event has for it: a NaN equals itself, 40 is 40.0."""
    table = asdict(judged)
    stamps = {name: str(table.pop(name)).encode() for name in ("mono_ns", "time_ns", "elapsed_ns")}
    table |= table.pop("data")
    return stamps | {name: canonical(value) for name, value in table.items()}
