"""How gas that escapes reaches the detectors: puffs that the wind carries and that spread on their way.

Every 0.2 s a leak lets go of a puff with the mass that has escaped since. The wind moves all puffs alike, so a change
of direction swings the whole plume. A puff's concentration is a Gaussian in the three directions, reflected by the
ground; its widths grow with the way that it has gone:

    sd across and along the wind = sqrt(sd0**2 + (a x**b)**2),  height = sqrt(sd0**2 + (c x**d)**2)

For heavy gases (chlorine, LPG) b + d = 1.3: such clouds stay low, and the concentration on the axis of a steady plume
falls as x**-1.3. Ammonia, which is lighter than air when warm, rises and thins out faster, b + d = 1.7. The width across
at 100 m, 14 m, is near that of Briggs (1973) for neutral weather over built-up land, 16 m; the height is chosen for
the fall-off. Rise, chemistry, buildings and deposition are left out; what matters here is delay, order, shape and how
strongly it falls off.

Source: D. B. Turner, Workbook of Atmospheric Dispersion Estimates, 1994, chapters 2 and 3 (Gaussian plume and puff).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

PUFF_STEPS: Final = 2
"""A puff every 0.2 s, so that puffs overlap even at a detector close to the leak."""
REACH_M: Final = 250.0
"""A puff that has gone so far is forgotten: less than a thousandth of what it was at 1 m."""
MG_PER_KG: Final = 1e6
_SIGHT_SD: Final = 5.0
"""A detector more than so many standard deviations off the middle of every puff sees nothing."""


@dataclass(frozen=True, slots=True)
class Gas:
    """Spread of one gas; widths in metres after ``x`` metres of way."""

    name: str
    across: float = 0.22
    across_power: float = 0.9
    height: float = 0.25
    height_power: float = 0.4
    at_source_m: float = 0.3


CHLORINE_GAS: Final = Gas("chlorine")
LPG_GAS: Final = Gas("lpg")
AMMONIA_GAS: Final = Gas("ammonia", height=0.2, height_power=0.8)
MONOMER_GAS: Final = Gas("vinyl chloride")


@dataclass(frozen=True, slots=True)
class Source:
    """A place where gas may escape; metres to the east and to the north in the park."""

    name: str
    gas: Gas
    at_m: tuple[float, float]
    description_en: str


class Cloud:
    """All that has escaped of one gas, and what its detectors stand in."""

    def __init__(self, gas: Gas, detectors: Mapping[str, tuple[float, float]]) -> None:
        self._gas = gas
        self.tags: Sequence[str] = tuple(detectors)
        self._places: Floats = np.array([detectors[tag] for tag in self.tags], dtype=np.float64).reshape(-1, 2)
        self._puffs: Floats = np.empty((0, 4), dtype=np.float64)
        """Rows of (east m, north m, way m, mass kg)."""

    @property
    def is_empty(self) -> bool:
        return not len(self._puffs)

    def release(self, at_m: tuple[float, float], mass_kg: float) -> None:
        puff = np.array([[at_m[0], at_m[1], 0.0, mass_kg]])
        self._puffs = np.concatenate([self._puffs, puff])

    def drift(self, velocity_m_s: tuple[float, float], seconds: float) -> None:
        """Everything moves with the wind; what is out of reach is forgotten."""
        east, north = velocity_m_s[0] * seconds, velocity_m_s[1] * seconds
        self._puffs[:, 0] += east
        self._puffs[:, 1] += north
        self._puffs[:, 2] += math.hypot(east, north)
        if len(self._puffs) and self._puffs[0, 2] > REACH_M:
            self._puffs = self._puffs[self._puffs[:, 2] <= REACH_M]

    def concentrations_mg_m3(self) -> list[float]:
        """At each of ``tags``, at the height of the ground."""
        if self.is_empty:
            return [0.0] * len(self.tags)
        gas, way = self._gas, self._puffs[:, 2]
        across2 = gas.at_source_m**2 + (gas.across * way**gas.across_power) ** 2
        height = np.sqrt(gas.at_source_m**2 + (gas.height * way**gas.height_power) ** 2)
        # Twice the free puff, since the ground reflects it.
        peak = 2.0 * self._puffs[:, 3] / ((2 * math.pi) ** 1.5 * across2 * height)
        far2 = ((self._places[:, None, :] - self._puffs[None, :, :2]) ** 2).sum(axis=2)
        exponent = far2 / (2 * across2)
        near = exponent < _SIGHT_SD**2 / 2
        shares = np.where(near, peak * np.exp(-np.where(near, exponent, 0.0)), 0.0)
        return [float(each) * MG_PER_KG for each in shares.sum(axis=1)]
