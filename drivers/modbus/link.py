"""One TCP connection to a Modbus device: a request goes out, an answer or the reason why there is none comes back.

Called by ``driver``, one request at a time; the only module that knows pymodbus. Pymodbus frames and parses; when to
connect, how long to wait and when to give up are decided here, since its own rules hold a silent device's connection for
seconds, dial for ever without a pause, and notice a dropped link only when the time is up.

- A request waits at most ``timeout_s``, a dial too. Nothing is sent twice.
- Whatever goes wrong closes the connection, and the next one starts with a new client: bytes that come late find
  nobody who could take them for another request's answer.
- Dials that no answer followed are spaced by a back-off, doubling with jitter up to ``reconnect_max_s``. A connection that
  opens proves nothing: only an answer ends the back-off.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import DecodePDU, ModbusPDU

from contract.clock import NS_PER_MS, NS_PER_S, Clock
from drivers.modbus.planner import ReadRequest
from drivers.modbus.settings import ModbusTcpSettings

BACK_OFF_MIN_S: Final = 0.2
_DOUBLINGS_MAX: Final = 16


class FailureReason(StrEnum):
    """Why there is no answer."""

    WAITING = "waiting"
    """Nothing was tried: the link is down and the back-off still runs."""
    UNREACHABLE = "unreachable"
    """The connection could not be opened."""
    TIMED_OUT = "timed out"
    DROPPED = "dropped"
    """The connection ended while the request waited."""
    MALFORMED = "malformed"
    """A reply came that does not fit the request."""


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer; the connection is closed. ``text`` is for a person."""

    reason: FailureReason
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A valid reply: ``payload`` holds the data bytes, or ``exception`` the device's refusal. Stamped on arrival."""

    payload: bytes
    exception: int | None
    time_ns: int
    mono_ns: int


class ModbusLink:
    """The connection, opened when first needed and again after each loss. Counters only grow."""

    def __init__(self, settings: ModbusTcpSettings, clock: Clock, rng: random.Random) -> None:
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._connection: _Connection | None = None
        self._unanswered_dials = 0
        self._next_dial_mono_ns = clock.mono_ns()
        self._quiet_until_mono_ns = clock.mono_ns()
        self.requests = 0
        self.failures = 0
        self.connects = 0
        self.last_failure: str | None = None
        # It logs the bytes of every failed exchange at ERROR; failures are counted and told here instead.
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

    async def read(self, request: ReadRequest) -> Answer | Failure:
        """Ask once. Takes ``timeout_s`` at most, or twice that when the connection had to be opened for it."""
        cancels = _cancels()
        try:
            outcome = await self._asked(request)
            if _cancels() > cancels:
                raise asyncio.CancelledError  # noqa: TRY301 - wait_for swallows one that meets a reply (Python < 3.12)
        except asyncio.CancelledError:
            self.close()  # with a request on its way the connection is of no more use
            raise
        self._note(outcome, request)
        return outcome

    def close(self) -> None:
        """Drop the connection; a later ``read`` opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _asked(self, request: ReadRequest) -> Answer | Failure:
        connection = await self._connected()
        if isinstance(connection, Failure):
            return connection
        await self._pause()
        self.requests += 1
        outcome = await connection.ask(request, self._settings.timeout_s)
        self._quiet_until_mono_ns = self._clock.mono_ns() + round(self._settings.pause_ms * NS_PER_MS)
        return outcome

    async def _connected(self) -> _Connection | Failure:
        """The open connection, or a new one if it is time to try."""
        if self._connection is not None and self._connection.lost:
            self._give_up()  # the device closed it between two requests
        if self._connection is not None:
            return self._connection
        if self._clock.mono_ns() < self._next_dial_mono_ns:
            return Failure(FailureReason.WAITING, "waiting before the next attempt to connect")
        self._unanswered_dials += 1
        self._connection = _Connection(self._settings, self._clock)
        if not await self._connection.dial(self._settings.timeout_s):
            return Failure(FailureReason.UNREACHABLE, f"no connection to {self._settings.host}:{self._settings.port}")
        self.connects += 1
        return self._connection

    async def _pause(self) -> None:
        if self._clock.mono_ns() < self._quiet_until_mono_ns:
            await self._clock.sleep_until(self._quiet_until_mono_ns)

    def _note(self, outcome: Answer | Failure, request: ReadRequest) -> None:
        if isinstance(outcome, Answer):
            self._unanswered_dials = 0
            if outcome.exception is not None:
                self.last_failure = f"{request}: refused with exception {outcome.exception:02X}"
        elif outcome.reason is not FailureReason.WAITING:
            self.failures += 1
            self.last_failure = f"{request}: {outcome.text}"
            self._give_up()

    def _give_up(self) -> None:
        """Close, and say from when on to dial again: at once after a link that answered, else after the back-off."""
        self.close()
        delay_s = 0.0
        if self._unanswered_dials:
            doublings = min(self._unanswered_dials - 1, _DOUBLINGS_MAX)
            ceiling_s = min(BACK_OFF_MIN_S * 2**doublings, self._settings.reconnect_max_s)
            delay_s = ceiling_s * self._rng.uniform(0.5, 1.0)
        self._next_dial_mono_ns = self._clock.mono_ns() + round(delay_s * NS_PER_S)


def _cancels() -> int:
    """How often the running task has been asked to stop."""
    task = asyncio.current_task()
    return task.cancelling() if task else 0


class _Reply(ModbusPDU):
    """A reply as it came; ``_Connection`` judges it, ``registers`` decodes its data in a block."""

    def __init__(self, frame: bytes) -> None:
        super().__init__()
        self.function_code = frame[0]
        self.body = frame[1:]

    def holds(self, size: int) -> bool:
        """The body is its own length and that many data bytes."""
        return len(self.body) == size + 1 and self.body[0] == size


class _ReplyDecoder(DecodePDU):
    """Takes any reply, where pymodbus' own raises into the event loop at one it does not know."""

    def decode(self, frame: bytes) -> ModbusPDU:
        return _Reply(frame)


class _Connection:
    """One connection from dial to loss; never used again after either failure or loss."""

    def __init__(self, settings: ModbusTcpSettings, clock: Clock) -> None:
        self._clock = clock
        self._unit = settings.unit
        self._arrived_ns = (0, 0)
        self._deadline: asyncio.Timeout | None = None
        self.lost = False
        self._client = AsyncModbusTcpClient(
            settings.host,
            port=settings.port,
            timeout=settings.timeout_s * 4,  # ours ends the wait long before
            retries=0,
            reconnect_delay=0,
            trace_pdu=self._on_pdu,
            trace_connect=self._on_connect,
        )
        self._client.ctx.framer.decoder = _ReplyDecoder(is_server=False)

    async def dial(self, timeout_s: float) -> bool:
        """True when the connection is open (asyncio has then set TCP_NODELAY)."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._client.connect()
        except TimeoutError:
            return False

    async def ask(self, request: ReadRequest, timeout_s: float) -> Answer | Failure:
        """Send one request and wait for its reply, the end of the connection, or the end of the time."""
        try:
            async with asyncio.timeout(timeout_s) as self._deadline:
                pdu = await self._send(request)
        except TimeoutError:
            if self.lost:
                return Failure(FailureReason.DROPPED, "the device closed the connection")
            return Failure(FailureReason.TIMED_OUT, f"no answer within {timeout_s:g} s")
        except ModbusException as error:
            return Failure(FailureReason.DROPPED, str(error))
        finally:
            self._deadline = None
        return self._judged(request, pdu)

    def close(self) -> None:
        self._client.close()

    def _send(self, request: ReadRequest) -> Awaitable[ModbusPDU]:
        """Only the four reading functions have a way out of this program."""
        read = {
            1: self._client.read_coils,
            2: self._client.read_discrete_inputs,
            3: self._client.read_holding_registers,
            4: self._client.read_input_registers,
        }[request.function]
        return read(request.start, count=request.count, device_id=self._unit)

    def _judged(self, request: ReadRequest, pdu: ModbusPDU) -> Answer | Failure:
        time_ns, mono_ns = self._arrived_ns
        assert isinstance(pdu, _Reply), "the decoder makes nothing else"
        if pdu.function_code == request.function | 0x80 and len(pdu.body) == 1:
            return Answer(b"", pdu.body[0], time_ns, mono_ns)
        if pdu.function_code == request.function and pdu.holds(request.reply_size):
            return Answer(pdu.body[1:], None, time_ns, mono_ns)
        return Failure(FailureReason.MALFORMED, "the reply does not fit the request")

    def _on_pdu(self, sending: bool, pdu: ModbusPDU) -> ModbusPDU:  # noqa: FBT001 - pymodbus' signature
        if not sending:
            self._arrived_ns = (self._clock.wall_ns(), self._clock.mono_ns())
        return pdu

    def _on_connect(self, connected: bool) -> None:  # noqa: FBT001 - pymodbus' signature
        """Pymodbus lets a waiting request run into its time-out when the link drops: end the wait now."""
        if not connected:
            self.lost = True
            if self._deadline is not None and not self._deadline.expired():
                self._deadline.reschedule(asyncio.get_running_loop().time())
