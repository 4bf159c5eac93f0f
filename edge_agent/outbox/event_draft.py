"""Events that have their numbers and hashes but are not committed yet.

Made anew for each attempt to commit: when the commit fails the draft is forgotten and nothing else has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from contract.chain import link
from contract.events import Origin, encode_event
from contract.wire.frames import LaneHead
from edge_agent.outbox.event_tables import EventRow
from edge_agent.outbox.retention import rank_of
from edge_agent.outbox.rows import Committed, Pending

log = structlog.get_logger()


@dataclass(slots=True)
class Draft:
    """``hash`` is that of ``seq``: first of what was committed last (or genesis), then of each event added."""

    algorithm: str
    seq: int
    hash: bytes
    written_ns: int
    committed: list[Committed] = field(default_factory=list)
    rows: list[EventRow] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    refused: int = 0

    def add_all(self, origin: Origin, pending: Sequence[Pending]) -> None:
        for each in pending:
            self.add(origin, each)

    def add(self, origin: Origin, pending: Pending) -> None:
        """Build, encode, number, hash. One that cannot be built is a fault of the program: said loudly, left out, and
        its number goes to the next; the others must not wait for it."""
        seq = self.seq + 1
        try:
            event, condition = pending.build(origin.epoch, seq)
            record = encode_event(origin, seq, event)
        except Exception:
            log.exception("event_not_built", seq=seq)
            self.refused += 1
            return
        digest = record.digest(self.algorithm)
        self.seq, self.hash = seq, link(self.algorithm, self.hash, digest)
        rank = rank_of(event.type, condition)
        self.committed.append(Committed(seq, self.hash, record, condition, event.type))
        self.rows.append(EventRow(seq, record, self.hash, event.type.value, rank.value, self.written_ns))
        self.digests.append(digest)

    @property
    def head(self) -> LaneHead:
        return LaneHead(self.seq, self.hash if self.seq else b"")

    @property
    def size_bytes(self) -> int:
        return sum(row.record.size for row in self.rows)
