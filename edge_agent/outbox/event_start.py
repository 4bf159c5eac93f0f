"""The start of an event store: opens or makes the file, sets a corrupt one aside, counts the start.

Also makes the new store of a running one that was set aside. What comes out is an open connection and its ``Image``.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

from contract.clock import Clock
from contract.errors import StoreError
from contract.ids import AgentName, new_epoch
from contract.wire.frames import LaneHead
from edge_agent.outbox import event_tables as tables
from edge_agent.outbox.database import EVENTS_FILE, CorruptError, judged, open_writer, quick_check, set_aside
from edge_agent.outbox.rows import OutboxSettings


@dataclass(frozen=True, slots=True)
class Opened:
    """``replaced`` says why there was no going on with the file that lay there; ``unclean`` that nobody closed it."""

    db: sqlite3.Connection
    image: tables.Image
    unclean: bool
    replaced: str | None


def open_events(directory: Path, agent: AgentName, settings: OutboxSettings, clock: Clock) -> Opened:
    """Raises StoreError where the disk refuses, or the store is another agent's or a newer version's."""
    try:
        return _open(directory, agent, settings, None)
    except CorruptError as error:
        set_aside(directory, EVENTS_FILE, "corrupt", clock.wall_ns())
        return _open(directory, agent, settings, str(error))


def _open(directory: Path, agent: AgentName, settings: OutboxSettings, replaced: str | None) -> Opened:
    db = open_writer(directory, tables.LAYOUT, settings.budget_bytes)
    try:
        former = tables.load(db)
        if former is not None:
            _check(db, directory, former, agent)
        image = _empty(agent, settings, 1) if former is None else _started_again(former)
        _write(db, image)
    except BaseException as error:
        db.close()
        if isinstance(error, sqlite3.Error):
            raise judged(directory / EVENTS_FILE, error) from error
        raise
    return Opened(db, image, former is not None and not former.clean, replaced)


def _check(db: sqlite3.Connection, directory: Path, former: tables.Image, agent: AgentName) -> None:
    if former.agent != agent:
        raise StoreError(f"{directory} holds the outbox of agent {former.agent}, not of {agent}")
    if not former.clean:
        quick_check(db, directory / EVENTS_FILE)


def open_successor(directory: Path, former: tables.Image, settings: OutboxSettings) -> Opened:
    """A new store with a new epoch, made while the agent runs: conditions (their activation ids stay) and catalogues
    (so that ids stay) are carried over, what destinations have of the former epoch is not."""
    db = open_writer(directory, tables.LAYOUT, settings.budget_bytes)
    try:
        image = _empty(former.agent, settings, former.start_number)
        image.conditions, image.catalogues = dict(former.conditions), list(former.catalogues)
        _write(db, image)
    except BaseException:
        db.close()
        raise
    return Opened(db, image, unclean=False, replaced=None)


def _empty(agent: AgentName, settings: OutboxSettings, start_number: int) -> tables.Image:
    return tables.Image(agent, new_epoch(), settings.hash_algorithm, start_number, clean=False, head=LaneHead(0, b""))


def _started_again(former: tables.Image) -> tables.Image:
    return replace(former, start_number=former.start_number + 1, clean=False)


def _write(db: sqlite3.Connection, image: tables.Image) -> None:
    """Durable before anything is numbered under this start."""
    db.execute("BEGIN IMMEDIATE")
    tables.put_meta(
        db,
        {"agent": image.agent, "epoch": image.epoch, "hash_algorithm": image.hash_algorithm,
         "start_number": image.start_number, "clean": 0},
    )  # fmt: skip
    if image.head.seq == 0:
        for condition in image.conditions.values():
            tables.put_condition(db, 0, condition)
        for catalogue in image.catalogues:
            db.execute("DELETE FROM catalogues WHERE version = ?", (catalogue.version,))
            tables.put_catalogue(db, catalogue)
    db.execute("COMMIT")
