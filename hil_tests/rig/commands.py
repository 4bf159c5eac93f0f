"""What a device can be told while it runs: one line of text per command, the same from a person and from a program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hil_tests.rig.words import CommandError, Vocabulary, number

EXCEPTION_CODES: Final = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 10, 11})
RAMP_S_MAX: Final = 86_400.0
PLANT: Final = "plant"
"""Stands where a device's name does, for what happens to all of them; and before such an order in a ledger."""


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

    name: str | None = None


@dataclass(frozen=True, slots=True)
class Unfreeze:
    """None: every register."""

    name: str | None = None


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

    name: str | None = None


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
    return _order(text) or _VOCABULARY.parse(text)


def _order(text: str) -> PlantOrder | None:
    """None for all that a person may write: orders are made by ``Rig.plant``, of words that the plant has checked."""
    match text.split():
        case [verb, t_ns, *words] if verb == PLANT and t_ns.isdecimal() and words:
            return PlantOrder(int(t_ns), " ".join(words))
    return None


def _step(name: str, value: str, ramp: str = "0") -> Step:
    ramp_s = number(ramp)
    if not 0 <= ramp_s <= RAMP_S_MAX:
        raise CommandError(f"RAMP_SECONDS is 0 to {RAMP_S_MAX:.0f}, not {ramp}")
    return Step(name, number(value), ramp_s)


def _exception(address: str, code: str) -> RaiseException:
    place, what = number(address), number(code)
    if not (place.is_integer() and 0 <= place <= 65535):
        raise CommandError(f"ADDRESS is 0 to 65535, not {address}")
    if what not in EXCEPTION_CODES:
        raise CommandError(f"CODE is one of {sorted(EXCEPTION_CODES)}, not {code}")
    return RaiseException(int(place), int(what))


_VOCABULARY: Final[Vocabulary[Command]] = Vocabulary(
    "command",
    {
        "step NAME VALUE [RAMP_SECONDS]": _step,
        "release NAME": Release,
        "freeze [NAME]": Freeze,
        "unfreeze [NAME]": Unfreeze,
        "open_circuit NAME": OpenCircuit,
        "close_circuit NAME": CloseCircuit,
        "status NAME CODE": Status,
        "status_clear [NAME]": ClearStatus,
        "stop_answering": StopAnswering,
        "answer": Answer,
        "disconnect": Disconnect,
        "listen": Listen,
        "exception ADDRESS CODE": _exception,
        "exception_clear": ClearExceptions,
        "quit": Quit,
    },
)

USAGES: Final = _VOCABULARY.usages
