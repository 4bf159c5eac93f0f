"""A scenario: what happens when, and which events must and must not follow by when.

Comes from a TOML file, goes to ``runner`` (which makes it happen) and ``verdicts`` (which judges). Reading it touches no
network; all faults are told at once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from contract.errors import ConfigError, Fault
from hil_tests.rig.commands import PLANT, parse_command
from hil_tests.rig.plant import parse_plant_command
from hil_tests.rig.site import model_faults
from hil_tests.rig.words import CommandError

START: Final = "start"
"""Name of the moment from which ``t_s`` counts: every agent's first event has been committed."""
DURATION_S_MAX: Final = 86_400.0
ProgramCommand = Literal["kill", "stop", "start"]
T = TypeVar("T")


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class At(_Settings):
    """At ``t_s`` a device gets a command (as typed to ``hil-rig serve``), something happens in the plant, or a program is
    killed (-9), stopped or started.

    ``device = "plant"`` stands for the plant of a site that has one. ``program`` is an agent's name or ``aggregator``. Expectations refer to ``name``.
    """

    t_s: float = Field(ge=0, le=DURATION_S_MAX)
    name: str = ""
    device: str | None = None
    program: str | None = None
    command: str

    @model_validator(mode="after")
    def _well_formed(self) -> Self:
        if (self.device is None) == (self.program is None):
            raise ValueError("give either device or program")
        if self.program is not None and self.command not in {"kill", "stop", "start"}:
            raise ValueError("a program's command is kill, stop or start")
        try:
            if self.device == PLANT:
                parse_plant_command(self.command)
            elif self.device is not None:
                parse_command(self.command)
        except CommandError as error:
            raise ValueError(str(error)) from error
        return self

    def shown(self) -> str:
        return f"{self.device or self.program}: {self.command}"


class Pattern(_Settings):
    """Which events are meant, and by when: all keys that are given must fit.

    The window begins with the at-entry named ``after``. An event lies in it when it was judged at its begin or later and
    was committed by the aggregator within ``within_s`` of it.
    """

    after: str = START
    within_s: float = Field(gt=0, le=DURATION_S_MAX)
    type: str | None = None
    kind: str | None = None
    tag: str | None = None
    level: int | None = None
    agent: str | None = None
    condition_class: str | None = Field(default=None, alias="class")

    def shown(self) -> str:
        keys = ("type", "kind", "tag", "level", "agent", "condition_class")
        asked = [
            f"{key.removeprefix('condition_')} {value}" for key in keys if (value := getattr(self, key)) is not None
        ]
        return f"{', '.join(asked) or 'any event'} within {self.within_s:g} s after {self.after}"


class Expect(Pattern):
    """At least one such event, or exactly ``times``."""

    times: int | None = Field(default=None, ge=1, le=10_000)


class Forbid(Pattern):
    """No such event."""


class What(StrEnum):
    """What can be measured of some devices in a stretch of time."""

    REPLIES_PER_S = "replies_per_s"
    """Requests that the slowest of them served."""
    REQUESTS_PER_S = "requests_per_s"
    """That the most asked of them got, served or not."""
    MISBEHAVED = "misbehaved"
    """Replies to which something was done."""
    GOOD_SAMPLES = "good_samples"
    """Received of their points by then, their own point included."""
    GOOD_POINTS = "good_points"
    """Of which a good sample was received then."""
    WRONG_VALUES = "wrong_values"
    """Good samples of a value that the device did not show shortly before; for points of one register, unscaled, and for nodes
    that have the tag of their point."""
    BAD_AFTER_S = "bad_after_s"
    """Seconds from the beginning of the stretch until every point of theirs, their own included, was BAD."""
    SESSIONS = "sessions"
    """Open at a time, at most."""


class Measure(_Settings):
    """A figure with its bounds. The stretch is from ``from_s`` to ``within_s`` after the at-entry named ``after``."""

    what: What
    devices: tuple[str, ...] = Field(min_length=1, max_length=64)
    after: str = START
    from_s: float = Field(default=0.0, ge=0, le=DURATION_S_MAX)
    within_s: float = Field(gt=0, le=DURATION_S_MAX)
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.from_s >= self.within_s:
            raise ValueError("from_s is before within_s")
        if self.at_least is None and self.at_most is None:
            raise ValueError("give at_least, at_most or both")
        return self

    def shown(self) -> str:
        bounds = [f"{word} {bound:g}" for word, bound in (("at least", self.at_least), ("at most", self.at_most))
                  if bound is not None]  # fmt: skip
        many = self.devices[0] if len(self.devices) == 1 else f"{len(self.devices)} devices"
        words = self.what.replace("_per_s", " per second").replace("_after_s", " after s").replace("_", " ")
        return f"{words} of {many}, {self.from_s:g} to {self.within_s:g} s after {self.after}: {', '.join(bounds)}"


class Scenario(_Settings):
    """``site`` and ``agents`` are folders beside the scenario file, or absolute. ``at`` and the others are singular in
    the file, where they name TOML tables."""

    name: str = ""
    title: str = ""
    site: Path
    agents: tuple[Path, ...] = Field(min_length=1, max_length=64)
    timeline: tuple[At, ...] = Field(default=(), alias="at", max_length=1000)
    expectations: tuple[Expect, ...] = Field(default=(), alias="expect", max_length=1000)
    prohibitions: tuple[Forbid, ...] = Field(default=(), alias="forbid", max_length=1000)
    measures: tuple[Measure, ...] = Field(default=(), alias="measure", max_length=1000)

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        return (*self.expectations, *self.prohibitions)

    @property
    def windows(self) -> tuple[Pattern | Measure, ...]:
        return (*self.patterns, *self.measures)

    @property
    def duration_s(self) -> float:
        """Until the last window has closed."""
        begins = {START: 0.0} | {each.name: each.t_s for each in self.timeline if each.name}
        ends = [begins[each.after] + each.within_s for each in self.windows]
        return max([0.0, *ends, *(each.t_s for each in self.timeline)])


def load_scenarios(path: Path) -> list[Scenario]:
    """One file, or every ``*.toml`` of a folder by name. Raises ConfigError with every fault of all of them."""
    return load_each(path, parse_scenario)


def load_each(path: Path, parse: Callable[[dict[str, Any], Path], T]) -> list[T]:
    """The same for whatever ``parse`` makes of a file's content."""
    files = sorted(path.glob("*.toml")) if path.is_dir() else [path]
    if not files:
        raise ConfigError([Fault(str(path), None, None, "holds no scenario", "Give a scenario, or a folder of them.")])
    scenarios: list[T] = []
    faults: list[Fault] = []
    for file in files:
        try:
            scenarios.append(parse(_read(file), file))
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
    return scenarios


def load_scenario(file: Path) -> Scenario:
    """Raises ConfigError with every fault found."""
    return parse_scenario(_read(file), file)


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Fault(str(file), None, None, f"cannot be read ({error})", "Give a TOML file.")]) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([Fault(str(file), None, None, f"is no TOML: {error}", "Mend the line.")]) from error


def parse_scenario(data: dict[str, Any], file: Path) -> Scenario:
    """Raises ConfigError with every fault found; ``file`` places them, and its folder is that of relative paths."""
    try:
        scenario = Scenario.model_validate(data)
    except ValidationError as error:
        raise ConfigError([*model_faults(error, file.name)]) from error
    if faults := [*_faults(scenario, file.name)]:
        raise ConfigError(faults)
    folder = file.resolve().parent
    agents = tuple(folder / each for each in scenario.agents)
    return scenario.model_copy(
        update={"name": scenario.name or file.stem, "site": folder / scenario.site, "agents": agents}
    )


def _faults(scenario: Scenario, file: str) -> Iterator[Fault]:
    names = [each.name for each in scenario.timeline if each.name]
    for name in sorted({each for each in names if names.count(each) > 1 or each == START}):
        yield Fault(file, None, "at.name", f"{name!r} names more than one moment", "Give each a name of its own.")
    known = {START, *names}
    for window in scenario.windows:
        if window.after not in known:
            there = ", ".join(sorted(known))
            yield Fault(file, None, "after", f"{window.after!r} names no at-entry", f"There are: {there}.")
    if not scenario.windows:
        yield Fault(
            file, None, None, "expects, forbids and measures nothing", "Add [[expect]], [[forbid]] or [[measure]]."
        )
