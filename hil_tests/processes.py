"""The programs under test as child processes.

Each runs in a session of its own, so that Ctrl-C at the terminal reaches only the rig, which then stops them in order.
Processes are ended by their ids: those that were started here, and their descendants.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import psutil

STOP_TIMEOUT_S: Final = 30.0
"""An agent brings down what it owes before it ends; on a busy machine that takes its time."""
COMMAND_TIMEOUT_S: Final = 60.0
TAIL_LINES: Final = 15
LINES_WAITING_MAX: Final = 100_000
_ROOT: Final = Path(__file__).parents[1]


class ProgramError(RuntimeError):
    """A program did not start, ended by itself, or said no; the text ends with the last lines that it wrote."""

    def __init__(self, name: str, message: str, output: str) -> None:
        super().__init__(f"{name} {message}" + (f"; it wrote:\n{tail(output)}" if output else ""))


def tail(output: str) -> str:
    """The last lines of what a program wrote."""
    return "\n".join(output.splitlines()[-TAIL_LINES:])


class Program:
    """One program, started and ended as often as wanted; its output is appended to ``log``."""

    def __init__(self, name: str, module: str, arguments: Sequence[str], log: Path) -> None:
        self.name = name
        self._command = [sys.executable, "-m", module, *arguments]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        assert not self.running, f"{self.name} runs already"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=_ROOT, start_new_session=True
            )

    def require_running(self) -> None:
        """Raises ProgramError when it has ended by itself."""
        if not self.running:
            status = self._process.returncode if self._process is not None else None
            raise ProgramError(self.name, f"is not running (exit status {status})", self.written())

    def stop(self) -> int | None:
        """Ask it to end (SIGTERM), make it end (SIGKILL) when it does not; returns its exit status."""
        if self._process is None:
            return None
        if self.running:
            descendants = self._descendants()
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
            _kill_all(descendants)
        return self._process.wait()

    def kill(self) -> None:
        """SIGKILL to it and its descendants, as when the machine loses its power."""
        if self._process is None:
            return
        descendants = self._descendants()
        self._process.kill()
        _kill_all(descendants)
        self._process.wait()

    def usage(self) -> list[psutil.Process]:
        """The program and its descendants, for measuring; empty when it does not run."""
        if not self.running:
            return []
        assert self._process is not None
        return [psutil.Process(self._process.pid), *self._descendants()]

    def _descendants(self) -> list[psutil.Process]:
        assert self._process is not None
        try:
            return list(psutil.Process(self._process.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            return []

    def written(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""


def _kill_all(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while not all(map(_is_dead, processes)) and time.monotonic() < deadline:
        time.sleep(0.005)


def _is_dead(process: psutil.Process) -> bool:
    """A dead process stays in the table until whoever inherited it has collected it, which may take a while."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def run_to_end(module: str, *arguments: str, good: tuple[int, ...] = (0,)) -> str:
    """Run a command of one of the programs; returns what it printed. Raises ProgramError when its status is another."""
    name = f"{module} {' '.join(arguments)}"
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments], cwd=_ROOT, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, encoding="utf-8", timeout=COMMAND_TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ProgramError(name, f"did not end within {COMMAND_TIMEOUT_S} s", "") from error
    if done.returncode not in good:
        raise ProgramError(name, f"ended with status {done.returncode}", done.stdout + done.stderr)
    return done.stdout


class Followed:
    """A program whose lines of output are read as they come, in a thread of their own."""

    def __init__(self, module: str, *arguments: str, log: Path) -> None:
        self._lines: queue.Queue[str] = queue.Queue(LINES_WAITING_MAX)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments], cwd=_ROOT, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8", start_new_session=True,
            )  # fmt: skip
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def lines(self, timeout_s: float) -> list[str]:
        """What has come since the last call; waits up to ``timeout_s`` for the first line."""
        lines: list[str] = []
        deadline = time.monotonic() + timeout_s
        with suppress(queue.Empty):
            lines.append(self._lines.get(timeout=max(0.001, deadline - time.monotonic())))
            while True:
                lines.append(self._lines.get_nowait())
        return lines

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(STOP_TIMEOUT_S)

    def _read(self, output: IO[str]) -> None:
        with output:
            for line in output:
                self._lines.put(line.rstrip("\n"))
