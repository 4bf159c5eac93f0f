"""Writes scenes as files: a CSV each, ``labels.json`` and ``manifest.json``, as research on detectors reads them.

A CSV has ``ts`` (seconds from the begin) and a column per instrument; an empty cell is a value that was not heard. Labels
give, per file, windows ``[ts, ts, row, row]`` with both ends in them, onsets, kinds and channels, and rows to be ignored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from hil_tests.scenes.catalogue import SCENES
from hil_tests.scenes.scene import Scene, Window

FAMILY: Final = "park"


def write(folder: Path, seeds: Sequence[int], names: Iterable[str]) -> int:
    """Write every scene of every seed below ``folder``, which is made; how many files of values there are now."""
    (folder / FAMILY).mkdir(parents=True, exist_ok=True)
    labels: dict[str, Any] = {}
    files: list[dict[str, Any]] = []
    for name in names:
        for seed in seeds:
            scene = SCENES[name](seed)
            place = f"{FAMILY}/{name}_{seed}.csv"
            (folder / place).write_bytes(data := _csv(scene))
            labels[place] = _labels(scene)
            files.append(_entry(scene, place, data))
    _dump(folder / "labels.json", labels)
    _dump(folder / "manifest.json", {"files": files})
    return len(files)


def _csv(scene: Scene) -> bytes:
    columns = [_cells(each.value) for each in scene.traces]
    times = [str(row * scene.step_s) for row in range(len(scene))]
    head = ",".join(["ts", *map(_channel, scene.traces)])
    return "\n".join([head, *map(",".join, zip(times, *columns, strict=True)), ""]).encode()


def _channel(trace: Any) -> str:
    return f"{trace.tag}_{trace.sheet.unit.strip('%') or 'pct'}"


def _cells(value: np.ndarray[Any, np.dtype[np.float64]]) -> list[str]:
    return ["" if number != number else f"{number:.6g}" for number in value.tolist()]  # noqa: PLR0124 - NaN


def _labels(scene: Scene) -> dict[str, Any]:
    told = [each for each in scene.windows if not each.permitted]
    return {
        "windows": [_rows(each, scene.step_s) for each in told],
        "onsets": [each.first * scene.step_s for each in told],
        "kinds": [each.kind for each in told],
        "channels": [" ".join(each.tags) for each in told],
        "ignore": [[each.first, each.last] for each in scene.windows if each.permitted],
    }


def _rows(window: Window, step_s: int) -> list[int]:
    return [window.first * step_s, window.last * step_s, window.first, window.last]


def _entry(scene: Scene, place: str, data: bytes) -> dict[str, Any]:
    return {
        "file": place, "rows": len(scene), "channels": list(map(_channel, scene.traces)), "family": FAMILY,
        "source": f"hil-rig scenario-data, {scene.name}, seed {scene.seed}", "step_s": scene.step_s,
        "skip_rows": scene.quiet, "train": None, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data),
    }  # fmt: skip


def _dump(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
