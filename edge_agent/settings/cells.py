"""The text of one cell becomes a value, or a ``CellError`` that says what to write instead. Pure.

Each function here reads one kind of cell; those that depend on something give such a function back.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection
from typing import Final

from contract.ids import is_org_path, is_tag
from contract.units import UNITS
from edge_agent.settings.suggest import did_you_mean, nearest, shown

_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,5})?\Z")
_DECIMAL_COMMA: Final = re.compile(r"[+-]?[0-9]+,[0-9]+\Z")
_DIGITS: Final = re.compile(r"[0-9]{1,9}\Z")
_NO_NUMBERS: Final = frozenset({"nan", "inf", "infinity"})
_SPELLINGS: Final = str.maketrans(
    {"³": "3", "²": "2", "℃": "degC", "°": "deg", "^": "", " ": "", "·": ".", "µ": "u", "μ": "u"}
)


class CellError(ValueError):
    """A cell that cannot be read. ``message`` says what is wrong, ``remedy`` what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message)


def number(low: float = -math.inf, high: float = math.inf) -> Callable[[str], float]:
    """A finite decimal number from ``low`` to ``high``, both allowed."""

    def read(text: str) -> float:
        value = _decimal(text)
        if value < low:
            raise CellError(f"{shown(text)} is below {low:g}", _between(low, high))
        if value > high:
            raise CellError(f"{shown(text)} is above {high:g}", _between(low, high))
        return value

    return read


def whole(high: int, remedy: str) -> Callable[[str], int]:
    """A whole number from 0 to ``high``, in decimal digits."""

    def read(text: str) -> int:
        if not _DIGITS.match(text):
            raise CellError(f"{shown(text)} is not a whole number", remedy)
        if int(text) > high:
            raise CellError(f"{shown(text)} is above {high}", remedy)
        return int(text)

    return read


def choice(options: Collection[str]) -> Callable[[str], str]:
    """One of some words."""

    def read(text: str) -> str:
        if text not in options:
            raise CellError(f"{shown(text)} is not allowed here", did_you_mean(text, options))
        return text

    return read


def tag(text: str) -> str:
    if not is_tag(text):
        raise CellError(
            f"{shown(text)} is not a tag", "Use 1 to 64 characters without blanks, commas, quotes or slashes"
        )
    return text


def org_path(organisation: str) -> Callable[[str], str]:
    """``source`` or ``source/unit`` becomes ``organisation/source[/unit]``."""

    def read(text: str) -> str:
        if not is_org_path(f"{organisation}/{text}"):
            remedy = "Write source or source/unit, without blanks, commas or quotes; the enterprise is added to it"
            raise CellError(f"{shown(text)} is not the path of a hazard source", remedy)
        return f"{organisation}/{text}"

    return read


def unit(text: str) -> str:
    """A symbol of ``contract.units``. Other spellings are refused, since two spellings would be two units."""
    if text in UNITS:
        return text
    plain = text.translate(_SPELLINGS)
    near = [symbol for symbol in UNITS if symbol.casefold() == plain.casefold()] or nearest(plain, UNITS)
    remedy = f"Did you mean {' or '.join(near)}?" if near else f"Known are: {', '.join(UNITS)}"
    raise CellError(f"unknown unit {shown(text)}", remedy)


def report_deadband(text: str) -> float | None:
    """A number not below 0; None for ``off`` and ``all``, which keep every sample."""
    if text in {"off", "all"}:
        return None
    value = _decimal(text, "Give a number from 0 up, or off to keep every sample")
    if value < 0:
        raise CellError(f"{shown(text)} is below 0", "Give a number from 0 up, or off to keep every sample")
    return value


def line(length_max: int) -> Callable[[str], str]:
    """Text for people; line ends inside become blanks."""

    def read(text: str) -> str:
        flat = " ".join(text.split())
        if len(flat) > length_max:
            raise CellError(f"the text has {len(flat)} characters", f"Shorten it to {length_max}")
        return flat

    return read


def text(length_max: int) -> Callable[[str], str]:
    """A cell as it stands."""

    def read(cell: str) -> str:
        if len(cell) > length_max:
            raise CellError(f"the text has {len(cell)} characters", f"Shorten it to {length_max}")
        return cell

    return read


def _decimal(text: str, remedy: str = "Give a plain number such as 12 or 0.5, without unit or blanks") -> float:
    if _DECIMAL_COMMA.match(text):
        raise CellError(f"{shown(text)} has a decimal comma", f"Write it with a point: {shown(text.replace(',', '.'))}")
    if text.lstrip("+-").casefold() in _NO_NUMBERS:
        raise CellError(f"{shown(text)} is not a finite number", "Leave the cell empty where there is no value")
    if not _NUMBER.match(text):
        raise CellError(f"{shown(text)} is not a number", remedy)
    value = float(text)
    if math.isinf(value):
        raise CellError(f"{shown(text)} is too large for a number", remedy)
    return value


def _between(low: float, high: float) -> str:
    if math.isinf(high):
        return f"Give a number from {low:g} up"
    return f"Give a number from {low:g} to {high:g}"
