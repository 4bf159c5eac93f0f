"""One point's way through a loop check."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.points import Limits, PointSpec, PointType
from edge_agent.commissioning.loopcheck.check import People, PointCheck, Rules, Stage, alarm_at, line
from edge_agent.commissioning.loopcheck.record import Result, of_json
from edge_agent.commissioning.loopcheck.settling import Seen, Settling
from edge_agent.settings.model import OpenItem

GAS = PointSpec(
    1, "AT-1", "plant/store", "plc", type=PointType.UINT16, unit="ppm", range_low=0, range_high=100, poll_s=0.5,
    limits=Limits(h=25, hh=60, on_delay_s=3),
)  # fmt: skip
FLOW = PointSpec(2, "FT-1", "plant/store", "plc", type=PointType.FLOAT32, unit="m3/h")
RUNS = PointSpec(3, "XS-1", "plant/store", "plc", type=PointType.BIT, unit="state")
RULES = Rules(tolerance_pct=1, settle_s=5, wait_s=60)


class Bench:
    """A check with a clock; ``hold`` shows a value for some seconds, confirmed twice a second."""

    def __init__(self, point=GAS, unaccepted=()):
        self.check = PointCheck(point, RULES, People("Li", "Chen"), unaccepted)
        self.now_s = 100.0

    def say(self, text):
        return self.check.answer(text, self.now_s)

    def hold(self, value, seconds, quality="GOOD", conditions=(), fresh=True):
        confirmed_s = self.now_s
        for _ in range(round(seconds * 2)):
            self.now_s += 0.5
            confirmed_s = self.now_s if fresh else confirmed_s
            seen = Seen(value, quality, confirmed_s, conditions)
            if shot := self.check.see(seen, self.now_s, 7):
                return shot
        return None


@pytest.fixture
def bench():
    return Bench()


def test_three_references_within_tolerance_pass(bench):
    for seen, conditions in ((0.4, ()), (50.2, (("high", 1),)), (99.5, (("high", 2),))):
        assert bench.say("") == ""
        assert bench.hold(seen, 30, conditions=conditions).passed
    assert bench.check.default == "d"
    bench.say("")
    bench.say("span gas 51 ppm")
    record = bench.check.record(8)
    assert (record.result, record.by, record.witness, record.remarks) == (
        Result.PASSED,
        "Li",
        "Chen",
        "span gas 51 ppm",
    )
    assert [shot.expected for shot in record.shots] == [0, 50, 100]
    assert of_json(record.to_json()) == record


@pytest.mark.parametrize(("seen", "passed"), [(51.0, True), (51.01, False), (49.0, True), (48.99, False)])
def test_the_edge_of_the_tolerance_is_inside(bench, seen, passed):
    bench.say("50%")
    assert bench.hold(seen, 30, conditions=(("high", 1),)).passed is passed


def test_what_a_manual_leaves_open_must_be_accepted_before_its_point_passes():
    item = OpenItem("plc", "some_model", "order", "In which order?", ("ABCD", "CDAB"), "ABCD", "try it", ("AT-1",))
    bench = Bench(unaccepted=[item])
    bench.say("0")
    assert bench.hold(0.1, 30, quality="UNCERTAIN").passed
    assert "edge-agent accept DIR plc order CHOICE" in bench.say("d")
    assert bench.check.stage is Stage.REFERENCE
    bench.say("s its order is not accepted")
    bench.say("")
    assert bench.check.record(0).result is Result.SKIPPED


def test_one_bad_reference_fails_the_point(bench):
    bench.say("0")
    assert not bench.hold(5, 30).passed
    assert bench.say("d") == "1 of 1 references failed"
    bench.say("")
    assert bench.check.record(0).result is Result.FAILED


def test_an_alarm_that_must_come_and_does_not_fails_the_reference(bench):
    bench.say("60")
    shot = bench.hold(60, 60)
    assert (shot.alarm_expected, shot.alarm_seen, shot.passed) == ("high 2", "", False)


def test_it_waits_for_the_delay_of_the_alarm(bench):
    bench.say("30")
    assert bench.hold(30, 7) is None
    shot = bench.hold(30, 1, conditions=(("high", 1),))
    assert shot.passed
    assert shot.alarm_seen == "high 1"


def test_what_a_silent_device_showed_is_no_proof(bench):
    bench.say("50")
    assert bench.hold(50, 120, fresh=False, conditions=(("high", 1),)) is None
    assert bench.check.is_too_late(bench.now_s)
    bench.check.give_up()
    assert bench.check.shots == []


def test_bad_and_moving_readings_never_stand_still(bench):
    bench.say("10")
    assert bench.hold(10, 60, quality="BAD_SENSOR_FAILURE") is None
    for step in range(60):
        assert bench.hold(10 + step % 2, 0.5) is None


def test_a_break_in_between_begins_anew():
    settling = Settling(applied_s=0, window_s=2, spread_max=1)
    for moment, quality in ((1, "GOOD"), (2, "GOOD"), (3, "BAD_COMM_FAILURE"), (4, "GOOD"), (5, "GOOD")):
        settling.take(Seen(5.0, quality, moment))
    assert settling.mean is None
    settling.take(Seen(5.0, "GOOD", 6))
    assert settling.mean == 5


def test_a_reading_before_the_reference_does_not_count():
    settling = Settling(applied_s=10, window_s=1, spread_max=1)
    for moment in (8, 9, 10):
        settling.take(Seen(5.0, "GOOD", moment))
    assert settling.mean is None


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60), st.floats(0.1, 5), st.floats(0, 10))
def test_whatever_is_called_still_lies_within_the_spread(values, window_s, spread):
    settling, known = Settling(0, window_s, spread), []
    for moment, value in enumerate(values, 1):
        settling.take(Seen(value, "GOOD", moment * 0.25))
        known.append(value)
        if (mean := settling.mean) is not None:
            assert len(known) * 0.25 >= window_s
            latest = known[-max(3, int(window_s / 0.25)) :]
            assert max(latest) - min(latest) <= spread
            assert min(latest) - 1e-6 <= mean <= max(latest) + 1e-6


def test_failing_and_skipping_want_a_reason(bench):
    assert bench.say("f") == "say why: f REASON"
    assert bench.say("s  ") == "say why: s REASON"
    assert bench.say("s sensor is out for repair") == ""
    assert bench.check.stage is Stage.REMARKS
    bench.say("")
    assert bench.check.record(0).reason == "sensor is out for repair"


def test_a_point_without_any_reference_cannot_be_passed(bench):
    assert "nothing was applied" in bench.say("d")
    assert bench.check.stage is Stage.REFERENCE


def test_a_reference_can_be_taken_back(bench):
    assert "nothing to take back" in bench.say("u")
    bench.say("0")
    bench.hold(9, 30)
    assert bench.say("u") == "took back the reference 0"
    assert bench.check.shots == []


@pytest.mark.parametrize("text", ["abc", "5 ppm", "nan", "1e5", "5 %%"])
def test_what_is_no_reference_changes_nothing(bench, text):
    assert "is no reference" in bench.say(text)
    assert bench.check.stage is Stage.REFERENCE


@pytest.mark.parametrize("text", ["9999", "-11", "111 %"])
def test_a_reference_far_outside_the_range_is_applied_only_when_it_is_typed_twice(bench, text):
    assert "is far outside the range 0 to 100; type it again" in bench.say(text)
    assert "type it again" in bench.say("500"), "another one is doubted anew"
    assert "type it again" in bench.say(text)
    assert bench.say(text) == ""
    assert bench.check.stage is Stage.SETTLING


@pytest.mark.parametrize("text", ["-10", "110 %", "105"])
def test_a_little_over_range_is_applied_at_once(bench, text):
    assert bench.say(text) == ""
    assert bench.check.stage is Stage.SETTLING


def test_without_a_range_values_only_and_not_zero():
    bench = Bench(FLOW)
    assert bench.check.default == ""
    assert "has no range" in bench.say("50 %")
    assert "cannot be 0" in bench.say("0")
    assert bench.say("") == "give a reference in the point's unit"
    bench.say("200")
    shot = bench.hold(201, 30)
    assert shot.passed
    assert shot.deviation_pct == pytest.approx(0.5)


def test_a_bit_has_two_references_and_no_tolerance_between_them():
    bench = Bench(RUNS)
    bench.say("")
    assert bench.hold(0, 30).passed
    bench.say("")
    assert bench.check.expected == 1
    assert not bench.hold(0, 30).passed
    assert bench.check.default == "d"


@given(st.floats(-200, 200))
def test_the_alarm_at_a_value_is_the_highest_whose_set_point_it_reaches(value):
    point = replace(GAS, limits=Limits(ll=-50, l=-10, h=25, hh=60))
    expected = (
        "high 2" if value >= 60 else "high 1" if value >= 25 else
        "low 2" if value <= -50 else "low 1" if value <= -10 else ""
    )  # fmt: skip
    assert alarm_at(point, value) == expected


@given(st.text())
def test_what_is_typed_becomes_one_printable_line(text):
    typed = line(text)
    assert typed.isprintable()
    assert len(typed) <= 500
