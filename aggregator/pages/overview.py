"""The first page: the park at a glance, and beside it what stands now."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final
from urllib.parse import quote

from nicegui import ui

from aggregator.alarms.service import AlarmView
from aggregator.pages import symbols
from aggregator.pages.alarm_rows import LETTERS, Shown, condition, row_id, state
from aggregator.pages.moments import time_of_day
from aggregator.pages.shell import Shell, heading
from aggregator.pages.view import View

ROWS_MAX: Final = 12
"""What fits beside the map; the rest is counted."""


def add(shell: Shell) -> None:
    """``/``."""

    @shell.page("/", "overview.title")
    async def overview(view: View) -> None:
        heading(view.text("overview.title"))
        standing = ui.html(standing_list(view), sanitize=False).classes("cr-panel").style("width: 100%")

        async def refresh() -> None:
            standing.set_content(standing_list(view))

        view.on_news(refresh)


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
        f"<tr><td>{symbols.svg(symbols.look(alarm), alarm.priority)}</td>"
        f'<td class="number">{time_of_day(alarm.raised_ns, now_ns)}</td>'
        f'<td><a href="/alarms?select={quote(row_id(alarm))}">{escape(alarm.tag)} {escape(condition(text, alarm))}</a></td>'
        f"<td>{escape(state(text, alarm, now_ns))}</td><td>{escape(alarm.org)}</td></tr>"
        for alarm in alarms
    )
