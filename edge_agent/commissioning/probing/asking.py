"""The connection to a device that a person looks at: one request at a time, unhurried, and honest about why there is no answer.

A thin shell around the driver's ``link``, so that what is seen here is what an agent will see. Requests read, no others exist.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import socket
from typing import Final, Self

from contract.clock import NS_PER_MS, NS_PER_S, Clock
from drivers.modbus.address import Table
from drivers.modbus.link import ModbusLink
from drivers.modbus.outcome import Answer, Failure, FailureReason
from drivers.modbus.planner import ReadRequest
from drivers.modbus.settings import ModbusSettings, Transport

_LOOK_AGAIN_NS: Final = 50 * NS_PER_MS


class Asking:
    """One connection; ``requests`` counts what was sent. Use it as an asynchronous context."""

    def __init__(self, settings: ModbusSettings, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self._link = ModbusLink(settings, clock, random.Random())
        self._late_until_ns: dict[int, int] = {}
        """By unit: until when a late reply on a serial line could be taken for that to the next request."""
        self.requests = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._link.close()
        await asyncio.sleep(0)  # what was closed is told so by the loop

    async def ask(self, table: Table, start: int, count: int, unit: int | None = None) -> Answer | Failure:
        """One request, to ``unit`` or the settings' own. Waits for the connection's back-off, and for late replies on a line."""
        asked = self.settings if unit is None else self.settings.model_copy(update={"unit": unit})
        await self._clock.sleep_until(self._late_until_ns.pop(asked.unit, 0))
        while True:
            outcome = await self._link.read(asked, ReadRequest(table, start, count, ()))
            if not isinstance(outcome, Failure) or outcome.reason is not FailureReason.WAITING:
                break
            await self._clock.sleep_until(self._clock.mono_ns() + _LOOK_AGAIN_NS)
        self.requests += 1
        if isinstance(outcome, Failure) and outcome.reason.was_asked and asked.transport.is_rtu:
            self._late_until_ns[asked.unit] = self._clock.mono_ns() + round(asked.late_s * NS_PER_S)
        return outcome


def why_unreachable(settings: ModbusSettings) -> int | None:
    """The system's error number of opening the connection, tried once more by hand; None where it opens now."""
    if settings.transport is Transport.RTU:
        return _why_no_port(settings.serial_port or "")
    try:
        with socket.create_connection((settings.host or "", settings.tcp_port), timeout=settings.timeout_s):
            return None
    except TimeoutError:
        return errno.ETIMEDOUT
    except socket.gaierror:
        return errno.ENOENT
    except OSError as error:
        return error.errno


def _why_no_port(path: str) -> int | None:
    if not os.path.exists(path):  # noqa: PTH110 - a device file, whose name is all there is
        return errno.ENOENT
    return errno.EAGAIN if os.access(path, os.R_OK | os.W_OK) else errno.EACCES
