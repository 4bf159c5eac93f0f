"""The alarm list: what stands, and what a person does about it."""

from __future__ import annotations

from aggregator.pages.shell import Shell, heading
from aggregator.pages.view import View


def add(shell: Shell) -> None:
    """``/alarms``."""

    @shell.page("/alarms", "alarms.title")
    async def alarms(view: View) -> None:
        heading(view.text("alarms.title"))
