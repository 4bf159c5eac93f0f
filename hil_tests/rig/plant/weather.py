"""Wind and air over the whole park, the same for every unit.

The wind's speed and direction meander (AR(1), 2 min) around a mean that itself wanders within hours. The air has a day
and a night. The plant's clock begins at 08:00.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from hil_tests.rig.plant.vapour import ZERO_C_K
from hil_tests.rig.signals import gauss

START_H: Final = 8.0
DAY_S: Final = 86_400.0

MEAN_SPEED_M_S: Final = 3.4
MEAN_FROM_DEG: Final = 245.0
"""West-south-west: from the chlorine tanks over the evaporators to the scrubber."""
SPEED_M_S_MIN: Final = 0.8

AIR_MEAN_C: Final = 16.0
AIR_SWING_C: Final = 6.0
WARMEST_H: Final = 15.0
SUN_K: Final = 9.0
"""By how much a white-painted steel wall in the sun is warmer than the air at noon (sol-air temperature)."""


@dataclass(frozen=True, slots=True)
class _Wander:
    """AR(1) with correlation time ``tau_s``, moved once a second."""

    seed: int
    sd: float
    tau_s: float

    def moved(self, value: float, tick: int) -> float:
        keeps = math.exp(-1.0 / self.tau_s)
        return value * keeps + self.sd * math.sqrt(1 - keeps * keeps) * gauss(self.seed, tick)


class Weather:
    """``step`` once a second."""

    def __init__(self, seed: int) -> None:
        salt = seed << 32
        self._meander = (_Wander(salt ^ 0x11, 0.35, 120.0), _Wander(salt ^ 0x12, 6.0, 120.0))
        self._trend = (_Wander(salt ^ 0x13, 0.3, 7200.0), _Wander(salt ^ 0x14, 4.0, 7200.0))
        self._air = _Wander(salt ^ 0x15, 0.4, 3600.0)
        self._speed_meander = self._from_meander = 0.0
        self._speed_trend = self._from_trend = 0.0
        self._air_trend = 0.0
        self._fixed: tuple[float, float] | None = None
        self._tick = 0

    def step(self) -> None:
        self._tick += 1
        self._speed_meander = self._meander[0].moved(self._speed_meander, self._tick)
        self._from_meander = self._meander[1].moved(self._from_meander, self._tick)
        self._speed_trend = self._trend[0].moved(self._speed_trend, self._tick)
        self._from_trend = self._trend[1].moved(self._from_trend, self._tick)
        self._air_trend = self._air.moved(self._air_trend, self._tick)

    def set_wind(self, speed_m_s: float, from_deg: float) -> None:
        self._fixed = speed_m_s, from_deg

    def free_wind(self) -> None:
        self._fixed = None

    @property
    def speed_m_s(self) -> float:
        """A wind that was ordered meanders in proportion, the weather's own in absolute terms."""
        if self._fixed is not None:
            return self._fixed[0] * math.exp(0.3 * self._speed_meander / MEAN_SPEED_M_S)
        return max(SPEED_M_S_MIN, MEAN_SPEED_M_S + self._speed_trend + self._speed_meander)

    @property
    def from_deg(self) -> float:
        if self._fixed is not None:
            return (self._fixed[1] + 0.5 * self._from_meander) % 360.0
        return (MEAN_FROM_DEG + self._from_trend + self._from_meander) % 360.0

    @property
    def velocity_m_s(self) -> tuple[float, float]:
        """To the east and to the north."""
        angle = math.radians(self.from_deg)
        return -self.speed_m_s * math.sin(angle), -self.speed_m_s * math.cos(angle)

    @property
    def hour(self) -> float:
        """Of the day, 0 to 24."""
        return (START_H + self._tick / 3600.0) % 24.0

    @property
    def air_k(self) -> float:
        swing = AIR_SWING_C * math.cos(2 * math.pi * (self.hour - WARMEST_H) / 24.0)
        return ZERO_C_K + AIR_MEAN_C + swing + self._air_trend

    @property
    def wall_k(self) -> float:
        """Of steel in the open: the air, and by day the sun."""
        return self.air_k + SUN_K * max(0.0, math.sin(math.pi * (self.hour - 6.0) / 12.0))
