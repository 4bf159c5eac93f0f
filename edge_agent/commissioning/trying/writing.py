"""Puts a chosen row into the folder's points.csv, in one step: whoever reads meanwhile has the old list or the new one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from edge_agent.commissioning.probing.folder import Folder
from edge_agent.commissioning.trying.choice import change


def write(folder: Folder, cells: Mapping[str, str], *, dry: bool) -> tuple[str, ...]:
    """What differs, in words. Raises ConfigError where an agent would not take the row (nothing is written), and OSError."""
    path = folder.points_file
    found = change(path.read_bytes() if path.exists() else None, cells, folder.surroundings)
    if not dry:
        _replace(path.resolve(), found.text)
    return found.differences


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.new")
    with draft.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        draft.chmod(path.stat().st_mode & 0o777)
    draft.replace(path)
