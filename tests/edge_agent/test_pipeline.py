"""The whole way of a sample through the agent, with real stores: what is judged, recorded, kept and shown."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from contract.batch import Said, SampleBatch
from contract.clock import NS_PER_S, SimulatedClock
from contract.events import ClockState, ConditionData, DecodedEvent, EventType, decode_event
from contract.ids import AgentName
from contract.points import ConditionClass, ConditionKind, Limits, PointRole, PointSpec, PointType
from contract.quality import Quality
from contract.wire.chunk import decode_chunk
from edge_agent.detect.changes import CHANGES_MAX
from edge_agent.detect.engine import Engine
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.reduce import Reducer
from edge_agent.outbox.rows import OutboxSettings
from edge_agent.outbox.telemetry_store import TelemetryStore
from edge_agent.pipeline import Pipeline
from edge_agent.reporting import Reporter
from edge_agent.uplink.live import LiveTable

AGENT = AgentName("store-1")
POINTS = (
    PointSpec(0, "plc1", "E", "plc1", role=PointRole.DEVICE, type=PointType.BIT, unit="state", fault_on_delay_s=1.0),
    PointSpec(0, "AT-101", "E/S", "plc1", unit="ppm", scale=0.1,
              limits=Limits(h=25.0, hh=50.0, deadband=1.0, off_delay_s=2.0)),
    PointSpec(0, "AT-102", "E/T", "plc1", type=PointType.FLOAT32, unit="ppm", range_low=0.0, range_high=100.0),
)  # fmt: skip


class Agent:
    """The parts that ``app`` puts together, with time in the test's hand."""

    def __init__(self, directory: Path, clock: SimulatedClock) -> None:
        self.clock = clock
        settings = OutboxSettings()
        self.events = EventStore.open(directory, AGENT, settings, clock, "boot", None)
        self.catalogue = self.events.catalogue(POINTS)
        self.events.set_origin("test", "hash", self.catalogue.version)
        self.telemetry = TelemetryStore.open(directory, self.events, settings, clock, None)
        self.telemetry.set_catalogue(self.catalogue)
        self.engine = Engine(self.catalogue, clock.mono_ns())
        _, standing = self.events.conditions()
        ids = {point.tag: point.id for point in self.catalogue}
        self.engine.restore([(ids[each.tag], each.kind, each.level) for each in standing])
        self.live = LiveTable(self.engine, 1, clock, lambda: self.events.epoch, dict)
        self.pipeline = Pipeline(
            self.engine,
            Reporter(
                self.catalogue, AGENT, self.events.boot_id, lambda: ClockState(synchronised=True, error_ns=1), standing
            ),
            Reducer(self.catalogue), self.events, self.telemetry, self.live,
        )  # fmt: skip

    def id(self, tag: str) -> int:
        return next(point.id for point in self.catalogue if point.tag == tag)

    def feed(self, tag: str, value: float, quality: Quality = Quality.GOOD, after_s: float = 1.0) -> None:
        """One second later the device answers."""
        self.clock.tick(round(after_s * NS_PER_S))
        batch = SampleBatch.zeros(2)
        batch.point[:] = self.id("plc1"), self.id(tag)
        batch.time_ns[:], batch.mono_ns[:] = self.clock.wall_ns(), self.clock.mono_ns()
        batch.value[:], batch.raw[:] = (1.0, value), (1, 0 if math.isnan(value) else round(value * 10))
        batch.quality[:] = Quality.GOOD, quality
        self.pipeline.accept(batch)

    def hear(self, what: str | int, quality: Quality = Quality.GOOD, after_s: float = 1.0) -> None:
        """One second later the device says something beside its numbers."""
        self.clock.tick(round(after_s * NS_PER_S))
        said = Said(self.id("AT-101"), self.clock.wall_ns(), self.clock.mono_ns(), quality, what)
        self.pipeline.accept(replace(SampleBatch.empty(), said=(said,)))

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.clock.tick(NS_PER_S // 10)
            self.pipeline.tick(self.clock.wall_ns(), self.clock.mono_ns())

    def recorded(self) -> list[DecodedEvent]:
        async def read() -> list[DecodedEvent]:
            await self.events.flush()
            rows = await self.events.read(0, 1000, 10**6)
            return [decode_event(record.open) for record in rows.records] if rows else []

        return asyncio.run(read())

    def conditions(self) -> list[ConditionData]:
        return [condition for event in self.recorded() if (condition := event.condition) is not None]

    def close(self) -> None:
        async def both() -> None:
            await self.telemetry.close()
            await self.events.close()

        asyncio.run(both())


@pytest.fixture
def new_agent(tmp_path: Path, clock: SimulatedClock) -> Iterator[Callable[[], Agent]]:
    made: list[Agent] = []

    def make() -> Agent:
        made.append(Agent(tmp_path / "data", clock))
        return made[-1]

    yield make
    made[-1].close()


def test_a_crossed_set_point_is_an_event_with_everything_that_explains_it(new_agent):
    agent = new_agent()
    agent.feed("AT-101", 10.0)
    agent.feed("AT-101", 30.0)
    (event,) = agent.recorded()
    assert event.event.type is EventType.CONDITION_ON
    assert event.event.org == "E/S"
    assert event.event.stamp.mono_ns == agent.clock.mono_ns()
    condition = event.condition
    assert condition is not None
    assert (condition.tag, condition.kind, condition.level, condition.previous_level) == (
        "AT-101", ConditionKind.HIGH, 1, 0
    )  # fmt: skip
    assert (condition.value, condition.raw, condition.setpoint, condition.deadband) == (30.0, 300, 25.0, 1.0)
    assert condition.condition_class is ConditionClass.SAFETY
    assert condition.activation.seq == event.message.seq


def test_one_activation_runs_through_all_levels_until_it_clears(new_agent):
    agent = new_agent()
    for value in (10.0, 30.0, 60.0, 30.0, 30.0, 30.0, 10.0, 10.0, 10.0):
        agent.feed("AT-101", value)
    found = agent.conditions()
    assert [(each.previous_level, each.level) for each in found] == [(0, 1), (1, 2), (2, 1), (1, 0)]
    assert {each.activation.seq for each in found} == {1}
    assert {each.on_time_ns for each in found} == {found[0].on_time_ns}
    assert agent.events.conditions() == (4, ())


def test_a_restart_goes_on_with_the_condition_and_its_activation(new_agent):
    first = new_agent()
    first.feed("AT-101", 30.0)
    assert len(first.conditions()) == 1
    first.close()
    second = new_agent()
    second.feed("AT-101", 30.0)
    assert len(second.conditions()) == 1, "it is still on: no second activation"
    for _ in range(4):
        second.feed("AT-101", 5.0)
    assert [(each.level, each.activation.seq) for each in second.conditions()] == [(1, 1), (0, 1)]


def test_a_silent_device_is_one_fault_and_its_points_go_bad_in_the_trend(new_agent):
    agent = new_agent()
    agent.feed("AT-101", 10.0)
    agent.feed("AT-102", 10.0)
    agent.wait(30.0)
    assert [(each.tag, each.kind, each.level) for each in agent.conditions()] == [("plc1", ConditionKind.FAULT, 1)]
    agent.telemetry.flush_source("E/S")
    agent.telemetry.flush_source("E/T")
    agent.close()
    again = new_agent()
    last = _last_samples(again)
    assert {tag: Quality(quality) for tag, (_, quality) in last.items()} == {
        "plc1": Quality.BAD_STALE, "AT-101": Quality.BAD_STALE, "AT-102": Quality.BAD_STALE
    }  # fmt: skip
    assert all(math.isnan(value) for value, _ in last.values())


def test_bad_quality_holds_a_condition(new_agent):
    agent = new_agent()
    agent.feed("AT-101", 30.0)
    for _ in range(5):
        agent.feed("AT-101", math.nan, Quality.BAD_COMM_FAILURE)
    assert agent.conditions()[-1].kind is ConditionKind.FAULT
    standing = {(each.tag, each.kind): each.level for each in agent.events.conditions()[1]}
    assert standing["AT-101", ConditionKind.HIGH] == 1


def test_the_judged_quality_is_what_is_kept_and_shown(new_agent):
    agent = new_agent()
    agent.feed("AT-102", 120.0)
    live = agent.live.changed_since_last("park")
    place = np.frombuffer(live.point, "<i4").tolist().index(agent.id("AT-102"))
    assert live.quality[place] == Quality.UNCERTAIN_OUT_OF_RANGE
    agent.close()
    assert _last_samples(new_agent())["AT-102"] == (120.0, Quality.UNCERTAIN_OUT_OF_RANGE)


def test_an_event_flushes_the_trend_of_its_source(new_agent):
    agent = new_agent()
    agent.feed("AT-102", 1.0)
    agent.feed("AT-101", 1.0)
    agent.feed("AT-101", 30.0)
    agent.wait(0.2)
    deadline = 200
    while agent.telemetry.head().seq == 0 and deadline:
        asyncio.run(asyncio.sleep(0.01))
        deadline -= 1
    batches = [decode_chunk(data).batch for data in _chunks(agent)]
    assert {int(point) for batch in batches for point in batch.point} == {agent.id("AT-101")}
    assert batches[-1].raw[-1] == 300


def _chunks(agent: Agent) -> tuple[bytes, ...]:
    rows = asyncio.run(agent.telemetry.read(0, 1000, 10**7))
    return rows.chunks if rows else ()


def _last_samples(agent: Agent) -> dict[str, tuple[float, int]]:
    tags = {point.id: point for point in agent.catalogue}
    last: dict[str, tuple[float, int]] = {}
    for data in _chunks(agent):
        batch = decode_chunk(data).batch
        for row in range(len(batch)):
            last[tags[int(batch.point[row])].tag] = (float(batch.value[row]), int(batch.quality[row]))
    return last


def test_a_changed_text_is_an_event_with_what_it_was(new_agent):
    agent = new_agent()
    for text in ("LOT-1", "LOT-1", 'LOT-2\n"氯"'):
        agent.hear(text)
    first, second = agent.recorded()
    assert {first.event.type, second.event.type} == {EventType.TEXT_CHANGE}
    assert second.event.org == "E/S"
    assert second.event.stamp.mono_ns == agent.clock.mono_ns()
    assert second.condition is None
    assert (first.event.data["text"], first.event.data["former_text"]) == ("LOT-1", None)
    assert second.event.data == {
        "tag": "AT-101", "org": "E/S", "text": 'LOT-2\n"氯"', "former_text": "LOT-1", "quality": 0, "left_out": 0
    }  # fmt: skip


def test_a_changed_status_is_an_event_with_both_codes_though_the_quality_stays(new_agent):
    agent = new_agent()
    for status in (0, 0x8000_0000, 0x803C_0000):
        agent.hear(status, Quality.BAD if status else Quality.GOOD)
    codes = [
        (each.event.type, each.event.data["former_status"], each.event.data["status"]) for each in agent.recorded()
    ]
    assert codes == [
        (EventType.STATUS_CHANGE, 0, 0x8000_0000), (EventType.STATUS_CHANGE, 0x8000_0000, 0x803C_0000)
    ]  # fmt: skip


def test_a_text_that_flapped_is_told_when_a_minute_has_passed_though_nobody_speaks_any_more(new_agent):
    agent = new_agent()
    for number in range(20):
        agent.hear(f"LOT-{number}", after_s=0.1)
    assert len(agent.recorded()) == CHANGES_MAX
    agent.wait(61)
    last = agent.recorded()[-1].event
    assert (last.data["text"], last.data["former_text"], last.data["left_out"]) == ("LOT-19", "LOT-5", 13)
