"""The first page: the park at a glance and what stands now."""

from __future__ import annotations

from aggregator.pages.shell import Shell, heading
from aggregator.pages.view import View


def add(shell: Shell) -> None:
    """``/``."""

    @shell.page("/", "overview.title")
    async def overview(view: View) -> None:
        heading(view.text("overview.title"))
