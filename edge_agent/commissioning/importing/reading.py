"""A grid, what a person said of it, and the site become rows of ``points.csv``, faults, open questions and words. Pure.

Every cell is read on its own, so that all faults are told at once; a cell whose meaning depends on an open question stays empty
and is no fault. What was mended or assumed is noted with the places where.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field

from contract.errors import Fault
from edge_agent.commissioning.importing import addresses, alarms, devices, numbers
from edge_agent.commissioning.importing.cell_words import word_order, word_register, word_source, word_type, word_unit
from edge_agent.commissioning.importing.devices import Site
from edge_agent.commissioning.importing.grid import Grid, filled, letter
from edge_agent.commissioning.importing.header import Header
from edge_agent.commissioning.importing.mapping import Mapping, Question
from edge_agent.commissioning.importing.questions import ask_default, ask_meaning
from edge_agent.commissioning.importing.rows import PassedOver, Row, read_rows
from edge_agent.commissioning.importing.scaling import scale_of
from edge_agent.commissioning.importing.words import Words, normal, plain
from edge_agent.settings.cells import CellError

LIMITS = ("ll", "l", "h", "hh")
_ONE_REGISTER = frozenset({"bit", "uint16", "int16", "bcd16", "tenths16", "float16"})
_FLOATS = frozenset({"float16", "float32", "float64", "string"})
Say = Callable[[str], None]


@dataclass(slots=True)
class Reading:
    """What became of a list. ``rows``: cells of ``points.csv`` by row of the sheet. ``silent``: (row, column of ``points.csv``)
    that are empty for a reason that is told already."""

    header: Header
    rows: dict[int, dict[str, str]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    questions: dict[tuple[str, str], Question] = field(default_factory=dict)
    notes: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    passed_over: list[PassedOver] = field(default_factory=list)
    silent: set[tuple[int, str]] = field(default_factory=set)


def read_list(grid: Grid, header: Header, words: Words, mapping: Mapping, site: Site) -> Reading:
    """Everything at once. Rows mean something only where there are neither faults nor questions."""
    reading = Reading(header)
    rows = []
    for each in read_rows(filled(grid), header, words):
        if isinstance(each, PassedOver):
            reading.passed_over.append(each)
        else:
            rows.append(each)
    reader = _Reader(grid.file, words, mapping, site, reading, rows)
    for row in rows:
        reading.rows[row.number] = reader.read(row)
    return reading


class _Reader:
    """Reads row after row; what holds for the whole list is found out first."""

    def __init__(
        self, file: str, words: Words, mapping: Mapping, site: Site, reading: Reading, rows: Sequence[Row]
    ) -> None:
        self._file, self._words, self._mapping, self._site, self._out = file, words, mapping, site, reading
        texts = [row.text("address") for row in rows if not words.says("nothing", row.text("address"))]
        style, zero_x = mapping.get("address", "style"), mapping.get("address", "zero_x")
        self._meaning = addresses.meaning_of([text for text in texts if text], style, zero_x)
        amounts = ("range", "range_low", "range_high", *LIMITS, "alarm_1", "alarm_2", "deadband", "scale", "offset")
        own = mapping.get("numbers", "comma")
        self._comma = own or numbers.commas(row.text(each) for row in rows for each in amounts)
        self._row = Row(0, {})
        if self._meaning.style is addresses.Style.REFERENCE and not style and any(text.isdecimal() for text in texts):
            first = next(text for text in texts if text.isdecimal())
            self._out.notes[f"addresses read as a manual numbers them: {first} is {self._example(first)}"] = []

    def _example(self, text: str) -> str:
        try:
            place = addresses.read_address(text, self._meaning, is_number=False)
        except CellError:
            return "a reference"
        return f"{place.table}, {place.address} on the wire"

    def read(self, row: Row) -> dict[str, str]:
        self._row = row
        out = {"tag": self._tag(), "description": self._description(), "device": self._device()}
        unit_text = self._text("unit")
        is_bit = normal(self._text("signal")) in self._words.bit_signals
        out |= self._try("type", lambda: self._type(is_bit=is_bit), "type")
        out |= self._place(is_bit=is_bit or out.get("type") == "bit")
        if out.get("register") in {"coil", "discrete"} and not out.get("type"):
            out["type"] = "bit"
        elif not out.get("type") and not self._is_silent("type"):
            out["type"] = self._default("type")
        is_bit = out.get("type") == "bit"
        out |= self._try("unit", lambda: self._unit(unit_text, is_bit=is_bit), "unit")
        out |= self._range(out.get("unit"), is_bit=is_bit)
        out |= self._limits(out.get("unit"))
        out |= self._amounts(out)
        out |= self._try("source", self._source, "source")
        order = self._try("word_order", lambda: word_order(self._text("word_order"), self._words), "word_order")
        out |= self._order(out, order.get("word_order", ""))
        if name := self._mapping.default("class"):
            out["class"] = name
        return {column: text for column, text in out.items() if text}

    # --- cells --------------------------------------------------------------------------------------------------------

    def _text(self, name: str) -> str:
        """The text of a cell in one width; empty for what means nothing, and for what has a fault, which is told."""
        cell = self._row.cell(name)
        text = plain(cell.text)
        if cell.wrong:
            self._fault(name, *cell.wrong)
            return ""
        if self._words.says("undecided", text):
            self._fault(name, f"'{text}' is yet to be decided", "Give the value, or - where there is none")
            return ""
        if self._words.says("nothing", text):
            return ""
        if text != " ".join(cell.text.split()) and text != cell.text and name in {"tag", "address", "unit", *LIMITS}:
            self._note("full-width and other signs of like meaning mended", name)
        return text

    def _place_of(self, name: str) -> str:
        column = self._out.header.of(name)
        return f"{letter(column.number)}{self._row.number}" if column else f"row {self._row.number}"

    def _note(self, text: str, name: str) -> None:
        place = self._place_of(name)
        if place not in self._out.notes[text]:
            self._out.notes[text].append(place)

    def _say(self, name: str) -> Say:
        return lambda text: self._note(text, name)

    def _fault(self, name: str, message: str, remedy: str) -> None:
        column = self._out.header.of(name)
        fault = Fault(self._file, self._row.number, column.place if column else name, message, remedy)
        if fault not in self._out.faults:
            self._out.faults.append(fault)
        for each in _COLUMNS_OF.get(name, (name,)):
            self._out.silent.add((self._row.number, each))

    def _is_silent(self, column: str) -> bool:
        return (self._row.number, column) in self._out.silent

    def _ask(self, question: Question, *columns: str) -> None:
        self._out.questions.setdefault((question.table, question.key), question)
        self._out.silent.update((self._row.number, each) for each in columns)

    def _default(self, name: str) -> str:
        """What a person said for the whole list; a question where nobody did."""
        value = self._mapping.default(name)
        if value is None:
            self._ask(ask_default(name, self._site, self._out.header), name.removesuffix("_bits"))
            return ""
        return value

    def _try(self, name: str, read: Callable[[], str | MappingOf[str, str]], *columns: str) -> dict[str, str]:
        """What a cell says, by columns of ``points.csv``; nothing where it is at fault or open."""
        try:
            value = read()
        except CellError as bad:
            self._fault(name, bad.message, bad.remedy)
        except numbers.CommaUnknown:
            self._ask(ask_meaning("comma", self._place_of(name), self._row.text(name)), *columns)
        except addresses.Undecided:
            self._ask(ask_meaning(self._open_address(), self._place_of(name), self._row.text(name)), *columns)
        else:
            return {columns[0]: value} if isinstance(value, str) else dict(value)
        self._out.silent.update((self._row.number, each) for each in columns)
        return {}

    def _open_address(self) -> str:
        zero_x = self._meaning.zero_x is None and self._row.text("address").upper().startswith("0X")
        return "zero_x" if zero_x else "style"

    # --- columns ------------------------------------------------------------------------------------------------------

    def _tag(self) -> str:
        tag = self._text("tag")
        if not tag and not self._is_silent("tag"):
            self._fault("tag", "the row has data and no tag", "Give it a tag, or delete the row")
        if tag.startswith("#"):
            self._fault("tag", f"'{tag}' begins with #, which makes a comment of it", "Take the # off, or put it last")
            return ""
        return tag

    def _description(self) -> str:
        parts = [self._text("description"), self._text("location") if self._out.header.of("source") else ""]
        if parts[1] and parts[1] in parts[0]:
            parts.pop()
        return ", ".join(part for part in parts if part)

    def _device(self) -> str:
        name, unit_id = self._text("device"), self._text("unit_id")
        if self._is_silent("device"):
            return ""
        default = self._mapping.default("device")
        if not name and not unit_id:
            if default is None and self._site.only:
                self._note(f"device: {self._site.only}, the only one in agent.toml", "tag")
                return self._site.only
            return default or self._default("device")
        found = devices.find(name, unit_id, self._site, self._mapping)
        if isinstance(found, str):
            return found
        if default:
            return default
        self._ask(found, "device")
        return ""

    def _type(self, *, is_bit: bool) -> str:
        text = self._text("type")
        if text:
            return self._mapping.word("types", text) or word_type(text, self._words)
        return "bit" if is_bit else ""

    def _unit(self, text: str, *, is_bit: bool) -> str:
        if text:
            typed = self._row.text("unit")  # in another width a fault would name a unit that stands nowhere in the list
            return self._mapping.word("units", text) or word_unit(typed, self._words, self._say("unit"))
        if self._is_silent("unit"):
            return ""
        if is_bit:
            return "state"
        if self._words.says("nothing", self._row.text("unit")):
            self._note("a sign for nothing in the column of units taken for a number without one", "unit")
            return "1"
        for name in ("range", "range_high", *LIMITS, "alarm_1"):
            column = self._out.header.of(name)
            own = numbers.unit_of(self._row.text(name), self._words) or (column.unit if column else None)
            if own:
                self._note(f"unit taken from '{column.heading if column else name}'", name)
                return own
        if unit := self._mapping.default("unit"):
            return unit
        raise CellError("the point has no unit", "Give its unit; 1 for a number without one")

    def _place(self, *, is_bit: bool) -> dict[str, str]:
        table = self._try("register", lambda: word_register(self._text("register"), self._words), "register")
        text = self._text("address")
        if not text:
            if not self._is_silent("address"):
                self._fault("address", "the point has no address", "Give the Modbus address or the NodeId")
            return table
        is_number = self._row.cell("address").number
        found = self._try(
            "address",
            lambda: _as_cells(addresses.read_address(text, self._meaning, is_number=is_number)),
            "address", "register", "bit",
        )  # fmt: skip
        if bit := self._text("bit"):
            found["bit"] = bit
        if not found.get("address") or not found["address"].isdecimal():
            return found
        said, named = table.get("register"), found.get("register")
        if said and named and said != named:
            self._fault("address", f"'{text}' names a {named} register, and the row says {said}", _STYLE_REMEDY)
        if not said and not named and not self._is_silent("register"):
            said = self._default("register_bits" if is_bit and self._mapping.default("register_bits") else "register")
        return {**found, "register": named or said or ""}

    def _range(self, unit: str | None, *, is_bit: bool) -> dict[str, str]:
        out: dict[str, str] = {}
        if (text := self._text("range")) and not is_bit:
            read = lambda: dict(  # noqa: E731 - a value that is read when it is asked for
                zip(("range_low", "range_high"), numbers.read_range(text, unit, self._comma, self._words), strict=True)
            )
            out |= self._try("range", read, "range_low", "range_high")
        for name in ("range_low", "range_high"):
            out |= self._number(name, unit)
        return out

    def _number(self, name: str, unit: str | None, column: str | None = None) -> dict[str, str]:
        text = self._text(name)
        if not text:
            return {}
        read = lambda: numbers.read_number(text, unit, self._comma, self._words, self._say(name))  # noqa: E731
        return self._try(name, read, column or name)

    def _limits(self, unit: str | None) -> dict[str, str]:
        out: dict[str, str] = {}
        for name in (*LIMITS, "deadband"):
            out |= self._number(name, unit)
        levels = {**self._number("alarm_1", unit), **self._number("alarm_2", unit)}
        if levels:
            say = self._say("alarm_1")
            first, second = levels.get("alarm_1", ""), levels.get("alarm_2", "")
            for column, text in self._try(
                "alarm_2", lambda: alarms.from_levels(unit or "", first, second, say)
            ).items():
                if out.get(column) and float(out[column]) != float(text or out[column]):
                    self._fault(
                        "alarm_1", f"{column} is {out[column]} in one column and {text} here", "Keep one of them"
                    )
                out[column] = out.get(column) or text
        return out

    def _amounts(self, row: dict[str, str]) -> dict[str, str]:
        out: dict[str, str] = {}
        for name in ("scale", "offset", "on_delay_s", "poll_s"):
            out |= self._number(name, "s" if name.endswith("_s") else None)
        if not out.get("poll_s") and (poll_s := self._mapping.default("poll_s")):
            out["poll_s"] = poll_s
        if row.get("type") in _FLOATS and out.get("scale", "1") == "1" and out.get("offset", "0") == "0":
            return {**out, "scale": "", "offset": ""}
        wants = row.get("type") not in {None, "", "bit", *_FLOATS} and not out.get("scale") and row.get("register")
        if wants and not self._is_silent("scale"):
            said = self._default("scale")
            return {**out, **self._try("scale", lambda: scale_of(said, row), "scale", "offset")}
        return out

    def _source(self) -> str:
        if text := self._text("source"):
            return word_source(text, self._say("source"))
        said = self._mapping.default("source") or ("" if self._is_silent("source") else self._default("source"))
        if said == "(location)":
            location = self._text("location")
            if not location:
                raise CellError("the point has no place", "Fill the cell, or give defaults.source in the mapping")
            return word_source(location, self._say("location"))
        return said

    def _order(self, row: dict[str, str], own: str) -> dict[str, str]:
        """The list's own word, or the default; a value of one register has no words to put in order."""
        if row.get("type") in _ONE_REGISTER or row.get("type") is None or not row.get("register"):
            if own in {"CDAB", "DCBA"}:
                self._note("order of words left out where the value has one register", "word_order")
            return {"word_order": own if own == "BADC" and row.get("type") != "bit" else ""}
        if own or self._is_silent("word_order"):
            return {"word_order": own}
        return {"word_order": self._default("word_order")}


_COLUMNS_OF: MappingOf[str, tuple[str, ...]] = {
    "range": ("range_low", "range_high"),
    "address": ("address", "register"),
    "alarm_1": ("l", "h"),
    "alarm_2": ("ll", "h", "hh"),
    "unit_id": ("device",),
    "location": ("source",),
}
_STYLE_REMEDY = 'Mend one of them; if the number is a place on the wire, say [address] style = "wire" in the mapping'


def _as_cells(place: addresses.Place) -> dict[str, str]:
    return {"address": place.address, "register": place.table or "", "bit": place.bit or ""}
