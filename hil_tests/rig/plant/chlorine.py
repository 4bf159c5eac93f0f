"""The chlorine store: three tanks under the vapour pressure of chlorine, two evaporators, a scrubber, eight detectors.

A tank's temperature follows the tank room within hours, its pressure is the vapour pressure at that temperature plus the
dry air that was padded in. Liquefaction fills what the consumer draws, not at the same moment, so levels move.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar, Final

from hil_tests.rig.plant import sheets
from hil_tests.rig.plant.dispersion import CHLORINE_GAS, Source
from hil_tests.rig.plant.instrument import Instrument
from hil_tests.rig.plant.unit import Detection
from hil_tests.rig.plant.vapour import CHLORINE, ZERO_C_K, gauge_mpa
from hil_tests.rig.plant.weather import Weather

_STORE: Final = "wuhai-chlor/cl2-store"
_ROOM: Final = f"{_STORE}/tank-room"
_EVAPORATOR: Final = f"{_STORE}/evaporator"
_LOADING: Final = f"{_STORE}/loading"
_SCRUBBER: Final = f"{_STORE}/scrubber"

_TANKS: Final = (("a", "101"), ("b", "102"), ("c", "103"))
_CAPACITY_KG: Final = 50_000.0
_DRAWN_KG_H: Final = 840.0
_PADDING_MPA: Final = 0.03
_ROOM_MEAN_K: Final = ZERO_C_K + 19.0
_ROOM_FOLLOWS: Final = 0.3
"""Share of the day's swing that gets through the walls."""
_TANK_TAU_S: Final = 5 * 3600.0
_HOUR_S: Final = 3600.0


class ChlorineStore:
    cooling: ClassVar[str] = ""
    instruments: ClassVar[tuple[Instrument, ...]] = (
        sheets.chlorine_detector("AT-101", _ROOM, ("罐区 A 罐阀组氯气", "Chlorine, tank A valves"), (122.3, 111.1), 30),
        sheets.chlorine_detector("AT-102", _ROOM, ("罐区 B 罐阀组氯气", "Chlorine, tank B valves"), (131.3, 114.2), 27),
        sheets.chlorine_detector("AT-103", _ROOM, ("罐区 C 罐阀组氯气", "Chlorine, tank C valves"), (141.1, 121.5), 32),
        sheets.chlorine_detector("AT-104", _EVAPORATOR, ("1 号汽化器氯气", "Chlorine, evaporator 1"), (155.7, 123.3), 28),
        sheets.chlorine_detector("AT-105", _EVAPORATOR, ("2 号汽化器氯气", "Chlorine, evaporator 2"), (154.6, 130.5), 35),
        sheets.chlorine_detector("AT-106", _LOADING, ("卸车臂氯气", "Chlorine, unloading arm"), (104.3, 124.7), 30),
        sheets.chlorine_detector("AT-107", _LOADING, ("钢瓶间氯气", "Chlorine, cylinder hall"), (175.2, 133.5), 25),
        sheets.chlorine_detector("AT-108", _SCRUBBER, ("吸收塔出口氯气", "Chlorine, scrubber outlet"), (195.8, 148.6), 40),
        sheets.pressure("PT-101", _ROOM, ("A 罐压力", "Pressure of tank A"), 1.6),
        sheets.pressure("PT-102", _ROOM, ("B 罐压力", "Pressure of tank B"), 1.6),
        sheets.pressure("PT-103", _ROOM, ("C 罐压力", "Pressure of tank C"), 1.6),
        sheets.temperature("TT-101", _ROOM, ("A 罐温度", "Temperature of tank A"), -40, 80),
        sheets.temperature("TT-102", _ROOM, ("B 罐温度", "Temperature of tank B"), -40, 80),
        sheets.temperature("TT-103", _ROOM, ("C 罐温度", "Temperature of tank C"), -40, 80),
        sheets.level("LT-101", _ROOM, ("A 罐液位", "Level of tank A")),
        sheets.level("LT-102", _ROOM, ("B 罐液位", "Level of tank B")),
        sheets.level("LT-103", _ROOM, ("C 罐液位", "Level of tank C")),
        sheets.flow("FT-101", _EVAPORATOR, ("送氯流量", "Chlorine to the consumers"), "kg/h", 2000),
        sheets.temperature("TT-104", _EVAPORATOR, ("1 号汽化器水浴温度", "Water bath of evaporator 1"), 0, 120),
        Instrument("PT-104", "Pa", -2000, 500, 1, 10, 1, _SCRUBBER, "吸收塔负压", "Draught at the scrubber", drift_sd=10),
        Instrument("AT-109", "pH", 0, 14, 0.01, 0.01, 10, _SCRUBBER, "吸收碱液 pH", "Lye of the scrubber", drift_sd=0.02),
        sheets.level("LT-104", _SCRUBBER, ("碱液罐液位", "Lye tank")),
        sheets.current("IT-101", _SCRUBBER, ("吸收风机电流", "Current of the scrubber fan"), 100),
        sheets.wind_speed("WS-101", _STORE, ("风速", "Wind speed on the mast")),
        sheets.wind_direction("WD-101", _STORE, ("风向", "Wind direction on the mast")),
        sheets.state("XV-101", _ROOM, ("A 罐切断阀开", "Shut-off valve of tank A open")),
        sheets.state("XV-102", _ROOM, ("B 罐切断阀开", "Shut-off valve of tank B open")),
        sheets.state("XV-103", _ROOM, ("C 罐切断阀开", "Shut-off valve of tank C open")),
        sheets.state("XS-101", _SCRUBBER, ("吸收风机运行", "Scrubber fan runs")),
        sheets.state("HS-101", _ROOM, ("手动报警按钮", "Manual call point")),
        sheets.state("XA-101", _STORE, ("气体报警控制器故障", "Fault of the gas alarm controller")),
    )  # fmt: skip
    sources: ClassVar[tuple[Source, ...]] = (
        Source("cl2-tank-a", CHLORINE_GAS, (120.0, 110.0), "gland of tank A's shut-off valve"),
        Source("cl2-tank-b", CHLORINE_GAS, (129.0, 113.1), "gland of tank B's shut-off valve"),
        Source("cl2-tank-c", CHLORINE_GAS, (138.9, 120.4), "gland of tank C's shut-off valve"),
        Source("cl2-evaporator", CHLORINE_GAS, (152.1, 121.6), "flange of evaporator 1"),
        Source("cl2-unloading", CHLORINE_GAS, (101.1, 122.1), "swivel of the unloading arm"),
    )
    detection: ClassVar[Detection] = Detection(
        CHLORINE_GAS, tuple(f"AT-10{number}" for number in range(1, 9)), 1.0, "XA-101"
    )

    def __init__(self) -> None:
        self.cooling_runs = True
        self._tick = 0
        self._tank_k = [ZERO_C_K + 18.4, ZERO_C_K + 19.0, ZERO_C_K + 19.8]
        self._tank_kg = [0.56 * _CAPACITY_KG, 0.60 * _CAPACITY_KG, 0.64 * _CAPACITY_KG]
        self.quantities: dict[str, float] = {
            "XV-101": 1,
            "XV-102": 1,
            "XV-103": 0,
            "XS-101": 1,
            "HS-101": 0,
            "XA-101": 0,
        }
        self._show(Weather(0))

    def step(self, weather: Weather, leaks_kg_s: Mapping[str, float]) -> None:
        self._tick += 1
        room_k = _ROOM_MEAN_K + _ROOM_FOLLOWS * (weather.air_k - (ZERO_C_K + 16.0))
        for index, (name, _) in enumerate(_TANKS):
            self._tank_k[index] += (room_k + 0.5 * (index - 1) - self._tank_k[index]) / _TANK_TAU_S
            lost_kg = leaks_kg_s.get(f"cl2-tank-{name}", 0.0)
            self._tank_kg[index] = max(0.0, self._tank_kg[index] + self._filled_kg_s(index) - lost_kg)
        self._show(weather)

    def own_release_kg_s(self) -> Mapping[str, float]:
        return {}

    def _filled_kg_s(self, index: int) -> float:
        """Liquefaction less consumption. Tanks A and B take turns of hours, tank C is shut."""
        if index == 2:
            return 0.0
        turn = math.sin(2 * math.pi * self._tick / (6 * _HOUR_S) + math.pi * index)
        return 0.9 * turn * _DRAWN_KG_H / _HOUR_S

    def _show(self, weather: Weather) -> None:
        shown, tick = self.quantities, self._tick
        for (_, number), temperature_k, mass_kg in zip(_TANKS, self._tank_k, self._tank_kg, strict=True):
            shown[f"TT-{number}"] = temperature_k - ZERO_C_K
            shown[f"PT-{number}"] = gauge_mpa(CHLORINE.vapour_mpa(temperature_k)) + _PADDING_MPA
            shown[f"LT-{number}"] = 100.0 * mass_kg / _CAPACITY_KG
        hunting = math.sin(2 * math.pi * tick / 20.0)
        shown["FT-101"] = _DRAWN_KG_H + 25.0 * math.sin(2 * math.pi * tick / 45.0)
        shown["TT-104"] = 72.0 + 0.8 * math.sin(2 * math.pi * tick / 90.0)
        shown["PT-104"] = -650.0 + 30.0 * hunting
        shown["IT-101"] = 41.5 - 0.4 * hunting
        shown["AT-109"] = 12.6 + 0.1 * math.cos(2 * math.pi * tick / (8 * _HOUR_S))
        shown["LT-104"] = 71.0 + 2.0 * math.cos(2 * math.pi * tick / (12 * _HOUR_S))
        shown["WS-101"] = weather.speed_m_s
        shown["WD-101"] = weather.from_deg
