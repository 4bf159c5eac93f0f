"""An independent witness of what was committed, for tests and the demo.

JSON lines, appended and fsynced right after each commit by the thread that committed: whatever a line names was durable
before the line was. What the aggregator's ledger lacks of it is lost. ``digest`` is ``d`` of an event or the digest of
a telemetry chunk, hexadecimal.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from contract.ids import Epoch, Lane

LINE_BYTES_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One committed message; ``mono_ns`` was read right after the commit. ``samples`` is for telemetry only."""

    lane: Lane
    epoch: Epoch
    seq: int
    digest: bytes
    mono_ns: int
    samples: int | None = None

    def encode(self) -> bytes:
        line: dict[str, object] = {
            "lane": self.lane.value, "epoch": self.epoch, "seq": self.seq, "digest": self.digest.hex(),
            "mono_ns": self.mono_ns,
        }  # fmt: skip
        if self.samples is not None:
            line["samples"] = self.samples
        return json.dumps(line, separators=(",", ":")).encode() + b"\n"


class Ledger:
    """One file for both lanes; both commit threads write. An existing one is continued, without the last line where a
    kill cut that off."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        self._lock = Lock()
        _drop_cut_line(self._fd)

    def record(self, lines: Iterable[LedgerLine]) -> None:
        """Append and fsync. Raises OSError."""
        data = b"".join(line.encode() for line in lines)
        with self._lock:
            while data:
                data = data[os.write(self._fd, data) :]
            os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


def _drop_cut_line(fd: int) -> None:
    size = os.fstat(fd).st_size
    start = max(0, size - LINE_BYTES_MAX)
    end = os.pread(fd, LINE_BYTES_MAX, start)
    if not end.endswith(b"\n"):
        os.ftruncate(fd, start + end.rfind(b"\n") + 1)
