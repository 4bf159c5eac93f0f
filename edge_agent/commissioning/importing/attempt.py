"""One attempt at a list with what is known so far: rows that may be written, or every fault and every open question. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contract.errors import Fault
from edge_agent.commissioning.importing import header as headers
from edge_agent.commissioning.importing.devices import Site
from edge_agent.commissioning.importing.grid import Grid, filled
from edge_agent.commissioning.importing.judge import judge
from edge_agent.commissioning.importing.mapping import FIELDS, Mapping, Question
from edge_agent.commissioning.importing.reading import Reading, read_list
from edge_agent.commissioning.importing.words import words
from edge_agent.settings.io_list import Surroundings


@dataclass(frozen=True, slots=True)
class Attempt:
    """``grid`` and ``reading`` are None where no list was found. Good where there are neither faults nor questions."""

    grid: Grid | None = None
    reading: Reading | None = None
    faults: Sequence[Fault] = ()
    questions: Sequence[Question] = ()
    doubts: Sequence[str] = ()
    """What a good list has that is allowed and mostly a mistake."""


def attempt(grids: Sequence[Grid], mapping: Mapping, site: Site, surroundings: Surroundings) -> Attempt:
    """``grids`` are the sheets, or the readings of one CSV file, of which the best is taken."""
    known = words()
    found = [(grid, each) for grid in grids if (each := headers.find(filled(grid), known, mapping))]
    sheets = [grid.sheet for grid, _ in found if grid.sheet]
    if not found:
        return Attempt(faults=[_no_list(grids)])
    if len(sheets) > 1:
        if mapping.sheet not in sheets:
            text = "Several sheets look like an I/O list; one is imported at a time. Which?"
            return Attempt(questions=[Question("", "sheet", text, tuple((each, each) for each in sheets))])
        found = [(grid, each) for grid, each in found if grid.sheet == mapping.sheet]
    grid, header = max(found, key=lambda each: each[1].score)
    if asked := headers.questions(filled(grid), header, known, FIELDS):
        return Attempt(grid, questions=asked)
    reading = read_list(grid, header, known, mapping, site)
    mistakes, doubts = judge(reading, surroundings, grid.file)
    faults = [*reading.faults, *mistakes]
    if not reading.rows and not faults:
        remedy = "Put the points below the header, each with its tag"
        faults.append(Fault(grid.file, header.last, None, "there is no point below the header", remedy))
    ordered = sorted(faults, key=lambda fault: (fault.row or 0, _column(fault)))
    return Attempt(grid, reading, ordered, tuple(reading.questions.values()), doubts)


def _column(fault: Fault) -> tuple[int, str]:
    """Columns in the order of the sheet: A to Z before AA."""
    name = (fault.column or "").removeprefix("column ").split(" ")[0]
    return len(name), name


def _no_list(grids: Sequence[Grid]) -> Fault:
    file = grids[0].file if grids else "the file"
    where = ", ".join(grid.sheet for grid in grids if grid.sheet) or "the file"
    message = f"no header of an I/O list in the first {headers.LOOK_ROWS} rows of {where}"
    remedy = (
        'It needs a tag and two more columns with known headings; name them in the mapping: [columns] "heading" = "tag"'
    )
    return Fault(file, None, None, message, remedy)
