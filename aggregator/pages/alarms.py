"""The alarm list: what stands, and what a person does about it, by mouse or by keyboard.

Each action carries the revision that the row showed when the person acted, so nobody acknowledges what he has not seen; a
refusal is told in words with what has happened meanwhile.
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import urlencode

from nicegui import background_tasks, ui
from nicegui.events import GenericEventArguments

from aggregator.alarms.commands import Action
from aggregator.alarms.service import AlarmView
from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.pages import alarm_details, alarm_dialogs
from aggregator.pages.alarm_details import WISHES, Wish
from aggregator.pages.alarm_rows import Filter, Listing, Shown, Transaction, condition, state
from aggregator.pages.shell import Shell, heading
from aggregator.pages.view import View
from aggregator.people.rights import Caller
from contract.events import Json

ROWS_AT_ONCE_MAX: Final = 100
"""Acknowledged with one key: what is on a screen, never more."""
COUNTDOWN_S: Final = 10


def add(shell: Shell) -> None:
    """``/alarms``."""

    @shell.page("/alarms", "alarms.title")
    async def alarms(view: View) -> None:
        AlarmPage(view).build()


class AlarmPage:
    """One open alarm list."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._listing = Listing(view.text, Filter.parse(view.query))
        self._reading = False
        self._selected = view.query.get("select", "")
        self._drawn: AlarmView | None = None
        self._seconds = 0

    def build(self) -> None:
        view, text = self._view, self._view.text
        heading(text("alarms.title"))
        self._build_filters()
        first = self._listing.update(view.standing, self._now_ns, reading=False).add
        with ui.element("div").classes("cr-split"):
            ui.aggrid(self._options(first), theme="balham", auto_size_columns=False).classes("cr-grid")
            self._side = ui.element("div").classes("cr-panel cr-side")
        ui.html(_legend(view), sanitize=False).classes("dim")
        self._draw_selected()
        ui.on("alarm_reading", view.doing(self._read))
        ui.on("alarm_selected", view.doing(self._select))
        ui.on("alarm_action", view.doing(self._act_on_rows))
        ui.on("alarm_show_new", view.doing(self._show_new))
        view.on_news(self._refresh)
        view.every_second(self._count_down)

    # -- the list ------------------------------------------------------------------------------------------------------

    def _build_filters(self) -> None:
        text, chosen = self._view.text, self._listing.filter
        with ui.element("div").classes("cr-filters"):
            states = {shown.value: text.word("shown", shown) for shown in Shown}
            ui.toggle(
                states, value=chosen.state.value, on_change=lambda event: self._filter(state=Shown(event.value))
            ).props("no-caps unelevated toggle-color=grey-9 color=white text-color=black")
            priorities = {0: text("alarms.all_priorities"), 1: "1", 2: "2", 3: "3"}
            ui.select(priorities, value=chosen.priority or 0, label=text("fact.priority"),
                      on_change=lambda event: self._filter(priority=event.value or None)
                      ).props("dense outlined").style("min-width: 9rem")  # fmt: skip
            ui.input(
                text("alarms.find"), value=chosen.find, on_change=lambda event: self._filter(find=event.value)
            ).props("dense outlined clearable debounce=300")
            ui.element("span").classes("cr-space")
            self._news = (
                ui.button(color=None, on_click=self._view.doing(self._show_new))
                .props("flat no-caps")
                .classes("cr-button first")
            )
            self._news.set_visibility(False)
            with ui.button(color=None, on_click=lambda: self._view.run("alarmList.askVisible()")).props(
                "flat no-caps"
            ) as visible:
                visible.classes("cr-button")
                ui.html(f"{text('alarms.acknowledge_visible')}<kbd>V</kbd>", sanitize=False)

    def _options(self, rows: list[dict[str, Json]]) -> dict[str, Any]:
        text = self._view.text
        column = {"sortable": False, "suppressMovable": True, "resizable": True, "suppressHeaderMenuButton": True}
        names = {name: text(f"column.{name}") for name in ("priority", "time", "tag", "what", "state", "value", "setpoint", "org", "count")}  # fmt: skip
        columns: list[dict[str, Any]] = [
            {"colId": "symbol", "headerName": names["priority"], ":cellRenderer": "p => alarmList.symbolCell(p)", "width": 64},
            {"field": "time", "headerName": names["time"], "width": 124},
            {"field": "tag", "headerName": names["tag"], "width": 110, "cellStyle": {"fontWeight": 600}},
            {"field": "what", "headerName": names["what"], ":cellRenderer": "p => alarmList.whatCell(p)", "width": 170},
            {"field": "state", "headerName": names["state"], "width": 225},
            {"field": "value", "headerName": names["value"], "width": 120, "cellClass": "number", "headerClass": "ag-right-aligned-header"},
            {"field": "setpoint", "headerName": names["setpoint"], "width": 112, "cellClass": "number", "headerClass": "ag-right-aligned-header"},
            {"field": "org", "headerName": names["org"], "flex": 1, "minWidth": 120},
            {"field": "count", "headerName": names["count"], "width": 70, "cellClass": "number"},
            {"field": "order", "hide": True, "sort": "asc"},
        ]  # fmt: skip
        keys = json.dumps([*WISHES])
        return {
            "columnDefs": columns,
            "defaultColDef": column,
            "rowData": rows,
            ":getRowId": "p => p.data.id",
            "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
            "rowClassRules": {"row-gone": "data.gone"},
            "rowHeight": 34,
            "deltaSort": True,
            "animateRows": False,
            "suppressCellFocus": False,
            "localeText": {"noRowsToShow": text("alarms.none")},
            ":onGridReady": f"p => alarmList.ready(p.api, {keys}, {json.dumps(self._selected)})",
        }

    async def _refresh(self) -> None:
        self._show(self._listing.update(self._view.standing, self._now_ns, reading=self._reading))
        self._draw_selected()

    def _show(self, changes: Transaction) -> None:
        if not changes.is_empty():
            table = {"add": changes.add, "update": changes.update, "remove": changes.remove}
            self._view.run(f"alarmList.change({json.dumps(table)})")
        self._news.set_text(self._view.text("alarms.new", count=self._listing.waiting))
        self._news.set_visibility(self._listing.waiting > 0)

    async def _count_down(self) -> None:
        """What is left of a shelf gets less without any news."""
        self._seconds += 1
        if self._seconds % COUNTDOWN_S == 0 and any(alarm.shelved_until_ns for alarm in self._view.standing):
            await self._refresh()

    async def _read(self, event: GenericEventArguments) -> None:
        self._reading = bool(event.args.get("reading"))
        if not self._reading:
            await self._refresh()

    async def _show_new(self, _event: object = None) -> None:
        self._show(self._listing.update(self._view.standing, self._now_ns, reading=False))

    def _filter(self, **changed: Any) -> None:
        """A filter is the person's own wish: the list follows at once, and the address with it."""
        chosen = {
            "state": self._listing.filter.state,
            "priority": self._listing.filter.priority,
            "find": self._listing.filter.find,
        }
        self._listing.filter = Filter(**(chosen | {name: value or (None if name == "priority" else "") for name, value in changed.items()}))  # fmt: skip
        query = urlencode(self._listing.filter.query())
        self._view.run(f"history.replaceState(null, '', {json.dumps('/alarms' + ('?' + query if query else ''))})")
        self._show(self._listing.update(self._view.standing, self._now_ns, reading=False))

    # -- one alarm -----------------------------------------------------------------------------------------------------

    async def _select(self, event: GenericEventArguments) -> None:
        self._selected = str(event.args.get("id", ""))
        self._draw_selected()

    def _draw_selected(self) -> None:
        """Only when it changed, so that the focus on a button stays."""
        alarm = self._listing.alarms.get(self._selected)
        if alarm is not None and alarm == self._drawn:
            return
        self._drawn = alarm
        self._side.clear()
        with self._side:
            alarm_details.show(self._view, alarm, self._press)

    def _press(self, wish: Wish) -> None:
        alarm = self._drawn
        if alarm is not None:
            background_tasks.create(self._view.doing(self._ask_and_act)(alarm, wish), name=f"action {wish.action}")

    async def _act_on_rows(self, event: GenericEventArguments) -> None:
        """From the keyboard: an action, and for each row the revision that it showed."""
        wish = WISHES[str(event.args["key"])]
        seen = [(str(key), int(revision)) for key, revision in event.args["rows"][:ROWS_AT_ONCE_MAX]]
        alarms = [(self._listing.alarms.get(key), revision) for key, revision in seen]
        if event.args.get("visible"):
            await self._acknowledge_all([(alarm, revision) for alarm, revision in alarms if alarm is not None])
            return
        for alarm, revision in alarms[:1]:
            if alarm is None:
                self._view.tell(self._view.text("alarms.over"))
            else:
                await self._ask_and_act(alarm, alarm_details.possible(alarm, wish), revision)

    async def _ask_and_act(self, alarm: AlarmView, wish: Wish, seen: int | None = None) -> None:
        text, now_ns, action = self._view.text, self._now_ns, wish.action
        about = f"{alarm.tag} {condition(text, alarm)} – {text.place(alarm.org)}"
        args: dict[str, Json] | None = {}
        with self._side:
            if action is Action.SHELVE:
                args = await alarm_dialogs.shelve(text, about, now_ns)
            elif action is Action.REMOVE_FROM_SERVICE:
                args = await alarm_dialogs.take_out_of_service(text, about, now_ns)
            elif action is Action.COMMENT or wish.says:
                args = await alarm_dialogs.comment(text, alarm_details.name(text, wish), about, needed=True)
        if args is not None:
            await self._act(alarm, action, alarm.revision if seen is None else seen, args)

    async def _act(self, alarm: AlarmView, action: Action, seen: int, args: dict[str, Json]) -> None:
        try:
            await self._do(alarm, action, seen, args)
        except RefusedError as error:
            if error.code is not RefusalCode.MOVED_ON:
                raise
            self._view.tell(await self._meanwhile(alarm, error))
        self.release()

    async def _do(self, alarm: AlarmView, action: Action, seen: int, args: dict[str, Json]) -> None:
        def act(caller: Caller) -> AlarmView:
            return self._view.services.alarms.act(caller, action, alarm.instance, seen, **args)

        await self._view.ask(act)

    async def _meanwhile(self, alarm: AlarmView, error: RefusedError) -> str:
        """What the alarm is now, for somebody who acted on what it was."""
        text = self._view.text
        await self._view.load_standing()
        await self._refresh()
        now = self._listing.alarms.get(f"{alarm.organisation}/{alarm.tag}/{alarm.kind}")
        if now is None:
            return f"{text.refusal(error)} {text('alarms.over')}"
        who = f" ({now.acknowledged_by})" if now.acknowledged_by else ""
        return (
            f"{text.refusal(error)} {text('alarms.meanwhile', tag=now.tag, state=state(text, now, self._now_ns) + who)}"
        )

    async def _acknowledge_all(self, seen: list[tuple[AlarmView, int]]) -> None:
        """Every one of them by itself: what one refuses does not hold up the rest."""
        owed = [(alarm, revision) for alarm, revision in seen if Action.ACKNOWLEDGE in alarm.allowed]
        refused: list[RefusedError] = []
        for alarm, revision in owed:
            try:
                await self._do(alarm, Action.ACKNOWLEDGE, revision, {})
            except RefusedError as error:
                if error.code is RefusalCode.NOT_SIGNED_IN:
                    raise
                refused.append(error)
        if refused:
            done = len(owed) - len(refused)
            why = self._view.text.refusal(refused[0])
            self._view.tell(self._view.text("alarms.some_refused", done=done, refused=len(refused), why=why))

    def release(self) -> None:
        """After an action the person looks at the list anew; its rows still do not move until he lets go of it."""
        self._view.run("alarmList.refocus()")

    @property
    def _now_ns(self) -> int:
        return self._view.feed.pulse.wall_ns


def _legend(view: View) -> str:
    return f"<span>{view.text('alarms.keys')}</span>"
