"""What a running agent says of itself to a person or a program beside it: every point as it is now.

Pure: ``app`` hands in the catalogue, the engine and when each sample was taken; the answer goes through the control
socket. Plain data without NaN: what is no value is null.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract.clock import NS_PER_S
from contract.points import Catalogue
from contract.quality import Quality
from edge_agent.detect.engine import Engine, NotReset

NOT_RESET: Final = {
    NotReset.NOTHING_STANDS: "has no over-range condition: there is nothing to reset",
    NotReset.STILL_OVER_RANGE: "still reads at or above its range; reset it when the gas is gone",
    NotReset.QUALITY_NOT_GOOD: "gives no good value, so nobody can tell whether the gas is gone; mend that first",
}


def points_now(catalogue: Catalogue, engine: Engine, time_ns: NDArray[np.int64], mono_ns: int) -> list[dict[str, Any]]:
    """Every point in the catalogue's order. ``time_ns`` is by the engine's rows, 0 where there is no sample yet;
    ``age_s`` is the time since the device last confirmed the value, None before the first time."""
    rows = engine.rows(np.array([point.id for point in catalogue], np.int32)).tolist()
    values, qualities, times = engine.value().tolist(), engine.quality().tolist(), time_ns.tolist()
    scanned, is_scanned = engine.scanned_mono_ns().tolist(), engine.is_scanned().tolist()
    standing: dict[int, list[dict[str, Any]]] = {}
    for point_id, kind, level in engine.conditions():
        standing.setdefault(point_id, []).append({"kind": kind.value, "level": level})
    return [
        {
            "tag": point.tag, "org": point.org, "device": point.device, "unit": point.unit,
            "description": point.description,
            "value": values[row] if math.isfinite(values[row]) else None,
            "quality": Quality(qualities[row]).name,
            "age_s": (mono_ns - scanned[row]) / NS_PER_S if is_scanned[row] else None,
            "time_ns": times[row], "poll_s": point.poll_s, "conditions": standing.get(point.id, []),
        }
        for point, row in zip(catalogue, rows, strict=True)
    ]  # fmt: skip
