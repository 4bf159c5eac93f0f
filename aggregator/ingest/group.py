"""What one transaction holds, and what is to be said once it is committed.

A group is filled by decisions and written whole by ``queries.write``; its replies, acknowledgements among them, leave
after that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aggregator.ingest.present import Activation, Changes, ConditionKey, Entry
from aggregator.journal.changeset import Changeset
from aggregator.ledger import LedgerLine
from aggregator.store.db import Row
from contract.ids import ActivationId, AgentName, Epoch, Lane
from contract.wire.frames import Frame, LaneHead
from contract.wire.server import ServerSession

LaneKey = tuple[AgentName, Epoch, Lane]


@dataclass(slots=True)
class Group(Changeset):
    """A Changeset and what only ingest has: rows that are added, never changed, and what the agents are told."""

    events: list[Row] = field(default_factory=list)
    gaps: list[Row] = field(default_factory=list)
    chunks: list[Row] = field(default_factory=list)
    epochs: list[Row] = field(default_factory=list)
    agents: list[Row] = field(default_factory=list)
    catalogues: dict[tuple[AgentName, Epoch, int], Row] = field(default_factory=dict)
    lanes: dict[LaneKey, LaneHead] = field(default_factory=dict)
    entries: dict[tuple[AgentName, ConditionKey], Entry] = field(default_factory=dict)
    activations: dict[ActivationId, Activation] = field(default_factory=dict)
    ledger: list[LedgerLine] = field(default_factory=list)
    replies: list[tuple[bytes, Frame]] = field(default_factory=list)
    acks: dict[bytes, tuple[ServerSession, dict[Lane, int]]] = field(default_factory=dict)
    """By routing id: the session, and how far each of its lanes is committed once this group is."""

    def is_to_be_written(self) -> bool:
        tables = (
            self.drafts, self.rows, self.events, self.gaps, self.chunks, self.epochs, self.agents, self.catalogues, self.lanes,
            self.entries, self.activations,
        )  # fmt: skip
        return any(tables)

    def take(self, agent: AgentName, changes: Changes) -> None:
        """Rows of both books of conditions."""
        self.entries.update({(agent, key): entry for key, entry in changes.entries.items()})
        self.activations.update(changes.activations)

    def reply(self, routing_id: bytes, frame: Frame) -> None:
        self.replies.append((routing_id, frame))

    def acknowledge(self, session: ServerSession, heads: Mapping[Lane, int]) -> None:
        self.acks.setdefault(session.routing_id, (session, {}))[1].update(heads)
