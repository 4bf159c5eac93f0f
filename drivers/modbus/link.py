"""One connection to Modbus devices: a request goes out, an answer or the reason why there is none comes back.

Called by ``driver``, one request at a time. When to connect, how long to wait and when to give up are decided here.

- A request waits at most ``timeout_s``, opening the connection too. Nothing is sent twice.
- Whatever goes wrong on TCP closes the connection, and the next one starts anew: bytes that come late find nobody who
  could take them for another request's answer. A serial port stays open and is emptied before each request.
- Attempts to connect after which no answer came, unless by a time-out, are spaced by a back-off, doubling with jitter up to
  ``reconnect_max_s``. A connection that opens proves nothing: only an answer ends the back-off. A time-out does not count,
  since it is a unit's silence, and its neighbours shall not wait for it; ``breaker`` spaces the attempts at that unit.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Final

from contract.clock import NS_PER_MS, NS_PER_S, Clock
from drivers.modbus.connection import silence_ns
from drivers.modbus.framing import Framing, Garbled, Reply, RtuFraming, SocketFraming
from drivers.modbus.outcome import Answer, Failure, FailureReason
from drivers.modbus.planner import ReadRequest
from drivers.modbus.settings import ModbusSettings, Transport
from drivers.modbus.wires import Wire, open_wire

BACK_OFF_MIN_S: Final = 0.2
_DOUBLINGS_MAX: Final = 16


class ModbusLink:
    """The connection, opened when first needed and again after each loss. ``connects`` only grows."""

    def __init__(self, settings: ModbusSettings, clock: Clock, rng: random.Random) -> None:
        """``settings`` are of any device on the connection."""
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._stream: _Stream | None = None
        self._fruitless = 0
        """Connections opened, or tried, since the last answer."""
        self._next_dial_mono_ns = clock.mono_ns()
        self._quiet_until_mono_ns = clock.mono_ns()
        self._silence_ns = silence_ns(settings) if settings.transport.is_rtu else 0
        self._numbers = itertools.count(rng.randrange(0x10000))
        self.connects = 0

    async def read(self, unit: ModbusSettings, request: ReadRequest) -> Answer | Failure:
        """Ask a unit once. Takes its ``timeout_s`` at most, or twice that when the connection had to be opened for it."""
        try:
            outcome = await self._asked(unit, request)
        except asyncio.CancelledError:
            self.close()  # with a request on its way the connection is of no more use
            raise
        if isinstance(outcome, Answer):
            self._fruitless = 0
        elif outcome.reason is not FailureReason.WAITING:
            self._give_up(outcome.reason)
        return outcome

    def close(self) -> None:
        """Drop the connection; a later ``read`` opens it again."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    async def _asked(self, unit: ModbusSettings, request: ReadRequest) -> Answer | Failure:
        stream = self._stream
        if stream is None or stream.lost:
            opened = await self._opened(unit.timeout_s)
            if isinstance(opened, Failure):
                return opened
            stream = opened
        if self._clock.mono_ns() < self._quiet_until_mono_ns:
            await self._clock.sleep_until(self._quiet_until_mono_ns)
        if stream.lost:
            return Failure(FailureReason.UNREACHABLE, stream.lost_in_words())
        outcome = await stream.ask(unit, request)
        rest_ns = max(round(unit.pause_ms * NS_PER_MS), self._silence_ns)
        ended_ns = outcome.mono_ns if isinstance(outcome, Answer) else self._clock.mono_ns()
        self._quiet_until_mono_ns = ended_ns + rest_ns
        return outcome

    async def _opened(self, timeout_s: float) -> _Stream | Failure:
        """A new connection, if it is time to try."""
        if self._stream is not None:
            self._give_up(FailureReason.DROPPED)  # the device closed it between two requests
        if self._clock.mono_ns() < self._next_dial_mono_ns:
            return Failure(FailureReason.WAITING, "waiting before the next attempt to connect")
        self._fruitless += 1
        framing: Framing = RtuFraming() if self._settings.transport.is_rtu else SocketFraming(self._numbers)
        stream = _Stream(framing, self._clock, self._silence_ns, tls=self._settings.transport is Transport.TLS)
        try:
            async with asyncio.timeout(timeout_s):
                stream.wire = await open_wire(self._settings, stream)
        except TimeoutError:
            return Failure(FailureReason.UNREACHABLE, f"no connection to {self._settings.endpoint}")
        except OSError as error:
            why = error.strerror or str(error)
            return Failure(FailureReason.UNREACHABLE, f"no connection to {self._settings.endpoint}: {why}")
        self._stream = stream
        self.connects += 1
        self._quiet_until_mono_ns = self._clock.mono_ns() + round(self._settings.connect_pause_ms * NS_PER_MS)
        return stream

    def _give_up(self, reason: FailureReason) -> None:
        """Close, and say from when on to connect again: at once after a link that answered, else after the back-off."""
        if self._settings.transport is Transport.RTU and reason is FailureReason.TIMED_OUT:
            return
        self.close()
        delay_s = 0.0
        if reason is FailureReason.TIMED_OUT:
            self._fruitless = 0
        if self._fruitless:
            doublings = min(self._fruitless - 1, _DOUBLINGS_MAX)
            ceiling_s = min(BACK_OFF_MIN_S * 2**doublings, self._settings.reconnect_max_s)
            delay_s = ceiling_s * self._rng.uniform(0.5, 1.0)
        self._next_dial_mono_ns = self._clock.mono_ns() + round(delay_s * NS_PER_S)


class _Stream(asyncio.Protocol):
    """One connection from opening to loss; never used again after a failure on TCP."""

    wire: Wire

    def __init__(self, framing: Framing, clock: Clock, silence_ns: int, *, tls: bool) -> None:
        """``silence_ns`` is what ends a frame; 0 where its length does."""
        self._framing = framing
        self._clock = clock
        self._silence_s = silence_ns / NS_PER_S
        self._tls = tls
        self._silence: asyncio.TimerHandle | None = None
        self._proven = False
        """An answer has come. Under TLS 1.3 a server refuses a client's certificate after the connection is open."""
        self._waiting: asyncio.Future[Answer | Failure] | None = None
        self._sent_mono_ns = 0
        self.lost = False

    async def ask(self, unit: ModbusSettings, request: ReadRequest) -> Answer | Failure:
        """Send one request and wait for its reply, the end of the connection, or the end of the time."""
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        self._sent_mono_ns = self._clock.mono_ns()
        self.wire.write(self._framing.ask(unit.unit, request))
        text = f"no answer within {unit.timeout_s:g} s"
        deadline = loop.call_later(unit.timeout_s, self._fail, FailureReason.TIMED_OUT, text)
        try:
            return await self._waiting
        finally:
            deadline.cancel()
            self._waiting = None
            self._still_speaking()

    def close(self) -> None:
        self.lost = True
        self.wire.abort()

    def lost_in_words(self) -> str:
        if self._tls and not self._proven:
            return "the device closed the connection before any answer: it may not admit our certificate"
        return "the device closed the connection"

    def data_received(self, data: bytes) -> None:
        self._still_speaking()
        came = self._framing.feed(data)
        if isinstance(came, Reply):
            mono_ns = self._clock.mono_ns()
            took_ns = mono_ns - self._sent_mono_ns
            answer = Answer(came.payload, came.exception, self._clock.wall_ns(), mono_ns, took_ns)
            if self._silence_s:
                self._silence = asyncio.get_running_loop().call_later(self._silence_s, self._take, answer)
            else:
                self._take(answer)
        elif isinstance(came, Garbled):
            self._fail(FailureReason.MALFORMED, came.text)
            self.lost = True  # nothing that follows could be told apart

    def _take(self, answer: Answer) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._proven = True
            self._waiting.set_result(answer)

    def _still_speaking(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever the cause, it is gone
        self.lost = True
        self._fail(FailureReason.DROPPED, self.lost_in_words())

    def _fail(self, reason: FailureReason, text: str) -> None:
        if self._waiting is not None and not self._waiting.done():
            took_ns = self._clock.mono_ns() - self._sent_mono_ns
            self._waiting.set_result(Failure(reason, text, took_ns))
