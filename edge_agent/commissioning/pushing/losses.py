"""What a push would take from a gateway that nobody may miss: devices and points that are polled, and readings accepted there.

The gateway's configuration is read with this machine's software, in a folder made for the moment; touches no other file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeAlias

from contract.errors import ConfigError, Fault
from contract.points import PointRole
from edge_agent.commissioning.pushing.difference import ConfigSet, printable
from edge_agent.settings.load import load
from edge_agent.settings.model import AgentConfig
from edge_agent.settings.models.accepted import ACCEPTED_FILE, Acceptance, read_accepted

NAMED_MAX: Final = 10
"""Of tags or entries; the rest is counted."""

Polled: TypeAlias = Mapping[str, frozenset[str]]
"""The tags of each device, without what the agent says of the device itself."""


def polled(config: AgentConfig) -> Polled:
    return {
        device.name: frozenset(p.tag for p in config.points_of(device.name) if p.role is PointRole.MEASUREMENT)
        for device in config.devices
    }


def polled_of(files: ConfigSet) -> Polled | None:
    """None where this machine's software does not take them."""
    with TemporaryDirectory(prefix="parksentry-push-") as name:
        folder = Path(name)
        try:
            for each, data in files.items():
                _write(folder, each, data)
            return polled(load(folder, keys_here=False))
        except (ConfigError, OSError, ValueError):
            return None


def _write(folder: Path, name: str, data: bytes) -> None:
    """Names come from another machine: what leads elsewhere is refused."""
    path = folder / name
    if len(path.relative_to(folder).parts) > 2 or ".." in path.parts:
        raise ValueError(name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


def lost_points(old: Polled | None, new: Polled) -> list[str]:
    """A line for each device that is polled no longer, or of which points are not."""
    if old is None:
        return ["LOOK: what the gateway polls now cannot be read here; see above what would be gone"]
    kept = frozenset[str]().union(*new.values())
    lines = []
    for device, tags in sorted(old.items()):
        gone = sorted(tags - kept)
        if device not in new:
            with_points = f" and its {_count(len(gone), 'point')} are" if gone else " is"
            lines.append(f"LOOK: device {device}{with_points} no longer polled")
        elif gone:
            verb = "is" if len(gone) == 1 else "are"
            lines.append(f"LOOK: {_count(len(gone), 'point')} of {device} {verb} no longer polled: {_named(gone)}")
    return [printable(line) for line in lines]


def lost_acceptances(old: ConfigSet, new: ConfigSet) -> str:
    """What was accepted on the gateway and would be gone or made undone by something older; empty where nothing would."""
    if ACCEPTED_FILE not in old or old[ACCEPTED_FILE] == new.get(ACCEPTED_FILE):
        return ""
    faults: list[Fault] = []
    before = _holding(read_accepted(old[ACCEPTED_FILE], faults))
    if faults:
        return "something that cannot be read here"
    after = _holding(read_accepted(new.get(ACCEPTED_FILE, b""), faults))
    lost = [
        f"{each.item} of {each.device or each.model} is {each.choice} ({each.by}, {each.at})"
        for key, each in before.items()
        if key not in after or (after[key] != each and after[key].at <= each.at)
    ]
    return printable(_named(lost))


def _holding(entries: Iterable[Acceptance]) -> dict[tuple[str, str, str], Acceptance]:
    """Of several entries the last holds."""
    return {(each.device, each.model, each.item): each for each in entries}


def _named(words: list[str]) -> str:
    more = [f"and {len(words) - NAMED_MAX} more"] if len(words) > NAMED_MAX else []
    return ", ".join([*words[:NAMED_MAX], *more])


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
