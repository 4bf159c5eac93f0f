"""What statistical detection finds in labelled data, by the scorer that comes with the data, unmodified.

The data is not part of this repository: DATA_VARIABLE names its folder (``score.py``, ``manifest.json``, ``labels.json``,
a folder per family). One configuration judges every file; each detector is scored alone, and all together.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from edge_agent.commissioning.backtesting.recording import Recording, read
from edge_agent.commissioning.backtesting.run import DETECTORS, run

DATA_VARIABLE: Final = "PARKSENTRY_DETECTION_DATA"
BASELINES: Final[Mapping[str, str]] = {
    "park": "best of 10 baselines, held-out files: F1 0.75 at 0.17 (missing, frozen, spike, shift, variance)",
    "gecco": "best of 10 baselines, held-out year: F1 0.47 at 0.015 (adaptive T2)",
    "skab": "best of 10 baselines, held-out files: F1 0.88 (adaptive T2, 14 alarms in the normal run)",
    "skab_normal": "adaptive T2: 14 alarms",
    "tep": "best of 10 baselines, held-out files: F1 0.79 (adaptive T2)",
    "nab": "published, full corpus: HTM 70.1, windowed Gaussian 39.6; rolling 3 sigma measured 34.0",
}
GOALS: Final[Mapping[tuple[str, str], float]] = {
    ("park", "f1"): 0.90, ("gecco", "f1"): 0.60, ("skab", "f1"): 0.85, ("tep", "f1"): 0.80, ("nab", "nab_standard"): 50.0,
    ("park", "fa_per_point_day"): 0.02, ("gecco", "fa_per_point_day"): 0.03, ("skab_normal", "false_alarms"): 1.0,
}  # fmt: skip
UNITS: Final = {
    "f1": "F1", "nab_standard": "NAB", "fa_per_point_day": "per point and day", "false_alarms": "alarms",
}  # fmt: skip
AT_MOST: Final = frozenset({"fa_per_point_day", "false_alarms"})


def scored_rows() -> Iterator[dict[str, Any]]:
    """Rows for ``detection.run``. CalledProcessError where the scorer fails."""
    place = os.environ.get(DATA_VARIABLE)
    if not place:
        yield _row("detection.quality", None, "F1", f"skipped: {DATA_VARIABLE} names no folder of labelled data")
        return
    alarms = _alarms(Path(place))
    for name in DETECTORS:
        for family, scored in _scored(Path(place), alarms[name]).items():
            for measure in UNITS:
                if (family == "nab") != (measure == "nab_standard") or (measure == "f1") > bool(scored.get("events")):
                    continue
                value, goal = scored.get(measure), GOALS.get((family, measure))
                met = None
                if goal is not None and value is not None:
                    met = value <= goal if measure in AT_MOST else value >= goal
                reference = BASELINES.get(family, "")
                yield _row(f"detection.{family}.{name}.{measure}", value, UNITS[measure], reference, goal, met=met)


def _row(
    name: str, value: float | None, unit: str, reference: str, goal: float | None = None, *, met: bool | None = None
) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "reference": reference, "goal": goal, "met": met}


def _scored(place: Path, lines: Sequence[str]) -> dict[str, dict[str, Any]]:
    """By family, what the scorer says of the alarms of one detector."""
    with tempfile.TemporaryDirectory() as folder:
        alarms, result = Path(folder) / "alarms.csv", Path(folder) / "result.json"
        alarms.write_text("".join(lines), "utf-8")
        command = (sys.executable, place / "score.py", "--data", place, "--det", alarms, "--threshold", "0.5")
        subprocess.run([*command, "--json", result], check=True, capture_output=True)
        scored: dict[str, dict[str, Any]] = json.loads(result.read_text("utf-8"))
    return scored


def _alarms(place: Path) -> dict[str, list[str]]:
    """By detector, lines for the scorer."""
    lines = {name: ["file,ts,alarm\n"] for name in DETECTORS}
    for each in json.loads((place / "manifest.json").read_text("utf-8"))["files"]:
        if each["family"].endswith("_train"):
            continue
        train = place / str(each.get("train"))
        recording = _read(place / each["file"])
        for name, outcome in run(recording, _read(train) if train.is_file() else None).items():
            for time_s, alarm in zip(recording.time_s.tolist(), outcome.raised.tolist(), strict=True):
                lines[name].append(f"{each['file']},{time_s},{int(alarm)}\n")
    return lines


def _read(path: Path) -> Recording:
    with path.open(encoding="utf-8", newline="") as lines:
        return read(path.name, lines)
