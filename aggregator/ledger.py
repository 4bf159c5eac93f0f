"""An independent witness of what was committed: one JSON line per row, synced right after each commit.

It is written from the rows themselves and never read by the aggregator; tests and the demo compare it with what the
agents' own ledgers say was sent.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contract.ids import Lane

LINE_BYTES_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One committed row. ``digest`` is d_n of an event or the digest of a chunk; ``samples`` is None for events."""

    agent: str
    lane: Lane
    epoch: str
    seq: int
    digest: bytes
    samples: int | None = None


class Ledger:
    """Appends to a file; an existing one is continued, without the last line where a kill cut that off."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        _drop_cut_line(self._file)

    def append(self, lines: Sequence[LedgerLine], mono_ns: int) -> None:
        """Write and sync once for all. ``mono_ns``: when the commit had returned."""
        if lines:
            data = "".join(_text(line, mono_ns) for line in lines).encode()
            while data:
                data = data[os.write(self._file, data) :]
            os.fdatasync(self._file)

    def close(self) -> None:
        os.close(self._file)


def _drop_cut_line(file: int) -> None:
    size = os.fstat(file).st_size
    start = max(0, size - LINE_BYTES_MAX)
    end = os.pread(file, LINE_BYTES_MAX, start)
    if not end.endswith(b"\n"):
        os.ftruncate(file, start + end.rfind(b"\n") + 1)


def _text(line: LedgerLine, mono_ns: int) -> str:
    row = {
        "agent": line.agent, "lane": line.lane.value, "epoch": line.epoch, "seq": line.seq,
        "digest": line.digest.hex(), "mono_ns": mono_ns,
    }  # fmt: skip
    return json.dumps(row if line.samples is None else row | {"samples": line.samples}) + "\n"
