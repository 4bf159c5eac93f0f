"""What the demo prints, in words for a person who is tired. Pure.

Figures and names come from the run and the agents' lists of points; lines go to the console as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from contract.events import EventType
from contract.points import ConditionClass, ConditionKind
from hil_tests.journal_lines import JournalEvent

_BEYOND = {ConditionKind.HIGH: "above", ConditionKind.LOW: "below"}
_LABEL = "{:<12}"
_WORD = "{:<9}"


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a person has to know at the start. ``seconds`` None: until he ends it; ``kept``: the files stay."""

    address: str
    passwords: Mapping[str, str]
    """By account; the first one is the one to begin with."""
    coming: Sequence[tuple[str, str]]
    """When, and what happens then."""
    seconds: float | None
    files: str
    kept: bool
    command: str
    """How to call ``aggregator``."""
    aggregator_dir: str

    def lines(self) -> list[str]:
        first, *others = self.passwords
        look = f"--dir {self.aggregator_dir}"
        rows = [
            ("open", self.address),
            ("sign in as", f"{first}, password {self.passwords[first]}"),
            ("or as", ", ".join(f"{name} ({self.passwords[name]})" for name in others)),
            ("", ""),
            *self.coming,
            ("ends", "when you press Ctrl-C" if self.seconds is None else f"by itself after {self.seconds:.0f} s"),
            ("", ""),
            ("files", f"{self.files} ({'kept' if self.kept else 'removed at the end; --dir DIR keeps them'})"),
            ("look inside", f"{self.command} journal --follow {look}"),
            ("", f"{self.command} agents list {look}"),
            ("", f"{self.command} journal verify {look}"),
        ]
        return ["", *(f"  {_LABEL.format(label)}{text}".rstrip() for label, text in rows), ""]


def clock(seconds: float) -> str:
    """Minutes and seconds since the start."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:3d}:{rest:02d}"


def line(word: str, text: str) -> str:
    return _WORD.format(word) + text


def of_plant(events: Iterable[JournalEvent], markers: Collection[str]) -> list[JournalEvent]:
    """Those that tell of the plant and its watch: no markers, and no checkpoints, which are the chain's own matter."""
    return [each for each in events if each.tag not in markers and each.type != EventType.CHECKPOINT]


def in_words(event: JournalEvent, names: Mapping[str, str]) -> str:
    """An agent's event; ``names`` says what a tag is. A tag without a name is a device, or a point nobody described."""
    what = f"{event.tag} {names.get(event.tag, '')}".rstrip()
    match event.type:
        case EventType.AGENT_START | EventType.AGENT_STOP:
            return line("agent", f"{event.agent} has {'started' if event.type == EventType.AGENT_START else 'stopped'}")
        case EventType.CONDITION_ON | EventType.CONDITION_OFF if event.kind == ConditionKind.FAULT:
            mended = event.type == EventType.CONDITION_OFF
            return line("mended" if mended else "FAULT", what if mended else f"{what}: {event.reason}")
        case EventType.CONDITION_ON:
            word = "ALARM" if event.condition_class == ConditionClass.SAFETY else "notice"
            limit = f"{_BEYOND.get(ConditionKind(event.kind), 'at')} {_number(event.setpoint)}"
            return line(word, f"{what}: {_measured(event)}, {limit} (level {event.level})")
        case EventType.CONDITION_LEVEL:
            return line(f"level {event.level}", f"{what}: {_measured(event)}")
        case EventType.CONDITION_OFF:
            return line("over", f"{what}: {_measured(event)}, back to normal")
    return line("agent", f"{event.agent}: {event.type}")


def not_shown(markers: Collection[str], count: int) -> list[str]:
    """One line instead of all that the rig's markers made; none where there were no markers."""
    if not markers:
        return []
    return [f"not shown: {count} lines of the rig's markers {', '.join(sorted(markers))}, which time the way"]


def _measured(event: JournalEvent) -> str:
    return f"{_number(event.value)} {event.unit}".rstrip()


def _number(number: float | str) -> str:
    return number if isinstance(number, str) else f"{number:.4g}"
