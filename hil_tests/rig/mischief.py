"""What a misbehaving device does to a reply on its way out. Pure: time is handed in, chance is seeded.

A reply that would be right comes in with the request it answers; what is sent instead comes out. ``modbus_server`` sends it.
Each kind hits a reply by its own chance; several may hit the same one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contract.clock import NS_PER_S
from hil_tests.rig.commands import ClearMischief, Misbehave, MischiefKind
from hil_tests.rig.modbus_frames import REFUSES, Frames, Request

BUSY: Final = 0x06
HELD_NS_MAX: Final = NS_PER_S
"""A reply that is held longer than this is lost. On a serial line nobody could tell an older one from the awaited one; a
driver has to say for how long it minds late replies, and ours does for longer than this."""


@dataclass(frozen=True, slots=True)
class Sending:
    """What goes out for one request: bytes, each after so many seconds; or, with ``reset``, the end of the connection.
    ``done`` says what was done to the reply."""

    frames: tuple[tuple[float, bytes], ...] = ()
    reset: bool = False
    done: tuple[MischiefKind, ...] = ()


@dataclass(frozen=True, slots=True)
class _Held:
    frames: tuple[bytes, ...]
    until_ns: int


class _Active:
    def __init__(self, command: Misbehave) -> None:
        self.command = command
        self.rng = random.Random(command.seed)

    def hits(self) -> bool:
        return self.rng.random() < self.command.probability


class Mischief:
    """One unit's."""

    def __init__(self) -> None:
        self._active: dict[MischiefKind, _Active] = {}
        self._held: _Held | None = None

    def tell(self, command: Misbehave | ClearMischief) -> None:
        match command:
            case Misbehave():
                self._active[command.kind] = _Active(command)
            case ClearMischief(None):
                self._active.clear()
                self._held = None
            case ClearMischief(MischiefKind() as kind):
                self._active.pop(kind, None)

    def done_to(self, frames: Frames, request: Request, pdu: bytes, now_ns: int) -> Sending:
        """What is sent in place of the reply ``pdu``."""
        held, self._held = self._held, None
        due = held.frames if held is not None and now_ns < held.until_ns else ()
        # In one order always, so that the same seeds give the same run.
        hit = {kind: self._active[kind] for kind in MischiefKind if kind in self._active and self._active[kind].hits()}
        done = tuple(hit)
        if MischiefKind.RESET in hit:
            return Sending(reset=True, done=done)
        own = self._frames(frames, request, pdu, hit)
        if MischiefKind.CROSS in hit:
            self._held = _Held(own, now_ns + HELD_NS_MAX)
            own = ()
        delay_s = hit[MischiefKind.DELAY].command.seconds if MischiefKind.DELAY in hit else 0.0
        sent = [(0.0, each) for each in due] + [(delay_s, each) for each in own]
        return Sending(tuple(sent), done=done)

    def _frames(
        self, frames: Frames, request: Request, pdu: bytes, hit: Mapping[MischiefKind, _Active]
    ) -> tuple[bytes, ...]:
        unit, number = request.unit, request.number
        if MischiefKind.DROP in hit:
            return ()
        if MischiefKind.BUSY in hit:
            pdu = bytes((request.function | REFUSES, BUSY))
        if MischiefKind.WRONG_UNIT in hit:
            unit = (unit + hit[MischiefKind.WRONG_UNIT].rng.randrange(1, 247)) % 248
        if MischiefKind.WRONG_NUMBER in hit:
            number = (number + hit[MischiefKind.WRONG_NUMBER].rng.randrange(1, 0x10000)) % 0x10000
        frame = frames.frame(unit, number, pdu)
        if MischiefKind.CORRUPT in hit:
            frame = frames.damaged(frame, hit[MischiefKind.CORRUPT].rng)
        if MischiefKind.TRUNCATE in hit:
            frame = frame[: hit[MischiefKind.TRUNCATE].rng.randrange(1, len(frame))]
            if frames.numbered:
                return (frame,)  # half a frame and then more is damage to the data, which nobody can notice on TCP
        return (frame, frame) if MischiefKind.DUPLICATE in hit else (frame,)
