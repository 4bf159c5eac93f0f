"""Many replies, some of them misbehaving by chance, through the Modbus driver: does a wrong value ever come out as a good one?

Each number that the device shows tells which unit, table and address it lies at, and which request it answers; so whatever
the driver takes for good can be held against the request that it sent last for that place. Device and driver run in one
process, on loopback, in a time that runs faster than the clock, with the same proportion between all periods.

Not among the mischief: damage to the data of a reply on Modbus TCP. Nothing in that protocol guards it, so nobody can notice.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from contract.batch import SampleBatch
from contract.clock import NS_PER_S
from contract.points import PointRole, PointSpec, PointType
from contract.quality import is_good
from drivers.base import DeviceSetup
from drivers.modbus.driver import ModbusDriver
from drivers.modbus.settings import ModbusSettings, Transport
from hil_tests.rig.commands import Misbehave, MischiefKind
from hil_tests.rig.ledger import FUNCTIONS
from hil_tests.rig.mischief import Mischief, Sending
from hil_tests.rig.modbus_frames import Frames, Request, RtuFrames, SocketFrames
from hil_tests.rig.modbus_server import TcpServer
from hil_tests.rig.ports import reserve

HOST: Final = "127.0.0.1"
SPEED: Final = 20
"""How much faster time runs for driver and device."""
CONNECTIONS: Final = 24
UNITS: Final = (1, 2, 9)
WIDTH: Final = 4
"""Registers of a number."""
BLOCKS: Final = ((3, 0, 5), (3, 1000, 5), (3, 2000, 2), (4, 0, 5))
"""Function, address of the first number, how many. Three of one shape, since these are what can be taken for one another."""
TIMEOUT_S: Final = 0.015
LATE_S: Final = 0.025
"""After its request: too late, and in the time of driver and device well within what the driver minds (``late_s``)."""
WRONG_KEPT_MAX: Final = 10
PROBABILITY: Final = {
    MischiefKind.RESET: 0.002, MischiefKind.DROP: 0.003, MischiefKind.BUSY: 0.02, MischiefKind.WRONG_UNIT: 0.01,
    MischiefKind.WRONG_NUMBER: 0.005, MischiefKind.CORRUPT: 0.01, MischiefKind.TRUNCATE: 0.005,
    MischiefKind.DUPLICATE: 0.05, MischiefKind.CROSS: 0.01, MischiefKind.DELAY: 0.01,
}  # fmt: skip


class FastClock:
    """The machine's clock, ``SPEED`` times as fast."""

    def wall_ns(self) -> int:
        return time.time_ns()

    def mono_ns(self) -> int:
        return time.monotonic_ns() * SPEED

    async def sleep_until(self, mono_ns: int) -> None:
        await asyncio.sleep(max(0, mono_ns - self.mono_ns()) / SPEED / NS_PER_S)


@dataclass(slots=True)
class Tally:
    """``replies`` were due, to ``mischief`` of them something was done; of ``good`` values received those in ``wrong`` were not
    what the device had said to the driver's latest request."""

    replies: int = 0
    mischief: Counter[MischiefKind] = field(default_factory=Counter)
    good: int = 0
    bad: int = 0
    wrong_count: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.replies += other.replies
        self.mischief += other.mischief
        self.good += other.good
        self.bad += other.bad
        self.wrong_count += other.wrong_count
        self.wrong += other.wrong[: WRONG_KEPT_MAX - len(self.wrong)]

    def shown(self) -> str:
        done = ", ".join(f"{kind} {count}" for kind, count in self.mischief.most_common())
        return (
            f"{self.replies} replies, mischief {self.mischief.total()} ({done}); "
            f"good values {self.good}, bad {self.bad}, wrong {self.wrong_count}"
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Of one number."""

    unit: int
    function: int
    address: int

    def number(self, request: int) -> int:
        """What lies there in the reply to a request, by its number."""
        return self.unit << 56 | self.function << 48 | self.address << 32 | request


class Device:
    """One connection's units; counts its requests and remembers the latest of each block."""

    def __init__(self, framing: type[SocketFrames | RtuFrames], seed: int) -> None:
        self.tally = Tally()
        self.latest: dict[Place, int] = {}
        self._count = itertools.count(1)
        rng = random.Random(seed)
        self._mischief = {unit: _mischief(framing, rng) for unit in UNITS}

    def respond(self, frames: Frames, request: Request) -> Sending:
        pdu = self._reply(request)
        sending = self._mischief[request.unit].done_to(frames, request, pdu, time.monotonic_ns() * SPEED)
        self.tally.replies += 1
        self.tally.mischief.update(sending.done)
        return sending

    def _reply(self, request: Request) -> bytes:
        assert request.function in FUNCTIONS, "only what reads was asked for"
        start, count = (int.from_bytes(request.pdu[at : at + 2], "big") for at in (1, 3))
        number = next(self._count)
        data = b""
        for address in range(start, start + count, WIDTH):
            place = Place(request.unit, request.function, address)
            self.latest[place] = number
            data += place.number(number).to_bytes(2 * WIDTH, "big")
        return bytes((request.function, len(data))) + data


def _mischief(framing: type[SocketFrames | RtuFrames], rng: random.Random) -> Mischief:
    mischief = Mischief()
    for kind, probability in PROBABILITY.items():
        if kind is not MischiefKind.WRONG_NUMBER or framing.numbered:
            mischief.tell(Misbehave(kind, probability, rng.randrange(1 << 31), LATE_S))
    return mischief


async def run_faults(count: int, seed: int, transport: Transport) -> Tally:
    """At least ``count`` replies over several connections. The same seed misbehaves in the same way; what comes of it depends on
    time as well."""
    total = Tally()
    share = -(-count // CONNECTIONS)
    runs = (_one_connection(share, seed * CONNECTIONS + number, transport) for number in range(CONNECTIONS))
    for each in await asyncio.gather(*runs):
        total.add(each)
    return total


async def _one_connection(count: int, seed: int, transport: Transport) -> Tally:
    framing = RtuFrames if transport.is_rtu else SocketFrames
    device = Device(framing, seed)
    reserved = reserve(HOST)
    server = TcpServer(HOST, reserved.getsockname()[1], framing, device.respond, is_line=transport.is_rtu)
    await server.listen()
    places, setups = _setups(transport, reserved.getsockname()[1])
    driver = ModbusDriver(setups, FastClock(), random.Random(seed))
    try:
        async with aclosing(driver.run()) as batches:
            async for batch in batches:
                _check(batch, places, device)
                if device.tally.replies >= count:
                    break
    finally:
        await driver.close()
        server.close()
        reserved.close()
    return device.tally


def _check(batch: SampleBatch, places: dict[int, Place], device: Device) -> None:
    tally = device.tally
    for point, raw, quality in zip(batch.point.tolist(), batch.raw.tolist(), batch.quality.tolist(), strict=True):
        place = places.get(point)
        if place is None:
            continue  # a device's own
        if not is_good(quality):
            tally.bad += 1
            continue
        tally.good += 1
        if raw != place.number(device.latest.get(place, 0)):
            tally.wrong_count += 1
            if len(tally.wrong) < WRONG_KEPT_MAX:
                tally.wrong.append(f"{place}: {raw:016x} for request {device.latest.get(place, 0)}")


def _setups(transport: Transport, port: int) -> tuple[dict[int, Place], Sequence[DeviceSetup]]:
    """Places by the id of their point, and the devices."""
    ids = itertools.count(1)
    places: dict[int, Place] = {}
    setups = []
    for number, unit in enumerate(UNITS, 1):
        keys = {
            "transport": transport,
            "host": HOST,
            "port": port,
            "unit": unit,
            "timeout_s": TIMEOUT_S,
            "silent_max_s": 1.0,
        }
        settings = ModbusSettings.model_validate(keys | ({"baudrate": 4_000_000} if transport.is_rtu else {}))
        name = f"unit-{unit}"
        points = [PointSpec(id=next(ids), tag=name, org="bench", device=name, role=PointRole.DEVICE)]
        for function, address in _numbers():
            spec = PointSpec(
                id=next(ids), tag=f"{name}-{function}-{address}", org="bench", device=name, type=PointType.UINT64,
                address=f"{FUNCTIONS[function]}:{address}", poll_s=0.2,
            )  # fmt: skip
            places[spec.id] = Place(unit, function, address)
            points.append(spec)
        setups.append(DeviceSetup(name, f"device.{number}", settings, points))
    return places, setups


def _numbers() -> Iterator[tuple[int, int]]:
    for function, first, many in BLOCKS:
        for address in range(first, first + many * WIDTH, WIDTH):
            yield function, address
