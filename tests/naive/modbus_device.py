"""A plain Modbus device on a real socket or a pseudo-terminal, in a thread: it answers as its words say and tells what it was asked."""

from __future__ import annotations

import os
import select
import socket
import socketserver
import struct
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from pymodbus.framer import FramerRTU


class Device:
    """``words`` by (function, address); what is not there is refused with 02, as is more than ``most`` with 03.

    ``units`` are those that answer, None for any; ``code`` refuses everything; ``mute`` answers nothing. Over TCP each answer waits
    for ``hold_s``; ``overlaps`` counts requests that came before the former one was answered, ``rests_s`` are the times without any.
    """

    def __init__(self) -> None:
        self.words: dict[tuple[int, int], int] = {}
        self.most = 125
        self.units: set[int] | None = None
        self.code: int | None = None
        self.mute = False
        self.asked: list[tuple[int, int, int, int]] = []
        self.hold_s = 0.0
        self.overlaps = 0
        self.rests_s: list[float] = []
        self._busy = threading.Lock()
        self._answered_s: float | None = None

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

    def serve(self, connection: socket.socket, unit: int, pdu: bytes) -> bytes | None:
        """The answer, in its time, and a note of whether another request came meanwhile."""
        if self._answered_s is not None:
            self.rests_s.append(time.monotonic() - self._answered_s)
        alone = self._busy.acquire(blocking=False)
        waiting, _, _ = select.select([connection], [], [], self.hold_s)
        self.overlaps += bool(waiting) or not alone
        reply = self.answer(unit, pdu)
        self._answered_s = time.monotonic()
        if alone:
            self._busy.release()
        return reply


@contextmanager
def on_tcp(device: Device) -> Iterator[int]:
    """Where the device listens on 127.0.0.1."""

    class Handler(socketserver.StreamRequestHandler):
        rbufsize = 0  # what has come is seen where it waits

        def handle(self) -> None:
            while len(head := self.rfile.read(7)) == 7:
                number, _, size, unit = struct.unpack(">HHHB", head)
                pdu = device.serve(self.connection, unit, self.rfile.read(size - 1))
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


@contextmanager
def on_a_line(device: Device) -> Iterator[str]:
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
