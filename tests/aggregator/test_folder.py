"""A folder is made whole or not at all, never twice, and one process at a time writes in it."""

from __future__ import annotations

import os
import stat

import pytest
from structlog.testing import capture_logs

from aggregator.agents import allowlist
from aggregator.app import ask, run
from aggregator.commands.messages import Command
from aggregator.folder import Folder, ingest_lock, make
from aggregator.journal.witness import HeadWitness
from aggregator.live.board import LiveBoard
from aggregator.people import passwords
from contract.errors import ConfigError
from contract.keys import generate

HASH = passwords.hash_new("li", "smells of bleach")


def test_a_new_folder_holds_everything_and_keeps_its_secret(folder):
    assert folder.settings().name == "park"
    assert stat.S_IMODE(folder.secret_file.stat().st_mode) == 0o600
    assert folder.secret_keys().public == folder.public_keys()
    assert folder.database.exists()


def open_to_others(folder):
    found = [folder.path, *folder.path.rglob("*")]
    return [str(path) for path in found if path.stat().st_mode & 0o077]


@pytest.fixture
def lax_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_new_folder_is_its_owners_alone(lax_umask, tmp_path):
    made = make(tmp_path / "open", "park", "tcp://127.0.0.1:0", "127.0.0.1:0")
    assert open_to_others(made) == []
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o700


def test_a_folder_from_before_is_closed_at_a_start_and_the_log_says_so(lax_umask, folder):
    folder.path.chmod(0o755)
    folder.database.chmod(0o644)
    folder.agents_file.chmod(0o664)
    with capture_logs() as logs:
        ask(folder, Command("user_add", {"name": "li", "role": "viewer", "scope": "", "password_hash": HASH}))
    assert open_to_others(folder) == []
    assert [(each["event"], each["closed"]) for each in logs if each["log_level"] == "warning"] == [
        ("folder_was_open_to_others", [".", "agents.json", "aggregator.db"])
    ]
    with capture_logs() as logs:
        ask(folder, Command("sessions_revoke", {"name": "li"}))
    assert logs == []


def test_what_processes_write_later_is_closed_as_well(lax_umask, folder):
    ask(folder, Command("user_add", {"name": "li", "role": "viewer", "scope": "", "password_hash": HASH}))
    board = LiveBoard(folder.live_database)
    board.alive("ingest", 1)
    board.flush()
    names = {path.name for path in folder.path.iterdir()}
    HeadWitness(folder.head_file).close()
    allowlist.add(folder.agents_file, "gate", generate("gate").public, 1)
    assert {"live.db", "live.db-wal", "ingest.lock"} <= names
    assert open_to_others(folder) == []
    board.close()


def test_the_list_of_agents_is_closed_whoever_writes_it(lax_umask, folder):
    allowlist.add(folder.agents_file, "gate", generate("gate").public, 1)
    assert open_to_others(folder) == []


def test_what_is_no_folder_of_an_aggregator_is_left_as_it_is(lax_umask, tmp_path):
    (tmp_path / "else").mkdir(mode=0o755)
    with pytest.raises(ConfigError):
        run(Folder(tmp_path / "else"), None, lambda _: None)
    assert stat.S_IMODE((tmp_path / "else").stat().st_mode) == 0o755


def test_a_second_time_is_refused_and_changes_nothing(folder):
    before = folder.secret_file.read_bytes()
    with pytest.raises(ConfigError, match="holds an aggregator already"):
        make(folder.path, "other", "tcp://127.0.0.1:1", "127.0.0.1:1")
    assert folder.secret_file.read_bytes() == before


def test_wrong_values_make_nothing(tmp_path):
    with pytest.raises(ConfigError) as caught:
        make(tmp_path / "x", "-", "udp://", "nowhere")
    assert len(caught.value.faults) == 3
    assert not (tmp_path / "x").exists()


def test_a_second_process_is_kept_out_and_told_who_is_in(folder):
    with ingest_lock(folder), pytest.raises(ConfigError, match=r"pid \d+"), ingest_lock(folder, timeout_s=0):
        pass
    with ingest_lock(folder, timeout_s=0):
        pass


def test_a_missing_key_file_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError, match="backup"):
        Folder(tmp_path).secret_keys()
