"""What a person said of a list once, kept in a TOML file, and what has to be asked. Pure; ``cli`` reads and writes the file.

::

    sheet = "AI"                      # the sheet that is the list
    [columns]                         # a heading, or the letter of a column -> a field (see words.toml) or "ignore"
    [defaults]                        # for what the list has no column or no word for, as device = "plc-1"
    [address]                         # style = "reference" | "wire" | "numbered"; zero_x = "hex" | "coil"
    [numbers]                         # comma = "decimal" | "thousands"
    [devices] [units] [types]         # the list's word -> the name of a device, a unit, a type
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from typing import Final

from contract.errors import Fault
from contract.units import UNITS
from edge_agent.commissioning.importing.words import normal, plain
from edge_agent.settings.suggest import did_you_mean, shown

IGNORE: Final = "ignore"
FIELDS: Final = (
    "tag", "description", "unit", "range", "range_low", "range_high", "ll", "l", "h", "hh", "alarm_1", "alarm_2",
    "deadband", "on_delay_s", "register", "address", "bit", "type", "word_order", "device", "unit_id", "source",
    "location", "signal", "scale", "offset", "poll_s",
)  # fmt: skip
DEFAULTS: Final = (
    "source", "device", "register", "register_bits", "type", "word_order", "scale", "unit", "poll_s", "class",
)  # fmt: skip
KEYS: Final[MappingOf[str, Collection[str] | None]] = {
    "columns": None, "defaults": DEFAULTS, "address": ("style", "zero_x"), "numbers": ("comma",), "devices": None,
    "units": None, "types": None,
}  # fmt: skip
VALUES: Final[MappingOf[tuple[str, str], Collection[str]]] = {
    ("address", "style"): ("reference", "wire", "numbered"),
    ("address", "zero_x"): ("hex", "coil"),
    ("numbers", "comma"): ("decimal", "thousands"),
    ("defaults", "register"): ("holding", "input", "coil", "discrete"),
    ("defaults", "register_bits"): ("holding", "input", "coil", "discrete"),
    ("defaults", "word_order"): ("ABCD", "CDAB", "BADC", "DCBA"),
}
_TABLE_VALUES: Final[MappingOf[str, Collection[str]]] = {"columns": (*FIELDS, IGNORE), "units": UNITS}
ENTRIES_MAX: Final = 2_000


@dataclass(frozen=True, slots=True)
class Question:
    """Something that the list does not say. ``choices`` are values with their words; ``free``: other values are allowed.

    Its answer goes to ``table.key`` of the mapping; an empty table is the top of the file.
    """

    table: str
    key: str
    text: str
    choices: tuple[tuple[str, str], ...]
    default: str | None = None
    free: bool = False

    @property
    def line(self) -> str:
        """What to put into the mapping file."""
        value = self.default or (self.choices[0][0] if self.choices else "...")
        key = self.key if self.key.isascii() and self.key.replace("_", "").isalnum() else f'"{self.key}"'
        return (f"[{self.table}] " if self.table else "") + f'{key} = "{value}"'


@dataclass(frozen=True, slots=True)
class Mapping:
    """Answers by table and key; keys of words are as the file has them."""

    sheet: str | None = None
    tables: MappingOf[str, MappingOf[str, str]] = field(default_factory=dict)

    def get(self, table: str, key: str) -> str | None:
        return self.tables.get(table, {}).get(key)

    def default(self, key: str) -> str | None:
        return self.get("defaults", key)

    def word(self, table: str, text: str) -> str | None:
        """For what is written in the list, whatever its case and width."""
        wanted = plain(text).casefold()
        return next(
            (value for key, value in self.tables.get(table, {}).items() if plain(key).casefold() == wanted), None
        )

    def column(self, letter: str, heading: str) -> str | None:
        columns = self.tables.get("columns", {})
        if letter in columns:
            return columns[letter]
        return next((each for key, each in columns.items() if normal(key) and normal(key) == normal(heading)), None)

    def with_answer(self, question: Question, value: str) -> Mapping:
        if not question.table:
            return Mapping(value, self.tables)
        table = {**self.tables.get(question.table, {}), question.key: value}
        return Mapping(self.sheet, {**self.tables, question.table: table})


def read_mapping(text: str, file: str, faults: list[Fault]) -> Mapping:
    """What is wrong is added to ``faults``."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        faults.append(Fault(file, None, None, f"the file is not TOML: {error}", "Mend that line"))
        return Mapping()
    sheet = data.pop("sheet", None)
    if sheet is not None and not isinstance(sheet, str):
        faults.append(Fault(file, None, "sheet", f"{shown(sheet)} is no name", 'Write it in quotes, as sheet = "AI"'))
        sheet = None
    tables = {}
    for name, table in data.items():
        if name not in KEYS or not isinstance(table, dict) or len(table) > ENTRIES_MAX:
            faults.append(Fault(file, None, name, f"unknown table {shown(name)}", did_you_mean(name, KEYS)))
        else:
            tables[name] = {key: _value(file, name, key, value, faults) for key, value in table.items()}
    return Mapping(sheet, tables)


def _value(file: str, table: str, key: str, value: object, faults: list[Fault]) -> str:
    place = f"{table}.{key}"
    keys = KEYS[table]
    if keys is not None and key not in keys:
        faults.append(Fault(file, None, place, f"unknown key {shown(key)}", did_you_mean(key, keys)))
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        faults.append(Fault(file, None, place, f"{shown(value)} is neither a text nor a number", "Write it in quotes"))
        return ""
    text = str(value).strip()
    known = VALUES.get((table, key)) or _TABLE_VALUES.get(table)
    if known and text not in known:
        faults.append(Fault(file, None, place, f"{shown(text)} is not allowed here", did_you_mean(text, known)))
    return text
