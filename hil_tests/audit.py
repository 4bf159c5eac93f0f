"""What was promised, held against what is on the disks: nothing lost, nothing twice, everything in order.

Reads an agent's ledger and both databases after (or while) programs ran, and computes every hash anew from the stored
bytes; it trusts no column, no counter and none of the code under test but ``contract.chain``. An agent's ledger is the
witness of what had to arrive: its lines were synced after the commits they name.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from contract.chain import Record, digest, genesis, link
from contract.ids import Lane
from hil_tests.compare import Committed


class Flaw(StrEnum):
    """What can be wrong."""

    LOST = "lost"
    """The agent committed it, and it is not where it should be."""
    DUPLICATED = "duplicated"
    OUT_OF_ORDER = "out_of_order"
    ALTERED = "altered"
    """It is there with other bytes."""
    BROKEN_CHAIN = "broken_chain"
    EPOCH_CHANGED = "epoch_changed"
    """An agent began a new history though nothing was wrong with the old one."""


@dataclass(frozen=True, slots=True)
class Finding:
    flaw: Flaw
    where: str


@dataclass(frozen=True, slots=True)
class Audit:
    """``events``, ``chunks`` and ``records`` say how much was looked at, so that a pass over nothing shows."""

    events: int
    chunks: int
    records: int
    findings: tuple[Finding, ...]

    def count(self, flaw: Flaw) -> int:
        return sum(each.flaw is flaw for each in self.findings)

    def __str__(self) -> str:
        counts = ", ".join(f"{flaw} {self.count(flaw)}" for flaw in Flaw)
        first = "".join(f"\n  {each.flaw}: {each.where}" for each in self.findings[:10])
        return f"{self.events} events, {self.chunks} chunks, {self.records} journal records: {counts}{first}"


class MessageNumber(NamedTuple):
    """A message of the agent under audit."""

    lane: Lane
    epoch: str
    seq: int


Digests: TypeAlias = Mapping[MessageNumber, str]
"""Digest of each message, hex."""


def audit(agent: str, sent: Iterable[Committed], agent_store: Path, aggregator_db: Path) -> Audit:
    """Hold one agent's ledger (``sent``) and ``agent_store`` (its events.db) against the aggregator's database."""
    witness = {MessageNumber(each.key.lane, each.key.epoch, each.key.seq): each.key.digest for each in sent}
    findings = [*_epochs(witness)]
    with closing(_open(agent_store)) as db:
        findings += _agent_store(db, agent, witness)
    with closing(_open(aggregator_db)) as db:
        findings += _arrived(witness, _events_held(db, agent), Lane.EVENTS)
        findings += _arrived(witness, _chunks_held(db, agent), Lane.TELEMETRY)
        findings += _event_chains(db, agent)
        findings += _vouched(db, agent, witness)
        findings += _journal(db)
        records: int = db.execute("SELECT count(*) FROM journal").fetchone()[0]
    lanes = Counter(number.lane for number in witness)
    return Audit(lanes[Lane.EVENTS], lanes[Lane.TELEMETRY], records, tuple(findings))


def held(agent: str, aggregator_db: Path) -> dict[MessageNumber, str]:
    """Digest of each message of an agent that the aggregator's database holds, from the stored bytes."""
    with closing(_open(aggregator_db)) as db:
        return _events_held(db, agent) | _chunks_held(db, agent)


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=10.0)
    db.row_factory = sqlite3.Row
    return db


def _epochs(witness: Iterable[MessageNumber]) -> Iterator[Finding]:
    epochs = sorted({key.epoch for key in witness})
    if len(epochs) > 1:
        yield Finding(Flaw.EPOCH_CHANGED, ", ".join(epochs))


# --- the agent's side -------------------------------------------------------------------------------------------------


def _agent_store(db: sqlite3.Connection, agent: str, witness: Digests) -> Iterator[Finding]:
    meta = dict(db.execute("SELECT key, value FROM meta"))
    epoch, algorithm = meta["epoch"], meta["hash_algorithm"]
    rows = db.execute("SELECT seq, open, salt, restricted, hash FROM events ORDER BY seq").fetchall()
    gaps = {row["first"]: (row["last"], row["hash_last"]) for row in db.execute(
        "SELECT first, last, hash_last FROM gaps WHERE lane = ?", (Lane.EVENTS,))}  # fmt: skip
    yield from _chain(f"{agent}'s store", algorithm, genesis(algorithm, agent, epoch, Lane.EVENTS), rows, gaps)
    held = {row["seq"] for row in rows} | {seq for first, (last, _) in gaps.items() for seq in range(first, last + 1)}
    for key in witness:
        if key.lane is Lane.EVENTS and key.epoch == epoch and key.seq not in held:
            yield Finding(Flaw.LOST, f"{agent}'s store: event {key.seq}")


# --- the aggregator's side --------------------------------------------------------------------------------------------


def _events_held(db: sqlite3.Connection, agent: str) -> dict[MessageNumber, str]:
    algorithms = _algorithms(db, agent)
    rows = db.execute("SELECT epoch, seq, open, salt, restricted FROM events WHERE agent = ?", (agent,))
    return {
        MessageNumber(Lane.EVENTS, row["epoch"], row["seq"]): _record(row).digest(algorithms[row["epoch"]]).hex()
        for row in rows
    }


def _chunks_held(db: sqlite3.Connection, agent: str) -> dict[MessageNumber, str]:
    algorithms = _algorithms(db, agent)
    rows = db.execute("SELECT epoch, seq, chunk FROM chunks WHERE agent = ?", (agent,))
    return {
        MessageNumber(Lane.TELEMETRY, row["epoch"], row["seq"]): digest(algorithms[row["epoch"]], row["chunk"]).hex()
        for row in rows
    }


def _arrived(witness: Digests, held: Digests, lane: Lane) -> Iterator[Finding]:
    for key, digest_ in witness.items():
        if key.lane is not lane:
            continue
        if key not in held:
            yield Finding(Flaw.LOST, f"aggregator: {lane} {key.seq}")
        elif held[key] != digest_:
            yield Finding(Flaw.ALTERED, f"aggregator: {lane} {key.seq}")


def _event_chains(db: sqlite3.Connection, agent: str) -> Iterator[Finding]:
    for epoch, algorithm in _algorithms(db, agent).items():
        rows = db.execute(
            "SELECT seq, open, salt, restricted, hash FROM events WHERE agent = ? AND epoch = ? ORDER BY seq",
            (agent, epoch),
        ).fetchall()
        gaps = {row["first_seq"]: (row["last_seq"], row["hash_last"]) for row in db.execute(
            "SELECT first_seq, last_seq, hash_last FROM gaps WHERE agent = ? AND epoch = ? AND lane = ?",
            (agent, epoch, Lane.EVENTS))}  # fmt: skip
        yield from _chain(f"aggregator, {agent}", algorithm, genesis(algorithm, agent, epoch, Lane.EVENTS), rows, gaps)


def _vouched(db: sqlite3.Connection, agent: str, witness: Digests) -> Iterator[Finding]:
    """The journal has one record for each event, in the order of their numbers."""
    last: dict[str, int] = {}
    times: Counter[MessageNumber] = Counter()
    for row in db.execute("SELECT open FROM journal WHERE kind = 'event' ORDER BY chain, journal_epoch, seq"):
        data = json.loads(row["open"])["data"]
        if data["agent"] != agent:
            continue
        key = MessageNumber(Lane.EVENTS, data["epoch"], int(data["seq"]))
        times[key] += 1
        if times[key] == 1 and key.seq < last.get(key.epoch, 0):
            yield Finding(Flaw.OUT_OF_ORDER, f"journal: event {key.seq} after {last[key.epoch]}")
        last[key.epoch] = max(key.seq, last.get(key.epoch, 0))
    yield from (Finding(Flaw.DUPLICATED, f"journal: event {key.seq}") for key, n in times.items() if n > 1)
    for key in witness:
        if key.lane is Lane.EVENTS and key not in times:
            yield Finding(Flaw.LOST, f"journal: event {key.seq}")


def _journal(db: sqlite3.Connection) -> Iterator[Finding]:
    for head in db.execute("SELECT * FROM journal_chains ORDER BY chain, journal_epoch").fetchall():
        start = genesis(head["algorithm"], head["aggregator"], head["chain"], head["journal_epoch"])
        rows = db.execute(
            "SELECT seq, open, x'' AS salt, x'' AS restricted, hash FROM journal"
            " WHERE chain = ? AND journal_epoch = ? ORDER BY seq",
            (head["chain"], head["journal_epoch"]),
        ).fetchall()
        yield from _chain("journal", head["algorithm"], start, rows, {})
        if not rows or rows[-1]["seq"] != head["seq"]:
            yield Finding(Flaw.BROKEN_CHAIN, f"journal: ends before its head {head['seq']}")


# --- chains -----------------------------------------------------------------------------------------------------------


def _chain(
    name: str, algorithm: str, start: bytes, rows: Iterable[Any], gaps: Mapping[int, tuple[int, bytes]]
) -> Iterator[Finding]:
    """Walk from the genesis; after a break go on from the stored hash, so that each break is told once."""
    hash_, seq = start, 0
    for row in rows:
        while row["seq"] != seq + 1 and seq + 1 in gaps:
            seq, hash_ = gaps[seq + 1]
        if row["seq"] != seq + 1:
            yield Finding(Flaw.BROKEN_CHAIN, f"{name}: {seq + 1} is missing, {row['seq']} follows")
        elif link(algorithm, hash_, _record(row).digest(algorithm)) != row["hash"]:
            yield Finding(Flaw.BROKEN_CHAIN, f"{name}: {row['seq']} does not follow from the one before it")
        hash_, seq = row["hash"], row["seq"]


def _algorithms(db: sqlite3.Connection, agent: str) -> dict[str, str]:
    return dict(tuple(row) for row in db.execute("SELECT epoch, algorithm FROM epochs WHERE agent = ?", (agent,)))


def _record(row: Any) -> Record:
    return Record(row["open"], row["salt"], row["restricted"])
