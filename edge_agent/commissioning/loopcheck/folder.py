"""Records between two sessions: a line of JSON each in ``loopcheck/records.jsonl`` of the agent's folder, synced as it is made.

A session that broke off, even within a line, is gone on with; sheets lie beside the records.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from contract.errors import ConfigError, Fault
from edge_agent.commissioning.loopcheck.record import Record, of_json

FOLDER: Final = "loopcheck"
RECORDS: Final = "records.jsonl"


def read_records(directory: Path) -> dict[str, Record]:
    """The latest record of each tag. Raises ConfigError for a line that is none, unless it is a last one that broke off."""
    path = directory / FOLDER / RECORDS
    try:
        lines = path.read_text("utf-8").split("\n")
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError([_fault(path, None, f"cannot be read ({error})")]) from error
    records = {}
    for number, line in enumerate(lines[:-1], 1):  # what follows the last line's end broke off
        if not line:
            continue
        try:
            record = of_json(json.loads(line))
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError([_fault(path, number, f"is no record ({error})")]) from error
        records[record.tag] = record
    return records


def _fault(path: Path, row: int | None, message: str) -> Fault:
    return Fault(f"{FOLDER}/{path.name}", row, None, message, "Restore it, or move it away to begin anew")


def append_record(directory: Path, record: Record) -> None:
    """On the disk when it returns. Raises OSError."""
    path = directory / FOLDER / RECORDS
    path.parent.mkdir(exist_ok=True)
    with path.open("a+b") as file:
        broken = file.tell() and _last_byte(file.fileno(), file.tell()) != b"\n"
        if broken:
            _cut_last_line(path)
        file.write(json.dumps(record.to_json(), ensure_ascii=False, allow_nan=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _last_byte(descriptor: int, size: int) -> bytes:
    return os.pread(descriptor, 1, size - 1)


def _cut_last_line(path: Path) -> None:
    """It broke off while it was written; nobody was told that it is kept."""
    data = path.read_bytes()
    os.truncate(path, data.rfind(b"\n") + 1)


def write_sheets(directory: Path, stem: str, csv_text: str, html_text: str) -> tuple[Path, Path]:
    """Never over a sheet that is there: the second of a name is numbered. Raises OSError."""
    folder = directory / FOLDER
    folder.mkdir(exist_ok=True)
    number, name = 1, stem
    while (folder / f"{name}.csv").exists():
        number += 1
        name = f"{stem}-{number}"
    paths = folder / f"{name}.csv", folder / f"{name}.html"
    for path, text in zip(paths, (csv_text, html_text), strict=True):
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    return paths
