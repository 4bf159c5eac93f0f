"""What listens at the endpoint may be anything: the rows are BAD on time, and the driver goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
import time
from typing import Any

import pytest

from contract.quality import Quality
from drivers.base import DeviceState

COMM = Quality.BAD_COMM_FAILURE


class Stranger:
    """Accepts on 127.0.0.1 and answers whatever comes with the same bytes; None: never, empty: hangs up."""

    def __init__(self, answer: bytes | None):
        self.answer = answer
        self.connections = 0
        self.open = 0
        self.open_max = 0
        self.endpoint = ""
        self._tasks: set[Any] = set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.endpoint = f"opc.tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/park"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()
        await asyncio.gather(*self._tasks)

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self.connections += 1
        self.open += 1
        self.open_max = max(self.open_max, self.open)
        with contextlib.suppress(ConnectionError):  # the driver cuts the line, as it should
            while await reader.read(4096) and self.answer != b"":
                writer.write(self.answer or b"")
        self.open -= 1
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


HEADER = struct.Struct("<4sI")
ACKNOWLEDGE = HEADER.pack(b"ACKF", 28) + struct.pack("<5I", 0, 65535, 65535, 0, 0)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00" * 64,
        ACKNOWLEDGE,
        HEADER.pack(b"ERRF", 16) + struct.pack("<Ii", 0x8001_0000, -1),
        HEADER.pack(b"ACKF", 2**32 - 1),
        HEADER.pack(b"OPNF", 24) + bytes(16),
        HEADER.pack(b"MSGF", 24) + bytes(16),
    ],
    ids=["silent", "hangs up", "http", "zeros", "acknowledges only", "error", "endless", "empty channel", "unasked"],
)
def test_a_stranger_is_no_server(answer, new_driver, new_point, caplog):
    async def scenario():
        async with Stranger(answer) as stranger:
            driver = new_driver(stranger, new_point(2, "a"), timeout_s=0.1, reconnect_max_s=0.2)
            rows, started = [], time.monotonic()
            batches = driver.run()
            async for batch in batches:
                rows += batch.quality.tolist()
                if len(rows) >= 14:
                    break
            await batches.aclose()
            assert set(rows) == {COMM}
            assert time.monotonic() - started < 3
            health = driver.health()
            assert health.state is DeviceState.SILENT
            assert health.last_failure
            assert health.failures >= 2
            assert stranger.open_max == 1  # never a second connection beside the first
            assert stranger.connections <= 12

    asyncio.run(scenario())
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_rows_keep_their_period_while_attempts_are_rare(new_driver, new_point):
    async def scenario():
        async with Stranger(b"") as stranger:
            endpoint = stranger.endpoint
        driver = new_driver(stranger, new_point(2, "a", poll_s=0.3), endpoint=endpoint, reconnect_max_s=60)
        points = []
        batches = driver.run()
        async for batch in batches:
            assert set(batch.quality.tolist()) == {COMM}
            points += batch.point.tolist()
            if points.count(1) == 12:
                break
        await batches.aclose()
        assert 3 <= points.count(2) <= 9
        assert driver.health().failures <= 5

    asyncio.run(scenario())
