"""SQL of ingest: what it remembers is read at start, what it decided is written by ``write``, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from aggregator.agents.tables import AGENTS, CATALOGUES, EPOCHS, LANES
from aggregator.history.tables import CHUNKS
from aggregator.ingest.group import Group
from aggregator.ingest.present import Activation, CloseReason, ConditionKey, Entry, Via, is_standing
from aggregator.ingest.tables import ACTIVATIONS, CONDITIONS
from aggregator.journal import changeset
from aggregator.journal.log import Journal
from aggregator.journal.tables import EVENTS, GAPS
from aggregator.store.db import Prepared, Row
from contract.events import ConditionData
from contract.ids import ActivationId, AgentName, Epoch, Lane
from contract.points import ConditionClass, ConditionKind
from contract.wire.frames import LaneHead


@dataclass(frozen=True, slots=True)
class KnownEpoch:
    """What the store holds of one (agent, epoch)."""

    agent: AgentName
    epoch: Epoch
    algorithm: str
    lanes: dict[Lane, LaneHead]
    catalogue_version: int


def write(connection: sa.Connection, group: Group, journal: Journal) -> None:
    """The whole group, in the connection's transaction."""
    _EPOCHS.run(connection, group.epochs)
    _EVENTS.run(connection, group.events)
    _GAPS.run(connection, group.gaps)
    _CHUNKS.run(connection, group.chunks)
    _LANES.run(connection, [_lane_row(*key, head) for key, head in group.lanes.items()])
    _AGENTS.run(connection, group.agents)
    _CATALOGUES.run(connection, [*group.catalogues.values()])
    _CONDITIONS.run(connection, [_entry_row(agent, key, entry) for (agent, key), entry in group.entries.items()])
    _ACTIVATIONS.run(connection, [_activation_row(each) for each in group.activations.values()])
    changeset.write(connection, group, journal)


def load_epochs(connection: sa.Connection) -> list[KnownEpoch]:
    versions = {
        (row.agent, row.epoch): row.version
        for row in connection.execute(
            sa.select(CATALOGUES.c.agent, CATALOGUES.c.epoch, sa.func.max(CATALOGUES.c.version).label("version"))
            .group_by(CATALOGUES.c.agent, CATALOGUES.c.epoch)
        )
    }  # fmt: skip
    lanes: dict[tuple[str, str], dict[Lane, LaneHead]] = {}
    for row in connection.execute(sa.select(LANES)):
        lanes.setdefault((row.agent, row.epoch), {})[Lane(row.lane)] = LaneHead(row.seq, row.hash)
    return [
        KnownEpoch(
            AgentName(row.agent), Epoch(row.epoch), row.algorithm, lanes.get((row.agent, row.epoch), {}),
            versions.get((row.agent, row.epoch), 0),
        )
        for row in connection.execute(sa.select(EPOCHS).order_by(EPOCHS.c.first_seen_ns))
    ]  # fmt: skip


def load_agents(connection: sa.Connection) -> dict[str, Row]:
    """The allow-list as it was last journalled, by name."""
    return {row["name"]: dict(row) for row in connection.execute(sa.select(AGENTS)).mappings()}


def load_conditions(connection: sa.Connection) -> dict[AgentName, list[Entry]]:
    entries: dict[AgentName, list[Entry]] = {}
    for row in connection.execute(sa.select(CONDITIONS)):
        condition = ConditionData.from_json(json.loads(row.condition))
        entries.setdefault(AgentName(row.agent), []).append(Entry(Epoch(row.epoch), row.seq, condition))
    return entries


def load_standing(connection: sa.Connection) -> dict[AgentName, list[Activation]]:
    """Activations that are open or whose own event is still to come."""
    found: dict[AgentName, list[Activation]] = {}
    for row in connection.execute(sa.select(ACTIVATIONS).where(ACTIVATIONS.c.standing)):
        found.setdefault(AgentName(row.agent), []).append(_activation(row))
    return found


def load_activations(connection: sa.Connection, ids: Iterable[ActivationId]) -> list[Activation]:
    """Those of ``ids`` that the store holds."""
    rows = (connection.execute(_ACTIVATION, {"agent": i.agent, "epoch": i.epoch, "seq": i.seq}).first() for i in ids)
    return [_activation(row) for row in rows if row is not None]


def load_hash(connection: sa.Connection, agent: str, epoch: str, lane: Lane, seq: int) -> bytes | None:
    """The hash at a number: ``h`` of an event, the digest of a chunk; None where there is no such row."""
    table, column = (EVENTS, EVENTS.c.hash) if lane is Lane.EVENTS else (CHUNKS, CHUNKS.c.digest)
    query = sa.select(column).where(table.c.agent == agent, table.c.epoch == epoch, table.c.seq == seq)
    found: bytes | None = connection.scalar(query)
    return found


def _lane_row(agent: str, epoch: str, lane: Lane, head: LaneHead) -> Row:
    return {"agent": agent, "epoch": epoch, "lane": lane.value, "seq": head.seq, "hash": head.hash}


def _entry_row(agent: str, key: ConditionKey, entry: Entry) -> Row:
    return {
        "agent": agent, "organisation": key.organisation, "tag": key.tag, "kind": key.kind.value,
        "epoch": entry.epoch, "seq": entry.seq, "level": entry.condition.level,
        "condition": json.dumps(entry.condition.to_json()),
    }  # fmt: skip


def _activation_row(activation: Activation) -> Row:
    reason = activation.closed_reason
    return {
        "agent": activation.id.agent, "epoch": activation.id.epoch, "seq": activation.id.seq, "org": activation.org,
        "tag": activation.key.tag, "kind": activation.key.kind.value,
        "condition_class": activation.condition_class.value, "first_seen": activation.first_seen.value,
        "seen_ns": activation.seen_ns, "event_received_ns": activation.event_received_ns,
        "closed_ns": activation.closed_ns, "closed_reason": None if reason is None else reason.value,
        "standing": is_standing(activation),
    }  # fmt: skip


def _activation(row: sa.Row[Any]) -> Activation:
    return Activation(
        id=ActivationId(AgentName(row.agent), Epoch(row.epoch), row.seq),
        key=ConditionKey(row.org.split("/", 1)[0], row.tag, ConditionKind(row.kind)),
        org=row.org,
        condition_class=ConditionClass(row.condition_class),
        first_seen=Via(row.first_seen),
        seen_ns=row.seen_ns,
        event_received_ns=row.event_received_ns,
        closed_ns=row.closed_ns,
        closed_reason=None if row.closed_reason is None else CloseReason(row.closed_reason),
        event_lost=not row.standing and row.event_received_ns is None,
    )


_EPOCHS: Final = Prepared.insert(EPOCHS)
_EVENTS: Final = Prepared.insert(EVENTS)
_GAPS: Final = Prepared.insert(GAPS)
_CHUNKS: Final = Prepared.insert(CHUNKS)
_LANES: Final = Prepared.upsert(LANES)
_AGENTS: Final = Prepared.upsert(AGENTS)
_CATALOGUES: Final = Prepared.upsert(CATALOGUES)
_CONDITIONS: Final = Prepared.upsert(CONDITIONS)
_ACTIVATIONS: Final = Prepared.upsert(ACTIVATIONS)
_ACTIVATION: Final = sa.select(ACTIVATIONS).where(
    ACTIVATIONS.c.agent == sa.bindparam("agent"),
    ACTIVATIONS.c.epoch == sa.bindparam("epoch"),
    ACTIVATIONS.c.seq == sa.bindparam("seq"),
)
