"""What no answer, or a refusal, means to the person who asked, and what to try next. Pure.

Codes and their meanings: Modbus application protocol 1.1b3, clause 7.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Final

from drivers.modbus.address import Table
from drivers.modbus.connection import BAUDRATE_DEFAULT
from drivers.modbus.outcome import Failure, FailureReason
from drivers.modbus.settings import ModbusSettings, Transport
from edge_agent.commissioning.probing.place import Place

ILLEGAL_FUNCTION: Final = 0x01
ILLEGAL_ADDRESS: Final = 0x02
ILLEGAL_VALUE: Final = 0x03
NO_PATH: Final = 0x0A
NO_RESPONSE: Final = 0x0B
EXCEPTIONS: Final = {
    ILLEGAL_FUNCTION: "illegal function: the device does not have this table",
    ILLEGAL_ADDRESS: "illegal data address: at least one of the places asked for is not there",
    ILLEGAL_VALUE: "illegal data value: more was asked for than the device gives at once",
    0x04: "device failure: it has the place and cannot read it now",
    0x05: "acknowledge: it needs more time",
    0x06: "busy: it does something else now",
    0x08: "memory parity error",
    NO_PATH: "gateway path unavailable: the gateway has no way to this unit",
    NO_RESPONSE: "gateway target failed to respond: the gateway asked and the unit did not answer",
}
_TWINS: Final = {
    Table.HOLDING: Table.INPUT, Table.INPUT: Table.HOLDING, Table.COIL: Table.DISCRETE, Table.DISCRETE: Table.COIL,
}  # fmt: skip


def exception_in_words(code: int) -> str:
    return f"exception {code:02X}, {EXCEPTIONS.get(code, 'which the specification does not know')}"


def after_exception(code: int, place: Place, unit: int) -> list[str]:
    """What to try next."""
    twin = Place(_TWINS[place.table], place.offset, None if place.table.holds_bits else place.bit)
    if code == ILLEGAL_FUNCTION:
        return [f"try its other table of the kind: {twin}"]
    if code == ILLEGAL_ADDRESS:
        return [
            f"off by one? a manual's {place.printed} is {place}: try {' or '.join(map(str, _neighbours(place)))}",
            f"it may be in the other table: try {twin}",
        ]
    if code == ILLEGAL_VALUE:
        return ["one register was refused as too many: the address may be wrong, as with 02", f"try {twin}"]
    if code in (NO_PATH, NO_RESPONSE):
        return [
            f"is unit {unit} on the line behind this gateway, powered, with that number and the line's speed and parity?",
            "`edge-agent scan --units 1-20` finds which units answer",
        ]
    return ["wait a little and ask again; read less often if it stays"]


def after_failure(failure: Failure, number: int | None, settings: ModbusSettings) -> list[str]:
    """What to try next. ``number`` is the system's error number of a connection that could not be opened."""
    if failure.reason is FailureReason.UNREACHABLE:
        return [_unreachable(number, settings)]
    return [*_unanswered(failure, settings)]


def _neighbours(place: Place) -> Iterator[Place]:
    if place.offset > 0:
        yield Place(place.table, place.offset - 1, place.bit)
    if place.offset < 65_535:
        yield Place(place.table, place.offset + 1, place.bit)


def _unreachable(number: int | None, settings: ModbusSettings) -> str:
    place = settings.endpoint
    if settings.transport is Transport.RTU:
        return {
            errno.ENOENT: f"there is no {place} at this machine; `ls -l /dev/serial/by-id/` shows what is plugged in",
            errno.EACCES: "this user may not open it: add it to the group dialout and sign in again",
            errno.EAGAIN: "another program has the port, perhaps the running agent: a line has one master; stop that first",
        }.get(number or 0, "is this a serial port, and not in use?")
    return {
        errno.ECONNREFUSED: f"the machine is there and nothing listens at {place}: is Modbus switched on, on this port?",
        errno.EHOSTUNREACH: "no way to this address: cable, address, mask or gateway of this machine",
        errno.ENETUNREACH: "no way to this network: address, mask or gateway of this machine",
        errno.ETIMEDOUT: "nobody answers at this address: device off, wrong address, or a firewall between",
        errno.ENOENT: "the name is not known: use the IP address, or see to the name server",
    }.get(number or 0, "see to cable, address and port")


def _unanswered(failure: Failure, settings: ModbusSettings) -> Iterator[str]:
    if failure.reason is FailureReason.TIMED_OUT:
        if settings.transport.is_rtu:
            speed = (
                f"{settings.baudrate or BAUDRATE_DEFAULT} baud, parity {settings.parity}, {settings.stop_bits} stop bit"
            )
            yield f"is the line really {speed}? try --baudrate and --parity as in the device's own settings"
            yield f"is the device unit {settings.unit}? `edge-agent scan --units 1-20` finds which units answer"
            yield "are the two wires swapped, is the line terminated, is the device powered?"
        else:
            yield f"the connection opened, so address and port are right: is it unit {settings.unit}? try --unit 1, 255 or 0"
            yield "a device that only speaks RTU behind a converter: write rtu+tcp:// in place of tcp://"
        yield f"a slow device: --timeout-s {max(2.0, 2 * settings.timeout_s):g}"
    elif failure.reason is FailureReason.DROPPED:
        yield "it may allow few connections, and others (a running agent, a SCADA) have them"
        yield f"it may not know unit {settings.unit}: try --unit 1, 255 or 0"
    else:
        yield "something answered, not in this protocol: Modbus RTU behind a converter is rtu+tcp://, TLS is tls://"
