"""A migrated database with nothing in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aggregator.store.db import migrate, open_writer


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    engine = open_writer(path)
    with engine.begin() as connection:
        migrate(connection)
    engine.dispose()
    return path


@pytest.fixture
def engine(database):
    found = open_writer(database)
    yield found
    found.dispose()
