"""What an agent's folder says of its Modbus devices and of a point, for commands that speak to a device themselves.

Reads files only. Only ``agent.toml`` must be right; keys and control rooms may be missing still.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from contract.errors import ConfigError, Fault
from contract.wire.frames import POINTS_PER_AGENT_MAX
from drivers.modbus.settings import ModbusSettings
from edge_agent.settings.agent_file import AGENT_FILE, read_agent_file
from edge_agent.settings.io_list import COLUMNS, POINTS_FILE, REQUIRED, Surroundings
from edge_agent.settings.suggest import did_you_mean, shown
from edge_agent.settings.table import Layout, Record, read_table

LAYOUT: Final = Layout(POINTS_FILE, COLUMNS, REQUIRED, POINTS_PER_AGENT_MAX)


@dataclass(frozen=True, slots=True)
class Folder:
    """``devices`` are those with the driver ``modbus``; ``records`` the rows of points.csv that could be told apart."""

    directory: Path
    devices: Mapping[str, ModbusSettings]
    records: tuple[Record, ...]
    surroundings: Surroundings

    @property
    def points_file(self) -> Path:
        return self.directory / POINTS_FILE

    def device(self, name: str) -> ModbusSettings:
        """Raises ConfigError."""
        if name in self.devices:
            return self.devices[name]
        message = f"there is no Modbus device {shown(name)}"
        raise ConfigError([Fault(AGENT_FILE, None, "device", message, did_you_mean(name, self.devices))])

    def record(self, tag: str) -> Record | None:
        return next((record for record in self.records if record.cells.get("tag") == tag), None)


def is_folder(path: Path) -> bool:
    return (path / AGENT_FILE).exists() or path.is_dir()


def open_folder(directory: Path) -> Folder:
    """Raises ConfigError with the faults of agent.toml; a list of points that is not there is one without points."""
    faults: list[Fault] = []
    try:
        data = (directory / AGENT_FILE).read_bytes()
    except OSError as error:
        remedy = "Give the folder of an agent; configs/ has samples to copy"
        message = f"{directory / AGENT_FILE} cannot be read ({error.strerror})"
        raise ConfigError([Fault(AGENT_FILE, None, None, message, remedy)]) from None
    file = read_agent_file(data, faults)
    if faults or file.agent is None or file.devices is None:
        raise ConfigError(faults)
    devices = {
        each.name: _placed(each.settings, directory)
        for each in file.devices
        if isinstance(each.settings, ModbusSettings)
    }
    path = directory / POINTS_FILE
    records = read_table(path.read_bytes(), LAYOUT, []) if path.exists() else []
    factories = {each.name: each.factory for each in file.devices}
    return Folder(directory, devices, tuple(records), Surroundings(file.agent.organisation, factories, 0.0))


def _placed(settings: ModbusSettings, directory: Path) -> ModbusSettings:
    files = {key: str(directory / file) for key, file in settings if key.endswith("_file") and file is not None}
    return settings.model_copy(update=files)
