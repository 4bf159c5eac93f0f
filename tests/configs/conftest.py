"""Registers behind a real socket that keep the four tables apart, and an agent's folder that reads them by a model."""

from __future__ import annotations

import asyncio
import random
import struct
import time
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from contract.keys import format_public, format_secret, generate
from contract.points import PointRole
from drivers.base import DeviceSetup
from drivers.catalogue import DRIVERS
from edge_agent.settings.load import load
from edge_agent.settings.model import AgentConfig

HEAD = """
[agent]
name = "agent-1"
organisation = "acme"
[[destination]]
name = "park"
endpoints = ["tcp://127.0.0.1:7440"]
"""


@dataclass
class Instrument:
    """Modbus TCP with one number per (function, address); what is not there is refused with exception 02."""

    registers: dict[tuple[int, int], int] = field(default_factory=dict)
    by_request: dict[tuple[int, int, int], list[int]] = field(default_factory=dict)
    """Whole replies by (function, start, count), for devices whose coding depends on what is asked."""
    requests: list[tuple[int, int, int]] = field(default_factory=list)

    def put(self, function: int, address: int, *words: int) -> None:
        self.registers |= {(function, address + i): word for i, word in enumerate(words)}

    def put_float(self, function: int, address: int, value: float) -> None:
        self.put(function, address, *struct.unpack(">2H", struct.pack(">f", value)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                tid, _, _, unit, function, start, count = struct.unpack(">HHHBBHH", await reader.readexactly(12))
                self.requests.append((function, start, count))
                pdu = self._pdu(function, start, count)
                writer.write(struct.pack(">HHHB", tid, 0, len(pdu) + 1, unit) + pdu)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _pdu(self, function: int, start: int, count: int) -> bytes:
        words = self.by_request.get((function, start, count))
        if words is None:
            words = [self.registers.get((function, start + i), -1) for i in range(count)]
        if -1 in words:
            return bytes((function | 0x80, 2))
        if function in (1, 2):
            data = sum(word << i for i, word in enumerate(words)).to_bytes((count + 7) // 8, "little")
        else:
            data = struct.pack(f">{count}H", *words)
        return bytes((function, len(data))) + data


@dataclass(frozen=True)
class Site:
    """An agent's folder whose devices are of models."""

    path: Path

    def write(self, device: str, accepted: str = "", **files: str) -> None:
        (self.path / "agent.toml").write_text(HEAD + device, "utf-8")
        (self.path / "accepted.toml").write_text(accepted, "utf-8")
        for name, text in files.items():
            (self.path / name.replace("_csv", ".csv")).write_text(text, "utf-8")

    def load(self) -> AgentConfig:
        return load(self.path)

    def read(
        self, instrument: Instrument, model: str, keys: str = "", accepted: str = ""
    ) -> dict[str, tuple[float, int]]:
        """One turn of the device ``d`` over a real socket: value and quality by the name of the point."""

        async def turn() -> dict[str, tuple[float, int]]:
            server = await asyncio.start_server(instrument.serve, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            place = f'transport = "tcp"\nhost = "127.0.0.1"\nport = {port}\ntimeout_s = 10.0\n'
            self.write(f'[[device]]\nname = "d"\nmodel = "{model}"\nsource = "tank"\n{place}{keys}\n', accepted)
            try:
                return await read_once(self.load())
            finally:
                server.close()
                await server.wait_closed()

        return asyncio.run(turn())


class JumpClock:
    """Real time, plus all the time that somebody wanted to sleep."""

    def __init__(self) -> None:
        self._skipped_ns = 0

    def wall_ns(self) -> int:
        return time.time_ns() + self._skipped_ns

    def mono_ns(self) -> int:
        return time.monotonic_ns() + self._skipped_ns

    async def sleep_until(self, mono_ns: int) -> None:
        self._skipped_ns += max(0, mono_ns - self.mono_ns())
        await asyncio.sleep(0)


async def read_once(config: AgentConfig) -> dict[str, tuple[float, int]]:
    points = [replace(point, id=number, poll_s=1.0) for number, point in enumerate(config.points, 1)]
    names = {point.id: point.tag.removeprefix("d.") for point in points}
    [device] = config.devices
    setup = DeviceSetup(device.name, "device.1", device.settings, points)
    driver = DRIVERS[device.driver].make([setup], JumpClock(), random.Random(7))
    assert driver.check() == []
    wanted = {point.id for point in points if point.role is PointRole.MEASUREMENT}
    seen: dict[str, tuple[float, int]] = {}
    stream: Any = driver.run()
    async with aclosing(stream) as batches:
        async for batch in batches:
            for id_, value, quality in zip(
                batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True
            ):
                if id_ in wanted:
                    seen[names[id_]] = (value, quality)
            if len(seen) == len(wanted):
                break
    await driver.close()
    return seen


@pytest.fixture
def instrument() -> Instrument:
    return Instrument()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/agent.key").write_text(format_secret(generate("agent-1")))
    (tmp_path / "keys/aggregator.pub").write_text(format_public(generate("park").public))
    return Site(tmp_path)
