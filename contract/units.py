"""Units of measurement: a closed list, so that "mg/m3", "mg/m³" and "mg/m^3" cannot be three units.

``symbol`` is what configuration files and events carry; ``ucum`` is the code of the Unified Code for Units of Measure
(UCUM 2.1) for programs that exchange data with others; None where UCUM has no such unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Unit:
    symbol: str
    ucum: str | None
    quantity: str


_ALL: Final = (
    Unit("1", "1", "number"),
    Unit("%", "%", "ratio"),
    Unit("%LEL", None, "combustible gas, share of the lower explosive limit"),
    Unit("LEL.m", None, "combustible gas along an open path"),
    Unit("%vol", "%{vol}", "gas concentration by volume"),
    Unit("ppm", "[ppm]", "gas concentration by volume"),
    Unit("ppb", "[ppb]", "gas concentration by volume"),
    Unit("mg/m3", "mg/m3", "gas concentration by mass"),
    Unit("Pa", "Pa", "pressure"),
    Unit("kPa", "kPa", "pressure"),
    Unit("MPa", "MPa", "pressure"),
    Unit("bar", "bar", "pressure"),
    Unit("degC", "Cel", "temperature"),
    Unit("K", "K", "temperature"),
    Unit("m", "m", "length, level"),
    Unit("mm", "mm", "length, level"),
    Unit("kg/h", "kg/h", "mass flow"),
    Unit("t/h", "t/h", "mass flow"),
    Unit("m3/h", "m3/h", "volume flow"),
    Unit("L/min", "L/min", "volume flow"),
    Unit("kg", "kg", "mass"),
    Unit("t", "t", "mass"),
    Unit("m3", "m3", "volume"),
    Unit("m/s", "m/s", "speed"),
    Unit("mm/s", "mm/s", "vibration"),
    Unit("deg", "deg", "angle, wind direction"),
    Unit("r/min", "{rev}/min", "rotation"),
    Unit("A", "A", "current"),
    Unit("mA", "mA", "current"),
    Unit("V", "V", "voltage"),
    Unit("kW", "kW", "power"),
    Unit("Hz", "Hz", "frequency"),
    Unit("s", "s", "time"),
    Unit("pH", "[pH]", "acidity"),
    Unit("uS/cm", "uS/cm", "conductivity"),
    Unit("%RH", "%{RH}", "relative humidity"),
    Unit("lx", "lx", "illuminance"),
    Unit("uSv/h", "uSv/h", "dose rate"),
    Unit("state", None, "discrete state"),
)

UNITS: Final = {unit.symbol: unit for unit in _ALL}
