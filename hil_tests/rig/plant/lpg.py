"""Two LPG spheres with pump house and loading bays: 70 % propane, 30 % n-butane, ten detectors.

The steel is warmed by air and sun. The vapour space follows it within hours, the liquid within days; the pressure is
that of the liquid's surface (Raoult), which lies between. A lorry is loaded for 20 minutes of each hour; between, the pump
circulates. A pipeline fills what the lorries take.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from hil_tests.rig.plant import sheets
from hil_tests.rig.plant.dispersion import LPG_GAS, Source
from hil_tests.rig.plant.instrument import Instrument
from hil_tests.rig.plant.unit import Detection
from hil_tests.rig.plant.vapour import BUTANE, PROPANE, ZERO_C_K, gauge_mpa
from hil_tests.rig.plant.weather import Weather

_SITE: Final = "wuhai-lpg/lpg-sphere"
_SPHERE_1: Final = f"{_SITE}/sphere-1"
_SPHERE_2: Final = f"{_SITE}/sphere-2"
_PUMPS: Final = f"{_SITE}/pump-house"
_BAYS: Final = f"{_SITE}/loading"

_PROPANE_SHARE: Final = 0.7
_LEL_MG_M3: Final = 32_000.0
"""Propane 31, n-butane 33 g/m3 (IEC 60079-20-1)."""
_DIAMETER_M: Final = 15.0
_DENSITY_KG_M3: Final = 530.0
_LOADING_T_H: Final = 46.0
_LOADING_S: Final = 1200
_CYCLE_S: Final = 3600
_RAMP_S: Final = 20.0
_VAPOUR_TAU_S: Final = 4 * 3600.0
_SURFACE_TAU_S: Final = 16 * 3600.0
_LIQUID_TAU_S: Final = 60 * 3600.0


@dataclass(slots=True)
class _Sphere:
    level_m: float
    vapour_k: float
    surface_k: float
    liquid_k: float

    def step(self, wall_k: float, inflow_kg_s: float) -> None:
        """One second. The level moves by what flows in over the circle of liquid at its height."""
        self.vapour_k += (wall_k - self.vapour_k) / _VAPOUR_TAU_S
        self.surface_k += (wall_k - self.surface_k) / _SURFACE_TAU_S
        self.liquid_k += (wall_k - self.liquid_k) / _LIQUID_TAU_S
        circle_m2 = math.pi * self.level_m * (_DIAMETER_M - self.level_m)
        moved_m = inflow_kg_s / _DENSITY_KG_M3 / max(1.0, circle_m2)
        self.level_m = min(max(self.level_m + moved_m, 0.05), _DIAMETER_M - 0.05)

    @property
    def pressure_mpa(self) -> float:
        propane, butane = (each.vapour_mpa(self.surface_k) for each in (PROPANE, BUTANE))
        return gauge_mpa(_PROPANE_SHARE * propane + (1 - _PROPANE_SHARE) * butane)


class LpgSpheres:
    cooling: ClassVar[str] = ""
    instruments: ClassVar[tuple[Instrument, ...]] = (
        sheets.combustible_detector("AT-201", _SPHERE_1, ("1 号球罐底法兰北", "LPG, sphere 1, bottom flange north"), (323.2, 82.6), 10),
        sheets.combustible_detector("AT-202", _SPHERE_1, ("1 号球罐底法兰南", "LPG, sphere 1, bottom flange south"), (324.0, 80.8), 12),
        sheets.combustible_detector("AT-203", _SPHERE_1, ("1 号球罐排污", "LPG, sphere 1, drain"), (328.2, 83.8), 9),
        sheets.combustible_detector("AT-204", _SPHERE_2, ("2 号球罐底法兰北", "LPG, sphere 2, bottom flange north"), (361.3, 100.3), 11),
        sheets.combustible_detector("AT-205", _SPHERE_2, ("2 号球罐底法兰南", "LPG, sphere 2, bottom flange south"), (362.1, 98.5), 14),
        sheets.combustible_detector("AT-206", _SPHERE_2, ("2 号球罐排污", "LPG, sphere 2, drain"), (366.2, 101.6), 10),
        sheets.combustible_detector("AT-207", _PUMPS, ("1 号泵密封", "LPG, pump 1 seal"), (349.8, 72.9), 8),
        sheets.combustible_detector("AT-208", _PUMPS, ("2 号泵密封", "LPG, pump 2 seal"), (354.0, 78.2), 13),
        sheets.combustible_detector("AT-209", _BAYS, ("1 号装车位", "LPG, loading bay 1"), (396.7, 88.2), 10),
        sheets.combustible_detector("AT-210", _BAYS, ("2 号装车位", "LPG, loading bay 2"), (402.2, 93.0), 12),
        sheets.pressure("PT-201", _SPHERE_1, ("1 号球罐压力", "Pressure of sphere 1"), 2.5),
        sheets.pressure("PT-202", _SPHERE_2, ("2 号球罐压力", "Pressure of sphere 2"), 2.5),
        sheets.temperature("TT-201", _SPHERE_1, ("1 号球罐液相温度", "Temperature of sphere 1, liquid"), -40, 80),
        sheets.temperature("TT-202", _SPHERE_1, ("1 号球罐气相温度", "Temperature of sphere 1, vapour"), -40, 80),
        sheets.temperature("TT-203", _SPHERE_2, ("2 号球罐液相温度", "Temperature of sphere 2, liquid"), -40, 80),
        sheets.temperature("TT-204", _SPHERE_2, ("2 号球罐气相温度", "Temperature of sphere 2, vapour"), -40, 80),
        sheets.level_m("LT-201", _SPHERE_1, ("1 号球罐液位(雷达)", "Level of sphere 1, radar"), 15, 0.003),
        sheets.level_m("LT-202", _SPHERE_1, ("1 号球罐液位(伺服)", "Level of sphere 1, servo"), 15, 0.001),
        sheets.level_m("LT-203", _SPHERE_2, ("2 号球罐液位(雷达)", "Level of sphere 2, radar"), 15, 0.003),
        sheets.level_m("LT-204", _SPHERE_2, ("2 号球罐液位(伺服)", "Level of sphere 2, servo"), 15, 0.001),
        sheets.pressure("PT-203", _PUMPS, ("消防水总管压力", "Fire-water main"), 1.6),
        sheets.pressure("PT-204", _PUMPS, ("1 号泵出口压力", "Discharge of pump 1"), 2.5),
        sheets.vibration("VT-201", _PUMPS, ("1 号泵振动", "Vibration of pump 1")),
        sheets.current("IT-201", _PUMPS, ("1 号泵电流", "Current of pump 1"), 200),
        sheets.flow("FT-201", _BAYS, ("1 号装车位流量", "To loading bay 1"), "t/h", 120),
        sheets.wind_speed("WS-201", _SITE, ("风速", "Wind speed")),
        sheets.wind_direction("WD-201", _SITE, ("风向", "Wind direction")),
        sheets.state("XV-201", _SPHERE_1, ("1 号球罐进料阀开", "Inlet valve of sphere 1 open")),
        sheets.state("XV-202", _SPHERE_1, ("1 号球罐底阀开", "Bottom valve of sphere 1 open")),
        sheets.state("XV-203", _SPHERE_2, ("2 号球罐进料阀开", "Inlet valve of sphere 2 open")),
        sheets.state("XV-204", _SPHERE_2, ("2 号球罐底阀开", "Bottom valve of sphere 2 open")),
        sheets.state("XS-201", _SPHERE_1, ("喷淋启动", "Water curtain on")),
        sheets.state("HS-201", _BAYS, ("手动报警按钮", "Manual call point")),
        sheets.state("XA-201", _SITE, ("气体报警控制器故障", "Fault of the gas alarm controller")),
    )  # fmt: skip
    sources: ClassVar[tuple[Source, ...]] = (
        Source("lpg-sphere-1", LPG_GAS, (320.0, 80.0), "bottom flange of sphere 1"),
        Source("lpg-sphere-2", LPG_GAS, (358.1, 97.7), "bottom flange of sphere 2"),
        Source("lpg-pump", LPG_GAS, (345.7, 72.1), "seal of pump 1"),
        Source("lpg-loading", LPG_GAS, (394.0, 86.9), "hose of loading bay 1"),
    )
    detection: ClassVar[Detection] = Detection(
        LPG_GAS, tuple(f"AT-{number}" for number in range(201, 211)), 100.0 / _LEL_MG_M3, "XA-201"
    )

    def __init__(self) -> None:
        self.cooling_runs = True
        self._tick = 0
        self._spheres = (
            _Sphere(8.4, ZERO_C_K + 17.0, ZERO_C_K + 18.0, ZERO_C_K + 18.6),
            _Sphere(9.0, ZERO_C_K + 17.5, ZERO_C_K + 18.8, ZERO_C_K + 19.4),
        )
        self.quantities: dict[str, float] = {
            "XV-201": 1, "XV-202": 1, "XV-203": 0, "XV-204": 1, "XS-201": 0, "HS-201": 0, "XA-201": 0, "PT-203": 0.82,
        }  # fmt: skip
        self._loading = 0.0
        self._show(Weather(0))

    def step(self, weather: Weather, leaks_kg_s: Mapping[str, float]) -> None:
        self._tick += 1
        wanted = 1.0 if self._tick % _CYCLE_S < _LOADING_S else 0.0
        self._loading += (wanted - self._loading) / _RAMP_S
        drawn_kg_s = self._loading * _LOADING_T_H / 3.6
        filled_kg_s = _LOADING_T_H / 3.6 * _LOADING_S / _CYCLE_S
        first, second = self._spheres
        first.step(weather.wall_k, filled_kg_s - drawn_kg_s - leaks_kg_s.get("lpg-sphere-1", 0.0))
        second.step(weather.wall_k + 0.3, -leaks_kg_s.get("lpg-sphere-2", 0.0))
        self._show(weather)

    def own_release_kg_s(self) -> Mapping[str, float]:
        return {}

    def _show(self, weather: Weather) -> None:
        shown = self.quantities
        for number, sphere in enumerate(self._spheres, 1):
            shown[f"PT-20{number}"] = sphere.pressure_mpa
            shown[f"TT-20{2 * number - 1}"] = sphere.liquid_k - ZERO_C_K
            shown[f"TT-20{2 * number}"] = sphere.vapour_k - ZERO_C_K
            shown[f"LT-20{2 * number - 1}"] = shown[f"LT-20{2 * number}"] = sphere.level_m
        shown["FT-201"] = self._loading * (_LOADING_T_H + 1.0 * math.sin(2 * math.pi * self._tick / 60.0))
        # A flat curve: the pump gives 0.85 MPa against the shut valve, 0.12 less at full flow.
        shown["PT-204"] = self._spheres[0].pressure_mpa + 0.85 - 0.12 * self._loading
        shown["IT-201"] = 66.0 + 22.0 * self._loading
        shown["VT-201"] = 2.1 + 0.3 * self._loading
        shown["WS-201"] = weather.speed_m_s
        shown["WD-201"] = weather.from_deg
