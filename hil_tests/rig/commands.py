"""What a device can be told while it runs: one line of text per command, the same from a person and from a program."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

EXCEPTION_CODES: Final = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 10, 11})
RAMP_S_MAX: Final = 86_400.0
PLANT: Final = "plant"
"""Stands where a device's name does, for what happens to all of them; and before such an order in a ledger."""


class CommandError(ValueError):
    """A command that cannot be understood or obeyed; nothing was changed. The text says what to write instead."""


@dataclass(frozen=True, slots=True)
class Step:
    """The register shows ``value`` from now on, or after a straight way there of ``ramp_s``."""

    name: str
    value: float
    ramp_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Release:
    """Back to the register's signal."""

    name: str


@dataclass(frozen=True, slots=True)
class Freeze:
    """Keep showing what is shown now, whatever the signal or a step does below it. None: every register."""

    name: str | None


@dataclass(frozen=True, slots=True)
class Unfreeze:
    """None: every register."""

    name: str | None


@dataclass(frozen=True, slots=True)
class OpenCircuit:
    """The wire to the instrument breaks: NaN in a float register, 7FFFh in an integer one, BadSensorFailure at a node."""

    name: str


@dataclass(frozen=True, slots=True)
class CloseCircuit:
    """End of ``OpenCircuit``."""

    name: str


@dataclass(frozen=True, slots=True)
class Status:
    """A node has this OPC UA status code, whatever it shows."""

    name: str
    code: str


@dataclass(frozen=True, slots=True)
class ClearStatus:
    """Back to the status that the value has by itself. None: every node."""

    name: str | None


@dataclass(frozen=True, slots=True)
class StopAnswering:
    """Keep connections, accept new ones, read requests, and stay silent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """End of ``StopAnswering``."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the listener and every connection; the port stays reserved and refuses."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Listen again, on the same port."""


@dataclass(frozen=True, slots=True)
class RaiseException:
    """Requests that touch ``address``, in any table, get this Modbus exception."""

    address: int
    code: int


@dataclass(frozen=True, slots=True)
class ClearExceptions:
    """End of every ``RaiseException``."""


@dataclass(frozen=True, slots=True)
class PlantOrder:
    """Something happens in the plant at ``t_ns`` after the start; ``Rig.plant`` tells every device the same."""

    t_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class Quit:
    """End the device's process."""


InstrumentCommand = Step | Release | Freeze | Unfreeze | OpenCircuit | CloseCircuit
"""What can be told to an instrument of any device."""

Command = (
    InstrumentCommand | Status | ClearStatus | StopAnswering | Answer | Disconnect | Listen | RaiseException
    | ClearExceptions | PlantOrder | Quit
)  # fmt: skip


def parse_command(text: str) -> Command:
    """Raises CommandError, which says how the command is written."""
    verb, *args = text.split() or [""]
    if verb == PLANT and len(args) > 1 and args[0].isdecimal():
        return PlantOrder(int(args[0]), " ".join(args[1:]))
    word = _WORDS.get(verb)
    if word is None:
        raise CommandError(f"no such command {verb!r}; there are: {'; '.join(USAGES)}")
    if not word.fewest <= len(args) <= word.most:
        raise CommandError(f"write: {word.usage}")
    return word.make(args)


def _step(args: Sequence[str]) -> Step:
    ramp_s = _number(args[2]) if len(args) == 3 else 0.0
    if not 0 <= ramp_s <= RAMP_S_MAX:
        raise CommandError(f"RAMP_SECONDS is 0 to {RAMP_S_MAX:.0f}, not {args[2]}")
    return Step(args[0], _number(args[1]), ramp_s)


def _exception(args: Sequence[str]) -> RaiseException:
    address, code = (_number(arg) for arg in args)
    if not (address.is_integer() and 0 <= address <= 65535):
        raise CommandError(f"ADDRESS is 0 to 65535, not {args[0]}")
    if code not in EXCEPTION_CODES:
        raise CommandError(f"CODE is one of {sorted(EXCEPTION_CODES)}, not {args[1]}")
    return RaiseException(int(address), int(code))


def _number(text: str) -> float:
    """``nan`` and ``inf`` are numbers here: a broken instrument shows them."""
    try:
        return float(text)
    except ValueError:
        raise CommandError(f"{text!r} is no number") from None


@dataclass(frozen=True, slots=True)
class _Word:
    usage: str
    fewest: int
    most: int
    make: Callable[[Sequence[str]], Command]


_WORDS: Final = {
    "step": _Word("step NAME VALUE [RAMP_SECONDS]", 2, 3, _step),
    "release": _Word("release NAME", 1, 1, lambda args: Release(args[0])),
    "freeze": _Word("freeze [NAME]", 0, 1, lambda args: Freeze(args[0] if args else None)),
    "unfreeze": _Word("unfreeze [NAME]", 0, 1, lambda args: Unfreeze(args[0] if args else None)),
    "open_circuit": _Word("open_circuit NAME", 1, 1, lambda args: OpenCircuit(args[0])),
    "close_circuit": _Word("close_circuit NAME", 1, 1, lambda args: CloseCircuit(args[0])),
    "status": _Word("status NAME CODE", 2, 2, lambda args: Status(args[0], args[1])),
    "status_clear": _Word("status_clear [NAME]", 0, 1, lambda args: ClearStatus(args[0] if args else None)),
    "stop_answering": _Word("stop_answering", 0, 0, lambda args: StopAnswering()),
    "answer": _Word("answer", 0, 0, lambda args: Answer()),
    "disconnect": _Word("disconnect", 0, 0, lambda args: Disconnect()),
    "listen": _Word("listen", 0, 0, lambda args: Listen()),
    "exception": _Word("exception ADDRESS CODE", 2, 2, _exception),
    "exception_clear": _Word("exception_clear", 0, 0, lambda args: ClearExceptions()),
    "quit": _Word("quit", 0, 0, lambda args: Quit()),
}

USAGES: Final = tuple(word.usage for word in _WORDS.values())


def shown(value: float) -> str:
    """A number as it is written in a command: exact, and an integer without a point."""
    return str(int(value)) if math.isfinite(value) and value == int(value) else repr(value)
