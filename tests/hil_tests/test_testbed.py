"""Scenarios on the real programs, as `hil-rig run` does it: a short one that fails where it should, and those of the
package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hil_tests import cli
from hil_tests.demo import demo_folder
from hil_tests.field import wait_for
from hil_tests.rig.site import load_site
from hil_tests.runner import run_scenario, table
from hil_tests.scenario import load_scenario
from hil_tests.testbed import AGGREGATOR, Testbed

SCENARIOS = sorted((Path(cli.__file__).parent / "scenarios").glob("*.toml"))
SCENARIO = """
title = "A leak is told, and what did not happen is not"
site = "{folder}"
agents = ["{folder}/chlorine-store"]

[[at]]
t_s = 0.5
name = "leak"
device = "chlorine-plc"
command = "step AT-103 2.6"

[[at]]
t_s = 1
name = "down"
program = "aggregator"
command = "kill"

[[at]]
t_s = 1.5
program = "aggregator"
command = "start"

[[expect]]
after = "leak"
within_s = 4
type = "condition_on"
kind = "high"
tag = "AT-103"
level = 2
times = 1

[[expect]]
after = "leak"
within_s = 2
type = "condition_on"
tag = "AT-104"

[[forbid]]
after = "leak"
within_s = 4
tag = "AT-103"
"""


def test_a_scenario_on_the_real_programs_passes_and_fails_where_it_should(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "leak.toml").write_text(SCENARIO.format(folder=demo_folder()))
    report, work = tmp_path / "report.json", tmp_path / "work"
    status = cli.main(["run", str(tmp_path / "leak.toml"), "--json", str(report), "--dir", str(work)])
    screen = capsys.readouterr().out
    assert status == 1, screen
    (outcome,) = json.loads(report.read_text())["scenarios"]
    came, did_not_come, came_though_forbidden = outcome["verdicts"]
    assert came["passed"], screen
    assert 0 < came["latency_ms"] < 4000
    assert not did_not_come["passed"]
    assert not came_though_forbidden["passed"]
    assert (outcome["lost"], outcome["duplicated"], outcome["out_of_order"]) == (0, 0, 0), screen
    assert "AT-103 high level 2" in screen
    assert "0 of 1 scenario(s) passed" in screen
    assert (work / "leak" / "aggregator.ledger").read_text().count("\n") >= 3


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_a_scenario_of_the_package_passes(file: Path, tmp_path: Path) -> None:
    said: list[str] = []
    outcome = run_scenario(load_scenario(file), tmp_path / "work", said.append)
    assert outcome.passed, "\n".join([*table([outcome]), *said])


def test_what_agents_owe_an_aggregator_that_is_on_its_way_back_is_waited_for(tmp_path: Path) -> None:
    with Testbed(load_site(demo_folder()), [demo_folder() / "chlorine-store"], tmp_path / "bed") as bed:
        bed.tell(AGGREGATOR, "kill")
        bed.rig.command("chlorine-plc", "step", "AT-103", 2.6)
        held = len(bed.received())
        wait_for(lambda: len(bed.sent()) > held + 2, "the agent commits more than has arrived")
        bed.tell(AGGREGATOR, "start")
        bed.finish()
        assert bed.comparison().whole
        assert {each.key for each in bed.sent()[: held + 3]} <= {each.key for each in bed.received()}
        assert ("AT-103", 2) in {(each.tag, each.level) for each in bed.events}


def test_a_commit_without_its_line_in_the_ledger_is_not_lost_and_a_message_that_is_nowhere_is(tmp_path: Path) -> None:
    """The aggregator may be killed between a commit and the line that witnesses it."""
    with Testbed(load_site(demo_folder()), [demo_folder() / "chlorine-store"], tmp_path / "bed") as bed:
        (agent,) = bed.field.agents.values()
        wait_for(lambda: bed.comparison().whole, "all has arrived")
        agent.program.kill()
        owed = bed.comparison().lost
        ledger = bed.field.aggregator.ledger
        _, *others = ledger.read_text().splitlines(keepends=True)
        ledger.write_text("".join(others))
        assert bed.comparison().lost == owed
        row = json.loads(agent.ledger.read_text().splitlines()[-1])
        with agent.ledger.open("a") as file:
            file.write(json.dumps({**row, "seq": int(row["seq"]) + 1}) + "\n")
        assert len(bed.comparison().lost) == len(owed) + 1
