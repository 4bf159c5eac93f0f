"""What the list of points shows, which points, and what changed since it was last drawn. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from aggregator.alarms.service import AlarmView
from aggregator.live.service import PointView
from aggregator.pages import measured, symbols
from aggregator.pages.alarm_rows import QUERY_TEXT_MAX, Row, Transaction
from aggregator.pages.texts import Texts


class Part(StrEnum):
    """Which points."""

    ALL = "all"
    ALARMED = "alarmed"
    DOUBTFUL = "doubtful"


@dataclass(frozen=True, slots=True)
class PointFilter:
    """As in the page's address."""

    part: Part = Part.ALL
    source: str = ""
    """An organisation path; with all that is below it."""
    find: str = ""

    @staticmethod
    def parse(query: Mapping[str, str]) -> PointFilter:
        """What it does not understand it leaves out."""
        part = query.get("part", "")
        return PointFilter(
            Part(part) if part in frozenset(Part) else Part.ALL,
            query.get("source", "")[: 2 * QUERY_TEXT_MAX],
            query.get("find", "")[:QUERY_TEXT_MAX],
        )

    def query(self) -> dict[str, str]:
        """The shortest that ``parse`` makes the same of."""
        every = {"part": self.part.value, "source": self.source, "find": self.find}
        return {name: value for name, value in every.items() if value and (name, value) != ("part", Part.ALL)}

    def matches(self, point: PointView, alarm: AlarmView | None, place: str = "") -> bool:
        find = self.find.casefold()
        return (
            (self.part is not Part.ALARMED or alarm is not None)
            and (self.part is not Part.DOUBTFUL or not point.is_believed)
            and (not self.source or point.org == self.source or point.org.startswith(self.source + "/"))
            and (not find or find in f"{point.tag} {point.description} {point.org} {place}".casefold())
        )


class PointListing:
    """The rows of one page's list."""

    def __init__(self, text: Texts, chosen: PointFilter) -> None:
        self._text = text
        self.filter = chosen
        self.rows: dict[str, Row] = {}

    def update(self, points: Iterable[PointView], standing: Sequence[AlarmView]) -> Transaction:
        """What makes the list on screen the present one."""
        alarms = first_alarms(standing)
        wanted = {
            each["id"]: each
            for at, point in enumerate(points)
            if self.filter.matches(
                point, alarm := alarms.get((point.organisation, point.tag)), self._text.place(point.org)
            )
            and (each := row(self._text, point, alarm, at))
        }
        changes = Transaction(
            add=[each for id_, each in wanted.items() if id_ not in self.rows],
            update=[each for id_, each in wanted.items() if id_ in self.rows and self.rows[id_] != each],
            remove=[{"id": id_} for id_ in self.rows if id_ not in wanted],
        )
        self.rows = {str(id_): each for id_, each in wanted.items()}
        return changes


SHOWN_LETTERS: Final = "BCD"


def first_alarms(standing: Sequence[AlarmView]) -> dict[tuple[str, str], AlarmView]:
    """Of each point the alarm that comes first; ``standing`` is sorted for the operator. Held ones come last."""
    found: dict[tuple[str, str], AlarmView] = {}
    for alarm in sorted(standing, key=lambda each: each.letter not in SHOWN_LETTERS):
        found.setdefault((alarm.organisation, alarm.tag), alarm)
    return found


def row(text: Texts, point: PointView, alarm: AlarmView | None, at: int) -> Row:
    """One line. ``symbol`` and ``bar`` are markup of ours, everything else plain text."""
    why = measured.why_not(text, point)
    return {
        "id": f"{point.organisation}/{point.tag}",
        "order": at,
        "symbol": mark(point, alarm),
        "tag": point.tag,
        "href": measured.address(point),
        "description": point.description,
        "value": measured.value(point),
        "unit": text.word("unit", point.unit),
        "bar": measured.bar(point),
        "state": why or (text("points.rivals", agents=", ".join(point.rivals)) if point.rivals else ""),
        "age": measured.age(point),
        "org": text.place(point.org),
        "old": not point.is_believed,
    }


def mark(point: PointView | None, alarm: AlarmView | None) -> str:
    """The alarm's symbol, else a question mark for what is not believed, else nothing: normal is not marked."""
    if alarm is not None:
        return symbols.svg(symbols.look(alarm), alarm.priority)
    return symbols.bad() if point is None or not point.is_believed else ""
