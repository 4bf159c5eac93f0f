"""Puts a chosen row into the folder's points.csv, in one step: whoever reads meanwhile has the old list or the new one."""

from __future__ import annotations

from collections.abc import Mapping

from edge_agent.commissioning.probing.folder import Folder
from edge_agent.commissioning.trying.choice import change
from edge_agent.settings.points_file import replace_points


def write(folder: Folder, cells: Mapping[str, str], *, dry: bool) -> tuple[str, ...]:
    """What differs, in words. Raises ConfigError where an agent would not take the row (nothing is written), and OSError."""
    path = folder.points_file
    found = change(path.read_bytes() if path.exists() else None, cells, folder.surroundings)
    if not dry:
        replace_points(path, found.text)
    return found.differences
