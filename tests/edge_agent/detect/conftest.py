"""A bench for one point beside its device: rows in seconds, findings as short tuples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from contract.batch import SampleBatch
from contract.points import Catalogue, Limits, PointRole, PointSpec
from contract.quality import Quality
from edge_agent.detect.engine import Engine, Transition

NS = 1_000_000_000
DEVICE, POINT = 1, 2


class Bench:
    """Point 2 of device 1, which is point 1. Neither goes stale nor faults unless a test says so."""

    def __init__(self, limits: Limits, point: PointSpec, device: PointSpec, start_s: float) -> None:
        self.engine = Engine(Catalogue(1, (device, replace(point, limits=limits))), round(start_s * NS))
        self.transitions: list[Transition] = []

    def sample(
        self, at_s: float, value: float, quality: int = Quality.GOOD, point: int = POINT
    ) -> list[tuple[str, int, int]]:
        batch = SampleBatch.zeros(1)
        batch.point[0], batch.mono_ns[0], batch.time_ns[0] = point, round(at_s * NS), round(at_s * NS) + 7
        batch.value[0], batch.quality[0] = value, quality
        return self._found(self.engine.judge(batch))

    def bad(
        self, at_s: float, quality: int = Quality.BAD_COMM_FAILURE, point: int = POINT
    ) -> list[tuple[str, int, int]]:
        return self.sample(at_s, np.nan, quality, point)

    def tick(self, at_s: float) -> list[tuple[str, int, int]]:
        return self._found(self.engine.tick(round(at_s * NS) + 7, round(at_s * NS)))

    def quality(self, point: int = POINT) -> int:
        return int(self.engine.quality()[self.engine.rows(np.array([point], np.int32))][0])

    def value(self) -> float:
        return float(self.engine.value()[self.engine.rows(np.array([POINT], np.int32))][0])

    def level(self, kind: str) -> int:
        return next((level for point, k, level in self.engine.conditions() if (point, k) == (POINT, kind)), 0)

    def _found(self, transitions: list[Transition]) -> list[tuple[str, int, int]]:
        self.transitions += transitions
        return [(t.kind.value, t.old_level, t.new_level) for t in transitions if t.point == POINT] + [
            (f"device {t.kind.value}", t.old_level, t.new_level) for t in transitions if t.point == DEVICE
        ]


MakeBench = Callable[..., Bench]


@pytest.fixture
def bench() -> MakeBench:
    def make(
        *,
        stale_s: float = 1e6,
        fault_on_delay_s: float = 1e6,
        fault_off_delay_s: float = 0.0,
        range_low: float = np.nan,
        range_high: float = np.nan,
        start_s: float = 0.0,
        **limits: float,
    ) -> Bench:
        point = PointSpec(
            POINT, "GT-1", "plant/tanks", "panel", stale_s=stale_s, fault_on_delay_s=fault_on_delay_s,
            fault_off_delay_s=fault_off_delay_s, range_low=range_low, range_high=range_high,
        )  # fmt: skip
        device = replace(point, id=DEVICE, tag="panel", role=PointRole.DEVICE, range_low=np.nan, range_high=np.nan)
        return Bench(Limits(**limits), point, device, start_s)

    return make
