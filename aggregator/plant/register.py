"""``register.toml``: the enterprises, hazard sources and the schematic map of the park, as an engineer wrote them down.

Positions are those of the drawing, not of the earth: x to the right, y downwards, in the map's own units. Reading checks
the whole file and gives all faults at once. Pure; ``register_file`` reads and replaces the file.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any, Final, TypeAlias

import pydantic

from contract.errors import ConfigError, Fault
from contract.ids import is_org_path, is_tag

MAP_SIDE_MAX: Final = 100_000
SOURCES_MAX: Final = 500
DETECTORS_MAX: Final = 5000
FEATURES_MAX: Final = 2000
ENTERPRISES_MAX: Final = 200
LINE_POINTS_MAX: Final = 500
TEXT_LENGTH_MAX: Final = 200


class Shape(StrEnum):
    """How a source is drawn."""

    RECT = "rect"
    SPHERE = "sphere"
    TANK = "tank"


class FeatureKind(StrEnum):
    """What else is on the map, to find one's way and where to go."""

    ROAD = "road"
    BUILDING = "building"
    WATER = "water"
    FENCE = "fence"
    GATE = "gate"
    SHELTER = "shelter"


def _check_organisation(text: str) -> str:
    if not is_org_path(text) or "/" in text:
        raise ValueError("must be the code of an organisation, without slash or blank")
    return text


def _check_source(text: str) -> str:
    if not is_org_path(text) or text.count("/") != 1:
        raise ValueError("must be enterprise/source")
    return text


def _check_tag(text: str) -> str:
    if not is_tag(text):
        raise ValueError("must be a point's tag")
    return text


Text: TypeAlias = Annotated[str, pydantic.StringConstraints(min_length=1, max_length=TEXT_LENGTH_MAX)]
Side: TypeAlias = Annotated[float, pydantic.Field(gt=0, le=MAP_SIDE_MAX, allow_inf_nan=False)]
Coordinate: TypeAlias = Annotated[float, pydantic.Field(ge=0, le=MAP_SIDE_MAX, allow_inf_nan=False)]
Position: TypeAlias = tuple[Coordinate, Coordinate]
Box: TypeAlias = tuple[Coordinate, Coordinate, Side, Side]
Organisation: TypeAlias = Annotated[str, pydantic.AfterValidator(_check_organisation)]
Tag: TypeAlias = Annotated[str, pydantic.AfterValidator(_check_tag)]


class _Table(pydantic.BaseModel):
    """A table of the file: unknown keys are faults."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Name(_Table):
    """In both languages, as shown."""

    zh: Text
    en: Text


class MapSize(_Table):
    width: Side
    height: Side


class Wind(_Table):
    """The points that measure it; ``direction`` is where it comes from, in degrees from north."""

    organisation: Organisation
    speed: Tag
    direction: Tag


class Park(_Table):
    name: Name
    map: MapSize
    north_deg: Annotated[float, pydantic.Field(ge=0, lt=360, allow_inf_nan=False)] = 0.0
    """Where north lies on the drawing: degrees clockwise from up."""
    wind: Wind | None = None


class Enterprise(_Table):
    org: Organisation
    name: Name


class Source(_Table):
    """A major hazard source. ``level`` 1 (highest) to 4 is given, by whoever graded it under GB 18218."""

    org: Annotated[str, pydantic.AfterValidator(_check_source)]
    name: Name
    substance: Name | Text
    level: Annotated[int, pydantic.Field(ge=1, le=4, strict=True)]
    at: Box
    """x, y of the upper left corner, width, height."""
    shape: Shape = Shape.RECT


class Detector(_Table):
    """A point that is drawn."""

    organisation: Organisation
    tag: Tag
    at: Position


class Feature(_Table):
    """A line or a box, never both."""

    kind: FeatureKind
    name: Name | None = None
    line: Annotated[tuple[Position, ...], pydantic.Field(min_length=2, max_length=LINE_POINTS_MAX)] | None = None
    at: Box | None = None

    @pydantic.model_validator(mode="after")
    def _has_one_place(self) -> Feature:
        if (self.line is None) == (self.at is None):
            raise ValueError("must have either line or at")
        return self


class Register(_Table):
    """The whole file; without ``park`` it is empty."""

    park: Park | None = None
    enterprise: Annotated[tuple[Enterprise, ...], pydantic.Field(max_length=ENTERPRISES_MAX)] = ()
    source: Annotated[tuple[Source, ...], pydantic.Field(max_length=SOURCES_MAX)] = ()
    detector: Annotated[tuple[Detector, ...], pydantic.Field(max_length=DETECTORS_MAX)] = ()
    feature: Annotated[tuple[Feature, ...], pydantic.Field(max_length=FEATURES_MAX)] = ()


EMPTY: Final = Register()


class _WithPark(Register):
    """What a file must hold; only a missing file is an empty register."""

    park: Park


def parse(text: str, file: str) -> Register:
    """Raises ConfigError with every fault."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([Fault(file, None, None, f"is no TOML: {error}", "Mend the line that it names")]) from error
    try:
        register = _WithPark.model_validate(table)
    except pydantic.ValidationError as error:
        raise ConfigError([_fault(file, each) for each in error.errors()]) from error
    faults = [*_doubled(register, file), *_strangers(register, file), *_outside(register, register.park.map, file)]
    if faults:
        raise ConfigError(faults)
    return register


def _fault(file: str, error: Any) -> Fault:
    column = _key(error["loc"])
    if error["type"] == "extra_forbidden":
        return Fault(file, None, column, "is no key of the register", "Remove it, or mend its spelling")
    if error["type"] == "missing":
        return Fault(file, None, column, "is missing", "Add it")
    message = error["msg"].removeprefix("Value error, ")
    return Fault(file, None, column, message[:1].lower() + message[1:], "Mend the value")


def _key(parts: Iterable[str | int]) -> str:
    """``source[2].at[0]``, counted from 1 as people count the tables of a file."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        elif part.isidentifier():  # what names the branch of a union is no key
            text += f".{part}" if text else part
    return text


def _doubled(register: Register, file: str) -> list[Fault]:
    named = {
        "enterprise": [each.org for each in register.enterprise],
        "source": [each.org for each in register.source],
        "detector": [f"{each.organisation}/{each.tag}" for each in register.detector],
    }
    return [
        Fault(file, None, table, f"{name} is there {count} times", "Keep one")
        for table, names in named.items()
        for name, count in Counter(names).items()
        if count > 1
    ]


def _strangers(register: Register, file: str) -> list[Fault]:
    known = {each.org for each in register.enterprise}
    used = {
        **{f"source[{at}].org": each.org.split("/")[0] for at, each in enumerate(register.source, 1)},
        **{f"detector[{at}].organisation": each.organisation for at, each in enumerate(register.detector, 1)},
    }
    if register.park is not None and register.park.wind is not None:
        used["park.wind.organisation"] = register.park.wind.organisation
    return [
        Fault(file, None, key, f"names {name}, which is no [[enterprise]] here", "Add the enterprise, or mend the code")
        for key, name in used.items()
        if name not in known
    ]


def _outside(register: Register, size: MapSize, file: str) -> list[Fault]:
    places: dict[str, Position] = {}
    for at, source in enumerate(register.source, 1):
        places[f"source[{at}].at"] = _far_corner(source.at)
    for at, detector in enumerate(register.detector, 1):
        places[f"detector[{at}].at"] = detector.at
    for at, feature in enumerate(register.feature, 1):
        if feature.at is not None:
            places[f"feature[{at}].at"] = _far_corner(feature.at)
        for point, position in enumerate(feature.line or (), 1):
            places[f"feature[{at}].line[{point}]"] = position
    return [
        Fault(
            file, None, key, f"lies outside the map of {size.width:g} × {size.height:g}", "Mend it, or widen park.map"
        )
        for key, (x, y) in places.items()
        if x > size.width or y > size.height
    ]


def _far_corner(box: Box) -> Position:
    x, y, width, height = box
    return x + width, y + height
