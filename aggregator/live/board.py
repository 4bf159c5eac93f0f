"""The board on which ingest writes what is true right now, and from which the web reads it.

Nothing here is a record: it is conflated, never synced, and rebuilt from what agents send within seconds. It lies in a
file of its own, so that it can never delay a commit of the journal.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import sqlalchemy as sa

from aggregator.live.tables import DEVICES, LIVE_METADATA, PROCESSES, SESSIONS, VALUES
from aggregator.store.db import Prepared, Row, open_writer
from contract.clock import NS_PER_MS
from contract.errors import FrameError
from contract.points import PointSpec
from contract.wire.frames import Live

FLUSH_PERIOD_NS: Final = 200 * NS_PER_MS


class LiveBoard:
    """Collects rows, the newest per key, and writes them every FLUSH_PERIOD_NS. A corrupt file is replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: dict[str, dict[tuple[Any, ...], Row]] = {name: {} for name in _UPSERTS}
        self._engine = self._open()
        self._connection = self._engine.connect()
        self._flushed_ns = 0
        self._endpoint = ""

    def put(self, table: sa.Table, rows: Sequence[Row]) -> None:
        """Conflate ``rows`` (every column) into what is to be written."""
        keys = table.primary_key.columns.keys()
        self._pending[table.name].update({tuple(row[key] for key in keys): row for row in rows})

    def alive(self, process: str, wall_ns: int, endpoint: str = "") -> None:
        """This process says that it lives; the web takes it for dead when it has not for some seconds."""
        endpoint = endpoint or self._endpoint
        self._endpoint = endpoint
        self.put(PROCESSES, [{"name": process, "pid": os.getpid(), "endpoint": endpoint, "alive_ns": wall_ns}])

    def flush_if_due(self, now_ns: int) -> None:
        if now_ns - self._flushed_ns >= FLUSH_PERIOD_NS:
            self._flushed_ns = now_ns
            self.flush()

    def flush(self) -> None:
        if not any(self._pending.values()):
            return
        with self._connection.begin():
            for name, rows in self._pending.items():
                _UPSERTS[name].run(self._connection, list(rows.values()))
                rows.clear()

    def close(self) -> None:
        self.flush()
        self._connection.close()
        self._engine.dispose()

    def _open(self) -> sa.Engine:
        engine = open_writer(self._path, synchronous="OFF")
        try:
            _empty(engine)
        except (sa.exc.DatabaseError, sqlite3.DatabaseError):
            engine.dispose()
            for suffix in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            engine = open_writer(self._path, synchronous="OFF")
            _empty(engine)
        return engine


def _empty(engine: sa.Engine) -> None:
    """What was true before this process started says nothing about now."""
    with engine.begin() as connection:
        LIVE_METADATA.drop_all(connection)
        LIVE_METADATA.create_all(connection)


def value_rows(agent: str, live: Live, points: Mapping[int, PointSpec], received_ns: int) -> list[Row]:
    """Rows of VALUES from the columns of a LIVE frame. Raises FrameError where the columns do not fit together."""
    try:
        point, time_ns = np.frombuffer(live.point, "<i4"), np.frombuffer(live.time_ns, "<i8")
        value, quality = np.frombuffer(live.value, "<f8"), np.frombuffer(live.quality, np.uint8)
    except ValueError as error:
        raise FrameError("LIVE", "a column is cut off") from error
    if not len(point) == len(time_ns) == len(value) == len(quality):
        raise FrameError("LIVE", "columns differ in length")
    columns = zip(point.tolist(), time_ns.tolist(), value.tolist(), quality.tolist(), strict=True)
    return [
        {
            "agent": agent, "organisation": spec.organisation, "tag": spec.tag, "value": number, "unit": spec.unit,
            "quality": state, "time_ns": moment, "received_ns": received_ns,
        }
        for id_, moment, number, state in columns
        if (spec := points.get(id_)) is not None
    ]  # fmt: skip


def device_rows(agent: str, live: Live, points: Mapping[int, PointSpec]) -> list[Row]:
    return [
        {"agent": agent, "tag": points[id_].tag, "last_good_ns": last_good_ns}
        for id_, last_good_ns in live.devices.items()
        if id_ in points
    ]


_UPSERTS: Final = {table.name: Prepared.upsert(table) for table in (VALUES, DEVICES, SESSIONS, PROCESSES)}
