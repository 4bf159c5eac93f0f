"""The status file: whole or absent, and honest about whether its agent still runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_agent.station.status import STATUS_FILE, read_status, write_status


def test_there_is_none_before_the_first_run(tmp_path: Path) -> None:
    assert read_status(tmp_path) is None


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_status(tmp_path, {"pid": os.getpid(), "samples": 3})
    status = read_status(tmp_path)
    assert status is not None
    assert status["samples"] == 3
    assert [path.name for path in tmp_path.iterdir()] == [STATUS_FILE]


def test_an_agent_that_is_gone_is_not_running(tmp_path: Path) -> None:
    write_status(tmp_path, {"pid": 2**22 - 1})
    status = read_status(tmp_path)
    assert status is not None
    assert status["running"] is False


def test_an_agent_that_said_it_stopped_is_not_running(tmp_path: Path) -> None:
    write_status(tmp_path, {"pid": os.getpid(), "stopped": True})
    status = read_status(tmp_path)
    assert status is not None
    assert status["running"] is False


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / STATUS_FILE).write_text("{")
    with pytest.raises(ValueError, match="Expecting"):
        read_status(tmp_path)
