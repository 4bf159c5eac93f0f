"""The list of points with their live values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlencode

from nicegui import background_tasks, ui

from aggregator.live.service import PointView
from aggregator.pages.alarm_rows import Row
from aggregator.pages.point_rows import Part, PointFilter, PointListing
from aggregator.pages.shell import Shell, heading
from aggregator.pages.view import View

ROWS_FIRST: Final = 100
"""Sent with the page itself, more than a screen holds; the rest follows within a second, when the page already stands."""


def add(shell: Shell) -> None:
    """``/points``."""

    @shell.page("/points", "points.title")
    async def points(view: View) -> None:
        page = PointPage(view)
        page.build(await view.ask(view.services.points.points))


class PointPage:
    """One open list; it looks once a second and sends what changed in one batch."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._listing = PointListing(view.text, PointFilter.parse(view.query))

    def build(self, points: Sequence[PointView]) -> None:
        ui.add_head_html('<script src="/static/point_list.js"></script>')
        heading(self._view.text("points.title"))
        self._build_filters(points)
        first = self._listing.update(points[:ROWS_FIRST], self._view.standing).add
        ui.aggrid(self._options(first), theme="balham", auto_size_columns=False).classes("cr-grid cr-tall")
        self._view.every_second(self._refresh)

    def _build_filters(self, points: Sequence[PointView]) -> None:
        text, chosen = self._view.text, self._listing.filter
        with ui.element("div").classes("cr-filters"):
            parts = {part.value: text.word("part", part) for part in Part}
            ui.toggle(
                parts, value=chosen.part.value, on_change=lambda event: self._filter(part=Part(event.value))
            ).props("no-caps unelevated toggle-color=grey-9 color=white text-color=black")
            orgs = {point.org for point in points}
            sources = sorted({"/".join(org.split("/")[:2]) for org in orgs} | ({chosen.source} - {""}))
            ui.select(
                {"": text("points.all_sources"), **{each: text.place(each) for each in sources}}, value=chosen.source,
                label=text("fact.org"), on_change=lambda event: self._filter(source=event.value or ""),
            ).props("dense outlined").style("min-width: 16rem")  # fmt: skip
            ui.input(
                text("points.find"), value=chosen.find, on_change=lambda event: self._filter(find=event.value or "")
            ).props("dense outlined clearable debounce=300")
            ui.element("span").classes("cr-space")
            self._count = ui.label(text("points.count", shown=0, all=0)).classes("dim")

    def _options(self, rows: list[Row]) -> dict[str, Any]:
        text = self._view.text
        right = {"cellClass": "number", "headerClass": "ag-right-aligned-header"}
        column = {"sortable": False, "suppressMovable": True, "resizable": True, "suppressHeaderMenuButton": True}
        columns: list[dict[str, Any]] = [
            {"colId": "symbol", "headerName": "", ":cellRenderer": "p => pointList.markup(p, 'symbol')", "width": 48},
            {"field": "tag", "headerName": text("column.tag"), ":cellRenderer": "p => pointList.link(p)", "width": 120},
            {"field": "description", "headerName": text("points.description"), "flex": 2, "minWidth": 160},
            {"field": "value", "headerName": text("points.value"), "width": 100, **right},
            {"field": "unit", "headerName": text("points.unit"), "width": 80},
            {"field": "bar", "headerName": text("points.range"), ":cellRenderer": "p => pointList.markup(p, 'bar')", "width": 180},
            {"field": "state", "headerName": text("points.doubt"), "width": 190},
            {"field": "age", "headerName": text("points.age"), "width": 140, **right},
            {"field": "org", "headerName": text("column.org"), "flex": 1, "minWidth": 150},
            {"field": "order", "hide": True, "sort": "asc"},
        ]  # fmt: skip
        return {
            "columnDefs": columns,
            "defaultColDef": column,
            "rowData": rows,
            ":getRowId": "p => p.data.id",
            "rowClassRules": {"row-old": "data.old"},
            "rowHeight": 32,
            "deltaSort": True,
            "animateRows": False,
            "localeText": {"noRowsToShow": text("points.none")},
            ":onGridReady": "p => pointList.ready(p.api)",
        }

    async def _refresh(self) -> None:
        points = await self._view.ask(self._view.services.points.points)
        changes = self._listing.update(points, self._view.standing)
        if not changes.is_empty():
            table = {"add": changes.add, "update": changes.update, "remove": changes.remove}
            self._view.run(f"pointList.change({json.dumps(table)})")
        self._count.set_text(self._view.text("points.count", shown=len(self._listing.rows), all=len(points)))

    def _filter(self, **changed: Any) -> None:
        self._listing.filter = replace(self._listing.filter, **changed)
        query = urlencode(self._listing.filter.query())
        address = json.dumps("/points" + (f"?{query}" if query else ""))
        self._view.run(f"history.replaceState(null, '', {address})")
        background_tasks.create(self._view.doing(self._refresh)(), name="filter points")
