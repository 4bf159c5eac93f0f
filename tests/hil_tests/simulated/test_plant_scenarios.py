"""The plant scenarios as shipped, and that each of them fails where the guard it asks for is taken out of the list of points."""

from __future__ import annotations

import csv
import json
import shutil
import tomllib
from pathlib import Path

import pytest

import hil_tests
from contract.clock import SimulatedClock
from contract.errors import ConfigError
from edge_agent.settings.load import load
from hil_tests.cli import main
from hil_tests.scenario import load_each
from hil_tests.scenes import SCENES, make
from hil_tests.simulated import play
from hil_tests.simulated.picture import draw
from hil_tests.simulated.play import Judge
from hil_tests.simulated.run import PlantOutcome, play_plant_scenario
from hil_tests.simulated.scenario import PlantScenario, parse_plant_scenario

FOLDER = Path(hil_tests.__file__).parent / "scenarios" / "plant"
AGENT = Path(hil_tests.__file__).parents[1] / "configs" / "plant"


def scenario(name: str) -> PlantScenario:
    file = FOLDER / f"{name}.toml"
    return parse_plant_scenario(tomllib.loads(file.read_text(encoding="utf-8")), file)


def outcome(asked: PlantScenario) -> PlantOutcome:
    return play_plant_scenario(asked, SimulatedClock(), lambda line: None)[0]


def test_there_is_a_scenario_of_every_scene() -> None:
    assert {each.scene for each in load_each(FOLDER, parse_plant_scenario)} == set(SCENES)


@pytest.mark.parametrize("name", list(SCENES))
def test_a_scenario_passes(name: str) -> None:
    done = outcome(scenario(name))
    assert done.passed, [each for each in done.verdicts if not each.passed]


@pytest.mark.parametrize(
    ("name", "tag", "column", "value", "failing"),
    [
        ("cl2_plume", "AT-101", "on_delay_s", "20", "must: type condition_on, kind high"),
        ("cl2_plume", "AT-103", "h", "0.05", "must not: type condition_on, class safety outside plume"),
        ("h2s_seep", "AT-201", "h", "1", "must not: class safety"),
        ("lel_spikes", "AT-302", "h", "0.5", "must not: tag AT-302"),
        ("runaway", "TT-401", "hh", "", "must: type condition_level"),
        ("freeze", "PT-501", "frozen_s", "", "must: type condition_on, kind frozen"),
        ("freeze", "LT-501", "frozen_s", "2", "must not: type condition_on, kind frozen outside freeze"),
        ("foldback", "AT-701", "over_range", "1000", "must: type condition_on, kind over_range"),
        ("open_circuit", "PT-801", "fault_on_delay_s", "8", "must: type condition_on, kind fault"),
        ("motor_noise", "PT-901", "h", "0.555", "must not: class safety"),
        ("dropout", "", "fault_on_delay_s", "", "must: type condition_on, kind fault, tag nobody"),
        ("hover", "AT-1401", "off_delay_s", "0", "must: type condition_on, kind high, tag AT-1401 within 1300"),
        ("rain_wind", "AT-1201", "h", "1.5", "must not: any change"),
        ("day_night", "TT-1101", "h", "28", "must not: any change"),
        ("quiet_week", "TT-1701", "h", "15", "must not: class safety"),
    ],
)  # fmt: skip
def test_without_its_guard_a_scenario_fails(
    tmp_path: Path, name: str, tag: str, column: str, value: str, failing: str
) -> None:
    shutil.copytree(AGENT, tmp_path / "plant")
    asked = scenario(name).model_copy(update={"agent": tmp_path / "plant"})
    if tag:
        change_points(tmp_path / "plant" / "points.csv", tag, column, value)
    else:
        first = asked.expectations[0].model_copy(update={"tag": "nobody"})
        asked = asked.model_copy(update={"expectations": (first,)})
    if name == "hover" or column == "h":
        change_points(tmp_path / "plant" / "points.csv", tag, "deadband", "0")
    wrong = [each.what for each in outcome(asked).verdicts if not each.passed]
    assert any(each.startswith(failing) for each in wrong), wrong


def change_points(file: Path, tag: str, column: str, value: str) -> None:
    with file.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    columns = list(dict.fromkeys([*rows[0], column]))
    [row] = [each for each in rows if each["tag"] == tag]
    row[column] = value
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def test_an_inhibit_that_is_not_set_is_found_missing() -> None:
    asked = scenario("bump_test")
    _, played = play_plant_scenario(asked, SimulatedClock(), lambda line: None)
    assert all(
        change.condition.inhibited for each in played for change in each.changes if change.type == "condition_on"
    )
    flipped = tuple(each.model_copy(update={"inhibited": False}) for each in asked.expectations)
    assert not outcome(asked.model_copy(update={"expectations": flipped})).passed


def test_a_moment_that_never_comes_is_no_pass() -> None:
    asked = scenario("runaway")
    never = asked.expectations[0].model_copy(update={"after": "TT-401 >= 190"})
    [verdict, *_] = outcome(asked.model_copy(update={"expectations": (never,)})).verdicts
    assert (verdict.passed, verdict.why) == (False, "seed 1: the moment never came")


def test_how_rows_are_cut_into_calls_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, scene = scenario("foldback"), make("foldback", 3)
    points = load(asked.agent, keys_here=False).points_of("foldback")
    once = Judge(points).play(scene)
    monkeypatch.setattr(play, "STEPS_PER_CALL", 7)
    assert Judge(points).play(scene) == once


def test_mistakes_of_a_scenario_are_named(tmp_path: Path) -> None:
    file = tmp_path / "wrong.toml"
    good = {"title": "t", "scene": "hover", "agent": ".", "forbid": [{"class": "safety"}]}
    for changed, said in (
        ({"scene": "hoover"}, "there is no scene 'hoover'"),
        ({"forbid": []}, "expects and forbids nothing"),
        ({"days": 2}, "hover has a length of its own"),
        ({"expect": [{"after": "AT-1401 > 25", "within_s": 1}]}, "neither start"),
        ({"expect": [{"after": "leek", "within_s": 1}]}, "has no window of the kind leek"),
        ({"expect": [{"after": "start", "within_s": 0}]}, "expect.1.within_s"),
    ):
        with pytest.raises(ConfigError) as caught:
            parse_plant_scenario(good | changed, file)
        assert said in str(caught.value)


def test_a_folder_without_the_scene_is_refused(tmp_path: Path) -> None:
    shutil.copytree(AGENT, tmp_path / "plant")
    points = tmp_path / "plant" / "points.csv"
    points.write_text(
        "".join(each for each in points.read_text().splitlines(keepends=True) if not each.startswith("PT-1504"))
    )
    asked = scenario("group_drift").model_copy(update={"agent": tmp_path / "plant"})
    with pytest.raises(ConfigError, match="lacks PT-1504"):
        outcome(asked)


def test_the_rig_runs_them_in_simulated_time_and_draws_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["run", str(FOLDER / "quiet_week.toml"), "--days", "0.05", "--seeds", "2-3"]
    assert main([*asked, "--json", str(tmp_path / "r.json"), "--pictures", str(tmp_path / "drawn")]) == 0
    told = capsys.readouterr().out
    assert "(2.4 h in " in told
    assert "1 of 1 scenario(s) passed" in told
    [written] = json.loads((tmp_path / "r.json").read_text())["scenarios"]
    assert (written["passed"], written["simulated_s"]) == (True, 8640)
    assert (tmp_path / "drawn/quiet_week.svg").read_text().startswith("<?xml")


def test_a_picture_shows_what_was_said_and_is_the_same_again(tmp_path: Path) -> None:
    asked = scenario("foldback")
    _, played = play_plant_scenario(asked, SimulatedClock(), lambda line: None)
    drawn = draw(asked, played[0], tmp_path).read_text()
    assert "over_range 1" in drawn
    assert draw(asked, played[0], tmp_path).read_text() == drawn
