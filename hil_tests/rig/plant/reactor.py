"""A jacketed reactor with an exothermic reaction, which runs away when its cooling fails.

A continuous stirred tank with a first-order reaction (Arrhenius) and three balances, stepped ten times a second inside:

    monomer:  dC/dt  = (Cfeed - C) / tau - k C            k = k60 exp(E/R (1/T60 - 1/T))
    reactor:  dT/dt  = (Tfeed - T) / tau + H k C / (rho c) - u (T - Tj) - relief
    jacket:   dTj/dt = w (Tin - Tj) + v (T - Tj)          w from the coolant valve, which a PI controller moves

The pressure is the vapour pressure of water and monomer, of the latter as long as there is a monomer phase. At normal load heat of reaction
and cooling balance near 60 degC. Without coolant the temperature grows exponentially; with full coolant again it comes
back from below about 75 degC, and does not from above: what then ends it is the relief valve, sized to hold the
pressure by boiling monomer off (DIERS, tempered system). Trips of the feed are somebody else's to model: none acts here.

Sources: O. Levenspiel, Chemical Reaction Engineering, chapter 9, and R. Aris, N. R. Amundson, Chem. Eng. Sci. 7 (1958)
121, for balances and stability; heat of polymerisation of vinyl chloride 96 kJ/mol. The rate is chosen so that the
time from failure to relief is some minutes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final

from hil_tests.rig.plant import sheets
from hil_tests.rig.plant.dispersion import MONOMER_GAS, Source
from hil_tests.rig.plant.instrument import Instrument
from hil_tests.rig.plant.unit import Detection
from hil_tests.rig.plant.vapour import ATMOSPHERE_MPA, GAS_CONSTANT, VINYL_CHLORIDE, WATER, ZERO_C_K, gauge_mpa
from hil_tests.rig.plant.weather import Weather

_SITE: Final = "wuhai-lpg/reactor"
_VESSEL: Final = f"{_SITE}/vessel"
_JACKET: Final = f"{_SITE}/jacket"
_FEED: Final = f"{_SITE}/feed"

_LEL_MG_M3: Final = 94_000.0
"""Vinyl chloride, 3.6 %vol (IEC 60079-20-1)."""
_MOLAR_KG: Final = VINYL_CHLORIDE.molar_kg
_VOLUME_M3: Final = 10.0
_RESIDENCE_S: Final = 1800.0
_FEED_MOL_M3: Final = 8000.0
_FEED_K: Final = ZERO_C_K + 30.0
_REACTION_J_MOL: Final = 96_000.0
_HEAT_J_M3_K: Final = 3.75e6
_ACTIVATION_K: Final = 90_000.0 / GAS_CONSTANT
_RATE_AT_60_1_S: Final = 3.0e-4
_WANTED_K: Final = ZERO_C_K + 60.0
_TO_JACKET_1_S: Final = 0.0029
_FROM_REACTOR_1_S: Final = 0.0125
"""The same heat flow in terms of the jacket's smaller capacity."""
_COOLANT_K: Final = ZERO_C_K + 25.0
_COOLANT_FULL_1_S: Final = 0.05
_COOLANT_FULL_M3_H: Final = 180.0
_AGITATION_1_S: Final = 0.0002
_GAIN_PER_K: Final = 0.06
_INTEGRAL_S: Final = 400.0
_VALVE_S: Final = 8.0
_RELIEF_MPA: Final = 1.6
_RELIEF_FULL_MPA: Final = 1.76
_RELIEF_KG_S: Final = 45.0
_LATENT_J_KG: Final = 355e3
_TWO_PHASES_MOL_M3: Final = 1500.0
_STEPS_PER_S: Final = 10


class Reactor:
    cooling: ClassVar[str] = "reactor"
    instruments: ClassVar[tuple[Instrument, ...]] = (
        sheets.combustible_detector("AT-301", _VESSEL, ("反应釜顶可燃气体", "Vinyl chloride, top of the vessel"), (322.7, 231.3), 10),
        sheets.combustible_detector("AT-302", _VESSEL, ("安全阀可燃气体", "Vinyl chloride, relief valve"), (324.7, 236.6), 12),
        sheets.combustible_detector("AT-303", _FEED, ("进料泵可燃气体", "Vinyl chloride, feed pump"), (316.2, 221.6), 9),
        sheets.combustible_detector("AT-304", _SITE, ("厂房东侧可燃气体", "Vinyl chloride, building, east"), (337.3, 240.3), 13),
        sheets.temperature("TT-301", _VESSEL, ("釜中部温度", "Reactor, middle"), 0, 150, 10),
        sheets.temperature("TT-302", _VESSEL, ("釜底部温度", "Reactor, bottom"), 0, 150, 10),
        sheets.temperature("TT-303", _JACKET, ("夹套进水温度", "Jacket, inlet"), 0, 100, 15),
        sheets.temperature("TT-304", _JACKET, ("夹套出水温度", "Jacket, outlet"), 0, 100, 15),
        sheets.temperature("TT-305", _FEED, ("进料温度", "Feed"), 0, 100, 15),
        sheets.pressure("PT-301", _VESSEL, ("釜压力", "Pressure of the reactor"), 2.5),
        sheets.pressure("PT-302", _JACKET, ("冷却水总管压力", "Coolant header"), 1.0),
        sheets.pressure("PT-303", _FEED, ("进料泵出口压力", "Discharge of the feed pump"), 4.0),
        sheets.flow("FT-301", _JACKET, ("夹套冷却水流量", "Coolant"), "m3/h", 200),
        sheets.flow("FT-302", _FEED, ("进料流量", "Feed"), "m3/h", 40),
        sheets.level("LT-301", _VESSEL, ("釜液位", "Level of the reactor")),
        sheets.current("IT-301", _VESSEL, ("搅拌电流", "Current of the agitator"), 200),
        Instrument("ST-301", "r/min", 0, 200, 0.1, 0.2, 1, _VESSEL, "搅拌转速", "Speed of the agitator", drift_sd=0.1),
        sheets.vibration("VT-301", _VESSEL, ("搅拌减速机振动", "Vibration of the agitator's gear")),
        sheets.state("XV-301", _JACKET, ("冷却水切断阀开", "Coolant shut-off valve open")),
        sheets.state("XV-302", _FEED, ("进料阀开", "Feed valve open")),
        sheets.state("XV-303", _VESSEL, ("安全阀起跳", "Relief valve open")),
        sheets.state("XS-301", _VESSEL, ("搅拌运行", "Agitator runs")),
        sheets.state("HS-301", _VESSEL, ("手动报警按钮", "Manual call point")),
        sheets.state("XA-301", _SITE, ("气体报警控制器故障", "Fault of the gas alarm controller")),
    )  # fmt: skip
    sources: ClassVar[tuple[Source, ...]] = (
        Source("vc-reactor", MONOMER_GAS, (320.0, 230.0), "agitator seal of the reactor"),
        Source("vc-relief", MONOMER_GAS, (320.6, 235.8), "relief valve's stack"),
        Source("vc-feed-pump", MONOMER_GAS, (313.5, 220.3), "seal of the feed pump"),
    )
    detection: ClassVar[Detection] = Detection(
        MONOMER_GAS, tuple(f"AT-30{number}" for number in range(1, 5)), 100.0 / _LEL_MG_M3, "XA-301"
    )

    def __init__(self) -> None:
        self.cooling_runs = True
        self._tick = 0
        self._temperature_k = _WANTED_K
        self._monomer_mol_m3 = _FEED_MOL_M3 / (1 + _RATE_AT_60_1_S * _RESIDENCE_S)
        self._jacket_k = ZERO_C_K + 52.0
        self._coolant_k = _COOLANT_K
        self._valve = 0.07
        self._integral = 0.07
        self._relief_kg_s = 0.0
        self.quantities: dict[str, float] = {"XV-302": 1, "XS-301": 1, "HS-301": 0, "XA-301": 0}
        self._show()

    def step(self, weather: Weather, leaks_kg_s: Mapping[str, float]) -> None:
        self._tick += 1
        self._coolant_k = _COOLANT_K + 0.2 * (weather.air_k - (ZERO_C_K + 16.0))
        lost_mol_m3 = sum(leaks_kg_s.get(each.name, 0.0) for each in self.sources) / _MOLAR_KG / _VOLUME_M3
        self._monomer_mol_m3 = max(0.0, self._monomer_mol_m3 - lost_mol_m3)
        for _ in range(_STEPS_PER_S):
            self._control(1.0 / _STEPS_PER_S)
            self._balance(1.0 / _STEPS_PER_S)
        self._show()

    def own_release_kg_s(self) -> Mapping[str, float]:
        return {"vc-relief": self._relief_kg_s} if self._relief_kg_s else {}

    @property
    def pressure_mpa(self) -> float:
        """Gauge: monomer, in proportion to what is left once its phase is gone, and the water that it is suspended in."""
        share = min(1.0, self._monomer_mol_m3 / _TWO_PHASES_MOL_M3)
        vapour_mpa = share * VINYL_CHLORIDE.vapour_mpa(self._temperature_k) + WATER.vapour_mpa(self._temperature_k)
        return gauge_mpa(max(ATMOSPHERE_MPA, vapour_mpa))

    def _control(self, seconds: float) -> None:
        """A PI controller on the coolant valve, with limits on its integral."""
        error_k = self._temperature_k - _WANTED_K
        self._integral = min(max(self._integral + _GAIN_PER_K * error_k * seconds / _INTEGRAL_S, 0.0), 1.0)
        wanted = min(max(self._integral + _GAIN_PER_K * error_k, 0.0), 1.0)
        self._valve += (wanted - self._valve) * seconds / _VALVE_S

    def _balance(self, seconds: float) -> None:
        reactor_k, jacket_k, monomer = self._temperature_k, self._jacket_k, self._monomer_mol_m3
        rate_1_s = _RATE_AT_60_1_S * math.exp(_ACTIVATION_K * (1 / _WANTED_K - 1 / reactor_k))
        reacted_mol_m3_s = rate_1_s * monomer
        self._relief_kg_s = self._relief()
        coolant_1_s = _COOLANT_FULL_1_S * self._valve if self.cooling_runs else 0.0
        heating_k_s = (
            (_FEED_K - reactor_k) / _RESIDENCE_S
            + reacted_mol_m3_s * _REACTION_J_MOL / _HEAT_J_M3_K
            + _AGITATION_1_S
            - _TO_JACKET_1_S * (reactor_k - jacket_k)
            - self._relief_kg_s * _LATENT_J_KG / (_VOLUME_M3 * _HEAT_J_M3_K)
        )
        vented_mol_m3_s = self._relief_kg_s / _MOLAR_KG / _VOLUME_M3
        fed_mol_m3_s = (_FEED_MOL_M3 - monomer) / _RESIDENCE_S
        self._temperature_k += heating_k_s * seconds
        self._monomer_mol_m3 = max(0.0, monomer + (fed_mol_m3_s - reacted_mol_m3_s - vented_mol_m3_s) * seconds)
        self._jacket_k += (
            coolant_1_s * (self._coolant_k - jacket_k) + _FROM_REACTOR_1_S * (reactor_k - jacket_k)
        ) * seconds

    def _relief(self) -> float:
        """Opens in proportion between set pressure and 10 % above it."""
        opening = (self.pressure_mpa - _RELIEF_MPA) / (_RELIEF_FULL_MPA - _RELIEF_MPA)
        return _RELIEF_KG_S * min(max(opening, 0.0), 1.0)

    def _show(self) -> None:
        shown = self.quantities
        temperature_c = self._temperature_k - ZERO_C_K
        stirring = math.sin(2 * math.pi * self._tick / 37.0)
        shown["TT-301"] = temperature_c
        shown["TT-302"] = temperature_c - 0.3 + 0.05 * stirring
        shown["TT-303"] = self._coolant_k - ZERO_C_K
        shown["TT-304"] = self._jacket_k - ZERO_C_K
        shown["TT-305"] = _FEED_K - ZERO_C_K
        shown["PT-301"] = self.pressure_mpa
        shown["PT-302"] = 0.45 - 0.08 * self._valve if self.cooling_runs else 0.03
        shown["PT-303"] = max(self.pressure_mpa, 0.8) + 0.6
        shown["FT-301"] = _COOLANT_FULL_M3_H * self._valve if self.cooling_runs else 0.0
        shown["FT-302"] = _VOLUME_M3 / _RESIDENCE_S * 3600.0
        shown["LT-301"] = 68.0 + 0.5 * stirring
        # Conversion thickens the slurry.
        conversion = 1 - self._monomer_mol_m3 / _FEED_MOL_M3
        shown["IT-301"] = 85.0 + 30.0 * (conversion - 0.35) + 0.5 * stirring
        shown["ST-301"] = 90.0
        shown["VT-301"] = 1.8
        shown["XV-301"] = float(self.cooling_runs)
        shown["XV-303"] = float(self._relief_kg_s > 0)
