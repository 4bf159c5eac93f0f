"""The board is conflated, made anew when it cannot be read, and takes no columns that do not fit."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from aggregator.live.board import FLUSH_PERIOD_NS, LiveBoard, value_rows
from aggregator.live.tables import SESSIONS
from contract.errors import FrameError
from contract.ids import Epoch
from contract.points import PointSpec
from contract.wire.frames import Live


def row(agent: str, connected: bool) -> dict[str, object]:
    return {"agent": agent, "connected": connected, "epoch": "", "software": "", "boot_id": "", "heard_ns": 1}


def sessions(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT agent, connected FROM live_sessions ORDER BY agent").fetchall()


def test_only_the_newest_row_of_a_key_is_written_and_not_before_it_is_time(tmp_path):
    board = LiveBoard(tmp_path / "live.db")
    board.flush_if_due(FLUSH_PERIOD_NS)
    board.put(SESSIONS, [row("a", True), row("b", True)])
    board.put(SESSIONS, [row("a", False)])
    board.flush_if_due(2 * FLUSH_PERIOD_NS - 1)
    assert sessions(tmp_path / "live.db") == []
    board.flush_if_due(2 * FLUSH_PERIOD_NS)
    assert sessions(tmp_path / "live.db") == [("a", 0), ("b", 1)]
    board.close()


def test_a_corrupt_board_is_made_anew(tmp_path):
    path = tmp_path / "live.db"
    path.write_bytes(b"this is no database" * 1000)
    board = LiveBoard(path)
    board.put(SESSIONS, [row("a", True)])
    board.close()
    assert sessions(path) == [("a", 1)]


def test_what_was_true_before_a_restart_is_forgotten(tmp_path):
    board = LiveBoard(tmp_path / "live.db")
    board.put(SESSIONS, [row("a", True)])
    board.close()
    LiveBoard(tmp_path / "live.db").close()
    assert sessions(tmp_path / "live.db") == []


@pytest.mark.parametrize(("point", "quality"), [(b"\1\0\0", b"\0"), (b"\1\0\0\0", b"\0\0")], ids=["cut off", "uneven"])
def test_columns_that_do_not_fit_are_no_frame(point, quality):
    live = Live(Epoch("e" * 32), 1, 1, 1, point, bytes(8), bytes(8), quality, {})
    with pytest.raises(FrameError):
        value_rows("a", live, {1: PointSpec(1, "AT-1", "acme", "plc")}, 1)


def test_a_value_that_is_no_number_is_written_as_none(tmp_path):
    from aggregator.live.tables import VALUES

    board = LiveBoard(tmp_path / "live.db")
    point, time_ns = np.array([1], "<i4").tobytes(), np.array([5], "<i8").tobytes()
    live = Live(Epoch("e" * 32), 1, 1, 1, point, time_ns, np.array([np.nan]).tobytes(), b"\x80", {})
    board.put(VALUES, value_rows("a", live, {1: PointSpec(1, "AT-1", "acme", "plc")}, 1))
    board.close()
    with closing(sqlite3.connect(tmp_path / "live.db")) as connection:
        assert connection.execute("SELECT value, quality FROM live_values").fetchall() == [(None, 0x80)]
