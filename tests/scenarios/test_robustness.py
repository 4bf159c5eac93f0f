"""What gateways get wrong elsewhere, each as a scenario on real programs; the figures are printed (``pytest -s``)."""

from __future__ import annotations

from pathlib import Path

import pytest

import hil_tests
from hil_tests.runner import run_scenario, table
from hil_tests.scenario import load_scenario

FOLDER = Path(hil_tests.__file__).parent / "scenarios" / "robustness"
SHOWS = {
    "late_replies": "a late or crossed reply never becomes another value, on tcp and rtu",
    "bad_register": "a bad register costs its 99 neighbours nothing, and two requests a cycle at most",
    "dead_neighbour": "nine units keep 90 percent of their rate beside a dead one, which is back within a back-off",
    "no_stale_truth": "nothing good is told of a device that stopped answering, and one fault says so",
    "silent_subscription": "a server that publishes nothing is one fault until it does, asked by one session, found when it moved",
}


@pytest.mark.parametrize("name", SHOWS, ids=[each.replace(" ", "-") for each in SHOWS.values()])
def test_it_holds_that(name: str, tmp_path: Path) -> None:
    said: list[str] = []
    outcome = run_scenario(load_scenario(FOLDER / f"{name}.toml"), tmp_path / "work", said.append)
    print("\n".join(["", *table([outcome])]))
    assert outcome.passed, "\n".join(said)


def test_every_scenario_of_the_folder_is_run() -> None:
    assert {each.stem for each in FOLDER.glob("*.toml")} == SHOWS.keys()
