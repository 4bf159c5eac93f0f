"""Who may connect: ``agents.json``, written by the command line, read by ingest.

The file is replaced whole, under a lock, so a reader sees the old list or the new one. Ingest looks at its (mtime,
inode, size) each turn of its loop: a revocation acts at once, on a live connection too.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from contract.errors import ConfigError, Fault
from contract.ids import AgentName, is_name
from contract.keys import KEY_BYTES, PublicKeys

AGENTS_MAX: Final = 10_000
_VERSION: Final = 1
_REMEDY: Final = "Restore the file from a backup; the journal says who was on it"


@dataclass(frozen=True, slots=True)
class Admission:
    """One agent of the list. Keys are hex; ``revoked_ns`` is None while it may connect. Times are ns UTC."""

    name: AgentName
    curve_public: str
    ed25519_public: str
    added_ns: int
    revoked_ns: int | None = None
    revoked_reason: str | None = None


def read(path: Path) -> list[Admission]:
    """The list as it is now. Raises ConfigError."""
    try:
        table = json.loads(path.read_bytes())
        entries = [Admission(**entry) for entry in table["agents"]]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise _fault(path, f"cannot be read as a list of agents ({error})") from error
    if table.get("version") != _VERSION or len(entries) > AGENTS_MAX:
        raise _fault(path, f"must be version {_VERSION} with at most {AGENTS_MAX} agents")
    if not all(_is_valid(entry) for entry in entries):
        raise _fault(path, "holds a name or key that is none")
    return entries


def write(path: Path, entries: list[Admission]) -> None:
    """Replace the file in one step; the new one is on disk before it takes the name."""
    new = path.with_suffix(".new")
    table = {"version": _VERSION, "agents": [asdict(entry) for entry in entries]}
    with open(new, "w", encoding="utf-8", opener=_private) as file:
        json.dump(table, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def add(path: Path, name: str, keys: PublicKeys, now_ns: int) -> None:
    """Admit ``keys`` under ``name``. Raises ConfigError where either is on the list, be it revoked."""
    with _locked(path):
        entries = read(path)
        for entry in entries:
            state = "" if entry.revoked_ns is None else ", revoked"
            if entry.name == name:
                raise _fault(
                    path, f"the name {name} is taken{state}", "Choose another name; a name is never used twice"
                )
            if entry.curve_public == keys.curve_public.hex():
                raise _fault(
                    path, f"this key is admitted already, as {entry.name}{state}",
                    "Make new keys with `edge-agent keygen`; a key belongs to one agent",
                )  # fmt: skip
        curve, signing = keys.curve_public.hex(), keys.ed25519_public.hex()
        write(path, [*entries, Admission(AgentName(name), curve, signing, now_ns)])


def revoke(path: Path, name: str, reason: str, now_ns: int) -> None:
    """Bar ``name`` for ever. Raises ConfigError where it is not on the list or barred already."""
    with _locked(path):
        entries = read(path)
        found = [entry for entry in entries if entry.name == name]
        if not found:
            raise _fault(path, f"there is no agent {name}", "See `aggregator agents list`")
        if found[0].revoked_ns is not None:
            raise _fault(path, f"{name} is revoked already", "There is nothing to do")
        revoked = replace(found[0], revoked_ns=now_ns, revoked_reason=reason)
        write(path, [revoked if entry.name == name else entry for entry in entries])


class AllowList:
    """What ingest holds of the file. ``on_fault`` hears of a file that cannot be read; the last good list stays."""

    def __init__(self, path: Path, on_fault: Callable[[ConfigError], None]) -> None:
        self._path = path
        self._on_fault = on_fault
        self._seen: tuple[int, int, int] | None = self._signature()
        self.entries = read(path)
        self._by_key = _admitted(self.entries)

    def reload(self) -> bool:
        """Look at the file; True where there is a new list."""
        signature = self._signature()
        if signature == self._seen:
            return False
        self._seen = signature
        try:
            self.entries = read(self._path)
        except ConfigError as error:
            self._on_fault(error)
            return False
        self._by_key = _admitted(self.entries)
        return True

    def name_of(self, key: str) -> AgentName | None:
        """The agent to whom this public key (hex) belongs, None where it may not connect."""
        return self._by_key.get(key)

    def is_revoked(self, key: str) -> bool:
        return any(entry.curve_public == key and entry.revoked_ns is not None for entry in self.entries)

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size


def _admitted(entries: list[Admission]) -> dict[str, AgentName]:
    return {entry.curve_public: entry.name for entry in entries if entry.revoked_ns is None}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path.with_suffix(".lock"), "w", opener=_private) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _is_valid(entry: Admission) -> bool:
    return isinstance(entry.name, str) and is_name(entry.name) and _is_key(entry.curve_public)


def _is_key(text: Any) -> bool:
    return isinstance(text, str) and len(text) == 2 * KEY_BYTES and all(digit in "0123456789abcdef" for digit in text)


def _fault(path: Path, message: str, remedy: str = _REMEDY) -> ConfigError:
    return ConfigError([Fault(path.name, None, None, message, remedy)])
