"""The append-only chained log.

A record's number is given inside the writing transaction, under its chain's lock (the head row; on SQLite the whole
transaction is IMMEDIATE), so numbers become visible in order and a follower by number misses none. UNIQUE(chain,
prev_hash) refuses a fork whatever the code does. A record is RFC 8785 JSON, written once and hashed as written::

    v, aggregator, chain, journal_epoch, seq    identity
    kind                                        what happened: JournalKind
    received_ns                                 when the aggregator learned of it (UTC)
    org, exercise_id, class_label, late         as in events; org is null where a record is about the aggregator
    data                                        by kind

Who it was, where a person did it, stands in the record's restricted part: ``{"person": ..., "station": ...}``. It is
hashed beside the open part under a salt of its own, so it can be withheld and the chain still verifies.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from aggregator.journal.tables import JOURNAL, JOURNAL_CHAINS
from aggregator.store.db import Prepared
from contract.chain import Record, genesis, link
from contract.clock import NS_PER_MS
from contract.events import ClassLabel, Json, canonical
from contract.ids import MessageId

JOURNAL_SCHEMA: Final = 1
ALGORITHM: Final = "sha256"
SALT_BYTES: Final = 16


class JournalKind(StrEnum):
    """Everything that is put on record by the aggregator."""

    EVENT = "event"
    UNDECODABLE = "undecodable"
    GAP = "gap"
    CONDITION_SEEN = "condition_seen"
    CONDITION_RECONCILED = "condition_reconciled"
    SESSION_OPENED = "session_opened"
    SESSION_CLOSED = "session_closed"
    LINK_REFUSED = "link_refused"
    FORK = "fork"
    BOOT_CONFLICT = "boot_conflict"
    AGENT_ADMITTED = "agent_admitted"
    AGENT_REVOKED = "agent_revoked"
    INGEST_START = "ingest_start"
    INGEST_STOP = "ingest_stop"
    CHECKPOINT = "checkpoint"
    JOURNAL_RESTORED = "journal_restored"
    ALARM = "alarm"
    ACTION_REFUSED = "action_refused"
    SIGNED_IN = "signed_in"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGNED_OUT = "signed_out"
    SESSION_REVOKED = "session_revoked"
    USER_ADDED = "user_added"
    USER_CHANGED = "user_changed"


@dataclass(frozen=True, slots=True)
class Draft:
    """A record before it has a number. ``event`` names the event that it vouches for."""

    kind: JournalKind
    received_ns: int
    data: Mapping[str, Json]
    org: str | None = None
    exercise_id: str | None = None
    class_label: ClassLabel = ClassLabel.GENERAL
    late: bool = False
    event: MessageId | None = None
    restricted: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """Last record of one epoch of a chain; before the first, seq 0 and the hash of its genesis."""

    aggregator: str
    chain: str
    journal_epoch: str
    algorithm: str
    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """A record as it stands in the journal."""

    chain: str
    journal_epoch: str
    seq: int
    kind: JournalKind
    received_ns: int
    open: bytes
    salt: bytes
    restricted: bytes
    prev_hash: bytes
    hash: bytes


class Journal:
    """One chain of one aggregator. Safe with any number of writers: nothing is remembered between transactions."""

    def __init__(self, aggregator_id: str, chain: str) -> None:
        self.aggregator_id = aggregator_id
        self.chain = chain
        self._identity = {"aggregator": aggregator_id, "chain": chain}

    def open(self, connection: sa.Connection, received_ns: int) -> Head:
        """The current epoch's head; opens the first epoch where there is none."""
        row = _NEWEST.first(connection, self._identity)
        if row is not None:
            return Head(self.aggregator_id, self.chain, *row)
        return self.begin_epoch(connection, received_ns)

    def begin_epoch(self, connection: sa.Connection, received_ns: int, after: str = "") -> Head:
        """A new epoch: for the first record of all, and after the journal was set back to a backup; it sorts behind
        ``after``, wherever the wall clock may have gone."""
        epoch = new_journal_epoch(received_ns, after)
        start = genesis(ALGORITHM, self.aggregator_id, self.chain, epoch)
        head = Head(self.aggregator_id, self.chain, epoch, ALGORITHM, 0, start)
        _INSERT_HEAD.run(connection, [_head_row(head)])
        return head

    def append(self, connection: sa.Connection, drafts: Sequence[Draft]) -> list[JournalEntry]:
        """Number, link and insert ``drafts`` in their order, in the connection's transaction.

        Raises sqlite3.IntegrityError where another writer forked the chain, which a writing transaction of
        ``store.db`` rules out.
        """
        if not drafts:
            return []
        head = self.open(connection, drafts[0].received_ns)
        entries, rows = [], []
        for draft in drafts:
            entry, head = _add(head, draft)
            entries.append(entry)
            rows.append(_row(self._identity, entry, draft))
        _INSERT.run(connection, rows)
        _MOVE_HEAD.run(connection, [{"at_" + name: value for name, value in _head_row(head).items()}])
        return entries


def new_journal_epoch(wall_ns: int, after: str = "") -> str:
    """32 hex digits: a millisecond stamp and chance, so that epochs sort by time and two never have one name."""
    wall_ms = wall_ns // NS_PER_MS
    if after:
        wall_ms = max(wall_ms, int(after[:12], 16) + 1)
    return f"{wall_ms:012x}{secrets.token_hex(10)}"


def encode(head: Head, seq: int, draft: Draft) -> bytes:
    """The one place where a record becomes bytes."""
    record: dict[str, Json] = {
        "v": JOURNAL_SCHEMA,
        "aggregator": head.aggregator,
        "chain": head.chain,
        "journal_epoch": head.journal_epoch,
        "seq": str(seq),
        "kind": draft.kind.value,
        "received_ns": str(draft.received_ns),
        "exercise_id": draft.exercise_id,
        "class_label": draft.class_label.value,
        "late": draft.late,
        "org": draft.org,
        "data": dict(draft.data),
    }
    return canonical(record)


def _add(head: Head, draft: Draft) -> tuple[JournalEntry, Head]:
    seq = head.seq + 1
    record = Record(encode(head, seq, draft), *_restricted(draft))
    hash_ = link(head.algorithm, head.hash, record.digest(head.algorithm))
    entry = JournalEntry(
        head.chain, head.journal_epoch, seq, draft.kind, draft.received_ns, record.open, record.salt,
        record.restricted, head.hash, hash_,
    )  # fmt: skip
    return entry, Head(head.aggregator, head.chain, head.journal_epoch, head.algorithm, seq, hash_)


def _restricted(draft: Draft) -> tuple[bytes, bytes]:
    """Salt and bytes; a salt per record, so that who can guess a name cannot check the guess by its digest."""
    if draft.restricted is None:
        return b"", b""
    return secrets.token_bytes(SALT_BYTES), canonical(dict(draft.restricted))


def _row(identity: Mapping[str, str], entry: JournalEntry, draft: Draft) -> dict[str, object]:
    event = draft.event
    return {
        **identity,
        "journal_epoch": entry.journal_epoch,
        "seq": entry.seq,
        "kind": entry.kind.value,
        "received_ns": entry.received_ns,
        "org": draft.org,
        "exercise_id": draft.exercise_id,
        "class_label": draft.class_label.value,
        "late": draft.late,
        "event_agent": None if event is None else event.agent,
        "event_epoch": None if event is None else event.epoch,
        "event_seq": None if event is None else event.seq,
        "open": entry.open,
        "salt": entry.salt,
        "restricted": entry.restricted,
        "prev_hash": entry.prev_hash,
        "hash": entry.hash,
    }


def _head_row(head: Head) -> dict[str, object]:
    return {
        "aggregator": head.aggregator, "chain": head.chain, "journal_epoch": head.journal_epoch,
        "algorithm": head.algorithm, "seq": head.seq, "hash": head.hash,
    }  # fmt: skip


_HEADS = JOURNAL_CHAINS.c
_NEWEST: Final = Prepared(
    sa.select(_HEADS.journal_epoch, _HEADS.algorithm, _HEADS.seq, _HEADS.hash)
    .where(_HEADS.aggregator == sa.bindparam("aggregator"), _HEADS.chain == sa.bindparam("chain"))
    .order_by(_HEADS.journal_epoch.desc())
    .limit(1)
    .with_for_update()
)
_INSERT: Final = Prepared.insert(JOURNAL)
_INSERT_HEAD: Final = Prepared.insert(JOURNAL_CHAINS)
_MOVE_HEAD: Final = Prepared(
    sa.update(JOURNAL_CHAINS)
    .where(
        _HEADS.aggregator == sa.bindparam("at_aggregator"),
        _HEADS.chain == sa.bindparam("at_chain"),
        _HEADS.journal_epoch == sa.bindparam("at_journal_epoch"),
    )
    .values(seq=sa.bindparam("at_seq"), hash=sa.bindparam("at_hash"))
)
