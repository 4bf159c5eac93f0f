"""Which rows are shown, and in which order. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from edge_agent.commissioning.watching.rows import Row

_KEYS: Final[dict[str, Callable[[Row], tuple[float | str, ...]]]] = {
    "state": lambda row: (-row.level, row.is_trusted, row.tag),
    "tag": lambda row: (row.tag,),
    "value": lambda row: (row.value is None, row.value or 0.0, row.tag),
    "quality": lambda row: (row.is_trusted, row.quality, row.tag),
    "age": lambda row: (row.age_s is not None, -(row.age_s or 0.0), row.tag),
    "device": lambda row: (row.device, row.tag),
}
ORDERS: Final = ("list", *_KEYS)
"""``list``: as points.csv has them."""


@dataclass(frozen=True, slots=True)
class View:
    order: str = "list"
    is_reversed: bool = False
    text: str = ""
    """Part of tag, device, unit or description; case does not matter."""
    only_alarms: bool = False
    only_bad: bool = False

    def chosen(self, rows: Sequence[Row]) -> list[Row]:
        shown = [row for row in rows if self._shows(row)]
        if self.order != "list":
            shown.sort(key=_KEYS[self.order])
        return shown[::-1] if self.is_reversed else shown

    def _shows(self, row: Row) -> bool:
        text = self.text.casefold()
        fields = (row.tag, row.device, row.unit, row.description)
        return (
            (not self.only_alarms or row.level > 0)
            and (not self.only_bad or row.is_bad)
            and any(text in field.casefold() for field in fields)
        )

    def next_order(self) -> View:
        return replace(self, order=ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)])

    def words(self, shown: int, known: int) -> str:
        """What is left out is always said."""
        parts = [f"{shown} of {known}", f"by {self.order}{', reversed' if self.is_reversed else ''}"]
        parts += ["ONLY ALARMS"] if self.only_alarms else []
        parts += ["ONLY BAD"] if self.only_bad else []
        parts += [f"ONLY '{self.text}'"] if self.text else []
        return ", ".join(parts)
