"""Reads one place as often as asked and says what each read may mean. A thin shell between ``asking`` and ``screen``.

Four registers are asked for, which the longest number takes; where the device refuses, two, then one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, Self

from contract.clock import Clock
from drivers.modbus.outcome import Failure
from drivers.modbus.settings import ModbusSettings
from edge_agent.commissioning.probing import decodings, failures
from edge_agent.commissioning.probing.asking import Asking, why_unreachable
from edge_agent.commissioning.probing.decodings import Decoding, Reader, Value
from edge_agent.commissioning.probing.place import Place
from edge_agent.commissioning.probing.ranking import Hints, rank
from edge_agent.commissioning.trying.screen import View

READS_KEPT_MAX: Final = 30
_SPACE: Final = 65_536


class NoAnswerError(Exception):
    """Nothing came that could be decoded; ``advice`` says what to try next."""

    def __init__(self, message: str, advice: Sequence[str]) -> None:
        self.advice = tuple(advice)
        super().__init__(message)


class Looking:
    """One place of a device. Use as an asynchronous context; ``look`` raises NoAnswerError."""

    def __init__(
        self, settings: ModbusSettings, place: Place, ways: Sequence[Decoding], hints: Hints, clock: Clock
    ) -> None:
        self._asking = Asking(settings, clock)
        self._settings = settings
        self._place = place
        self._ways = ways
        self._hints = hints
        longest = max(way.width for way in ways)
        self._counts = [count for count in dict.fromkeys((longest, 4, 2, 1)) if count <= longest]
        self._counts = [count for count in self._counts if place.offset + count <= _SPACE]
        self._reader: Reader | None = None
        self._reads: deque[tuple[Value, ...]] = deque(maxlen=READS_KEPT_MAX)
        self._looks = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._asking.__aexit__()

    async def look(self) -> View:
        payload, count = await self._payload()
        if self._reader is None or count != self._counts[0]:
            self._counts = self._counts[self._counts.index(count) :]
            self._reads.clear()
            self._reader = None
        if self._reader is None:
            self._reader = Reader(self._ways, self._place.table, count)
        self._reads.append(self._reader.read(payload))
        self._looks += 1
        words = (
            (payload[0] & 1,)
            if self._place.table.holds_bits
            else tuple(int.from_bytes(payload[i : i + 2], "big") for i in range(0, len(payload), 2))
        )
        judged = rank(self._reader.decodings, [*self._reads], self._hints)
        return View(f"{self._settings.endpoint} unit {self._settings.unit}", self._place, words, judged, self._looks)

    async def _payload(self) -> tuple[bytes, int]:
        """The data of the longest request that is answered, and how long it is."""
        code = 0
        for count in self._counts:
            answer = await self._asking.ask(self._place.table, self._place.offset, count)
            if isinstance(answer, Failure):
                number = why_unreachable(self._settings) if not answer.reason.was_asked else None
                raise NoAnswerError(answer.text, failures.after_failure(answer, number, self._settings))
            if answer.exception is None:
                return answer.payload, count
            code = answer.exception
            if code not in (failures.ILLEGAL_ADDRESS, failures.ILLEGAL_VALUE):
                break
        advice = failures.after_exception(code, self._place, self._settings.unit)
        raise NoAnswerError(f"{self._place}: {failures.exception_in_words(code)}", advice)


def ways_of(place: Place, more: Sequence[decodings.Scaling], text_registers: int, hints: Hints) -> tuple[Decoding, ...]:
    """Every decoding that the place may have; those with the raw spans of analog inputs where the range is known."""
    if place.table.holds_bits or place.bit is not None:
        return decodings.of_a_bit(place.bit)
    measured = None if hints.low is None or hints.high is None else (hints.low, hints.high)
    return decodings.of_registers(more, text_registers, measured)
