"""How an alarm looks: shape and number say its priority, colour its nature, fill and flash its state. Pure.

Flashing (1 Hz, the symbol only) is unacknowledged, steady acknowledged, outline returned but owed, hatched shelved or
suppressed, struck out of service. Shapes are drawn once per page (``SHAPES``) and used by name, on the map as well.
"""

from __future__ import annotations

from typing import Final

from aggregator.alarms.service import AlarmView

SHAPES: Final = """\
<svg width="0" height="0" style="position:absolute" aria-hidden="true"><defs>
<pattern id="cr-hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="5" height="5" fill="#efefed"/><rect width="2" height="5" fill="#00707c"/></pattern>
<rect id="cr-shape-1" x="2" y="2" width="20" height="20"/>
<path id="cr-shape-2" d="M12 1.5 L23 21.5 L1 21.5 Z"/>
<circle id="cr-shape-3" cx="12" cy="12" r="10"/>
<circle id="cr-shape-bad" cx="12" cy="12" r="10"/>
</defs></svg>"""
"""Square, triangle, circle: one, two, three."""

COLOURS: Final = ("red", "yellow", "magenta", "advisory")
"""The gravest first."""
_STATES: Final = {
    "A": "normal",
    "B": "unacknowledged",
    "C": "acknowledged",
    "D": "returned",
    "E": "shelved",
    "F": "suppressed",
    "G": "out",
}


def look(alarm: AlarmView) -> str:
    """The symbol's CSS classes."""
    state = _STATES[alarm.letter]
    return state if state == "normal" else f"{colour(alarm)} {state}"


def colour(alarm: AlarmView) -> str:
    """By the convention of gas alarms: red is level 2, yellow level 1, magenta a fault."""
    if alarm.condition_class in {"fault", "system"}:
        return "magenta"
    if alarm.condition_class == "advisory":
        return "advisory"
    return "red" if alarm.level >= 2 or alarm.priority == 1 else "yellow"


def svg(classes: str, number: int, label: str = "") -> str:
    """A symbol as markup; ``label`` is what it says to who cannot see it, and must be free of markup."""
    named = f'role="img" aria-label="{label}"' if label else 'aria-hidden="true"'
    return (
        f'<svg class="sym {classes}" viewBox="0 0 24 24" {named}><use class="shape" href="#cr-shape-{number}"></use>'
        f'<text x="12" y="{18.5 if number == 2 else 16.5}">{number}</text>'
        '<line class="strike" x1="3" y1="21" x2="21" y2="3"></line></svg>'
    )


def bad(label: str = "") -> str:
    """Bad quality, or too old to be believed: dotted, with a question mark."""
    named = f'role="img" aria-label="{label}"' if label else 'aria-hidden="true"'
    return (
        f'<svg class="sym bad" viewBox="0 0 24 24" {named}><use class="shape" href="#cr-shape-bad"></use>'
        '<text x="12" y="16.5">?</text></svg>'
    )
