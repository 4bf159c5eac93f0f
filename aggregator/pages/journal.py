"""The newest journal records as sentences, with each record's own bytes beneath."""

from __future__ import annotations

import json
from html import escape
from typing import Final

from nicegui import background_tasks, ui

from aggregator.journal.followers import Followed
from aggregator.pages.moments import beijing
from aggregator.pages.sentences import SUBJECTS, Subject, line
from aggregator.pages.shell import Shell, heading
from aggregator.pages.view import View
from aggregator.people.rights import Right

RECORDS_MAX: Final = 300


def add(shell: Shell) -> None:
    """``/journal``."""

    @shell.page("/journal", "journal.title")
    async def journal(view: View) -> None:
        page = JournalPage(view)
        await page.ask()  # before anything is drawn: who may not read it sees the refusal alone
        page.build()


class JournalPage:
    """One open page. What comes in while somebody reads waits for a press of a button."""

    def __init__(self, view: View) -> None:
        self._view = view
        subject = view.query.get("subject", "")
        self._subject = Subject(subject) if subject in frozenset(Subject) else Subject.ALL
        self._records: tuple[Followed, ...] = ()
        self._seen_journal = -1

    def build(self) -> None:
        text = self._view.text
        heading(text("journal.title"))
        with ui.element("div").classes("cr-filters"):
            subjects = {subject.value: text.word("subject", subject) for subject in Subject}
            ui.toggle(
                subjects, value=self._subject.value, on_change=lambda event: self._limit(Subject(event.value))
            ).props("no-caps unelevated toggle-color=grey-9 color=white text-color=black")
            ui.element("span").classes("cr-space")
            self._news = ui.button(text("journal.new"), color=None, on_click=self._view.doing(self._show)).props(
                "flat no-caps"
            )
            self._news.classes("cr-button first").set_visibility(False)
            ui.link(text("journal.raw"), "/api/v1/journal")
        self._table = ui.html("", sanitize=False).style("width: 100%")
        ui.label(text("journal.newest", count=RECORDS_MAX)).classes("dim")
        self._view.on_news(self._note)
        self._draw()

    async def ask(self) -> None:
        """The newest records. Raises RefusedError."""
        seen = self._view.feed.pulse.journal
        kinds = [kind for kind, of in SUBJECTS.items() if self._subject in {Subject.ALL, of}]
        self._records = (await self._view.ask(self._view.services.journal.newest, RECORDS_MAX, kinds=kinds)).records
        self._seen_journal = seen

    async def _show(self) -> None:
        await self.ask()
        self._news.set_visibility(False)
        self._draw()

    async def _note(self) -> None:
        self._news.set_visibility(self._view.feed.pulse.journal != self._seen_journal)

    def _limit(self, subject: Subject) -> None:
        self._subject = subject
        address = "/journal" if subject is Subject.ALL else f"/journal?subject={subject}"
        self._view.run(f"history.replaceState(null, '', {json.dumps(address)})")
        background_tasks.create(self._view.doing(self._show)(), name="limit journal")

    @property
    def _who(self) -> tuple[str, ...]:
        """No column for somebody from whom names are withheld."""
        return ("who",) if self._view.person.may(Right.NAMES) else ()

    def _draw(self) -> None:
        text = self._view.text
        head = "".join(
            f"<th>{escape(text(f'journal.{name}'))}</th>" for name in ("time", "kind", "what", *self._who, "number")
        )
        body = (
            "".join(self._line(each) for each in self._records)
            or f'<tr><td colspan="5">{escape(text("journal.none"))}</td></tr>'
        )
        self._table.set_content(
            f'<table class="cr-table cr-journal"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        )

    def _line(self, followed: Followed) -> str:
        entry = followed.entry
        said = line(self._view.text, entry.kind, entry.open, entry.restricted, followed.event_open)
        late = f' <span class="late">{escape(self._view.text("alarm.late"))}</span>' if said.late else ""
        return (
            f"<tr><td>{beijing(entry.received_ns)}</td><td>{escape(said.kind)}</td><td>{escape(said.what)}{late}</td>"
            f"{f'<td>{escape(said.who)}</td>' if self._who else ''}<td><details><summary>{escape(entry.chain)} {entry.seq}</summary>"
            f"<code>{escape(entry.open.decode())}</code></details></td></tr>"
        )
