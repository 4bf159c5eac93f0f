"""Which alarm belongs to which gas, and how long it took."""

from __future__ import annotations

from typing import Any

import pytest

from hil_tests.arrivals import Acknowledged, Arrival, Leak, arrivals, order_of_arrival, passings
from hil_tests.journal_lines import JournalEvent
from hil_tests.rig import plant
from hil_tests.verdicts import SeenEvent

S = 1_000_000_000
START = 1000 * S
LEAK = Leak("cl2-tank-a", START + 40 * S, START + 80 * S)
PASSED = {"AT-101": LEAK.mono_ns + S, "AT-102": LEAK.mono_ns + 3 * S}


def seen(tag: str, after_leak_s: float, **more: Any) -> SeenEvent:
    words = {"type": "condition_on", "kind": "high", "level": 1, "condition_class": "safety", **more}
    judged_ns = LEAK.mono_ns + round(after_leak_s * S)
    return SeenEvent(JournalEvent("store", "e", 1, mono_ns=judged_ns, tag=tag, **words), judged_ns + S // 2)


def took(tag: str, after_leak_s: float, kind: str = "high") -> Acknowledged:
    return Acknowledged(tag, kind, LEAK.mono_ns + round(after_leak_s * S))


def test_each_detector_has_its_first_alarm_in_the_order_in_which_they_came() -> None:
    events = [seen("AT-102", 6), seen("AT-101", 2), seen("AT-102", 5)]
    found = arrivals(PASSED, LEAK, events, [took("AT-101", 4)])
    assert order_of_arrival(found) == ["AT-101", "AT-102"]
    assert [each.after_setpoint_ms for each in found] == [1500.0, 2500.0]
    assert [each.acknowledged_ns for each in found] == [LEAK.mono_ns + 4 * S, None]


def test_a_detector_without_an_alarm_stands_last_and_is_not_in_the_order() -> None:
    found = arrivals(PASSED, LEAK, [seen("AT-102", 6)], [])
    assert [each.tag for each in found] == ["AT-102", "AT-101"]
    assert found[1] == Arrival("AT-101", PASSED["AT-101"], None, None, None)
    assert order_of_arrival(found) == ["AT-102"]


@pytest.mark.parametrize(
    "event",
    [
        seen("AT-101", -1), seen("AT-101", 40), seen("AT-101", 2, kind="fault"), seen("AT-101", 2, type="condition_off"),
        seen("AT-101", 2, condition_class="advisory"), seen("AT-999", 2),
    ],
    ids=["before the leak", "after its window", "a fault", "cleared", "advisory", "without gas"],
)  # fmt: skip
def test_what_is_no_alarm_of_this_leak_does_not_count(event: SeenEvent) -> None:
    assert order_of_arrival(arrivals(PASSED, LEAK, [event], [])) == []


@pytest.mark.parametrize("act", [took("AT-101", 1), took("AT-101", 4, "fault"), took("AT-102", 4)])
def test_an_acknowledgement_of_something_else_does_not_count(act: Acknowledged) -> None:
    (first, _) = arrivals(PASSED, LEAK, [seen("AT-101", 2)], [act])
    assert first.acknowledged_ns is None


def test_gas_passes_set_points_down_the_wind_after_the_leak_and_only_where_it_comes() -> None:
    tags = {f"AT-10{number}": 1.0 for number in range(1, 9)}
    copy = plant.Plant(7, only=tags)
    copy.apply(plant.Leak(LEAK.source, 0.0002), LEAK.mono_ns - START)
    passed = passings(copy, tags, START, LEAK)
    order = sorted(passed, key=lambda tag: passed[tag])
    assert order[:3] == ["AT-101", "AT-102", "AT-103"]
    assert "AT-106" not in passed, "it stands up the wind"
    assert all(LEAK.mono_ns < at < LEAK.until_ns for at in passed.values())
