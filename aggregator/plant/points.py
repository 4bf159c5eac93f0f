"""Which points there are, and which agent reads each of them: the catalogues that agents sent, newest first.

A point is (organisation, tag) whoever reads it; two agents may claim one, and then it is the caller who decides whom to
believe. Catalogues are decoded once: a version never changes.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import sqlalchemy as sa

from aggregator.agents.queries import load_catalogue
from aggregator.agents.tables import AGENTS, CATALOGUES, EPOCHS
from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.people.rights import Person, Right
from contract.ids import PointKey
from contract.points import PointRole, PointSpec


@dataclass(frozen=True, slots=True)
class Claim:
    """An agent's newest word on a point. ``device_tag`` is the point that stands for the point's device."""

    agent: str
    epoch: str
    epoch_seen_ns: int
    """When its epoch was first seen here: between agents, the later one is the newer claim."""
    spec: PointSpec
    device_tag: str | None
    revoked: bool
    """The agent may not connect any more: what it last said of the point is history."""


@dataclass(frozen=True, slots=True)
class AgentPoints:
    """The newest catalogue of one agent."""

    agent: str
    epoch: str
    version: int
    revoked: bool
    claims: Mapping[PointKey, Claim]


_Claims: TypeAlias = Mapping[PointKey, tuple[Claim, ...]]


class PointBook:
    """Every agent's newest catalogue. Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._agents: dict[str, AgentPoints] = {}
        self._claims: _Claims = {}

    def agents(self, connection: sa.Connection) -> Mapping[str, AgentPoints]:
        """By name; revoked ones too: nobody else may read their points yet."""
        return self._renewed(connection)[0]

    def claims(self, connection: sa.Connection) -> _Claims:
        """Who claims a point: agents that may connect before revoked ones, then the newest epoch first."""
        return self._renewed(connection)[1]

    def find(self, connection: sa.Connection, person: Person, organisation: str, tag: str) -> tuple[Claim, ...]:
        """Claims on one measured point. Raises RefusedError UNKNOWN, for a point outside the person's scope as well."""
        found = self.claims(connection).get(PointKey(organisation, tag), ())
        if not found or not is_shown(found[0].spec, person):
            raise RefusedError(RefusalCode.UNKNOWN, what="point", name=f"{organisation}/{tag}")
        return found

    def _renewed(self, connection: sa.Connection) -> tuple[Mapping[str, AgentPoints], _Claims]:
        newest: dict[str, sa.Row[Any]] = {}
        for row in connection.execute(_NEWEST):  # ascending by epoch: the last one of an agent stands
            newest[row.agent] = row
        with self._lock:
            known = {each.agent: (each.epoch, each.version, each.revoked) for each in self._agents.values()}
            if known != {row.agent: (row.epoch, row.version, row.revoked) for row in newest.values()}:
                self._agents = {
                    name: self._agents[name]
                    if known.get(name) == (row.epoch, row.version, row.revoked)
                    else _load(connection, row)
                    for name, row in newest.items()
                }
                self._claims = _by_point(self._agents)
            return self._agents, self._claims


def is_shown(spec: PointSpec, person: Person) -> bool:
    """Measured points of the person's scope; that a device answers is a fact about the agent."""
    return spec.role is PointRole.MEASUREMENT and person.may(Right.SEE, spec.org)


def _load(connection: sa.Connection, row: sa.Row[Any]) -> AgentPoints:
    catalogue = load_catalogue(connection, row.agent, row.epoch, row.version)
    device_tags = {spec.device: spec.tag for spec in catalogue if spec.role is PointRole.DEVICE}
    claims = {
        spec.key: Claim(row.agent, row.epoch, row.first_seen_ns, spec, device_tags.get(spec.device), row.revoked)
        for spec in catalogue
    }
    return AgentPoints(row.agent, row.epoch, row.version, row.revoked, claims)


def _by_point(agents: Mapping[str, AgentPoints]) -> _Claims:
    found: dict[PointKey, list[Claim]] = {}
    for each in agents.values():
        for key, claim in each.claims.items():
            found.setdefault(key, []).append(claim)
    return {
        key: tuple(sorted(claims, key=lambda claim: (claim.revoked, -claim.epoch_seen_ns, claim.agent)))
        for key, claims in found.items()
    }


_NEWEST: Final = (
    sa.select(
        CATALOGUES.c.agent, CATALOGUES.c.epoch, EPOCHS.c.first_seen_ns,
        sa.func.max(CATALOGUES.c.version).label("version"), AGENTS.c.revoked_reason.is_not(None).label("revoked"),
    )
    .select_from(
        CATALOGUES.join(EPOCHS, sa.and_(CATALOGUES.c.agent == EPOCHS.c.agent, CATALOGUES.c.epoch == EPOCHS.c.epoch))
        .outerjoin(AGENTS, AGENTS.c.name == CATALOGUES.c.agent)
    )
    .group_by(CATALOGUES.c.agent, CATALOGUES.c.epoch, EPOCHS.c.first_seen_ns, AGENTS.c.revoked_reason)
    .order_by(EPOCHS.c.first_seen_ns, CATALOGUES.c.epoch)
)  # fmt: skip
