"""An ammonia refrigeration circuit that cools brine: two screw compressors, evaporator, condenser, receiver.

Three heat balances, stepped once a second: brine (heat load against evaporator), evaporator, condenser.

    evaporator:  C dTe/dt = UA (Tbrine - Te) - m h        m = swept volume * load * density of suction gas
    condenser:   C dTc/dt = m h + W - UA (Tc - Twater)    W = isentropic work / efficiency
    brine:       C dTb/dt = load - UA (Tbrine - Te)

Pressures are vapour pressures at Te and Tc; suction gas is ideal. The compressors' slides follow the brine's temperature.
Without cooling water the condenser heats up and its pressure rises until the package's own switch stops the
compressors, after some minutes; then the brine warms.

Source: ASHRAE Handbook, Refrigeration, chapter Ammonia refrigeration systems, for the circuit; the sizes are assumed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final

from hil_tests.rig.plant import sheets
from hil_tests.rig.plant.dispersion import AMMONIA_GAS, Source
from hil_tests.rig.plant.instrument import Instrument
from hil_tests.rig.plant.unit import Detection
from hil_tests.rig.plant.vapour import AMMONIA, GAS_CONSTANT, ZERO_C_K, gauge_mpa
from hil_tests.rig.plant.weather import Weather

_SITE: Final = "wuhai-chlor/nh3-cooling"
_HALL: Final = f"{_SITE}/compressor-hall"
_CONDENSER: Final = f"{_SITE}/condenser"
_BRINE: Final = f"{_SITE}/brine"

_LATENT_J_KG: Final = 1.29e6
_GAS_J_KG_K: Final = GAS_CONSTANT / AMMONIA.molar_kg
_ISENTROPIC: Final = 1.31
_EFFICIENCY: Final = 0.75
_SWEPT_M3_S: Final = 0.52
_BRINE_W_K: Final = 133e3
_BRINE_J_K: Final = 180e6
_EVAPORATOR_J_K: Final = 8e6
_CONDENSER_W_K: Final = 103e3
_CONDENSER_J_K: Final = 20e6
_CONDENSER_DRY_SHARE: Final = 0.04
"""What the condenser still gives away without water."""
_LOAD_W: Final = 800e3
_LOAD_SWING: Final = 0.08
_BRINE_WANTED_K: Final = ZERO_C_K - 10.0
_SLIDE_PER_K: Final = 0.2
_SLIDE_MIN: Final = 0.25
_SLIDE_S: Final = 30.0
_TRIP_MPA: Final = 2.0
_RESTART_MPA: Final = 1.45
_BRINE_FLOW_M3_H: Final = 320.0
_BRINE_J_M3_K: Final = 3.4e6
_AMPERES_PER_W: Final = 1.0 / (math.sqrt(3.0) * 380.0 * 0.88 * 0.93)
_IDLE_SHARE: Final = 0.15


class AmmoniaCooler:
    cooling: ClassVar[str] = "ammonia"
    instruments: ClassVar[tuple[Instrument, ...]] = (
        sheets.ammonia_detector("AT-401", _HALL, ("1 号压缩机氨气", "Ammonia, compressor 1"), (92.1, 231.5), 45),
        sheets.ammonia_detector("AT-402", _HALL, ("2 号压缩机氨气", "Ammonia, compressor 2"), (99.4, 230.0), 50),
        sheets.ammonia_detector("AT-403", _HALL, ("压缩机房东侧氨气", "Ammonia, hall, east"), (101.8, 235.5), 40),
        sheets.ammonia_detector("AT-404", _CONDENSER, ("贮氨器氨气", "Ammonia, receiver"), (107.3, 241.4), 45),
        sheets.ammonia_detector("AT-405", _CONDENSER, ("冷凝器氨气", "Ammonia, condenser"), (113.1, 241.9), 38),
        sheets.ammonia_detector("AT-406", _BRINE, ("蒸发器氨气", "Ammonia, evaporator"), (121.3, 244.6), 42),
        sheets.ammonia_detector("AT-407", _BRINE, ("盐水泵房氨气", "Ammonia, brine pumps"), (134.8, 247.6), 55),
        sheets.ammonia_detector("AT-408", _SITE, ("氨站东围界氨气", "Ammonia, east fence"), (152.6, 261.4), 40),
        sheets.pressure("PT-401", _HALL, ("吸气压力", "Suction pressure"), 1.0, -0.1),
        sheets.pressure("PT-402", _HALL, ("排气压力", "Discharge pressure"), 2.5),
        sheets.pressure("PT-403", _CONDENSER, ("贮氨器压力", "Pressure of the receiver"), 2.5),
        sheets.pressure("PT-404", _HALL, ("油压差", "Oil pressure above suction"), 1.0),
        sheets.temperature("TT-401", _HALL, ("吸气温度", "Suction gas"), -50, 50, 20),
        sheets.temperature("TT-402", _HALL, ("排气温度", "Discharge gas"), 0, 150, 20),
        sheets.temperature("TT-403", _BRINE, ("盐水供水温度", "Brine supply"), -40, 40, 20),
        sheets.temperature("TT-404", _BRINE, ("盐水回水温度", "Brine return"), -40, 40, 20),
        sheets.temperature("TT-405", _CONDENSER, ("冷却水出口温度", "Cooling water, outlet"), 0, 80, 20),
        sheets.temperature("TT-406", _CONDENSER, ("贮氨器液温", "Liquid in the receiver"), -20, 80),
        sheets.temperature("TT-407", _HALL, ("润滑油温度", "Oil"), 0, 120),
        sheets.level("LT-401", _CONDENSER, ("贮氨器液位", "Level of the receiver")),
        sheets.level("LT-402", _BRINE, ("低压循环桶液位", "Level of the surge drum")),
        sheets.current("IT-401", _HALL, ("1 号压缩机电流", "Current of compressor 1"), 400),
        sheets.current("IT-402", _HALL, ("2 号压缩机电流", "Current of compressor 2"), 400),
        sheets.flow("FT-401", _BRINE, ("盐水流量", "Brine"), "m3/h", 500),
        sheets.flow("FT-402", _CONDENSER, ("冷却水流量", "Cooling water"), "m3/h", 400),
        sheets.vibration("VT-401", _HALL, ("1 号压缩机振动", "Vibration of compressor 1")),
        sheets.state("XS-401", _HALL, ("1 号压缩机运行", "Compressor 1 runs")),
        sheets.state("XS-402", _HALL, ("2 号压缩机运行", "Compressor 2 runs")),
        sheets.state("XV-401", _CONDENSER, ("供液阀开", "Liquid valve open")),
        sheets.state("HS-401", _HALL, ("手动报警按钮", "Manual call point")),
        sheets.state("XA-401", _SITE, ("气体报警控制器故障", "Fault of the gas alarm controller")),
    )  # fmt: skip
    sources: ClassVar[tuple[Source, ...]] = (
        Source("nh3-compressor", AMMONIA_GAS, (90.0, 230.0), "shaft seal of compressor 1"),
        Source("nh3-receiver", AMMONIA_GAS, (105.0, 240.3), "gauge glass of the receiver"),
        Source("nh3-evaporator", AMMONIA_GAS, (119.0, 243.5), "flange of the evaporator"),
    )
    detection: ClassVar[Detection] = Detection(
        AMMONIA_GAS, tuple(f"AT-{number}" for number in range(401, 409)), 1.0, "XA-401"
    )

    def __init__(self) -> None:
        self.cooling_runs = True
        self._tick = 0
        self._brine_k = ZERO_C_K - 10.0
        self._evaporating_k = ZERO_C_K - 16.0
        self._condensing_k = ZERO_C_K + 34.0
        self._slide = 0.65
        self._runs = True
        self._charge_kg = 3000.0
        self.quantities: dict[str, float] = {"HS-401": 0, "XA-401": 0}
        self._show(Weather(0))

    def step(self, weather: Weather, leaks_kg_s: Mapping[str, float]) -> None:
        self._tick += 1
        self._charge_kg = max(0.0, self._charge_kg - sum(leaks_kg_s.get(each.name, 0.0) for each in self.sources))
        self._switch()
        wanted = 0.65 + _SLIDE_PER_K * (self._brine_k - _BRINE_WANTED_K)
        self._slide += (min(max(wanted, _SLIDE_MIN), 1.0) - self._slide) / _SLIDE_S
        mass_kg_s, work_w = self._compression()
        cooled_w = _BRINE_W_K * (self._brine_k - self._evaporating_k)
        rejected_w = self._condenser_w_k * (self._condensing_k - self._water_k(weather))
        self._evaporating_k += (cooled_w - mass_kg_s * _LATENT_J_KG) / _EVAPORATOR_J_K
        self._condensing_k += (mass_kg_s * _LATENT_J_KG + work_w - rejected_w) / _CONDENSER_J_K
        self._brine_k += (self._load_w() - cooled_w) / _BRINE_J_K
        # No brine is colder than what evaporates, nor warmer than the hall for long: the load comes from there.
        self._show(weather)

    def own_release_kg_s(self) -> Mapping[str, float]:
        return {}

    def _switch(self) -> None:
        """The package's own high-pressure switch, with a return band."""
        pressure_mpa = gauge_mpa(AMMONIA.vapour_mpa(self._condensing_k))
        if pressure_mpa > _TRIP_MPA:
            self._runs = False
        elif pressure_mpa < _RESTART_MPA and self.cooling_runs:
            self._runs = True

    def _load_w(self) -> float:
        """The consumers', which take less from a brine that is too warm for them."""
        swing = 1 + _LOAD_SWING * math.sin(2 * math.pi * self._tick / (3 * 3600.0))
        warm = min(max((ZERO_C_K + 10.0 - self._brine_k) / 20.0, 0.0), 1.0)
        return _LOAD_W * swing * warm

    def _compression(self) -> tuple[float, float]:
        """Mass flow kg/s, shaft power W."""
        if not self._runs:
            return 0.0, 0.0
        suction_mpa = AMMONIA.vapour_mpa(self._evaporating_k)
        suction_k = self._evaporating_k + 5.0
        density_kg_m3 = suction_mpa * 1e6 / (_GAS_J_KG_K * suction_k)
        mass_kg_s = _SWEPT_M3_S * self._slide * density_kg_m3
        power = (_ISENTROPIC - 1) / _ISENTROPIC
        growth = (AMMONIA.vapour_mpa(self._condensing_k) / suction_mpa) ** power - 1
        return mass_kg_s, mass_kg_s * _GAS_J_KG_K * suction_k * growth / power / _EFFICIENCY

    @property
    def _condenser_w_k(self) -> float:
        return _CONDENSER_W_K if self.cooling_runs else _CONDENSER_W_K * _CONDENSER_DRY_SHARE

    @staticmethod
    def _water_k(weather: Weather) -> float:
        """From a cooling tower: a part of the day's swing."""
        return ZERO_C_K + 24.0 + 0.3 * (weather.air_k - (ZERO_C_K + 16.0))

    def _show(self, weather: Weather) -> None:
        shown, (mass_kg_s, work_w) = self.quantities, self._compression()
        runs = float(self._runs)
        suction, discharge = (gauge_mpa(AMMONIA.vapour_mpa(each)) for each in (self._evaporating_k, self._condensing_k))
        shown["PT-401"], shown["PT-402"] = suction, discharge + 0.02 * runs
        shown["PT-403"] = discharge
        shown["PT-404"] = 0.25 * runs
        shown["TT-401"] = self._evaporating_k - ZERO_C_K + 5.0
        # Injected oil takes most of the heat of compression out of a screw compressor.
        heating_k = work_w / (mass_kg_s * _GAS_J_KG_K * _ISENTROPIC / (_ISENTROPIC - 1)) if self._runs else 0.0
        shown["TT-402"] = self._evaporating_k - ZERO_C_K + 5.0 + 0.45 * heating_k if self._runs else 35.0
        shown["TT-403"] = self._brine_k - ZERO_C_K
        shown["TT-404"] = self._brine_k - ZERO_C_K + self._load_w() / (_BRINE_FLOW_M3_H / 3600.0 * _BRINE_J_M3_K)
        water_k, rejected_k = self._water_k(weather), self._condensing_k - self._water_k(weather)
        shown["TT-405"] = water_k - ZERO_C_K + 0.5 * rejected_k
        shown["TT-406"] = self._condensing_k - ZERO_C_K - 2.0
        shown["TT-407"] = 42.0 + 0.5 * (shown["TT-402"] - 60.0) * runs
        shown["LT-401"] = 55.0 * self._charge_kg / 3000.0 + 15.0 * (0.65 - self._slide)
        shown["LT-402"] = 45.0 + 10.0 * (self._slide - 0.65)
        amperes = (work_w / 2 * (1 - _IDLE_SHARE) + _IDLE_SHARE * 130e3) * _AMPERES_PER_W * runs
        shown["IT-401"], shown["IT-402"] = amperes * 1.01, amperes * 0.99
        shown["FT-401"] = _BRINE_FLOW_M3_H
        shown["FT-402"] = 210.0 if self.cooling_runs else 0.0
        shown["VT-401"] = 3.1 * runs
        shown["XS-401"] = shown["XS-402"] = shown["XV-401"] = runs
