"""Walks every chain and says where the first one breaks: the journal's, and those of the agents' events.

Nothing is trusted but bytes: hashes are computed anew from what is stored, numbers must follow each other, and what a
record says of itself must be where it lies. Holes in an agent's numbers must be declared gaps.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from aggregator.journal.checkpoints import signature_holds
from aggregator.journal.log import JournalKind
from aggregator.journal.tables import EVENTS, GAPS, JOURNAL, JOURNAL_CHAINS
from contract.chain import Record, genesis, link
from contract.ids import Lane
from contract.keys import PublicKeys

_ROWS_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where a chain does not hold."""

    chain: str
    seq: int
    reason: str

    def __str__(self) -> str:
        return f"{self.chain} breaks at {self.seq}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Walked:
    """A chain that was walked to its end or its first break."""

    chain: str
    records: int
    broken: Break | None


def verify_journal(connection: sa.Connection, keys: PublicKeys) -> Iterator[Walked]:
    """Each epoch of each chain of the journal, with the checkpoints in it and the events it vouches for."""
    query = sa.select(JOURNAL_CHAINS).order_by(JOURNAL_CHAINS.c.chain, JOURNAL_CHAINS.c.journal_epoch)
    for head in [dict(row) for row in connection.execute(query).mappings()]:
        yield _walk_journal(connection, head, keys)


def verify_events(connection: sa.Connection, algorithms: Mapping[tuple[str, str], str]) -> Iterator[Walked]:
    """The events chain of each (agent, epoch); ``algorithms`` names the hash of each."""
    for (agent, epoch), algorithm in sorted(algorithms.items()):
        yield _walk_events(connection, agent, epoch, algorithm)


def _walk_journal(connection: sa.Connection, head: dict[str, Any], keys: PublicKeys) -> Walked:
    name = f"journal {head['chain']} {head['journal_epoch']}"
    hash_, seq = genesis(head["algorithm"], head["aggregator"], head["chain"], head["journal_epoch"]), 0
    for row in connection.execute(_JOURNAL, head, execution_options={"yield_per": _ROWS_AT_ONCE}):
        reason = _fault_of_record(row, seq + 1, hash_, head["algorithm"]) or _fault_of_reference(row)
        if reason is None and row.kind == JournalKind.CHECKPOINT:
            reason = _fault_of_checkpoint(connection, row, keys)
        if reason is not None:
            return Walked(name, seq, Break(name, seq + 1, reason))
        hash_, seq = row.hash, seq + 1
    if (seq, hash_) != (head["seq"], head["hash"]):
        return Walked(name, seq, Break(name, seq + 1, f"the chain ends here, its head says {head['seq']}"))
    return Walked(name, seq, None)


def _fault_of_record(row: sa.Row[Any], seq: int, previous: bytes, algorithm: str) -> str | None:
    if row.seq != seq:
        return f"the next record is {row.seq}"
    stored_record = Record(_stored(row.open), _stored(row.salt or b""), _stored(row.restricted or b""))
    if row.prev_hash != previous or link(algorithm, previous, stored_record.digest(algorithm)) != row.hash:
        return "the hash does not fit the record and the one before it"
    record = json.loads(row.open)
    stored = (row.aggregator, row.chain, row.journal_epoch, str(row.seq), row.kind, str(row.received_ns))
    if stored != tuple(record[name] for name in _IDENTITY):
        return "the columns are not those of the record"
    return None


def _fault_of_reference(row: sa.Row[Any]) -> str | None:
    """The event that a record vouches for, by the record's own words and not by its columns."""
    data = json.loads(row.open)["data"]
    named = (row.event_agent, row.event_epoch, str(row.event_seq))
    if row.kind == JournalKind.EVENT and named != (data["agent"], data["epoch"], data["seq"]):
        return "the columns name another event than the record"
    if row.event_agent is not None and data.get("hash") != (row.event_hash or b"").hex():
        return "the event it vouches for is missing or another one"
    return None


def _fault_of_checkpoint(connection: sa.Connection, row: sa.Row[Any], keys: PublicKeys) -> str | None:
    """What was signed must be what is there: who rewrites a chain has to forge the signature as well."""
    data = json.loads(row.open)["data"]
    if not signature_holds(row.aggregator, data, keys):
        return "the signature of the checkpoint does not hold"
    for head in data["heads"]:
        place = {"aggregator": row.aggregator, **{name: head[name] for name in ("chain", "journal_epoch")}}
        found = connection.scalar(_HASH_AT, {**place, "seq": int(head["seq"])})
        if found is None or found.hex() != head["hash"]:
            return f"the checkpoint signed another history of {head['chain']} up to {head['seq']}"
    return None


def _walk_events(connection: sa.Connection, agent: str, epoch: str, algorithm: str) -> Walked:
    name, place = f"events {agent} {epoch}", {"agent": agent, "epoch": epoch, "lane": Lane.EVENTS.value}
    gaps = {row.first_seq: row for row in connection.execute(_GAPS, place)}
    hash_, seq, count = genesis(algorithm, agent, epoch, Lane.EVENTS.value), 0, 0
    for row in connection.execute(_EVENTS, place, execution_options={"yield_per": _ROWS_AT_ONCE}):
        seq, hash_ = _skip_gaps(gaps, seq, hash_)
        if row.seq != seq + 1:
            return Walked(name, count, Break(name, seq + 1, f"the next event is {row.seq}, and no gap is declared"))
        digest = Record(_stored(row.open), _stored(row.salt), _stored(row.restricted)).digest(algorithm)
        if digest != row.digest or link(algorithm, hash_, digest) != row.hash:
            return Walked(name, count, Break(name, row.seq, "the hash does not fit the event and the one before it"))
        hash_, seq, count = row.hash, row.seq, count + 1
    unvouched = connection.scalar(_UNVOUCHED, place)
    if unvouched is not None:
        return Walked(name, count, Break(name, unvouched, "no record of the journal vouches for the event"))
    return Walked(name, count, None)


def _stored(value: bytes | str) -> bytes:
    """SQLite keeps whatever type somebody put into a column by hand; it is the bytes that count."""
    return value.encode() if isinstance(value, str) else value


def _skip_gaps(gaps: Mapping[int, sa.Row[Any]], seq: int, hash_: bytes) -> tuple[int, bytes]:
    while seq + 1 in gaps:
        gap = gaps[seq + 1]
        seq, hash_ = gap.last_seq, gap.hash_last or hash_
    return seq, hash_


_IDENTITY: Final = ("aggregator", "chain", "journal_epoch", "seq", "kind", "received_ns")
_JOURNAL: Final = (
    sa.select(JOURNAL, EVENTS.c.hash.label("event_hash"))
    .select_from(
        JOURNAL.outerjoin(
            EVENTS,
            sa.and_(
                EVENTS.c.agent == JOURNAL.c.event_agent, EVENTS.c.epoch == JOURNAL.c.event_epoch,
                EVENTS.c.seq == JOURNAL.c.event_seq,
            ),
        )
    )
    .where(
        JOURNAL.c.aggregator == sa.bindparam("aggregator"), JOURNAL.c.chain == sa.bindparam("chain"),
        JOURNAL.c.journal_epoch == sa.bindparam("journal_epoch"),
    )
    .order_by(JOURNAL.c.seq)
)  # fmt: skip
_EVENTS: Final = (
    sa.select(EVENTS)
    .where(EVENTS.c.agent == sa.bindparam("agent"), EVENTS.c.epoch == sa.bindparam("epoch"))
    .order_by(EVENTS.c.seq)
)
_HASH_AT: Final = sa.select(JOURNAL.c.hash).where(
    JOURNAL.c.aggregator == sa.bindparam("aggregator"), JOURNAL.c.chain == sa.bindparam("chain"),
    JOURNAL.c.journal_epoch == sa.bindparam("journal_epoch"), JOURNAL.c.seq == sa.bindparam("seq"),
)  # fmt: skip
_VOUCHED: Final = sa.select(JOURNAL.c.event_seq).where(
    JOURNAL.c.event_agent == sa.bindparam("agent"), JOURNAL.c.event_epoch == sa.bindparam("epoch"),
    JOURNAL.c.event_seq.is_not(None),
)  # fmt: skip
_UNVOUCHED: Final = sa.select(sa.func.min(EVENTS.c.seq)).where(
    EVENTS.c.agent == sa.bindparam("agent"), EVENTS.c.epoch == sa.bindparam("epoch"), EVENTS.c.seq.not_in(_VOUCHED)
)
_GAPS: Final = sa.select(GAPS).where(
    GAPS.c.agent == sa.bindparam("agent"), GAPS.c.epoch == sa.bindparam("epoch"), GAPS.c.lane == sa.bindparam("lane")
)
