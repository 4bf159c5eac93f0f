"""What is known of the one alarm that the operator has selected, and what may be done about it now.

The buttons are drawn when the alarm changes, so that the focus on one stays; what is known of it goes on with the time.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Final, NamedTuple
from urllib.parse import quote

from nicegui import ui

from aggregator.alarms.commands import DEMANDS, Action
from aggregator.alarms.service import AlarmView
from aggregator.pages import symbols
from aggregator.pages.alarm_rows import condition, level_now, state, with_unit
from aggregator.pages.measured import point_address
from aggregator.pages.moments import beijing, duration
from aggregator.pages.texts import Texts
from aggregator.pages.view import View
from contract.clock import NS_PER_S
from contract.events import Json


class Wish(NamedTuple):
    """What a key and its button stand for. ``says``: with words on it, where the action by itself asks for none."""

    action: Action
    says: bool = False

    @property
    def opens_form(self) -> bool:
        """Words, an end or a permit are asked for before it is done."""
        demand = DEMANDS[self.action]
        return self.says or bool(demand.needs) or demand.ends


WISHES: Final = {
    "k": Wish(Action.ACKNOWLEDGE),
    "K": Wish(Action.ACKNOWLEDGE, says=True),
    "u": Wish(Action.UNACKNOWLEDGE),
    "m": Wish(Action.COMMENT),
    "h": Wish(Action.SHELVE),
    "o": Wish(Action.REMOVE_FROM_SERVICE),
    "r": Wish(Action.RESET),
}
"""By key."""
OTHER_WAY: Final = {
    Action.SHELVE: Action.UNSHELVE,
    Action.REMOVE_FROM_SERVICE: Action.RETURN_TO_SERVICE,
}
"""One key and one button for both ways: whichever of them is possible."""
RECEIVED_APART_NS: Final = 2 * NS_PER_S
"""Received so much later than it happened: both times are shown."""
HOLD_FACTS: Final = ("reason", "permit", "person")

Do = Callable[[Wish], None]


def show(view: View, alarm: AlarmView | None, do: Do) -> ui.html | None:
    """Into the present slot; gives the element that shows ``facts``."""
    text = view.text
    if alarm is None:
        ui.label(text("alarms.nothing_selected")).classes("dim")
        return None
    symbol = symbols.svg(symbols.look(alarm), alarm.priority)
    ui.html(f"<h2>{symbol} {escape(alarm.tag)} {escape(condition(text, alarm))}</h2>", sanitize=False)
    with ui.element("div").classes("cr-actions"):
        for key, wish in WISHES.items():
            _button(view, alarm, possible(alarm, wish), key, do)
    return ui.html(facts(view, alarm), sanitize=False)


def facts(view: View, alarm: AlarmView) -> str:
    """What the point is, what is known of the alarm, and where more of it is to be seen; as markup."""
    text = view.text
    description = view.around.description(alarm)
    named = f'<p class="cr-described">{escape(description)}</p>' if description else ""
    rows = "".join(f"<dt>{escape(text(f'fact.{name}'))}</dt><dd>{value}</dd>" for name, value in _facts(view, alarm))
    links = [(point_address(alarm.organisation, alarm.tag), "alarms.to_trend")]
    if view.around.is_drawn(alarm):
        links.append((f"/?point={quote(f'{alarm.organisation}/{alarm.tag}')}", "alarms.to_map"))
    more = "".join(f'<a href="{escape(address)}">{escape(text(key))}</a>' for address, key in links)
    return f'{named}{_doubt(view, alarm)}<dl class="cr-facts">{rows}</dl><div class="cr-more">{more}</div>'


def _doubt(view: View, alarm: AlarmView) -> str:
    """Why nobody can say whether it is still so, and since when."""
    if view.around.is_confirmed(alarm):
        return ""
    silent_s = view.around.silent_s(alarm, view.feed.pulse.wall_ns)
    key = "alarms.agent_away" if silent_s is None else "alarms.agent_away_for"
    said = view.text(key, agent=alarm.agent, age="" if silent_s is None else duration(silent_s))
    return f'<p class="cr-why">{symbols.bad()} {escape(said)}</p>'


def possible(alarm: AlarmView, wish: Wish) -> Wish:
    """The wish itself, or its way back where only that is allowed now."""
    other = OTHER_WAY.get(wish.action)
    return wish._replace(action=other) if other is not None and other in alarm.allowed else wish


def name(text: Texts, wish: Wish) -> str:
    return text("alarms.acknowledge_saying") if wish.says else text.word("action", wish.action)


def _button(view: View, alarm: AlarmView, wish: Wish, key: str, do: Do) -> None:
    with ui.button(color=None, on_click=lambda: do(wish)).props("flat no-caps").classes("cr-button") as button:
        ui.html(f"{escape(name(view.text, wish))}<kbd>{key}</kbd>", sanitize=False)
    if wish == WISHES["k"]:
        button.classes("first")
    allowed = wish.action in alarm.allowed and view.person.may(DEMANDS[wish.action].right, alarm.org)
    button.set_enabled(allowed)


def _facts(view: View, alarm: AlarmView) -> list[tuple[str, str]]:
    """Name and markup of each fact that there is."""
    text, now_ns = view.text, view.feed.pulse.wall_ns
    times = beijing(alarm.raised_ns)
    apart = abs(alarm.received_ns - alarm.raised_ns) > RECEIVED_APART_NS
    found: list[tuple[str, str]] = [
        ("state", escape(state(text, alarm, now_ns))),
        ("value", escape(with_unit(text, alarm, alarm.value, view.around))),
        ("setpoint", escape(with_unit(text, alarm, alarm.setpoint, view.around))),
        ("raised", times + (f' <span class="late">{escape(text("alarm.late"))}</span>' if alarm.late else "")),
    ]
    if now := level_now(text, alarm):
        found.insert(1, ("level_now", escape(now)))
    if alarm.first_raised_ns is not None:
        found.append(("first_raised", beijing(alarm.first_raised_ns)))
    if apart:
        found.append(("received", beijing(alarm.received_ns)))
    found += [
        ("priority", str(alarm.priority)),
        ("class", escape(text.word("class", alarm.condition_class))),
        ("org", escape(text.place_and_path(alarm.org))),
        ("agent", escape(alarm.agent)),
        ("activations", str(alarm.activations)),
    ]
    if alarm.acknowledged_by:
        found.append(("acknowledged_by", escape(alarm.acknowledged_by)))
    if alarm.shelved_until_ns is not None:
        found.append(("shelved_until", beijing(alarm.shelved_until_ns)))
    if alarm.service_until_ns is not None:
        found.append(("service_until", beijing(alarm.service_until_ns)))
    for hold in alarm.hold.values():
        found += [(name, escape(str(said))) for name, said in _table(hold).items() if name in HOLD_FACTS and said]
    if alarm.comment:
        found.append(("comment", escape(alarm.comment)))
    return found


def _table(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
