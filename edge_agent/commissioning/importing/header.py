"""Which rows of a grid are the header, and what each column is. Pure.

Headings may stand in up to three rows, as 报警值 over 低低, 低, 高, 高高; titles above and remarks below are no matter. Where two
readings are possible the one with the most known headings is taken; what is unknown but might matter becomes a question.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edge_agent.commissioning.importing.grid import Grid, letter
from edge_agent.commissioning.importing.mapping import IGNORE, Mapping, Question
from edge_agent.commissioning.importing.words import Words, normal, plain

LOOK_ROWS: Final = 100
DEPTH_MAX: Final = 3
KNOWN_MIN: Final = 4
"""Fewer known headings are no I/O list."""
_SWALLOWED: Final = 1.0
_UNKNOWN: Final = 0.5
_OF_ALARMS: Final = frozenset({"ll", "l", "h", "hh", "alarm_1", "alarm_2", "deadband", "on_delay_s"})
DOUBLED: Final = frozenset({"description", "location", IGNORE})
"""Of these a second column is passed over without a question."""


@dataclass(frozen=True, slots=True)
class Column:
    """``field`` is what the column is, None where nobody knows; ``unit`` is the one that its heading names."""

    number: int
    heading: str
    field: str | None
    unit: str | None
    doubt: float = 0.0
    """How little its lower rows look like a heading."""
    is_headed: bool = False
    """Its upper heading says what the lower one is of."""

    @property
    def place(self) -> str:
        return f"column {letter(self.number)} '{self.heading}'"


@dataclass(frozen=True, slots=True)
class Header:
    """Rows ``first`` to ``last`` and their columns, from left."""

    first: int
    last: int
    columns: tuple[Column, ...]

    def of(self, field: str) -> Column | None:
        return next((each for each in self.columns if each.field == field), None)

    @property
    def score(self) -> float:
        """Known fields, each once; those that are known to be ignored weigh little. A row more costs a little, unless it says
        what those below it are of, and much where it looks like the first point: that one must not be swallowed."""
        known = {each.field for each in self.columns if each.field}
        rows = 0.15 * any(each.is_headed for each in self.columns) - 0.1 * (self.last - self.first)
        return len(known - {IGNORE}) + 0.01 * (IGNORE in known) + rows - sum(each.doubt for each in self.columns)


def find(grid: Grid, words: Words, mapping: Mapping) -> Header | None:
    """The best header among the first rows; None where nothing looks like one. ``grid`` has its merged cells filled."""
    best = max(_candidates(grid, words, mapping), key=lambda each: each.score, default=None)
    return best if best and best.score >= KNOWN_MIN - 1 and best.of("tag") else None


def _candidates(grid: Grid, words: Words, mapping: Mapping) -> Iterator[Header]:
    for first in range(1, min(LOOK_ROWS, len(grid.rows)) + 1):
        if _may_be_first(grid, first, words):
            for last in range(first, min(first + DEPTH_MAX, len(grid.rows) + 1)):
                columns = tuple(_columns(grid, first, last, words, mapping))
                yield Header(first, last, columns)


def _may_be_first(grid: Grid, row: int, words: Words) -> bool:
    """One text alone in its row is a title, which must not lend a word to the headings below; unless it is a heading."""
    texts = {normal(cell.text) for cell in grid.rows[row - 1] if cell.text}
    return len(texts) > 1 or any(text in words.above or text in words.headings for text in texts)


def _columns(grid: Grid, first: int, last: int, words: Words, mapping: Mapping) -> Iterator[Column]:
    held = ""
    taken: set[str] = set()
    for number in range(1, grid.width + 1):
        own = [plain(grid.cell(row, number).text) for row in range(first, last + 1)]
        if own[0]:
            held = own[0]
        elif any(own) and normal(held) in words.above:
            own[0] = held  # a heading over several columns whose merging was lost
        texts = list(dict.fromkeys(text for text in own if text))
        if not texts:
            continue
        heading = " ".join(texts)
        field, doubt = _field(texts, words)
        field = mapping.column(letter(number), heading) or field
        if field in taken and field in DOUBLED:
            field = IGNORE
        taken.add(field or "")
        unit = next((unit for text in reversed(texts) if (unit := words.unit_in(text))), None)
        is_headed = len(texts) > 1 and not doubt and normal(texts[0]) in words.above
        yield Column(number, heading, field, unit, doubt, is_headed)


def _field(texts: list[str], words: Words) -> tuple[str | None, float]:
    """What a column is, and the doubt about its lower rows. The lowest heading says most; those above help where it says too
    little, and warn where it says another thing."""
    if len(texts) == 1:
        return words.field(texts[0]), 0.0
    *above, below = texts
    alone = words.field(below)
    for higher in reversed(above):
        both = f"{normal(higher)}{normal(below)}"
        field = words.headings.get(both) if alone == IGNORE else words.field(both)  # 序号 is 序号 below whatever
        if field:
            return field, 0.0
    if any(_is_alarm(each, words) for each in above):
        whole = words.field(f"报警{normal(below)}") or words.field(f"alarm{normal(below)}")
        field = whole or (alone if alone in _OF_ALARMS else None)
        return field, 0.0 if field else _UNKNOWN
    if alone:
        return alone, 0.0
    upper = words.field(above[-1])
    return upper, _SWALLOWED if upper else _UNKNOWN


def _is_alarm(heading: str, words: Words) -> bool:
    text = normal(heading)
    return text in words.above and any(part in text for part in ("报警", "设定", "alarm", "set", "limit"))


def questions(grid: Grid, header: Header, words: Words, fields: tuple[str, ...]) -> list[Question]:
    """Columns that are two, and unknown ones that hold something and might matter."""
    asked = []
    first: dict[str, Column] = {}
    for column in header.columns:
        key, sample = letter(column.number), _sample(grid, header, column.number)
        choices = tuple((each, each) for each in (*fields, IGNORE))
        if column.field is None and sample and words.matters(column.heading):
            text = f"What is {column.place} (holds {sample})?"
            asked.append(Question("columns", key, text, choices))
        elif column.field and column.field != IGNORE and column.field in first:
            other = first[column.field].place
            text = f"{column.place} looks like {column.field}, and so does {other}. What is it?"
            asked.append(Question("columns", key, text, choices))
        elif column.field:
            first[column.field] = column
    return asked


def _sample(grid: Grid, header: Header, number: int) -> str:
    values = (grid.cell(row, number).text for row in range(header.last + 1, len(grid.rows) + 1))
    return ", ".join(list(dict.fromkeys(text[:20] for text in values if text))[:3])
