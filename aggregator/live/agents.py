"""The edge agents and the devices behind them, as facts: what was heard of each, and when.

Joins the allow-list, the newest catalogues, the live board and the lanes' high-water marks. What an agent still holds
back is not known here: it says so when it sends it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from aggregator.agents import allowlist
from aggregator.agents.tables import EPOCHS, LANES
from aggregator.folder import Folder
from aggregator.history.tables import CHUNKS
from aggregator.journal.tables import GAPS
from aggregator.live.service import BOARD_DELAY_S, Board, read_board
from aggregator.people.rights import Caller, Person, Right
from aggregator.people.service import PeopleService
from aggregator.plant.points import AgentPoints, PointBook
from aggregator.store import db
from contract.clock import NS_PER_S, Clock
from contract.points import PointRole, PointSpec


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A controller or instrument that an agent polls. ``answers``: scanned within what its points allow, just now."""

    name: str
    points: int
    last_good_ns: int | None
    age_s: float | None
    answers: bool


@dataclass(frozen=True, slots=True)
class AgentView:
    """Times in ns UTC; None where nothing was heard since ingest started, or ever."""

    name: str
    admitted: bool
    """On the allow-list; False for one that was revoked."""
    connected: bool
    heard_ns: int | None
    heard_age_s: float | None
    software: str | None
    epoch: str | None
    epochs: int
    """Stores that this agent has had; more than one after a fork or a replaced disk."""
    catalogue_version: int | None
    points: int
    orgs: tuple[str, ...]
    """Hazard sources whose points it reads, of those in the person's scope."""
    lanes: Mapping[str, int]
    """Last number committed here, per lane of the newest epoch."""
    last_chunk_ns: int | None
    """When telemetry last came."""
    gaps: int
    """Runs of numbers that it declared lost, over all epochs."""
    devices: tuple[DeviceView, ...]


@dataclass(frozen=True, slots=True)
class StationsView:
    """``ingest_age_s``: since ingest last said that it lives; None where it never did."""

    ingest_alive: bool
    ingest_age_s: float | None
    agents: tuple[AgentView, ...]


class AgentService:
    """Safe to call from several threads."""

    def __init__(self, folder: Folder, people: PeopleService, clock: Clock, book: PointBook) -> None:
        self._folder = folder
        self._people = people
        self._clock = clock
        self._book = book

    def stations(self, caller: Caller) -> StationsView:
        """Agents that read a point of the person's scope; who sees the whole park sees those without points too.

        Raises RefusedError, and ConfigError where the allow-list cannot be read."""
        person = self._people.require(caller, Right.SEE)
        admitted = {entry.name for entry in allowlist.read(self._folder.agents_file) if entry.revoked_ns is None}
        with db.open_reader(self._folder.database).begin() as connection:
            catalogues = self._book.agents(connection)
            stored = _Stored.read(connection)
        board, wall_ns = read_board(self._folder), self._clock.wall_ns()
        views = []
        for name in sorted(admitted | catalogues.keys()):
            catalogue = catalogues.get(name)
            specs = [] if catalogue is None else [each.spec for each in catalogue.claims.values()]
            mine = [spec for spec in specs if spec.role is PointRole.MEASUREMENT and person.may(Right.SEE, spec.org)]
            if mine or not person.scope:  # the whole park
                devices = _devices(name, specs, mine, person, board, wall_ns)
                views.append(_view(name, name in admitted, catalogue, mine, devices, stored, board, wall_ns))
        alive_ns = board.ingest_alive_ns
        age_s = None if alive_ns is None else max(0, wall_ns - alive_ns) / NS_PER_S
        return StationsView(board.is_ingest_alive(wall_ns), age_s, tuple(views))


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the database says of each agent's streams."""

    newest_epoch: Mapping[str, str]
    epochs: Mapping[str, int]
    lanes: Mapping[tuple[str, str], Mapping[str, int]]
    gaps: Mapping[str, int]
    last_chunk_ns: Mapping[str, int]

    @classmethod
    def read(cls, connection: sa.Connection) -> _Stored:
        epochs = connection.execute(sa.select(EPOCHS.c.agent, EPOCHS.c.epoch).order_by(EPOCHS.c.first_seen_ns)).all()
        lanes: dict[tuple[str, str], dict[str, int]] = {}
        for row in connection.execute(sa.select(LANES.c.agent, LANES.c.epoch, LANES.c.lane, LANES.c.seq)):
            lanes.setdefault((row.agent, row.epoch), {})[row.lane] = row.seq
        newest = {row.agent: row.epoch for row in epochs}
        return cls(
            newest,
            Counter(row.agent for row in epochs),
            lanes,
            {row.agent: row.runs for row in connection.execute(_GAPS)},
            {agent: _last_chunk_ns(connection, agent, epoch) for agent, epoch in newest.items()},
        )


def _last_chunk_ns(connection: sa.Connection, agent: str, epoch: str) -> int:
    return connection.scalar(_LAST_CHUNK, {"agent": agent, "epoch": epoch}) or 0


def _view(
    name: str, admitted: bool, catalogue: AgentPoints | None, mine: list[PointSpec], devices: tuple[DeviceView, ...],  # noqa: FBT001
    stored: _Stored, board: Board, wall_ns: int,
) -> AgentView:  # fmt: skip
    session = board.sessions.get(name)
    epoch = stored.newest_epoch.get(name)
    heard_ns = None if session is None else int(session.heard_ns)
    return AgentView(
        name=name,
        admitted=admitted,
        connected=board.is_ingest_alive(wall_ns) and board.is_connected(name),
        heard_ns=heard_ns,
        heard_age_s=None if heard_ns is None else max(0, wall_ns - heard_ns) / NS_PER_S,
        software=None if session is None else session.software,
        epoch=epoch,
        epochs=stored.epochs.get(name, 0),
        catalogue_version=None if catalogue is None else catalogue.version,
        points=len(mine),
        orgs=tuple(sorted({spec.source for spec in mine})),
        lanes=stored.lanes.get((name, epoch or ""), {}),
        last_chunk_ns=stored.last_chunk_ns.get(name) or None,
        gaps=stored.gaps.get(name, 0),
        devices=devices,
    )


def _devices(
    agent: str, specs: list[PointSpec], mine: list[PointSpec], person: Person, board: Board, wall_ns: int
) -> tuple[DeviceView, ...]:
    """Devices of the points that the person sees, and those without points where he sees the device itself."""
    alive = board.is_ingest_alive(wall_ns) and board.is_connected(agent)
    counts = Counter(spec.device for spec in mine)
    own = {spec.device: spec for spec in specs if spec.role is PointRole.DEVICE}
    names = counts.keys() | {device for device, spec in own.items() if person.may(Right.SEE, spec.org)}
    return tuple(
        _device(name, counts[name], own.get(name), agent, board, wall_ns, alive=alive) for name in sorted(names)
    )


def _device(
    name: str, points: int, spec: PointSpec | None, agent: str, board: Board, wall_ns: int, *, alive: bool
) -> DeviceView:
    last_ns = (board.devices.get((agent, spec.tag)) if spec is not None else None) or None
    age_s = None if last_ns is None else max(0, wall_ns - last_ns) / NS_PER_S
    in_time = spec is not None and age_s is not None and age_s <= spec.stale_s + BOARD_DELAY_S
    return DeviceView(name, points, last_ns, age_s, answers=alive and in_time)


_GAPS: Final[sa.Select[Any]] = sa.select(GAPS.c.agent, sa.func.count().label("runs")).group_by(GAPS.c.agent)
_LAST_CHUNK: Final = (
    sa.select(CHUNKS.c.received_ns)
    .where(CHUNKS.c.agent == sa.bindparam("agent"), CHUNKS.c.epoch == sa.bindparam("epoch"))
    .order_by(CHUNKS.c.seq.desc())
    .limit(1)
)
