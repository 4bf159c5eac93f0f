"""What a device model says: ``<model>.toml``, checked in itself. Pure.

A model is written from a manual by somebody who may not know the code, so every mistake is a fault with its key. What the cells of a
point mean is left to ``io_list``, which judges them once they are filled in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from contract.errors import Fault
from edge_agent.settings.io_list import COLUMNS
from edge_agent.settings.models.expression import ExpressionError, Value, names_in
from edge_agent.settings.suggest import shown

MODEL_FILE_BYTES_MAX: Final = 256 * 1024
POINTS_MAX: Final = 512
"""In a model, before they are repeated."""
NUMBERS_MAX: Final = 256
"""In a parameter of the type numbers: how often its points may be repeated."""

OF_THE_USE: Final = frozenset({"tag", "source", "device", "was"})
"""Columns that say which of many instruments it is; a model cannot know them."""
OF_THE_POINT: Final = tuple(column for column in COLUMNS if column not in OF_THE_USE)
DECODING: Final = frozenset({
    "register", "address", "bit", "type", "word_order", "read", "status", "decimals", "factor", "ne43", "length", "encoding",
    "scale", "offset",
})  # fmt: skip
"""Columns that say how the number is read; only the model may."""
Scalar: TypeAlias = str | int | float
_Text = Annotated[str, Field(min_length=1, max_length=2000)]
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Parameter(_Part):
    """``[parameter.NAME]``: what differs between two instruments of the model."""

    type: Literal["whole", "number", "text", "numbers", "choice"]
    """numbers: such as 1-4,7; the points that name it are there for each of them. choice: a word, which stands for a value."""
    description: _Text
    default: Scalar | None = None
    low: int | float | None = None
    high: int | float | None = None
    choices: dict[str, Scalar] = Field(default_factory=dict)


class Open(_Part):
    """``[open.NAME]``: what the manual leaves open. Which points it concerns is which points name it."""

    question: _Text
    choices: Annotated[dict[str, Scalar], Field(min_length=2)]
    default: str
    """What is taken until somebody has accepted a choice at the device."""
    find_out: _Text


class Written(_Part):
    """``[[written]]``: a register that does something when it is written. No point lies there."""

    register_: Annotated[str, Field(alias="register", pattern=r"^(holding|coil):[0-9]{1,5}$")]
    meaning: _Text


class _File(_Part):
    title: _Text
    source: _Text
    link: str = ""
    notes: tuple[str, ...] = ()
    driver: str = "modbus"
    device: dict[str, Any] = Field(default_factory=dict)
    parameter: dict[_Name, Parameter] = Field(default_factory=dict)
    open: dict[_Name, Open] = Field(default_factory=dict)
    point: Annotated[list[dict[str, Scalar]], Field(min_length=1, max_length=POINTS_MAX)]
    written: list[Written] = Field(default_factory=list)

    @field_validator("notes", mode="before")
    @classmethod
    def _notes(cls, notes: Any) -> Any:
        return tuple(notes) if isinstance(notes, list) else notes


@dataclass(frozen=True, slots=True)
class TemplatePoint:
    """``[[point]]``: cells with braces in them, by column. ``extra`` is the bundle that a use must ask for, or empty."""

    position: int
    name: str
    extra: str
    cells: Mapping[str, str]
    names: frozenset[str]
    """Parameters and open items that it names."""
    repeated_by: str | None
    """The parameter of the type numbers among them."""


@dataclass(frozen=True, slots=True)
class Model:
    """A description without faults in itself."""

    name: str
    file: str
    """What faults call it."""
    title: str
    source: str
    link: str
    notes: tuple[str, ...]
    driver: str
    keys: Mapping[str, Any]
    parameters: Mapping[str, Parameter]
    open: Mapping[str, Open]
    points: tuple[TemplatePoint, ...]
    written: tuple[Written, ...]

    @property
    def extras(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(point.extra for point in self.points if point.extra))


def read_model(name: str, file: str, data: bytes, faults: list[Fault]) -> Model | None:
    """A model out of the bytes of its file; None where a fault was added."""
    known = len(faults)
    try:
        tables = tomllib.loads(data.decode("utf-8-sig"))
        read = _File.model_validate(tables)
    except ValidationError as error:
        for each in error.errors(include_url=False, include_context=False):
            keys = ".".join(str(part + 1 if isinstance(part, int) else part) for part in each["loc"])
            message = f"{shown(each['input'])} {str(each['msg']).removeprefix('Input ')}"
            faults.append(
                Fault(file, None, keys or None, message, "Correct it; docs/reference/device-models.md tells each key")
            )
        return None
    except (ValueError, RecursionError) as error:
        faults.append(Fault(file, None, None, f"the file is not TOML: {error}", "Mend that line"))
        return None
    points = [_read_point(file, i, point, read, faults) for i, point in enumerate(read.point, 1)]
    faults += [Fault(file, None, *each) for each in _faults_of(read)]
    faults += [Fault(file, None, *each) for each in _doubled(points)]
    if len(faults) > known:
        return None
    return Model(
        name, file, read.title, read.source, read.link, read.notes, read.driver, read.device, read.parameter, read.open,
        tuple(points), tuple(read.written),
    )  # fmt: skip


def _faults_of(read: _File) -> Iterable[tuple[str, str, str]]:
    for name in read.parameter.keys() & read.open.keys():
        yield f"open.{name}", "is the name of a parameter, too", "Give it a name of its own"
    for name, parameter in read.parameter.items():
        if (parameter.type == "choice") != bool(parameter.choices):
            yield f"parameter.{name}.choices", "choices go with the type choice", "Give them there, and only there"
        elif parameter.default is not None:
            try:
                parameter_value(parameter, str(parameter.default))
            except ExpressionError as error:
                yield f"parameter.{name}.default", str(error), "Give a default that the parameter allows, or none"
    for name, item in read.open.items():
        if item.default not in item.choices:
            yield f"open.{name}.default", f"{shown(item.default)} is none of its choices", "Give one of them"


def _read_point(
    file: str, position: int, point: Mapping[str, Scalar], read: _File, faults: list[Fault]
) -> TemplatePoint:
    path = f"point.{position}"
    cells = {key: str(value) for key, value in point.items() if key not in {"name", "extra"}}
    named: set[str] = set()
    for key, text in [("name", str(point.get("name", ""))), *cells.items()]:
        if key != "name" and key not in OF_THE_POINT:
            faults.append(
                Fault(file, None, f"{path}.{key}", f"a model has no {key}", f"Known are: {', '.join(OF_THE_POINT)}")
            )
        try:
            found = names_in(text)
        except ExpressionError as error:
            faults.append(Fault(file, None, f"{path}.{key}", str(error), "Mend it"))
            continue
        for name in sorted(found - read.parameter.keys() - read.open.keys()):
            remedy = "Name a [parameter.…] or an [open.…]"
            faults.append(Fault(file, None, f"{path}.{key}", f"there is no parameter {shown(name)}", remedy))
        named |= found
    if not point.get("name"):
        faults.append(Fault(file, None, f"{path}.name", "the point has no name", "Name it, as S1 or CH{channel}"))
    many = [name for name in sorted(named) if name in read.parameter and read.parameter[name].type == "numbers"]
    if len(many) > 1:
        remedy = "A point is repeated for the numbers of one parameter"
        faults.append(Fault(file, None, path, f"it names {' and '.join(many)}", remedy))
    return TemplatePoint(
        position,
        str(point.get("name", "")),
        str(point.get("extra", "")),
        cells,
        frozenset(named),
        many[0] if many else None,
    )


def _doubled(points: Iterable[TemplatePoint]) -> Iterable[tuple[str, str, str]]:
    first: dict[str, int] = {}
    for point in points:
        if first.setdefault(point.name, point.position) != point.position:
            yield (
                f"point.{point.position}.name",
                f"{shown(point.name)} is there twice",
                "Give each point a name of its own",
            )


def parameter_value(parameter: Parameter, text: str) -> Value:
    """What a text means for a parameter that is not of the type numbers (there: the text itself). Raises ExpressionError."""
    if parameter.type == "choice":
        if text not in parameter.choices:
            raise ExpressionError(f"{shown(text)} is none of {', '.join(parameter.choices)}")
        return stands_for(parameter.choices[text])
    if parameter.type == "text":
        if set("{};") & set(text) or not text.isprintable():
            raise ExpressionError(f"{shown(text)} has a sign that no cell may have")
        return text
    if parameter.type == "numbers":
        numbers(parameter, text)
        return text
    try:
        value = Decimal(text)
    except ArithmeticError as error:
        raise ExpressionError(f"{shown(text)} is not a number") from error
    if not value.is_finite() or (parameter.type == "whole" and value != value.to_integral_value()):
        raise ExpressionError(f"{shown(text)} is not a {'whole ' * (parameter.type == 'whole')}number")
    return _bounded(parameter, value)


def numbers(parameter: Parameter, text: str) -> list[int]:
    """``1-4,7`` or ``1 2 3 4 7`` as numbers, in order, each once. Raises ExpressionError."""
    found: dict[int, None] = {}
    for part in text.replace(",", " ").split():
        low, _, high = part.partition("-")
        if not (low.isdecimal() and (high or low).isdecimal() and len(part) <= 11 and int(low) <= int(high or low)):
            raise ExpressionError(f"{shown(text)} is no list of numbers such as 1-4,7")
        if int(high or low) - int(low) >= NUMBERS_MAX:
            raise ExpressionError(f"{shown(text)} has more than {NUMBERS_MAX} numbers")
        found |= dict.fromkeys(
            int(_bounded(parameter, Decimal(each))) for each in range(int(low), int(high or low) + 1)
        )
    if not 0 < len(found) <= NUMBERS_MAX:
        raise ExpressionError(f"{shown(text)} has none or more than {NUMBERS_MAX} numbers")
    return sorted(found)


def _bounded(parameter: Parameter, value: Decimal) -> Decimal:
    if parameter.low is not None and value < Decimal(str(parameter.low)):
        raise ExpressionError(f"{value:f} is below {parameter.low}")
    if parameter.high is not None and value > Decimal(str(parameter.high)):
        raise ExpressionError(f"{value:f} is above {parameter.high}")
    return value


def stands_for(choice: Scalar) -> Value:
    return choice if isinstance(choice, str) else Decimal(str(choice))
