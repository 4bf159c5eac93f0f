"""The runner of the benchmarks: what it writes, and which exit status means what."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks import run

ROW = {"name": "part.figure", "value": 1.25, "unit": "1", "reference": "C", "goal": 1.0, "met": False}


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A part that measures and one that breaks."""

    def breaks() -> list[run.Row]:
        raise OSError("no compiler")

    for name, function in {"good_part": lambda: [dict(reversed(ROW.items()))], "bad_part": breaks}.items():
        module = ModuleType(name)
        monkeypatch.setattr(module, "run", function, raising=False)
        monkeypatch.setitem(sys.modules, name, module)
    return {"good": "good_part", "bad": "bad_part"}


def test_a_missed_goal_is_shown_and_is_no_failure(
    parts: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "bench.json"
    assert run.main(["--only", "good", "--json", str(target)], parts) == 0
    assert json.loads(target.read_text("utf-8")) == [ROW]
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split() == list(run.KEYS)
    assert line.split() == ["part.figure", "1.25", "1", "C", "1", "NO"]


def test_a_part_that_breaks_fails_the_run_after_the_others_were_measured(
    parts: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "bench.json"
    assert run.main(["--json", str(target)], dict(reversed(parts.items()))) == 1
    assert json.loads(target.read_text("utf-8")) == [ROW]
    errors = capsys.readouterr().err
    assert "no compiler" in errors
    assert "failed to run: bad" in errors


def test_an_unknown_part_lists_those_that_exist(parts: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["--only", "speed"], parts) == 2
    assert "there are: good, bad" in capsys.readouterr().err


@pytest.mark.parametrize("row", [ROW | {"extra": 1}, {"name": "x"}])
def test_a_row_must_have_exactly_the_keys(row: run.Row) -> None:
    with pytest.raises(ValueError, match="has the keys"):
        run.checked(row)


def test_every_module_that_measures_is_a_part() -> None:
    folder = Path(run.__file__).parent
    measuring = [path.stem for path in folder.glob("*.py") if "\ndef run()" in path.read_text("utf-8")]
    assert {f"benchmarks.{name}" for name in measuring} == set(run.PARTS.values())
