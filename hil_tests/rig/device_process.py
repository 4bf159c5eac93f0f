"""The process of one device, whatever it speaks, or of several on one connection: takes its assignment, obeys, ends with its
parent.

``rig.Rig`` starts it and owns its standard input. The first line in is the assignment (JSON), every further line the name of
a device and a command (``commands``); each line is answered by one line of JSON: ``{"ok": true, "mono_ns": ...}`` or ``{"ok": false,
"error": ...}``. The end of the input ends the process, so that it dies with its parent however that dies.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from contract.errors import ConfigError
from hil_tests.rig.site import Device, PlantSettings
from hil_tests.rig.words import CommandError

LINE_BYTES_MAX: Final = 64 << 20
"""The assignment holds a whole device."""


class Assignment(BaseModel):
    """What the process is to play: the first device, and those behind it. ``folder`` takes their ledgers;
    ``start_mono_ns``: when their signals begin."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")

    devices: tuple[Device, ...]
    folder: Path
    start_mono_ns: int
    plant: PlantSettings | None = None

    @property
    def first(self) -> Device:
        return self.devices[0]

    @property
    def serial_port(self) -> Path:
        """What stands for the port where it speaks over a serial line."""
        return self.folder / f"{self.first.name}.tty"

    def ledger_path(self, name: str) -> Path:
        return self.folder / f"{name}.ledger"


class PlayedDevice(Protocol):
    """A device on the network. ``port`` is its own from the first moment to the last, also while nobody listens."""

    @property
    def port(self) -> int: ...

    async def open(self) -> None:
        """Do what it is told from the beginning, be there and listen. Raises OSError where the port cannot be listened on, and
        CommandError."""

    async def obey(self, name: str, text: str) -> int:
        """Carry out one command for a device and write it down; returns the moment it took effect. Raises CommandError,
        OSError."""

    def work(self) -> Sequence[Awaitable[None]]:
        """What has to go on while it listens. An error in one of them ends the device."""

    async def close(self) -> None: ...


MakeDevice = Callable[[Assignment], PlayedDevice]
"""Raises OSError (port taken, ledger not writable) and ConfigError (recordings)."""


async def serve(make: MakeDevice, commands_in: asyncio.StreamReader) -> int:
    """Run until ``quit`` or the end of the input. Returns the exit status."""
    try:
        device = make(Assignment.model_validate_json(await commands_in.readline()))
        await device.open()
    except (ConfigError, ValidationError, CommandError, OSError) as error:
        _say(ok=False, error=str(error))
        return 1
    _say(ok=True, mono_ns=time.monotonic_ns(), port=device.port, pid=os.getpid())
    obeying = asyncio.create_task(_obey_all(device, commands_in))
    running: set[asyncio.Future[None]] = {obeying, *map(asyncio.ensure_future, device.work())}
    while not obeying.done():
        done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()  # raises what went wrong in it, and so ends the process with a trace in its log
    for each in running:
        each.cancel()
    await device.close()
    return 0


async def _obey_all(device: PlayedDevice, commands_in: asyncio.StreamReader) -> None:
    while line := await commands_in.readline():
        name, _, text = line.decode(errors="replace").strip().partition(" ")
        if name and await _obeyed(device, name, text) and text == "quit":
            return


async def _obeyed(device: PlayedDevice, name: str, text: str) -> bool:
    try:
        mono_ns = await device.obey(name, text)
    except (CommandError, OSError) as error:
        _say(ok=False, error=str(error))
        return False
    _say(ok=True, mono_ns=mono_ns)
    return True


def _say(**fields: Any) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


async def _main(make: MakeDevice) -> int:
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return await serve(make, reader)


def run_device(make: MakeDevice) -> None:
    """The whole life of the process."""
    sys.exit(asyncio.run(_main(make)))
