"""The connection: back-off, pauses, cancellation, and the bounds of its settings."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import subprocess
import sys

import pytest
from pydantic import ValidationError

from contract.clock import NS_PER_S, SimulatedClock
from drivers.catalogue import DRIVERS
from drivers.modbus.address import Table
from drivers.modbus.link import ModbusLink
from drivers.modbus.outcome import Answer, Failure, FailureReason
from drivers.modbus.planner import ReadRequest
from drivers.modbus.settings import ModbusSettings

REQUEST = ReadRequest(Table.HOLDING, 7, 1, (0,))


@pytest.fixture
def new_link(clock):
    def make(port: int, **settings) -> ModbusLink:
        keys = ModbusSettings(host="127.0.0.1", port=port, **({"timeout_s": 2.0} | settings))
        return ModbusLink(keys, clock, random.Random(7))

    return make


async def waits_s(link: ModbusLink, clock: SimulatedClock, count: int) -> list[float]:
    """Time from each failure to the next attempt to connect, in steps of 10 ms."""
    waits = []
    for _ in range(count):
        outcome = await link.read(link._settings, REQUEST)
        assert isinstance(outcome, Failure)
        assert outcome.reason is not FailureReason.WAITING
        waited_s = 0.0
        while clock.mono_ns() < link._next_dial_mono_ns:
            outcome = await link.read(link._settings, REQUEST)
            assert outcome == Failure(FailureReason.WAITING, "waiting before the next attempt to connect")
            clock.tick(NS_PER_S // 100)
            waited_s += 0.01
        waits.append(waited_s)
    return waits


def test_the_back_off_doubles_with_jitter_up_to_its_ceiling_and_only_an_answer_ends_it(new_device, new_link, clock):
    async def scenario():
        async with new_device() as device:
            device.drops = True
            link = new_link(device.port, reconnect_max_s=3.0)
            waits = await waits_s(link, clock, 8)
            for wait_s, ceiling_s in zip(waits, [0.2, 0.4, 0.8, 1.6, 3, 3, 3, 3], strict=True):
                assert ceiling_s / 2 - 0.01 <= wait_s <= ceiling_s + 0.02
            assert len({wait_s / ceiling_s for wait_s, ceiling_s in zip(waits[4:], [3] * 4, strict=True)}) > 1
            assert device.connections == link.connects == 8
            device.drops = False
            assert isinstance(await link.read(link._settings, REQUEST), Answer)
            device.drops = True
            (wait_s,) = await waits_s(link, clock, 1)
            assert wait_s == 0.0
            (wait_s,) = await waits_s(link, clock, 1)
            assert 0 < wait_s <= 0.22
            link.close()

    asyncio.run(scenario())


def test_a_request_after_a_time_out_goes_over_a_new_connection(new_device, new_link):
    async def scenario():
        async with new_device() as device:
            link = new_link(device.port, timeout_s=0.05)
            assert isinstance(await link.read(link._settings, REQUEST), Answer)
            device.silent = True
            outcome = await link.read(link._settings, REQUEST)
            assert isinstance(outcome, Failure)
            assert outcome.reason is FailureReason.TIMED_OUT
            device.silent = False
            assert isinstance(await link.read(link._settings, REQUEST), Answer)
            assert device.connections == 2
            assert len(device.requests) == 3
            link.close()

    asyncio.run(scenario())


def test_the_reply_is_stamped_when_it_arrives(new_device, new_link, clock):
    async def scenario():
        async with new_device() as device:
            link = new_link(device.port)
            answer = await link.read(link._settings, REQUEST)
            assert answer == Answer(b"\x00\x07", None, clock.wall_ns(), clock.mono_ns())
            link.close()

    asyncio.run(scenario())


def test_requests_keep_the_pause_that_the_device_wants(new_device, new_link, clock):
    async def scenario():
        async with new_device() as device:
            link = new_link(device.port, pause_ms=250.0)
            await link.read(link._settings, REQUEST)
            second = asyncio.create_task(link.read(link._settings, REQUEST))
            await clock.advance(NS_PER_S // 5)
            assert (len(device.requests), second.done()) == (1, False)
            await clock.advance(NS_PER_S // 20)
            assert isinstance(await second, Answer)
            link.close()

    asyncio.run(scenario())


def test_a_new_connection_is_left_alone_for_as_long_as_it_wants(new_device, new_link, clock):
    async def scenario():
        async with new_device() as device:
            link = new_link(device.port, connect_pause_ms=250.0)
            first = asyncio.create_task(link.read(link._settings, REQUEST))
            while not link.connects:
                await asyncio.sleep(0.001)
            await clock.advance(NS_PER_S // 5)
            assert device.requests == []
            await clock.advance(NS_PER_S // 20)
            assert isinstance(await first, Answer)
            link.close()

    asyncio.run(scenario())


def test_a_cancelled_request_takes_its_connection_with_it(new_device, new_link):
    async def scenario():
        async with new_device() as device:
            device.silent = True
            link = new_link(device.port, timeout_s=60)
            waiting = asyncio.create_task(link.read(link._settings, REQUEST))
            await device.asked(1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            device.silent = False
            assert isinstance(await link.read(link._settings, REQUEST), Answer)
            assert device.connections == 2
            link.close()

    asyncio.run(scenario())


def test_a_cancellation_that_meets_the_reply_is_not_lost(new_device, new_link):
    async def scenario():
        async with new_device() as device:
            link = new_link(device.port)
            await link.read(link._settings, REQUEST)
            stream = link._stream
            assert stream is not None
            feed = stream._framing.feed

            def cancel_first(data):
                task.cancel()
                return feed(data)

            stream._framing.feed = cancel_first
            task = asyncio.create_task(link.read(link._settings, REQUEST))
            with pytest.raises(asyncio.CancelledError):
                await task
            link.close()

    asyncio.run(scenario())


def test_a_host_that_does_not_exist_is_a_failure_and_no_error(clock, monkeypatch):
    async def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def scenario():
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
        keys = ModbusSettings(host="no-such-host.invalid", timeout_s=5)
        outcome = await ModbusLink(keys, clock, random.Random(7)).read(keys, REQUEST)
        assert isinstance(outcome, Failure)
        assert outcome.reason is FailureReason.UNREACHABLE

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("key", "bad"),
    [
        ("host", ""), ("host", "http://plc"), ("host", "10.0.0.1:502"), ("host", "a b"), ("host", "a..b"),
        ("port", 0), ("port", 65_536), ("unit", 256), ("unit", -1), ("timeout_s", 0), ("timeout_s", float("inf")),
        ("max_registers", 126), ("max_bits", 2001), ("max_gap", -1), ("pause_ms", -1), ("reconnect_max_s", 0),
        ("retries", 3),
    ],
)  # fmt: skip
def test_settings_out_of_bounds_are_refused(key, bad):
    with pytest.raises(ValidationError) as refusal:
        DRIVERS["modbus"].settings_model(**({"host": "plc"} | {key: bad}))
    assert refusal.value.errors()[0]["loc"] == (key,)


@pytest.mark.parametrize("host", ["plc", "10.0.0.1", "::1", "储罐.example", "a-b_c.example"])
def test_hosts_by_name_and_by_address_are_taken(host):
    settings = DRIVERS["modbus"].settings_model.model_validate({"host": host})
    assert isinstance(settings, ModbusSettings)
    assert settings.host == host


def test_the_catalogue_loads_no_protocol_library():
    code = "import sys, drivers.catalogue; sys.exit('pymodbus' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_requests_are_numbered_on_over_a_loss_of_the_connection(clock):
    """A gateway that answers a request of the former connection on the new one must not meet its number again."""

    async def scenario():
        numbers = []

        async def serve(reader, writer):
            frame = await reader.readexactly(12)
            numbers.append(struct.unpack_from(">H", frame)[0])
            writer.write(frame[:4] + struct.pack(">HBBBH", 5, frame[6], 3, 2, 7007))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        keys = ModbusSettings(host="127.0.0.1", port=server.sockets[0].getsockname()[1], timeout_s=2.0)
        for seed in range(3):
            link = ModbusLink(keys, clock, random.Random(seed))
            while link.connects < 4:
                await link.read(keys, REQUEST)
                clock.tick(NS_PER_S)
                await asyncio.sleep(0.001)
            link.close()
            assert [number - numbers[0] for number in numbers] == list(range(len(numbers)))
            numbers.clear()
        server.close()
        await asyncio.sleep(0.01)

    asyncio.run(scenario())
