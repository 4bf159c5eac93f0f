"""The pictures of the documentation are made by the code that they show."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from hil_tests import cli
from hil_tests.rig import plant_curves

PICTURES = Path(__file__).parents[3] / "docs" / "pictures"
BYTES_MAX = 150_000


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the 24 hours."""
    pictures = {name: draw for name, draw in plant_curves._PICTURES.items() if name != "day"}
    monkeypatch.setattr(plant_curves, "_PICTURES", pictures)


def test_the_same_code_draws_the_same_files(quick: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "new" / "first", tmp_path / "second"
    assert [cli.main(["curves", str(folder)]) for folder in (first, second)] == [0, 0]
    names = ["plant-leak.svg", "plant-runaway.svg"]
    assert capsys.readouterr().out.splitlines() == [str(folder / name) for folder in (first, second) for name in names]
    assert sorted(path.name for path in first.iterdir()) == names
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_the_pictures_of_the_guide_are_small_and_whole() -> None:
    paths = sorted(PICTURES.glob("plant-*.svg"))
    assert [path.stem for path in paths] == ["plant-day", "plant-leak", "plant-runaway"]
    for path in paths:
        assert path.stat().st_size < BYTES_MAX
        assert ET.parse(path).getroot().tag.endswith("svg")


def test_what_is_shown_and_what_is_true_are_recorded_apart() -> None:
    times, shown = plant_curves.record(["FT-101"], 10.0, 1.0)
    _, true = plant_curves.record(["FT-101"], 10.0, 1.0, truth=True)
    assert times == [float(second) for second in range(11)]
    assert shown["FT-101"] != true["FT-101"]
