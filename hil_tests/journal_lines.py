"""The lines that ``aggregator journal`` prints, as the rig's observers read them. Pure.

Only what a scenario can ask about is taken out of an event; the rest stays the journal's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.ids import Lane
from hil_tests.compare import Gap

CONDITION_ON = "condition_on"
_GAP = "gap"


@dataclass(frozen=True, slots=True)
class JournalEvent:
    """An agent's event in the journal. ``mono_ns`` is when the agent judged it, on the clock of its host.

    ``tag``, ``kind``, ``level``, ``condition_class``, ``value``, ``unit``, ``setpoint`` are those of its condition, empty
    or 0 where it speaks of none; numbers that JSON cannot say ("NaN") stay text.
    """

    agent: str
    epoch: str
    seq: int
    type: str
    mono_ns: int
    tag: str = ""
    kind: str = ""
    level: int = 0
    condition_class: str = ""
    value: float | str = ""
    unit: str = ""
    setpoint: float | str = ""
    reason: str = ""
    gaps: tuple[Gap, ...] = ()

    @property
    def number(self) -> tuple[str, str, int]:
        """Agent, epoch, seq."""
        return self.agent, self.epoch, self.seq


def parse_journal_line(line: str) -> JournalEvent | None:
    """None for a record that is no agent's event. Raises ValueError and KeyError for what is no journal line."""
    event = json.loads(line).get("event")
    if not isinstance(event, dict) or "lane" not in event:
        return None
    data: Mapping[str, Any] = event.get("data", {})
    return JournalEvent(
        agent=event["agent"],
        epoch=event["epoch"],
        seq=int(event["seq"]),
        type=event["type"],
        mono_ns=int(event["mono_ns"]),
        tag=data.get("tag", ""),
        kind=data.get("kind", ""),
        level=data.get("level", 0),
        condition_class=data.get("class", ""),
        value=data.get("value", ""),
        unit=data.get("unit", ""),
        setpoint=data.get("setpoint", ""),
        reason=data.get("reason", ""),
        gaps=_gaps(event, data) if event["type"] == _GAP else (),
    )


def _gaps(event: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[Gap, ...]:
    return tuple(
        Gap(event["agent"], event["epoch"], Lane(data["lane"]), int(run["first"]), int(run["last"]))
        for run in data.get("runs", ())
    )


def told(event: JournalEvent) -> str:
    """One line for a person, without the time."""
    if not event.tag:
        return f"{event.agent:<16} {event.type}"
    if event.kind == "fault":
        what = f"fault{' gone' if event.level == 0 else ''} ({event.reason})"
    else:
        what = f"{event.kind} {f'level {event.level}' if event.level else 'back to normal'}"
        what += f": {_shown(event.value)} {event.unit}" + (
            f", set-point {_shown(event.setpoint)}" if event.level else ""
        )
    return f"{event.agent:<16} {event.type:<15} {event.tag} {what}"


def _shown(number: float | str) -> str:
    return number if isinstance(number, str) else f"{number:.4g}"
