"""An aggregator's folder: what lies where, how it is made, and the lock that keeps a second ingest out.

::

    aggregator.toml                     settings, for people to edit
    keys/aggregator.key, .pub           who it is; the .pub file goes to the agents
    agents.json                         who may connect; written by `aggregator agents`
    aggregator.db                       journal, events, telemetry: the record
    live.db                             what is true right now; may be deleted
    ingest.lock                         held by the process that writes
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from aggregator import settings
from aggregator.agents import allowlist
from aggregator.settings import Settings
from aggregator.store import db
from contract.errors import ConfigError, Fault
from contract.keys import PublicKeys, SecretKeys, format_public, format_secret, generate, parse_public, parse_secret

LOCK_TIMEOUT_S: Final = 5.0
"""After a kill of the supervisor its ingest notices and goes within this."""
_LOCK_POLL_S: Final = 0.05
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Folder:
    """Paths below one folder; nothing is opened before it is asked for."""

    path: Path

    @property
    def settings_file(self) -> Path:
        return self.path / "aggregator.toml"

    @property
    def secret_file(self) -> Path:
        return self.path / "keys" / "aggregator.key"

    @property
    def public_file(self) -> Path:
        return self.path / "keys" / "aggregator.pub"

    @property
    def agents_file(self) -> Path:
        return self.path / "agents.json"

    @property
    def database(self) -> Path:
        return self.path / "aggregator.db"

    @property
    def live_database(self) -> Path:
        return self.path / "live.db"

    @property
    def head_file(self) -> Path:
        return self.path / "journal.head"

    @property
    def command_file(self) -> Path:
        """Where ingest takes commands; written at each start."""
        return self.path / "commands.endpoint"

    @property
    def lock_file(self) -> Path:
        return self.path / "ingest.lock"

    def settings(self) -> Settings:
        """Raises ConfigError."""
        return settings.load(self.settings_file)

    def secret_keys(self) -> SecretKeys:
        """Raises ConfigError."""
        return parse_secret(self._read(self.secret_file), self.secret_file.name)

    def public_keys(self) -> PublicKeys:
        """Raises ConfigError."""
        return parse_public(self._read(self.public_file), self.public_file.name)

    def _read(self, path: Path) -> str:
        try:
            return path.read_text("ascii")
        except (OSError, UnicodeDecodeError) as error:
            remedy = "Restore it from a backup; new keys would be strange to every agent"
            raise ConfigError([Fault(str(path), None, None, f"cannot be read: {error}", remedy)]) from error


def make(path: Path, name: str, listen: str, web: str) -> Folder:
    """A new aggregator in ``path``. Raises ConfigError for wrong values, and where there is one already."""
    folder = Folder(path)
    settings.validate({"name": name, "listen": listen, "web": {"listen": web}}, "aggregator init")
    taken = [file for file in (folder.settings_file, folder.secret_file, folder.database) if file.exists()]
    if taken:
        remedy = "Nothing was changed. Run it, or choose an empty folder"
        raise ConfigError([Fault(str(path), None, None, f"holds an aggregator already ({taken[0].name})", remedy)])
    folder.secret_file.parent.mkdir(parents=True, exist_ok=True)
    make_private(folder)  # before anything is in it
    keys = generate(name)
    _write(folder.secret_file, format_secret(keys))
    _write(folder.public_file, format_public(keys.public))
    allowlist.write(folder.agents_file, [])
    migrate(folder)
    _write(folder.settings_file, settings.TEMPLATE.format(name=name, listen=listen, web=web))
    make_private(folder)
    return folder


def make_private(folder: Folder) -> list[str]:
    """Leave the folder and all in it to its owner alone: journal, people and keys are there. What was open to others
    before, by path. SQLite gives WAL and shared memory the mode of their database. Raises ConfigError."""
    changed = []
    for path in [folder.path, *sorted(folder.path.rglob("*"))]:
        try:
            found = path.lstat().st_mode
            if stat.S_ISLNK(found) or not found & _OTHERS:
                continue
            path.chmod(stat.S_IMODE(found) & ~_OTHERS)
        except FileNotFoundError:  # a WAL, or a file that has just been replaced
            continue
        except OSError as error:
            remedy = "Let the user that runs the aggregator own the folder and all in it"
            fault = Fault(str(path), None, None, f"cannot be closed to others: {error}", remedy)
            raise ConfigError([fault]) from error
        changed.append(str(path.relative_to(folder.path)))
    return changed


def migrate(folder: Folder) -> None:
    """Make the database, or bring it to the newest schema. Raises StoreError."""
    engine = db.open_writer(folder.database)
    try:
        with engine.begin() as connection:
            db.migrate(connection)
    finally:
        engine.dispose()


@contextmanager
def ingest_lock(folder: Folder, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Held while the process lives. Raises ConfigError where another one still holds it after ``timeout_s``."""
    deadline_s = time.monotonic() + timeout_s
    with folder.lock_file.open("a+", encoding="ascii") as file:
        while not _try_lock(file.fileno()):
            if time.monotonic() > deadline_s:
                raise _in_use(folder, file)
            time.sleep(_LOCK_POLL_S)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _in_use(folder: Folder, file: TextIO) -> ConfigError:
    file.seek(0)
    message = f"another aggregator runs on this folder (pid {file.read().strip() or 'unknown'})"
    return ConfigError([Fault(str(folder.path), None, None, message, "Stop that one first")])


def _try_lock(file_descriptor: int) -> bool:
    try:
        fcntl.flock(file_descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner may read it."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    _write(fresh, text)
    fresh.replace(path)


def _write(path: Path, text: str) -> None:
    """Made with its mode from the beginning, so that a secret is at no moment readable by others."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
