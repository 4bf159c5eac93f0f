"""The demo's lines: what a tired person reads is what happened."""

from __future__ import annotations

from typing import Any

import pytest

from hil_tests.journal_lines import JournalEvent
from hil_tests.telling import Welcome, clock, in_words, not_shown, of_plant

NAMES = {"AT-101": "Chlorine, tank A valves", "LT-104": "Lye tank"}
GAS: dict[str, Any] = {
    "tag": "AT-101", "kind": "high", "level": 1, "condition_class": "safety", "value": 1.05, "unit": "mg/m3", "setpoint": 1.0,
}  # fmt: skip
SILENT: dict[str, Any] = {"tag": "nh3-opcua", "kind": "fault", "level": 1, "reason": "no_reply"}


def event(type_: str, **more: Any) -> JournalEvent:
    return JournalEvent("chlorine-store", "e", 1, type_, 0, **more)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (event("agent_start"), "agent    chlorine-store has started"),
        (event("agent_stop"), "agent    chlorine-store has stopped"),
        (event("gap"), "agent    chlorine-store: gap"),
        (event("condition_on", **GAS), "ALARM    AT-101 Chlorine, tank A valves: 1.05 mg/m3, above 1 (level 1)"),
        (event("condition_on", **{**GAS, "condition_class": "advisory"}),
         "notice   AT-101 Chlorine, tank A valves: 1.05 mg/m3, above 1 (level 1)"),
        (event("condition_on", **{**GAS, "tag": "LT-104", "kind": "low", "value": 29.5, "unit": "%", "setpoint": 30.0}),
         "ALARM    LT-104 Lye tank: 29.5 %, below 30 (level 1)"),
        (event("condition_level", **{**GAS, "level": 2, "value": 2.4}), "level 2  AT-101 Chlorine, tank A valves: 2.4 mg/m3"),
        (event("condition_off", **{**GAS, "level": 0, "value": 0.05}),
         "over     AT-101 Chlorine, tank A valves: 0.05 mg/m3, back to normal"),
        (event("condition_on", **SILENT), "FAULT    nh3-opcua: no_reply"),
        (event("condition_off", **{**SILENT, "level": 0}), "mended   nh3-opcua"),
        (event("condition_on", **{**GAS, "value": "NaN"}),
         "ALARM    AT-101 Chlorine, tank A valves: NaN mg/m3, above 1 (level 1)"),
    ],
)  # fmt: skip
def test_an_event_is_a_sentence(told: JournalEvent, words: str) -> None:
    assert in_words(told, NAMES) == words


def test_markers_and_checkpoints_are_left_out_and_counted_in_one_line() -> None:
    wave = event("condition_on", tag="XM-101", kind="high", level=1)
    news = [event("agent_start"), event("checkpoint"), wave, wave, event("condition_on", **GAS)]
    assert [each.type for each in of_plant(news, {"XM-101"})] == ["agent_start", "condition_on"]
    assert of_plant(news, {"XM-101"})[1].tag == "AT-101"
    (line,) = not_shown({"XM-201", "XM-101"}, 94)
    assert line == "not shown: 94 lines of the rig's markers XM-101, XM-201, which time the way"
    assert not_shown(set(), 0) == []


def welcome(seconds: float | None, *, kept: bool) -> list[str]:
    passwords = {"operator": "operator-demo", "viewer": "viewer-demo"}
    coming = [("at 0:30", "chlorine leaks")]
    return Welcome("http://127.0.0.1:8080", passwords, coming, seconds, "/t/demo", kept, "aggregator", "/t/a").lines()


def test_a_person_reads_first_where_to_go_and_as_whom() -> None:
    first, second, *rest = [each for each in welcome(None, kept=False) if each]
    assert first == "  open        http://127.0.0.1:8080"
    assert second == "  sign in as  operator, password operator-demo"
    assert "  or as       viewer (viewer-demo)" in rest
    assert "  at 0:30     chlorine leaks" in rest
    assert "  ends        when you press Ctrl-C" in rest
    assert "  files       /t/demo (removed at the end; --dir DIR keeps them)" in rest
    assert "  look inside aggregator journal --follow --dir /t/a" in rest


def test_a_run_that_ends_by_itself_says_when_and_a_kept_folder_that_it_is_kept() -> None:
    rest = welcome(60, kept=True)
    assert "  ends        by itself after 60 s" in rest
    assert "  files       /t/demo (kept)" in rest


@pytest.mark.parametrize(("seconds", "shown"), [(0, "  0:00"), (59.99, "  0:59"), (61, "  1:01"), (36_000, "600:00")])
def test_time_is_told_in_minutes_and_seconds(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown
