"""What a device can be told while it runs: one line of text per command, the same from a person and from a program."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from hil_tests.rig.words import CommandError, Vocabulary, number

EXCEPTION_CODES: Final = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 10, 11})
RAMP_S_MAX: Final = 86_400.0
DELAY_S_MAX: Final = 60.0
REGISTERS_MAX: Final = 2000
"""Of the bits that a request can ask for; of registers it is 125."""
CONNECTIONS_MAX: Final = 64
NAMESPACES_MAX: Final = 100
E = TypeVar("E", bound=StrEnum)
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


class MischiefKind(StrEnum):
    """What can happen to a Modbus reply on its way."""

    RESET = "reset"
    """The connection ends instead."""
    DROP = "drop"
    BUSY = "busy"
    """Exception 06 instead."""
    WRONG_UNIT = "wrong_unit"
    WRONG_NUMBER = "wrong_number"
    """Another transaction id."""
    CORRUPT = "corrupt"
    """Some bits are flipped: anywhere with the checksum of a serial line, before the data on TCP, where nothing guards it."""
    TRUNCATE = "truncate"
    """It stops somewhere."""
    DUPLICATE = "duplicate"
    CROSS = "cross"
    """It is held back, and answers the next request."""
    DELAY = "delay"


@dataclass(frozen=True, slots=True)
class Misbehave:
    """Do this to each reply with ``probability``. ``seconds`` is for DELAY."""

    kind: MischiefKind
    probability: float = 1.0
    seed: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ClearMischief:
    """End of ``Misbehave``. None: of every kind."""

    kind: MischiefKind | None = None


@dataclass(frozen=True, slots=True)
class RefuseLonger:
    """Requests for more than ``count`` registers or bits get this exception."""

    count: int
    code: int


@dataclass(frozen=True, slots=True)
class LimitConnections:
    """Further connections are closed at once."""

    count: int


class Limited(StrEnum):
    """What an OPC UA server can be short of."""

    SESSIONS = "sessions"
    """At a time; of 0 none at all."""
    SUBSCRIPTIONS = "subscriptions"
    """At a time."""
    ITEMS = "items"
    """In a subscription."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What is asked for beyond ``count`` is refused; what there is stays."""

    what: Limited
    count: int


@dataclass(frozen=True, slots=True)
class ClearLimits:
    """End of every ``Limit``."""


@dataclass(frozen=True, slots=True)
class StopPublishing:
    """Sessions stay and everything else is answered; no subscription says anything."""


@dataclass(frozen=True, slots=True)
class Publish:
    """End of ``StopPublishing``."""


@dataclass(frozen=True, slots=True)
class Restart:
    """The server ends and starts anew, with so many namespaces before its own: the index of each is another."""

    namespaces_before: int = 0


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

ModbusCommand = RaiseException | ClearExceptions | RefuseLonger | Misbehave | ClearMischief | LimitConnections
"""Means nothing to an OPC UA device."""

OpcUaCommand = Status | ClearStatus | StopPublishing | Publish | Restart | Limit | ClearLimits
"""Means nothing to a Modbus device."""

Command = (
    InstrumentCommand | ModbusCommand | OpcUaCommand | StopAnswering | Answer | Disconnect | Listen | PlantOrder | Quit
)


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


def _whole(name: str, text: str, lowest: int, highest: int) -> int:
    value = number(text)
    if not (value.is_integer() and lowest <= value <= highest):
        raise CommandError(f"{name} is {lowest} to {highest}, not {text}")
    return int(value)


def _code(text: str) -> int:
    if number(text) not in EXCEPTION_CODES:
        raise CommandError(f"CODE is one of {sorted(EXCEPTION_CODES)}, not {text}")
    return int(number(text))


def _exception(address: str, code: str) -> RaiseException:
    return RaiseException(_whole("ADDRESS", address, 0, 65535), _code(code))


def _mischief(kind: str, probability: str = "1", seed: str = "0") -> Misbehave:
    if kind == MischiefKind.DELAY:
        raise CommandError("write: delay SECONDS [PROBABILITY] [SEED]")
    return Misbehave(_one_of(MischiefKind, "KIND", kind), _probability(probability), _seed(seed))


def _delay(seconds: str, probability: str = "1", seed: str = "0") -> Misbehave:
    if not 0 <= number(seconds) <= DELAY_S_MAX:
        raise CommandError(f"SECONDS is 0 to {DELAY_S_MAX:.0f}, not {seconds}")
    return Misbehave(MischiefKind.DELAY, _probability(probability), _seed(seed), number(seconds))


def _mischief_clear(kind: str | None = None) -> ClearMischief:
    return ClearMischief(None if kind is None else _one_of(MischiefKind, "KIND", kind))


def _longest(count: str, code: str = "3") -> RefuseLonger:
    return RefuseLonger(_whole("COUNT", count, 1, REGISTERS_MAX), _code(code))


def _connections(count: str) -> LimitConnections:
    return LimitConnections(_whole("COUNT", count, 1, CONNECTIONS_MAX))


def _limit(what: str, count: str) -> Limit:
    return Limit(_one_of(Limited, "WHAT", what), _whole("COUNT", count, 0, 1_000_000))


def _restart(namespaces: str = "0") -> Restart:
    return Restart(_whole("NAMESPACES_BEFORE", namespaces, 0, NAMESPACES_MAX))


def _probability(text: str) -> float:
    if not 0 <= number(text) <= 1:
        raise CommandError(f"PROBABILITY is 0 to 1, not {text}")
    return number(text)


def _seed(text: str) -> int:
    return _whole("SEED", text, 0, 2**31 - 1)


def _one_of(kinds: type[E], name: str, text: str) -> E:
    try:
        return kinds(text)
    except ValueError:
        raise CommandError(f"{name} is one of {', '.join(kinds)}, not {text!r}") from None


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
        "longest COUNT [CODE]": _longest,
        "connections COUNT": _connections,
        "mischief KIND [PROBABILITY] [SEED]": _mischief,
        "delay SECONDS [PROBABILITY] [SEED]": _delay,
        "mischief_clear [KIND]": _mischief_clear,
        "stop_publishing": StopPublishing,
        "publish": Publish,
        "restart [NAMESPACES_BEFORE]": _restart,
        "limit WHAT COUNT": _limit,
        "limit_clear": ClearLimits,
        "quit": Quit,
    },
)

USAGES: Final = _VOCABULARY.usages
