"""A point as one line of the table. Pure: what the agent told, and how long ago that was.

Ages go on counting while the agent or a device is silent, and a value that is not GOOD, or older than it may be, has a question
mark: what nobody confirmed must not pass for what is the case.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

GOOD: Final = "GOOD"
STALE_POLLS: Final = 2.5
"""As points.csv has it where it says nothing else."""
STALE_SLACK_S: Final = 2.0
"""For the way to here: the agent is asked once a second."""
TITLES: Final = ("TAG", "VALUE", "UNIT", "QUALITY", "AGE", "STATE", "DEVICE")
WIDTHS: Final = (14, 11, 6, 18, 7, 10, 8)
"""Together with the blanks between them 80 columns; the last takes what a wider terminal has."""
_RIGHT: Final = (1, 4)


@dataclass(frozen=True, slots=True)
class Row:
    """``age_s`` None: never confirmed. ``is_trusted``: GOOD and confirmed in time."""

    tag: str
    value: float | None
    unit: str
    quality: str
    age_s: float | None
    state: str
    device: str
    description: str
    is_trusted: bool
    level: int
    """The highest level of an alarm that stands, 0 for none."""

    @property
    def is_bad(self) -> bool:
        return not self.is_trusted

    def cells(self) -> tuple[str, ...]:
        return (
            self.tag, value_text(self), self.unit, quality_text(self), age_text(self.age_s), self.state or "-", self.device
        )  # fmt: skip


def rows(live: Mapping[str, Any], told_ago_s: float) -> list[Row]:
    """In the agent's order. ``told_ago_s``: how long ago it said all this."""
    return [_row(each, told_ago_s) for each in live["points"]]


def _row(point: Mapping[str, Any], told_ago_s: float) -> Row:
    age_s = None if point["age_s"] is None else point["age_s"] + told_ago_s
    oldest_s = STALE_POLLS * point["poll_s"] + STALE_SLACK_S
    conditions = sorted(point["conditions"], key=lambda each: -each["level"])
    return Row(
        tag=point["tag"],
        value=point["value"],
        unit=point["unit"],
        quality=point["quality"],
        age_s=age_s,
        state=" ".join(f"{each['kind'].upper()} {each['level']}" for each in conditions),
        device=point["device"],
        description=point["description"],
        is_trusted=point["quality"] == GOOD and age_s is not None and age_s <= oldest_s,
        level=max((each["level"] for each in conditions), default=0),
    )


def value_text(row: Row) -> str:
    """A value that is not to be trusted has a question mark, and one that is not there is a dash."""
    if row.value is None:
        return "-"
    text = f"{row.value:.6g}"
    return text if row.is_trusted else f"? {text}"


def quality_text(row: Row) -> str:
    if row.quality == GOOD:
        return GOOD if row.is_trusted else "NOT CONFIRMED"
    return row.quality.replace("_", " ")


def age_text(age_s: float | None) -> str:
    if age_s is None:
        return "never"
    if age_s < 60:
        return f"{age_s:.1f}s" if age_s < 10 else f"{age_s:.0f}s"
    minutes, seconds = divmod(int(age_s), 60)
    return f"{minutes}m{seconds:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def line(cells: Sequence[str], width: int = 80, widths: Sequence[int] = WIDTHS) -> str:
    """One line of exactly ``width`` columns; what is too long is cut with a mark."""
    parts = [
        fitted(cell, wide, right=place in _RIGHT)
        for place, (cell, wide) in enumerate(zip(cells, widths, strict=True))
    ]  # fmt: skip
    return fitted(" ".join([*parts[:-1], cells[-1]]), width)


def title(width: int = 80) -> str:
    return line(TITLES, width)


def fitted(text: str, width: int, *, right: bool = False) -> str:
    """Exactly ``width`` columns of a terminal, where Chinese signs take two; nothing that a terminal obeys."""
    text = "".join(sign if sign.isprintable() else "." for sign in text)
    if columns(text) > width:
        while text and columns(text) > width - 1:
            text = text[:-1]
        text += "~" if width else ""
    blanks = " " * (width - columns(text))
    return blanks + text if right else text + blanks


def columns(text: str) -> int:
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def plain(shown: Iterable[Row], width: int | None) -> list[str]:
    """The table without a screen, each column as wide as its longest cell; cut only where it is wider than ``width``."""
    table = [TITLES, *(row.cells() for row in shown)]
    widths = [max(map(columns, column)) for column in zip(*table, strict=True)]
    whole = sum(widths) + len(widths) - 1
    return [line(cells, whole if width is None else min(whole, width), widths).rstrip() for cells in table]
