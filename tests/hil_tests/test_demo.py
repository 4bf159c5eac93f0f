"""The demo's configuration tells one truth, and what a person sees of it can be read."""

from __future__ import annotations

import csv
import json
import signal
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hil_tests import demo
from hil_tests.control_room import ControlRoom
from hil_tests.demo import choose_port, demo_folder
from hil_tests.report import NOT_TIMED
from hil_tests.rig.plant import INSTRUMENTS
from hil_tests.rig.ports import reserve

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


def test_the_usual_port_is_taken_where_nobody_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with reserve("127.0.0.1") as taken:
        taken.listen()
        monkeypatch.setattr(demo, "WEB_PORT", taken.getsockname()[1])
        assert choose_port(None, for_person=True) == 0
        assert choose_port(18080, for_person=True) == choose_port(18080, for_person=False) == 18080
    assert choose_port(None, for_person=True) == demo.WEB_PORT
    assert choose_port(None, for_person=False) == 0


def test_a_person_is_told_where_to_look_and_sees_no_markers(tmp_path: Path) -> None:
    said: list[str] = []
    with reserve("127.0.0.1") as held, subprocess.Popen(
        [sys.executable, "-m", "hil_tests.cli", "demo", "--port", str(port := held.getsockname()[1]),
         "--dir", str(tmp_path), "--report", str(tmp_path / "report.json")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    ) as run:  # fmt: skip
        assert run.stdout is not None
        for line in run.stdout:
            said.append(line.rstrip())
            if "has started" in line:
                with ControlRoom(f"http://127.0.0.1:{port}") as room:
                    me, standing = room.sign_in("operator", "operator-demo"), room.standing()
                run.send_signal(signal.SIGINT)
                break
        said += run.stdout.read().splitlines()
    assert run.returncode == 0, said
    assert me["role"] == "operator"
    assert standing == [], "the plant is well, and markers stand still"
    told = "\n".join(said)
    assert f"open        http://127.0.0.1:{port}" in told
    assert "sign in as  operator, password operator-demo" in told
    assert f"files       {tmp_path / 'demo'} (kept)" in told
    assert NOT_TIMED in said
    assert json.loads((tmp_path / "report.json").read_text())["timed"] is False
    with closing(sqlite3.connect(tmp_path / "demo" / "aggregator" / "aggregator.db")) as db:
        assert db.execute("SELECT count(*) FROM events WHERE CAST(open AS TEXT) LIKE '%XM-%'").fetchone() == (0,)
