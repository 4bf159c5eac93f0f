"""The demo's configuration tells one truth, and what a person sees of it can be read."""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator
from pathlib import Path

from hil_tests.demo import demo_folder
from hil_tests.rig.plant import INSTRUMENTS

MARKERS = {"XM-101", "XM-201"}


def rows() -> Iterator[tuple[str, dict[str, str]]]:
    """(organisation, row of its points.csv) of every point."""
    for folder in sorted(each for each in demo_folder().iterdir() if each.is_dir()):
        organisation = tomllib.loads((folder / "agent.toml").read_text("utf-8"))["agent"]["organisation"]
        yield from ((organisation, row) for row in csv.DictReader(_lines(folder / "points.csv")))


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8-sig").splitlines()


def test_every_instrument_of_the_plant_is_a_point_and_is_the_same_on_both_sheets() -> None:
    on_points = {
        row["tag"]: (f"{organisation}/{row['source']}", row["unit"], row["description"])
        for organisation, row in rows() if row["tag"] not in MARKERS
    }  # fmt: skip
    in_plant = {tag: (each.org, each.unit, " / ".join(each.description)) for tag, each in INSTRUMENTS.items()}
    assert on_points == in_plant


def test_ranges_are_those_of_the_instruments() -> None:
    for _, row in rows():
        if row["range_low"]:
            sheet = INSTRUMENTS[row["tag"]]
            assert (float(row["range_low"]), float(row["range_high"])) == (sheet.range_low, sheet.range_high)
