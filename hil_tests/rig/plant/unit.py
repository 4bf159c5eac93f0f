"""What every unit of the plant is for ``Plant``: its instruments, the places where it may leak, and a step of a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

from hil_tests.rig.plant.dispersion import Gas, Source
from hil_tests.rig.plant.instrument import Instrument
from hil_tests.rig.plant.weather import Weather


@dataclass(frozen=True, slots=True)
class Detection:
    """The unit's gas detectors: ``per_mg_m3`` is what one mg/m3 of ``gas`` is in their unit."""

    gas: Gas
    tags: tuple[str, ...]
    per_mg_m3: float
    controller_fault_tag: str
    """1 while the wire of any of them is broken."""


class Unit(Protocol):
    """A part of the plant with a physics of its own.

    ``quantities`` holds what is in front of each instrument that is no gas detector, after every ``step``, and from the
    beginning on. ``cooling`` is the name by which its cooling is told to fail; "" where it has none.
    """

    cooling: ClassVar[str]
    instruments: ClassVar[tuple[Instrument, ...]]
    sources: ClassVar[tuple[Source, ...]]
    detection: ClassVar[Detection]
    quantities: dict[str, float]
    cooling_runs: bool

    def step(self, weather: Weather, leaks_kg_s: Mapping[str, float]) -> None:
        """One second on. ``leaks_kg_s`` by source, none of 0."""
        ...

    def own_release_kg_s(self) -> Mapping[str, float]:
        """What the unit lets out by itself now, by source: a relief valve that blows."""
        ...
