"""Which requests read a set of points: few, and never more than the device allows. Pure.

Addresses come in from ``address``, requests go to ``driver``, which sends them, and to ``registers``, which decodes
their replies. The predicted times below are what ``plan_report`` shows and the timetable is checked against.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from drivers.modbus.address import ModbusAddress, Table

REQUEST_US: Final = 2_000.0
"""Assumed cost of a request beside its bytes: turnaround of an ordinary TCP device."""
BYTE_US: Final = 10.0
"""Assumed cost of a byte on the wire; a serial line behind a gateway (9600 baud: 1150) needs a longer ``pause_ms``."""
_REQUEST_BYTES: Final = 12
_REPLY_BYTES: Final = 9
_BITS_PER_REGISTER: Final = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may ask for. ``max_gap`` counts registers that nobody wants (0: never read across a gap)."""

    max_registers: int = 125
    max_bits: int = 2000
    max_gap: int = 16

    def places(self, table: Table) -> int:
        """The most registers or bits per request."""
        return self.max_bits if table.holds_bits else self.max_registers

    def gap(self, table: Table) -> int:
        """The longest gap worth reading across, in registers or bits: allowed, and cheaper than a second request."""
        per_register = _BITS_PER_REGISTER if table.holds_bits else 1
        cheaper = int((REQUEST_US + BYTE_US * (_REQUEST_BYTES + _REPLY_BYTES)) / (BYTE_US * 2))
        return min(self.max_gap, cheaper) * per_register


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """``count`` registers or bits of ``table`` from ``start`` on; ``members`` are indices of the points inside."""

    table: Table
    start: int
    count: int
    members: tuple[int, ...]

    @property
    def function(self) -> int:
        """Modbus function code, 1 to 4."""
        return self.table.function

    @property
    def reply_size(self) -> int:
        """Bytes of data in a proper reply."""
        return (self.count + 7) // 8 if self.table.holds_bits else self.count * 2

    def __str__(self) -> str:
        return f"{self.table} {self.start}..{self.start + self.count - 1}"


def plan(addresses: Sequence[ModbusAddress], limits: Limits) -> tuple[ReadRequest, ...]:
    """Requests that read every address exactly once, in order of table and offset.

    Each address must fit into one request on its own (``width`` <= limit). Walking in order of offset and closing a
    request only when the next address does not fit gives the least number of requests for these limits.
    """
    requests: list[ReadRequest] = []
    order = sorted(range(len(addresses)), key=lambda i: (addresses[i].table.function, addresses[i].offset, i))
    for index in order:
        address = addresses[index]
        assert address.width <= limits.places(address.table), "a value never spans two requests"
        grown = _grown(requests[-1], address, index, limits) if requests else None
        if grown is None:
            requests.append(ReadRequest(address.table, address.offset, address.width, (index,)))
        else:
            requests[-1] = grown
    return tuple(requests)


def _grown(request: ReadRequest, address: ModbusAddress, index: int, limits: Limits) -> ReadRequest | None:
    """The request with one more address; None where that breaks a limit."""
    end = request.start + request.count
    if address.table is not request.table or address.offset > end + limits.gap(address.table):
        return None
    count = max(end, address.end) - request.start
    if count > limits.places(address.table):
        return None
    return ReadRequest(request.table, request.start, count, (*request.members, index))


def split(request: ReadRequest, addresses: Sequence[ModbusAddress]) -> tuple[ReadRequest, ...]:
    """The request as one per place, for a device that refused the whole: points of one place stay together.

    A request that reads a single place and nothing beside it comes back unchanged.
    """
    places: dict[tuple[int, int], list[int]] = {}
    for index in request.members:
        places.setdefault((addresses[index].offset, addresses[index].width), []).append(index)
    return tuple(ReadRequest(request.table, start, width, tuple(m)) for (start, width), m in sorted(places.items()))


def predicted_us(requests: Iterable[ReadRequest], pause_ms: float) -> float:
    """Time on the bus for one turn of these requests, pauses included."""
    total = 0.0
    for request in requests:
        total += REQUEST_US + BYTE_US * (_REQUEST_BYTES + _REPLY_BYTES + request.reply_size) + pause_ms * 1000
    return total
