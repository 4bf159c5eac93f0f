"""Times and numbers as people read them: Beijing time with seconds, values with the digits that carry something. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

from contract.clock import NS_PER_S

BEIJING: Final = timezone(timedelta(hours=8), "CST")
NO_NUMBER: Final = "–"


def beijing(time_ns: int | None) -> str:
    """``2026-11-25 16:40:03`` from UTC nanoseconds; a dash where there is none."""
    return NO_NUMBER if time_ns is None else f"{_local(time_ns):%Y-%m-%d %H:%M:%S}"


def time_of_day(time_ns: int, now_ns: int) -> str:
    """``16:40:03``, with month and day in front where it was another day."""
    at = _local(time_ns)
    return f"{at:%H:%M:%S}" if at.date() == _local(now_ns).date() else f"{at:%m-%d %H:%M:%S}"


def duration(seconds: float) -> str:
    """``42 s``, ``3 min 20 s``, ``5 h 12 min``, ``3 d 4 h``: two parts, no false exactness."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def minutes(seconds: float) -> str:
    """``5 h 12 min``, ``13 min``: for what is counted down, rounded up, so that 0 means over."""
    whole = max(0, math.ceil(seconds / 60))
    return f"{whole} min" if whole < 60 else f"{whole // 60} h {whole % 60} min"


def number(value: float | None, digits: int = 3) -> str:
    """Significant digits as given, without an exponent; a whole number never loses a digit before its point."""
    if value is None or math.isnan(value):
        return NO_NUMBER
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(decimals, 9)}f}"


def _local(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns // NS_PER_S, UTC).astimezone(BEIJING)
