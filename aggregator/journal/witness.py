"""The last head that ingest knew, beside the database: how it notices that the database was set back to a backup.

A small file, written about once a second, read at a start. Where the database does not hold that head, the journal goes
on in a new epoch whose first record names it: numbers that were given once are never given again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from aggregator.journal.log import Draft, Head, Journal, JournalKind
from aggregator.journal.tables import JOURNAL

_SIZE: Final = 512
"""Padded to one length and written in one piece, so that a kill leaves the old text or the new."""


class HeadWitness:
    """One chain's file. Raises OSError where it cannot be opened or written."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._noted: tuple[str, int] | None = None

    def close(self) -> None:
        os.close(self._fd)

    def note(self, head: Head) -> None:
        if self._noted != (head.journal_epoch, head.seq):
            text = json.dumps({"journal_epoch": head.journal_epoch, "seq": head.seq, "hash": head.hash.hex()})
            os.pwrite(self._fd, text.ljust(_SIZE).encode(), 0)
            self._noted = (head.journal_epoch, head.seq)

    def last(self) -> tuple[str, int, str] | None:
        """(journal epoch, seq, hash) as last noted; None where nothing was, or nothing that can be read."""
        try:
            found = json.loads(os.pread(self._fd, _SIZE, 0))
            epoch, seq, hash_ = str(found["journal_epoch"]), int(found["seq"]), str(found["hash"])
            int(epoch, 16)
        except (ValueError, KeyError, TypeError):
            return None
        return epoch, seq, hash_


def resume(connection: sa.Connection, journal: Journal, witness: HeadWitness, now_ns: int) -> Draft | None:
    """Call at a start, in a writing transaction. Where the database lacks the last head known, a new epoch is opened
    and its first record is returned, to be appended."""
    last = witness.last()
    if last is None or _holds(connection, journal, *last):
        return None
    held = journal.open(connection, now_ns)
    epoch, seq, hash_ = last
    journal.begin_epoch(connection, now_ns, after=max(held.journal_epoch, epoch))
    return Draft(
        JournalKind.JOURNAL_RESTORED,
        now_ns,
        {
            "last_known": {"journal_epoch": epoch, "seq": str(seq), "hash": hash_},
            "held": {"journal_epoch": held.journal_epoch, "seq": str(held.seq), "hash": held.hash.hex()},
        },
    )


def _holds(connection: sa.Connection, journal: Journal, epoch: str, seq: int, hash_: str) -> bool:
    rows = JOURNAL.c
    found = connection.scalar(
        sa.select(rows.hash).where(
            rows.aggregator == journal.aggregator_id, rows.chain == journal.chain,
            rows.journal_epoch == epoch, rows.seq == seq,
        )
    )  # fmt: skip
    return found is not None and found.hex() == hash_
