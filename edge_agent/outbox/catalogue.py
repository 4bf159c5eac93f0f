"""Which numeric id a point carries in which version of the catalogue, and how a version is stored.

Pure. A point keeps its id as long as its number means the same: where unit, range, scale, type or address changed it
gets a new one. No id is ever used again within an epoch, so a sample can never be read with another point's scale.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

import zstandard

from contract.events import Json, canonical, number
from contract.ids import PointKey
from contract.points import Catalogue, ConditionClass, Limits, PointRole, PointSpec, PointType

UNPACKED_BYTES_MAX: Final = 64 * 1024 * 1024


def next_catalogue(points: Sequence[PointSpec], newest: Catalogue | None, next_id: int) -> Catalogue:
    """The version that describes ``points`` (their ids are ignored): ``newest`` itself where nothing differs.

    ``next_id`` is the lowest id never used. A row whose ``was`` names a former tag keeps that point's id.
    """
    former = {} if newest is None else {point.key: point for point in newest}
    own = {point.key: former.pop(point.key, None) for point in points}
    numbered = []
    for point in points:
        # Popped: of several rows that claim one former tag only the first is the renamed point.
        before = own[point.key] or former.pop(PointKey(point.organisation, point.was or ""), None)
        if before is not None and _meaning(before) == _meaning(point):
            numbered.append(replace(point, id=before.id))
        else:
            numbered.append(replace(point, id=next_id))
            next_id += 1
    numbered.sort(key=lambda point: point.id)
    if newest is not None and _table(numbered) == _table(newest.points):
        return newest
    return Catalogue(1 if newest is None else newest.version + 1, tuple(numbered))


def encode_points(catalogue: Catalogue) -> bytes:
    """Canonical JSON, compressed."""
    return zstandard.ZstdCompressor(level=3).compress(_table(catalogue.points))


def decode_points(version: int, data: bytes) -> Catalogue:
    """Raises ValueError, KeyError, TypeError or zstandard.ZstdError for bytes that ``encode_points`` did not make."""
    table = json.loads(zstandard.ZstdDecompressor().decompress(data, max_output_size=UNPACKED_BYTES_MAX))
    return Catalogue(version, tuple(_point(row) for row in table))


def fingerprint(catalogue: Catalogue) -> bytes:
    """SHA-256 of all that the points are, their ids and settings too."""
    return hashlib.sha256(_table(catalogue.points)).digest()


def _meaning(point: PointSpec) -> tuple[object, ...]:
    """What a stored number of this point cannot be read without. An address means something on its device only."""
    span = (_exact(point.range_low), _exact(point.range_high), _exact(point.scale), _exact(point.offset))
    return (point.unit, point.type, point.role, point.device, point.address, *span)


def _exact(value: float) -> float | str:
    """NaN (no limit) as something that equals itself."""
    return "NaN" if math.isnan(value) else value


def _table(points: Sequence[PointSpec]) -> bytes:
    return canonical([_row(asdict(point)) for point in points])


def _row(value: Mapping[str, Any]) -> dict[str, Json]:
    return {name: _json(item) for name, item in value.items()}


def _json(value: Any) -> Json:
    if isinstance(value, dict):
        return _row(value)
    return number(value) if isinstance(value, float) else value


def _point(row: Mapping[str, Any]) -> PointSpec:
    known = dict(row)
    known["role"], known["type"] = PointRole(row["role"]), PointType(row["type"])
    known["limit_class"] = ConditionClass(row["limit_class"])
    known["limits"] = Limits(**{name: float(value) for name, value in row["limits"].items()})
    for name in ("scale", "offset", "range_low", "range_high", "poll_s", "stale_s", "fault_on_delay_s",
                 "fault_off_delay_s", "report_max_s", "over_range", "frozen_s", "range_hold_s"):  # fmt: skip
        if name in row:  # not in what was stored by a former release
            known[name] = float(row[name])
    if row["report_deadband"] is not None:
        known["report_deadband"] = float(row["report_deadband"])
    return PointSpec(**known)
