"""Tables of ``telemetry.db`` and the statements on them; who calls owns the transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Final

from contract.ids import Epoch
from edge_agent.outbox.database import TELEMETRY_FILE, Layout
from edge_agent.outbox.retention import StoredRow

ROW_OVERHEAD_BYTES: Final = 24


def create(db: sqlite3.Connection) -> None:
    import sqlite_utils  # 18 MB that only the first start needs

    made = sqlite_utils.Database(db)

    def table(name: str, columns: dict[str, type], pk: str) -> None:
        made.table(name).create(columns, pk=pk, not_null=set(columns), if_not_exists=True)

    table("meta", {"key": str, "value": str}, "key")
    table("chunks", {"seq": int, "data": bytes, "samples": int, "written_ns": int}, "seq")
    table("spool", {"id": int, "version": int, "source": str, "data": bytes}, "id")
    table("cursors", {"destination": str, "seq": int}, "destination")


LAYOUT: Final = Layout(TELEMETRY_FILE, 1, "NORMAL", create)


def epoch_of(db: sqlite3.Connection) -> str | None:
    """The epoch whose numbers the chunks carry; None for a file just made."""
    found = db.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()
    return found[0] if found else None


def put_epoch(db: sqlite3.Connection, epoch: Epoch) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES ('epoch', ?)", (epoch,))


def last_chunk(db: sqlite3.Connection) -> tuple[int, bytes] | None:
    found: tuple[int, bytes] | None = db.execute("SELECT seq, data FROM chunks ORDER BY seq DESC LIMIT 1").fetchone()
    return found


def cursors(db: sqlite3.Connection) -> dict[str, int]:
    return dict(db.execute("SELECT destination, seq FROM cursors"))


def put_cursors(db: sqlite3.Connection, values: Mapping[str, int]) -> None:
    db.executemany("INSERT OR REPLACE INTO cursors VALUES (?, ?)", list(values.items()))


def insert_chunk(db: sqlite3.Connection, seq: int, data: bytes, samples: int, written_ns: int) -> None:
    db.execute("INSERT INTO chunks VALUES (?, ?, ?, ?)", (seq, data, samples, written_ns))


def insert_spool(db: sqlite3.Connection, version: int, source: str, data: bytes) -> None:
    db.execute("INSERT INTO spool (version, source, data) VALUES (?, ?, ?)", (version, source, data))


def spooled(db: sqlite3.Connection) -> Iterable[tuple[str, bytes]]:
    return db.execute("SELECT source, data FROM spool ORDER BY id")


def delete_spool(db: sqlite3.Connection, version: int, source: str) -> None:
    db.execute("DELETE FROM spool WHERE version = ? AND source = ?", (version, source))


def clear_spool(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM spool")


def read_chunks(
    db: sqlite3.Connection, after_seq: int, chunks_max: int, bytes_max: int
) -> list[tuple[int, bytes, int]]:
    """(seq, chunk, samples in it) behind ``after_seq``, at least one where there is any, then as many as fit."""
    taken: list[tuple[int, bytes, int]] = []
    for seq, data, samples in db.execute(
        "SELECT seq, data, samples FROM chunks WHERE seq > ? ORDER BY seq LIMIT ?", (after_seq, chunks_max)
    ):
        bytes_max -= len(data)
        if taken and bytes_max < 0:
            break
        taken.append((seq, data, samples))
    return taken


def chunk_at(db: sqlite3.Connection, seq: int) -> bytes | None:
    found = db.execute("SELECT data FROM chunks WHERE seq = ?", (seq,)).fetchone()
    return found[0] if found else None


def oldest_rows(db: sqlite3.Connection, limit: int) -> list[StoredRow]:
    rows = db.execute("SELECT seq, length(data), written_ns FROM chunks ORDER BY seq LIMIT ?", (limit,))
    return [StoredRow(seq, size + ROW_OVERHEAD_BYTES, written_ns=written_ns) for seq, size, written_ns in rows]


def delete_chunks(db: sqlite3.Connection, last: int) -> None:
    db.execute("DELETE FROM chunks WHERE seq <= ?", (last,))
