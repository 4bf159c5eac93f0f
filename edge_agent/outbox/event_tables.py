"""Tables of ``events.db``: their making, what is read of them at a start, and the statements of the commit thread.

All functions take the connection; who calls them owns the transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import zstandard

from contract.chain import Record, genesis, link
from contract.errors import FrameError
from contract.events import ConditionData, canonical
from contract.ids import AgentName, Epoch, Lane
from contract.points import Catalogue, ConditionKind
from contract.wire.frames import LaneHead
from edge_agent.outbox.catalogue import decode_points, encode_points
from edge_agent.outbox.database import EVENTS_FILE, CorruptError, Layout
from edge_agent.outbox.gaps import Gap, GapCause, join
from edge_agent.outbox.retention import Rank, StoredRow

ConditionKey: TypeAlias = tuple[str, str, ConditionKind]
"""Organisation code, tag, kind."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One row to insert; ``data`` travels opaque in ``record``."""

    seq: int
    record: Record
    hash: bytes
    event_type: str
    rank: int
    written_ns: int


@dataclass(slots=True)
class Image:
    """What memory holds of the file as of the last commit."""

    agent: AgentName
    epoch: Epoch
    hash_algorithm: str
    start_number: int
    clean: bool
    head: LaneHead
    conditions: dict[ConditionKey, ConditionData] = field(default_factory=dict)
    cursors: dict[str, int] = field(default_factory=dict)
    catalogues: list[Catalogue] = field(default_factory=list)


def create(db: sqlite3.Connection) -> None:
    import sqlite_utils  # 18 MB that only the first start needs

    made = sqlite_utils.Database(db)

    def table(name: str, columns: dict[str, type], pk: str | tuple[str, ...]) -> None:
        made.table(name).create(columns, pk=pk, not_null=set(columns), if_not_exists=True)

    table("meta", {"key": str, "value": str}, "key")
    table("events", {"seq": int, "open": bytes, "salt": bytes, "restricted": bytes, "hash": bytes, "type": str,
                     "rank": int, "written_ns": int}, "seq")  # fmt: skip
    table("conditions", {"organisation": str, "tag": str, "kind": str, "seq": int, "data": bytes},
          ("organisation", "tag", "kind"))  # fmt: skip
    table("cursors", {"destination": str, "seq": int}, "destination")
    table("catalogues", {"version": int, "points": bytes}, "version")
    table("gaps", {"lane": str, "first": int, "last": int, "cause": str, "hash_before": bytes, "hash_last": bytes},
          ("lane", "first"))  # fmt: skip
    table("owed", {"id": int, "data": bytes}, "id")
    # Only rows that may be given up are in it, so a safety event pays nothing for it.
    db.execute(f"CREATE INDEX IF NOT EXISTS events_to_give_up ON events (rank, seq) WHERE rank < {Rank.SAFETY.value}")


LAYOUT: Final = Layout(EVENTS_FILE, 1, "FULL", create)


def load(db: sqlite3.Connection) -> Image | None:
    """What the file says; None for one just made. Raises CorruptError where it contradicts itself."""
    meta = dict(db.execute("SELECT key, value FROM meta"))
    if not meta:
        return None
    try:
        image = Image(
            AgentName(meta["agent"]), Epoch(meta["epoch"]), meta["hash_algorithm"], int(meta["start_number"]),
            meta["clean"] == "1", LaneHead(0, b""),
        )  # fmt: skip
        image.head = _verified_head(db, image)
        image.conditions = {
            (organisation, tag, ConditionKind(kind)): ConditionData.from_json(json.loads(data))
            for organisation, tag, kind, data in db.execute("SELECT organisation, tag, kind, data FROM conditions")
        }
        image.cursors = dict(db.execute("SELECT destination, seq FROM cursors"))
        rows = db.execute("SELECT version, points FROM catalogues ORDER BY version")
        image.catalogues = [decode_points(version, points) for version, points in rows]
    except (KeyError, ValueError, TypeError, FrameError, zstandard.ZstdError) as error:
        raise CorruptError(f"{EVENTS_FILE}: {type(error).__name__}: {error}") from error
    return image


def _verified_head(db: sqlite3.Connection, image: Image) -> LaneHead:
    """The last number and its hash; the last row must follow from what is before it."""
    gap = db.execute(
        "SELECT last, hash_last FROM gaps WHERE lane = ? ORDER BY first DESC LIMIT 1", (Lane.EVENTS.value,)
    ).fetchone()
    row = db.execute("SELECT seq, open, salt, restricted, hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    if row is None or (gap is not None and gap[0] > row[0]):
        return LaneHead(*gap) if gap is not None else LaneHead(0, b"")
    seq, *parts, hash_ = row
    before = chain_hash(db, image, seq - 1)
    if before is None or link(image.hash_algorithm, before, Record(*parts).digest(image.hash_algorithm)) != hash_:
        raise CorruptError(f"{EVENTS_FILE}: event {seq} does not follow from the one before it")
    return LaneHead(seq, hash_)


def chain_hash(db: sqlite3.Connection, image: Image, seq: int) -> bytes | None:
    """``h`` at a number, genesis at 0; None where neither a row nor the end of a gap has it."""
    return start_of_chain(image) if seq == 0 else hash_at(db, seq)


def start_of_chain(image: Image) -> bytes:
    return genesis(image.hash_algorithm, image.agent, image.epoch, Lane.EVENTS.value)


def hash_at(db: sqlite3.Connection, seq: int) -> bytes | None:
    found = (
        db.execute("SELECT hash FROM events WHERE seq = ?", (seq,)).fetchone()
        or db.execute("SELECT hash_last FROM gaps WHERE lane = ? AND last = ?", (Lane.EVENTS.value, seq)).fetchone()
    )
    return found[0] if found else None


def put_meta(db: sqlite3.Connection, values: Mapping[str, object]) -> None:
    db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", [(key, str(value)) for key, value in values.items()])


def get_meta(db: sqlite3.Connection, key: str) -> str | None:
    found = db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return found[0] if found else None


def insert_events(db: sqlite3.Connection, rows: Iterable[EventRow]) -> None:
    db.executemany(
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (row.seq, row.record.open, row.record.salt, row.record.restricted, row.hash, row.event_type, row.rank,
             row.written_ns)
            for row in rows
        ],
    )  # fmt: skip


def key_of(condition: ConditionData) -> ConditionKey:
    return condition.org.split("/", 1)[0], condition.tag, condition.kind


def put_condition(db: sqlite3.Connection, seq: int, condition: ConditionData) -> None:
    """State and activation id of a condition; a cleared one has no row."""
    organisation, tag, kind = key_of(condition)
    if condition.level > 0:
        data = canonical(condition.to_json())
        db.execute("INSERT OR REPLACE INTO conditions VALUES (?, ?, ?, ?, ?)",
                   (organisation, tag, kind.value, seq, data))  # fmt: skip
    else:
        db.execute("DELETE FROM conditions WHERE organisation = ? AND tag = ? AND kind = ?",
                   (organisation, tag, kind.value))  # fmt: skip


def put_cursors(db: sqlite3.Connection, cursors: Mapping[str, int]) -> None:
    db.executemany("INSERT OR REPLACE INTO cursors VALUES (?, ?)", list(cursors.items()))


def put_catalogue(db: sqlite3.Connection, catalogue: Catalogue) -> None:
    db.execute("INSERT INTO catalogues VALUES (?, ?)", (catalogue.version, encode_points(catalogue)))


def read_events(db: sqlite3.Connection, after_seq: int, rows_max: int, bytes_max: int) -> list[tuple[int, Record]]:
    """Rows behind ``after_seq``, at least one where there is any, then as many as fit."""
    taken: list[tuple[int, Record]] = []
    statement = "SELECT seq, open, salt, restricted FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
    for seq, *parts in db.execute(statement, (after_seq, rows_max)):
        record = Record(*parts)
        bytes_max -= record.size
        if taken and bytes_max < 0:
            break
        taken.append((seq, record))
    return taken


def read_gaps(db: sqlite3.Connection, lane: Lane, after_seq: int, limit: int) -> list[Gap]:
    rows = db.execute(
        "SELECT first, last, cause, hash_before, hash_last FROM gaps WHERE lane = ? AND last > ? ORDER BY first LIMIT ?",
        (lane.value, after_seq, limit),
    )
    return [Gap(first, last, GapCause(cause), before, hash_last) for first, last, cause, before, hash_last in rows]


def put_gap(db: sqlite3.Connection, lane: Lane, gap: Gap) -> None:
    """Remember a gap, joined with those beside it and in place of those inside it."""
    near = [each for each in read_gaps(db, lane, gap.first - 2, -1) if each.first <= gap.last + 1]
    db.executemany("DELETE FROM gaps WHERE lane = ? AND first = ?", [(lane.value, each.first) for each in near])
    db.executemany(
        "INSERT INTO gaps VALUES (?, ?, ?, ?, ?, ?)",
        [(lane.value, each.first, each.last, each.cause.value, each.hash_before, each.hash_last)
         for each in join(near, gap)],
    )  # fmt: skip


def owe_event(db: sqlite3.Connection, data: bytes) -> None:
    """A GAP event that has to wait for the agent's first event."""
    db.execute("INSERT INTO owed (data) VALUES (?)", (data,))


def take_owed(db: sqlite3.Connection, limit: int) -> list[bytes]:
    rows = db.execute("SELECT id, data FROM owed ORDER BY id LIMIT ?", (limit,)).fetchall()
    db.executemany("DELETE FROM owed WHERE id = ?", [(id_,) for id_, _ in rows])
    return [data for _, data in rows]


_STORED: Final = (
    "SELECT seq, length(open) + length(salt) + length(restricted) + 96, rank, written_ns FROM events "  # 96: hash, head
)


def oldest_rows(db: sqlite3.Connection, limit: int) -> list[StoredRow]:
    return [StoredRow(*row) for row in db.execute(_STORED + "ORDER BY seq LIMIT ?", (limit,))]


def rows_to_give_up(db: sqlite3.Connection, limit: int) -> list[StoredRow]:
    # The number stands in the text, or SQLite would not use the partial index.
    clause = f"WHERE rank < {Rank.SAFETY.value} ORDER BY rank, seq LIMIT ?"
    return [StoredRow(*row) for row in db.execute(_STORED + clause, (limit,))]


def delete_events(db: sqlite3.Connection, first: int, last: int) -> None:
    db.execute("DELETE FROM events WHERE seq BETWEEN ? AND ?", (first, last))
