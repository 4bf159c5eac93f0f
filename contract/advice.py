"""What a statistical condition rests on, as numbers that a person can weigh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ADVICE_FIELDS: Final = ("seen", "expected", "score")
"""Their names on the wire."""


@dataclass(frozen=True, slots=True)
class AdviceData:
    """``seen`` was held against ``expected``, the bound that it was to stay within: a value, a mean or a scatter in the
    point's unit, or a number of repeats. ``score``: 1 is the bound, more is surer."""

    seen: float
    expected: float
    score: float
