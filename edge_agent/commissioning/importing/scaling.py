"""How a raw whole number becomes the value, where a list says it of all points at once. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from edge_agent.settings.cells import CellError
from edge_agent.settings.raw_span import scaling

_SPAN: Final = re.compile(r"\s*(-?[0-9]{1,10})\s*\.\.\s*(-?[0-9]{1,10})\s*\Z")


def scale_of(said: str, row: Mapping[str, str]) -> dict[str, str]:
    """``said`` is a number, or the raw span that stands for the range, as ``0..27648``. Raises CellError."""
    span = _SPAN.match(said)
    if span is None:
        return {"scale": said}
    first, last = int(span[1]), int(span[2])
    try:
        low, high = float(row["range_low"]), float(row["range_high"])
    except (KeyError, ValueError):
        raise CellError(f"the raw span {said} needs the range of the point", "Give its range, or a scale") from None
    if first == last:
        raise CellError(f"{said} is no span", "Give the raw numbers at both ends of the range, as 0..27648")
    scale, offset = scaling(first, last, low, high)
    return {"scale": _shortest(scale), "offset": _shortest(offset)}


def _shortest(number: float) -> str:
    """What reads as the same number."""
    return repr(number).removesuffix(".0")
