"""Carries requests to whoever answers them, and sends what he says: over TCP, or over a pseudo-terminal.

Knows no registers and no rules: ``modbus_device`` decides what is sent, which may be late, twice, or the end of the
connection.
"""

from __future__ import annotations

import asyncio
import os
import pty
import socket
import struct
import tty
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from hil_tests.rig.commands import CONNECTIONS_MAX
from hil_tests.rig.mischief import Sending
from hil_tests.rig.modbus_frames import Frames, NoModbusError, Request

_READ_BYTES: Final = 4096
_RESET: Final = struct.pack("ii", 1, 0)
"""Linger for no time: the connection ends with RST, not with FIN."""
Respond = Callable[[Frames, Request], Sending]


class TcpServer:
    """Listens on a port that its caller has reserved. ``is_line``: bytes go to whoever is connected when they come, as from a
    converter before a serial line; else to the connection on which the request came."""

    def __init__(
        self, host: str, port: int, new_frames: Callable[[], Frames], respond: Respond, *, is_line: bool
    ) -> None:
        self.connections_max = CONNECTIONS_MAX
        self._place = (host, port)
        self._new_frames = new_frames
        self._respond = respond
        self._is_line = is_line
        self._listener: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def listen(self) -> None:
        """Raises OSError where the port cannot be listened on."""
        if self._listener is None:
            loop = asyncio.get_running_loop()
            self._listener = await loop.create_server(lambda: _Connection(self), *self._place, reuse_address=True)

    def close(self) -> None:
        """Close the listener and every connection."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for each in [*self._connections]:
            each.transport.abort()

    def joined(self, connection: _Connection) -> bool:
        """False where there is no room for it."""
        if len(self._connections) >= self.connections_max:
            return False
        self._connections.add(connection)
        return True

    def left(self, connection: _Connection) -> None:
        self._connections.discard(connection)

    def new_frames(self) -> Frames:
        return self._new_frames()

    def answer(self, connection: _Connection, request: Request) -> None:
        """Raises whatever the one who answers raises."""
        sending = self._respond(connection.frames, request)
        if sending.reset:
            connection.reset()
            return
        at_once = b"".join(data for delay_s, data in sending.frames if not delay_s)
        if at_once:
            connection.transport.write(at_once)
        for delay_s, data in sending.frames:
            if delay_s:
                asyncio.get_running_loop().call_later(delay_s, self._late, connection, data)

    def _late(self, connection: _Connection, data: bytes) -> None:
        for each in self._connections if self._is_line else self._connections & {connection}:
            each.transport.write(data)


class _Connection(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self, server: TcpServer) -> None:
        self._server = server
        self.frames = server.new_frames()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if not self._server.joined(self):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            requests = self.frames.requests(data)
        except NoModbusError:
            self.transport.abort()
            return
        for each in requests:
            if not self.transport.is_closing():
                self._server.answer(self, each)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever the cause, it is gone
        self._server.left(self)

    def reset(self) -> None:
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()


class PtyServer:
    """The far end of a serial line: a pseudo-terminal under the name ``path``, which a program opens like a port."""

    connections_max = 1

    def __init__(self, path: Path, new_frames: Callable[[], Frames], respond: Respond) -> None:
        self._path = path
        self._new_frames = new_frames
        self._respond = respond
        self._ends: tuple[int, int] | None = None
        """Ours, and the port itself: while one holder of it stays, ours does not end when a client closes it."""
        self._frames = new_frames()

    async def listen(self) -> None:
        """Plug the line in. Raises OSError."""
        if self._ends is not None:
            return
        self._ends = ours, port = pty.openpty()
        tty.setraw(port)
        os.set_blocking(ours, False)
        self._path.unlink(missing_ok=True)
        self._path.symlink_to(os.ttyname(port))
        self._frames = self._new_frames()
        asyncio.get_running_loop().add_reader(ours, self._read, ours)

    def close(self) -> None:
        """Pull it out: the port is gone."""
        if self._ends is not None:
            asyncio.get_running_loop().remove_reader(self._ends[0])
            for end in self._ends:
                os.close(end)
            self._ends = None
            self._path.unlink(missing_ok=True)

    def _read(self, ours: int) -> None:
        for request in self._frames.requests(os.read(ours, _READ_BYTES)):
            sending = self._respond(self._frames, request)
            for delay_s, data in sending.frames:
                if delay_s:
                    asyncio.get_running_loop().call_later(delay_s, self._write, data)
                else:
                    self._write(data)

    def _write(self, data: bytes) -> None:
        if self._ends is not None:
            with suppress(BlockingIOError):  # nobody reads the port: a line loses what nobody takes
                os.write(self._ends[0], data)
