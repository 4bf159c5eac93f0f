"""A use of a model becomes the keys of a device and rows of points. Pure.

A value whose decoding rests on what the manual leaves open and nobody has accepted is UNCERTAIN: it may raise a condition and never
clears one (docs/adr/0012). That is said in the driver's own words, as a status word at the value's own register that means ``doubt``
whatever it holds, so nothing downstream has to know of models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from contract.errors import Fault
from edge_agent.settings.io_list import OtherRow
from edge_agent.settings.model import OpenItem
from edge_agent.settings.models.accepted import Acceptance, accepted_choice
from edge_agent.settings.models.expression import ExpressionError, Value, fill, names_in
from edge_agent.settings.models.template import (
    DECODING,
    OF_THE_POINT,
    Model,
    TemplatePoint,
    numbers,
    parameter_value,
    stands_for,
)
from edge_agent.settings.suggest import did_you_mean, shown

OF_A_USE: Final = (*(column for column in OF_THE_POINT if column not in DECODING), "tag", "source", "was")
"""Columns that a use may set for a point."""
_IN_QUESTION: Final = "?"
"""Ends the name of a meaning that adds doubt to another, and is one by itself."""
_DOUBT: Final = {"0-65535": "doubt"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a use stands: ``path`` of its table in ``agent.toml``, or its row in ``devices.csv`` (no path then)."""

    file: str
    row: int | None
    path: str = ""

    def place(self, *keys: str) -> tuple[str, int | None, str]:
        """In a table all keys; in a row the columns of parameters and points have no group before them."""
        named = keys if self.path else (keys[1:] if keys[0] in {"parameters", "points"} and len(keys) > 1 else keys)
        return self.file, self.row, ".".join((self.path, *named) if self.path else named)

    def fault(self, keys: Sequence[str], message: str, remedy: str) -> Fault:
        return Fault(*self.place(*keys), message, remedy)


@dataclass(frozen=True, slots=True)
class Use:
    """One instrument of a model. ``points`` are cells by column, by the name of a point, filled in or as in the model."""

    name: str
    model: str
    origin: Origin
    source: str = ""
    prefix: str = ""
    extras: tuple[str, ...] = ()
    keys: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    points: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expansion:
    """``keys`` are the driver's; ``open`` is what nobody has accepted yet."""

    keys: Mapping[str, Any]
    rows: Sequence[OtherRow]
    open: Sequence[OpenItem]


def expand(use: Use, model: Model, acceptances: Sequence[Acceptance], faults: list[Fault]) -> Expansion:
    """What the use means. Faults of the use are added; those of single cells are for ``io_list`` to find."""
    values = _values(use, model, faults)
    unproven: dict[str, list[str]] = {}
    for name, item in model.open.items():
        choice = accepted_choice(acceptances, use.name, model.name, name)
        if choice is None:
            unproven[name] = []
        values[name] = stands_for(item.choices.get(choice or item.default, ""))
    if unknown := [each for each in use.extras if each not in model.extras]:
        remedy = did_you_mean(unknown[0], model.extras)
        faults.append(use.origin.fault(["extras"], f"{model.name} has no extra {shown(unknown[0])}", remedy))
    statuses = dict(use.keys.get("status", model.keys.get("status", {})))
    wanted = [point for point in model.points if not point.extra or point.extra in use.extras]
    known: set[str] = set()
    rows = []
    for point in wanted:
        known.add(point.name)
        for number in _repetitions(point, model, values):
            filled = values if number is None else {**values, str(point.repeated_by): Decimal(number)}
            row = _row(use, model, point, filled, unproven, statuses, faults)
            if row is not None:
                known.add(row[0])
                rows.append(row[1])
    for each in use.points.keys() - known:
        remedy = did_you_mean(each, sorted(known))
        faults.append(use.origin.fault(["points", each], f"{model.name} has no point {shown(each)} here", remedy))
    keys = {**model.keys, **use.keys, **({"status": statuses} if statuses else {})}
    return Expansion(keys, rows, [_open_item(use, model, name, tags) for name, tags in unproven.items() if tags])


def _values(use: Use, model: Model, faults: list[Fault]) -> dict[str, Value]:
    """Each parameter's value; the default, or 0, where it is at fault."""
    values: dict[str, Value] = {}
    for each in use.parameters.keys() - model.parameters.keys():
        if each in model.open:
            remedy = f"Accept a choice at the device: edge-agent accept DIR {use.name} {each} CHOICE --by NAME"
            faults.append(use.origin.fault(["parameters", each], f"{each} is left open by the manual", remedy))
        else:
            message = f"{model.name} has no parameter {shown(each)}"
            faults.append(use.origin.fault(["parameters", each], message, did_you_mean(each, model.parameters)))
    for name, parameter in model.parameters.items():
        given = use.parameters.get(name)
        if given is None and parameter.default is None:
            message = f"{model.name} needs the parameter {name}"
            faults.append(use.origin.fault(["parameters", name], message, parameter.description))
        text = str(parameter.default if given is None else given)
        try:
            values[name] = parameter_value(parameter, text)
        except ExpressionError as error:
            if given is not None:
                faults.append(use.origin.fault(["parameters", name], str(error), parameter.description))
            values[name] = str(parameter.low or 0) if parameter.type == "numbers" else Decimal(0)
    return values


def _repetitions(point: TemplatePoint, model: Model, values: Mapping[str, Value]) -> Sequence[int | None]:
    if point.repeated_by is None:
        return [None]
    return numbers(model.parameters[point.repeated_by], str(values[point.repeated_by]))


def _row(
    use: Use,
    model: Model,
    point: TemplatePoint,
    values: Mapping[str, Value],
    unproven: Mapping[str, list[str]],
    statuses: dict[str, Any],
    faults: list[Fault],
) -> tuple[str, OtherRow] | None:
    """The name of a point and its row; None with a fault of the model where its braces have no result."""
    cells: dict[str, str] = {}
    column = "name"
    try:
        name = fill(point.name, values)
        for column, text in point.cells.items():
            cells[column] = fill(text, values)
    except ExpressionError as error:
        remedy = f"Give {use.name} other parameters, or mend the model"
        faults.append(Fault(model.file, None, f"point.{point.position}.{column}", f"{use.name}: {error}", remedy))
        return None
    cells |= {"tag": f"{use.prefix or use.name}.{name}", "source": use.source, "device": use.name}
    given = {
        **dict.fromkeys(use.points.get(point.name, {}), point.name),
        **dict.fromkeys(use.points.get(name, {}), name),
    }
    for column, key in given.items():
        if column in OF_A_USE:
            cells[column] = use.points[key][column]
        else:
            fault = use.origin.fault(
                ["points", key, column], f"{shown(column)} is not for a use to say", did_you_mean(column, OF_A_USE)
            )
            if fault not in faults:
                faults.append(fault)
    if items := sorted(point.names & unproven.keys()):
        for item in items:
            unproven[item].append(cells["tag"])
        cells["status"] = _doubted(cells, statuses)
    return name, OtherRow(cells, f"among the points of device {use.name}", _Places(use, model, point, given))


def _doubted(cells: Mapping[str, str], statuses: dict[str, Any]) -> str:
    """The cell of a status word that means what it did before, and doubt where that was nothing."""
    meaning, _, place = cells.get("status", "").partition("@")
    former = statuses.get(meaning, {})
    statuses[meaning + _IN_QUESTION] = {**former, "values": {**former.get("values", {}), **_DOUBT}}
    return f"{meaning}{_IN_QUESTION}@{place or cells.get('address', '0')}"


@dataclass(frozen=True, slots=True)
class _Places:
    """Who has to mend a cell: the use, where it gave the cell or a parameter in it; else the model."""

    use: Use
    model: Model
    point: TemplatePoint
    given: Mapping[str, str]

    def __call__(self, column: str) -> tuple[str, int | None, str | None]:
        if column in self.given:
            return self.use.origin.place("points", self.given[column], column)
        if column in {"source", "device"}:
            return self.use.origin.place("source" if column == "source" else "name")
        if column == "tag":
            return self.use.origin.place("prefix")
        named = sorted(names_in(self.point.cells.get(column, "")) & self.use.parameters.keys())
        if named:
            return self.use.origin.place("parameters", named[0])
        return self.model.file, None, f"point.{self.point.position}.{column}"


def _open_item(use: Use, model: Model, name: str, tags: Sequence[str]) -> OpenItem:
    item = model.open[name]
    return OpenItem(
        use.name, model.name, name, item.question, tuple(item.choices), item.default, item.find_out, tuple(tags)
    )
