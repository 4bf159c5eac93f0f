"""The process of one Modbus device: a Modbus TCP server around a ``Playback``.

``device_process`` says how the process is told what to do.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Sequence
from typing import Final

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import NoSuchIdException
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import SimData, SimDevice
from pymodbus.simulator.simcore import SimCore

from contract.clock import NS_PER_S
from hil_tests.rig.commands import Disconnect, Listen, Quit, parse_command
from hil_tests.rig.device_process import Assignment, run_device
from hil_tests.rig.ledger import LedgerWriter
from hil_tests.rig.plant_feed import feed_for
from hil_tests.rig.playback import Playback, Refusal, Silence, Values
from hil_tests.rig.ports import reserve
from hil_tests.rig.registers import Table
from hil_tests.rig.site import ModbusSpec

_TABLE_OF_FUNCTION: Final = {1: Table.COIL, 2: Table.DISCRETE, 3: Table.HOLDING, 4: Table.INPUT}


class PlayedContext(SimCore):
    """Stands where pymodbus keeps its registers, and asks the playback at the moment of each request."""

    def __init__(self, playback: Playback, ledger: LedgerWriter) -> None:
        # SimCore's own store stays unmade: every way into it is overridden here.
        self._playback = playback
        self._ledger = ledger
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Gets the error that ends the device: pymodbus would turn it into exception 04 and go on, without a ledger."""

    def device_ids(self) -> list[int]:
        return []

    async def async_getValues(  # noqa: N802 - the name is pymodbus' own
        self, device_id: int, func_code: int, address: int, count: int = 1
    ) -> list[int] | list[bool] | ExcCodes:
        """Raises NoSuchIdException, which the server is set to answer with silence."""
        table = _TABLE_OF_FUNCTION.get(func_code)
        if table is None:
            return ExcCodes.ILLEGAL_FUNCTION
        try:
            reply = self._answer(device_id, table, address, count)
        except Exception as error:
            self._fail(error)
            raise
        if isinstance(reply, Silence):
            raise NoSuchIdException("told to be silent")
        if isinstance(reply, Refusal):
            return ExcCodes(reply.code)
        return [bool(word) for word in reply.words] if table.holds_bits else list(reply.words)

    def _answer(self, unit: int, table: Table, address: int, count: int) -> Values | Refusal | Silence:
        """The reply, put down already."""
        now_ns = time.monotonic_ns()
        self.note_markers(now_ns)
        reply = self._playback.answer(unit, table, address, count, now_ns)
        match reply:
            case Values(words):
                self._ledger.served(now_ns, table, address, words)
            case Refusal(code):
                self._ledger.refused(now_ns, table, address, count, code)
            case Silence():
                self._ledger.silent(now_ns, table, address, count)
        return reply

    def _fail(self, error: Exception) -> None:
        if not self.failure.done():
            self.failure.set_exception(error)

    async def async_setValues(  # noqa: N802 - the name is pymodbus' own
        self,
        device_id: int,  # noqa: ARG002 - the signature is pymodbus' own
        func_code: int,
        address: int,
        values: list[int] | list[bool],  # noqa: ARG002
    ) -> ExcCodes | None:
        """Nothing may be written; the attempt is put down."""
        try:
            self._ledger.write_refused(time.monotonic_ns(), func_code, address)
        except OSError as error:
            self._fail(error)
        return ExcCodes.ILLEGAL_FUNCTION

    def note_markers(self, now_ns: int) -> None:
        for change in self._playback.marker_changes(now_ns):
            self._ledger.marker(change.mono_ns, change.name, change.number)


class ModbusDevice:
    """The device on the network. ``port`` is reserved from the first moment to the last, also while nobody listens, so
    that no other program and no client's own end can take it."""

    def __init__(self, assignment: Assignment) -> None:
        """Raises OSError (port taken, ledger not writable) and ConfigError (recordings)."""
        device = assignment.device
        assert isinstance(device, ModbusSpec)
        self._plant = feed_for(assignment.plant, device.registers, assignment.start_mono_ns)
        self._playback = Playback(device, assignment.start_mono_ns, self._plant)
        self._ledger = LedgerWriter(assignment.ledger)
        self._context = PlayedContext(self._playback, self._ledger)
        self._host = device.host
        self._reserved = reserve(device.host, device.port)
        self._server: ModbusTcpServer | None = None

    @property
    def port(self) -> int:
        return int(self._reserved.getsockname()[1])

    async def open(self) -> None:
        """Raises OSError where the port cannot be listened on."""
        await self.listen()

    def work(self) -> Sequence[Awaitable[None]]:
        keep_up = () if self._plant is None else (self._plant.keep_up(),)
        return self.tell_markers(), self._context.failure, *keep_up

    async def close(self) -> None:
        self.disconnect()
        self._reserved.close()
        self._ledger.close()

    async def listen(self) -> None:
        """Raises OSError where the port cannot be listened on."""
        if self._server is not None:
            return
        unused = SimDevice(1, simdata=[SimData(0)])
        server = ModbusTcpServer(unused, address=(self._host, self.port), ignore_missing_devices=True)
        server.context = self._context
        if not await server.listen():
            raise OSError(f"cannot listen on {self._host}:{self.port}")
        self._server = server

    def disconnect(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def obey(self, text: str) -> int:
        """Carry out one command and write it down; returns the moment it took effect. Raises CommandError, OSError."""
        command = parse_command(text)
        match command:
            case Listen():
                await self.listen()
            case Disconnect() | Quit():
                self.disconnect()
        now_ns = time.monotonic_ns()
        self._context.note_markers(now_ns)
        self._playback.apply(command, now_ns)
        self._ledger.command(now_ns, text)
        return now_ns

    async def tell_markers(self) -> None:
        """Put each marker change down when it is due; returns at once where there are no markers."""
        while (next_ns := self._playback.next_marker_ns()) is not None:
            await asyncio.sleep(max(0, next_ns - time.monotonic_ns()) / NS_PER_S)
            self._context.note_markers(time.monotonic_ns())


def main() -> None:
    # Its logger prints a hex dump for every request that is left unanswered on purpose.
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL + 1)
    run_device(ModbusDevice)


if __name__ == "__main__":
    main()
