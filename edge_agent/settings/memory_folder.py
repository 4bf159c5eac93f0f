"""The folder in memory that stands in for an outbox whose disk takes nothing.

Its name follows from the outbox's, so that whoever asks the agent finds it there; what it holds is ``outbox.refuge``'s matter.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own in it, whose owner is looked at


def refuge_of(directory: Path) -> Path:
    """The folder in memory that belongs to an outbox."""
    return MEMORY / f"parksentry-{hashlib.sha256(os.fsencode(directory.absolute())).hexdigest()[:16]}"


def in_use(directory: Path) -> Path:
    """Where whoever asks finds the agent of this outbox: its socket and its status."""
    refuge, owners = refuge_of(directory), {os.getuid()}
    with suppress(OSError):
        owners.add(directory.stat().st_uid)
    return refuge if is_folder_of(refuge, owners) else directory


def is_folder_of(path: Path, owners: set[int]) -> bool:
    """A folder that nobody else can write to."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid in owners and not found.st_mode & 0o077
