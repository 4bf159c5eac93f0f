"""Serial lines (a pair of pseudo-terminals), their bytes over TCP, and the keys that each transport wants."""

from __future__ import annotations

import asyncio
import fcntl
import os
import random
import struct
import sys
import termios
import time
from collections.abc import Callable
from typing import Self

import pytest
from pydantic import ValidationError
from pymodbus.framer import FramerRTU

from contract.clock import NS_PER_MS, NS_PER_S
from contract.points import PointType
from contract.quality import Quality
from drivers.modbus.address import Table
from drivers.modbus.connection import bus_cost, silence_ns
from drivers.modbus.link import ModbusLink
from drivers.modbus.outcome import Answer, Failure, FailureReason
from drivers.modbus.planner import ReadRequest, Span
from drivers.modbus.settings import ModbusSettings
from drivers.modbus.wires import SerialWire

GOOD, COMM = Quality.GOOD, Quality.BAD_COMM_FAILURE
DEVICE = 1
REQUEST = ReadRequest(Table.HOLDING, 7, 2, (0,))


def rtu(unit: int, pdu: bytes) -> bytes:
    frame = bytes((unit,)) + pdu
    return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


def _waiting(terminal: int) -> int:
    """Bytes that can be read."""
    count = fcntl.ioctl(terminal, termios.FIONREAD, bytes(4))
    return int.from_bytes(count, sys.byteorder)


class Line:
    """Devices on a serial line. A register holds its own address plus 1000 times its unit. ``late`` replies are held back
    until ``release``."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, int, int, int]] = []
        self.mute_units: set[int] = set()
        self.late = False
        self.held: list[bytes] = []
        self.mangle: Callable[[bytes], bytes] = lambda frame: frame
        self._buffer = b""

    def replies(self, data: bytes) -> bytes:
        """What goes back for bytes that arrived."""
        self._buffer += data
        out = b""
        while len(self._buffer) >= 8:
            frame, self._buffer = self._buffer[:8], self._buffer[8:]
            assert FramerRTU.check_CRC(frame[:6], int.from_bytes(frame[6:], "big"))
            unit, function, start, count = struct.unpack(">BBHH", frame[:6])
            self.frames.append((unit, function, start, count))
            numbers = [1000 * unit + address for address in range(start, start + count)]
            reply = self.mangle(rtu(unit, struct.pack(f">BB{count}H", function, 2 * count, *numbers)))
            if unit in self.mute_units:
                continue
            if self.late:
                self.held.append(reply)
            else:
                out += reply
        return out


class Terminal(Line):
    """The far end of a pair of pseudo-terminals."""

    def __enter__(self) -> Self:
        self._file, port = os.openpty()
        self.port = os.ttyname(port)
        os.close(port)
        os.set_blocking(self._file, False)
        asyncio.get_running_loop().add_reader(self._file, self._read)
        return self

    def __exit__(self, *_: object) -> None:
        self.vanish()

    def vanish(self) -> None:
        if self._file >= 0:
            asyncio.get_running_loop().remove_reader(self._file)
            os.close(self._file)
            self._file = -1

    def send(self, data: bytes) -> None:
        """Returns when the bytes are at the near end: the kernel brings them there in a thread of its own, and a clock that
        skips waits would let them come after what was asked seconds later."""
        near = os.open(self.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            wanted = min(_waiting(near) + len(data), 4095)  # a line discipline holds no more
            os.write(self._file, data)
            end = time.monotonic() + 5
            while _waiting(near) < wanted and time.monotonic() < end:
                time.sleep(0.0001)
        finally:
            os.close(near)

    def release(self) -> None:
        self.late = False
        for reply in self.held:
            self.send(reply)
        self.held.clear()

    def _read(self) -> None:
        try:
            data = os.read(self._file, 4096)
        except OSError:
            return  # nobody has the other end open
        if out := self.replies(data):
            self.send(out)


@pytest.fixture
def on_line(new_driver):
    """Makes a driver of the unit 3 on a serial line."""

    def make(port: str, *points, **settings):
        keys = {"transport": "rtu", "serial_port": port, "host": None, "unit": 3, "timeout_s": 0.3, **settings}
        return new_driver(None, *points, **keys)

    return make


def test_a_serial_line_is_read(on_line, new_point, turns):
    async def scenario():
        with Terminal() as line:
            driver = on_line(line.port, new_point(2, "holding:40"), new_point(3, "input:41"))
            (seen,) = await turns(driver, 1)
            assert seen == {DEVICE: (1.0, GOOD), 2: (3040.0, GOOD), 3: (3041.0, GOOD)}
            assert line.frames == [(3, 3, 40, 1), (3, 4, 41, 1)]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("parity", "flags"), [("even", termios.PARENB), ("odd", termios.PARENB | termios.PARODD), ("none", 0)]
)
def test_the_line_is_set_as_configured(parity, flags, monkeypatch, on_line, new_point, turns):
    """Seen at the call, since a pseudo-terminal of Linux has no parity and forgets it."""
    asked = []

    async def scenario():
        with Terminal() as line:
            keys = {"baudrate": 9600, "parity": parity, "stop_bits": 2}
            await turns(on_line(line.port, new_point(2, "holding:1"), **keys), 1)

    monkeypatch.setattr(termios, "tcsetattr", lambda _, when, line: asked.append((when, line)))
    asyncio.run(scenario())
    [(_, (inwards, outwards, control, local, speed_in, speed_out, _))] = asked
    assert (speed_in, speed_out) == (termios.B9600, termios.B9600)
    assert control & (termios.PARENB | termios.PARODD) == flags
    assert control & termios.CSIZE == termios.CS8
    assert control & termios.CSTOPB
    assert (outwards, local) == (0, 0), "raw: nothing is translated, echoed or gathered into lines"
    assert inwards in (0, termios.INPCK)


def test_noise_before_a_reply_and_a_damaged_one_give_no_wrong_value(on_line, new_point, turns):
    async def scenario():
        with Terminal() as line:

            async def between(turn):
                line.mangle = [
                    lambda frame: b"\x00\xff" + frame,
                    lambda frame: frame[:4] + bytes((frame[4] ^ 1,)) + frame[5:],
                    lambda frame: frame,
                ][turn]

            seen = await turns(on_line(line.port, new_point(2, "holding:40"), late_s=0.0), 3, between)
            assert [turn[2][1] for turn in seen] == [GOOD, COMM, GOOD]

    asyncio.run(scenario())


def test_a_late_reply_on_a_line_never_becomes_another_registers_value(on_line, new_point, turns):
    """Two blocks of the same length: the reply to the first, held back beyond its time, fits the second."""

    async def scenario():
        with Terminal() as line:
            driver = on_line(line.port, new_point(2, "holding:10"), new_point(3, "holding:500"), max_gap=0, late_s=3.0)

            async def between(turn):
                if turn == 1:
                    line.late = True
                if turn in (2, 3):
                    line.send(rtu(3, struct.pack(">BBH", 3, 2, 666)))  # what was asked in turn 1, in its own good time
                if turn == 3:
                    line.late = False

            seen = await turns(driver, 10, between)
            for turn in seen:
                assert turn[2] == (3010.0, GOOD) or turn[2][1] == COMM
                assert turn[3] == (3500.0, GOOD) or turn[3][1] == COMM
            assert [seen[i][DEVICE][1] for i in (0, 1, 9)] == [GOOD, COMM, GOOD]

    asyncio.run(scenario())


def test_after_a_time_out_on_a_line_what_a_late_reply_could_answer_is_not_asked(on_line, new_point, turns):
    async def scenario():
        with Terminal() as line:
            points = [
                new_point(2, "holding:10"),
                new_point(3, "holding:500"),
                new_point(4, "holding:900", PointType.UINT32),
            ]
            driver = on_line(line.port, *points, max_gap=0, late_s=2.5)
            line.mangle = lambda frame: b"" if len(line.frames) == 1 else frame
            seen = await turns(driver, 4)
            assert [turn[2][1] for turn in seen] == [COMM, COMM, COMM, GOOD]
            assert [turn[4][1] for turn in seen] == [COMM, GOOD, GOOD, GOOD]

    asyncio.run(scenario())


def test_a_line_is_silent_for_three_and_a_half_characters_between_two_frames(clock):
    async def scenario():
        with Terminal() as line:
            keys = {"transport": "rtu", "serial_port": line.port, "timeout_s": 5.0, "baudrate": 300}
            settings = ModbusSettings.model_validate(keys)
            link = ModbusLink(settings, clock, random.Random(1))
            assert isinstance(await link.read(settings, REQUEST), Answer)
            second = asyncio.create_task(link.read(settings, REQUEST))
            await clock.advance(NS_PER_S // 10)
            assert (len(line.frames), second.done()) == (1, False)
            await clock.advance(NS_PER_S // 30)
            assert isinstance(await second, Answer)
            link.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("after_s", [0.02, 0.08])
def test_a_line_that_goes_on_speaking_has_not_answered(after_s, clock):
    """At 300 baud a frame ends with 0.13 s of silence; before that another reply comes, for which there was no request."""

    async def scenario():
        with Terminal() as line:
            keys = {"transport": "rtu", "serial_port": line.port, "timeout_s": 5.0, "baudrate": 300}
            settings = ModbusSettings.model_validate(keys)
            link = ModbusLink(settings, clock, random.Random(1))
            stray = rtu(1, struct.pack(">BBHH", 3, 4, 66, 67))

            def also(frame):
                asyncio.get_running_loop().call_later(after_s, line.send, stray)
                return frame

            line.mangle = also
            outcome = await link.read(settings, REQUEST)
            assert isinstance(outcome, Failure)
            assert outcome.reason is FailureReason.MALFORMED
            link.close()

    asyncio.run(scenario())


def test_units_on_a_line_have_their_silence_between_two_frames(clock):
    settings = ModbusSettings.model_validate({"transport": "rtu", "serial_port": "/dev/null", "baudrate": 9600})
    assert silence_ns(settings) == pytest.approx(3.5 * 11 / 9600 * NS_PER_S, abs=2)
    faster = settings.model_copy(update={"baudrate": 115_200})
    assert silence_ns(faster) == 1_750_000, "the specification fixes it above 19200 baud"


def test_the_time_of_a_request_on_a_line_is_predicted_from_its_speed():
    settings = ModbusSettings.model_validate({"transport": "rtu", "serial_port": "/dev/null", "baudrate": 9600})
    ms = bus_cost(settings).of(Span(Table.HOLDING, 0, 100)) / NS_PER_MS
    assert ms == pytest.approx(213 * 11 / 9.6 + 2 * 3.5 * 11 / 9.6 + 5, abs=0.1), (
        "0.24 s of characters for 100 registers"
    )
    behind = ModbusSettings.model_validate({"host": "gateway", "baudrate": 9600})
    assert bus_cost(behind).of(Span(Table.HOLDING, 0, 100)) / NS_PER_MS == pytest.approx(ms + 2, abs=0.1)


def test_a_port_that_goes_and_comes_back(new_point, turns, new_driver, tmp_path):
    async def scenario():
        port = tmp_path / "ttyUSB0"
        lines = []

        async def plug():
            line = Terminal()
            line.__enter__()
            lines.append(line)
            port.unlink(missing_ok=True)
            port.symlink_to(line.port)

        async def between(turn):
            if turn == 2:
                lines[-1].vanish()
            if turn == 5:
                await plug()

        await plug()
        keys = {"transport": "rtu", "serial_port": str(port), "host": None, "timeout_s": 0.5, "reconnect_max_s": 1.0}
        driver = new_driver(None, new_point(2, "holding:7"), **keys)
        seen = await turns(driver, 9, between)
        lines[-1].vanish()
        assert [turn[2][1] for turn in seen[:5]] == [GOOD, GOOD, COMM, COMM, COMM]
        assert seen[-1] == {DEVICE: (1.0, GOOD), 2: (1007.0, GOOD)}

    asyncio.run(scenario())


def test_a_port_is_opened_as_often_as_need_be(on_line, new_point, turns):
    async def scenario():
        with Terminal() as line:
            for _ in range(3):
                (seen,) = await turns(on_line(line.port, new_point(2, "holding:7")), 1)
                assert seen[2] == (3007.0, GOOD)

    asyncio.run(scenario())


def test_what_waits_in_a_port_is_dropped_before_a_request():
    """The bytes arrived, and the loop has not looked yet."""

    class Receiver(asyncio.Protocol):
        came = b""

        def data_received(self, data):
            self.came += data

    async def scenario():
        with Terminal() as line:
            line.mangle = lambda _: b"fresh"
            receiver = Receiver()
            settings = ModbusSettings.model_validate({"transport": "rtu", "serial_port": line.port})
            wire = SerialWire(asyncio.get_running_loop(), settings, receiver)
            line.send(b"stale")
            wire.write(rtu(1, struct.pack(">BHH", 3, 0, 1)))
            async with asyncio.timeout(5):
                while not receiver.came:
                    await asyncio.sleep(0.001)
            assert receiver.came == b"fresh"
            wire.abort()

    asyncio.run(scenario())


def test_a_port_that_another_program_holds_is_no_connection(clock):
    async def scenario():
        with Terminal() as line:
            settings = ModbusSettings.model_validate({"transport": "rtu", "serial_port": line.port, "timeout_s": 0.2})
            first, second = (ModbusLink(settings, clock, random.Random(1)) for _ in range(2))
            assert isinstance(await first.read(settings, REQUEST), Answer)
            outcome = await second.read(settings, REQUEST)
            assert isinstance(outcome, Failure)
            assert outcome.reason is FailureReason.UNREACHABLE
            assert line.port in outcome.text
            first.close()

    asyncio.run(scenario())


def test_a_serial_line_over_tcp_is_read_and_opened_anew_after_a_time_out(new_point, new_driver, turns):
    async def scenario():
        line, connections = Line(), []

        async def serve(reader, writer):
            connections.append(writer)
            while data := await reader.read(4096):
                writer.write(line.replies(data))
            writer.close()

        async def between(turn):
            line.late = turn == 1

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        keys = {"transport": "rtu_over_tcp", "unit": 9, "late_s": 0.0, "timeout_s": 0.3}
        seen = await turns(new_driver(port, new_point(2, "holding:7"), **keys), 3, between)
        assert [turn[2] for turn in seen][::2] == [(9007.0, GOOD)] * 2
        assert seen[1][2][1] == COMM
        assert len(connections) == 2
        server.close()
        await asyncio.sleep(0.05)

    asyncio.run(scenario())


# -- keys ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "missing"),
    [
        ({}, "host"),
        ({"transport": "rtu"}, "serial_port"),
        ({"transport": "rtu_over_tcp"}, "host"),
        ({"transport": "tls", "host": "h"}, "ca_file"),
    ],
)
def test_a_transport_without_what_it_needs_is_refused(keys, missing):
    with pytest.raises(ValidationError) as refusal:
        ModbusSettings.model_validate(keys)
    assert [error["loc"] for error in refusal.value.errors()] == [(missing,)]


@pytest.mark.parametrize(
    ("keys", "column"),
    [
        ({"transport": "rtu", "serial_port": "/dev/ttyS1", "host": "h"}, "host"),
        ({"transport": "rtu", "serial_port": "/dev/ttyS1", "port": 502}, "port"),
        ({"transport": "rtu", "serial_port": "/dev/ttyS1", "unit": 0}, "unit"),
        ({"transport": "rtu", "serial_port": "/dev/ttyS1", "unit": 248}, "unit"),
        ({"transport": "rtu", "serial_port": "/dev/ttyS1", "baudrate": 9601}, "baudrate"),
        ({"host": "h", "serial_port": "/dev/ttyS1"}, "serial_port"),
        ({"host": "h", "ca_file": "x"}, "ca_file"),
        ({"host": "h", "transport": "rtu_over_tcp", "unit": 0}, "unit"),
    ],
)
def test_keys_that_do_not_go_together_are_found_offline(keys, column, new_driver, new_point):
    port = keys.get("port")
    others = {key: value for key, value in keys.items() if key != "port"}
    driver = new_driver(port, new_point(2, "holding:7"), **({"host": None} | others))
    assert [fault.column for fault in driver.check()] == [f"device.1.{column}"]


def test_a_line_too_slow_for_its_time_out_is_found_offline(on_line, new_point):
    points = [new_point(2 + i, f"holding:{i}", poll_s=10.0) for i in range(100)]
    assert on_line("/dev/ttyS1", *points, baudrate=9600).check() == []
    (fault,) = on_line("/dev/ttyS1", *points, baudrate=2400).check()
    assert (fault.column, "takes 1.01 s" in fault.message) == ("device.1.timeout_s", True)
    assert on_line("/dev/ttyS1", *points, baudrate=2400, max_registers=20).check() == []


def test_a_device_without_a_function_is_not_asked_with_it(new_driver, new_point):
    (fault,) = new_driver(1, new_point(2, "input:7"), functions=[3]).check()
    assert (fault.column, "function 4" in fault.message) == ("register", True)
