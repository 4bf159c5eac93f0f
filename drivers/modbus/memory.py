"""What was learned of a device, kept over a restart: a small JSON file in the agent's folder.

``driver`` recalls it before the first turn and saves it after a turn that taught something. The file is valid for one list
of points and the limits it is read under: with another list it is as if it were not there. A file that cannot be read or
written costs the memory, never the polling; ``trouble`` says so.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from contract.points import PointSpec
from drivers.modbus.settings import ModbusSettings

_FORMAT: Final = 1
_FILE_BYTES_MAX: Final = 1024 * 1024


class Memory:
    """The file of one device."""

    def __init__(self, folder: Path, device: str, settings: ModbusSettings, points: Iterable[PointSpec]) -> None:
        self._path = folder / f"modbus-{device}.json"
        self._list = _digest(settings, points)
        self.trouble: str | None = None

    def recall(self) -> Any:
        """What ``save`` was given last for this list of points; None where there is nothing."""
        try:
            with self._path.open("rb") as file:
                content = json.loads(file.read(_FILE_BYTES_MAX))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            self.trouble = f"{self._path.name} cannot be read: {error}"
            return None
        if not isinstance(content, dict) or content.get("format") != _FORMAT or content.get("list") != self._list:
            return None
        return content.get("learned")

    def save(self, learned: Any) -> None:
        """In one step: after a crash the file is the former or the new one."""
        content = json.dumps({"format": _FORMAT, "list": self._list, "learned": learned})
        unfinished = self._path.with_suffix(".new")
        try:
            with unfinished.open("w", encoding="ascii") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._path)
        except OSError as error:
            self.trouble = f"{self._path.name} cannot be written: {error}"
        else:
            self.trouble = None


def _digest(settings: ModbusSettings, points: Iterable[PointSpec]) -> str:
    """Of everything that decides what is asked of the device; the host may change, and points' names."""
    limits = (settings.unit, settings.max_registers, settings.max_bits, settings.max_gap)
    places = sorted((point.address, point.type.value) for point in points)
    return hashlib.sha256(json.dumps([limits, places]).encode()).hexdigest()
