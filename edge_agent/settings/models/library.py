"""Which device models there are: those in the agent's folder, then those that come with the program. Touches files only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from contract.errors import Fault
from edge_agent.settings.models.template import MODEL_FILE_BYTES_MAX, Model, read_model

MODELS_FOLDER: Final = "models"
"""In an agent's folder; a file there stands in front of one of its name that comes with the program."""


def shipped_folder() -> Path:
    """In a checkout ``configs/devices``; in an installed package the copy that travels with it."""
    package = Path(__file__).parents[2]
    inside = package / "devices"
    return inside if inside.is_dir() else package.parent / "configs" / "devices"


def model_files(directory: Path | None) -> dict[str, Path]:
    """The file of each model by its name, in order of names."""
    folders = [shipped_folder()] + ([directory / MODELS_FOLDER] if directory else [])
    files = {path.stem: path for folder in folders for path in sorted(folder.glob("*.toml"))}
    return dict(sorted(files.items()))


def find(directory: Path | None, names: set[str] | None, faults: list[Fault]) -> Mapping[str, Model | None]:
    """Models by name, None for one with faults of its own; ``names`` limits what is read to these, None reads all."""
    found: dict[str, Model | None] = {}
    for name, path in model_files(directory).items():
        if names is not None and name not in names:
            continue
        own = directory is not None and path.parent == directory / MODELS_FOLDER
        file = f"{MODELS_FOLDER}/{path.name}" if own else str(path)
        try:
            with path.open("rb") as opened:
                data = opened.read(MODEL_FILE_BYTES_MAX + 1)
        except OSError as error:
            faults.append(Fault(file, None, None, f"the file cannot be read ({error})", "See to its permissions"))
            found[name] = None
            continue
        if len(data) > MODEL_FILE_BYTES_MAX:
            message = f"the file is larger than {MODEL_FILE_BYTES_MAX} bytes"
            faults.append(Fault(file, None, None, message, "Is it the right one?"))
            found[name] = None
            continue
        found[name] = read_model(name, file, data, faults)
    return found
