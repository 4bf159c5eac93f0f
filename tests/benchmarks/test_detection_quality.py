"""Figures come from the scorer of the data's folder, fed with every row of every file; without data that is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.detection_quality import DATA_VARIABLE, scored_rows

SCORER = """
import argparse, json
parser = argparse.ArgumentParser()
for name in ("--data", "--det", "--threshold", "--json"):
    parser.add_argument(name)
asked = parser.parse_args()
rows = [line.split(",") for line in open(asked.det).read().splitlines()[1:]]
found = [int(ts) for _, ts, alarm in rows if alarm == "1"]
json.dump({"park": {"events": len(rows), "f1": 0.95, "false_alarms": found[0] if found else -1}}, open(asked.json, "w"))
"""


def test_without_data_one_row_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    (row,) = scored_rows()
    assert row["value"] is None
    assert DATA_VARIABLE in row["reference"]


def test_each_detector_is_scored_alone_and_all_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).normal(5.0, 0.1, 400)
    values[300] = 50.0
    lines = ["ts,p", *(f"{second},{value!r}" for second, value in enumerate(values.tolist()))]
    (tmp_path / "one.csv").write_text("\n".join(lines) + "\n", "utf-8")
    files = [{"file": "one.csv", "family": "park", "train": None}]
    (tmp_path / "manifest.json").write_text(json.dumps({"files": files}), "utf-8")
    (tmp_path / "score.py").write_text(SCORER, "utf-8")
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    rows = {row["name"]: row for row in scored_rows()}
    first = {name: rows[f"detection.park.{name}.false_alarms"]["value"] for name in ("points", "group", "all")}
    assert first == {"points": 300, "group": -1, "all": 300}
    assert rows["detection.park.all.f1"]["met"] is True
