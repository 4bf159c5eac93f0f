"""Opens what carries the bytes: TCP, TLS, a serial port. Knows nothing of Modbus; ``link`` says when, and gives the receiver.

A wire is an ``asyncio.Transport`` as far as it is needed here: write, abort. Opening raises OSError.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import ssl
import termios
from typing import Final, Protocol

from drivers.modbus.connection import BAUDRATE_DEFAULT
from drivers.modbus.settings import ModbusSettings, Transport

_READ_BYTES: Final = 4096
_PARITY: Final = termios.PARENB | termios.PARODD
_BAUDRATES: Final = {
    int(name[1:]): getattr(termios, name) for name in dir(termios) if name.startswith("B") and name[1:].isdigit()
}


class Wire(Protocol):
    """The way out."""

    def write(self, data: bytes) -> None:
        """Never blocks, never raises for the other end; its loss comes to the receiver."""

    def abort(self) -> None:
        """Drop it at once, with all that waits in it."""


async def open_wire(settings: ModbusSettings, receiver: asyncio.Protocol) -> Wire:
    """Raises OSError; ssl.SSLError, which says who refused whom, is one."""
    loop = asyncio.get_running_loop()
    if settings.transport is Transport.RTU:
        return SerialWire(loop, settings, receiver)
    assert settings.host is not None
    context = tls_context(settings) if settings.transport is Transport.TLS else None
    name = (settings.server_name or settings.host) if context else None
    wire, _ = await loop.create_connection(
        lambda: receiver, settings.host, settings.tcp_port, ssl=context, server_hostname=name
    )
    return wire


def tls_context(settings: ModbusSettings) -> ssl.SSLContext:
    """Trusts the configured authority alone, and shows the client certificate where there is one. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cafile=settings.ca_file)
    if settings.certificate_file is not None:
        context.load_cert_chain(settings.certificate_file, settings.key_file)
    return context


def knows_baudrate(baudrate: int) -> bool:
    return baudrate in _BAUDRATES


class SerialWire:
    """A serial port, ours alone while it is open."""

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: ModbusSettings, receiver: asyncio.Protocol) -> None:
        """Raises OSError."""
        assert settings.serial_port is not None
        self._loop = loop
        self._receiver = receiver
        self._file = os.open(settings.serial_port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _set_line(self._file, settings)
        except (OSError, termios.error) as error:
            os.close(self._file)
            raise OSError(f"{settings.serial_port}: {error}") from error
        self._open = True
        loop.add_reader(self._file, self._read)

    def write(self, data: bytes) -> None:
        """What the line still held is dropped first, so that nothing from before answers."""
        try:
            termios.tcflush(self._file, termios.TCIFLUSH)
            sent = os.write(self._file, data)
        except (OSError, termios.error) as error:
            self._lose(OSError(str(error)))
        else:
            if sent < len(data):
                self._lose(OSError("the port takes nothing"))

    def abort(self) -> None:
        if self._open:
            self._open = False
            self._loop.remove_reader(self._file)
            os.close(self._file)

    def _read(self) -> None:
        try:
            data = os.read(self._file, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)
            return
        if data:
            self._receiver.data_received(data)
        else:
            self._lose(OSError("the port is gone"))

    def _lose(self, error: OSError) -> None:
        self.abort()
        self._loop.call_soon(self._receiver.connection_lost, error)


def _set_line(file: int, settings: ModbusSettings) -> None:
    """Raw bytes, eight of data, at the speed of the line; no lines of control, no echo."""
    _, _, control, _, _, _, special = termios.tcgetattr(file)
    control &= ~(termios.CSIZE | termios.PARENB | termios.PARODD | termios.CSTOPB | termios.CRTSCTS)
    control |= termios.CS8 | termios.CREAD | termios.CLOCAL
    if settings.parity != "none":
        control |= termios.PARENB | (termios.PARODD if settings.parity == "odd" else 0)
    if settings.stop_bits == 2:
        control |= termios.CSTOPB
    inwards = termios.INPCK if settings.parity != "none" else 0
    special[termios.VMIN], special[termios.VTIME] = 1, 0
    speed = _BAUDRATES[settings.baudrate or BAUDRATE_DEFAULT]
    try:
        termios.tcsetattr(file, termios.TCSANOW, [inwards, 0, control, 0, speed, speed, special])
    except termios.error:
        # A pseudo-terminal has no parity; that is an error where nothing else was to change, as at the second opening.
        _, _, control_now, local_now, *speeds_now, _ = termios.tcgetattr(file)
        if (control_now | _PARITY, local_now, speeds_now) != (control | _PARITY, 0, [speed, speed]):
            raise
