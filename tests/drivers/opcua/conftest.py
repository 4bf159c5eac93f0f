"""OPC UA servers in processes of their own, points and drivers in one line."""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from contract.points import PointRole, PointSpec, PointType
from drivers.base import DeviceSetup
from drivers.opcua import OpcUa
from drivers.opcua.settings import OpcUaSettings

DEVICE = 1
URI = "urn:park:reactor"


class ServedPark:
    """A child process that serves nodes ``[name, type, value]`` of the namespace URI. Commands wait for their answer."""

    def __init__(self, *nodes, namespaces=(URI,), **more):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._asked = {"port": self.port, "nodes": nodes, "namespaces": namespaces, **more}
        self._process: Any = None
        self.start()

    @property
    def endpoint(self):
        return f"opc.tcp://127.0.0.1:{self.port}/park"

    def start(self, **changes):
        """Start, or start again after ``kill``; returns when it listens."""
        self._asked |= changes
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("served.py")), json.dumps(self._asked)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout.readline() == "up\n"

    def tell(self, *command):
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def signal(self, number):
        os.kill(self._process.pid, number)

    def kill(self):
        """It may be dead already."""
        self._process.kill()
        with self._process:
            self._process.wait()


@pytest.fixture
def new_server():
    servers = []

    def make(*nodes, **more):
        servers.append(ServedPark(*nodes, **more))
        return servers[-1]

    yield make
    for server in servers:
        server.kill()


@pytest.fixture(scope="module")
def server():
    """One for all tests of a module that only add and write nodes of their own."""
    park = ServedPark()
    yield park
    park.kill()


class RealClock:
    def wall_ns(self) -> int:
        return time.time_ns()

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep_until(self, mono_ns: int) -> None:
        await asyncio.sleep(max(0, mono_ns - self.mono_ns()) / 1e9)


@pytest.fixture
def new_point():
    """Makes the point ``id`` of the node ``name``."""

    def make(id_: int, name: str, type_: PointType = PointType.FLOAT64, **more) -> PointSpec:
        address = name if "=" in name else f"nsu={URI};s={name}"
        numbers = {"poll_s": 0.1, **more}
        return PointSpec(id=id_, tag=f"T{id_}", org="plant/store", device="plc", type=type_, address=address, **numbers)

    return make


@pytest.fixture
def new_driver():
    """Makes a driver for a server; the device's own point has the id 1."""

    def make(server: ServedPark, *points: PointSpec, **settings):
        own = PointSpec(
            id=DEVICE, tag="plc", org="plant", device="plc", role=PointRole.DEVICE, type=PointType.BIT, poll_s=0.1
        )
        keys = {"endpoint": server.endpoint, "publish_ms": 50, "timeout_s": 0.5, "reconnect_max_s": 0.3} | settings
        setup = DeviceSetup("plc", "device.1", OpcUaSettings(**keys), [own, *points])
        return OpcUa().make([setup], RealClock(), random.Random(7))

    return make


class Watched:
    """What a running driver has given so far: ``rows`` of (point, value, quality, raw, time_ns, mono_ns)."""

    def __init__(self, driver):
        self.driver = driver
        self.batches = []
        self._news = asyncio.Condition()

    @property
    def rows(self):
        return [
            row
            for batch in self.batches
            for row in zip(
                batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), batch.raw.tolist(),
                batch.time_ns.tolist(), batch.mono_ns.tolist(), strict=True,
            )
        ]  # fmt: skip

    def of(self, point):
        return [row for row in self.rows if row[0] == point]

    def latest(self):
        """(value, quality) by point."""
        return {point: (value, quality) for point, value, quality, *_ in self.rows}

    async def until(self, condition, timeout_s=10.0):
        """Wait until the condition holds; TimeoutError shows what came instead."""
        async with asyncio.timeout(timeout_s), self._news:
            await self._news.wait_for(condition)

    async def run(self):
        async with aclosing(self.driver.run()) as batches:
            async for batch in batches:
                self.batches.append(batch)
                async with self._news:
                    self._news.notify_all()


@pytest.fixture
def watch():
    """``watch(driver, scenario)`` runs the driver while the coroutine function ``scenario(watched)`` does its work."""

    def run(driver, scenario):
        async def both():
            watched = Watched(driver)
            task = asyncio.create_task(watched.run())
            failed = asyncio.create_task(scenario(watched))
            try:
                await asyncio.wait({task, failed}, return_when=asyncio.FIRST_COMPLETED)
                assert not task.done() or task.result(), "a driver runs for ever"
                await failed
            finally:
                for each in (task, failed):
                    each.cancel()
                await asyncio.gather(task, failed, return_exceptions=True)
                await driver.close()

        asyncio.run(both())

    return run
