"""A device that misbehaves on command, and a clock that skips every wait but lets the network have its real time."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable

import pytest

_BITS = (1, 2)


class FakeDevice:
    """Modbus TCP on 127.0.0.1. A register holds its own address unless ``registers`` says otherwise, a bit its parity.

    Like some real devices it answers under the transaction id that came last, so a late reply looks like a fresh one.
    """

    def __init__(self):
        self.port = 0
        self.registers: dict[int, int] = {}
        self.refusals: dict[int, int] = {}
        self.mute: set[int] = set()
        """Addresses whose requests are never answered."""
        self.mute_units: set[int] = set()
        """Units behind this gateway that never answer."""
        self.silent = False
        self.drops = False
        """Close the connection instead of answering."""
        self.delay_s = 0.0
        self.mangle: Callable[[bytes], bytes] | None = None
        self.length_max = 2000
        """A request for more is refused with exception 03."""
        self.requests: list[tuple[int, int, int]] = []
        self.units: list[int] = []
        """The unit of each request."""
        self.connections = 0
        self._asked = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self):
        await self.listen()
        return self

    async def __aexit__(self, *_):
        await self.vanish()

    async def listen(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def vanish(self):
        if self._server is not None:
            self._server.close()
            self._server = None
        self.hang_up()
        for task in self._tasks:
            task.cancel()
        await asyncio.sleep(0.01)

    def hang_up(self):
        for writer in self._writers:
            writer.transport.abort()

    async def asked(self, count: int):
        """Wait until that many requests have arrived."""
        async with self._asked:
            await self._asked.wait_for(lambda: len(self.requests) >= count)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self.connections += 1
        self._writers.add(writer)
        latest = [0]
        try:
            while True:
                tid, _, _, unit, function, start, count = struct.unpack(">HHHBBHH", await reader.readexactly(12))
                latest[0] = tid
                self.requests.append((function, start, count))
                self.units.append(unit)
                async with self._asked:
                    self._asked.notify_all()
                task = asyncio.create_task(self._answer(writer, latest, unit, function, start, count))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, writer, latest, unit, function, start, count):
        if self.silent or unit in self.mute_units or not self.mute.isdisjoint(range(start, start + count)):
            return
        if self.drops:
            writer.transport.abort()
            return
        await asyncio.sleep(self.delay_s)
        pdu = self._pdu(function, start, count)
        if self.mangle:
            pdu = self.mangle(pdu)
        writer.write(struct.pack(">HHHB", latest[0], 0, len(pdu) + 1, unit) + pdu)

    def _pdu(self, function, start, count):
        if count > self.length_max:
            return bytes((function | 0x80, 3))
        refusal = next((self.refusals[a] for a in range(start, start + count) if a in self.refusals), None)
        if refusal is not None:
            return bytes((function | 0x80, refusal))
        numbers = [self.registers.get(address, address) for address in range(start, start + count)]
        if function in _BITS:
            packed = sum((number & 1) << i for i, number in enumerate(numbers))
            data = packed.to_bytes((count + 7) // 8, "little")
        else:
            data = struct.pack(f">{count}H", *numbers)
        return bytes((function, len(data))) + data


class JumpClock:
    """Real time, plus all the time that somebody wanted to sleep."""

    def __init__(self):
        self._skipped_ns = 0

    def wall_ns(self) -> int:
        return time.time_ns() + self._skipped_ns

    def mono_ns(self) -> int:
        return time.monotonic_ns() + self._skipped_ns

    async def sleep_until(self, mono_ns: int) -> None:
        self._skipped_ns += max(0, mono_ns - self.mono_ns())
        await asyncio.sleep(0)


@pytest.fixture
def new_device():
    return FakeDevice


@pytest.fixture
def jump_clock():
    return JumpClock()
