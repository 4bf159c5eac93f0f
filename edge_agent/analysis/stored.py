"""Events of an agent's own store, read beside the agent, which may run meanwhile; nothing is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from contract.errors import StoreError
from contract.events import CONDITION_TYPES, DecodedEvent, decode_event
from edge_agent.outbox.database import EVENTS_FILE, open_reader
from edge_agent.settings.agent_file import AGENT_FILE
from edge_agent.settings.load import read_outbox_directory


def events_file(place: Path) -> Path | None:
    """Of an agent's folder, of its data, or the file itself; None where ``place`` is none of them. Raises ConfigError."""
    if (place / AGENT_FILE).exists():
        place = read_outbox_directory(place)
    if place.is_dir():
        place /= EVENTS_FILE
    return place if place.suffix == ".db" and place.exists() else None


def condition_events(path: Path) -> Iterator[DecodedEvent]:
    """In the order of their numbers. Raises StoreError."""
    types = sorted(each.value for each in CONDITION_TYPES)
    try:
        with closing(open_reader(path)) as db:
            statement = "SELECT open FROM events WHERE type IN (?, ?, ?) ORDER BY seq"
            for (open_part,) in db.execute(statement, types):
                yield decode_event(open_part)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
