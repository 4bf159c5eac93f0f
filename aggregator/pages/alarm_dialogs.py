"""What a person is asked before an action: a comment, a reason and an end, a permit. Gives the action's arguments.

Every dialog works by keyboard alone: Tab, Enter, Escape; the first field has the focus.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from nicegui import ui

from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.pages.texts import Texts
from contract.clock import NS_PER_S
from contract.events import Json

NS_PER_MIN: Final = 60 * NS_PER_S
SHELF_MIN: Final = (15, 30, 60, 120, 240, 480)
SHELF_DEFAULT_MIN: Final = 30
SERVICE_MIN: Final = (480, 1440, 3 * 1440, 7 * 1440, 30 * 1440)
COMMENT_LENGTH_MAX: Final = 500


async def comment(text: Texts, title: str, about: str, *, needed: bool) -> dict[str, Json] | None:
    """A comment on the action; None where the person thought better of it."""
    with _dialog(title, about) as dialog:
        words = _line(text("dialog.comment"), needed=text("dialog.needed") if needed else None)
        _buttons(text, dialog, [words])
    return {"comment": words.value.strip()} if await dialog else None


async def shelve(text: Texts, about: str, now_ns: int, longest_ns: int) -> dict[str, Json] | None:
    """An end, at most ``longest_ns`` ahead, and a reason; both mandatory."""
    choices = shelf_choices(longest_ns)
    if not choices:
        raise RefusedError(RefusalCode.INVALID, field="until_ns", message="less than a minute is allowed")
    with _dialog(text("action.shelve"), about) as dialog:
        minutes = _duration(text, text("dialog.shelf_for"), choices, min(SHELF_DEFAULT_MIN, choices[-1]))
        reason = _line(text("dialog.reason"), needed=text("dialog.needed"))
        once = ui.checkbox(text("dialog.once"))
        _buttons(text, dialog, [reason])
    if not await dialog:
        return None
    return {"until_ns": _until(now_ns, minutes.value), "reason": reason.value.strip(), "once": bool(once.value)}


async def take_out_of_service(text: Texts, about: str, now_ns: int) -> dict[str, Json] | None:
    """A permit number and an end, both mandatory."""
    with _dialog(text("action.remove_from_service"), about) as dialog:
        permit = _line(text("dialog.permit"), needed=text("dialog.needed"))
        hours = _duration(text, text("dialog.back_in"), SERVICE_MIN, SERVICE_MIN[0])
        words = _line(text("dialog.comment"), needed=None)
        _buttons(text, dialog, [permit, words])
    if not await dialog:
        return None
    return {
        "permit": permit.value.strip(), "until_ns": _until(now_ns, hours.value), "comment": words.value.strip()
    }  # fmt: skip


def shelf_choices(longest_ns: int) -> tuple[int, ...]:
    """Minutes, ascending: the usual ones that are allowed, and the longest that is."""
    longest_min = longest_ns // NS_PER_MIN
    return tuple(sorted({each for each in SHELF_MIN if each <= longest_min} | ({longest_min} - {0})))


def _duration(text: Texts, label: str, choices_min: tuple[int, ...], value: int) -> ui.select:
    labels = {each: _words(text, each) for each in choices_min}
    return ui.select(labels, value=value, label=label).classes("w-full").props("outlined")


def _words(text: Texts, minutes: int) -> str:
    if minutes < 60 or minutes % 60:
        return text("dialog.minutes", n=minutes)
    return text("dialog.hours", n=minutes // 60) if minutes <= 1440 else text("dialog.days", n=minutes // 1440)


def _until(now_ns: int, minutes: int) -> str:
    return str(now_ns + minutes * NS_PER_MIN)


@contextmanager
def _dialog(title: str, about: str) -> Iterator[ui.dialog]:
    """Open; what is made inside stands on its card. It goes from the page when it closes."""
    dialog = ui.dialog(value=True).props(f'aria-label="{title}"')
    dialog.on("hide", dialog.delete)
    with dialog, ui.card().classes("cr-dialog"):
        ui.label(title).props("role=heading aria-level=2").style("font-weight: 600")
        ui.label(about).classes("dim")
        yield dialog


def _line(label: str, needed: str | None) -> ui.input:
    checks = {needed: lambda value: bool(value.strip())} if needed else None
    line = ui.input(label, validation=checks).without_auto_validation()
    return line.classes("w-full").props(f"outlined maxlength={COMMENT_LENGTH_MAX}")


def _buttons(text: Texts, dialog: ui.dialog, lines: list[ui.input]) -> None:
    def confirm() -> None:
        faults = [line for line in lines if not line.validate()]
        if not faults:
            dialog.submit(True)

    for line in lines:
        line.on("keydown.enter", confirm)
    lines[0].props("autofocus")
    with ui.row():
        ui.button(text("dialog.confirm"), color=None, on_click=confirm).classes("cr-button first").props("flat no-caps")
        ui.button(text("dialog.cancel"), color=None, on_click=lambda: dialog.submit(False)).classes("cr-button").props(
            "flat no-caps"
        )
