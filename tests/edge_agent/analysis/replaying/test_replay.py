"""What was recorded gives the same events again, bit for bit, in batches of any size; holes and damage are told."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from contract.batch import SampleBatch
from contract.clock import NS_PER_S, SimulatedClock
from contract.errors import StoreError
from contract.points import Catalogue, Limits, PointRole, PointSpec, PointType
from contract.quality import Quality
from edge_agent.analysis.replaying.comparison import comparable, first_difference, line, read_line
from edge_agent.analysis.replaying.replay import Covered, Deviation, Judged, rebatched, replay
from edge_agent.detect.engine import Engine, Transition
from edge_agent.recording.reading import Segment, segments
from edge_agent.recording.recorder import Recorder, Whose

POINTS = (
    PointSpec(1, "plc", "E", "plc", role=PointRole.DEVICE, type=PointType.BIT, unit="state"),
    PointSpec(2, "AT-1", "E/S", "plc", unit="ppm", scale=0.1,
              limits=Limits(h=20.0, hh=40.0, deadband=1.0, on_delay_s=1.5, off_delay_s=2.0)),
    PointSpec(3, "PT-2", "E/S", "plc", type=PointType.FLOAT32, unit="ppm", limits=Limits(l=10.0, h=60.0)),
)  # fmt: skip
CATALOGUE = Catalogue(1, POINTS)
WHOSE = Whose("a", "000001-x", "test", "boot")
MIB = 1 << 20


class Site:
    """An engine that judges a walk of values, with a recorder beside it, as the pipeline has them."""

    def __init__(self, directory: Path, budget_bytes: int = 64 * MIB) -> None:
        self.clock = SimulatedClock()
        self.engine = Engine(CATALOGUE, self.clock.mono_ns())
        self.recorder = Recorder(directory, budget_bytes, WHOSE, self.clock)
        self.transitions: list[Transition] = []
        self.advice: list[Transition] = []
        self.recorder.begin(self.engine, CATALOGUE, "hash", "start")

    def live(self, seconds: int, seed: int = 1) -> None:
        random_ = random.Random(seed)
        for second in range(seconds):
            for _ in range(10):
                self.clock.tick(NS_PER_S // 10)
                self.transitions += self.engine.tick(self.clock.wall_ns(), self.clock.mono_ns())
                self.recorder.tick(self.clock.wall_ns(), self.clock.mono_ns())
            batch = SampleBatch.zeros(3)
            batch.point[:] = 1, 2, 3
            batch.time_ns[:], batch.mono_ns[:] = self.clock.wall_ns(), self.clock.mono_ns()
            raw = random_.randrange(600)
            batch.raw[:], batch.value[:] = (1, raw, 0), (1.0, raw * 0.1 + 0.0, random_.uniform(0.0, 80.0))
            if second == 250:
                batch.value[2] = 8000.0
            if random_.random() < 0.1:
                batch.quality[:], batch.value[:], batch.raw[:] = Quality.BAD_COMM_FAILURE, np.nan, 0
            self.transitions += self.engine.judge(batch)
            self.recorder.rows(batch)
            self.advice += self.engine.advise(batch)


def split(found: Sequence[Judged | Covered | Deviation]) -> tuple[list[Judged], list[Covered], list[Deviation]]:
    return (
        [each for each in found if isinstance(each, Judged)],
        [each for each in found if isinstance(each, Covered)],
        [each for each in found if isinstance(each, Deviation)],
    )


def told(judged: Sequence[Judged]) -> list[tuple[Any, ...]]:
    return [(each.data["tag"], each.data["kind"], each.data["level"], each.mono_ns, each.elapsed_ns) for each in judged]


@pytest.fixture
def recorded(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    site.live(300)
    site.recorder.close()
    return site


@pytest.mark.parametrize("rows_max", [None, 1, 2, 7, 1000, 1_000_000])
def test_a_recording_gives_what_was_judged_in_batches_of_any_size(recorded, tmp_path, rows_max):
    judged, covered, deviations = split(list(replay(segments(tmp_path), rows_max)))
    tags = {point.id: point.tag for point in POINTS}
    assert len(judged) > 100
    assert ("PT-2", "spike") in {(each.data["tag"], each.data["kind"]) for each in judged}
    assert told(judged) == [
        (tags[t.point], t.kind.value, t.new_level, t.mono_ns, t.elapsed_ns)
        for t in recorded.transitions + recorded.advice
    ]
    assert [each.rows for each in covered] == [300 * 13]
    assert deviations == []


def test_files_that_follow_each_other_are_one_stretch_and_their_states_fit(tmp_path, monkeypatch):
    site = in_a_file_per_block(tmp_path, monkeypatch, 5)
    pieces = segments(tmp_path)
    judged, covered, deviations = split(list(replay(pieces)))
    assert len(pieces) > 3
    assert [each.start.cause for each in pieces] == ["start"] + ["full"] * (len(pieces) - 1)
    assert len(covered) == 1
    assert deviations == []
    assert len(judged) == len(site.transitions) + len(site.advice)


def in_a_file_per_block(folder: Path, monkeypatch: pytest.MonkeyPatch, parts: int) -> Site:
    monkeypatch.setattr("edge_agent.recording.recorder.FILES_PER_BUDGET", MIB)  # 64 bytes each
    site = Site(folder)
    for part in range(parts):
        site.live(20, part)
        wait_for_writer(site)
    site.recorder.close()
    return site


def wait_for_writer(site: Site) -> None:
    while site.recorder._writer.waiting_rows:
        Event().wait(0.001)


def test_a_state_that_does_not_follow_from_the_rows_is_told(tmp_path, monkeypatch):
    in_a_file_per_block(tmp_path, monkeypatch, 3)
    pieces = segments(tmp_path)
    pieces[1].checkpoint.arrays["conditions"]["value"][1] += 1.0
    assert Deviation(1, ("conditions",)) in list(replay(pieces))


def test_the_oldest_files_go_when_the_budget_is_used_up_and_the_rest_can_be_replayed(tmp_path, monkeypatch):
    monkeypatch.setattr("edge_agent.recording.recorder.FILES_PER_BUDGET", 4)
    site = Site(tmp_path, budget_bytes=20_000)
    for part in range(40):
        site.live(20, part)
        wait_for_writer(site)
    site.recorder.close()
    pieces = segments(tmp_path)
    judged, covered, deviations = split(list(replay(pieces)))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 20_000
    assert pieces[0].start.number > 0
    assert deviations == []
    assert told(judged) == [
        told_of for told_of in told_transitions(site) if told_of[3] > covered[0].first_mono_ns
    ]  # fmt: skip


def told_transitions(site: Site) -> list[tuple[Any, ...]]:
    tags = {point.id: point.tag for point in POINTS}
    return [(tags[t.point], t.kind.value, t.new_level, t.mono_ns, t.elapsed_ns) for t in site.transitions]


def test_a_cut_file_reads_up_to_its_last_whole_block(recorded, tmp_path):
    (path,) = tmp_path.iterdir()
    whole = list(replay(segments(tmp_path)))
    path.write_bytes(path.read_bytes()[:-100])
    pieces = segments(tmp_path)
    judged, covered, _ = split(list(replay(pieces)))
    assert pieces[0].cut_bytes is not None
    assert pieces[0].cut_bytes > 0
    assert 0 < covered[0].rows < 3900
    assert judged == comparable(split(whole)[0], covered)


def test_a_damaged_block_ends_the_file_before_it(recorded, tmp_path):
    (path,) = tmp_path.iterdir()
    data = bytearray(path.read_bytes())
    data[-50] ^= 1
    path.write_bytes(bytes(data))
    piece = segments(tmp_path)[0]
    assert sum(len(batch) for batch in piece.blocks()) < 3900
    assert piece.cut_bytes


def test_a_disk_that_refuses_costs_the_recording_and_it_begins_anew_when_it_takes_again(tmp_path):
    place = tmp_path / "file"
    place.write_text("a file where the folder should be")
    site = Site(place)
    site.live(20)
    wait_for_writer(site)
    site.live(10)
    assert site.recorder._lost == "disk"
    place.unlink()
    site.live(80)
    site.recorder.close()
    pieces = segments(place)
    assert [each.start.cause for each in pieces] == ["disk"]
    judged, covered, _ = split(list(replay(pieces)))
    assert told(judged) == [each for each in told_transitions(site) if each[3] > covered[0].first_mono_ns]


def test_the_first_difference_is_found_and_lines_come_back(recorded, tmp_path):
    judged, covered, _ = split(list(replay(segments(tmp_path))))
    again = [read_line(line(each)) for each in judged]
    assert first_difference(judged, again) is None
    changed = [*again[:3], read_line(line(again[3]).replace('"level":', '"level":1')), *again[4:]]
    difference = first_difference(judged, changed)
    assert difference is not None
    assert (difference.place, difference.fields) == (4, ("level",))
    missing = first_difference(judged, again[:-1])
    assert missing is not None
    assert (missing.place, missing.reported) == (len(judged), None)
    assert comparable(judged, [Covered("other boot", 0, 2**62, 1)]) == []
    assert comparable(judged, covered) == judged


@pytest.mark.parametrize(("content", "words"), [(b"hello there", "is no recording"), (b"PKSR\x09", "another version")])
def test_what_is_no_recording_is_refused(tmp_path, content, words):
    (tmp_path / "x.pksr").write_bytes(content)
    with pytest.raises(StoreError, match=words):
        segments(tmp_path)


def test_rebatching_keeps_every_row_in_order():
    batches = [SampleBatch.zeros(n) for n in (0, 3, 1, 5)]
    for batch, first in zip(batches, (0, 0, 3, 4), strict=True):
        batch.raw[:] = np.arange(first, first + len(batch))
    cut = list(rebatched(batches, 4))
    assert [len(each) for each in cut] == [4, 4, 1]
    assert np.concatenate([each.raw for each in cut]).tolist() == list(range(9))


def test_a_file_without_a_beginning_is_left_out(recorded, tmp_path):
    (tmp_path / "000001-x-000001.pksr").write_bytes(b"PKSR\x01S")
    pieces: list[Segment] = segments(tmp_path)
    assert len(pieces) == 1


def test_what_a_person_changed_is_where_the_next_file_begins(tmp_path):
    site = Site(tmp_path)
    site.live(20)
    site.engine.set_inhibit(2, True)
    site.recorder.changed()
    site.live(100)
    site.recorder.close()
    judged, covered, deviations = split(list(replay(segments(tmp_path))))
    assert told(judged) == told_transitions(site)
    assert [each.data["inhibited"] for each in judged] == [each.inhibited for each in site.transitions]
    assert any(each.inhibited for each in site.transitions)
    assert (len(covered), deviations) == (2, [])
