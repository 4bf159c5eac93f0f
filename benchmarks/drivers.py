"""What a Modbus request costs: the driver against libmodbus' client and against bare pymodbus, on one connection.

All three read the same registers of one server (libmodbus, a process of its own), in turns within one run. The driver does
its whole work, from timetable to sample batch; the others only fetch the registers. Its clock leaps over every wait, so that
one request follows another. What decoding alone costs is timed apart. Costs are CPU time.

Server and client have a core each, as with a device somewhere else: a core that has to be woken for each reply costs
libmodbus seven times what it takes on the server's own core.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from pymodbus.client import AsyncModbusTcpClient

from contract.batch import SampleBatch
from contract.points import PointRole, PointSpec, PointType
from contract.quality import Quality
from drivers.base import DeviceSetup
from drivers.catalogue import DRIVERS
from drivers.modbus.address import ModbusAddress, Table, WordOrder
from drivers.modbus.planner import ReadRequest
from drivers.modbus.registers import BlockDecoder, RegisterPoint

REGISTERS: Final = 100
"""Of one request, each a point."""
REQUESTS: Final = 2_000
WARM_REQUESTS: Final = 200
REPETITIONS: Final = 7
POINTS: Final = 1_000
PER_REPLY: Final = 125
"""Registers, the most that the protocol allows."""
DECODINGS: Final = 400

VS_LIBMODBUS_MAX: Final = 3.0
DECODE_NS_MAX: Final = 3.0

Row = dict[str, Any]


class Cost(NamedTuple):
    """Of one request."""

    wall_us: float
    cpu_us: float


def run() -> list[Row]:
    """Rows for ``benchmarks.run``; RuntimeError where a value is wrong."""
    return [*requests(), *decoding()]


def row(name: str, value: float | None, unit: str, reference: str, at_most: float | None = None) -> Row:
    met = None if at_most is None or value is None else value <= at_most
    return {"name": name, "value": value, "unit": unit, "reference": reference, "goal": at_most, "met": met}


# --- requests ---------------------------------------------------------------------------------------------------------


def requests() -> Iterator[Row]:
    compiler = shutil.which("cc")
    if compiler is None or not Path("/usr/include/modbus/modbus.h").exists():
        yield row("drivers.cpu_vs_libmodbus", None, "x", "skipped: no cc or no libmodbus-dev", VS_LIBMODBUS_MAX)
        return
    with tempfile.TemporaryDirectory() as folder, served(compiler, Path(folder)) as (program, port):
        costs: dict[str, list[Cost]] = {}
        clients: dict[str, Callable[[], Cost]] = {
            "libmodbus": lambda: by_libmodbus(program, port),
            "pymodbus": lambda: asyncio.run(by_pymodbus(port)),
            "driver": lambda: asyncio.run(by_driver(port)),
        }
        for _ in range(REPETITIONS):
            for name, client in clients.items():
                costs.setdefault(name, []).append(client())
    yield from compared(costs)


def compared(costs: dict[str, list[Cost]]) -> Iterator[Row]:
    asked = f"{REGISTERS} holding registers a request, one connection"
    for name, of_name in costs.items():
        per_s = 1e6 / statistics.median(cost.wall_us for cost in of_name)
        cpu_us = statistics.median(cost.cpu_us for cost in of_name)
        yield row(f"drivers.{name}_requests_per_s", per_s, "1/s", asked)
        yield row(f"drivers.{name}_cpu_us_per_request", cpu_us, "us", asked)
    for other, goal in (("libmodbus", VS_LIBMODBUS_MAX), ("pymodbus", None)):
        pairs = list(zip(costs["driver"], costs[other], strict=True))
        cpu = statistics.median(ours.cpu_us / theirs.cpu_us for ours, theirs in pairs)
        rate = statistics.median(theirs.wall_us / ours.wall_us for ours, theirs in pairs)
        what = "CPU of the driver, decoding and batches included, against"
        yield row(
            f"drivers.cpu_vs_{other}", cpu, "x", f"{what} {other} that only fetches{'; at most' * bool(goal)}", goal
        )
        yield row(f"drivers.rate_vs_{other}", rate, "x", f"requests per second against {other}")
    points_per_s = REGISTERS * 1e6 / statistics.median(cost.cpu_us for cost in costs["driver"])
    yield row("drivers.points_per_core_s", points_per_s, "1/s", f"points that a core reads and decodes, {asked}")


@contextmanager
def served(compiler: str, folder: Path) -> Iterator[tuple[Path, int]]:
    """The program of both ends, and the port of one that serves on a core of its own; this process keeps to another."""
    program = folder / "libmodbus"
    source = Path(__file__).with_name("drivers_libmodbus.c")
    subprocess.run([compiler, "-O2", str(source), "-o", str(program), "-lmodbus", "-lpthread"], check=True)
    cores = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {max(cores)})
        server = subprocess.Popen([str(program), "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        os.sched_setaffinity(0, {min(cores)})
        with server:
            assert server.stdin is not None
            assert server.stdout is not None
            yield program, int(server.stdout.readline())
            server.stdin.close()
    finally:
        os.sched_setaffinity(0, cores)


def by_libmodbus(program: Path, port: int) -> Cost:
    command = [str(program), "ask", str(port), str(REQUESTS), str(REGISTERS)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    wall_s, cpu_s = map(float, answer.split())
    return Cost(wall_s * 1e6 / REQUESTS, cpu_s * 1e6 / REQUESTS)


async def by_pymodbus(port: int) -> Cost:
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    await client.connect()

    async def fetch(count: int) -> None:
        for _ in range(count):
            reply = await client.read_holding_registers(0, count=REGISTERS, device_id=1)
            if len(reply.registers) != REGISTERS:
                raise RuntimeError("pymodbus got a wrong reply")

    cost = await timed(fetch)
    client.close()
    return cost


async def by_driver(port: int) -> Cost:
    batches = samples(port)
    values = word(np.arange(REGISTERS)).astype(np.float64)

    async def fetch(count: int) -> None:
        for _ in range(count):
            batch = await anext(batches)
            if len(batch) != REGISTERS + 1 or batch.quality.any() or batch.value[1:].tobytes() != values.tobytes():
                raise RuntimeError("the driver got a wrong reply")

    async with aclosing(batches):
        return await timed(fetch)


async def samples(port: int) -> AsyncGenerator[SampleBatch, None]:
    """What the driver gives, request after request: first the row of the device, then the points."""
    factory = DRIVERS["modbus"]
    points = [PointSpec(2 + i, f"t{i}", "plant/source", "d", address=f"holding:{i}") for i in range(REGISTERS)]
    own = PointSpec(1, "d", "plant", "d", PointRole.DEVICE, PointType.BIT)
    settings = factory.settings_model.model_validate({"host": "127.0.0.1", "port": port, "timeout_s": 5.0})
    driver = factory.make([DeviceSetup("d", "device.1", settings, [own, *points])], LeapingClock(), random.Random(7))
    try:
        async for batch in driver.run():
            yield batch
    finally:
        await driver.close()


async def timed(fetch: Callable[[int], Any]) -> Cost:
    await fetch(WARM_REQUESTS)
    begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
    await fetch(REQUESTS)
    wall_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - begun_cpu_s
    return Cost(wall_s * 1e6 / REQUESTS, cpu_s * 1e6 / REQUESTS)


class LeapingClock:
    """Real time, plus all the time that somebody wanted to sleep."""

    def __init__(self) -> None:
        self._leapt_ns = 0

    def wall_ns(self) -> int:
        return time.time_ns() + self._leapt_ns

    def mono_ns(self) -> int:
        return time.monotonic_ns() + self._leapt_ns

    async def sleep_until(self, mono_ns: int) -> None:
        self._leapt_ns += max(0, mono_ns - self.mono_ns())


def word(place: Any) -> Any:
    """What the server shows there."""
    return (7 * place + 3) % 65_536


# --- decoding ---------------------------------------------------------------------------------------------------------


def decoding() -> Iterator[Row]:
    """Scaled 16-bit registers in no order, so that each takes its own way through the gather index."""
    in_one = ns_per_point(POINTS)
    yield row("drivers.decode_ns_per_point", in_one, "ns", f"{POINTS} points in one block; at most", DECODE_NS_MAX)
    in_replies = ns_per_point(PER_REPLY)
    reference = f"{POINTS} points in replies of {PER_REPLY}, the most that Modbus allows"
    yield row("drivers.decode_ns_per_point_in_replies", in_replies, "ns", reference)


def ns_per_point(size: int) -> float:
    """Median over repetitions of decoding POINTS points from blocks of ``size``."""
    blocks = [block(size, number) for number in range(POINTS // size)]
    for decoder, payload, expected in blocks:
        batch = decoder.decode(payload, 0, 0)
        if batch.value.tobytes() != expected.tobytes() or (batch.quality != Quality.GOOD).any():
            raise RuntimeError("a decoded value is wrong")
    spent = []
    for _ in range(REPETITIONS):
        begun_ns = time.process_time_ns()
        for _ in range(DECODINGS):
            for decoder, payload, _ in blocks:
                decoder.decode(payload, 0, 0)
        spent.append((time.process_time_ns() - begun_ns) / (DECODINGS * POINTS))
    return statistics.median(spent)


def block(size: int, number: int) -> tuple[BlockDecoder, bytes, np.ndarray]:
    """A decoder, a reply for it and the values that must come."""
    places = np.random.default_rng(number).permutation(size)
    points = [
        RegisterPoint(
            PointSpec(i, f"t{i}", "plant/source", "d", address=f"holding:{place}", scale=0.1, offset=-5.0),
            ModbusAddress(Table.HOLDING, int(place), 1, None, WordOrder.ABCD),
        )
        for i, place in enumerate(places)
    ]
    request = ReadRequest(Table.HOLDING, 0, size, tuple(range(size)))
    payload = word(np.arange(size)).astype(">u2").tobytes()
    return BlockDecoder(request, points), payload, word(places) * 0.1 - 5.0
