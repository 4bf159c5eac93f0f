"""A TCP relay that stands before a server and can hold back, cut and refuse what goes through it.

So a protocol's server need not know how to misbehave: what its clients meet is what a dead network gives them.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

CHUNK_BYTES: Final = 1 << 16
CONNECTIONS_MAX: Final = 64


class Relay:
    """Passes connections to ``host:port`` on to ``target_port`` of the same host, which may change between two of them."""

    def __init__(self, host: str, port: int) -> None:
        self.target_port = 0
        self._host = host
        self._port = port
        self._listener: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()

    async def listen(self) -> None:
        """Raises OSError where the port cannot be listened on."""
        if self._listener is None:
            self._listener = await asyncio.start_server(self._accept, self._host, self._port)

    async def disconnect(self) -> None:
        """Close the listener and every connection."""
        if self._listener is None:
            return
        listener, self._listener = self._listener, None
        listener.close()
        for each in self._passing:
            each.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    def hold(self) -> None:
        """Connections stay and new ones are accepted; nothing goes through, in either direction."""
        self._flows.clear()

    def let_go(self) -> None:
        """End of ``hold``; what was held back goes on."""
        self._flows.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._passing) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._pass(reader, writer))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both directions until one of them ends; then both ends are closed."""
        try:
            to_server, from_server = await asyncio.open_connection(self._host, self.target_port)
        except OSError:
            writer.transport.abort()  # the server behind is gone: this is how its client learns of it
            raise
        directions = [asyncio.create_task(self._copy(reader, from_server)),
                      asyncio.create_task(self._copy(to_server, writer))]  # fmt: skip
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in directions:
                each.cancel()
            for end in (writer, from_server):
                end.transport.abort()

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # either end has gone, which `_pass` tells the other one
            while data := await source.read(CHUNK_BYTES):
                await self._flows.wait()
                target.write(data)
                await target.drain()
