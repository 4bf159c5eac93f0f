"""Every scene there is, by name. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hil_tests.scenes import gas, process
from hil_tests.scenes.scene import Scene

LASTING: Final[dict[str, Callable[[int, float], Scene]]] = {
    "normal_day": process.normal_day,
    "quiet_week": process.quiet_week,
}
"""Scenes that may be made as long as one likes."""
SCENES: Final[dict[str, Callable[[int], Scene]]] = {
    each.__name__: each
    for each in (
        gas.cl2_plume, gas.h2s_seep, gas.lel_spikes, process.runaway, process.freeze, gas.bead_drift, gas.foldback,
        process.open_circuit, process.motor_noise, gas.bump_test, process.day_night, gas.rain_wind, process.dropout,
        gas.hover, process.group_drift, process.normal_day, process.quiet_week,
    )
}  # fmt: skip
"""From a seed to the scene of that chance; the same seed gives the same scene."""


def make(name: str, seed: int, days: float | None = None) -> Scene:
    """``days``: for those that may last; KeyError for a name that there is not."""
    return SCENES[name](seed) if days is None else LASTING[name](seed, days)
