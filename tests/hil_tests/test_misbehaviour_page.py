"""The page of what stands against each misbehaviour names all of them, and tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import hil_tests
from hil_tests.rig.commands import Limited, MischiefKind

ROOT = Path(hil_tests.__file__).parents[1]
PAGE = (ROOT / "docs" / "reference" / "misbehaviour.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)))
AWAY = ("stop_answering", "stop_publishing", "disconnect", "restart", "exception", "longest", "connections 1", "status")


@pytest.mark.parametrize("word", [*MischiefKind, *(f"limit {what}" for what in Limited), *AWAY])
def test_every_misbehaviour_of_the_rig_has_a_row(word: str) -> None:
    assert [line for line in PAGE.splitlines() if line.startswith("| ") and f"`{word}`" in line.split("|")[1]]


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _, test in NAMED])
def test_every_test_that_is_named_is_there(file: str, test: str) -> None:
    assert f"def {test}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


def test_every_scenario_that_is_named_is_there() -> None:
    folder = Path(hil_tests.__file__).parent / "scenarios" / "robustness"
    named = set(re.findall(r"scenario `(\w+)`", PAGE))
    assert named <= {each.stem for each in folder.glob("*.toml")}
    assert named
