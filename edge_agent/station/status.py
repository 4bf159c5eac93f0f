"""The status file: what an agent said of itself last, there for ``edge-agent status`` when nobody answers at the socket.

Written at a start, at a stop, when something's state changes and every few seconds. Replaced in one step, so a reader
never sees half of it. It holds no secrets and is no record: the events are.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import structlog

from edge_agent.settings.memory_folder import in_use

STATUS_FILE: Final = "status.json"
log = structlog.get_logger()


def write_status(directory: Path, status: dict[str, Any]) -> None:
    """Raises OSError when the disk refuses."""
    draft = directory / f".{STATUS_FILE}.new"
    draft.write_text(json.dumps(status, indent=1, ensure_ascii=False), encoding="utf-8")
    draft.replace(directory / STATUS_FILE)


def starting(agent: str, wall_ns: int) -> dict[str, Any]:
    """What is said until there is anything to say: a first start compiles its detectors."""
    return {"agent": agent, "starting_pid": os.getpid(), "written_wall_ns": wall_ns}


class StatusFile:
    """A disk that is full or gone must not end the watch over the plant: said once per cause, tried again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._fault: str | None = None

    def write(self, status: dict[str, Any]) -> None:
        try:
            write_status(self._directory, status)
        except OSError as error:
            if self._fault != str(error):
                log.error("status_not_written", error=str(error))  # noqa: TRY400 - the text says all
            self._fault = str(error)
        else:
            self._fault = None


def read_status(directory: Path) -> dict[str, Any] | None:
    """The last status written, with ``running`` and ``starting`` added; None where there is none. Raises ValueError if it is no JSON."""
    try:
        text = (in_use(directory) / STATUS_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    status: dict[str, Any] = json.loads(text)
    pid = status.get("starting_pid")
    status["starting"] = pid is not None and _is_agent(int(pid))
    status["running"] = pid is None and not status.get("stopped", False) and _is_agent(int(status["pid"]))
    return status


def _is_agent(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (ProcessLookupError, FileNotFoundError):
        return False
    except PermissionError:
        return True
    return b"edge" in command
