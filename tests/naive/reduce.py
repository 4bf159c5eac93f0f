"""Report by exception, one sample at a time: the slow twin of edge_agent.outbox.reduce."""

from __future__ import annotations

import math

from contract.points import PointSpec


class NaiveReducer:
    def __init__(self, points: list[PointSpec]) -> None:
        self.points = {point.id: point for point in points}
        self.last: dict[int, tuple[float, int, int, int]] = {}

    def keep(self, point: int, mono_ns: int, value: float, quality: int, raw: int) -> bool:
        spec = self.points.get(point)
        if spec is None:
            return False
        kept = point not in self.last or self._differs(spec, mono_ns, value, quality, raw)
        if kept:
            self.last[point] = (value, quality, mono_ns, raw)
        return kept

    def _differs(self, spec: PointSpec, mono_ns: int, value: float, quality: int, raw: int) -> bool:
        last_value, last_quality, last_mono_ns, last_raw = self.last[spec.id]
        if spec.report_deadband is None or quality != last_quality:
            return True
        if mono_ns - last_mono_ns >= round(spec.report_max_s * 1e9):
            return True
        if spec.report_deadband == 0 and raw != last_raw:
            return True
        if math.isnan(value) or math.isnan(last_value):
            return math.isnan(value) != math.isnan(last_value)
        return value != last_value and not abs(value - last_value) <= spec.report_deadband
