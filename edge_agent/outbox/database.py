"""How a SQLite file of the outbox is made, opened, measured and set aside.

Knows files and pragmas, not what is in the tables. A file that cannot be trusted is renamed, never deleted at once, and
a new one takes its place: storage never stops polling.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contract.errors import StoreError

EVENTS_FILE: Final = "events.db"
TELEMETRY_FILE: Final = "telemetry.db"
LOCK_FILE: Final = "outbox.lock"

APPLICATION_ID: Final = 0x70_61_72_6B
PAGE_BYTES: Final = 4096
WAL_PAGES_MIN, WAL_PAGES_MAX = 16, 1000
PAGES_GIVEN_BACK_MAX: Final = 8192
SET_ASIDE_MAX: Final = 3
"""Copies kept of each file; the oldest goes, so that a disk that corrupts again and again does not fill up."""
QUICK_CHECK_BYTES_MAX: Final = 32 * 1024 * 1024
"""Larger files are not read through at a start: it would hold up the first poll. A bad page shows when it is read."""
_SUFFIXES: Final = ("", "-wal", "-shm")


class CorruptError(StoreError):
    """The file is no store of ours any more; set it aside."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file holds. ``create`` makes the tables where they are missing; ``version`` is SQLite's user_version."""

    file: str
    version: int
    synchronous: str
    create: Callable[[sqlite3.Connection], None]


def open_writer(directory: Path, layout: Layout, budget_bytes: int) -> sqlite3.Connection:
    """The one connection that writes. Raises CorruptError, or StoreError where the disk refuses or the file is newer
    than this software."""
    path = directory / layout.file
    try:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error
    try:
        _prepare(db, layout, budget_bytes)
    except BaseException as error:
        db.close()
        if isinstance(error, sqlite3.Error):
            raise judged(path, error) from error
        raise
    return db


def _prepare(db: sqlite3.Connection, layout: Layout, budget_bytes: int) -> None:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    if version > layout.version:
        raise StoreError(f"{layout.file} was written by a newer version of this software ({version})")
    wal_pages = max(WAL_PAGES_MIN, min(WAL_PAGES_MAX, budget_bytes // 16 // PAGE_BYTES))
    if version == 0:
        # Takes effect only while the file is empty; lets an evicted page leave the file.
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {layout.synchronous}")
    db.execute(f"PRAGMA wal_autocheckpoint = {wal_pages}")
    db.execute(f"PRAGMA journal_size_limit = {wal_pages * PAGE_BYTES}")
    if version == 0:
        layout.create(db)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {layout.version}")
    elif db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise CorruptError(f"{layout.file} is no store of this software")


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads."""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None,
                           check_same_thread=False, timeout=5.0)  # fmt: skip


def quick_check(db: sqlite3.Connection, path: Path) -> None:
    """Read a file of moderate size through. Raises CorruptError."""
    if path.stat().st_size <= QUICK_CHECK_BYTES_MAX:
        finding: str = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if finding != "ok":
            raise CorruptError(f"{path.name}: {finding}")


def is_corruption(error: sqlite3.Error) -> bool:
    """Whether the file is at fault (setting it aside helps), rather than the disk (waiting helps). A number that is
    taken already means that the file is not the one we think it is."""
    code: int = getattr(error, "sqlite_errorcode", None) or 0
    return code & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CONSTRAINT}


def judged(path: Path, error: sqlite3.Error) -> StoreError:
    """The error for whoever opens or reads the file. A missing table is the file's fault too."""
    missing = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return (CorruptError if missing or is_corruption(error) else StoreError)(f"{path.name}: {error}")


def set_aside(directory: Path, file: str, label: str, wall_ns: int) -> tuple[str, ...]:
    """Rename a closed file and what belongs to it to ``<file>.<label>-<wall_ns>``. The names that there are now."""
    renamed = []
    for suffix in _SUFFIXES:
        source = directory / f"{file}{suffix}"
        if source.exists():
            target = directory / f"{file}.{label}-{wall_ns}{suffix}"
            source.rename(target)
            renamed.append(target.name)
    _forget_oldest(directory, file)
    return tuple(renamed)


def _forget_oldest(directory: Path, file: str) -> None:
    kept = [path for path in directory.glob(f"{file}.*-*") if path.name.rpartition("-")[2].isdigit()]
    kept.sort(key=lambda path: int(path.name.rpartition("-")[2]))
    for path in kept[:-SET_ASIDE_MAX]:
        for suffix in _SUFFIXES:
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def live_bytes(db: sqlite3.Connection) -> int:
    """Pages in use, without the free ones that the next rows will take."""
    pages: int = db.execute("PRAGMA page_count").fetchone()[0]
    free: int = db.execute("PRAGMA freelist_count").fetchone()[0]
    return (pages - free) * PAGE_BYTES


def give_back(db: sqlite3.Connection) -> None:
    """Take free pages off the end of the file and cut off the WAL; outside a transaction. A reader in the way only puts
    it off."""
    # As a script: execute() takes but the first step of this pragma, which is one page.
    db.executescript(f"PRAGMA incremental_vacuum({PAGES_GIVEN_BACK_MAX})")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def size_on_disk(path: Path) -> int:
    """Bytes of one file, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def bytes_on_disk(directory: Path) -> int:
    """Both files, WAL included."""
    files = (EVENTS_FILE, f"{EVENTS_FILE}-wal", TELEMETRY_FILE, f"{TELEMETRY_FILE}-wal")
    return sum(size_on_disk(directory / file) for file in files)


class DirectoryLock:
    """One process per directory, as long as it lives. Raises StoreError where another holds it."""

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreError(f"{directory} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._fd)
            raise StoreError(f"{directory} is in use by another process; stop that one first") from error

    def release(self) -> None:
        os.close(self._fd)
