"""Which agents run on this machine and ask a device just now: a second master disturbs them, and they it.

Looks at the machine's processes and at the folders that they were started with.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from contract.errors import ConfigError
from drivers.modbus.settings import ModbusSettings
from edge_agent.commissioning.probing.folder import open_folder
from edge_agent.settings.agent_file import AGENT_FILE


def warning(settings: ModbusSettings) -> str | None:
    """What to tell a person who is about to ask the device; None where no agent of this machine polls it."""
    running = [*_running()]
    started = {(parent, directory) for _, parent, directory in running}
    asked = sorted(
        f"{directory} (process {pid})"
        for pid, _, directory in running
        # A process that started another with the same words only waits for it (timeout, sudo).
        if (pid, directory) not in started and _polls(directory, settings)
    )
    if not asked:
        return None
    return (
        f"the agent of {', '.join(asked)} polls {settings.endpoint} now: its polling may be late meanwhile, and a device "
        "that takes one connection only refuses one of the two"
    )


def _polls(directory: Path, settings: ModbusSettings) -> bool:
    try:
        devices = open_folder(directory).devices.values()
    except ConfigError:
        return False  # what runs there was read from a folder that has changed since
    return any(each.endpoint == settings.endpoint for each in devices)


def _running() -> Iterator[tuple[int, int, Path]]:
    """Process, the one that started it, and the folder."""
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
                home = (process / "cwd").resolve(strict=True)
                parent = int((process / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            except OSError:
                continue  # it has ended, or is another user's
            if "run" in words and any("edge-agent" in word or "edge_agent" in word for word in words):
                after = words[words.index("run") + 1 :]
                folders = {(home / each).resolve() for each in after if (home / each / AGENT_FILE).exists()}
                yield from ((int(process.name), parent, folder) for folder in folders)
