"""The table on the terminal: draws lines, takes keys, asks the agent once a second in a thread of its own.

Only the lines that are in sight are drawn, so that a list of thousands costs no more than one of forty. Nothing depends on colour:
alarms are bold and have their state, what is not to be trusted is dim and has a question mark.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import ModalScreen
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Input, Static

from edge_agent.commissioning.watching.head import head_lines
from edge_agent.commissioning.watching.rows import Row, fitted, line, rows, title
from edge_agent.commissioning.watching.view import View
from edge_agent.station.control import ControlError

PERIOD_S: Final = 1.0
HELP: Final = """\
/     show only what has this text (tag, device, unit, description); Esc: all
a     only alarms                b     only what is bad or not confirmed
s     order by the next column   r     reverse it
p     pause: values stand still, ages go on
up down PgUp PgDn Home End       scroll
q     quit

A value with ? is not to be trusted: its quality is not GOOD, or nobody has
confirmed it for too long. AGE is the time since the device last confirmed it.

Any key closes this.
"""
_BOLD: Final = Style(bold=True)
_DIM: Final = Style(dim=True)
_PLAIN: Final = Style()


class _Table(ScrollView, can_focus=True):
    """Lines of ``rows``; the title stays above."""

    shown: Sequence[Row] = ()

    def put(self, shown: Sequence[Row]) -> None:
        self.shown = shown
        self.virtual_size = Size(0, len(shown))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        place = y + self.scroll_offset.y
        if place >= len(self.shown):
            return Strip.blank(self.size.width)
        row = self.shown[place]
        style = _BOLD if row.level else _DIM if row.is_bad else _PLAIN
        return Strip([Segment(line(row.cells(), self.size.width), style)], self.size.width)


class _Help(ModalScreen[None]):
    def compose(self) -> ComposeResult:
        yield Static(HELP, markup=False)

    def on_key(self) -> None:
        self.dismiss()


class Watch(App[None]):
    """``tell`` asks the agent (raises ControlError); ``mono_s`` is the clock on which ages count up."""

    CSS = """
    #head { height: auto; max-height: 10; }
    #title, #foot { height: 1; }
    #title { text-style: reverse; }
    #filter { height: 1; border: none; padding: 0; display: none; }
    _Table { height: 1fr; scrollbar-size-vertical: 0; }
    _Help { align: center middle; }
    _Help Static { width: auto; height: auto; border: solid; }
    """
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit"), Binding("slash", "filter"), Binding("escape", "everything"), Binding("a", "alarms"),
        Binding("b", "bad"), Binding("s", "order"), Binding("r", "reverse"), Binding("p", "pause"),
        Binding("question_mark", "help"),
    ]  # fmt: skip

    def __init__(self, tell: Callable[[str], Mapping[str, Any]], mono_s: Callable[[], float]) -> None:
        super().__init__(ansi_color=True)
        self._tell = tell
        self._mono_s = mono_s
        self._status: Mapping[str, Any] | None = None
        self._live: Mapping[str, Any] = {"points": []}
        self._told_s = mono_s()
        self._trouble = ""
        self._asking = False
        self._paused = False
        self._view = View()

    def compose(self) -> ComposeResult:
        yield Static(id="head", markup=False)
        yield Static(id="title", markup=False)
        yield _Table()
        yield Input(placeholder="only what has this text", id="filter", compact=True)
        yield Static(id="foot", markup=False)

    def on_mount(self) -> None:
        self.query_one(_Table).focus()
        self.set_interval(PERIOD_S, self.look)
        self.call_later(self.look)

    def on_resize(self) -> None:
        self.call_later(self.draw)

    async def look(self) -> None:
        """Ask anew unless it is paused or the last question is still open; draw in any case, since ages go on."""
        if not self._paused and not self._asking:
            self._asking = True
            self.run_worker(self._ask())
        self.draw()

    async def _ask(self) -> None:
        try:
            status, live = await asyncio.to_thread(lambda: (self._tell("status"), self._tell("live")))
        except ControlError as error:
            self._trouble = str(error)
        else:
            self._status, self._live, self._told_s, self._trouble = status, live, self._mono_s(), ""
        finally:
            self._asking = False
        self.draw()

    def draw(self) -> None:
        ago_s = self._mono_s() - self._told_s
        known = rows(self._live, ago_s)
        shown = self._view.chosen(known)
        width = self.size.width
        head = head_lines(self._status, self._trouble, ago_s) or ["asking the agent ..."]
        self._put("#head", "\n".join(fitted(each, width) for each in head))
        self._put("#title", title(width))
        paused = "PAUSED, p goes on; " if self._paused else ""
        words = f"{paused}{self._view.words(len(shown), len(known))}   ? help  / filter  q quit"
        self._put("#foot", fitted(words, width))
        self.query_one(_Table).put(shown)

    def _put(self, place: str, text: str) -> None:
        self.query_one(place, Static).update(text)

    def _set(self, view: View) -> None:
        self._view = view
        self.draw()

    # -- keys ----------------------------------------------------------------------------------------------------------

    def action_alarms(self) -> None:
        self._set(replace(self._view, only_alarms=not self._view.only_alarms))

    def action_bad(self) -> None:
        self._set(replace(self._view, only_bad=not self._view.only_bad))

    def action_order(self) -> None:
        self._set(self._view.next_order())

    def action_reverse(self) -> None:
        self._set(replace(self._view, is_reversed=not self._view.is_reversed))

    def action_pause(self) -> None:
        self._paused = not self._paused
        self.draw()

    def action_help(self) -> None:
        self.push_screen(_Help())

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.display = True
        field.focus()

    def action_everything(self) -> None:
        self.query_one("#filter", Input).value = ""
        self._close_filter()
        self._set(replace(self._view, text=""))

    def on_input_changed(self, event: Input.Changed) -> None:
        self._set(replace(self._view, text=event.value))

    def on_input_submitted(self) -> None:
        self._close_filter()

    def _close_filter(self) -> None:
        self.query_one("#filter", Input).display = False
        self.query_one(_Table).focus()
