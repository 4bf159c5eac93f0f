"""How the aggregator itself is doing: one function for the page and for ``GET /health``, which only reads.

Comes from ``live.db`` (processes, sessions) and ``aggregator.db`` (counts, head of the journal).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import sqlalchemy as sa
from fastapi import APIRouter, Response

from aggregator.agents import allowlist
from aggregator.folder import Folder
from aggregator.history.tables import CHUNKS
from aggregator.ingest.tables import CONDITIONS
from aggregator.journal.tables import EVENTS, JOURNAL_CHAINS
from aggregator.live.tables import PROCESSES, SESSIONS
from aggregator.store import db
from contract.clock import NS_PER_S, Clock

INGEST_SILENT_NS: Final = 5 * NS_PER_S
"""Ingest says every second that it lives; after this it is taken for dead."""


@dataclass(frozen=True, slots=True)
class AgentHealth:
    """One admitted agent; ``heard_ns`` (UTC) is None where it never spoke to this start of ingest."""

    name: str
    connected: bool
    heard_ns: int | None
    software: str | None


@dataclass(frozen=True, slots=True)
class Health:
    """``journal`` maps each chain to the number of its last record."""

    ingest_alive: bool
    endpoint: str | None
    agents: tuple[AgentHealth, ...]
    journal: dict[str, int]
    events: int
    chunks: int
    conditions: int
    """Conditions that are not normal now."""


def read_health(folder: Folder, clock: Clock) -> Health:
    """Raises ConfigError and sqlalchemy.exc.DBAPIError where the folder's files cannot be read."""
    live = _read_live(folder)
    process = live["processes"].get("ingest")
    alive = process is not None and clock.wall_ns() - process.alive_ns < INGEST_SILENT_NS
    engine = db.open_reader(folder.database)
    with engine.begin() as connection:
        return Health(
            ingest_alive=alive,
            endpoint=None if process is None else process.endpoint,
            agents=_agents(folder, live["sessions"], ingest_alive=alive),
            journal={row.chain: row.seq for row in connection.execute(_HEADS)},
            events=connection.scalar(_count(EVENTS)) or 0,
            chunks=connection.scalar(_count(CHUNKS)) or 0,
            conditions=connection.scalar(_count(CONDITIONS).where(CONDITIONS.c.level > 0)) or 0,
        )


def router(folder: Folder, clock: Clock) -> APIRouter:
    """``GET /health``: 200 while ingest lives, else 503; the body is the same."""
    routes = APIRouter()

    @routes.get("/health")
    def health(response: Response) -> dict[str, Any]:
        found = read_health(folder, clock)
        response.status_code = 200 if found.ingest_alive else 503
        return asdict(found)

    return routes


def _read_live(folder: Folder) -> dict[str, dict[str, Any]]:
    """Rows by name. Empty where there is no board: ingest has not run yet, or is making it anew."""
    if not folder.live_database.exists():
        return {"processes": {}, "sessions": {}}
    try:
        with db.open_reader(folder.live_database).begin() as connection:
            return {
                "processes": {row.name: row for row in connection.execute(sa.select(PROCESSES))},
                "sessions": {row.agent: row for row in connection.execute(sa.select(SESSIONS))},
            }
    except sa.exc.DatabaseError:
        return {"processes": {}, "sessions": {}}


def _agents(folder: Folder, sessions: dict[str, Any], *, ingest_alive: bool) -> tuple[AgentHealth, ...]:
    admitted = [entry.name for entry in allowlist.read(folder.agents_file) if entry.revoked_ns is None]
    return tuple(
        AgentHealth(name, ingest_alive and session.connected, session.heard_ns, session.software)
        if (session := sessions.get(name)) is not None
        else AgentHealth(name, connected=False, heard_ns=None, software=None)
        for name in sorted(admitted)
    )


def _count(table: sa.Table) -> sa.Select[int]:
    return sa.select(sa.func.count()).select_from(table)


_HEADS: Final = sa.select(JOURNAL_CHAINS.c.chain, JOURNAL_CHAINS.c.seq).order_by(
    JOURNAL_CHAINS.c.chain, JOURNAL_CHAINS.c.journal_epoch
)
