"""What every test may ask for.

Tests have no ``__init__.py`` and are imported by path, so what they share comes as fixtures from here, from installed
packages, or from ``naive`` (slow plain twins of fast code).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import hypothesis
import pytest

from contract.clock import SimulatedClock

# The cores are shared and noisy: an example that took long says nothing about the code.
hypothesis.settings.register_profile("parksentry", deadline=None, print_blob=True)
hypothesis.settings.load_profile("parksentry")


_LONG = (
    "scenarios",
    "hil_tests",
    "test_packaging.py",
    "aggregator/pages",
    "drivers/opcua",
    "foreign",
    "edge_agent/commissioning",
)
"""Below this folder, the longest files first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where processes share the files, one that is long must not be the last, with the others idle meanwhile."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(here).as_posix()
        return next((i for i, long in enumerate(_LONG) if name.startswith(long)), len(_LONG))

    items.sort(key=place)


@pytest.fixture
def clock() -> SimulatedClock:
    """Time that stands still until the test advances it."""
    return SimulatedClock()


@pytest.fixture(scope="session")
def require_system() -> Callable[[str], str]:
    """A function that gives the path of a system command, e.g. ``require_system("cc")``.

    Without the command the test is skipped; where PARKSENTRY_REQUIRE_SYSTEM is set (``make test`` as root on Debian,
    which has just installed the list of tools/system_packages.sh) it fails.
    """

    def require(command: str) -> str:
        path = shutil.which(command)
        if path is not None:
            return path
        message = f"system command {command} is missing, see tools/system_packages.sh"
        if os.environ.get("PARKSENTRY_REQUIRE_SYSTEM"):
            pytest.fail(message)
        pytest.skip(message)

    return require
