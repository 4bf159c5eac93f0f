"""Every point with its latest value, and whether that may be believed: the catalogue joined with the live board.

A value is good only while everything on its way lives: the device was scanned, the agent's session stands, ingest
writes the board. Where any of these fell silent the last value is kept, with its age and the reason, and is never good.
Age is the time since the last confirmed scan of the device, not since the value last changed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from aggregator.folder import Folder
from aggregator.live.tables import DEVICES, PROCESSES, SESSIONS, VALUES
from aggregator.people.rights import Caller, Right
from aggregator.people.service import PeopleService
from aggregator.plant.points import Claim, PointBook, is_shown
from aggregator.store import db
from contract.clock import NS_PER_S, Clock
from contract.points import PointSpec
from contract.quality import is_good

INGEST_SILENT_NS: Final = 5 * NS_PER_S
"""Ingest says every second that it lives; after this what it wrote is old."""
BOARD_DELAY_S: Final = 3.0
"""A confirmed scan is on the board within this: LIVE is at most 1 s old, the board is written five times a second."""


class Doubt(StrEnum):
    """Why a value is not to be believed, the first cause on the way from here to the device."""

    INGEST_SILENT = "ingest_silent"
    AGENT_AWAY = "agent_away"
    NEVER = "never"
    """Nothing came of this point since ingest started."""
    OVERDUE = "overdue"
    """No confirmed scan for longer than the point allows."""


@dataclass(frozen=True, slots=True)
class LimitsView:
    """Set-points in the point's unit; None where there is none."""

    ll: float | None
    l: float | None  # noqa: E741 - the field's own word for the low limit
    h: float | None
    hh: float | None


@dataclass(frozen=True, slots=True)
class PointView:
    """A point as it is now. Times in ns UTC."""

    organisation: str
    tag: str
    org: str
    description: str
    unit: str
    device: str
    agent: str
    rivals: tuple[str, ...]
    """Other agents that claim the point: one of the gateways is configured wrongly."""
    value: float | None
    quality: int
    """As the agent judged it; says nothing while there is a doubt."""
    doubt: Doubt | None
    time_ns: int | None
    """Source time of the value."""
    confirmed_ns: int | None
    """Last confirmed scan of its device."""
    age_s: float | None
    """Since then; None where there never was one."""
    limits: LimitsView
    limit_class: str
    range_low: float | None
    range_high: float | None
    resolution: float | None
    """The smallest step that the device can express; None for floating point."""
    poll_s: float
    report_max_s: float

    @property
    def is_believed(self) -> bool:
        """Confirmed, and good."""
        return self.doubt is None and is_good(self.quality) and self.value is not None


@dataclass(frozen=True, slots=True)
class Board:
    """The rows of ``live.db``; empty while ingest has not made it."""

    values: Mapping[tuple[str, str, str], sa.Row[Any]]
    devices: Mapping[tuple[str, str], int]
    sessions: Mapping[str, sa.Row[Any]]
    ingest_alive_ns: int | None

    def is_ingest_alive(self, wall_ns: int) -> bool:
        return self.ingest_alive_ns is not None and wall_ns - self.ingest_alive_ns < INGEST_SILENT_NS

    def is_connected(self, agent: str) -> bool:
        session = self.sessions.get(agent)
        return session is not None and bool(session.connected)


class PointService:
    """Safe to call from several threads."""

    def __init__(self, folder: Folder, people: PeopleService, clock: Clock, book: PointBook) -> None:
        self._folder = folder
        self._people = people
        self._clock = clock
        self._book = book

    def points(self, caller: Caller) -> list[PointView]:
        """All measured points of the person's scope, by organisation path and tag. Raises RefusedError."""
        person = self._people.require(caller, Right.SEE)
        with db.open_reader(self._folder.database).begin() as connection:
            claims = self._book.claims(connection)
        board, wall_ns = read_board(self._folder), self._clock.wall_ns()
        found = [_choose(each, board) for each in claims.values()]
        chosen = [(claim, rivals) for claim, rivals in found if is_shown(claim.spec, person)]
        chosen.sort(key=lambda each: (each[0].spec.org, each[0].spec.tag))
        return [_view(claim, rivals, board, wall_ns) for claim, rivals in chosen]

    def one(self, caller: Caller, organisation: str, tag: str) -> PointView:
        """Raises RefusedError; UNKNOWN for a point outside the scope as well."""
        person = self._people.require(caller, Right.SEE)
        with db.open_reader(self._folder.database).begin() as connection:
            claims = self._book.find(connection, person, organisation, tag)
        board = read_board(self._folder)
        return _view(*_choose(claims, board), board, self._clock.wall_ns())


def read_board(folder: Folder) -> Board:
    """Never raises for a board that is not there, or is being made anew: nothing is known then."""
    if not folder.live_database.exists():
        return _EMPTY
    try:
        with db.open_reader(folder.live_database).begin() as connection:
            return Board(
                {(row.agent, row.organisation, row.tag): row for row in connection.execute(sa.select(VALUES))},
                {(row.agent, row.tag): row.last_good_ns for row in connection.execute(sa.select(DEVICES))},
                {row.agent: row for row in connection.execute(sa.select(SESSIONS))},
                connection.scalar(sa.select(PROCESSES.c.alive_ns).where(PROCESSES.c.name == "ingest")),
            )
    except sa.exc.DatabaseError:
        return _EMPTY


def _choose(claims: Sequence[Claim], board: Board) -> tuple[Claim, tuple[str, ...]]:
    """Of several claims the one whose agent is connected, then the newest; and the agents of the others."""
    if len(claims) == 1:
        return claims[0], ()
    chosen = min(claims, key=lambda claim: (claim.revoked, not board.is_connected(claim.agent)))  # stable: newest first
    return chosen, tuple(claim.agent for claim in claims if claim is not chosen and not claim.revoked)


def _view(claim: Claim, rivals: tuple[str, ...], board: Board, wall_ns: int) -> PointView:
    spec = claim.spec
    row = board.values.get((claim.agent, spec.organisation, spec.tag))
    scanned_ns = board.devices.get((claim.agent, claim.device_tag or "")) or None
    age_s = None if scanned_ns is None else max(0, wall_ns - scanned_ns) / NS_PER_S
    return PointView(
        organisation=spec.organisation,
        tag=spec.tag,
        org=spec.org,
        description=spec.description,
        unit=spec.unit,
        device=spec.device,
        agent=claim.agent,
        rivals=rivals,
        value=None if row is None else _number(row.value),
        quality=_NO_QUALITY if row is None else row.quality,
        doubt=_doubt(claim, row, age_s, board, wall_ns),
        time_ns=None if row is None else row.time_ns,
        confirmed_ns=scanned_ns,
        age_s=age_s,
        limits=limits_of(spec),
        limit_class=spec.limit_class.value,
        range_low=_number(spec.range_low),
        range_high=_number(spec.range_high),
        resolution=abs(spec.scale) if spec.type.is_integer else None,
        poll_s=spec.poll_s,
        report_max_s=spec.report_max_s,
    )


def _doubt(claim: Claim, row: sa.Row[Any] | None, age_s: float | None, board: Board, wall_ns: int) -> Doubt | None:
    if not board.is_ingest_alive(wall_ns):
        return Doubt.INGEST_SILENT
    if not board.is_connected(claim.agent):
        return Doubt.AGENT_AWAY
    if row is None or age_s is None:
        return Doubt.NEVER
    return Doubt.OVERDUE if age_s > claim.spec.stale_s + BOARD_DELAY_S else None


def limits_of(spec: PointSpec) -> LimitsView:
    limits = spec.limits
    return LimitsView(_number(limits.ll), _number(limits.l), _number(limits.h), _number(limits.hh))


def _number(value: float | None) -> float | None:
    """None for what is no number: NaN stands for "there is none" on the wire, and JSON has no word for it."""
    return None if value is None or not math.isfinite(value) else value


_NO_QUALITY: Final = 0x80
_EMPTY: Final = Board({}, {}, {}, None)
