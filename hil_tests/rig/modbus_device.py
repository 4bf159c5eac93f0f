"""The process of one Modbus connection: the units behind it, on TCP or a pseudo-terminal.

``device_process`` says how the process is told what to do, ``modbus_unit`` what a unit answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Sequence

from contract.clock import NS_PER_S
from hil_tests.rig.commands import Disconnect, LimitConnections, Listen, Quit, parse_command
from hil_tests.rig.device_process import Assignment, run_device
from hil_tests.rig.mischief import Sending
from hil_tests.rig.modbus_frames import Frames, Request, RtuFrames, SocketFrames
from hil_tests.rig.modbus_server import PtyServer, TcpServer
from hil_tests.rig.modbus_unit import ModbusUnit
from hil_tests.rig.ports import reserve
from hil_tests.rig.site import ModbusSpec, Transport
from hil_tests.rig.words import CommandError


class ModbusDevice:
    """The connection. A TCP port is reserved from the first moment to the last, also while nobody listens, so that no other
    program and no client's own end can take it."""

    def __init__(self, assignment: Assignment) -> None:
        """Raises OSError (port taken, ledger not writable) and ConfigError (recordings)."""
        first = assignment.first
        assert isinstance(first, ModbusSpec)
        self._units: dict[str, ModbusUnit] = {}
        for spec in assignment.devices:
            assert isinstance(spec, ModbusSpec)
            ledger = assignment.ledger_path(spec.name)
            self._units[spec.name] = ModbusUnit(
                spec, first.transport, ledger, assignment.start_mono_ns, assignment.plant
            )
        self._first = self._units[first.name]
        self._numbers = {each.spec.unit: each for each in self._units.values()}
        self._is_rtu = first.transport.is_rtu
        self._reserved = None if first.transport is Transport.RTU else reserve(first.host, first.port)
        new_frames = RtuFrames if self._is_rtu else SocketFrames
        self._server = (
            PtyServer(assignment.serial_port, new_frames, self._respond)
            if self._reserved is None
            else TcpServer(first.host, self.port, new_frames, self._respond, is_line=self._is_rtu)
        )
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets the error that ends the device; the loop would log it and go on, without a ledger."""

    @property
    def port(self) -> int:
        return 0 if self._reserved is None else int(self._reserved.getsockname()[1])

    async def open(self) -> None:
        """Raises OSError where the port cannot be listened on, CommandError for what it is told from the beginning."""
        for name, unit in self._units.items():
            for text in unit.spec.told:
                await self.obey(name, text)
        await self._server.listen()

    def work(self) -> Sequence[Awaitable[None]]:
        keep_up = [each.plant.keep_up() for each in self._units.values() if each.plant is not None]
        return *(_tell_markers(each) for each in self._units.values()), self._failure, *keep_up

    async def close(self) -> None:
        self._server.close()
        if self._reserved is not None:
            self._reserved.close()
        for each in self._units.values():
            each.close()

    async def obey(self, name: str, text: str) -> int:
        command = parse_command(text)
        match command:
            case Listen():
                await self._server.listen()
            case Disconnect() | Quit():
                self._server.close()
            case LimitConnections(count):
                if isinstance(self._server, PtyServer):
                    raise CommandError("a serial line has one master")
                self._server.connections_max = count
        return self._units[name].obey(command, text)

    def _respond(self, frames: Frames, request: Request) -> Sending:
        unit = self._numbers.get(request.unit)
        if unit is None and self._is_rtu:
            return Sending()  # on a line nobody speaks for a unit that is not there; a gateway does
        try:
            return (unit or self._first).respond(frames, request)
        except Exception as error:  # noqa: BLE001 - whatever it is ends the device, and nothing is said before
            if not self._failure.done():
                self._failure.set_exception(error)
            return Sending()


async def _tell_markers(unit: ModbusUnit) -> None:
    """Put each marker change down when it is due; returns at once where there are no markers."""
    while (next_ns := unit.next_marker_ns()) is not None:
        await asyncio.sleep(max(0, next_ns - time.monotonic_ns()) / NS_PER_S)
        unit.note_markers(time.monotonic_ns())


if __name__ == "__main__":
    run_device(ModbusDevice)
