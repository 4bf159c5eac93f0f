"""Devices, servers and clients that nobody here wrote, as processes of their own; drivers as the agent makes them.

Where one of the programs cannot be had the tests skip; with PARKSENTRY_REQUIRE_SYSTEM set they fail instead. The list is in
tools/system_packages.sh.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import playwright
import pytest

from contract.points import PointRole, PointSpec, PointType
from drivers.base import DeviceSetup
from drivers.catalogue import DRIVERS
from hil_tests.rig.ports import reserve

HERE = Path(__file__).parent
NODE_FOLDER = HERE.parents[1] / ".venv" / "node"
LIFETIME_S = 600
"""Then a program ends by itself, if it has not ended with the input that its test holds."""


def without(what: str) -> Any:
    """Skip, or fail where the machine was to be complete."""
    message = f"{what} is missing, see tools/system_packages.sh"
    if os.environ.get("PARKSENTRY_REQUIRE_SYSTEM"):
        pytest.fail(message)
    pytest.skip(message)


class Foreign:
    """A child process on a port of 127.0.0.1 that stays its own while it is down. Takes commands, answers each by a line.

    ``program`` gets its lifetime, the ``arguments``, and last the port.
    """

    def __init__(self, program: list[str], *arguments: str, env: dict[str, str] | None = None, with_port: bool = True):
        self._reserved = reserve("127.0.0.1") if with_port else None
        self._program = [*program, str(LIFETIME_S)]
        self._arguments = arguments
        self._env = env
        self._process: Any = None
        self.place = ""
        self.start()

    @property
    def port(self) -> int:
        assert self._reserved is not None
        return int(self._reserved.getsockname()[1])

    @property
    def endpoint(self) -> str:
        return f"opc.tcp://127.0.0.1:{self.port}/plant"

    def start(self, *changed: str):
        """Start, or start again after ``kill``, on ``changed`` arguments if there are any; returns when it can be reached."""
        if changed:
            self._arguments = changed
        command = [*self._program, *self._arguments, *([str(self.port)] if self._reserved else [])]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self._env
        )
        up, _, self.place = self._process.stdout.readline().strip().partition(" ")
        if up != "up":
            self.end()
            pytest.fail(f"{self._program} did not start; what it said is in the captured output")

    def ask(self, *words: Any) -> str:
        """The answer to a command of plain words."""
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        return str(self._process.stdout.readline()).strip()

    def put(self, *words: Any):
        assert self.ask(*words) == "ok", words

    def tell(self, *command: Any) -> Any:
        """The answer to a command as JSON."""
        return json.loads(self.ask(json.dumps(command)))

    def kill(self):
        self._process.kill()
        with self._process:
            self._process.wait()

    def end(self):
        self.kill()
        if self._reserved is not None:
            self._reserved.close()


@pytest.fixture
def started() -> Iterator[list[Foreign]]:
    """Programs of a test; they end with it."""
    programs: list[Foreign] = []
    yield programs
    for program in programs:
        program.end()


@pytest.fixture(scope="session")
def libmodbus_program(tmp_path_factory, require_system) -> Path:
    compiler = require_system("cc")
    if not Path("/usr/include/modbus/modbus.h").exists():
        without("libmodbus-dev")
    program = Path(tmp_path_factory.mktemp("libmodbus")) / "device"
    subprocess.run([compiler, "-O1", "-Wall", HERE / "libmodbus_device.c", "-lmodbus", "-o", program], check=True)
    return program


@pytest.fixture
def libmodbus(libmodbus_program, started) -> Foreign:
    """A libmodbus device on TCP; libmodbus_device.c lists its commands."""
    device = Foreign([str(libmodbus_program)], "tcp")
    started.append(device)
    return device


@pytest.fixture
def libmodbus_rtu(libmodbus_program, started) -> Foreign:
    """The same as unit 17 of a serial line; ``place`` is the terminal that a client opens."""
    device = Foreign([str(libmodbus_program)], "rtu", "17", with_port=False)
    started.append(device)
    return device


@pytest.fixture(scope="session")
def node_home(tmp_path_factory) -> Path:
    """Where programs on Node keep what they make once, as keys."""
    return Path(tmp_path_factory.mktemp("node"))


@pytest.fixture(scope="session")
def node_program(node_home):
    """Starts a program of this folder on Node; who asks ends it.

    The Node is the one that playwright brings along: Debian's is too old for what is installed.
    """
    node = Path(playwright.__file__).parent / "driver" / "node"
    if not (NODE_FOLDER / "installed.json").exists():
        without("what tests/foreign/package.json lists")
    env = {**os.environ, "NODE_PATH": str(NODE_FOLDER / "node_modules"), "XDG_CONFIG_HOME": str(node_home)}

    def make(program: str, *arguments: str) -> Foreign:
        return Foreign([str(node), str(HERE / program)], *arguments, env=env)

    return make


@pytest.fixture
def new_node_program(node_program, started):
    """The same for one test: ``new_node_program("modbus_serial_device.js", ...)``."""

    def make(program: str, *arguments: str) -> Foreign:
        server = node_program(program, *arguments)
        assert isinstance(server, Foreign)
        started.append(server)
        return server

    return make


@pytest.fixture
def mbpoll(require_system):
    """``mbpoll(place, "4:hex", start, count)``: what mbpoll reads, as texts by address; ``place`` a port or a terminal."""
    program = require_system("mbpoll")

    def read(place: int | str, kind: str, start: int, count: int, *more: str, unit: int = 1) -> dict[int, str]:
        link = (
            ["-m", "tcp", "-p", str(place)] if isinstance(place, int) else ["-m", "rtu", "-b", "115200", "-P", "none"]
        )
        where = "127.0.0.1" if isinstance(place, int) else place
        asked = ["-a", str(unit), "-0", "-r", str(start), "-c", str(count), "-t", kind, "-1", "-o", "5", *more]
        done = subprocess.run([program, *link, *asked, where], capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return {int(place): text for place, text in re.findall(r"^\[(\d+)\]: \t(\S+)", done.stdout, re.MULTILINE)}

    return read


class RealClock:
    def wall_ns(self) -> int:
        return time.time_ns()

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep_until(self, mono_ns: int) -> None:
        await asyncio.sleep(max(0, mono_ns - self.mono_ns()) / 1e9)


@pytest.fixture
def new_point():
    """Makes the point ``id`` at ``address``."""

    def make(id_: int, address: str, type_: PointType = PointType.UINT16, *, device: str = "plc", **more) -> PointSpec:
        numbers = {"poll_s": 0.05, **more}
        return PointSpec(
            id=id_, tag=f"T{id_}", org="plant/store", device=device, type=type_, address=address, **numbers
        )

    return make


@pytest.fixture
def new_setup():
    """``new_setup("modbus", settings, *points)``: a device as it was configured. Its own point has the id 1."""

    def make(driver: str, settings: dict[str, Any], *points: PointSpec, name: str = "plc", own_id: int = 1):
        own = PointSpec(own_id, name, "plant", name, PointRole.DEVICE, PointType.BIT, poll_s=0.05)
        return DeviceSetup(name, f"device.{own_id}", DRIVERS[driver].settings_model(**settings), [own, *points])

    return make


@pytest.fixture
def new_drivers():
    """``new_drivers("modbus", *setups)``: as few drivers as connections, as the agent makes them."""

    def make(driver: str, *setups: DeviceSetup):
        factory = DRIVERS[driver]
        connections: dict[str, list[DeviceSetup]] = {}
        for setup in setups:
            connections.setdefault(factory.connection(setup.settings) or setup.name, []).append(setup)
        drivers = [factory.make(together, RealClock(), random.Random(7)) for together in connections.values()]
        assert [fault for driver in drivers for fault in driver.check()] == []
        return drivers

    return make


class Watched:
    """What running drivers have given so far: ``rows`` of (point, value, quality, raw, time_ns, mono_ns)."""

    def __init__(self, drivers):
        self.drivers = drivers
        self.rows: list[tuple] = []
        self._news = asyncio.Condition()

    def of(self, point: int) -> list[tuple]:
        return [row for row in self.rows if row[0] == point]

    def latest(self) -> dict[int, tuple[float, int]]:
        """(value, quality) by point."""
        return {point: (value, quality) for point, value, quality, *_ in self.rows}

    def healths(self):
        return {health.device: health for driver in self.drivers for health in driver.healths()}

    async def until(self, condition, timeout_s: float = 20.0):
        """Wait until the condition holds; TimeoutError where it does not."""
        async with asyncio.timeout(timeout_s), self._news:
            await self._news.wait_for(condition)

    async def more(self, point: int, count: int):
        """Wait for that many further rows of a point."""
        wanted = len(self.of(point)) + count
        await self.until(lambda: len(self.of(point)) >= wanted)

    async def run(self, driver):
        async with aclosing(driver.run()) as batches:
            async for batch in batches:
                columns = (batch.point, batch.value, batch.quality, batch.raw, batch.time_ns, batch.mono_ns)
                self.rows += zip(*(column.tolist() for column in columns), strict=True)
                async with self._news:
                    self._news.notify_all()


@pytest.fixture
def watch():
    """``watch(drivers, scenario)`` runs the drivers while the coroutine function ``scenario(watched)`` does its work."""

    def run(drivers, scenario):
        async def everything():
            watched = Watched(drivers)
            running = [asyncio.create_task(watched.run(driver)) for driver in drivers]
            acting = asyncio.create_task(scenario(watched))
            try:
                await asyncio.wait({*running, acting}, return_when=asyncio.FIRST_COMPLETED)
                for task in running:
                    assert not task.done() or task.result(), "a driver runs for ever"
                await acting
            finally:
                for task in (*running, acting):
                    task.cancel()
                await asyncio.gather(*running, acting, return_exceptions=True)
                for driver in drivers:
                    await driver.close()

        asyncio.run(everything())

    return run
