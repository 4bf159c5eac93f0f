"""The first page: the park at a glance, and beside it what stands now."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final
from urllib.parse import quote

from nicegui import ui

from aggregator.alarms.service import AlarmView
from aggregator.pages import measured, park_map, symbols
from aggregator.pages.alarm_rows import LETTERS, Shown, condition, row_id, state_and_doubt
from aggregator.pages.moments import time_of_day
from aggregator.pages.park_map import Scene
from aggregator.pages.shell import Shell, heading
from aggregator.pages.texts import Texts
from aggregator.pages.view import View

ROWS_MAX: Final = 12
"""What fits beside the map; the rest is counted."""


def add(shell: Shell) -> None:
    """``/``."""

    @shell.page("/", "overview.title")
    async def overview(view: View) -> None:
        heading(view.text("overview.title"))
        with ui.element("div").classes("cr-split cr-overview"):
            plan = ui.html("", sanitize=False).classes("cr-panel cr-map-panel")
            standing = ui.html(standing_list(view), sanitize=False).classes("cr-panel cr-side")

        async def draw() -> None:
            drawn = drawing(view.text, await look(view), view.query.get("point", ""))
            if drawn != plan.content:  # what did not change is not sent, and keeps the keyboard's place
                plan.set_content(drawn)

        async def refresh() -> None:
            standing.set_content(standing_list(view))
            await draw()

        await draw()
        view.on_news(refresh)
        view.every_second(draw)


async def look(view: View) -> Scene:
    plan = await view.ask(view.services.plant.view)
    points = await view.ask(view.services.points.points)
    return Scene(plan, {(each.organisation, each.tag): each for each in points}, view.standing)


def drawing(text: Texts, scene: Scene, point: str = "") -> str:
    """The map with its legend, or how to get one; as markup. ``point``, as "organisation/tag", is ringed on it."""
    plan = scene.plan
    note = "" if plan.is_current else f'<p class="cr-why">{escape(text("map.not_current"))}</p>'
    if plan.park is None:
        return f"{note}<p>{escape(text('map.none'))}</p><pre>aggregator register set register.toml --dir DIR</pre>"
    legend = "".join(
        f'<span><i class="m-strip m-grade-{level}"></i>{escape(text.word("hazard", str(level)))}</span>'
        for level in range(1, 5)
    )
    return (
        f"<h2>{escape(text.name(plan.park.name.model_dump()))}</h2>{note}{_ringed(park_map.draw(text, scene), point)}"
        f'<div class="cr-legend">{escape(text("map.legend"))}{legend}</div>'
    )


def _ringed(drawn: str, point: str) -> str:
    organisation, _, tag = point.partition("/")
    link = f'<a href="{measured.point_address(organisation, tag)}"'
    return drawn.replace(link, f'{link} class="m-ringed"', 1)


def standing_list(view: View) -> str:
    """The most urgent alarms as markup, each leading to itself in the alarm list."""
    text = view.text
    shown = [alarm for alarm in view.standing if alarm.letter in LETTERS[Shown.STANDING]]
    title = f"<h2>{escape(text('overview.standing', count=len(shown)))}</h2>"
    if not shown:
        return f'{title}<p class="dim">{escape(text("alarms.none"))}</p>'
    more = len(shown) - ROWS_MAX
    rest = f'<a href="/alarms">{escape(text("overview.more", count=more))}</a>' if more > 0 else ""
    return f'{title}<table class="cr-table">{_lines(view, shown[:ROWS_MAX])}</table>{rest}'


def _lines(view: View, alarms: Sequence[AlarmView]) -> str:
    text, now_ns = view.text, view.feed.pulse.wall_ns
    return "".join(
        f"<tr><td>{symbols.svg(symbols.look(alarm), alarm.priority)}{_doubt(view, alarm)}</td>"
        f'<td class="number">{time_of_day(alarm.raised_ns, now_ns)}</td>'
        f'<td><a href="/alarms?select={quote(row_id(alarm))}">{escape(alarm.tag)} {escape(condition(text, alarm))}</a>'
        f'<div class="dim">{escape(view.around.description(alarm))}</div></td>'
        f"<td>{escape(state_and_doubt(text, alarm, now_ns, view.around))}</td><td>{escape(text.place(alarm.org))}</td></tr>"
        for alarm in alarms
    )


def _doubt(view: View, alarm: AlarmView) -> str:
    return "" if view.around.is_confirmed(alarm) else symbols.bad()
