"""What a value from an OPC UA server costs the gateway: told by a subscription, or read in bulk.

A server of asyncua in a process of its own changes all its doubles once a second; the driver runs in this process, whose CPU
time is counted from the second report on. In the same run asyncua alone does the same without a driver: a subscription
with an empty handler, and one Read of all nodes each second. Decoding to numpy columns, judging the status, times and
confirmations are the driver's share. The machine's load matters less than for elapsed time, and still matters.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial
from statistics import median
from typing import Any, Final, cast

from asyncua import Client, Server, ua

from contract.points import PointRole, PointSpec, PointType
from drivers.base import DeviceSetup
from drivers.opcua import OpcUa
from drivers.opcua.settings import OpcUaSettings

POINTS: Final = (100, 1000)
PERIOD_S: Final = 1.0
WARM_UP_S: Final = 3.0
RUN_S: Final = 8.0
REPETITIONS: Final = 3
URI: Final = "urn:benchmark"
GOAL_SHARE_PCT: Final = 1.3
"""Of a core for 1000 values a second."""


def run() -> list[dict[str, Any]]:
    """Takes about five minutes."""
    logging.getLogger("asyncua").setLevel(logging.CRITICAL + 1)
    rows = []
    for points in POINTS:
        with _served(points) as endpoint:
            told = _median(partial(_driver, endpoint, points, "subscribe"))
            read = _median(partial(_driver, endpoint, points, "poll"))
            bare_told = _median(partial(_asyncua_told, endpoint, points))
            bare_read = _median(partial(_asyncua_read, endpoint, points))
        reference = f"{points} doubles, all changing each second"
        rows += [
            _row(f"opcua.subscribe_{points}", told, "us/value", reference),
            _row(f"opcua.poll_{points}", read, "us/value", reference),
            _row(f"opcua.asyncua_subscribe_{points}", bare_told, "us/value", "asyncua alone, an empty handler"),
            _row(f"opcua.asyncua_read_{points}", bare_read, "us/value", "asyncua alone, DataValues, none looked at"),
            _row(f"opcua.subscribe_vs_poll_{points}", told / read, "ratio", "both of this run"),
        ]
    share_pct = told * POINTS[-1] / PERIOD_S / 1e6 * 100
    goal = {"goal": GOAL_SHARE_PCT, "met": share_pct <= GOAL_SHARE_PCT}
    return [*rows, _row(f"opcua.core_share_{POINTS[-1]}", share_pct, "%", "a core of this machine, subscribed") | goal]


def _row(name: str, value: float, unit: str, reference: str) -> dict[str, Any]:
    return {"name": name, "value": round(value, 2), "unit": unit, "reference": reference, "goal": None, "met": None}


def _median(measure: Callable[[], Awaitable[float]]) -> float:
    async def once() -> float:
        return await measure()

    return median(asyncio.run(once()) for _ in range(REPETITIONS))


class _Meter:
    """CPU per counted value, from the first count after the warm-up to the last before the end."""

    def __init__(self) -> None:
        self._begin_s = time.monotonic() + WARM_UP_S
        self._first: tuple[float, int] | None = None
        self._last = (0.0, 0)
        self._values = 0

    def count(self, values: int) -> None:
        self._values += values
        if time.monotonic() >= self._begin_s:
            self._last = time.process_time(), self._values
            self._first = self._first or self._last

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._begin_s + RUN_S

    def us_per_value(self) -> float:
        if self._first is None or self._last[1] == self._first[1]:
            raise RuntimeError("no values came")
        return (self._last[0] - self._first[0]) / (self._last[1] - self._first[1]) * 1e6


class _RealClock:
    def wall_ns(self) -> int:
        return time.time_ns()

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep_until(self, mono_ns: int) -> None:
        await asyncio.sleep(max(0, mono_ns - self.mono_ns()) / 1e9)


async def _driver(endpoint: str, points: int, mode: str) -> float:
    own = PointSpec(id=1, tag="plc", org="b", device="plc", role=PointRole.DEVICE, type=PointType.BIT)
    specs = [
        PointSpec(id=2 + k, tag=f"T{k}", org="b/s", device="plc", type=PointType.FLOAT64, address=f"nsu={URI};s=p{k}")
        for k in range(points)
    ]
    settings = OpcUaSettings.model_validate({"endpoint": endpoint, "mode": mode, "timeout_s": 10.0})
    setup = DeviceSetup("plc", "device.1", settings, [own, *specs])
    driver = OpcUa().make([setup], _RealClock(), random.Random(7))
    meter = _Meter()
    async with aclosing(driver.run()) as batches:  # type: ignore[type-var] # it is a generator, as all are
        async for batch in batches:
            meter.count(len(batch) - 1 if len(batch) > 1 else 0)
            if meter.is_over:
                break
    return meter.us_per_value()


async def _asyncua_told(endpoint: str, points: int) -> float:
    meter = _Meter()

    class Handler:
        def datachange_notification(self, _node: object, _value: object, _data: object) -> None:
            meter.count(1)

    async with Client(endpoint, timeout=10) as client:
        index = await client.get_namespace_index(URI)
        nodes = [client.get_node(f"ns={index};s=p{k}") for k in range(points)]
        subscription = await client.create_subscription(500, Handler())
        await subscription.subscribe_data_change(nodes, sampling_interval=cast("Any", 1000.0))
        await asyncio.sleep(WARM_UP_S + RUN_S)
    return meter.us_per_value()


async def _asyncua_read(endpoint: str, points: int) -> float:
    meter = _Meter()
    async with Client(endpoint, timeout=10) as client:
        index = await client.get_namespace_index(URI)
        nodes = [client.get_node(f"ns={index};s=p{k}").nodeid for k in range(points)]
        while not meter.is_over:
            meter.count(len(await client.uaclient.read_attributes(nodes, ua.AttributeIds.Value)))
            await asyncio.sleep(PERIOD_S)
    return meter.us_per_value()


@contextlib.contextmanager
def _served(points: int) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.opcua", str(port), str(points)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            if server.stdout.readline() != "up\n":
                raise RuntimeError("the server did not start")
            yield f"opc.tcp://127.0.0.1:{port}/bench"
        finally:
            server.kill()


async def _serve(port: int, points: int) -> None:
    logging.disable(logging.CRITICAL)
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/bench")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index: Any = await server.register_namespace(URI)
    nodes = [
        await server.nodes.objects.add_variable(ua.NodeId(f"p{k}", index), f"p{k}", float(k))  # type: ignore[arg-type]
        for k in range(points)
    ]
    async with server:
        print("up", flush=True)
        turn, due_s = 0, time.monotonic()
        while True:
            turn, due_s = turn + 1, due_s + PERIOD_S
            now = datetime.now(UTC)
            for k, node in enumerate(nodes):
                value = ua.DataValue(ua.Variant(k + turn / 8, ua.VariantType.Double), SourceTimestamp=now)  # type: ignore[arg-type]
                await server.write_attribute_value(node.nodeid, value)
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
