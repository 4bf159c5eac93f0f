"""Delays go on over a restart from the state that was kept; one that does not fit is told, and nothing of it is used."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import structlog

from contract.batch import SampleBatch
from contract.clock import NS_PER_S, SimulatedClock
from contract.points import Catalogue, ConditionKind, Limits, PointSpec
from contract.quality import Quality
from edge_agent.detect import checkpoint
from edge_agent.detect.engine import Engine, Transition
from edge_agent.recording.last_state import SAVE_PERIOD_NS, STATE_FILE, LastState

POINT = PointSpec(
    2, "AT-1", "E/S", "plc", unit="ppm", stale_s=5.0, frozen_s=100.0, fault_on_delay_s=3.0,
    limits=Limits(h=20.0, hh=40.0, deadband=1.0, on_delay_s=30.0, off_delay_s=20.0),
)  # fmt: skip
CATALOGUE = Catalogue(1, (POINT,))
BOTH = (ConditionKind.HIGH, 1), (ConditionKind.HIGH, 0)


class Run:
    """One run of the detectors, a sample a second; ``clock`` goes on over all runs."""

    def __init__(
        self, directory: Path, clock: SimulatedClock, catalogue: Catalogue = CATALOGUE, level: int = 0
    ) -> None:
        self.clock, self.catalogue = clock, catalogue
        self.engine = Engine(catalogue, clock.mono_ns())
        self.engine.restore([(2, ConditionKind.HIGH, level)] if level else [])
        self.state = LastState(directory, clock)
        self.state.resume(self.engine, catalogue)

    def read(self, seconds: int, value: float | None = 25.0) -> list[Transition]:
        """Without a value there are ticks alone."""
        found = []
        for second in range(seconds):
            self.clock.tick(NS_PER_S)
            batch = SampleBatch.tick(self.clock.wall_ns(), self.clock.mono_ns())
            if value is not None:
                batch.point[:], batch.quality[:], batch.value[:] = 2, Quality.GOOD, value + second % 2
            found += self.engine.judge(batch)
        return found

    def stop(self) -> None:
        asyncio.run(self.state.save(self.engine, self.catalogue))


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock()


def test_a_delay_goes_on_where_it_stood_and_the_time_between_does_not_count(tmp_path, clock):
    first = Run(tmp_path, clock)
    assert first.state.told == "fresh: none was kept"
    first.read(21)
    first.stop()
    clock.tick(3600 * NS_PER_S)
    second = Run(tmp_path, clock)
    assert second.state.told.startswith("resumed: kept 3600 s before")
    assert second.read(10) == []
    (raised,) = second.read(1)
    assert (raised.kind, raised.new_level, raised.elapsed_ns) == (ConditionKind.HIGH, 1, 30 * NS_PER_S)


def test_a_delay_towards_clearing_goes_on_too(tmp_path, clock):
    first = Run(tmp_path, clock, level=1)
    first.read(16, 5.0)
    first.stop()
    second = Run(tmp_path, clock, level=1)
    assert second.read(5, 5.0) == []
    (cleared,) = second.read(1, 5.0)
    assert (cleared.new_level, cleared.elapsed_ns) == (0, 20 * NS_PER_S)


def test_what_has_gone_back_below_meanwhile_is_not_raised(tmp_path, clock):
    first = Run(tmp_path, clock)
    first.read(29)
    first.stop()
    second = Run(tmp_path, clock)
    assert second.read(5, 5.0) == []
    assert second.read(30) == []
    assert [each.new_level for each in second.read(1)] == [1]


def test_a_level_that_the_store_knows_better_stands_and_its_delays_begin_anew(tmp_path, clock):
    first = Run(tmp_path, clock)
    first.read(25)
    first.stop()
    second = Run(tmp_path, clock, level=1)  # it rose after the state was kept, and the process was killed
    assert second.engine.conditions() == [(2, ConditionKind.HIGH, 1)]
    assert second.engine._state["high_timer_1_ns"].tolist() == [0]
    assert second.read(40) == []


def test_nothing_counts_as_read_before_it_is_read_and_a_point_that_stays_silent_is_a_fault(tmp_path, clock):
    first = Run(tmp_path, clock)
    first.read(3)
    first.stop()
    second = Run(tmp_path, clock)
    assert second.engine.quality().tolist() == [Quality.BAD_NEVER_READ]
    assert np.isnan(second.engine.value()).all()
    assert not second.engine.is_scanned().any()
    found = second.read(10, None)
    assert [(each.kind, each.mono_ns - clock.mono_ns()) for each in found] == [(ConditionKind.FAULT, -NS_PER_S)]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda data: data[:-1] + bytes((data[-1] ^ 1,)), "damaged"),
        (lambda data: data[:20], "damaged"),
        (lambda _data: b"", "damaged"),
        (lambda data: b"PKSD\x09" + data[5:], "another version"),
    ],
)
def test_a_file_that_is_damaged_or_of_another_version_is_told_and_not_used(tmp_path, clock, spoil, reason):
    first = Run(tmp_path, clock)
    first.read(29)
    first.stop()
    path = tmp_path / STATE_FILE
    path.write_bytes(spoil(path.read_bytes()))
    with structlog.testing.capture_logs() as logs:
        second = Run(tmp_path, clock)
    assert [each["event"] for each in logs] == ["detectors_start_fresh"]
    assert reason in second.state.told
    assert second.read(20) == []


def test_the_state_of_points_that_were_set_otherwise_is_not_used(tmp_path, clock):
    first = Run(tmp_path, clock)
    first.read(29)
    first.stop()
    lower = Catalogue(2, (replace(POINT, limits=replace(POINT.limits, h=10.0)),))
    second = Run(tmp_path, clock, lower)
    assert second.state.told == "fresh: the points or their settings have changed"
    assert second.read(20) == []


def test_the_state_of_other_detectors_is_not_used(tmp_path, clock, monkeypatch):
    first = Run(tmp_path, clock)
    first.read(29)
    first.stop()
    layout = np.dtype([*checkpoint.LAYOUTS["conditions"].descr, ("more", "f8")])
    monkeypatch.setitem(checkpoint.LAYOUTS, "conditions", layout)
    assert "another version of the detectors" in Run(tmp_path, clock).state.told


def test_a_disk_that_refuses_is_told_once_and_tried_again(tmp_path, clock):
    place = tmp_path / "gone"
    run = Run(place, clock)
    with structlog.testing.capture_logs() as logs:
        run.stop()
        run.stop()
    assert [each["event"] for each in logs] == ["detector_state_not_kept"]
    place.mkdir()
    run.stop()
    assert Run(place, clock).state.told.startswith("resumed")


def test_it_is_kept_each_minute_without_a_stop(tmp_path, clock):
    run = Run(tmp_path, clock)

    async def minutes() -> None:
        task = asyncio.create_task(run.state.keep(lambda: (run.engine, CATALOGUE)))
        async with asyncio.timeout(10):
            for _ in range(2):
                while not (tmp_path / STATE_FILE).exists():
                    await clock.advance(SAVE_PERIOD_NS // 10)
                    await asyncio.sleep(0.001)
                (tmp_path / STATE_FILE).unlink()
        task.cancel()

    begun_ns = clock.mono_ns()
    asyncio.run(minutes())
    assert clock.mono_ns() - begun_ns >= 2 * SAVE_PERIOD_NS
