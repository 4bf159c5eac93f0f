"""Real processes: ingest and web come and go with their supervisor, whichever is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

DEADLINE_S = 30.0


class Running:
    """An ``aggregator run`` with what it says on standard output."""

    def __init__(self, folder) -> None:
        self.errors = folder.path / "errors.log"
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "aggregator.cli", "run", str(folder.path)],
                stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip

    def serves(self, child: str) -> tuple[str, int]:
        """Where ``child`` serves, and its pid, from the next line that says so."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = re.match(rf"{child} serves (\S+) \(pid (\d+)\)", line)
            if found:
                return found[1], int(found[2])
        raise AssertionError(self.errors.read_text())

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        status = self.process.wait(DEADLINE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@pytest.fixture
def running(folder):
    started: list[Running] = []

    def start() -> Running:
        started.append(Running(folder))
        return started[-1]

    yield start
    for each in started:
        each.end(signal.SIGKILL)


def wait_gone(*pids: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while any(is_there(pid) for pid in pids):
        assert time.monotonic() < deadline, f"still there: {[pid for pid in pids if is_there(pid)]}"
        time.sleep(0.02)


def is_there(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_a_killed_ingest_comes_back_and_a_stop_ends_all(running):
    run = running()
    _, first = run.serves("ingest")
    address, web = run.serves("web")
    os.kill(first, signal.SIGKILL)
    _, second = run.serves("ingest")
    assert second != first
    assert is_there(web), "the web does not depend on ingest"
    with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
        assert b'"ingest_alive":true' in answer.read()
    assert run.end() == 0
    wait_gone(second, web)


def test_children_go_with_a_killed_supervisor_and_the_next_one_takes_over(running):
    run = running()
    _, ingest = run.serves("ingest")
    _, web = run.serves("web")
    run.end(signal.SIGKILL)
    again = running()
    _, successor = again.serves("ingest")
    assert successor != ingest
    wait_gone(ingest, web)
    assert again.end() == 0


def test_a_second_one_on_the_same_folder_is_refused_and_the_first_goes_on(running, monkeypatch):
    run = running()
    _, ingest = run.serves("ingest")
    second = running()
    assert second.process.wait(DEADLINE_S) == 1
    assert f"another aggregator runs on this folder (pid {ingest})" in second.errors.read_text()
    assert is_there(ingest)
    assert run.end() == 0
