"""Scenarios are refused with everything that is wrong with them, and judged by their words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contract.errors import ConfigError
from hil_tests import demo
from hil_tests.journal_lines import JournalEvent
from hil_tests.rig.commands import PLANT
from hil_tests.rig.site import load_site
from hil_tests.runner import run_scenario
from hil_tests.scenario import Scenario, load_scenario, load_scenarios, parse_scenario
from hil_tests.verdicts import SeenEvent, Verdict, judge

SCENARIOS = Path(demo.__file__).parent / "scenarios"
S = 1_000_000_000
LEAK = {"t_s": 3, "name": "leak", "device": "plc", "command": "step AT-103 2.6"}
MUST = {"after": "leak", "within_s": 5, "type": "condition_on", "tag": "AT-103"}
FIGURE = {"what": "good_samples", "devices": ["chlorine-plc"], "within_s": 5}


def scenario(**tables: Any) -> Scenario:
    data = {"site": "site", "agents": ["agent"], "at": [LEAK], **tables}
    return parse_scenario(data, Path("/sites/gas.toml"))


def faults(**tables: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        scenario(**tables)
    return [str(each) for each in caught.value.faults]


def test_paths_are_beside_the_file_and_the_name_is_its_name() -> None:
    found = scenario(expect=[MUST])
    assert (found.name, found.site, found.agents) == ("gas", Path("/sites/site"), (Path("/sites/agent"),))


def test_a_scenario_lasts_until_its_last_window_has_closed() -> None:
    assert scenario(expect=[MUST]).duration_s == 8
    assert scenario(expect=[MUST], forbid=[{"within_s": 11}]).duration_s == 11
    assert scenario(at=[LEAK, {**LEAK, "t_s": 30, "name": ""}], expect=[MUST]).duration_s == 30


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ({"expect": [{**MUST, "after": "later"}]}, "'later' names no at-entry"),
        ({"expect": [MUST], "at": [LEAK, LEAK]}, "'leak' names more than one moment"),
        ({"expect": [MUST], "at": [{**LEAK, "name": "start"}, LEAK]}, "'start' names more than one moment"),
        ({}, "expects, forbids and measures nothing"),
        ({"expect": [MUST], "at": [{**LEAK, "command": "explode"}]}, "no such command 'explode'"),
        ({"expect": [MUST], "at": [{**LEAK, "program": "aggregator"}]}, "either device or program"),
        ({"expect": [MUST], "at": [{"t_s": 1, "program": "aggregator", "command": "freeze"}]}, "kill, stop or start"),
        ({"expect": [{**MUST, "within_s": 0}]}, "within_s"),
        ({"expect": [{**MUST, "colour": "red"}]}, "colour"),
        ({"forbid": [{**MUST, "times": 2}]}, "times"),
        ({"expect": [MUST], "agents": []}, "agents"),
        ({"measure": [{**FIGURE, "what": "colour"}]}, "what"),
        ({"measure": [FIGURE]}, "at_least, at_most or both"),
        ({"measure": [{**FIGURE, "at_least": 1, "from_s": 5}]}, "from_s is before within_s"),
        ({"measure": [{**FIGURE, "at_least": 1, "after": "never"}]}, "'never' names no at-entry"),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused(tables: dict[str, Any], said: str) -> None:
    assert any(said in each for each in faults(**tables))


def test_all_faults_are_told_at_once() -> None:
    found = faults(expect=[{**MUST, "within_s": -1}, {**MUST, "level": "high"}], at=[{**LEAK, "t_s": -1}], speed=2)
    assert len(found) == 4


def test_a_folder_is_all_its_scenarios_and_all_their_faults(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text("site = 3\n")
    with pytest.raises(ConfigError) as caught:
        load_scenarios(tmp_path)
    assert {each.file for each in caught.value.faults} == {"a.toml", "b.toml"}
    (tmp_path / "none").mkdir()
    with pytest.raises(ConfigError, match="holds no scenario"):
        load_scenarios(tmp_path / "none")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_scenario(tmp_path / "c.toml")


def test_the_scenarios_of_the_package_can_be_played() -> None:
    for each in load_scenarios(SCENARIOS) + load_scenarios(SCENARIOS / "robustness"):
        devices = {PLANT, *(device.name for device in load_site(each.site).devices)}
        assert {entry.device for entry in each.timeline if entry.device} <= devices
        assert all((folder / "agent.toml").is_file() for folder in each.agents)


def test_a_name_that_is_not_there_is_told_before_anything_starts(tmp_path: Path) -> None:
    folder = demo.demo_folder()
    data = {
        "site": str(folder), "agents": [str(folder / "chlorine-store")], "forbid": [{"within_s": 1, "agent": "nobody"}],
        "at": [{"t_s": 1, "device": "plc", "command": "freeze"}, {"t_s": 1, "program": "web", "command": "kill"}],
    }  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        run_scenario(parse_scenario(data, tmp_path / "s.toml"), tmp_path / "work", lambda line: None)
    assert [each.message for each in caught.value.faults] == [
        "there is no 'plc'",
        "there is no 'web'",
        "there is no 'nobody'",
    ]
    assert not (tmp_path / "work").exists()


# -- verdicts --------------------------------------------------------------------------------------------------------


def seen(judged_s: float, committed_s: float, type: str = "condition_on", **more: Any) -> SeenEvent:  # noqa: A002 - a key of the file
    event = JournalEvent("store", "e", 1, type, round(judged_s * S), **{"tag": "AT-103", "kind": "high", **more})
    return SeenEvent(event, round(committed_s * S))


def verdict(events: list[SeenEvent], moments: dict[str, int] | None = None, **tables: Any) -> Verdict:
    (found,) = judge(scenario(**tables), {"start": 0, "leak": 3 * S} if moments is None else moments, events)
    return found


def test_an_expected_event_passes_with_its_latency() -> None:
    found = verdict([seen(5, 5.25), seen(4, 4.5)], expect=[MUST])
    assert (found.passed, found.found, found.latency_ms) == (True, 2, 1500.0)


@pytest.mark.parametrize(
    "event",
    [seen(2.9, 4), seen(7, 8.1), seen(4, 5, "condition_off"), seen(4, 5, tag="AT-104")],
    ids=["judged before", "committed too late", "another type", "another tag"],
)
def test_an_event_outside_the_words_or_the_window_is_not_the_expected_one(event: SeenEvent) -> None:
    assert not verdict([event], expect=[MUST]).passed
    assert verdict([event], forbid=[MUST]).passed


def test_the_edges_of_a_window_belong_to_it() -> None:
    assert verdict([seen(3, 8)], expect=[MUST]).passed


@pytest.mark.parametrize("word", ["kind", "level", "agent", "class"])
def test_every_word_narrows(word: str) -> None:
    fits = {"kind": "high", "level": 2, "agent": "store", "class": "safety"}[word]
    other = {"kind": "low", "level": 1, "agent": "sphere", "class": "fault"}[word]
    event = seen(4, 5, level=2, condition_class="safety")
    assert verdict([event], expect=[{**MUST, word: fits}]).passed
    assert not verdict([event], expect=[{**MUST, word: other}]).passed


def test_times_means_exactly() -> None:
    events = [seen(4, 5), seen(5, 6)]
    assert not verdict(events, expect=[{**MUST, "times": 1}]).passed
    assert verdict(events, expect=[{**MUST, "times": 2}]).passed


def test_a_forbidden_event_fails() -> None:
    found = verdict([seen(4, 5)], forbid=[MUST])
    assert (found.passed, found.forbidden, found.latency_ms) == (False, True, 2000.0)


def test_what_follows_a_moment_that_never_came_fails() -> None:
    assert not verdict([seen(4, 5)], {"start": 0}, expect=[MUST]).passed
    assert not verdict([], {"start": 0}, forbid=[MUST]).passed
