"""What an agent says of its points: values without NaN, honest ages, what stands."""

from __future__ import annotations

import json
import math

import numpy as np

from contract.batch import SampleBatch
from contract.clock import NS_PER_S
from contract.points import Catalogue, ConditionKind, Limits, PointRole, PointSpec, PointType
from contract.quality import Quality
from edge_agent.detect.engine import Engine
from edge_agent.telling import points_now

CATALOGUE = Catalogue(
    1,
    (
        PointSpec(3, "AT-1", "acme/store", "plc1", unit="ppm", limits=Limits(h=25.0), description="氯 / chlorine"),
        PointSpec(5, "AT-2", "acme/store", "plc1", unit="ppm", poll_s=2.0),
        PointSpec(9, "plc1", "acme", "plc1", role=PointRole.DEVICE, type=PointType.BIT, unit="state"),
    ),
)


def now(engine: Engine, time_ns: int, mono_ns: int) -> dict[str, dict[str, object]]:
    times = np.full(len(CATALOGUE), time_ns, np.int64)
    points = points_now(CATALOGUE, engine, times, mono_ns)
    assert [each["tag"] for each in points] == ["AT-1", "AT-2", "plc1"]
    json.dumps(points, allow_nan=False)
    return {each["tag"]: each for each in points}


def sample(point: int, value: float, quality: Quality, mono_ns: int) -> SampleBatch:
    batch = SampleBatch.zeros(1)
    batch.point[:], batch.value[:], batch.quality[:], batch.mono_ns[:] = point, value, quality, mono_ns
    return batch


def test_a_point_that_was_never_read_has_no_value_and_no_age():
    engine = Engine(CATALOGUE, 100)
    engine.tick(0, 100 + NS_PER_S)
    told = now(engine, 0, 100 + NS_PER_S)["AT-2"]
    assert (told["value"], told["quality"], told["age_s"], told["time_ns"]) == (None, "BAD_NEVER_READ", None, 0)
    assert (told["unit"], told["poll_s"], told["device"], told["org"]) == ("ppm", 2.0, "plc1", "acme/store")


def test_a_point_is_told_with_what_stands_and_since_when_its_device_confirmed_it():
    engine = Engine(CATALOGUE, 0)
    engine.judge(sample(3, 30.0, Quality.GOOD, NS_PER_S))
    told = now(engine, 77, 2 * NS_PER_S)["AT-1"]
    assert (told["value"], told["quality"], told["age_s"], told["time_ns"]) == (30.0, "GOOD", 1.0, 77)
    assert told["conditions"] == [{"kind": ConditionKind.HIGH, "level": 1}]
    assert told["description"] == "氯 / chlorine"


def test_what_is_bad_is_no_value_and_keeps_what_stands():
    engine = Engine(CATALOGUE, 0)
    engine.judge(sample(3, 30.0, Quality.GOOD, NS_PER_S))
    engine.judge(sample(3, math.nan, Quality.BAD_COMM_FAILURE, 2 * NS_PER_S))
    told = now(engine, 77, 3 * NS_PER_S)["AT-1"]
    assert (told["value"], told["quality"], told["age_s"]) == (None, "BAD_COMM_FAILURE", 2.0)
    assert told["conditions"] == [{"kind": ConditionKind.HIGH, "level": 1}]
