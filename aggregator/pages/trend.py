"""One point: its value now, its set-points, its alarms, and its trend."""

from __future__ import annotations

import json
from collections import deque
from datetime import timedelta
from html import escape
from typing import Final
from urllib.parse import quote

from nicegui import background_tasks, ui

from aggregator.live.service import PointView
from aggregator.pages import measured, symbols, trend_chart
from aggregator.pages.alarm_rows import condition, row_id, state
from aggregator.pages.moments import beijing
from aggregator.pages.point_rows import first_alarms, mark
from aggregator.pages.shell import Shell, heading
from aggregator.pages.texts import Texts
from aggregator.pages.trend_chart import Seen
from aggregator.pages.view import View

RANGES_S: Final = {
    "10min": 600,
    "1h": 3600,
    "8h": 8 * 3600,
    "1d": int(timedelta(days=1).total_seconds()),
    "7d": int(timedelta(days=7).total_seconds()),
}
RANGE_DEFAULT: Final = "10min"
WIDTH: Final = 700


def add(shell: Shell) -> None:
    """``/points/{organisation}/{tag}``."""

    @shell.page("/points/{organisation}/{tag}", "point.title", current="/points")
    async def point(view: View) -> None:
        page = TrendPage(view)
        page.build(await page.ask_point())
        await page.draw()


class TrendPage:
    """One open point."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._organisation, self._tag = view.params["organisation"], view.params["tag"]
        chosen = view.query.get("range", "")
        self._range = chosen if chosen in RANGES_S else RANGE_DEFAULT
        self._tail: deque[Seen] = deque(maxlen=trend_chart.TAIL_MAX)
        self._seconds = 0

    async def ask_point(self) -> PointView:
        return await self._view.ask(self._view.services.points.one, self._organisation, self._tag)

    def build(self, point: PointView) -> None:
        text = self._view.text
        heading(f"{point.tag} {point.description}".rstrip())
        with ui.element("div").classes("cr-split"):
            with ui.element("div").classes("cr-panel cr-side"):
                self._now = ui.html("", sanitize=False)
                self._alarms = ui.html("", sanitize=False)
            with ui.element("div").classes("cr-panel cr-chart-panel"):
                with ui.element("div").classes("cr-filters"):
                    names = {name: text.word("range", name) for name in RANGES_S}
                    ui.toggle(names, value=self._range, on_change=lambda event: self._choose(event.value)).props(
                        "no-caps unelevated toggle-color=grey-9 color=white text-color=black"
                    )
                    ui.element("span").classes("cr-space")
                    self._file = ui.link(text("trend.csv"), "#")
                self._note = ui.label("").classes("dim")
                self._chart = ui.echart({}, renderer="canvas").classes("cr-chart")
        self._show(point)
        self._view.every_second(self._refresh)
        self._view.on_news(self._refresh_alarms)

    async def draw(self) -> None:
        """Read the trend anew and draw it. Raises RefusedError."""
        view = self._view
        to_ns = view.feed.pulse.wall_ns
        from_ns = to_ns - trend_chart.range_ns(RANGES_S[self._range])
        trend = await view.ask(view.services.trends.trend, self._organisation, self._tag, from_ns, to_ns, WIDTH)
        self._chart.options.clear()
        self._chart.options.update(trend_chart.options(view.text, trend, list(self._tail)))
        self._chart.update()
        self._note.set_text(view.text("trend.none") if not trend.runs else "")
        path = f"/api/v1/points/{quote(self._organisation, safe='')}/{quote(self._tag, safe='')}"
        self._file.props(f'href="{path}/trend.csv?from={from_ns}&to={to_ns}"')

    def _choose(self, name: str) -> None:
        self._range = name
        self._seconds = 0
        address = measured.point_address(self._organisation, self._tag)
        self._view.run(f"history.replaceState(null, '', {json.dumps(f'{address}?range={name}')})")
        background_tasks.create(self._view.doing(self.draw)(), name="draw trend")

    async def _refresh(self) -> None:
        point = await self.ask_point()
        self._show(point)
        now_ns = self._view.feed.pulse.wall_ns
        self._tail.append(Seen(now_ns, point.value, point.is_believed))
        self._seconds += 1
        if self._seconds % trend_chart.refresh_s(RANGES_S[self._range]) == 0:
            await self.draw()

    async def _refresh_alarms(self) -> None:
        self._show(await self.ask_point())

    def _show(self, point: PointView) -> None:
        alarm = first_alarms(self._view.standing).get((point.organisation, point.tag))
        self._now.set_content(now(self._view.text, point, mark(point, alarm)))
        self._alarms.set_content(self._standing(point))

    def _standing(self, point: PointView) -> str:
        text, now_ns = self._view.text, self._view.feed.pulse.wall_ns
        mine = [
            each for each in self._view.standing if (each.organisation, each.tag) == (point.organisation, point.tag)
        ]
        lines = "".join(
            f'<li><a href="/alarms?state=all&select={quote(row_id(each))}">'
            f"{symbols.svg(symbols.look(each), each.priority)} {escape(condition(text, each))}</a> "
            f'<span class="dim">{escape(state(text, each, now_ns))}</span></li>'
            for each in mine
        )
        listing = f'<ul class="cr-plain-list">{lines}</ul>' if lines else f"<p>{escape(text('point.no_alarm'))}</p>"
        return f"<h2>{escape(text('point.alarms'))}</h2>{listing}"


def now(text: Texts, point: PointView, symbol: str) -> str:
    """The value and all that is known of it, as markup."""
    why = measured.why_not(text, point)
    old = "" if point.is_believed else " old"
    facts = {
        "point.age": measured.age(point),
        "point.source_time": beijing(point.time_ns),
        "point.quality": why or measured.quality(text, point.quality),
        "point.range": _range(text, point),
        **{f"point.{kind}": _limit(text, point, kind) for kind in ("hh", "h", "l", "ll")},
        "fact.class": text.word("class", point.limit_class),
        "fact.org": text.place_and_path(point.org),
        "fact.agent": point.agent,
        "point.device": point.device,
    }
    if point.rivals:
        facts["point.conflict"] = text("points.rivals", agents=", ".join(point.rivals))
    rows = "".join(f"<dt>{escape(text(key))}</dt><dd>{escape(shown)}</dd>" for key, shown in facts.items() if shown)
    reason = f'<div class="cr-why">{escape(why)}</div>' if why else ""
    return (
        f'<div class="cr-big{old}">{symbol}<b>{escape(measured.value(point))}</b> '
        f"<span>{escape(text.word('unit', point.unit))}</span></div>{reason}"
        f'{measured.bar(point)}<dl class="cr-facts">{rows}</dl>'
    )


def _limit(text: Texts, point: PointView, kind: str) -> str:
    value: float | None = getattr(point.limits, kind)
    return "" if value is None else f"{value:g} {text.word('unit', point.unit)}".rstrip()


def _range(text: Texts, point: PointView) -> str:
    if point.range_low is None or point.range_high is None:
        return ""
    return f"{point.range_low:g} – {point.range_high:g} {text.word('unit', point.unit)}".rstrip()
