"""The simulated park: four units under one wind, and the instruments that watch them.

Pure and deterministic: time since the start goes in, numbers come out. Every process that plays a device holds a copy;
copies with the same seed that are told the same commands for the same moments show the same numbers, bit for bit on one
kind of machine, however often they are asked and whichever instruments they keep. So no device needs to talk to another, and a
test can compare what arrived with what was really there.

Leaks move in steps of 0.1 s, everything else in steps of 1 s; an instrument's lag is exact between.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from hil_tests.rig.plant import orders
from hil_tests.rig.plant.ammonia import AmmoniaCooler
from hil_tests.rig.plant.chlorine import ChlorineStore
from hil_tests.rig.plant.dispersion import PUFF_STEPS, Cloud, Source
from hil_tests.rig.plant.instrument import DRIFT_STEPS, STEP_S, Instrument, Meter
from hil_tests.rig.plant.lpg import LpgSpheres
from hil_tests.rig.plant.orders import PlantCommand
from hil_tests.rig.plant.reactor import Reactor
from hil_tests.rig.plant.unit import Unit
from hil_tests.rig.plant.weather import Weather
from hil_tests.rig.words import CommandError

STEP_NS: Final = 100_000_000
_TICK_STEPS: Final = 10
_UNITS: Final[tuple[type[Unit], ...]] = (ChlorineStore, LpgSpheres, AmmoniaCooler, Reactor)

INSTRUMENTS: Final[Mapping[str, Instrument]] = MappingProxyType(
    {each.tag: each for unit in _UNITS for each in unit.instruments}
)
"""All of the park's, by tag."""
SOURCES: Final[Mapping[str, Source]] = MappingProxyType({each.name: each for unit in _UNITS for each in unit.sources})
"""Where gas may escape, by the name that ``leak`` takes."""
COOLED_UNITS: Final = tuple(unit.cooling for unit in _UNITS if unit.cooling)


class Plant:
    """One copy of the park, at 0 s when made."""

    def __init__(self, seed: int, only: Iterable[str] | None = None) -> None:
        """``only``: the tags that this copy is asked for; the physics is the same. Raises KeyError for an unknown tag."""
        tags = INSTRUMENTS if only is None else dict.fromkeys(only)
        self.instruments: Mapping[str, Instrument] = MappingProxyType({tag: INSTRUMENTS[tag] for tag in tags})
        self._weather = Weather(seed)
        self._units = tuple(unit() for unit in _UNITS)
        self._clouds = tuple(_cloud(unit) for unit in self._units)
        self._leaks_kg_s: dict[str, float] = {}
        self._open_circuits: set[str] = set()
        first = {tag: number for unit in self._units for tag, number in unit.quantities.items()}
        self._meters = {tag: Meter(sheet, seed, first.get(tag, 0.0)) for tag, sheet in self.instruments.items()}
        self._step = 0
        self._orders: list[tuple[int, int, int, PlantCommand]] = []
        self._ordered = 0

    @property
    def t_ns(self) -> int:
        """How far the plant has come: whole steps since the start."""
        return self._step * STEP_NS

    def advance(self, t_ns: int) -> None:
        """To the last whole step at or before ``t_ns``; an earlier moment than the last one changes nothing."""
        wanted = t_ns // STEP_NS
        while self._step < wanted:
            self._to(min(wanted, self._next_step()))

    def value(self, tag: str) -> float:
        """What the instrument shows now; NaN while its circuit is open. Raises KeyError for a tag that is not kept."""
        return self._meters[tag].value(self._step)

    def truth(self, tag: str) -> float:
        """The quantity in front of the instrument now, in the instrument's unit."""
        return self._meters[tag].truth

    def apply(self, command: PlantCommand, t_ns: int) -> int:
        """To be obeyed at the first step at or after ``t_ns``, or at the next one if that has passed.

        Gives the moment of that step. Copies agree if they all are told before that moment. Commands of one step are
        obeyed in the order of their moments, those of one moment in the order in which they were told.
        Raises CommandError for a name that does not exist, and then nothing is changed.
        """
        _check(command)
        step = max(-(-t_ns // STEP_NS), self._step + 1)
        self._ordered += 1
        insort(self._orders, (step, t_ns, self._ordered, command), key=lambda order: order[:3])
        return step * STEP_NS

    def _next_step(self) -> int:
        """The next one at which something can happen."""
        if self._has_gas():
            return self._step + 1
        tick = (self._step // _TICK_STEPS + 1) * _TICK_STEPS
        return min(tick, self._orders[0][0]) if self._orders else tick

    def _to(self, step: int) -> None:
        self._step = step
        while self._orders and self._orders[0][0] <= step:
            self._obey(self._orders.pop(0)[3])
        had_gas = self._has_gas()
        if step % _TICK_STEPS == 0:
            self._tick()
        if had_gas or self._has_gas():
            self._carry_gas()
        if step % DRIFT_STEPS == 0:
            for meter in self._meters.values():
                meter.drift(step)

    def _tick(self) -> None:
        self._weather.step()
        for unit in self._units:
            unit.step(self._weather, self._leaks_kg_s)
            fault = any(tag in self._open_circuits for tag in unit.detection.tags)
            unit.quantities[unit.detection.controller_fault_tag] = float(fault)
            for tag, number in unit.quantities.items():
                if tag in self._meters:
                    self._meters[tag].see(number, self._step)

    def _has_gas(self) -> bool:
        return bool(self._leaks_kg_s or any(not cloud.is_empty for cloud in self._clouds) or self._releases())

    def _releases(self) -> dict[str, float]:
        """kg/s by source, leaks and relief valves together."""
        total = dict(self._leaks_kg_s)
        for unit in self._units:
            for name, rate_kg_s in unit.own_release_kg_s().items():
                total[name] = total.get(name, 0.0) + rate_kg_s
        return total

    def _carry_gas(self) -> None:
        velocity_m_s = self._weather.velocity_m_s
        releases = self._releases() if self._step % PUFF_STEPS == 0 else {}
        for unit, cloud in zip(self._units, self._clouds, strict=True):
            was_empty = cloud.is_empty
            cloud.drift(velocity_m_s, STEP_S)
            for source in unit.sources:
                if rate_kg_s := releases.get(source.name, 0.0):
                    cloud.release(source.at_m, rate_kg_s * STEP_S * PUFF_STEPS)
            if not (was_empty and cloud.is_empty):
                self._expose(unit, cloud)

    def _expose(self, unit: Unit, cloud: Cloud) -> None:
        for tag, mg_m3 in zip(cloud.tags, cloud.concentrations_mg_m3(), strict=True):
            if tag in self._meters:
                self._meters[tag].see(mg_m3 * unit.detection.per_mg_m3, self._step)

    def _obey(self, command: PlantCommand) -> None:
        match command:
            case orders.Leak(source, rate_kg_s):
                self._leaks_kg_s[source] = rate_kg_s
            case orders.StopLeak(source):
                for name in [*self._leaks_kg_s] if source is None else [source]:
                    self._leaks_kg_s.pop(name, None)
            case orders.CoolingFails(name) | orders.CoolingBack(name):
                unit = next(each for each in self._units if each.cooling == name)
                unit.cooling_runs = isinstance(command, orders.CoolingBack)
            case orders.SetWind(speed_m_s, from_deg):
                self._weather.set_wind(speed_m_s, from_deg)
            case orders.FreeWind():
                self._weather.free_wind()
            case _:
                self._obey_at_instrument(command)

    def _obey_at_instrument(
        self, command: orders.Freeze | orders.Unfreeze | orders.OpenCircuit | orders.CloseCircuit
    ) -> None:
        """A broken wire is known to the unit's controller in every copy, the rest to the copy that has the instrument."""
        match command:
            case orders.OpenCircuit(tag):
                self._open_circuits.add(tag)
            case orders.CloseCircuit(tag):
                self._open_circuits.discard(tag)
        if (meter := self._meters.get(command.tag)) is None:
            return
        act: dict[type[PlantCommand], Callable[[], None]] = {
            orders.Freeze: lambda: meter.freeze(self._step),
            orders.Unfreeze: meter.unfreeze,
            orders.OpenCircuit: meter.open_circuit,
            orders.CloseCircuit: meter.close_circuit,
        }
        act[type(command)]()


def _cloud(unit: Unit) -> Cloud:
    places = {tag: at_m for tag in unit.detection.tags if (at_m := INSTRUMENTS[tag].at_m) is not None}
    return Cloud(unit.detection.gas, places)


def _check(command: PlantCommand) -> None:
    match command:
        case orders.Leak(name, _):
            _known("leak source", name, SOURCES)
        case orders.StopLeak(name):
            if name is not None:
                _known("leak source", name, SOURCES)
        case orders.CoolingFails(name) | orders.CoolingBack(name):
            _known("cooled unit", name, COOLED_UNITS)
        case orders.SetWind() | orders.FreeWind():
            pass
        case _:
            _known("instrument", command.tag, INSTRUMENTS)


def _known(what: str, name: str, names: Iterable[str]) -> None:
    if name not in names:
        raise CommandError(f"no {what} {name!r}; there are: {', '.join(names)}")
