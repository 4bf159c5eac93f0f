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

from aggregator.alarms.commands import DEMANDS, Action
from aggregator.alarms.service import AlarmView
from aggregator.alarms.states import Reason
from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.pages import alarm_details, alarm_dialogs, alarm_requests
from aggregator.pages.alarm_details import WISHES, Wish
from aggregator.pages.alarm_rows import Filter, Listing, Shown, Transaction, condition, state, state_and_doubt
from aggregator.pages.shell import Shell, heading
from aggregator.pages.view import View
from aggregator.people.rights import Caller
from contract.events import Json

COUNTDOWN_S: Final = 10


def add(shell: Shell) -> None:
    """``/alarms``. Settings are read once, as ingest reads them."""
    longest_shelf_ns = shell.services.folder.settings().alarms.rules.shelve_max_ns

    @shell.page("/alarms", "alarms.title")
    async def alarms(view: View) -> None:
        AlarmPage(view, longest_shelf_ns).build()


class AlarmPage:
    """One open alarm list."""

    def __init__(self, view: View, longest_shelf_ns: int) -> None:
        self._view = view
        self._longest_shelf_ns = longest_shelf_ns
        self._listing = Listing(view.text, Filter.parse(view.query))
        self._reading = False
        self._selected = view.query.get("select", "")
        self._drawn: AlarmView | None = None
        self._facts: ui.html | None = None
        self._seconds = 0

    def build(self) -> None:
        view, text = self._view, self._view.text
        heading(text("alarms.title"))
        self._build_filters()
        first = self._update(reading=False).add
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
        names = {name: text(f"column.{name}") for name in ("priority", "time", "tag", "description", "what", "state", "value", "setpoint", "org", "count")}  # fmt: skip
        number = {"cellClass": "number", "headerClass": "ag-right-aligned-header"}
        columns: list[dict[str, Any]] = [
            {"colId": "symbol", "headerName": names["priority"], ":cellRenderer": "p => alarmList.symbolCell(p)", **_wide(64)},
            {"field": "time", "headerName": names["time"], **_wide(84)},
            {"field": "tag", "headerName": names["tag"], **_wide(84), "cellStyle": {"fontWeight": 600}},
            {"field": "description", "headerName": names["description"], **_wide(110), "tooltipField": "description"},
            {"field": "what", "headerName": names["what"], ":cellRenderer": "p => alarmList.whatCell(p)", **_wide(112)},
            {"field": "state", "headerName": names["state"], **_wide(130), "tooltipField": "state"},
            {"field": "value", "headerName": names["value"], **_wide(90), **number},
            {"field": "setpoint", "headerName": names["setpoint"], **_wide(90), **number},
            {"field": "org", "headerName": names["org"], **_wide(104), "tooltipField": "org"},
            {"field": "count", "headerName": names["count"], **_wide(50), "cellClass": "number"},
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
            "deltaSort": True,
            "animateRows": False,
            "suppressCellFocus": False,
            "enableBrowserTooltips": True,
            "localeText": {"noRowsToShow": text("alarms.none")},
            ":onGridReady": f"p => alarmList.ready(p.api, {keys}, {json.dumps(self._selected)})",
        }

    async def _refresh(self) -> None:
        self._show(self._update(reading=self._reading))
        self._draw_selected()

    def _update(self, *, reading: bool) -> Transaction:
        return self._listing.update(self._view.standing, self._now_ns, reading=reading, around=self._view.around)

    def _show(self, changes: Transaction) -> None:
        if not changes.is_empty():
            table = {"add": changes.add, "update": changes.update, "remove": changes.remove}
            self._view.run(f"alarmList.change({json.dumps(table)})")
        self._news.set_text(self._view.text("alarms.new", count=self._listing.waiting))
        self._news.set_visibility(self._listing.waiting > 0)

    async def _count_down(self) -> None:
        """What is left of a shelf gets less without any news."""
        self._draw_facts()
        self._seconds += 1
        if self._seconds % COUNTDOWN_S == 0 and any(alarm.shelved_until_ns for alarm in self._view.standing):
            await self._refresh()

    async def _read(self, event: GenericEventArguments) -> None:
        reading = alarm_requests.reading(event.args)
        if reading is None:
            return
        self._reading = reading
        if not reading:
            await self._refresh()

    async def _show_new(self, _event: object = None) -> None:
        self._show(self._update(reading=False))

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
        self._show(self._update(reading=False))

    # -- one alarm -----------------------------------------------------------------------------------------------------

    async def _select(self, event: GenericEventArguments) -> None:
        chosen = alarm_requests.selected(event.args)
        if chosen is not None:
            self._selected = chosen
            self._draw_selected()

    def _draw_selected(self) -> None:
        """Only when it changed, so that the focus on a button stays."""
        alarm = self._listing.alarms.get(self._selected)
        if alarm is not None and alarm == self._drawn:
            self._draw_facts()
            return
        self._drawn = alarm
        self._side.clear()
        with self._side:
            self._facts = alarm_details.show(self._view, alarm, self._press)

    def _draw_facts(self) -> None:
        if self._facts is not None and self._drawn is not None:
            self._facts.set_content(alarm_details.facts(self._view, self._drawn))  # sent only where it differs

    def _press(self, wish: Wish) -> None:
        alarm = self._drawn
        if alarm is not None:
            background_tasks.create(self._view.doing(self._ask_and_act)(alarm, wish), name=f"action {wish.action}")

    async def _act_on_rows(self, event: GenericEventArguments) -> None:
        """From the keyboard: an action, and for each row the revision that it showed."""
        asked = alarm_requests.asked(event.args)
        if asked is None:
            return
        alarms = [(self._listing.alarms.get(key), revision) for key, revision in asked.rows]
        if asked.visible:
            await self._acknowledge_all([(alarm, revision) for alarm, revision in alarms if alarm is not None])
            return
        for alarm, revision in alarms[:1]:
            if alarm is None:
                self._view.tell(self._view.text("alarms.over"))
            else:
                await self._ask_and_act(alarm, alarm_details.possible(alarm, asked.wish), revision)

    async def _ask_and_act(self, alarm: AlarmView, wish: Wish, seen: int | None = None) -> None:
        text, now_ns, action = self._view.text, self._now_ns, wish.action
        about = f"{alarm.tag} {condition(text, alarm)} – {text.place(alarm.org)}"
        args: dict[str, Json] | None = {}
        if wish.opens_form:
            self._require(alarm, wish)
        with self._side:
            if action is Action.SHELVE:
                args = await alarm_dialogs.shelve(text, about, now_ns, self._longest_shelf_ns)
            elif action is Action.REMOVE_FROM_SERVICE:
                args = await alarm_dialogs.take_out_of_service(text, about, now_ns)
            elif action is Action.COMMENT or wish.says:
                args = await alarm_dialogs.comment(text, alarm_details.name(text, wish), about, needed=True)
        if args is not None:
            await self._act(alarm, action, alarm.revision if seen is None else seen, args)

    def _require(self, alarm: AlarmView, wish: Wish) -> None:
        """Nobody fills in a form for what will be refused. Raises RefusedError; without a form ingest says it at once."""
        if not self._view.person.may(DEMANDS[wish.action].right, alarm.org):
            raise RefusedError(RefusalCode.NOT_ALLOWED, right=DEMANDS[wish.action].right)
        if wish.action not in alarm.allowed:
            name = alarm_details.name(self._view.text, wish)
            is_now = state(self._view.text, alarm, self._now_ns)
            raise RefusedError(
                RefusalCode.NOT_POSSIBLE, reason=self._view.text("alarms.not_now", action=name, state=is_now)
            )

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
        return f"{text.refusal(error)} {text('alarms.meanwhile', tag=now.tag, state=state_and_doubt(text, now, self._now_ns, self._view.around) + who)}"

    async def _acknowledge_all(self, seen: list[tuple[AlarmView, int]]) -> None:
        """Every one of them by itself: what one refuses does not hold up the rest."""
        owed = [(alarm, revision) for alarm, revision in seen if Action.ACKNOWLEDGE in alarm.allowed]
        if not owed:
            raise RefusedError(RefusalCode.NOT_POSSIBLE, reason=Reason.NOTHING_OWED)
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


def _wide(least_px: int) -> dict[str, int]:
    """All columns grow with the screen, in proportion; the least of all of them are on the smallest screen."""
    return {"flex": least_px, "minWidth": least_px}


def _legend(view: View) -> str:
    return f"<span>{view.text('alarms.keys')}</span>"
