"""A trend out of real chunks: every agent and store that read the point, gaps as gaps, quality apart, former tags."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.history import readings
from aggregator.history.service import TrendService
from aggregator.plant.points import PointBook
from contract.batch import SampleBatch
from contract.clock import NS_PER_S
from contract.points import Limits, PointSpec, PointType
from contract.wire.chunk import Chunk, decode_chunk, encode_chunk
from contract.wire.frames import DeclaredGap, TelemetryBatch

GAS = PointSpec(2, "AT-1", "acme/tank", "plc", scale=0.1, unit="mg/m3", limits=Limits(h=1.0), report_max_s=60)
FLOW = PointSpec(3, "FT-1", "acme/loading", "plc", type=PointType.FLOAT32)


@pytest.fixture
def trends(park, people) -> TrendService:
    return TrendService(park.folder, people, park.clock, PointBook())


class Recorder:
    """Makes chunks of one point; times are seconds before now."""

    def __init__(self, park) -> None:
        self.now_ns = park.clock.wall_ns()
        self.park = park

    def at(self, s_ago: float) -> int:
        return int(self.now_ns - round(s_ago * NS_PER_S))

    def chunk(self, spec: PointSpec, rows, version: int = 1, *, late: bool = False) -> bytes:
        """``rows``: (seconds ago, raw number or value, quality)."""
        batch = SampleBatch.zeros(len(rows))
        batch.point[:] = spec.id
        batch.time_ns[:] = [self.at(each[0]) for each in rows]
        batch.mono_ns[:] = batch.time_ns - batch.time_ns[0] + NS_PER_S
        if spec.type.is_integer:
            batch.raw[:] = [0 if math.isnan(each[1]) else each[1] for each in rows]
            batch.value[:] = np.nan
        else:
            batch.value[:] = [each[1] for each in rows]
        batch.quality[:] = [each[2] for each in rows]
        return encode_chunk(batch, version, "b" * 32, {spec.id: spec.type}, late=late)

    def send(self, agent, first: int, *chunks: bytes, gaps: tuple[DeclaredGap, ...] = ()) -> None:
        agent.send(TelemetryBatch(agent.epoch, first, gaps, chunks))
        count = f"SELECT 1 FROM chunks WHERE epoch = '{agent.epoch}' AND seq >= {first}"
        self.park.turn_until(lambda: len(self.park.rows(count)) >= len(chunks))

    def trend(self, trends, caller, s: float = 600, width: int = 100, tag: str = "AT-1"):
        return trends.trend(caller, "acme", tag, self.at(s), self.now_ns, width)


@pytest.fixture
def recorder(park) -> Recorder:
    return Recorder(park)


def drawn(trend, now_ns):
    """(kind, [(seconds ago, value)])"""
    return [
        (run.kind.value, [((now_ns - t) / NS_PER_S, v) for t, v in zip(run.time_ns, run.value, strict=True)])
        for run in trend.runs
    ]


def spans(found, now_ns):
    return [((now_ns - each.from_ns) / NS_PER_S, (now_ns - each.to_ns) / NS_PER_S) for each in found]


def test_samples_of_several_chunks_are_one_line_with_units_and_set_points(agent, trends, recorder, sign_in):
    agent.declare(GAS, FLOW)
    recorder.send(
        agent, 1,
        recorder.chunk(GAS, [(100, 1, 0), (60, 2, 0)]), recorder.chunk(FLOW, [(90, 5.5, 0)]),
        recorder.chunk(GAS, [(30, 15, 0), (10, 3, 0)]),
    )  # fmt: skip
    found = recorder.trend(trends, sign_in(), s=110)
    assert drawn(found, recorder.now_ns) == [("good", [(100, 0.1), (60, 0.2), (30, 1.5), (10, pytest.approx(0.3))])]
    assert found.runs[0].end_ns == recorder.now_ns
    assert (found.unit, found.samples) == ("mg/m3", 4)
    assert [(each.kind, each.value) for each in found.set_points] == [("h", 1.0)]
    assert [(each.from_ns, each.to_ns) for each in found.set_points] == [(found.from_ns, found.to_ns)]


def test_silence_is_a_gap_and_no_line(agent, trends, recorder, sign_in):
    agent.declare(GAS)
    recorder.send(agent, 1, recorder.chunk(GAS, [(300, 1, 0), (250, 1, 0)]), recorder.chunk(GAS, [(150, 2, 0)]))
    found = recorder.trend(trends, sign_in(), s=400)
    assert [[at for at, _ in samples] for _, samples in drawn(found, recorder.now_ns)] == [[300, 250], [150]]
    assert spans(found.gaps, recorder.now_ns) == [(400, 300), (250, 150), (150, 0)]
    assert {gap.cause for gap in found.gaps} == {"silent"}
    assert [recorder.now_ns - run.end_ns for run in found.runs] == [250 * NS_PER_S, 150 * NS_PER_S]


def test_a_declared_gap_breaks_the_line_however_short_it_is(agent, trends, recorder, sign_in):
    agent.declare(GAS)
    recorder.send(agent, 1, recorder.chunk(GAS, [(50, 1, 0), (40, 1, 0)]))
    recorder.send(agent, 2, recorder.chunk(GAS, [(30, 2, 0), (20, 2, 0)]), gaps=(DeclaredGap(2, 2, "evicted", b""),))
    found = recorder.trend(trends, sign_in(), s=50)
    assert [[at for at, _ in samples] for _, samples in drawn(found, recorder.now_ns)] == [[50, 40], [30, 20]]
    assert [(gap.cause, *span) for gap, span in zip(found.gaps, spans(found.gaps, recorder.now_ns), strict=True)] == [
        ("evicted", 40, 30)
    ]


def test_quality_is_kept_apart_and_a_bad_sample_has_no_number(agent, trends, recorder, sign_in):
    agent.declare(GAS)
    rows = [(50, 1, 0), (40, 2, 0x40), (30, math.nan, 0x81), (20, 3, 0)]
    recorder.send(agent, 1, recorder.chunk(GAS, rows))
    found = recorder.trend(trends, sign_in(), s=50)
    kinds = [("good", 0.1), ("uncertain", 0.2), ("bad", None), ("good", pytest.approx(0.3))]
    assert [(run.kind.value, run.value[0]) for run in found.runs] == kinds
    assert [(recorder.now_ns - run.end_ns) / NS_PER_S for run in found.runs] == [40, 30, 20, 0]


def test_what_held_at_the_left_edge_is_drawn_from_the_sample_before_it(agent, trends, recorder, sign_in):
    agent.declare(GAS)
    recorder.send(agent, 1, recorder.chunk(GAS, [(70, 7, 0), (20, 1, 0)]))
    found = recorder.trend(trends, sign_in(), s=40)
    assert [at for at, _ in drawn(found, recorder.now_ns)[0][1]] == [70, 20]
    assert (found.samples, found.gaps) == (1, ())


def test_a_peak_survives_any_width(agent, trends, recorder, sign_in):
    agent.declare(GAS)
    rows = [(500 - at / 4, 300 if at == 777 else at % 3, 0) for at in range(2000)]
    recorder.send(agent, 1, recorder.chunk(GAS, rows))
    found = recorder.trend(trends, sign_in(), s=500, width=10)
    values = [value for run in found.runs for value in run.value]
    assert max(values) == 30.0
    assert len(values) <= 50
    assert found.samples == 2000


def test_another_store_and_another_agent_continue_the_same_point(agent, make_agent, trends, recorder, sign_in):
    agent.declare(GAS)
    recorder.send(agent, 1, recorder.chunk(GAS, [(80, 1, 0)]))
    other = make_agent("spare")
    other.welcome()
    moved = replace(GAS, id=9, scale=1.0, limits=Limits(h=2.0))
    other.declare(moved)
    recorder.send(other, 1, recorder.chunk(moved, [(20, 4, 0)]))
    found = recorder.trend(trends, sign_in(), s=90)
    assert drawn(found, recorder.now_ns) == [("good", [(80, 0.1), (20, 4.0)])]
    assert [(each.value, *span) for each, span in zip(found.set_points, spans(found.set_points, recorder.now_ns), strict=True)] == [
        (1.0, 90, 20), (2.0, 20, 0)
    ]  # fmt: skip


def test_a_renamed_point_brings_its_history(agent, trends, recorder, sign_in):
    old = replace(GAS, tag="OLD-1")
    agent.declare(old)
    recorder.send(agent, 1, recorder.chunk(old, [(80, 1, 0)]))
    agent.catalogue = 2
    agent.declare(replace(GAS, was="OLD-1"))
    recorder.send(agent, 2, recorder.chunk(GAS, [(20, 2, 0)], version=2))
    assert drawn(recorder.trend(trends, sign_in(), s=90), recorder.now_ns) == [("good", [(80, 0.1), (20, 0.2)])]


def test_what_an_outage_held_back_is_marked(agent, trends, recorder, sign_in):
    agent.declare(GAS)
    recorder.send(agent, 1, recorder.chunk(GAS, [(80, 1, 0), (70, 1, 0)], late=True), recorder.chunk(GAS, [(20, 2, 0)]))
    assert spans(recorder.trend(trends, sign_in(), s=80).late, recorder.now_ns) == [(80, 70)]


def test_what_was_too_much_to_read_is_said_and_never_drawn_as_silence(agent, trends, recorder, sign_in, monkeypatch):
    monkeypatch.setattr(readings, "CHUNKS_MAX", 2)
    agent.declare(GAS)
    recorder.send(agent, 1, *(recorder.chunk(GAS, [(at, 1, 0)]) for at in (80, 60, 40, 20)))
    caller = sign_in()
    found = recorder.trend(trends, caller, s=90)
    assert [gap.cause for gap in found.gaps] == ["unread"]
    with pytest.raises(RefusedError) as refused:
        trends.samples(caller, "acme", "AT-1", recorder.at(90), recorder.now_ns)
    assert refused.value.code is RefusalCode.INVALID


def test_a_second_look_decodes_only_what_is_new(agent, trends, recorder, sign_in, monkeypatch):
    agent.declare(GAS)
    recorder.send(agent, 1, recorder.chunk(GAS, [(80, 1, 0)]))
    caller, decoded = sign_in(), []

    def decode_and_count(data: bytes) -> Chunk:
        decoded.append(data)
        return decode_chunk(data)

    monkeypatch.setattr(readings, "decode_chunk", decode_and_count)
    first = recorder.trend(trends, caller)
    recorder.send(agent, 2, recorder.chunk(GAS, [(20, 1, 0)]))
    second = recorder.trend(trends, caller)
    assert (len(first.runs[0].time_ns), len(second.runs[0].time_ns), len(decoded)) == (1, 2, 2)


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"width": 5}, "width"), ({"width": 5000}, "width"), ({"to_ns": 1}, "to"), ({"from_ns": 1}, "from")],
)
def test_work_is_bounded_by_what_is_asked(agent, trends, recorder, sign_in, changed, field):
    agent.declare(GAS)
    asked = {"from_ns": recorder.at(60), "to_ns": recorder.now_ns, "width": 100} | changed
    with pytest.raises(RefusedError) as refused:
        trends.trend(sign_in(), "acme", "AT-1", **asked)
    assert (refused.value.code, refused.value.params["field"]) == (RefusalCode.INVALID, field)


def test_a_point_outside_the_scope_is_unknown(agent, trends, recorder, sign_in):
    agent.declare(GAS, FLOW)
    with pytest.raises(RefusedError) as refused:
        recorder.trend(trends, sign_in(scope="acme/tank"), tag="FT-1")
    assert refused.value.code is RefusalCode.UNKNOWN
