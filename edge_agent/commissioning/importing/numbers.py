"""Numbers and ranges as plants write them become decimal texts. Pure.

``0~100``, ``0-1.6MPa``, ``±5``, ``≥25%LEL``, ``1,5``; what was left out of the text is told, what can be read in two ways is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from edge_agent.commissioning.importing.words import Words, normal_unit, plain
from edge_agent.settings.cells import CellError
from edge_agent.settings.suggest import shown

_AMOUNT: Final = r"[+-]?(?:[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_NUMBER: Final = re.compile(rf"(?P<sign>[<>≤≥=＜＞]*)\s*(?P<number>{_AMOUNT})\s*(?P<unit>[^0-9+\-].{{0,15}})?\Z")
_RANGE: Final = re.compile(
    rf"[(\[]?\s*(?P<low>{_AMOUNT})\s*[)\]]?\s*(?P<unit_low>[^\s0-9~+\-–—./(][^\s0-9~+\-–—.]{{0,11}})?\s*"
    rf"(?:~|-|–|—|\.{{2,3}}|/|to|至|到)\s*[(\[]?\s*(?P<high>{_AMOUNT})\s*[)\]]?\s*(?P<unit>[^0-9+\-~].{{0,15}})?\Z"
)
_BOTH_WAYS: Final = re.compile(rf"(?:±|\+/-|\+-)\s*(?P<number>{_AMOUNT})\s*(?P<unit>[^0-9].{{0,15}})?\Z")
_THOUSANDS: Final = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?\Z")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]+,[0-9]+\Z")
_IN_TEXT: Final = re.compile(r"[+-]?[0-9][0-9,.]*")
_REMEDY: Final = "Give a plain number such as 12 or 0.5, or - where there is none"
Say = Callable[[str], None]


class CommaUnknown(Exception):  # noqa: N818 - no error: a question stands open
    """A comma that may be of decimals or of thousands."""


def commas(texts: Iterable[str]) -> str | None:
    """What a comma means in a list: ``decimal``, ``thousands``, ``none`` where there is none, None where nobody can tell."""
    found = [
        part.rstrip(",.") for text in texts if "," in text for part in _IN_TEXT.findall(plain(text)) if "," in part
    ]
    decimal = [part for part in found if _DECIMAL.match(part) and not _THOUSANDS.match(part)]
    sure = [part for part in found if _THOUSANDS.match(part) and not _DECIMAL.match(part)]
    if not found:
        return "none"
    if bool(decimal) == bool(sure):
        return None
    return "decimal" if decimal else "thousands"


def read_number(text: str, unit: str | None, comma: str | None, words: Words, say: Say) -> str:
    """A decimal text. ``unit`` is the row's own. Raises CellError and CommaUnknown."""
    found = _NUMBER.match(plain(text))
    if found is None:
        raise CellError(f"{shown(text)} is not a number", _REMEDY)
    if found["sign"]:
        say("signs like ≥ before numbers left out")
    _check_unit(found["unit"], unit, words)
    return _decimal(found["number"], comma)


def read_range(text: str, unit: str | None, comma: str | None, words: Words) -> tuple[str, str]:
    """Its lower and upper end. Raises CellError and CommaUnknown."""
    line = plain(text)
    if both := _BOTH_WAYS.match(line):
        _check_unit(both["unit"], unit, words)
        number = _decimal(both["number"], comma)
        return f"-{number}", number
    found = _RANGE.match(line)
    if found is None:
        raise CellError(f"{shown(text)} is no range", "Write it as 0~100, both ends, the lower one first")
    for each in (found["unit_low"], found["unit"]):
        _check_unit(each, unit, words)
    return _decimal(found["low"], comma), _decimal(found["high"], comma)


def unit_of(text: str, words: Words) -> str | None:
    """The unit that a range or a number carries itself."""
    line = plain(text)
    found = _BOTH_WAYS.match(line) or _RANGE.match(line) or _NUMBER.match(line)
    return words.units.get(normal_unit(found["unit"])) if found and found["unit"] else None


def _check_unit(written: str | None, unit: str | None, words: Words) -> None:
    if written is None:
        return
    folded = normal_unit(written)
    known = words.units.get(folded) or words.units_nearly.get(folded)
    if known is None:
        raise CellError(f"{shown(written.strip())} after the number is no unit", _REMEDY)
    if unit is not None and known != unit and not (known == "%" and unit.startswith("%")):
        raise CellError(f"the cell is in {known}, the point in {unit}", f"Give the number in {unit}, without the unit")


def _decimal(number: str, comma: str | None) -> str:
    if "," in number:
        if comma is None:
            raise CommaUnknown
        if comma == "decimal" and _DECIMAL.match(number):
            number = number.replace(",", ".")
        elif comma == "thousands" and _THOUSANDS.match(number):
            number = number.replace(",", "")
        else:
            raise CellError(f"{shown(number)} has a comma that does not fit the others", "Write decimals with a point")
    return number.removeprefix("+")
