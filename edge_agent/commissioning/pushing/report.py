"""What a gateway's own commands say, read with distrust, and whether that confirms a push. Pure.

``edge-agent check`` names the configuration by the first digits of its hash; ``edge-agent status --json`` says with which one the
agent runs and what state each device is in. A driver that a reload has made anew is connecting until its first scan has
ended, and one that the reload left alone keeps its state, so the state under the new hash is evidence that polls run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from drivers.base import DeviceState

_CONFIGURATION: Final = re.compile(r"^agent .*, configuration ([0-9a-f]{12,64})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Report:
    """``devices`` gives the state of each by name."""

    running: bool
    config_hash: str
    software: str
    devices: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """``missing`` is what is still waited for; ``remarks`` are worth telling though they hold nothing up."""

    missing: tuple[str, ...]
    remarks: tuple[str, ...]


def read_check(text: str) -> str | None:
    """The beginning of the hash of the configuration that was checked."""
    match = _CONFIGURATION.search(text)
    return match[1] if match else None


def read_report(text: str) -> Report | None:
    """None where the text is not what ``edge-agent status --json`` prints."""
    try:
        said = json.loads(text)
        devices = {str(each["device"]): str(each["state"]) for each in said["devices"]}
        return Report(said["running"] is True, str(said["config_hash"]), str(said["software"]), devices)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def judge(before: Report | None, now: Report | None, config_hash: str, devices: frozenset[str]) -> Verdict:
    """``devices`` are those of the configuration with this hash. One that did not answer before need not answer now."""
    if now is None or not now.running:
        return Verdict(("the agent does not run",), ())
    if not now.config_hash.startswith(config_hash):
        return Verdict((f"the agent runs with the configuration {now.config_hash[:12]}, not {config_hash[:12]}",), ())
    known = before.devices if before is not None and before.running else {}
    excused = {name for name in devices if known.get(name, DeviceState.ANSWERING) != DeviceState.ANSWERING}
    quiet = sorted(name for name in devices if now.devices.get(name) != DeviceState.ANSWERING)
    return Verdict(
        tuple(f"{name} does not answer" for name in quiet if name not in excused),
        tuple(f"{name} did not answer before and does not now" for name in quiet if name in excused),
    )
