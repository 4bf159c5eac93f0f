"""What a scan was told so far, in a file: one line per outcome, so that an interrupted scan goes on where it was.

The first line says what is scanned; a file of another scan is refused. A last line that was cut off is asked for again.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Self

from edge_agent.commissioning.scanning.search import Ask, Outcome, Plan, Refused, Search, Silent, Values

_FORMAT: Final = 1


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

    def recall(self, search: Search) -> None:
        """Tell the search what is on file. Raises RecordError and OSError."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            self._path.write_bytes(whole)
        lines = whole.decode("ascii", "replace").splitlines()
        if lines and lines[0] != self._head:
            raise RecordError(f"{self._path} is of another scan: give --state another file, or --again to begin anew")
        for line in lines[1:]:
            asked, outcome = _read(line)
            if asked != (None if search.wants() is None else _key(search.wants())):
                raise RecordError(f"{self._path} does not fit this scan: give --again to begin anew")
            search.take(outcome)

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


def _key(ask: Ask | None) -> list[Any]:
    assert ask is not None
    return [ask.unit, ask.table.value, ask.start, ask.count]


def _read(line: str) -> tuple[list[Any], Outcome]:
    try:
        *asked, said = json.loads(line)
    except ValueError as error:
        raise RecordError(f"a line of the state file is damaged: {error}") from None
    if isinstance(said, list):
        return asked, Values(tuple(said))
    return asked, Silent() if said is None else Refused(said)
