"""Variables become rows of points.csv: a tag from the path, address, type, unit and range as the server has them. Pure.

What cannot be a point is left out and named; what the server does not say is left for the engineer, whom ``edge-agent check``
then tells of it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from contract.ids import is_tag
from contract.points import PointType
from drivers.base import PointFault
from drivers.opcua.address import parse
from drivers.opcua.values import LOCALIZED_TEXT, STRING, BuiltIn
from edge_agent.commissioning.browsing.nodes import Variable, address_of, type_name
from edge_agent.commissioning.browsing.tree import printable, shown_path
from edge_agent.settings.io_list import ADDRESS_LENGTH_MAX, DESCRIPTION_LENGTH_MAX

_POINT_TYPES: Final = {
    BuiltIn.BOOLEAN: PointType.BIT,
    BuiltIn.SBYTE: PointType.INT16, BuiltIn.INT16: PointType.INT16,
    BuiltIn.BYTE: PointType.UINT16, BuiltIn.UINT16: PointType.UINT16,
    BuiltIn.INT32: PointType.INT32, BuiltIn.UINT32: PointType.UINT32,
    BuiltIn.INT64: PointType.INT64, BuiltIn.UINT64: PointType.UINT64,
    BuiltIn.FLOAT: PointType.FLOAT32, BuiltIn.DOUBLE: PointType.FLOAT64,
    STRING: PointType.STRING, LOCALIZED_TEXT: PointType.STRING,
}  # fmt: skip
_TAG_LENGTH_MAX: Final = 64
_NUMBER_LENGTH: Final = 6
"""Room for what tells tags apart that would be the same."""
_UNFIT: Final = re.compile(r"[\s/,\"'\x00-\x1f\x7f]+")
_LEADING: Final = "#=+-@_."
"""A sheet takes a first cell with # for a comment, and a spreadsheet takes the next four for a formula."""
_SAY_NOTHING: Final = frozenset(
    {"value", "pv", "sp", "mv", "cv", "out", "in", "val", "actual", "presentvalue", "current"}
)
"""Last names of paths that only together with the one before say what is meant."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """``rows`` by column. ``left_out`` are paths with the reason, ``unit_unknown`` paths with the unit that the server names."""

    rows: list[dict[str, str]]
    left_out: list[tuple[str, str]]
    unit_unknown: list[tuple[str, str]]
    unit_missing: int
    """Rows of numbers for which the server names no unit: they say 1."""


def make(
    variables: Sequence[Variable], namespaces: Sequence[str], device: str, source: str, taken: Collection[str]
) -> Sheet:
    """Rows in order of the variables. No tag is one of ``taken``, which are the names of devices and of points there are."""
    sheet = Sheet([], [], [], sum(_lacks_unit(each) for each in variables if not _objection(each, namespaces)))
    fit = []
    for each in variables:
        if why := _objection(each, namespaces):
            sheet.left_out.append((shown_path(each.node.path), why))
        else:
            fit.append(each)
    for each, tag in zip(fit, tags([variable.node.path for variable in fit], taken), strict=True):
        sheet.rows.append(_row(each, tag, address_of(each.node.key, namespaces) or "", device, source))
        if each.unit is not None and each.unit.symbol is None and _measures(each):
            sheet.unit_unknown.append((shown_path(each.node.path), each.unit.shown))
    return sheet


def _objection(variable: Variable, namespaces: Sequence[str]) -> str | None:
    """Why a variable cannot be a point."""
    if variable.is_list:
        return "it holds a list"
    if variable.built_in not in _POINT_TYPES:
        return f"it holds no number and no text ({type_name(variable)})"
    address = address_of(variable.node.key, namespaces)
    return "the server has no URI for its namespace" if address is None else _objection_to(address)


def _objection_to(address: str) -> str | None:
    if isinstance(fault := parse(address), PointFault):
        return fault.message
    if len(address) > ADDRESS_LENGTH_MAX:
        return f"its address has more than {ADDRESS_LENGTH_MAX} characters"
    return "its identifier ends with a blank" if address != address.strip() else None


def _type(variable: Variable) -> PointType:
    return _POINT_TYPES[variable.built_in or 0]


def _measures(variable: Variable) -> bool:
    return _type(variable) not in {PointType.BIT, PointType.STRING}


def _lacks_unit(variable: Variable) -> bool:
    return _measures(variable) and variable.unit is None


def _row(variable: Variable, tag: str, address: str, device: str, source: str) -> dict[str, str]:
    low, high = variable.range if variable.range is not None and _measures(variable) else ("", "")
    return {
        "tag": tag,
        "source": source,
        "device": device,
        "address": address,
        "type": _type(variable).value,
        "unit": _unit(variable),
        "range_low": _number(low),
        "range_high": _number(high),
        "description": _description(variable),
    }


def _unit(variable: Variable) -> str:
    """Empty where the server names one that is not ours: a guess would be believed."""
    if not _measures(variable):
        return "state" if _type(variable) is PointType.BIT else "1"
    return "1" if variable.unit is None else variable.unit.symbol or ""


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.12g}"


def _description(variable: Variable) -> str:
    """The display name where it says more than the path."""
    node = variable.node
    text = node.title if node.title and node.title != node.path[-1] else "/".join(node.path)
    return " ".join(printable(text).split()).lstrip(_LEADING)[:DESCRIPTION_LENGTH_MAX]


def tags(paths: Sequence[Sequence[str]], taken: Collection[str]) -> list[str]:
    """A tag for each path: as few of its last names as tell it from the others."""
    counts = [min(len(path), 2 if path[-1].casefold() in _SAY_NOTHING else 1) for path in paths]
    while True:
        names = [_joined(path[-count:]) for path, count in zip(paths, counts, strict=True)]
        often = Counter(names)
        alike = [i for i, name in enumerate(names) if often[name] > 1 or name in taken]
        longer = [i for i in alike if counts[i] < len(paths[i])]
        if not longer:
            return _told_apart(names, taken)
        for i in longer:
            counts[i] += 1


def _joined(names: Sequence[str]) -> str:
    text = ".".join(_UNFIT.sub("_", printable(name)).strip("_") for name in names)
    return text[-(_TAG_LENGTH_MAX - _NUMBER_LENGTH) :].lstrip(_LEADING) or "node"


def _told_apart(names: Sequence[str], taken: Collection[str]) -> list[str]:
    """Names that are the same, or taken, get a number."""
    used = set(taken) | set(names)
    given: set[str] = set(taken)
    result = []
    for name in names:
        tag, number = name, 1
        while tag in given or (number > 1 and tag in used):
            number += 1
            tag = f"{name}-{number}"
        given.add(tag)
        result.append(tag)
    assert all(map(is_tag, result)), result
    return result
