"""Fields that end with their test, whatever becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hil_tests.field import Field
from hil_tests.rig.site import Site

OpenField = Callable[[Site], Field]


@pytest.fixture
def open_field(tmp_path: Path) -> Iterator[OpenField]:
    """Opens a field in the test's own folder."""
    with ExitStack() as stack:
        yield lambda site: stack.enter_context(Field(tmp_path / "field", site))


@pytest.fixture(scope="module")
def open_module_field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenField]:
    """Opens a field that the tests of one module share."""
    with ExitStack() as stack:
        yield lambda site: stack.enter_context(Field(tmp_path_factory.mktemp("shared") / "field", site))
