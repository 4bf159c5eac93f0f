"""What every page has: who may see it, navigation, the alarm bar, the sentence on what this system is not.

A page registers with ``Shell.page`` and gets a ``View``; it puts its content where it is called. Signing in is looked up
at each load, and again by every service function that the page asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy
from functools import partial
from html import escape
from typing import Final, TypeAlias
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from nicegui import Client, ui

from aggregator.alarms.service import AlarmView
from aggregator.api.signed_in import caller_of
from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.pages import symbols
from aggregator.pages.alarm_bar import Bar
from aggregator.pages.alarm_rows import condition, row_id
from aggregator.pages.feed import Feed
from aggregator.pages.moments import time_of_day
from aggregator.pages.texts import Language, Texts, chosen, script_json, texts
from aggregator.pages.view import View, login_address
from aggregator.people.rights import Person, Right
from aggregator.services import Services

NAVIGATION: Final = (
    ("/", "nav.overview", Right.SEE),
    ("/alarms", "nav.alarms", Right.SEE),
    ("/points", "nav.points", Right.SEE),
    ("/agents", "nav.agents", Right.SEE),
    ("/journal", "nav.journal", Right.JOURNAL),
)
HEAD: Final = """\
<link rel="stylesheet" href="/static/control_room.css"><script src="/static/control_room.js"></script>
<script src="/static/alarm_list.js"></script>"""
SCRIPT_TEXTS: Final = (
    "link_good", "link_lost", "ingest_silent", "ingest_never", "sound_off", "sound_on", "sound_silenced", "sound_ready",
)  # fmt: skip
RESPONSE_TIMEOUT_S: Final = 10.0

Build: TypeAlias = "Callable[[View], Awaitable[None]]"


class Shell:
    """Registers pages. ``current`` names the entry of the navigation that a page belongs to."""

    def __init__(self, services: Services, feed: Feed) -> None:
        self.services = services
        self._feed = feed

    def page(self, path: str, title: str, current: str | None = None) -> Callable[[Build], Build]:
        """``title`` is a key of the catalogue; the builder writes the h1 itself (``heading``)."""

        def register(build: Build) -> Build:
            show = partial(self._show, build, title, current or path)

            @ui.page(path, response_timeout=RESPONSE_TIMEOUT_S)
            async def page(request: Request, client: Client) -> Response | None:
                return await show(request, client)

            return build

        return register

    async def _show(self, build: Build, title: str, current: str, request: Request, client: Client) -> Response | None:
        text = texts(chosen(request.cookies))
        address = quote(request.url.path) + (f"?{request.url.query}" if request.url.query else "")
        caller = caller_of(request)
        try:
            person = await asyncio.to_thread(self.services.people.person, caller.token)
        except RefusedError:
            return RedirectResponse(login_address(address, "" if not caller.token else "not_signed_in"), 303)
        _set_language(client, text.language)
        client.title = f"{text(title)} – {text('shell.product')}"
        view = View(
            self.services, self._feed, text, caller, person, client, address,
            dict(request.path_params), dict(request.query_params),
        )  # fmt: skip
        try:
            view.text = text.with_places(await view.ask(self.services.plant.names))
            await view.look_around()
            bar = await view.load_standing()
            view.follow(_frame(view, current, bar))
            await build(view)
        except RefusedError as error:
            if error.code is RefusalCode.NOT_SIGNED_IN:
                return RedirectResponse(login_address(address, "not_signed_in"), 303)
            heading(text("shell.refused"))
            ui.label(text.refusal(error))
        return None


def heading(words: str) -> None:
    """The page's one h1."""
    ui.html(f"<h1>{escape(words)}</h1>", sanitize=False)


# -- the frame ---------------------------------------------------------------------------------------------------------


def _frame(view: View, current: str, bar: Bar) -> Callable[[Bar], None]:
    """Everything around the content; gives what shows a new state of the alarm bar."""
    text = view.text
    ui.add_head_html(HEAD)
    labels = script_json(
        {name: text.table[f"bar.{name}"] for name in SCRIPT_TEXTS}
        | {name: text.table[f"shell.{name}"] for name in ("read", "not_signed_out")}
    )
    ui.add_body_html(
        f'{symbols.SHAPES}<script type="application/json" id="cr-texts">{labels}</script>'
        '<div class="cr-veil"><div id="cr-veil-text"></div></div>'
    )
    with ui.header(elevated=False, fixed=True).classes("cr-header"):
        ui.html(_navigation(text, view.person, current), sanitize=False).style("width: 100%")
        with ui.element("div").classes("cr-bar"):
            counts = ui.html(_counts(text, bar), sanitize=False).classes("cr-cell cr-counts")
            first = (
                ui.html(_first(view, bar.first), sanitize=False).classes("cr-cell cr-newest").props("aria-live=polite")
            )
            ui.html(_stations(text), sanitize=False).style("display:contents")
        ui.html('<div class="cr-messages" id="cr-messages" role="alert"></div>', sanitize=False)
    with ui.footer(fixed=True, elevated=False).classes("cr-footer"):
        ui.label(text("shell.supplement"))

    def show(new: Bar) -> None:
        counts.set_content(_counts(text, new))
        first.set_content(_first(view, new.first))

    return show


def _navigation(text: Texts, person: Person, current: str) -> str:
    links = "".join(
        f'<a href="{path}"{" aria-current=page" if path == current else ""}>{escape(text(key))}</a>'
        for path, key, right in NAVIGATION
        if person.may(right)
    )
    other = text.language.other
    return (
        f'<nav class="cr-nav"><span class="cr-brand">{escape(text("shell.product"))}</span>{links}'
        f'<span class="cr-space"></span><span id="cr-who">{escape(person.name)} · '
        f"{escape(text.word('role', person.role))}</span>"
        f'<button class="cr-plain" id="cr-language" data-language="{other}" lang="{other.tag}">'
        f"{escape(text('shell.other_language'))}</button>"
        f'<button class="cr-plain" id="cr-sign-out">{escape(text("shell.sign_out"))}</button></nav>'
    )


def _counts(text: Texts, bar: Bar) -> str:
    """Unacknowledged of standing, per priority."""
    parts = []
    for count in bar.counts:
        said = text("bar.count", priority=count.priority, owed=count.unacknowledged, standing=count.standing)
        parts.append(
            f'<span class="count" title="{escape(said)}">{symbols.svg(count.colour, count.priority, escape(said))}'
            f"<b>{count.unacknowledged}</b>/{count.standing}</span>"
        )
    aside = escape(text("bar.set_aside", count=bar.set_aside))
    return "".join(parts) + f'<a href="/alarms?state=set_aside">{aside}</a>'


def _first(view: View, alarm: AlarmView | None) -> str:
    text = view.text
    if alarm is None:
        return f'<span class="dim">{escape(text("bar.none"))}</span>'
    what = f"{alarm.tag} {condition(text, alarm)}"
    late = f'<span class="late">{escape(text("alarm.late"))}</span>' if alarm.late else ""
    doubt = "" if view.around.is_confirmed(alarm) else symbols.bad(escape(text("alarms.doubt")))
    place = " · ".join(part for part in (view.around.description(alarm), text.place(alarm.org)) if part)
    return (
        f'<a href="/alarms?select={quote(row_id(alarm))}">{symbols.svg(symbols.look(alarm), alarm.priority)}{doubt}'
        f'<span class="number">{time_of_day(alarm.raised_ns, view.feed.pulse.wall_ns)}</span>'
        f'<span class="what">{escape(what)}</span><span class="dim where">{escape(place)}</span>{late}</a>'
    )


def _stations(text: Texts) -> str:
    return (
        '<div class="cr-cell cr-state" id="cr-sound"><span id="cr-sound-text"></span>'
        f'<button id="cr-arm">{escape(text("bar.arm"))}</button>'
        f'<button id="cr-silence" hidden>{escape(text("bar.silence"))}<kbd>s</kbd></button></div>'
        '<div class="cr-cell cr-state" id="cr-link" role="status"></div>'
        f'<div class="cr-cell cr-clock" title="{escape(text("bar.time_source"))}"><span>{escape(text("bar.beijing"))} '
        '<b id="cr-time"></b></span></div>'
    )


def _set_language(client: Client, language: Language) -> None:
    """The page library's own words, such as those on a lost connection; a page object is shared by its visitors."""
    client.page = copy(client.page)
    client.page.language = "zh-CN" if language is Language.ZH else "en-GB"
