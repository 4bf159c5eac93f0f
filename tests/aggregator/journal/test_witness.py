"""A journal that was set back to a backup says so, and no number is given twice."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from aggregator import cli
from contract.events import EventType


def backup(database: Path, copy: Path) -> None:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def put_back(park, copy: Path) -> None:
    park.close()
    for beside in ("-wal", "-shm"):
        park.folder.database.with_name(park.folder.database.name + beside).unlink(missing_ok=True)
    copy.replace(park.folder.database)
    park.restart()


def test_a_restored_backup_opens_an_epoch_that_names_the_last_head_known(park, agent, tmp_path, capsys):
    backup(park.folder.database, tmp_path / "old.db")
    agent.event(EventType.CHECKPOINT, {})
    agent.acked(agent.batch(1))
    park.receiver.stop()
    (last,) = park.rows("SELECT journal_epoch, seq, hash FROM journal ORDER BY seq DESC LIMIT 1")
    put_back(park, tmp_path / "old.db")
    (restored,) = park.journal("journal_restored")
    assert restored["seq"] == "1"
    assert restored["journal_epoch"] > last.journal_epoch
    assert restored["data"]["last_known"] == {
        "journal_epoch": last.journal_epoch, "seq": str(last.seq), "hash": last.hash.hex()
    }  # fmt: skip
    assert cli.main(["verify", str(park.folder.path)]) == 0


def test_a_database_that_is_gone_is_no_fresh_start(park, tmp_path):
    park.receiver.stop()
    park.close()
    for path in park.folder.path.glob("aggregator.db*"):
        path.unlink()
    park.restart()
    assert next(record["kind"] for record in park.journal()) == "journal_restored"


def test_an_ordinary_restart_goes_on_in_its_epoch(park):
    for _ in range(2):
        park.receiver.stop()
        park.restart()
    assert park.journal("journal_restored") == []
    assert len(park.rows("SELECT DISTINCT journal_epoch FROM journal")) == 1
