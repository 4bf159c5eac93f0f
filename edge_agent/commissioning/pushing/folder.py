"""The engineer's side of a push: one gateway's folder, read and checked here. Touches files only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contract.errors import ConfigError, Fault
from edge_agent.commissioning.pushing.difference import FILE_BYTES_MAX, FILES, FILES_MAX, ConfigSet
from edge_agent.commissioning.pushing.losses import Polled, polled
from edge_agent.settings.agent_file import AGENT_FILE
from edge_agent.settings.load import load
from edge_agent.settings.models.library import MODELS_FOLDER as MODELS


@dataclass(frozen=True, slots=True)
class Folder:
    """What is pushed, and what is polled afterwards: those devices must answer."""

    files: ConfigSet
    polled: Polled


def read_folder(folder: Path, faults: list[Fault]) -> Folder | None:
    """None, with every fault of it, where it is not right."""
    if not folder.is_dir():
        remedy = f"Give an agent's folder (it has {AGENT_FILE}), or one with a folder per host, named as the host"
        faults.append(Fault(str(folder), None, None, "there is no such folder", remedy))
        return None
    try:
        config = load(folder, keys_here=False)
        models = sorted(path for path in (folder / MODELS).glob("*") if path.is_file() and path.name[0] != ".")
        names = [name for name in FILES if (folder / name).is_file()] + [f"{MODELS}/{path.name}" for path in models]
        files = {name: (folder / name).read_bytes() for name in names}
    except ConfigError as error:
        faults += [
            Fault(str(folder / each.file), each.row, each.column, each.message, each.remedy) for each in error.faults
        ]
        return None
    except OSError as error:
        faults.append(Fault(str(folder), None, None, f"cannot be read ({error})", "See to its permissions"))
        return None
    for name in (name for name, data in files.items() if len(data) > FILE_BYTES_MAX):
        message = f"the file is larger than {FILE_BYTES_MAX} bytes"
        faults.append(Fault(str(folder / name), None, None, message, "Keep what is no configuration elsewhere"))
    if len(files) > FILES_MAX:
        message = f"there are more than {FILES_MAX} files"
        faults.append(Fault(str(folder / MODELS), None, None, message, "Keep models elsewhere that nothing uses"))
    return Folder(files, polled(config))
