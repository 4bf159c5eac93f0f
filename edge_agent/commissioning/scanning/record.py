"""What a scan was told so far, in a file: one line per outcome, so that an interrupted scan goes on where it was.

The first line says what is scanned; a file of another scan, or with a line that fits none, is refused. A last line that was cut off
is asked for again, which the person is told.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Self

from edge_agent.commissioning.scanning.search import Ask, Outcome, Plan, Refused, Search, Silent, Values

_FORMAT: Final = 2


class RecordError(Exception):
    """The file cannot be gone on with; the message says what to do."""


class Record:
    """The file of one scan. Use it as a context; ``save`` after each outcome."""

    def __init__(self, path: Path, endpoint: str, plan: Plan) -> None:
        # The limit on requests may be raised to go on.
        wanted = {key: value for key, value in asdict(plan).items() if key != "requests_max"}
        self._head = json.dumps({"format": _FORMAT, "endpoint": endpoint, "plan": wanted})
        self._path = path

    def __enter__(self) -> Self:
        self._file = self._path.open("a", encoding="ascii")
        if self._file.tell() == 0:
            self._file.write(self._head + "\n")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def recall(self, search: Search) -> str | None:
        """Tell the search what is on file; what to tell the person of a file that was cut off. Raises RecordError and OSError."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            self._path.write_bytes(whole)
        lines = whole.decode("ascii", "replace").splitlines()
        if not lines:
            return f"{self._path} was cut off before it had said anything: beginning anew" if data else None
        if lines[0] != self._head:
            what = "is of another scan" if _is_head(lines[0]) else "is no state file of a scan"
            raise RecordError(f"{self._path} {what}: give --state another file, or --again to begin anew")
        for number, line in enumerate(lines[1:], 2):
            asked, outcome = self._read(line, number)
            if search.next is None or asked != _key(search.next):
                raise RecordError(f"{self._path}, line {number} does not fit this scan: give --again to begin anew")
            search.take(outcome)
        return f"{self._path} ended within a line, which is asked again" if len(whole) < len(data) else None

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
        self._file.write(json.dumps([*_key(ask), said]) + "\n")
        self._file.flush()


def _key(ask: Ask) -> list[Any]:
    return [ask.unit, ask.table.value, ask.start, ask.count]


def _is_head(line: str) -> bool:
    try:
        return "plan" in json.loads(line)
    except (ValueError, TypeError):
        return False
