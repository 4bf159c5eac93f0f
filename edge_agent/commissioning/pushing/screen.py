"""How far each gateway is: a live table on a terminal with the reasons beneath, a line per step elsewhere.

A reason is never in the table: a fingerprint or a command in it is compared or copied whole.
"""

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
        self._under_way = [each for each in journeys if not isinstance(each.at, Outcome)]

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            for each in self._under_way:
                if isinstance(each.at, Outcome) and (each.reason or each.remarks):
                    self._say(each)

    def told(self, journey: Journey) -> None:
        if self._live is not None:
            self._live.update(self.table(), refresh=True)
        else:
            self._say(journey)

    def _say(self, journey: Journey) -> None:
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
        return Text(journey.at.value)
    return Text(journey.at.value, style=_GOOD if journey.at.is_good else _BAD)
