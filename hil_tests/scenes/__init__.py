"""Scenes of a plant in simulated time: what instruments show in a leak, a runaway, a broken wire, a quiet week; and when.

Others import ``SCENES`` and ``make`` (a scene of a name and a seed), ``scene`` (what one is) and ``recording`` (CSV files with
labels). Everything is pure but ``recording``.
"""

from __future__ import annotations

from hil_tests.scenes.catalogue import SCENES, make
from hil_tests.scenes.scene import Scene, Trace, Window

__all__ = ["SCENES", "Scene", "Trace", "Window", "make"]
