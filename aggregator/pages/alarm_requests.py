"""What a browser says it wants done to alarms, checked: an event is anybody's words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aggregator.pages.alarm_details import WISHES, Wish
from contract.events import INT64_MAX

ROWS_AT_ONCE_MAX: Final = 100
"""Acknowledged with one key: what is on a screen, never more."""
TEXT_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """A wish, and for each row that is meant the revision that it showed. ``visible``: all that is on the screen."""

    wish: Wish
    rows: tuple[tuple[str, int], ...]
    visible: bool


def asked(args: object) -> Asked | None:
    """None for what the page's own script never says."""
    table = args if isinstance(args, dict) else {}
    key, rows = table.get("key"), table.get("rows")
    wish = WISHES.get(key) if isinstance(key, str) else None
    if wish is None or not isinstance(rows, list):
        return None
    meant = [_row(each) for each in rows[:ROWS_AT_ONCE_MAX]]
    found = tuple(each for each in meant if each is not None)
    return Asked(wish, found, table.get("visible") is True) if len(found) == len(meant) else None


def selected(args: object) -> str | None:
    """The row that was chosen, "" for none; None for what the page's own script never says."""
    chosen = args.get("id") if isinstance(args, dict) else None
    return chosen if isinstance(chosen, str) and len(chosen) <= TEXT_MAX else None


def reading(args: object) -> bool | None:
    """Whether the list is being read; None for what the page's own script never says."""
    said = args.get("reading") if isinstance(args, dict) else None
    return said if isinstance(said, bool) else None


def _row(each: object) -> tuple[str, int] | None:
    if not isinstance(each, list) or len(each) != 2:
        return None
    key, revision = each
    is_number = isinstance(revision, int) and not isinstance(revision, bool) and 0 <= revision <= INT64_MAX
    return (key, revision) if isinstance(key, str) and len(key) <= TEXT_MAX and is_number else None
