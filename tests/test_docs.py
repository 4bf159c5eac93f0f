"""The documents keep up with the code: what a person can configure, type or meet is described."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from contract.events import EventType
from drivers.catalogue import DRIVERS
from edge_agent.settings.agent_file import AgentTable, DestinationTable, OutboxTable, RecordingTable, TelemetryTable
from edge_agent.settings.io_list import COLUMNS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_of_the_list_is_described(column: str) -> None:
    assert f"`{column}`" in text("docs/reference/points-csv.md")


@pytest.mark.parametrize(
    "key",
    [
        key
        for table in (AgentTable, DestinationTable, TelemetryTable, OutboxTable, RecordingTable)
        for key in table.model_fields
    ],
)
def test_every_key_of_the_agents_file_is_described(key: str) -> None:
    assert f"`{key}`" in text("docs/reference/points-csv.md")


@pytest.mark.parametrize("event_type", EventType)
def test_every_type_of_event_is_described(event_type: EventType) -> None:
    assert f"| `{event_type.value}` |" in text("docs/reference/events.md")


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_driver_is_named(driver: str) -> None:
    assert f"`{driver}`" in text("docs/reference/points-csv.md")


@pytest.mark.parametrize("package", ["contract", "drivers", "edge_agent", "aggregator", "hil_tests", "benchmarks"])
def test_every_package_is_on_the_map(package: str) -> None:
    assert f"`{package}/`" in text("docs/architecture.md")


def test_every_file_on_the_map_exists() -> None:
    """A file may be named with its folder from the top, or within the package of its paragraph."""
    named = set(re.findall(r"`([a-z_/]+\.py)`", text("docs/architecture.md")))
    known = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py") if ".venv" not in path.parts}
    missing = [name for name in named if not any(path == name or path.endswith("/" + name) for path in known)]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    broken = [target for target in targets if "://" not in target and not (document.parent / target).exists()]
    assert broken == []


def test_every_promise_names_what_shows_it() -> None:
    """A row of docs/acceptance.md names a test or a command; tests named there exist."""
    rows = [line for line in text("docs/acceptance.md").splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) > 20
    for row in rows:
        for name in re.findall(r"`(tests/[\w/]+\.py)(?:::[\w\[\]]+)?`", row):
            assert (ROOT / name).exists(), row


@pytest.mark.parametrize("page", ["docs/how-to/deploy-a-gateway.md", "docs/quick-start.zh.md"])
def test_whoever_deploys_a_gateway_is_led_to_the_commands_on_site(page: str) -> None:
    commands = ("scan", "try", "import", "browse", "watch", "loopcheck", "push")
    assert [each for each in commands if f"`edge-agent {each}`" not in text(page)] == []


def test_the_readme_says_what_this_is_not() -> None:
    readme = text("README.md")
    assert "not a safety instrumented system" in readme
    assert "GB/T 50493" in readme
