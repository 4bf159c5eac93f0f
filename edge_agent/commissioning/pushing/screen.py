"""How far each gateway is: a live table on a terminal, a line per step elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from edge_agent.commissioning.pushing.journey import Journey
from edge_agent.commissioning.pushing.plan import Outcome

_GOOD: Final = "green"
_BAD: Final = "bold red"


class Screen:
    """``with Screen(console, journeys) as screen:`` and then ``screen.told(journey)`` on every step."""

    def __init__(self, console: Console, journeys: Sequence[Journey]) -> None:
        self._console = console
        self._journeys = journeys
        self._live = Live(self.table(), console=console, auto_refresh=False) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def told(self, journey: Journey) -> None:
        if self._live is not None:
            self._live.update(self.table(), refresh=True)
        else:
            self._console.print(Text(f"{journey.target}: {_words(journey)}"), soft_wrap=True)

    def table(self) -> Table:
        table = Table("gateway", "folder", "state")
        for each in self._journeys:
            table.add_row(Text(str(each.target)), Text(each.directory), _state(each))
        return table


def _words(journey: Journey) -> str:
    """Why it ended so stands behind the end alone, once."""
    if not isinstance(journey.at, Outcome):
        return journey.at.value
    return ": ".join(part for part in (journey.at.value, journey.reason, *journey.remarks) if part)


def _state(journey: Journey) -> Text:
    if not isinstance(journey.at, Outcome):
        return Text(_words(journey))
    return Text(_words(journey), style=_GOOD if journey.at.is_good else _BAD)
