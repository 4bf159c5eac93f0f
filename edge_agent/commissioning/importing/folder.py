"""The files of an import: the list, the agent's folder, the mapping. Touches files only."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from contract.errors import ConfigError, Fault
from contract.wire.frames import POINTS_PER_AGENT_MAX
from edge_agent.commissioning.importing.csv_grid import read_grids
from edge_agent.commissioning.importing.devices import Site
from edge_agent.commissioning.importing.grid import Grid, GridError
from edge_agent.commissioning.importing.mapping import Mapping, Question, read_mapping
from edge_agent.commissioning.importing.workbook import FILE_BYTES_MAX, read_sheets
from edge_agent.settings.agent_file import AGENT_FILE
from edge_agent.settings.io_list import COLUMNS, POINTS_FILE, REQUIRED, Surroundings
from edge_agent.settings.load import POINTS_FILE_BYTES_MAX, read_devices
from edge_agent.settings.table import Layout, read_table

MAPPING_BYTES_MAX: Final = 1024 * 1024
_HEAD: Final = "What an I/O list does not say; read by edge-agent import."
_ANY: Final = "organisation"
"""Stands in for that of an agent.toml that is not there yet."""


def read_file(path: Path, sheet: str | None) -> list[Grid]:
    """The sheets of a list. Raises ConfigError."""
    try:
        if path.suffix.casefold() in {".xlsx", ".xlsm"}:
            return read_sheets(path, sheet)
        return read_grids(_read(path, FILE_BYTES_MAX), path.name)
    except GridError as error:
        raise ConfigError([Fault(path.name, None, None, error.message, error.remedy)]) from error
    except OSError as error:
        raise ConfigError(
            [Fault(str(path), None, None, f"the file cannot be read ({error})", "See to its name")]
        ) from error


def _read(path: Path, bytes_max: int) -> bytes:
    with path.open("rb") as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise GridError(f"the file is larger than {bytes_max} bytes", "Is it the right one?")
    return data


def read_site(directory: Path) -> tuple[Site, Surroundings]:
    """The devices of the folder; without an ``agent.toml`` any name will do. Raises ConfigError where that is faulty."""
    if not (directory / AGENT_FILE).exists():
        return Site(), Surroundings(_ANY, None, 0.0)
    faults: list[Fault] = []
    file, _ = read_devices(directory, faults)
    if faults:
        raise ConfigError(faults)
    assert file.agent is not None
    assert file.devices is not None
    units = {each.name: getattr(each.settings, "unit", None) for each in file.devices}
    return Site(units), Surroundings(file.agent.organisation, {each.name: each.factory for each in file.devices}, 0.0)


def read_answers(path: Path) -> Mapping:
    """Empty where there is no such file. Raises ConfigError."""
    faults: list[Fault] = []
    mapping = Mapping()
    try:
        mapping = read_mapping(_read(path, MAPPING_BYTES_MAX).decode("utf-8-sig"), path.name, faults)
    except FileNotFoundError:
        return mapping
    except (OSError, UnicodeDecodeError, GridError) as error:
        faults.append(Fault(path.name, None, None, f"the file cannot be read ({error})", "Save it as UTF-8"))
    if faults:
        raise ConfigError(faults)
    return mapping


def write_answers(path: Path, answers: Sequence[tuple[Question, str]]) -> None:
    """Into the file that is there, or a new one; comments stay. Raises OSError."""
    import tomlkit

    try:
        document = tomlkit.parse(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        document = tomlkit.document()
        document.add(tomlkit.comment(_HEAD))
    for question, value in answers:
        if not question.table:
            document[question.key] = value
            continue
        if question.table not in document:
            document[question.table] = tomlkit.table()
        table = document[question.table]
        assert isinstance(table, dict)
        table[question.key] = value
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(tomlkit.dumps(document), "utf-8")
    draft.replace(path)


def present_rows(directory: Path) -> MappingOf[str, MappingOf[str, str]] | None:
    """The rows of the list that is there by tag; None where there is none. One that is not right has no rows."""
    try:
        data = _read(directory / POINTS_FILE, POINTS_FILE_BYTES_MAX)
    except FileNotFoundError:
        return None
    except GridError:
        return {}
    records = read_table(data, Layout(POINTS_FILE, COLUMNS, REQUIRED, POINTS_PER_AGENT_MAX), [])
    return {each.cells.get("tag", ""): {name: text for name, text in each.cells.items() if text} for each in records}
