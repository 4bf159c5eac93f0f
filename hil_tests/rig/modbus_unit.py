"""One unit of a Modbus connection: what it answers, what it does to the answer, and the ledger of both.

``modbus_device`` brings requests and commands; a moment is the monotonic clock's.
"""

from __future__ import annotations

import time
from pathlib import Path

from hil_tests.rig.commands import ClearMischief, Command, Misbehave, MischiefKind
from hil_tests.rig.ledger import FUNCTIONS, LedgerWriter
from hil_tests.rig.mischief import Mischief, Sending
from hil_tests.rig.modbus_frames import REFUSES, Frames, Request
from hil_tests.rig.plant_feed import PlantFeed, feed_for
from hil_tests.rig.playback import ILLEGAL_VALUE, Playback, Refusal, Silence, Values
from hil_tests.rig.registers import Table
from hil_tests.rig.site import ModbusSpec, PlantSettings, Transport
from hil_tests.rig.words import CommandError

ILLEGAL_FUNCTION = 0x01
_READ_PDU_BYTES = 5


class ModbusUnit:
    """One device. ``transport`` is that of its connection."""

    def __init__(
        self, spec: ModbusSpec, transport: Transport, ledger: Path, start_mono_ns: int, plant: PlantSettings | None
    ) -> None:
        """Raises OSError (ledger not writable) and ConfigError (recordings)."""
        self.spec = spec
        self._transport = transport
        self.plant: PlantFeed | None = feed_for(plant, spec.registers, start_mono_ns)
        self._playback = Playback(spec, start_mono_ns, self.plant)
        self._ledger = LedgerWriter(ledger)
        self._mischief = Mischief()

    def respond(self, frames: Frames, request: Request) -> Sending:
        """The reply, put down already, or what is sent in place of it. Raises OSError (the ledger)."""
        now_ns = time.monotonic_ns()
        self.note_markers(now_ns)
        pdu = self._reply(request, now_ns)
        if pdu is None:
            return Sending()
        sending = self._mischief.done_to(frames, request, pdu, now_ns)
        if sending.done:
            self._ledger.mischief(now_ns, sending.done)
        return sending

    def obey(self, command: Command, text: str) -> int:
        """Carry out what concerns this unit; returns the moment. Raises CommandError, and then nothing has changed; OSError."""
        now_ns = time.monotonic_ns()
        self.note_markers(now_ns)
        if isinstance(command, Misbehave):
            self._require_possible(command.kind)
        self._playback.apply(command, now_ns)
        if isinstance(command, (Misbehave, ClearMischief)):
            self._mischief.tell(command)
        self._ledger.command(now_ns, text)
        return now_ns

    def note_markers(self, now_ns: int) -> None:
        for change in self._playback.marker_changes(now_ns):
            self._ledger.marker(change.mono_ns, change.name, change.number)

    def next_marker_ns(self) -> int | None:
        return self._playback.next_marker_ns()

    def close(self) -> None:
        self._ledger.close()

    def _require_possible(self, kind: MischiefKind) -> None:
        """Raises CommandError."""
        if kind is MischiefKind.WRONG_NUMBER and self._transport.is_rtu:
            raise CommandError("requests on a serial line have no number")
        if kind is MischiefKind.RESET and self._transport is Transport.RTU:
            raise CommandError("a serial line has no connection to end; `disconnect` pulls it out")

    def _reply(self, request: Request, now_ns: int) -> bytes | None:
        """The PDU that answers, None for silence."""
        table = FUNCTIONS.get(request.function)
        if table is None or len(request.pdu) != _READ_PDU_BYTES:
            self._ledger.function(now_ns, request.function, request.pdu)
            return _refusal(request, ILLEGAL_FUNCTION if table is None else ILLEGAL_VALUE)
        address, count = (int.from_bytes(request.pdu[at : at + 2], "big") for at in (1, 3))
        match self._playback.answer(request.unit, table, address, count, now_ns):
            case Values(words):
                self._ledger.served(now_ns, table, address, words)
                return _values(request.function, table, words)
            case Refusal(code):
                self._ledger.refused(now_ns, table, address, count, code)
                return _refusal(request, code)
            case Silence():
                self._ledger.silent(now_ns, table, address, count)
        return None


def _refusal(request: Request, code: int) -> bytes:
    return bytes((request.function | REFUSES, code))


def _values(function: int, table: Table, words: tuple[int, ...]) -> bytes:
    if table.holds_bits:
        bits = sum(bit << place for place, bit in enumerate(words))
        data = bits.to_bytes((len(words) + 7) // 8, "little")
    else:
        data = b"".join(word.to_bytes(2, "big") for word in words)
    return bytes((function, len(data))) + data
