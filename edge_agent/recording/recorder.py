"""Writes down what the detectors judge, beside the loop: the loop appends to a list, a thread encodes and writes.

A recording is a folder of files that each begin with the state of the detectors, so the oldest can go when the budget is
used up and every one that is left can be judged again from its first row. What is not written within BLOCK_S is lost with
the process. Where the disk refuses or falls behind, rows are dropped, it is said once, and another file is begun when
there is room again: a recording has holes rather than an agent that waits.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import structlog

from contract.batch import SampleBatch
from contract.clock import NS_PER_S, Clock
from contract.points import Catalogue
from contract.wire.chunk import ScaleTable
from edge_agent.detect.checkpoint import Checkpoint, pack
from edge_agent.detect.engine import Engine
from edge_agent.outbox.catalogue import encode_points
from edge_agent.recording import columns
from edge_agent.recording.blocks import MARK, ROWS, Start, block, start_block

SUFFIX: Final = ".pksr"
BLOCK_S: Final = 5.0
BLOCK_ROWS: Final = 50_000
WAITING_ROWS_MAX: Final = 1_000_000
"""About 40 MB; more means that the disk does not keep up."""
FILES_PER_BUDGET: Final = 8
RETRY_NS: Final = 60 * NS_PER_S

_Ticked: TypeAlias = tuple[int, int]
_Rows: TypeAlias = list[SampleBatch | _Ticked]
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Whose:
    """What stays the same through one run of an agent. ``session`` tells its files from those of other runs."""

    agent: str
    session: str
    software: str
    boot_id: str


@dataclass(frozen=True, slots=True)
class _Begin:
    """The thread is to begin another file."""

    checkpoint: Checkpoint
    catalogue: Catalogue
    config_hash: str
    cause: str
    continues: bool
    wall_ns: int
    mono_ns: int


class Recorder:
    """All but ``close`` is called in the loop and never waits."""

    def __init__(self, directory: Path, budget_bytes: int, whose: Whose, clock: Clock) -> None:
        self._writer = _Writer(directory, budget_bytes, whose)
        self._clock = clock
        self._rows: _Rows = []
        self._count = 0
        self._handed_mono_ns = 0
        self._next: tuple[Engine, Catalogue, str] | None = None
        self._lost: str | None = None
        self._retry_mono_ns = 0

    def begin(self, engine: Engine, catalogue: Catalogue, config_hash: str, cause: str) -> None:
        """``engine`` judges from here on."""
        self._hand_over()
        self._next = engine, catalogue, config_hash
        self._begin(cause, continues=False)

    def changed(self) -> None:
        """Something that is no row changed the state of the detectors: what follows is judged from the state as it is now."""
        if self._lost is None:
            self._hand_over()
            self._begin("changed", continues=False)

    def rows(self, batch: SampleBatch) -> None:
        """The next that was judged; its columns are nobody's to change any more."""
        if self._lost is None:
            self._rows.append(batch)
            self._count += len(batch)
            if self._count >= BLOCK_ROWS:
                self._hand_over()

    def tick(self, time_ns: int, mono_ns: int) -> None:
        """A TICK was judged."""
        if self._lost is None:
            self._rows.append((time_ns, mono_ns))
            self._count += 1
        if mono_ns - self._handed_mono_ns >= BLOCK_S * NS_PER_S:
            self._turn(mono_ns)

    def close(self) -> None:
        """Write what is there. Waits for the disk, a few seconds at most."""
        self._hand_over()
        self._writer.close()

    def _turn(self, mono_ns: int) -> None:
        self._handed_mono_ns = mono_ns
        self._hand_over()
        if self._lost is None and (self._writer.failed or self._writer.waiting_rows > WAITING_ROWS_MAX):
            self._lost = "disk" if self._writer.failed else "fell_behind"
            self._retry_mono_ns = mono_ns + RETRY_NS
            log.error("recording_interrupted", cause=self._lost, error=self._writer.failed)
        elif self._lost is not None and mono_ns >= self._retry_mono_ns and self._writer.waiting_rows == 0:
            cause, self._lost = self._lost, None
            self._begin(cause, continues=False)
        elif self._lost is None and self._writer.is_full:
            self._begin("full", continues=True)

    def _begin(self, cause: str, *, continues: bool) -> None:
        assert self._next is not None
        engine, catalogue, config_hash = self._next
        now = self._clock.wall_ns(), self._clock.mono_ns()
        self._writer.put(_Begin(engine.checkpoint(), catalogue, config_hash, cause, continues, *now), 0)

    def _hand_over(self) -> None:
        if self._rows:
            self._writer.put(self._rows, self._count)
        self._rows, self._count = [], 0


class _Writer:
    """The thread and its queue. ``failed`` says why nothing is written until the next _Begin."""

    def __init__(self, directory: Path, budget_bytes: int, whose: Whose) -> None:
        self._directory = directory
        self._file_bytes_max = budget_bytes // FILES_PER_BUDGET
        self._budget_bytes = budget_bytes
        self._whose = whose
        self._number = 0
        self._path: Path | None = None
        self._scales = ScaleTable.of(Catalogue(0, ()))
        self._queue: queue.SimpleQueue[tuple[_Begin | _Rows | None, int]] = queue.SimpleQueue()
        self.waiting_rows = 0
        self.is_full = False
        self.failed: str | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    def put(self, work: _Begin | _Rows, rows: int) -> None:
        with self._lock:
            self.waiting_rows += rows
        if isinstance(work, _Begin):
            self.is_full, self.failed = False, None
        self._queue.put((work, rows))

    def close(self) -> None:
        self._queue.put((None, 0))
        self._thread.join(BLOCK_S)

    def _run(self) -> None:
        while True:
            work, rows = self._queue.get()
            if work is None:
                return
            try:
                if isinstance(work, _Begin):
                    self._begin(work)
                elif self.failed is None:
                    self._write(block(ROWS, columns.encode(_joined(work), self._scales)))
            except OSError as error:
                self.failed = str(error)
            except Exception as error:  # a fault of the program costs the recording, never the watch over the plant
                log.exception("recording_failed")
                self.failed = repr(error)
            with self._lock:
                self.waiting_rows -= rows

    def _begin(self, work: _Begin) -> None:
        whose = self._whose
        start = Start(
            whose.agent, whose.session, self._number, work.continues, work.cause, whose.software, whose.boot_id,
            work.config_hash, work.catalogue.version, encode_points(work.catalogue), pack(work.checkpoint),
            work.wall_ns, work.mono_ns,
        )  # fmt: skip
        self._path = self._directory / f"{whose.session}-{self._number:06d}{SUFFIX}"
        self._directory.mkdir(parents=True, exist_ok=True)
        self._number += 1
        self._scales = ScaleTable.of(work.catalogue)
        self._path.write_bytes(MARK + start_block(start))
        self._make_room()

    def _write(self, data: bytes) -> None:
        assert self._path is not None
        with self._path.open("ab") as file:
            file.write(data)
        self.is_full = self._path.stat().st_size >= self._file_bytes_max
        self._make_room()

    def _make_room(self) -> None:
        """The oldest files go, never the one that is written."""
        files = sorted(self._directory.glob(f"*{SUFFIX}"))
        sizes = {path: path.stat().st_size for path in files}
        for path in files:
            if sum(sizes.values()) <= self._budget_bytes or path == self._path:
                return
            path.unlink()
            del sizes[path]


def _joined(rows: _Rows) -> SampleBatch:
    return SampleBatch.concat([each if isinstance(each, SampleBatch) else SampleBatch.tick(*each) for each in rows])
