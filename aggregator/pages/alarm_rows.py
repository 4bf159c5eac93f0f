"""What the alarm list shows of an alarm, which alarms it shows, and in what order. Pure.

``Listing`` is the list as it stands on one page. While its operator reads, nothing moves under the cursor: rows change in
place, what ended stays and says so, what is new is counted. Otherwise the list follows at once. In both cases a new alarm
is on screen with the next news, since the alarm bar above names the first of them and counts all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from aggregator.alarms.service import AlarmView
from aggregator.pages import symbols
from aggregator.pages.measured import digits
from aggregator.pages.moments import NO_NUMBER, minutes, time_of_day
from aggregator.pages.surroundings import NOTHING, Surroundings
from aggregator.pages.texts import Texts
from contract.clock import NS_PER_S
from contract.events import INT64_MAX, Json

Row: TypeAlias = "dict[str, Json]"
QUERY_TEXT_MAX: Final = 100


class Shown(StrEnum):
    """What part of the alarms a list shows."""

    STANDING = "standing"
    UNACKNOWLEDGED = "unacknowledged"
    SET_ASIDE = "set_aside"
    ALL = "all"


LETTERS: Final[Mapping[Shown, str]] = {
    Shown.STANDING: "BCD",
    Shown.UNACKNOWLEDGED: "BD",
    Shown.SET_ASIDE: "EFG",
    Shown.ALL: "ABCDEFG",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """As in the page's address, so that a filtered list can be kept and handed on."""

    state: Shown = Shown.STANDING
    priority: int | None = None
    find: str = ""

    @staticmethod
    def parse(query: Mapping[str, str]) -> Filter:
        """What it does not understand it leaves out."""
        state, priority = query.get("state", ""), query.get("priority", "")
        return Filter(
            Shown(state) if state in frozenset(Shown) else Shown.STANDING,
            int(priority) if priority in {"1", "2", "3"} else None,
            query.get("find", "")[:QUERY_TEXT_MAX],
        )

    def query(self) -> dict[str, str]:
        """The shortest that ``parse`` makes the same of."""
        every = {"state": self.state.value, "priority": str(self.priority or ""), "find": self.find}
        return {name: value for name, value in every.items() if value and (name, value) != ("state", Shown.STANDING)}

    def matches(self, alarm: AlarmView, place: str = "") -> bool:
        text = self.find.casefold()
        return (
            alarm.letter in LETTERS[self.state]
            and self.priority in {None, alarm.priority}
            and (not text or text in f"{alarm.tag} {alarm.org} {place}".casefold())
        )


@dataclass(frozen=True, slots=True)
class Transaction:
    """What makes the list on screen the one that is wanted."""

    add: list[Row] = field(default_factory=list)
    update: list[Row] = field(default_factory=list)
    remove: list[Row] = field(default_factory=list)

    def is_empty(self) -> bool:
        return not (self.add or self.update or self.remove)


class Listing:
    """The rows of one page's list. ``waiting`` counts alarms that are not shown since the operator reads."""

    def __init__(self, text: Texts, chosen: Filter) -> None:
        self._text = text
        self.filter = chosen
        self.rows: dict[str, Row] = {}
        self.alarms: dict[str, AlarmView] = {}
        self.waiting = 0

    def update(
        self, standing: Iterable[AlarmView], now_ns: int, *, reading: bool, around: Surroundings = NOTHING
    ) -> Transaction:
        """Take in what stands now; ``alarms`` holds all of it, ``rows`` what is on screen after the transaction."""
        self.alarms = {row_id(alarm): alarm for alarm in standing}
        wanted = {
            key: row(self._text, alarm, now_ns, around)
            for key, alarm in self.alarms.items()
            if self.filter.matches(alarm, f"{self._text.place(alarm.org)} {around.description(alarm)}")
        }
        new = {key: each for key, each in wanted.items() if key not in self.rows}
        self.waiting = len(new) if reading else 0
        changes = Transaction()
        for key, shown in [*self.rows.items()]:
            found = wanted.get(key)
            if found is None and not reading:
                changes.remove.append({"id": key})
                del self.rows[key]
                continue
            if reading:
                found = self._in_place(key, shown, found, now_ns, around)
            assert found is not None
            if found != shown:
                changes.update.append(found)
                self.rows[key] = found
        if not reading:
            changes.add.extend(new.values())
            self.rows.update(new)
        return changes

    def _in_place(self, key: str, shown: Row, found: Row | None, now_ns: int, around: Surroundings) -> Row:
        """What a row that must not move becomes: as it is now, or marked as one that does not belong here any more."""
        if found is not None:
            return {**found, "order": shown["order"]}
        alarm = self.alarms.get(key)
        if alarm is None:
            return {
                **shown, "look": "normal", "state": self._text("alarms.ended"), "gone": True, "unconfirmed": False
            }  # fmt: skip
        return {**row(self._text, alarm, now_ns, around), "order": shown["order"], "gone": True}


def row_id(alarm: AlarmView) -> str:
    """A condition's identity as one word."""
    return f"{alarm.organisation}/{alarm.tag}/{alarm.kind}"


def row(text: Texts, alarm: AlarmView, now_ns: int, around: Surroundings = NOTHING) -> Row:
    """One line of the list. Texts are plain, never markup."""
    return {
        "id": row_id(alarm),
        "revision": alarm.revision,
        "order": order(alarm),
        "look": symbols.look(alarm),
        "priority": alarm.priority,
        "time": time_of_day(alarm.raised_ns, now_ns),
        "tag": alarm.tag,
        "description": around.description(alarm),
        "what": condition(text, alarm),
        "late": text("alarm.late") if alarm.late else "",
        "state": state_and_doubt(text, alarm, now_ns, around),
        "unconfirmed": not around.is_confirmed(alarm),
        "value": with_unit(text, alarm, alarm.value, around),
        "setpoint": with_unit(text, alarm, alarm.setpoint, around),
        "org": text.place(alarm.org),
        "count": alarm.activations,
        "gone": False,
    }


def order(alarm: AlarmView) -> str:
    """Sorts as the operator works: priority, advisories last, toxic before combustible, unacknowledged, newest."""
    owed = alarm.letter in LETTERS[Shown.UNACKNOWLEDGED]
    newest = INT64_MAX - alarm.raised_ns
    return f"{alarm.priority}{int(alarm.is_advisory)}{int(not alarm.is_toxic)}{int(not owed)}{newest:020d}"


def condition(text: Texts, alarm: AlarmView) -> str:
    """What is the matter, in a few words: ``gas level 2``, ``high high``, ``fault``; at the highest level that somebody
    has to know of."""
    return _at_level(text, alarm, alarm.level_highest or 1)


def level_now(text: Texts, alarm: AlarmView) -> str:
    """The present level in the same words, where the alarm is named by a higher one; else empty."""
    return _at_level(text, alarm, alarm.level) if alarm.active and alarm.level < alarm.level_highest else ""


def _at_level(text: Texts, alarm: AlarmView, level: int) -> str:
    return condition_word(text, alarm.kind, level, is_gas=alarm.is_gas)


def condition_word(text: Texts, kind: str, level: int, *, is_gas: bool) -> str:
    """A kind of condition at a level, in a few words."""
    nature = "gas_" if is_gas and kind == "high" else ""
    return text.word("condition", f"{nature}{kind}_{level}")


def state(text: Texts, alarm: AlarmView, now_ns: int) -> str:
    """The state in words, with what is left of a shelf."""
    if alarm.letter == "C" and not alarm.active:
        return text("alarms.latched")
    word = text.word("letter", alarm.letter)
    if alarm.shelved_until_ns is None:
        return word
    left = minutes((alarm.shelved_until_ns - now_ns) / NS_PER_S)
    return text("alarms.shelf_left", state=word, left=left)


def state_and_doubt(text: Texts, alarm: AlarmView, now_ns: int, around: Surroundings) -> str:
    """The state in words, and whether anybody can say that it is still so."""
    word = state(text, alarm, now_ns)
    return word if around.is_confirmed(alarm) else text("alarms.unconfirmed", state=word)


def with_unit(text: Texts, alarm: AlarmView, value: float | None, around: Surroundings) -> str:
    """A value or set-point of the alarm with the digits that its device can tell."""
    shown = digits(value, around.resolution(alarm))
    return shown if shown == NO_NUMBER else f"{shown} {text.word('unit', alarm.unit)}".rstrip()
