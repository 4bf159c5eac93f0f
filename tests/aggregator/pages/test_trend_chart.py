"""The chart breaks its line where nothing is known, and marks what is no good value."""

from __future__ import annotations

from dataclasses import replace

from aggregator.history.service import Gap, LateSpan, Run, RunKind, SetPoint, Trend
from aggregator.pages.texts import Language, texts
from aggregator.pages.trend_chart import BEIJING_MS, Seen, options

TEXT = texts(Language.EN)
S = 1_000_000_000
TREND = Trend(
    "acme", "AT-1", "mg/m3", "", 0, 3, 0, 100 * S, 5,
    (
        Run(RunKind.GOOD, (10 * S, 20 * S), (0.1, 0.2), (0, 0), 30 * S),
        Run(RunKind.BAD, (30 * S,), (None,), (0x81,), 40 * S),
        Run(RunKind.UNCERTAIN, (40 * S,), (0.4,), (0x40,), 50 * S),
        Run(RunKind.GOOD, (90 * S,), (0.3,), (0,), 100 * S),
    ),
    (Gap(0, 10 * S, "silent"), Gap(50 * S, 90 * S, "evicted")),
    (SetPoint("h", 1.0, 0, 100 * S),),
    (LateSpan(10 * S, 20 * S),), 0,
)  # fmt: skip


def at(seconds: float) -> int:
    return int(seconds * 1000) + BEIJING_MS


def test_each_run_is_drawn_until_its_end_and_then_broken():
    good, uncertain, limit = options(TEXT, TREND, [])["series"]
    assert good["data"] == [
        [at(10), 0.1], [at(20), 0.2], [at(30), 0.2], [at(30), None], [at(90), 0.3], [at(100), 0.3], [at(100), None],
    ]  # fmt: skip
    assert uncertain["data"] == [[at(40), 0.4], [at(50), 0.4], [at(50), None]]
    assert limit["data"] == [[at(0), 1.0], [at(100), 1.0]]


def test_gaps_bad_values_and_late_ones_are_shaded_with_words():
    areas = options(TEXT, TREND, [])["series"][0]["markArea"]["data"]
    assert [(left["xAxis"], left["name"], right["xAxis"]) for left, right in areas] == [
        (at(0), "no data", at(10)), (at(50), "evicted for space", at(90)), (at(30), "? bad quality", at(40)),
        (at(10), "late", at(20)),
    ]  # fmt: skip


def test_live_values_follow_the_last_sample_and_a_doubtful_one_breaks_the_line():
    tail = [Seen(80 * S, 9.0, believed=True), Seen(95 * S, 0.5, believed=True), Seen(96 * S, 0.5, believed=False)]
    data = options(TEXT, TREND, tail)["series"][0]["data"]
    assert data[-3:] == [[at(90), 0.3], [at(95), 0.5], [at(96), None]]


def test_the_axis_holds_everything_and_no_concentration_is_below_nothing():
    axis = options(TEXT, TREND, [])["yAxis"]
    assert axis["min"] == 0
    assert axis["max"] >= 1.0
    high = replace(TREND, runs=(Run(RunKind.GOOD, (S, 2 * S), (100.4, 101.2), (0, 0), 3 * S),), set_points=())
    axis = options(TEXT, high, [])["yAxis"]
    assert 90 < axis["min"] <= 100.4
    assert axis["max"] >= 101.2


def test_a_trend_without_samples_is_a_chart_without_a_line():
    empty = replace(TREND, runs=(), set_points=(), gaps=(Gap(0, 100 * S, "silent"),))
    assert options(TEXT, empty, [])["series"][0]["data"] == []
