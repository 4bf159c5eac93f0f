"""Units, types, orders, tables and places as plants write them become the words of ``points.csv``. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from contract.units import UNITS
from edge_agent.commissioning.importing.words import Words, normal, normal_unit, plain
from edge_agent.settings.cells import CellError
from edge_agent.settings.suggest import did_you_mean, nearest, shown

_WITH_CODE: Final = re.compile(r"(?P<code>fc ?0?[1-4])\b|0(?P<digit>[1-4])\b", re.IGNORECASE)


def word_unit(text: str, words: Words, say: Callable[[str], None]) -> str:
    """Raises CellError with what was probably meant."""
    folded = normal_unit(text)
    if folded in words.units:
        return words.units[folded]
    if folded in words.units_nearly:
        unit = words.units_nearly[folded]
        say(f"unit {text} taken for {unit}: that it is normal or absolute is not kept")
        return unit
    near = [words.units[each] for each in nearest(folded, words.units)]
    guess = f"Did you mean {' or '.join(dict.fromkeys(near))}?" if near else f"Known are: {', '.join(UNITS)}."
    meant = near[0] if near else "..."
    raise CellError(f"unknown unit {shown(text)}", f'{guess} Or say so in the mapping: [units] "{text}" = "{meant}"')


def word_type(text: str, words: Words) -> str:
    found = words.types.get(normal(text)) or words.types.get(normal(plain(text).replace("(", "").replace(")", "")))
    if found is None:
        near = dict.fromkeys(words.types[each] for each in nearest(normal(text), words.types))
        guess = did_you_mean(text, list(near) or list(dict.fromkeys(words.types.values())))
        meant = next(iter(near), "int16")
        raise CellError(
            f"unknown type {shown(text)}",
            f'{guess.rstrip(".")}{"" if guess.endswith("?") else "."} Or in the mapping: [types] "{text}" = "{meant}"',
        )
    return found


def word_order(text: str, words: Words) -> str:
    if not text:
        return ""
    found = words.word_orders.get(normal(text))
    if found is None:
        raise CellError(f"unknown order of bytes {shown(text)}", "Give ABCD, CDAB, BADC or DCBA")
    return found


def word_register(text: str, words: Words) -> str:
    if not text:
        return ""
    code = _WITH_CODE.search(plain(text))
    found = words.registers.get(normal(text)) or (words.registers.get(normal(code[0])) if code else None)
    if found is None:
        raise CellError(
            f"{shown(text)} is no Modbus table that is read",
            "Give holding (03), input (04), coil (01) or discrete (02)",
        )
    return found


def word_source(text: str, say: Callable[[str], None]) -> str:
    """``source`` or ``source/unit``: blanks become hyphens, quotes and commas go."""
    parts = [re.sub(r"[\s,\"']+", "-", part.strip()).strip("-") for part in re.split(r"[/\\>]", plain(text))]
    source = "/".join(part for part in parts if part)
    if source != text:
        say("blanks and commas in sources made hyphens")
    return source
