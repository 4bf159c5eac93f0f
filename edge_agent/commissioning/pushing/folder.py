"""The engineer's side of a push: one gateway's folder, read and checked here. Touches files only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contract.errors import ConfigError, Fault
from edge_agent.commissioning.pushing.difference import MODELS, ConfigSet
from edge_agent.settings.agent_file import AGENT_FILE
from edge_agent.settings.io_list import POINTS_FILE
from edge_agent.settings.load import load


@dataclass(frozen=True, slots=True)
class Folder:
    """What is pushed, and the devices that must answer afterwards."""

    files: ConfigSet
    devices: frozenset[str]


def read_folder(folder: Path, faults: list[Fault]) -> Folder | None:
    """None, with every fault of it, where it is not right."""
    try:
        config = load(folder, keys_here=False)
        models = sorted(path for path in (folder / MODELS).glob("*") if path.is_file() and path.name[0] != ".")
        names = [AGENT_FILE, POINTS_FILE, *(f"{MODELS}/{path.name}" for path in models)]
        files = {name: (folder / name).read_bytes() for name in names}
    except ConfigError as error:
        faults += [
            Fault(str(folder / each.file), each.row, each.column, each.message, each.remedy) for each in error.faults
        ]
        return None
    except OSError as error:
        faults.append(Fault(str(folder), None, None, f"cannot be read ({error})", "See to its permissions"))
        return None
    return Folder(files, frozenset(device.name for device in config.devices))
