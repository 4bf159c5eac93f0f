"""What a scan was told so far, in a file: one line per outcome, so that an interrupted scan goes on where it was.

The first line says what is scanned; a file of another scan, or with a line that fits none, is refused. A last line that was cut off
is asked for again, which the person is told. One scan at a time holds the file.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Self

from edge_agent.commissioning.scanning.search import Ask, Outcome, Plan, Refused, Search, Silent, Values

_FORMAT: Final = 2


class RecordError(Exception):
    """The file cannot be gone on with; the message says what to do."""


class Record:
    """The file of one scan. Use it as a context; ``recall``, or ``forget``, then ``save`` after each outcome."""

    def __init__(self, path: Path, endpoint: str, plan: Plan) -> None:
        # The limit on requests may be raised to go on.
        wanted = {key: value for key, value in asdict(plan).items() if key != "requests_max"}
        self._head = json.dumps({"format": _FORMAT, "endpoint": endpoint, "plan": wanted})
        self._path = path

    def __enter__(self) -> Self:
        """Raises RecordError."""
        try:
            self._file = self._path.open("a", encoding="ascii")
        except OSError as error:
            message = f"{self._path}, which keeps what is found, cannot be written ({error.strerror})"
            raise RecordError(f"{message}: give another place with --state FILE") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            message = f"another scan writes {self._path} now"
            raise RecordError(f"{message}: wait for its end, or give --state another file") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def forget(self) -> None:
        self._cut(0)

    def _cut(self, size: int) -> None:
        self._file.truncate(size)
        self._file.seek(0, os.SEEK_END)

    def recall(self, search: Search) -> list[str]:
        """Tell the search what is on file; what to tell the person of it. Raises RecordError and OSError."""
        data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        lines = whole.decode("ascii", "replace").splitlines()
        if not lines:
            self._cut(0)
            return [f"{self._path} was cut off before it had said anything: beginning anew"] if data else []
        if lines[0] != self._head:
            what = _difference(lines[0], self._head)
            raise RecordError(f"{self._path} {what}; give --state another file, or --again to begin anew")
        for number, line in enumerate(lines[1:], 2):
            asked, outcome = self._read(line, number)
            if search.next is None or asked != _key(search.next):
                raise RecordError(f"{self._path}, line {number} does not fit this scan: give --again to begin anew")
            search.take(outcome)
        self._cut(len(whole))
        cut = [f"{self._path} ended within a line, which is asked again"] if len(whole) < len(data) else []
        return [*cut, f"going on with {self._path}: {search.requests} requests are done"]

    def _read(self, line: str, number: int) -> tuple[list[Any], Outcome]:
        """Raises RecordError."""
        try:
            *asked, said = json.loads(line)
            count = asked[-1]
        except (ValueError, TypeError, IndexError):
            raise self._damaged(number) from None
        if said is None:
            return asked, Silent()
        if type(said) is int and 0 <= said <= 255:
            return asked, Refused(said)
        if isinstance(said, list) and len(said) == count and all(type(each) is int for each in said):
            return asked, Values(tuple(said))
        raise self._damaged(number)

    def _damaged(self, number: int) -> RecordError:
        return RecordError(f"{self._path}, line {number} is damaged: give --again to begin anew")

    def save(self, ask: Ask, outcome: Outcome) -> None:
        said = (
            list(outcome.words)
            if isinstance(outcome, Values)
            else outcome.code
            if isinstance(outcome, Refused)
            else None
        )
        if self._file.tell() == 0:
            self._file.write(self._head + "\n")
        self._file.write(json.dumps([*_key(ask), said]) + "\n")
        self._file.flush()


def _key(ask: Ask) -> list[Any]:
    return [ask.unit, ask.table.value, ask.start, ask.count]


def _difference(line: str, head: str) -> str:
    """What the first line of a file is instead of ``head``."""
    try:
        there, here = ({**of.pop("plan"), **of} for of in map(json.loads, (line, head)))
    except (ValueError, TypeError, AttributeError, KeyError):
        return "is no state file of a scan"
    keys = [key for key in here if there.get(key) != here[key]]
    return "is of another scan: " + ", ".join(f"{key} {_text(there.get(key))}, now {_text(here[key])}" for key in keys)


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
