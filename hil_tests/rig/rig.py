"""Starts a site's devices as processes, speaks with them and reads their ledgers.

The parent's side of ``device_process``: each device is a child whose standard input is held here. When this process
ends, by whatever cause, the inputs close and the children end.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from contract.errors import ConfigError
from hil_tests.rig.commands import PLANT, parse_command
from hil_tests.rig.device_process import Assignment
from hil_tests.rig.ledger import LedgerRow, read_ledger
from hil_tests.rig.plant import Plant, parse_plant_command
from hil_tests.rig.plant_feed import LEAD_NS
from hil_tests.rig.signals import PlantTag
from hil_tests.rig.site import MODBUS, OPCUA, Device, ModbusSpec, Site, Transport, leader, site_faults
from hil_tests.rig.words import CommandError, shown

START_TIMEOUT_S: Final = 30.0
ANSWER_TIMEOUT_S: Final = 30.0
"""A restart of an OPC UA server takes more than a second of a processor that others may want, too."""
STOP_TIMEOUT_S: Final = 5.0
_PROGRAMS: Final = {MODBUS: "hil_tests.rig.modbus_device", OPCUA: "hil_tests.rig.opcua_device"}


class RigError(RuntimeError):
    """A device's process did not start, died, or does not answer."""

    def __init__(self, device: str, message: str) -> None:
        self.device = device
        super().__init__(f"device {device}: {message}")


class Rig:
    """``with Rig(load_site(path), work_dir) as rig: rig.command("chlorine", "step", "gas1", 3.5)``.

    ``work_dir`` receives ``NAME.ledger`` and ``NAME.log`` of each device, in place of a former run's, and ``NAME.tty`` where
    it speaks over a serial line. All signals begin at ``start_mono_ns``.
    """

    def __init__(self, site: Site, work_dir: Path) -> None:
        """Raises ConfigError for a site that cannot be played; starts nothing."""
        if faults := [*site_faults(site)]:
            raise ConfigError(faults)
        self.site = site
        self.start_mono_ns = 0
        self._work_dir = work_dir.resolve()
        self._children: dict[str, _Child] = {}
        self._orders = None if site.plant is None else Plant(site.plant.seed, only=())
        """A copy that stays at its beginning: it knows what may be ordered, and rounds to steps."""
        self._ordered: list[tuple[str, int]] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Returns when every device listens. Raises RigError, and then none runs."""
        self._work_dir.mkdir(parents=True, exist_ok=True)
        self.start_mono_ns = time.monotonic_ns()
        self._ordered = []
        try:
            for devices in self.site.connections():
                name = devices[0].name
                self._children[name] = _Child(self._assignment(devices), self._work_dir / f"{name}.log")
            for child in self._children.values():
                child.wait_until_it_listens()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every device's process. Safe to call twice; ledgers stay."""
        children, self._children = [*self._children.values()], {}
        for child in children:
            child.close_input()
        for child in children:
            child.reap()

    @property
    def ports(self) -> dict[str, int]:
        """Of each device; 0 where it speaks over a serial line."""
        return {each.name: child.port for each in self.site.devices if (child := self._children.get(leader(each)))}

    @property
    def places(self) -> dict[str, int | str]:
        """Where each device is to be found: its port, or the path of its serial port."""
        paths = {
            each.name: str(self._work_dir / f"{each.name}.tty") for each in self.site.devices
            if isinstance(each, ModbusSpec) and each.transport is Transport.RTU
        }  # fmt: skip
        return {each.name: paths.get(leader(each), self.ports[each.name]) for each in self.site.devices}

    @property
    def pids(self) -> dict[str, int]:
        return {name: child.pid for name, child in self._children.items()}

    def command(self, device: str, verb: str, *args: str | float) -> int:
        """Tell a device something (see ``commands``), as words or as one line of text; returns the moment on the
        monotonic clock at which it took effect. Raises CommandError (nothing changed), RigError, KeyError."""
        text = " ".join([verb, *(each if isinstance(each, str) else shown(each) for each in args)])
        parse_command(text)
        answer = self._children[leader(self.site[device])].ask(f"{device} {text}")
        if not answer["ok"]:
            raise CommandError(f"device {device}: {answer['error']}")
        return int(answer["mono_ns"])

    def plant(self, *words: str | float) -> int:
        """Something happens in the plant (see ``plant.PLANT_USAGES``), for all devices at one moment; returns that moment
        on the monotonic clock, about a second ahead.

        Raises CommandError (the site has no plant, or its plant no such thing: nothing changed; or a device was too busy to
        hear of it in time: from then on the copies differ), RigError.
        """
        if self._orders is None:
            raise CommandError("this site has no plant: its site.toml lacks [plant]")
        text = " ".join(each if isinstance(each, str) else shown(each) for each in words)
        asked_ns = time.monotonic_ns() - self.start_mono_ns + LEAD_NS
        t_ns = self._orders.apply(parse_plant_command(text), asked_ns)
        for device in self.site.devices:
            if any(isinstance(each.signal, PlantTag) for each in device.instruments):
                self.command(device.name, PLANT, t_ns, text)
        self._ordered.append((text, t_ns))
        return self.start_mono_ns + t_ns

    def plant_copy(self, only: Iterable[str] | None = None) -> Plant:
        """The plant that the devices look at, from its beginning, with all that has been ordered so far. Its 0 is
        ``start_mono_ns``. The site must have one."""
        assert self.site.plant is not None
        plant = Plant(self.site.plant.seed, only)
        for text, t_ns in self._ordered:
            plant.apply(parse_plant_command(text), t_ns)
        return plant

    def ledger_path(self, device: str) -> Path:
        return self._work_dir / f"{device}.ledger"

    def ledger(self, device: str) -> list[LedgerRow]:
        """What the device has served so far."""
        return read_ledger(self.ledger_path(device))

    def ledgers(self) -> dict[str, list[LedgerRow]]:
        """Of every device."""
        return {each.name: self.ledger(each.name) for each in self.site.devices}

    def _assignment(self, devices: tuple[Device, ...]) -> Assignment:
        return Assignment(
            devices=devices, folder=self._work_dir, start_mono_ns=self.start_mono_ns, plant=self.site.plant
        )


@dataclass(frozen=True, slots=True)
class _Line:
    """None is the end of the child's output."""

    text: str | None


class _Child:
    """One device's process; the only place that knows its pipes."""

    def __init__(self, assignment: Assignment, log: Path) -> None:
        self.port = 0
        self._name = assignment.first.name
        self._log = log
        self._lines: queue.SimpleQueue[_Line] = queue.SimpleQueue()
        self._lock = threading.Lock()
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _PROGRAMS[assignment.first.kind]],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True, encoding="utf-8",
                cwd=Path(__file__).parents[2], start_new_session=True,
            )  # fmt: skip
        self._reader = threading.Thread(target=self._read_lines, name=f"rig {self._name}", daemon=True)
        self._reader.start()
        self._send(assignment.model_dump_json(by_alias=True))

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until_it_listens(self) -> None:
        answer = self._receive(START_TIMEOUT_S)
        if not answer["ok"]:
            raise RigError(self._name, answer["error"])
        self.port = answer["port"]

    def ask(self, text: str) -> dict[str, Any]:
        with self._lock:
            self._send(text)
            return self._receive(ANSWER_TIMEOUT_S)

    def close_input(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it is gone already, which is what closing is for
            self._process.stdin.close()

    def reap(self) -> None:
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(STOP_TIMEOUT_S)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _send(self, text: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(text + "\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise RigError(self._name, f"its process is gone; see {self._log}") from error

    def _receive(self, timeout_s: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise RigError(self._name, f"no answer within {timeout_s} s; see {self._log}") from None
        if line.text is None:
            raise RigError(self._name, f"its process ended; see {self._log}")
        answer: dict[str, Any] = json.loads(line.text)
        return answer

    def _read_lines(self) -> None:
        assert self._process.stdout is not None
        for text in self._process.stdout:
            self._lines.put(_Line(text))
        self._lines.put(_Line(None))
