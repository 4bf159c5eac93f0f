"""The thread that commits: one per file, so that a sync of the disk never holds up polling.

Group commit: whatever is queued while one commit runs goes into the next. A disk that refuses does not end the thread:
nothing of the failed group is forgotten, the same work is done again after a pause that grows.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Protocol

import structlog

from contract.errors import StoreError
from edge_agent.outbox.database import give_back, is_corruption
from edge_agent.outbox.rows import SetAside

PAUSE_MIN_S: Final = 0.05
PAUSE_MAX_S: Final = 5.0
LAST_ATTEMPTS: Final = 3
STOP_TIMEOUT_S: Final = 30.0

log = structlog.get_logger()


class Work(Protocol):
    """What a store does in its commit thread. All of it is called there and nowhere else."""

    def due(self) -> bool:
        """Is there anything to commit now?"""

    def write(self, db: sqlite3.Connection) -> Callable[[], None]:
        """Write, inside a transaction. Changes nothing in memory that a failed commit would have to undo; what it
        returns is called after the commit."""

    def has_freed(self) -> bool:
        """Did the last commit delete rows for their space?"""

    def replace(self, reason: str, label: str) -> tuple[sqlite3.Connection, SetAside]:
        """The file is set aside (its connection is closed already); open a new one."""


class Writer:
    """Owns the connection that writes, and the thread that uses it."""

    def __init__(self, name: str, db: sqlite3.Connection, work: Work, tick_s: float) -> None:
        self._name = name
        self._db: sqlite3.Connection | None = db
        self._work = work
        self._tick_s = tick_s
        self._condition = threading.Condition()
        self._woken = False
        self._stopping = False
        self._wanted: tuple[str, str, Future[SetAside]] | None = None
        self._cause: str | None = None
        self._failures = 0
        self.commits = 0
        self._thread = threading.Thread(target=self._run, name=f"outbox-{name}", daemon=True)

    @property
    def failing(self) -> str | None:
        """What the disk says while commits fail."""
        return self._cause

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There may be work. Cheap; any thread."""
        with self._condition:
            self._woken = True
            self._condition.notify()

    def replace(self, reason: str, label: str) -> Future[SetAside]:
        """Have the file set aside and a new one opened, between two commits."""
        with self._condition:
            if self._wanted is None:
                self._wanted = (reason, label, Future())
            self._woken = True
            self._condition.notify()
            return self._wanted[2]

    def stop(self) -> None:
        """Commit what is there (a few attempts where the disk refuses), close the file, end the thread. Raises
        StoreError where work was left undone."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        self._thread.join(STOP_TIMEOUT_S)
        if self._thread.is_alive() or self._cause is not None:
            raise StoreError(f"outbox {self._name} stopped with work undone: {self._cause or 'the disk hangs'}")

    # -- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        attempts_left = LAST_ATTEMPTS
        while True:
            stopping = self._wait()
            self._serve()
            if stopping:
                attempts_left -= self._cause is not None
                if attempts_left == 0 or (self._cause is None and not self._work.due()):
                    break
        if self._db is not None:
            self._db.close()

    def _wait(self) -> bool:
        with self._condition:
            if self._cause is not None:
                pause_s = min(PAUSE_MAX_S, PAUSE_MIN_S * 2 ** min(self._failures, 10))
                self._condition.wait_for(lambda: self._stopping, PAUSE_MIN_S if self._stopping else pause_s)
                if self._stopping:
                    self._condition.wait(PAUSE_MIN_S)
            elif not self._stopping:
                self._condition.wait_for(lambda: self._woken or self._stopping, self._tick_s)
            self._woken = False
            return self._stopping

    def _serve(self) -> None:
        """One turn. It must not end the thread, whatever happens."""
        try:
            if self._wanted is not None:
                self._set_aside()
            while self._wanted is None and self._work.due():
                self._commit()
            self._recovered()
        except (sqlite3.Error, StoreError) as error:
            self._failed(error)
            if isinstance(error, sqlite3.Error) and is_corruption(error):
                self.replace(str(error), "corrupt")
        except Exception as error:  # the owner of the thread is this line: it sees, says so, and goes on
            log.exception("outbox_thread_failed", store=self._name)
            self._failed(error)

    def _commit(self) -> None:
        assert self._db is not None, "a store that could not be opened is replaced first"
        self._db.execute("BEGIN IMMEDIATE")
        try:
            committed = self._work.write(self._db)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self.commits += 1
        self._recovered()
        committed()
        if self._work.has_freed():
            give_back(self._db)

    def _set_aside(self) -> None:
        assert self._wanted is not None
        reason, label, future = self._wanted
        if self._db is not None:
            self._db.close()
            self._db = None
        self._db, replaced = self._work.replace(reason, label)
        with self._condition:
            self._wanted = None
        log.error("outbox_store_replaced", store=self._name, reason=reason, kept_as=replaced.kept_as)
        if future.set_running_or_notify_cancel():
            future.set_result(replaced)

    def _failed(self, error: Exception) -> None:
        cause = f"{getattr(error, 'sqlite_errorname', type(error).__name__)}: {error}"
        self._failures += 1
        if cause != self._cause:
            log.error("outbox_commit_failed", store=self._name, cause=cause, failures=self._failures)
        self._cause = cause

    def _recovered(self) -> None:
        if self._cause is not None:
            log.warning("outbox_commits_again", store=self._name, cause=self._cause, failures=self._failures)
        self._cause, self._failures = None, 0
