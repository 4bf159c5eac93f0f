"""Programs are started, watched and ended by their ids, with all that they started."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from hil_tests.processes import Followed, Program, ProgramError, run_to_end

IGNORES_SIGTERM = (
    "import signal, subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "signal.signal(signal.SIGTERM, lambda *_: None)\n"
    "print(child.pid, flush=True)\n"
    "while True: time.sleep(1)\n"
)


def write_module(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    (folder / "hil_sample_program.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return "hil_sample_program"


def first_line(log: Path) -> str:
    deadline = time.monotonic() + 20
    while not log.exists() or "\n" not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return log.read_text().splitlines()[0]


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_a_program_ends_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr("hil_tests.processes.STOP_TIMEOUT_S", 0.3)
    program = Program("p", write_module(tmp_path, monkeypatch, IGNORES_SIGTERM), [], tmp_path / "p.log")
    program.start()
    child = int(first_line(tmp_path / "p.log"))
    assert len(program.usage()) == 2
    getattr(program, how)()
    assert not program.running
    assert is_gone(child)


def test_a_program_that_ends_by_itself_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = write_module(tmp_path, monkeypatch, "import sys; print('the disk is full'); sys.exit(3)")
    program = Program("p", module, [], tmp_path / "p.log")
    program.start()
    deadline = time.monotonic() + 20
    while program.running and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(ProgramError, match=r"exit status 3(.|\n)*the disk is full"):
        program.require_running()
    assert program.stop() == 3
    program.start()
    program.kill()


def test_a_command_gives_its_output_or_its_complaint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = write_module(tmp_path, monkeypatch, "import sys; print('words'); sys.exit(len(sys.argv) - 1)")
    assert run_to_end(module) == "words\n"
    assert run_to_end(module, "a", good=(0, 1)) == "words\n"
    with pytest.raises(ProgramError, match=r"status 2(.|\n)*words"):
        run_to_end(module, "a", "b")


def test_a_followed_program_is_read_as_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import time\nprint('one', flush=True)\ntime.sleep(0.2)\nprint('two', flush=True)\ntime.sleep(60)"
    with Followed(write_module(tmp_path, monkeypatch, text), log=tmp_path / "p.log") as followed:
        assert followed.lines(20) == ["one"]
        assert followed.lines(20) == ["two"]
        assert followed.lines(0) == []
        assert followed.running
    assert not followed.running
