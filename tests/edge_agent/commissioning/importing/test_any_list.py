"""Whatever the order and the words of its columns, a list imports to the points that it was written from."""

from __future__ import annotations

import csv
import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.commissioning.importing.attempt import attempt
from edge_agent.commissioning.importing.csv_grid import read_grids
from edge_agent.commissioning.importing.devices import Site
from edge_agent.commissioning.importing.grid import Cell, Grid
from edge_agent.commissioning.importing.mapping import Mapping
from edge_agent.commissioning.importing.words import words
from edge_agent.settings.io_list import Surroundings

SURROUNDINGS = Surroundings("acme", None, 0.0)
PREFIX = {"holding": "4", "input": "3"}
CODES = {"holding": ["03", "保持寄存器", "FC3", "holding"], "input": ["4", "输入寄存器", "04", "Input Register"]}
NOTHING = ["", "-", "—", "/", "无", "N/A"]


def spellings(table: str) -> dict[str, list[str]]:
    """What is written for each meaning."""
    known: dict[str, list[str]] = {}
    for written, meaning in getattr(words(), table).items():
        known.setdefault(meaning, []).append(written)
    return known


HEADINGS, UNITS, TYPES, ORDERS = (spellings(name) for name in ("headings", "units", "types", "word_orders"))
WIDE = ("float32", "int32", "uint32", "float64")
PLAIN_UNITS = sorted(UNITS.keys() - {"state", "%vol"})


@st.composite
def point(draw: st.DrawFn, number: int) -> dict[str, str]:
    """Good cells of points.csv."""
    low = draw(st.integers(-50, 50))
    steps = draw(st.lists(st.integers(1, 40), min_size=6, max_size=6))
    rising = [low + sum(steps[: count + 1]) for count in range(5)]
    kind = draw(st.sampled_from(["int16", "uint16", *WIDE]))
    row = {
        "tag": draw(st.from_regex(r"[A-Z]{2}-[0-9]{3}[A-C]?", fullmatch=True)) + f"_{number}",
        "source": draw(st.sampled_from(["罐区", "tank-1/sump", "A1"])),
        "device": draw(st.sampled_from(["plc-1", "GDS"])),
        "register": draw(st.sampled_from(["holding", "input"])),
        "address": str(draw(st.integers(0, 9000))),
        "type": kind,
        "unit": draw(st.sampled_from(PLAIN_UNITS)),
        "range_low": str(low),
        "range_high": str(rising[-1] + 1),
        "description": draw(st.sampled_from(["罐压力", "Pressure of tank", ""])),
    }
    for name, value in zip(("ll", "l", "h", "hh"), rising[:4], strict=True):
        if draw(st.booleans()):
            row[name] = f"{value}.5" if draw(st.booleans()) else str(value)
    if kind in WIDE:
        row["word_order"] = draw(st.sampled_from(sorted(ORDERS)))
    if kind in {"int16", "uint16", "int32", "uint32"}:
        row["scale"] = draw(st.sampled_from(["1", "0.1", "0.001"]))
    return {name: text for name, text in row.items() if text}


@st.composite
def points(draw: st.DrawFn) -> list[dict[str, str]]:
    return [draw(point(number)) for number in range(draw(st.integers(1, 6)))]


def written(draw: st.DrawFn, row: dict[str, str], style: str, *, ranged: bool) -> dict[str, str]:
    """The same point in a plant's words, by field."""
    cells = {name: row.get(name) or draw(st.sampled_from(NOTHING)) for name in ("ll", "l", "h", "hh", "scale")}
    cells |= {name: row.get(name, "") for name in ("tag", "source", "device", "description")}
    cells["unit"] = draw(st.sampled_from(UNITS[row["unit"]]))
    cells["type"] = draw(st.sampled_from(TYPES[row["type"]]))
    cells["word_order"] = draw(st.sampled_from(ORDERS[row["word_order"]])) if "word_order" in row else ""
    if ranged:
        cells["range"] = row["range_low"] + draw(st.sampled_from(["~", "～", "-", " to ", ".."])) + row["range_high"]
    else:
        cells |= {name: row[name] for name in ("range_low", "range_high")}
    address = int(row["address"])
    cells["register"] = draw(st.sampled_from(CODES[row["register"]])) if style != "x" else ""
    match style:
        case "reference":
            cells["address"] = f"{PREFIX[row['register']]}{address + 1:04}"
        case "x":
            cells["address"] = f"{PREFIX[row['register']]}x{address + 1:04}"
        case "numbered":
            cells["address"] = str(address + 1)
        case _:
            cells["address"] = draw(st.sampled_from([str(address), f"0x{address:04X}"]))
    return cells


@given(points(), st.data())
def test_a_list_imports_to_the_points_it_was_written_from(wanted: list[dict[str, str]], data: st.DataObject) -> None:
    draw: Any = data.draw
    style = draw(st.sampled_from(["reference", "x", "wire", "numbered"]))
    ranged = draw(st.booleans())
    cells = [written(draw, row, style, ranged=ranged) for row in wanted]
    order = draw(st.permutations(list(cells[0])))
    heads = [draw(st.sampled_from(HEADINGS[name])) for name in order]
    if draw(st.booleans()):
        heads = [head.upper() for head in heads]
    table = [["I/O list of the plant"], [], heads]
    for row in cells:
        table += [[]] * draw(st.integers(0, 1)) + [[row[name] for name in order]]
    table += [["合计", str(len(wanted))], ["注:以现场为准"]]
    answers = {"address": {"style": style, "zero_x": "hex"}} if style in {"wire", "numbered"} else {}
    if draw(st.booleans()):
        grids = [Grid("list.xlsx", None, tuple(tuple(Cell(text) for text in row) for row in table))]
    else:
        file = io.StringIO(newline="")
        csv.writer(file, delimiter=draw(st.sampled_from(",;\t"))).writerows(table)
        grids = read_grids(
            file.getvalue().encode(draw(st.sampled_from(["utf-8-sig", "utf-16", "gb18030"]))), "list.csv"
        )
    done = attempt(grids, Mapping(tables=answers), Site(), SURROUNDINGS)
    assert done.faults == []
    assert done.questions == ()
    assert done.reading is not None
    assert [drawn(row) for row in done.reading.rows.values()] == [drawn(row) for row in wanted]


def drawn(row: dict[str, str]) -> dict[str, str]:
    return dict(sorted(row.items()))
