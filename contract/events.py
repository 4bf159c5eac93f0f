"""Events: what an agent puts on record, encoded once and hashed as encoded.

An event is written as RFC 8785 JSON on the agent. Exactly these bytes travel, are stored and are hashed; nobody
re-serialises to verify. Integers that may need 64 bits (numbers of messages, nanoseconds) are decimal strings, NaN and
infinities are the strings "NaN", "Infinity", "-Infinity". Reasons are codes with parameters, never rendered text.

The open part of every event, schema 1::

    v              1
    agent, epoch, lane, seq     identity of the message; id is derived from them
    type           EventType
    org            enterprise[/source[/unit]] of what it is about
    exercise_id    null, or the drill it belongs to
    class_label    general | important | core (GB/T 43697)
    late           true where the device held the value back (history read after the fact)
    device_time_ns null, or the time the device gave
    edge_time_ns, mono_ns, boot_id     when the agent judged it
    clock          {synchronised, error_ns}
    software, config_hash, catalogue
    data           by type; for conditions: ConditionData
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeAlias, TypeVar

import rfc8785

from contract.advice import ADVICE_FIELDS, AdviceData
from contract.chain import Record
from contract.errors import FrameError
from contract.ids import ActivationId, AgentName, Epoch, Lane, MessageId, is_epoch, is_name, is_org_path
from contract.points import ConditionClass, ConditionKind

EVENT_SCHEMA: Final = 1
EVENT_BYTES_MAX: Final = 64 * 1024
TEXT_LENGTH_MAX: Final = 512
"""Characters of a device's text that are put on record."""
INT64_MAX: Final = 2**63 - 1
_EXACT: Final = 2**53
_PLAIN_FLOAT_MIN: Final = 1e-4
"""From here to 2^53 Python and ECMAScript write a fraction alike: shortest digits, no exponent."""

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class EventType(StrEnum):
    """Everything an agent puts on record."""

    AGENT_START = "agent_start"
    AGENT_STOP = "agent_stop"
    CONDITION_ON = "condition_on"
    CONDITION_LEVEL = "condition_level"
    CONDITION_OFF = "condition_off"
    GAP = "gap"
    CHECKPOINT = "checkpoint"
    CONFIG_CHANGE = "config_change"
    CLOCK_STEP = "clock_step"
    FORK = "fork"
    STORE_REPLACED = "store_replaced"
    TEXT_CHANGE = "text_change"
    STATUS_CHANGE = "status_change"


CONDITION_TYPES: Final = frozenset((EventType.CONDITION_ON, EventType.CONDITION_LEVEL, EventType.CONDITION_OFF))


class ClassLabel(StrEnum):
    """Data classes of GB/T 43697-2024."""

    GENERAL = "general"
    IMPORTANT = "important"
    CORE = "core"


@dataclass(frozen=True, slots=True)
class ClockState:
    """What the agent knew of its wall clock. ``error_ns`` is None where the kernel gives no bound."""

    synchronised: bool
    error_ns: int | None


@dataclass(frozen=True, slots=True)
class Stamp:
    """When and by what an event was judged; ``mono_ns`` is valid within ``boot_id``."""

    edge_time_ns: int
    mono_ns: int
    boot_id: str
    clock: ClockState
    device_time_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """What stays the same through one run of an agent."""

    agent: AgentName
    epoch: Epoch
    software: str
    config_hash: str
    catalogue: int


@dataclass(frozen=True, slots=True)
class Event:
    """One event before it is encoded, or after it was decoded."""

    type: EventType
    org: str
    stamp: Stamp
    data: Mapping[str, Json] = field(default_factory=dict)
    exercise_id: str | None = None
    class_label: ClassLabel = ClassLabel.GENERAL
    late: bool = False


@dataclass(frozen=True, slots=True)
class ConditionData:
    """``data`` of the three condition events, and of SNAPSHOT and STATE.

    ``level`` 0 means cleared. ``activation`` names the event that turned the condition on. ``value``, ``setpoint`` and
    ``deadband`` are in ``unit``; ``on_time_ns`` is the edge's wall time of the activation. ``reason`` is a code.
    """

    tag: str
    org: str
    kind: ConditionKind
    condition_class: ConditionClass
    level: int
    previous_level: int
    activation: ActivationId
    on_time_ns: int
    value: float
    unit: str
    quality: int
    setpoint: float
    deadband: float
    delay_ns: int
    detector: str
    reason: str
    raw: int | None = None
    inhibited: bool = False
    advice: AdviceData | None = None

    def to_json(self) -> dict[str, Json]:
        known: dict[str, Json] = {
            "tag": self.tag,
            "org": self.org,
            "kind": self.kind.value,
            "class": self.condition_class.value,
            "level": self.level,
            "previous_level": self.previous_level,
            "activation": {"agent": self.activation.agent, "epoch": self.activation.epoch,
                           "seq": str(self.activation.seq)},
            "on_time_ns": str(self.on_time_ns),
            "value": number(self.value),
            "raw": None if self.raw is None else str(self.raw),
            "unit": self.unit,
            "quality": self.quality,
            "setpoint": number(self.setpoint),
            "deadband": number(self.deadband),
            "delay_ns": str(self.delay_ns),
            "detector": self.detector,
            "reason": self.reason,
            "inhibited": self.inhibited,
        }  # fmt: skip
        stated = self.advice
        return (
            known
            if stated is None
            else known | {"advice": {each: number(getattr(stated, each)) for each in ADVICE_FIELDS}}
        )

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> ConditionData:
        """Raises FrameError naming the first field at fault: what is statistical can claim neither a level 2 nor safety."""
        activation = _get(data, "activation", dict)
        kind = _enum(data, "kind", ConditionKind)
        said = None if data.get("advice") is None else _get(data, "advice", dict)
        return ConditionData(
            tag=_text(data, "tag", 64),
            org=_org(data, "org"),
            kind=kind,
            condition_class=_class_of(data, kind),
            level=_small(data, "level", 0, kind.level_max),
            previous_level=_small(data, "previous_level", 0, kind.level_max),
            activation=ActivationId(
                AgentName(_name(activation, "agent")), _epoch(activation, "epoch"), _int64(activation, "seq")
            ),
            on_time_ns=_int64(data, "on_time_ns"),
            value=_number(data, "value"),
            raw=None if data.get("raw") is None else _int64(data, "raw"),
            unit=_text(data, "unit", 16),
            quality=_small(data, "quality", 0, 255),
            setpoint=_number(data, "setpoint"),
            deadband=_number(data, "deadband"),
            delay_ns=_int64(data, "delay_ns"),
            detector=_text(data, "detector", 64),
            reason=_text(data, "reason", 64),
            inhibited=_get(data, "inhibited", bool),
            advice=None if said is None else AdviceData(*(_number(said, name) for name in ADVICE_FIELDS)),
        )


@dataclass(frozen=True, slots=True)
class ChangeData:
    """``data`` of TEXT_CHANGE and STATUS_CHANGE: what a device says of a point now, and what was on record before.

    ``what`` is a text of at most TEXT_LENGTH_MAX characters, or a status code of 32 bits. ``former`` is None for the first
    since the agent started. ``left_out`` changes between the two were too many within a minute to be put on record.
    """

    tag: str
    org: str
    what: str | int
    former: str | int | None
    quality: int
    left_out: int

    @property
    def type(self) -> EventType:
        return EventType.TEXT_CHANGE if isinstance(self.what, str) else EventType.STATUS_CHANGE

    def to_json(self) -> dict[str, Json]:
        name = "text" if self.type is EventType.TEXT_CHANGE else "status"
        return {
            "tag": self.tag,
            "org": self.org,
            name: self.what,
            f"former_{name}": self.former,
            "quality": self.quality,
            "left_out": self.left_out,
        }


@dataclass(frozen=True, slots=True)
class DecodedEvent:
    """An event as its receiver reads it."""

    message: MessageId
    origin: Origin
    event: Event

    @property
    def condition(self) -> ConditionData | None:
        """The condition it speaks of; None for other types. Raises FrameError."""
        return ConditionData.from_json(self.event.data) if self.event.type in CONDITION_TYPES else None


def number(value: float) -> Json:
    """A float as event JSON: NaN and infinities by name."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def canonical(value: Json) -> bytes:
    """RFC 8785 (JCS) bytes. Raises ValueError (rfc8785.CanonicalizationError) for integers beyond 2^53 and the like."""
    try:
        return _write(_plain(value)).encode()
    except (_NotPlainError, UnicodeEncodeError):
        return rfc8785.dumps(value)


class _NotPlainError(Exception):
    """Something that the standard library might write otherwise than RFC 8785."""


_write: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False).encode


def _plain(value: Json) -> Json:
    """``value`` in a form of which the standard library makes the bytes of RFC 8785, some five times faster. Raises
    _NotPlainError for the rest: large and tiny numbers (other exponents), keys that UTF-16 sorts otherwise."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, float) and (_PLAIN_FLOAT_MIN <= abs(value) < _EXACT or value == 0):
        return int(value) if value.is_integer() else value
    if isinstance(value, int) and abs(value) < _EXACT:
        return value
    if isinstance(value, dict) and all(isinstance(key, str) and key.isascii() for key in value):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    raise _NotPlainError


def encode_event(origin: Origin, seq: int, event: Event) -> Record:
    """The one place where an event becomes bytes. Raises ValueError when it would be larger than EVENT_BYTES_MAX."""
    message = MessageId(origin.agent, origin.epoch, Lane.EVENTS, seq)
    stamp = event.stamp
    open_part = canonical({
        "v": EVENT_SCHEMA,
        "agent": origin.agent,
        "epoch": origin.epoch,
        "lane": Lane.EVENTS.value,
        "seq": str(seq),
        "id": message.event_id,
        "type": event.type.value,
        "org": event.org,
        "exercise_id": event.exercise_id,
        "class_label": event.class_label.value,
        "late": event.late,
        "device_time_ns": None if stamp.device_time_ns is None else str(stamp.device_time_ns),
        "edge_time_ns": str(stamp.edge_time_ns),
        "mono_ns": str(stamp.mono_ns),
        "boot_id": stamp.boot_id,
        "clock": {"synchronised": stamp.clock.synchronised,
                  "error_ns": None if stamp.clock.error_ns is None else str(stamp.clock.error_ns)},
        "software": origin.software,
        "config_hash": origin.config_hash,
        "catalogue": origin.catalogue,
        "data": dict(event.data),
    })  # fmt: skip
    if len(open_part) > EVENT_BYTES_MAX:
        raise ValueError(f"event {event.type} has {len(open_part)} bytes, the limit is {EVENT_BYTES_MAX}")
    return Record(open_part)


def decode_event(open_part: bytes) -> DecodedEvent:
    """Read an event that arrived. Raises FrameError naming the field; the bytes stay what they are."""
    if len(open_part) > EVENT_BYTES_MAX:
        raise FrameError("event", f"{len(open_part)} bytes, the limit is {EVENT_BYTES_MAX}")
    try:
        table = json.loads(open_part)
    except (ValueError, RecursionError) as error:
        raise FrameError("event", "is no JSON") from error
    if not isinstance(table, dict) or table.get("v") != EVENT_SCHEMA:
        raise FrameError("v", "unknown event schema")
    origin = Origin(
        AgentName(_name(table, "agent")), _epoch(table, "epoch"), _text(table, "software", 128),
        _text(table, "config_hash", 128), _small(table, "catalogue", 0, 2**31 - 1),
    )  # fmt: skip
    message = MessageId(origin.agent, origin.epoch, _enum(table, "lane", Lane), _int64(table, "seq"))
    if table.get("id") != message.event_id:
        raise FrameError("id", "does not belong to (agent, epoch, lane, seq)")
    event = Event(
        type=_enum(table, "type", EventType),
        org=_org(table, "org"),
        stamp=_stamp(table),
        data=_get(table, "data", dict),
        exercise_id=None if table.get("exercise_id") is None else _text(table, "exercise_id", 64),
        class_label=_enum(table, "class_label", ClassLabel),
        late=_get(table, "late", bool),
    )
    return DecodedEvent(message, origin, event)


def _stamp(table: Mapping[str, Any]) -> Stamp:
    clock = _get(table, "clock", dict)
    return Stamp(
        edge_time_ns=_int64(table, "edge_time_ns"),
        mono_ns=_int64(table, "mono_ns"),
        boot_id=_text(table, "boot_id", 64),
        clock=ClockState(
            _get(clock, "synchronised", bool), None if clock.get("error_ns") is None else _int64(clock, "error_ns")
        ),
        device_time_ns=None if table.get("device_time_ns") is None else _int64(table, "device_time_ns"),
    )


def _get(table: Mapping[str, Any], name: str, kind: type[T]) -> T:
    value = table.get(name)
    if type(value) is not kind:
        raise FrameError(name, f"must be {kind.__name__}")
    return value


def _text(table: Mapping[str, Any], name: str, length_max: int) -> str:
    value = _get(table, name, str)
    if len(value) > length_max:
        raise FrameError(name, f"longer than {length_max} characters")
    return value


def _name(table: Mapping[str, Any], name: str) -> str:
    value = _get(table, name, str)
    if not is_name(value):
        raise FrameError(name, "is no valid name")
    return value


def _epoch(table: Mapping[str, Any], name: str) -> Epoch:
    value = _get(table, name, str)
    if not is_epoch(value):
        raise FrameError(name, "is no epoch")
    return Epoch(value)


def _org(table: Mapping[str, Any], name: str) -> str:
    value = _get(table, name, str)
    if not is_org_path(value):
        raise FrameError(name, "is no organisation path")
    return value


def _int64(table: Mapping[str, Any], name: str) -> int:
    text = _text(table, name, 20)
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or not -INT64_MAX - 1 <= int(text) <= INT64_MAX:
        raise FrameError(name, "must be a 64-bit integer as a decimal string")
    return int(text)


def _class_of(table: Mapping[str, Any], kind: ConditionKind) -> ConditionClass:
    found = _enum(table, "class", ConditionClass)
    if kind.is_statistical and found is not ConditionClass.ADVISORY:
        raise FrameError("class", f"must be advisory for {kind}")
    return found


def _small(table: Mapping[str, Any], name: str, low: int, high: int) -> int:
    value = _get(table, name, int)
    if not low <= value <= high:
        raise FrameError(name, f"must be {low} to {high}")
    return value


def _number(table: Mapping[str, Any], name: str) -> float:
    value = table.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise FrameError(name, "must be a number")
    if isinstance(value, str) and value not in ("NaN", "Infinity", "-Infinity"):
        raise FrameError(name, "must be a number")
    try:
        return float(value)
    except OverflowError as error:
        raise FrameError(name, "is no 64-bit float") from error


def _enum(table: Mapping[str, Any], name: str, kind: type[E]) -> E:
    try:
        return kind(_get(table, name, str))
    except ValueError as error:
        raise FrameError(name, f"is none of {', '.join(kind)}") from error
