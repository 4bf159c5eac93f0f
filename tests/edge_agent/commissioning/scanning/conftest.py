"""A Modbus device of the tests' own on a real socket or a pseudo-terminal, in a thread."""

from __future__ import annotations

import os
import socketserver
import struct
import threading
import tty
from collections.abc import Iterator

import pytest
from pymodbus.framer import FramerRTU


class Device:
    """``words`` by (function, address); what is not there is refused with 02, as is more than ``most`` with 03.

    ``units`` are those that answer, None for any; ``code`` refuses everything; ``mute`` answers nothing.
    """

    def __init__(self) -> None:
        self.words: dict[tuple[int, int], int] = {}
        self.most = 125
        self.units: set[int] | None = None
        self.code: int | None = None
        self.mute = False
        self.asked: list[tuple[int, int, int, int]] = []

    def put(self, start: int, *words: int, function: int = 3) -> None:
        self.words |= {(function, start + i): word for i, word in enumerate(words)}

    def answer(self, unit: int, pdu: bytes) -> bytes | None:
        function, start, count = struct.unpack(">BHH", pdu)
        self.asked.append((unit, function, start, count))
        if self.mute or (self.units is not None and unit not in self.units):
            return None
        places = [(function, start + i) for i in range(count)]
        code = self.code or (3 if count > self.most else 2 if any(each not in self.words for each in places) else None)
        if code is not None:
            return bytes((function | 0x80, code))
        words = [self.words[each] for each in places]
        if function <= 2:
            data = sum(bit << i for i, bit in enumerate(words)).to_bytes((count + 7) // 8, "little")
        else:
            data = struct.pack(f">{count}H", *words)
        return bytes((function, len(data))) + data


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def port(device: Device) -> Iterator[int]:
    """Where the device listens on 127.0.0.1."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while len(head := self.rfile.read(7)) == 7:
                number, _, size, unit = struct.unpack(">HHHB", head)
                pdu = device.answer(unit, self.rfile.read(size - 1))
                if pdu is not None:
                    self.wfile.write(struct.pack(">HHHB", number, 0, len(pdu) + 1, unit) + pdu)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def serial_port(device: Device) -> Iterator[str]:
    """The terminal behind which the device speaks RTU."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)

    def serve() -> None:
        data = b""
        while True:
            try:
                data += os.read(ours, 4096)
            except OSError:
                return
            while len(data) >= 8:
                frame, data = data[:8], data[8:]
                if (pdu := device.answer(frame[0], frame[1:6])) is not None:
                    reply = frame[:1] + pdu
                    os.write(ours, reply + FramerRTU.compute_CRC(reply).to_bytes(2, "big"))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield os.ttyname(theirs)
    os.close(theirs)  # the last holder of the far end: reading ours ends with an error
    thread.join(timeout=10)
    os.close(ours)
