"""A trend as ECharts draws it: steps, since a value holds until the next; gaps empty; doubt shaded and marked. Pure.

The chart thinks in UTC; it is given Beijing time as if that were UTC, so that every browser shows the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aggregator.history.service import Run, RunKind, Trend
from aggregator.pages.texts import Texts
from contract.clock import NS_PER_MS, NS_PER_S

BEIJING_MS: Final = 8 * 3600 * 1000
TAIL_MAX: Final = 4000
LINE: Final = "#26282a"
DIM: Final = "#54585c"
GRID: Final = "#c4c4c0"
BAD: Final = "#9c1f9c"
LEVEL_1: Final = "#7d6800"
LEVEL_2: Final = "#c4001a"
_LIMIT_COLOURS: Final = {"ll": LEVEL_2, "l": LEVEL_1, "h": LEVEL_1, "hh": LEVEL_2}


@dataclass(frozen=True, slots=True)
class Seen:
    """A live value that this page has seen: what telemetry has not brought yet."""

    time_ns: int
    value: float | None
    believed: bool


def options(text: Texts, trend: Trend, tail: Sequence[Seen]) -> dict[str, Any]:
    """Everything but what never changes from one drawing to the next."""
    newest_ns = max((run.time_ns[-1] for run in trend.runs), default=0)
    live = [seen for seen in tail if seen.time_ns > max(newest_ns, trend.from_ns)]
    good = [*_line(trend.runs, RunKind.GOOD), *_tail(live, trend)]
    return {
        "useUTC": True,
        "animation": False,
        "aria": {"enabled": True, "label": {"description": _summary(text, trend)}},
        "backgroundColor": "transparent",
        "textStyle": {"color": LINE, "fontSize": 14},
        "grid": {"left": 64, "right": 90, "top": 40, "bottom": 64},
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "line"}, "transitionDuration": 0},
        "xAxis": {
            "type": "time", "min": _ms(trend.from_ns), "max": _ms(trend.to_ns),
            "axisLabel": {"color": LINE, "hideOverlap": True}, "axisLine": {"lineStyle": {"color": DIM}},
        },
        "yAxis": {
            "type": "value", "name": text.word("unit", trend.unit), "scale": True, **_height(trend, live),
            "axisLabel": {"color": LINE}, "splitLine": {"lineStyle": {"color": GRID}},
        },
        "dataZoom": [{"type": "inside", "filterMode": "none"}],
        "series": [
            {
                "name": text.word("run", RunKind.GOOD), "type": "line", "step": "end", "showSymbol": False,
                "data": good, "connectNulls": False, "lineStyle": {"color": LINE, "width": 2},
                "itemStyle": {"color": LINE}, "markArea": {"silent": True, "data": _areas(text, trend)},
            },
            {
                "name": text.word("run", RunKind.UNCERTAIN), "type": "line", "step": "end", "showSymbol": False,
                "data": _line(trend.runs, RunKind.UNCERTAIN), "connectNulls": False, "itemStyle": {"color": BAD},
                "lineStyle": {"color": BAD, "width": 2, "type": [2, 4]},
            },
            *_limits(trend),
        ],
    }  # fmt: skip


def _line(runs: Iterable[Run], kind: RunKind) -> list[list[float | None]]:
    """(ms, value); null where the line must break. Each run is drawn until its end: the last value held so long."""
    points: list[list[float | None]] = []
    for run in runs:
        if run.kind is kind:
            points += [[_ms(time_ns), value] for time_ns, value in zip(run.time_ns, run.value, strict=True)]
            points += [[_ms(run.end_ns), run.value[-1]], [_ms(run.end_ns), None]]
    return points


def _tail(live: Sequence[Seen], trend: Trend) -> list[list[float | None]]:
    """Live values after the last sample; what was not believed breaks the line."""
    last = trend.runs[-1] if trend.runs else None
    joined: list[list[float | None]] = []
    if live and last is not None and last.kind is RunKind.GOOD and last.end_ns == trend.to_ns:
        joined = [[_ms(last.time_ns[-1]), last.value[-1]]]
    return [*joined, *([_ms(seen.time_ns), seen.value if seen.believed else None] for seen in live)]


def _areas(text: Texts, trend: Trend) -> list[list[dict[str, Any]]]:
    """What is not a good value, shaded, with the reason in words."""
    bad = [(run.time_ns[0], run.end_ns, "? " + text("trend.bad"), BAD) for run in trend.runs if run.kind is RunKind.BAD]
    gaps = [(gap.from_ns, gap.to_ns, text.word("gap", gap.cause), DIM) for gap in trend.gaps]
    late = [(span.from_ns, span.to_ns, text("alarm.late"), "#123f6d") for span in trend.late]
    whole_ns = max(1, trend.to_ns - trend.from_ns)
    return [
        [
            {
                "xAxis": _ms(max(from_ns, trend.from_ns)), "name": name if (to_ns - from_ns) / whole_ns > 0.04 else "",
                "itemStyle": {"color": colour, "opacity": 0.13},
                "label": {"color": LINE, "position": "insideBottom", "fontSize": 13, "overflow": "truncate"},
            },
            {"xAxis": _ms(to_ns)},
        ]
        for from_ns, to_ns, name, colour in (*gaps, *bad, *late)
    ]  # fmt: skip


def _limits(trend: Trend) -> list[dict[str, Any]]:
    """A dashed line for as long as the limit stood, with its name at the right end."""
    return [
        {
            "name": limit.kind.upper(), "type": "line", "showSymbol": False, "silent": True, "tooltip": {"show": False},
            "data": [[_ms(limit.from_ns), limit.value], [_ms(limit.to_ns), limit.value]],
            "lineStyle": {"color": _LIMIT_COLOURS[limit.kind], "width": 1.5, "type": "dashed"},
            "endLabel": {
                "show": limit.to_ns == trend.to_ns, "formatter": f"{limit.kind.upper()} {limit.value:g}",
                "color": _LIMIT_COLOURS[limit.kind], "fontSize": 14, "fontWeight": 600,
            },
        }
        for limit in trend.set_points
    ]  # fmt: skip


def _height(trend: Trend, live: Sequence[Seen]) -> dict[str, float]:
    """From the lowest to the highest that is drawn, set-points included, with a little room."""
    numbers = [value for run in trend.runs for value in run.value if value is not None]
    numbers += [seen.value for seen in live if seen.value is not None]
    numbers += [limit.value for limit in trend.set_points]
    if not numbers:
        return {}
    low, high = min(numbers), max(numbers)
    span = high - low or abs(high) * 0.2 or 1.0
    step = 10 ** math.floor(math.log10(span)) / 5
    bottom, top = math.floor((low - 0.05 * span) / step), math.ceil((high + 0.05 * span) / step)
    if 0 <= low <= high * 0.2:
        bottom = 0  # a concentration is never below nothing
    return {"min": _rounded(bottom * step), "max": _rounded(top * step)}


def _rounded(value: float) -> float:
    """Without the last digits that multiplying left behind."""
    return float(f"{value:.12g}")


def _summary(text: Texts, trend: Trend) -> str:
    numbers = [value for run in trend.runs if run.kind is RunKind.GOOD for value in run.value if value is not None]
    if not numbers:
        return text("trend.none")
    shown = {"low": f"{min(numbers):g}", "high": f"{max(numbers):g}", "unit": text.word("unit", trend.unit)}
    return text("trend.summary", tag=trend.tag, gaps=len(trend.gaps), **shown)


def _ms(time_ns: int) -> int:
    return time_ns // NS_PER_MS + BEIJING_MS


def refresh_s(range_s: int) -> int:
    """How often a trend of this length is read anew: a new sample is less than a pixel wide before."""
    return max(5, min(60, range_s // 360))


def range_ns(range_s: int) -> int:
    return range_s * NS_PER_S
