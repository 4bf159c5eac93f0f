"""A folder is made whole or not at all, never twice, and one process at a time writes in it."""

from __future__ import annotations

import stat

import pytest

from aggregator.folder import Folder, ingest_lock, make
from contract.errors import ConfigError


def test_a_new_folder_holds_everything_and_keeps_its_secret(folder):
    assert folder.settings().name == "park"
    assert stat.S_IMODE(folder.secret_file.stat().st_mode) == 0o600
    assert folder.secret_keys().public == folder.public_keys()
    assert folder.database.exists()


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
