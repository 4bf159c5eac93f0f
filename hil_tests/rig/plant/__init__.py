"""The plant behind the rig's devices: wind, gas, tanks, a refrigeration circuit, a reactor, and 120 instruments.

Others import from here only. ``Plant`` is the whole park; ``INSTRUMENTS``, ``SOURCES`` and ``COOLED_UNITS`` are what it
has; the commands are values, or words through ``parse_plant_command``. docs/how-to/plant.md tells what it models.
"""

from __future__ import annotations

from hil_tests.rig.plant.instrument import Instrument
from hil_tests.rig.plant.orders import (
    PLANT_USAGES,
    CloseCircuit,
    CoolingBack,
    CoolingFails,
    FreeWind,
    Freeze,
    Leak,
    OpenCircuit,
    PlantCommand,
    SetWind,
    StopLeak,
    Unfreeze,
    parse_plant_command,
)
from hil_tests.rig.plant.plant import COOLED_UNITS, INSTRUMENTS, SOURCES, STEP_NS, Plant

__all__ = [
    "COOLED_UNITS",
    "INSTRUMENTS",
    "PLANT_USAGES",
    "SOURCES",
    "STEP_NS",
    "CloseCircuit",
    "CoolingBack",
    "CoolingFails",
    "FreeWind",
    "Freeze",
    "Instrument",
    "Leak",
    "OpenCircuit",
    "Plant",
    "PlantCommand",
    "SetWind",
    "StopLeak",
    "Unfreeze",
    "parse_plant_command",
]
