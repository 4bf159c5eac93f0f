"""Addresses as manuals and control systems write them become a Modbus table and a place on the wire, or stay a NodeId. Pure.

A number alone may be what a manual calls 40001 (``reference``), a place as it goes over the wire, from 0 (``wire``), or one that
counts from 1 (``numbered``). Which of them holds for the list is decided once, by ``style_of`` or by a person; a wrong guess
would read every value one register off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from edge_agent.commissioning.importing.words import plain
from edge_agent.settings.cells import CellError
from edge_agent.settings.suggest import shown

_TABLES: Final = {"0": "coil", "1": "discrete", "3": "input", "4": "holding"}
_X: Final = re.compile(r"(?P<table>[0134])X(?P<number>[0-9]{1,5})(?:[.:](?P<bit>[0-9]{1,2}))?\Z")
_HEX: Final = re.compile(r"(?:0X([0-9A-F]{1,4})|16#([0-9A-F]{1,4})|([0-9A-F]{1,4})H)\Z")
_ZERO_X: Final = re.compile(r"0X[0-9A-F]{1,5}\Z")
_DIGITS: Final = re.compile(r"(?P<number>[0-9]{1,6})(?:[.:](?P<bit>[0-9]{1,2}))?(?:[-~](?P<end>[0-9]{1,6}))?\Z")
_NODE: Final = re.compile(r"(nsu|ns|svr)=.+;|(i|s|g|b)=|alarm\(", re.IGNORECASE)
_OWN: Final = re.compile(r"(DB[0-9]|%?[MIQVD][BWDX]?[0-9]|[DMVRW][0-9])")
_REMEDY: Final = "Give the Modbus address, as 40001, 4x0001, 0x1A or the number on the wire"


class Style(StrEnum):
    REFERENCE = "reference"
    WIRE = "wire"
    NUMBERED = "numbered"


@dataclass(frozen=True, slots=True)
class Place:
    """``table`` is None where the address does not name it."""

    table: str | None
    address: str
    bit: str | None = None


@dataclass(frozen=True, slots=True)
class Meaning:
    """How the addresses of a list are to be read; None: a question stands open."""

    style: Style | None
    zero_x: str | None


class Undecided(Exception):  # noqa: N818 - no error: a question stands open
    """An address whose meaning depends on an answer that is still missing."""


def meaning_of(texts: Iterable[str], style: str | None, zero_x: str | None) -> Meaning:
    """What a person said, or else what the addresses leave no doubt about."""
    forms = [_form(each) for each in texts]
    return Meaning(Style(style) if style else _style_of(forms), zero_x or _zero_x_of(forms))


def _style_of(forms: list[str]) -> Style | None:
    digits = [found["number"] for form in forms if (found := _DIGITS.match(form))]
    references = sum(_looks_like_reference(each) for each in digits)
    if references == len(digits):
        return Style.REFERENCE
    if not references and any(int(each) == 0 for each in digits):
        return Style.WIRE
    return None


def _zero_x_of(forms: list[str]) -> str | None:
    zero = [form for form in forms if _ZERO_X.match(form)]
    if any(set(form[2:]) & set("ABCDEF") for form in zero):
        return "hex"
    if not zero or any(_X.match(form) and not form.startswith("0") for form in forms):
        return "coil"
    return None


def read_address(text: str, meaning: Meaning, *, is_number: bool) -> Place:
    """Raises CellError and Undecided."""
    if _NODE.match(plain(text)):
        return Place(None, text.strip())
    form = _form(text)
    if _ZERO_X.match(form) and meaning.zero_x != "coil":
        if meaning.zero_x is None:
            raise Undecided
    elif found := _X.match(form):
        return Place(_TABLES[found["table"]], _from_one(text, int(found["number"])), found["bit"])
    if found := _HEX.match(form):
        return Place(None, str(int(found[1] or found[2] or found[3], 16)))
    found = _DIGITS.match(form)
    if found is None:
        own = "is an address of the controller's own memory" if _OWN.match(form) else "is no address"
        raise CellError(f"{shown(text)} {own}", _REMEDY)
    if is_number and found["bit"] == "1":
        message = f"{shown(text)} was kept as a number, so bit 1 and bit 10 cannot be told apart"
        raise CellError(message, "Format the cell as text and write the bit in full")
    if found["end"] and int(found["end"]) <= int(found["number"]):
        raise CellError(f"{shown(text)} does not rise", "Give the first register alone")
    return _of_digits(text, found["number"], found["bit"], meaning.style)


def _of_digits(text: str, number: str, bit: str | None, style: Style | None) -> Place:
    match style:
        case None:
            raise Undecided
        case Style.WIRE:
            return Place(None, _on_wire(text, int(number)), bit)
        case Style.NUMBERED:
            return Place(None, _from_one(text, int(number)), bit)
        case Style.REFERENCE:
            if _looks_like_reference(number):
                return Place(_TABLES[number[0]], _from_one(text, int(number[1:])), bit)
            if int(number) < 10_000:
                return Place("coil", _from_one(text, int(number)), bit)  # a spreadsheet takes off the zeros of 00001
            raise CellError(
                f"{shown(text)} is no reference as 40001", "Begin it with 0, 1, 3 or 4; the rest counts from 1"
            )


def _looks_like_reference(number: str) -> bool:
    return len(number) in {5, 6} and number[0] in _TABLES


def _from_one(text: str, number: int) -> str:
    if number == 0:
        raise CellError(f"{shown(text)} counts from 0, where the first is 1", "Look up how the manual counts")
    return _on_wire(text, number - 1)


def _on_wire(text: str, number: int) -> str:
    if number > 65535:
        raise CellError(f"{shown(text)} is beyond 65535", _REMEDY)
    return str(number)


def _form(text: str) -> str:
    return plain(text).upper().replace(" ", "").replace("×", "X")
