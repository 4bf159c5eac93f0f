"""A plant scenario: which scene, which seeds, which points, and which conditions must and must not follow.

Comes from a TOML file with a key ``scene``; goes to ``run``. Reading it touches files only; all faults are told at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from contract.errors import ConfigError, Fault
from hil_tests.rig.site import model_faults
from hil_tests.scenes import SCENES, make
from hil_tests.scenes.catalogue import LASTING

START: Final = "start"
_REACHED: Final = re.compile(r"(\S+) (>=|<=) (-?[0-9.]+)\Z")


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Reached:
    """``AT-101 >= 0.35``: the first moment at which an instrument shows that."""

    def __init__(self, text: str) -> None:
        """Raises ValueError."""
        found = _REACHED.match(text)
        if found is None:
            raise ValueError(f"{text!r} is neither {START}, a kind of window of the scene, nor like 'AT-101 >= 0.35'")
        self.tag, self.above, self.limit = found[1], found[2] == ">=", float(found[3])


class Pattern(_Settings):
    """Changes of conditions that are meant: all keys that are given must fit. ``tag`` ``@`` is a tag of the window."""

    type: str | None = None
    kind: str | None = None
    tag: str | None = None
    level: int | None = None
    condition_class: str | None = Field(default=None, alias="class")
    inhibited: bool | None = None

    def shown(self) -> str:
        keys = ("type", "kind", "tag", "level", "condition_class", "inhibited")
        asked = [
            f"{key.removeprefix('condition_')} {value}" for key in keys if (value := getattr(self, key)) is not None
        ]
        return ", ".join(asked) or "any change"


class Expect(Pattern):
    """At least one such change, or exactly ``times``, within ``within_s`` of every moment that ``after`` means: every window
    of a kind, or the first moment at which a value is reached (``AT-101 >= 0.35``), of every seed."""

    after: str
    within_s: float = Field(gt=0)
    times: int | None = Field(default=None, ge=1)


class Forbid(Pattern):
    """No such change at all; or none outside of windows of the kind ``outside``."""

    outside: str | None = None


def _is_scene(text: str) -> str:
    if text not in SCENES:
        raise ValueError(f"there is no scene {text!r}; there are: {', '.join(SCENES)}")
    return text


class PlantScenario(_Settings):
    """``agent`` is a folder beside the file, or absolute; its device of the scene's name has the points."""

    name: str = ""
    title: str
    scene: Annotated[str, AfterValidator(_is_scene)]
    agent: Path
    seeds: tuple[int, ...] = Field(default=(1,), min_length=1, max_length=1000)
    days: float | None = Field(default=None, gt=0, le=366)
    expectations: tuple[Expect, ...] = Field(default=(), alias="expect", max_length=1000)
    prohibitions: tuple[Forbid, ...] = Field(default=(), alias="forbid", max_length=1000)

    def lasting(self, days: float | None, seeds: Sequence[int] | None) -> PlantScenario:
        """As long where its scene may last, and of these seeds; None: as it is."""
        asked: dict[str, Any] = {}
        if days is not None and self.scene in LASTING:
            asked["days"] = days
        if seeds is not None:
            asked["seeds"] = tuple(seeds)
        return self.model_copy(update=asked)


def parse_plant_scenario(data: dict[str, Any], file: Path) -> PlantScenario:
    """Raises ConfigError with every fault found; ``file`` places them, and its folder is that of a relative path."""
    try:
        scenario = PlantScenario.model_validate(data)
    except ValidationError as error:
        raise ConfigError([*model_faults(error, file.name)]) from error
    if faults := [*_faults(scenario, file.name)]:
        raise ConfigError(faults)
    agent = file.resolve().parent / scenario.agent
    return scenario.model_copy(update={"name": scenario.name or file.stem, "agent": agent})


def _faults(scenario: PlantScenario, file: str) -> Iterator[Fault]:
    if not scenario.expectations and not scenario.prohibitions:
        yield Fault(file, None, None, "expects and forbids nothing", "Add [[expect]] or [[forbid]].")
    if scenario.days is not None and scenario.scene not in LASTING:
        yield Fault(
            file, None, "days", f"{scenario.scene} has a length of its own", f"Only {', '.join(LASTING)} may last."
        )
    kinds = {each.kind for each in make(scenario.scene, 1, 1.0 if scenario.scene in LASTING else None).windows}
    there = f"There are: {', '.join(sorted(kinds)) or 'none'}"
    for each in scenario.expectations:
        if " " in each.after:
            try:
                Reached(each.after)
            except ValueError as error:
                yield Fault(file, None, "after", str(error), "Mend it.")
        elif each.after not in kinds | {START}:
            yield Fault(file, None, "after", f"{scenario.scene} has no window of the kind {each.after}", there)
    for forbid in scenario.prohibitions:
        if forbid.outside is not None and forbid.outside not in kinds:
            yield Fault(file, None, "outside", f"{scenario.scene} has no window of the kind {forbid.outside}", there)
