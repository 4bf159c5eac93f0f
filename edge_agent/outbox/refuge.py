"""Where the outbox goes when its disk takes nothing at a start: a folder in memory.

A gateway whose disk is full, read-only or gone watches the plant all the same. What the disk still gives is copied and
goes on in memory with its numbers, chain and conditions; the first start that finds the disk well takes it back there. A
power cut meanwhile takes the memory with it: the file on the disk is then an old image, which is noticed as a fork.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from contract.errors import StoreError
from edge_agent.outbox.database import EVENTS_FILE, LOCK_FILE, TELEMETRY_FILE, DirectoryLock, set_aside, size_on_disk
from edge_agent.outbox.rows import BUDGET_BYTES_MIN
from edge_agent.settings.memory_folder import is_folder_of, refuge_of

PROBE_BYTES: Final = 256 * 1024
"""What a disk must take to be trusted with a start: several times what opening both files writes."""
SHARE_OF_MEMORY: Final = 4
"""An outbox in memory takes at most one part in as many of what is free there."""
CONTINUED: Final = "continued"
"""Names the files that were copied from the disk: those there are older states of the same and may be replaced."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Place:
    """``directory`` is where the outbox is opened. ``disk_fault`` says why it is in memory, None where it is not;
    ``bytes_max`` is what it may take there."""

    directory: Path
    disk_fault: str | None = None
    bytes_max: int | None = None


def choose(directory: Path, wall_ns: int) -> Place:
    """Where to open the outbox now. Raises StoreError where another process has it, or there is no room at all."""
    _refuse_rival(directory)
    refuge = refuge_of(directory)
    fault = _fault_of(directory)
    if fault is None and refuge.exists():
        fault = _bring_home(directory, refuge, wall_ns)
    if fault is None:
        return Place(directory)
    log.error("outbox_in_memory", directory=str(directory), disk=fault, kept_in=str(refuge))
    try:
        return _prepared(directory, refuge, fault)
    except OSError as error:
        raise StoreError(f"{directory}: {fault}, and memory takes nothing either: {error}") from error


def _fault_of(directory: Path) -> str | None:
    probe = directory / ".probe"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        try:
            with probe.open("wb") as file:
                file.write(bytes(PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        return error.strerror or str(error)
    return None


def _prepared(directory: Path, refuge: Path, fault: str) -> Place:
    refuge.mkdir(mode=0o700, exist_ok=True)
    if not is_folder_of(refuge, {os.getuid()}):
        raise StoreError(f"{directory}: {fault}; {refuge} is not this user's own folder, remove it")
    free = os.statvfs(refuge)
    bytes_max = max(BUDGET_BYTES_MIN, free.f_bavail * free.f_frsize // SHARE_OF_MEMORY)
    if not (refuge / EVENTS_FILE).exists():
        _copy_what_fits(directory, refuge, bytes_max)
    return Place(refuge, fault, bytes_max)


def _copy_what_fits(directory: Path, refuge: Path, bytes_max: int) -> None:
    """Events first: without them telemetry has no numbers."""
    copied: list[str] = []
    for file in (EVENTS_FILE, TELEMETRY_FILE):
        names = [name for name in (file, f"{file}-wal") if (directory / name).exists()]
        bytes_max -= sum(size_on_disk(directory / name) for name in names)
        if not names or bytes_max < 0:
            break
        try:
            # The WAL first: a file that is there counts as copied whole.
            for name in reversed(names):
                shutil.copyfile(directory / name, refuge / name)
        except OSError as error:
            log.warning("outbox_not_readable", file=file, error=str(error))
            for name in names:
                (refuge / name).unlink(missing_ok=True)
            break
        copied.append(file)
    (refuge / CONTINUED).write_text("\n".join(copied), encoding="ascii")


def _bring_home(directory: Path, refuge: Path, wall_ns: int) -> str | None:
    """Take what went on in memory back to the disk; why not, where the disk does not take it."""
    if not is_folder_of(refuge, {os.getuid()}):
        raise StoreError(f"{refuge} is not this user's own folder, remove it")
    lock = DirectoryLock(refuge)
    try:
        _move(directory, refuge, wall_ns)
    except OSError as error:
        return error.strerror or str(error)
    finally:
        lock.release()
    shutil.rmtree(refuge)
    log.warning("outbox_back_on_disk", directory=str(directory))
    return None


def _move(directory: Path, refuge: Path, wall_ns: int) -> None:
    """All is on the disk under other names before anything there is touched."""
    files = [file for file in (EVENTS_FILE, TELEMETRY_FILE) if (refuge / file).exists()]
    names = [name for file in files for name in (f"{file}-wal", file) if (refuge / name).exists()]
    try:
        for name in names:
            _copy_synced(refuge / name, directory / f".{name}.new")
    except OSError:
        for name in names:
            (directory / f".{name}.new").unlink(missing_ok=True)
        raise
    marker = refuge / CONTINUED
    continued = marker.read_text(encoding="ascii").split() if marker.exists() else []
    for file in files:
        if file in continued:
            for suffix in ("-shm", "-wal", ""):
                (directory / f"{file}{suffix}").unlink(missing_ok=True)
        else:
            set_aside(directory, file, "disk-refused", wall_ns)
    for name in names:
        (directory / f".{name}.new").replace(directory / name)


def _copy_synced(source: Path, target: Path) -> None:
    with source.open("rb") as reading, target.open("wb") as writing:
        shutil.copyfileobj(reading, writing)
        writing.flush()
        os.fsync(writing.fileno())


def _refuse_rival(directory: Path) -> None:
    """A disk that filled up under a running agent still has that agent's lock."""
    try:
        descriptor = os.open(directory / LOCK_FILE, os.O_RDONLY)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StoreError(f"{directory} is in use by another process; stop that one first") from error
    finally:
        os.close(descriptor)
