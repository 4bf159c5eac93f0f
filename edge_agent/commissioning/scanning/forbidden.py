"""Units that nobody scans by accident: a list of places, in ``no-scan.toml`` of a folder or of the machine. Pure but for reading it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from contract.errors import ConfigError, Fault

FILE: Final = "no-scan.toml"
MACHINE_FILE: Final = Path("/etc/parksentry") / FILE
_REMEDY: Final = 'Write [[unit]] with at = "10.0.0.9:502", units = [3, 4] (left out: all) and why = "burner management"'


def forbidden(paths: Iterable[Path], endpoint: str) -> dict[int | None, str]:
    """The reason by unit; None stands for all units of the place. Raises ConfigError for a file that is not right."""
    found: dict[int | None, str] = {}
    for path in paths:
        if not path.exists():
            continue
        try:
            entries = tomllib.loads(path.read_text("utf-8")).get("unit", [])
            for entry in entries:
                if str(entry["at"]).lower() == endpoint.lower():
                    found |= {unit: str(entry.get("why", "no reason given")) for unit in entry.get("units", [None])}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError([Fault(str(path), None, "unit", f"cannot be understood ({error})", _REMEDY)]) from None
    return found
