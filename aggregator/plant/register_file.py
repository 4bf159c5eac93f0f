"""``register.toml`` on disk: read anew whenever it changes, replaced in one step by ``aggregator register set``.

A file that cannot be used never empties the map of a running control room: the last good register stays, with the fault
beside it.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import structlog

from aggregator.plant.register import EMPTY, Register, parse
from contract.errors import ConfigError, Fault

FILE_NAME: Final = "register.toml"
FILE_BYTES_MAX: Final = 4 * 1024 * 1024

_Stamp: TypeAlias = "tuple[int, int, int] | None"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reading:
    """What the file said when it was last usable. ``is_there`` is False before the first one was set."""

    register: Register
    is_there: bool
    faults: tuple[Fault, ...] = ()
    """Why the file as it lies there now was not taken."""


class RegisterFile:
    """Safe to call from several threads; costs one ``stat`` while the file does not change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: _Stamp = None
        self._reading = Reading(EMPTY, is_there=False)

    def read(self) -> Reading:
        """Never raises: what is wrong is in the result, and logged once per change of the file."""
        with self._lock:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                self._stamp = stamp
                self._reading = Reading(EMPTY, is_there=False) if stamp is None else self._read()
            return self._reading

    def _read(self) -> Reading:
        try:
            return Reading(load(self._path), is_there=True)
        except ConfigError as error:
            # No traceback: the engineer's file is wrong, not this program.
            log.warning("register_refused", faults=len(error.faults), first=str(error.faults[0]))
            return Reading(self._reading.register, is_there=True, faults=error.faults)


def load(path: Path) -> Register:
    """Raises ConfigError with every fault."""
    return parse(_text(path), path.name)


def replace(path: Path, source: Path) -> Register:
    """Check ``source`` and put it in the place of ``path``. Raises ConfigError, and then nothing was changed."""
    text = _text(source)
    register = parse(text, source.name)
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return register


def _text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > FILE_BYTES_MAX:
            message = f"has {size} bytes, at most {FILE_BYTES_MAX} are read"
            raise ConfigError([Fault(path.name, None, None, message, "Leave out what is not on the map")])
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        remedy = "Give the path of a register, text in UTF-8"
        raise ConfigError([Fault(str(path), None, None, f"cannot be read: {error}", remedy)]) from error


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
