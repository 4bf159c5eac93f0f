"""Reading beside the thread that writes: a connection of its own, in a thread of its own.

So a long read (a backlog that goes out) delays neither a commit nor the loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from edge_agent.outbox.database import is_corruption, judged, open_reader

T = TypeVar("T")


class Reader:
    """Read-only queries on one file, one after another. ``on_corrupt`` is told when the file turns out to be bad."""

    def __init__(self, path: Path, on_corrupt: Callable[[str], object]) -> None:
        self._path = path
        self._on_corrupt = on_corrupt
        self._db: sqlite3.Connection | None = None
        self._generation = self._opened = 0
        self._executor = ThreadPoolExecutor(1, f"outbox-read-{path.stem}")

    async def run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """``query`` on one consistent state of the file. Raises StoreError."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._run, query)

    def reopen(self) -> None:
        """The file under this name is another one now."""
        self._generation += 1

    def close(self) -> None:
        self._executor.submit(self._forget)
        self._executor.shutdown()

    def _run(self, query: Callable[[sqlite3.Connection], T]) -> T:
        try:
            db = self._connection()
            db.execute("BEGIN")
            try:
                return query(db)
            finally:
                db.execute("COMMIT")
        except sqlite3.Error as error:
            if is_corruption(error) and self._opened == self._generation:
                self._on_corrupt(str(error))
            raise judged(self._path, error) from error

    def _connection(self) -> sqlite3.Connection:
        if self._opened != self._generation:
            self._forget()
        if self._db is None:
            self._opened = self._generation
            self._db = open_reader(self._path)
        return self._db

    def _forget(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None
