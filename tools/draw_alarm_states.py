"""Draws docs/reference/alarm-states.md from the alarm table: ``python tools/draw_alarm_states.py``.

The document shows what the program looks up, cell by cell; a test compares it with what is drawn here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aggregator.alarms.states import Cover, Event, Mode, Reason
from aggregator.alarms.table import CORE, Cell

DOCUMENT: Final = Path(__file__).parents[1] / "docs" / "reference" / "alarm-states.md"
MEANING: Final = {
    Mode.NORMAL: "A: normal",
    Mode.UNACK: "B: active, unacknowledged",
    Mode.UNACK_LATCHED: "B: active, unacknowledged, latched",
    Mode.ACKED: "C: active, acknowledged",
    Mode.ACKED_LATCHED: "C: active, acknowledged, latched",
    Mode.RETURNED: "D: returned, unacknowledged",
    Mode.RETURNED_LATCHED: "D: returned, unacknowledged, latched",
    Mode.LATCHED: "C: returned, acknowledged, latched",
}
TITLES: Final = {
    Cover.OPEN: "Nothing holds it: it is annunciated",
    Cover.SHELVED: "Shelved, and nothing else (E)",
    Cover.SET_ASIDE: "Suppressed (F) or out of service (G), shelved too or not",
}
HEAD: Final = """\
# Alarm states

Drawn from `aggregator/alarms/table.py` by `python tools/draw_alarm_states.py`; that module's docstring gives the rules and
the reason for each cell that ISA-18.2 leaves open. A cell names the state that follows and, in brackets, what follows
beside it; for an alarm that latches where that differs, after a slash. *A word in italics is the reason of a refusal.*
A dot means that the event changes nothing here.

"""


def lines() -> Iterator[str]:
    """The document, line by line."""
    yield from HEAD.splitlines()
    yield from ["```mermaid", "stateDiagram-v2", "    [*] --> normal"]
    yield from (f"    {mode}: {meaning}" for mode, meaning in MEANING.items())
    yield from _arrows()
    yield "```"
    for cover, block in CORE.items():
        yield from ["", f"## {TITLES[cover]}", ""]
        yield "| Event | " + " | ".join(f"{mode}" for mode in Mode) + " |"
        yield "|---" * (len(Mode) + 1) + "|"
        for event, row in block.items():
            yield f"| `{event}` | " + " | ".join(_shown(mode, row[mode]) for mode in Mode) + " |"


def _arrows() -> Iterator[str]:
    """Where an annunciated alarm goes; what latches goes where its own cell says."""
    merged: dict[tuple[Mode, Mode], list[Event]] = {}
    for event, row in CORE[Cover.OPEN].items():
        for mode, cell in row.items():
            if isinstance(cell, Cell):
                for to in dict.fromkeys((cell.to, cell.to_latching)):
                    if to is not mode:
                        merged.setdefault((mode, to), []).append(event)
    for (mode, to), events in merged.items():
        yield f"    {mode} --> {to}: {', '.join(events)}"


def _shown(mode: Mode, cell: Cell | Reason) -> str:
    if isinstance(cell, Reason):
        return f"*{cell}*"
    if (cell.to, cell.to_latching, cell.effects) == (mode, mode, frozenset()):
        return "·"
    where = f"{cell.to}" if cell.to is cell.to_latching else f"{cell.to} / {cell.to_latching}"
    effects = ", ".join(sorted(cell.effects))
    return f"{where} ({effects})" if effects else where


def text() -> str:
    return "\n".join(lines()) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(text(), encoding="utf-8")
