"""Which rows below the header are points, and what a cell of such a row holds when others stand for it. Pure.

Blank rows, repeated headers, totals, titles between rows, remarks and spares are passed over, each with a word about it: a point
that is missing must be seen to be missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edge_agent.commissioning.importing.grid import EMPTY, Cell, Grid
from edge_agent.commissioning.importing.header import Header
from edge_agent.commissioning.importing.mapping import IGNORE
from edge_agent.commissioning.importing.words import Words, plain

HELD: Final = frozenset({"device", "unit_id", "source"})
"""What often stands in its first row only and holds for those below."""
_FEW: Final = 2
"""A row without a tag and with no more than so many cells is a title or a remark."""
_TELLING: Final = frozenset(
    {"address", "range", "range_low", "range_high", "type", "ll", "l", "h", "hh", "alarm_1", "alarm_2"}
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is a point: cells by field."""

    number: int
    cells: dict[str, Cell]

    def cell(self, field: str) -> Cell:
        return self.cells.get(field, EMPTY)

    def text(self, field: str) -> str:
        return self.cell(field).text


@dataclass(frozen=True, slots=True)
class PassedOver:
    row: int
    why: str
    text: str


def read_rows(grid: Grid, header: Header, words: Words) -> Iterator[Row | PassedOver]:
    """``grid`` has its merged cells filled. Rows without a tag that hold a point's data are rows, so that they are told."""
    columns = {each.field: each.number for each in header.columns if each.field and each.field != IGNORE}
    above: dict[str, Cell] = {}
    titles = [plain(grid.cell(header.last, each.number).text) for each in header.columns]
    for number in range(header.last + 1, len(grid.rows) + 1):
        texts = [cell.text for cell in grid.rows[number - 1] if cell.text]
        if not texts:
            continue
        own = {field: grid.cell(number, column) for field, column in columns.items()}
        here = [plain(grid.cell(number, each.number).text) for each in header.columns]
        if why := _not_a_point(texts, own, words, repeated=here == titles):
            yield PassedOver(number, why, " ".join(dict.fromkeys(texts))[:60])
            continue
        for field, cell in own.items():
            if words.says("ditto", cell.text) or (field in HELD and not cell.text):
                own[field] = above.get(field, EMPTY)
        above = own
        yield Row(number, own)


def _not_a_point(texts: list[str], own: dict[str, Cell], words: Words, *, repeated: bool) -> str | None:
    tag, address = own["tag"].text, own.get("address", EMPTY).text
    data = any(any(map(str.isdigit, own[field].text)) for field in _TELLING & own.keys())
    few = len(set(texts)) <= _FEW
    spanning = len(set(texts)) == 1 and len(texts) > 1 and len(texts) >= len(own) // 2
    sentence = len(texts) == 1 and any(sign in tag for sign in " ,。;:、")
    spare = any(words.says("spare", text) for text in (tag, own.get("description", EMPTY).text))
    reasons = {
        "header repeated": repeated,
        "total": (few or not address) and any(words.begins("total", text) for text in texts),
        "remark": (few or not (address or data)) and words.begins("remark", texts[0]),
        "title or remark": spanning or sentence or (few and not data and (not tag or words.says("nothing", tag))),
        "spare": spare and not address,
    }
    return next((why for why, holds in reasons.items() if holds), None)
