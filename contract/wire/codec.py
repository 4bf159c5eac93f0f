"""Frames to bytes and back.

A frame is one msgpack map: ``{"m": name, field: value, ...}``; what is long (events, catalogues, conditions) is a zstd
frame inside it. Everything that arrives is checked field by field against the schema below before anyone sees it: type,
range, length, and the size that a compressed part says it will have, before it is unpacked. Bytes that do not fit give
a FrameError that names the field. Unknown keys are ignored, so that a later minor version may add some.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final, Protocol

import msgpack
import zstandard

from contract.chain import DIGEST_SIZE, Record
from contract.errors import FrameError
from contract.events import EVENT_BYTES_MAX, ConditionData
from contract.ids import Lane, is_epoch, is_name, is_org_path, is_tag
from contract.points import Catalogue, ConditionClass, Limits, PointRole, PointSpec, PointType
from contract.units import UNITS
from contract.wire import frames
from contract.wire.chunk import CHUNK_BYTES_MAX

FRAME_BYTES_MAX: Final = 4 * 1024 * 1024
UNPACKED_BYTES_MAX: Final = 16 * 1024 * 1024
NESTED_ITEMS_MAX: Final = 16_384
INT64: Final = (-(2**63), 2**63 - 1)
_COMPRESSION_LEVEL: Final = 3


class Kind(Protocol):
    """How one field travels. ``unpack`` raises FrameError naming ``path``; ``pack`` gives what msgpack takes."""

    def pack(self, value: Any) -> Any: ...

    def unpack(self, value: Any, path: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Int:
    low: int = 0
    high: int = INT64[1]

    def pack(self, value: int) -> int:
        return int(value)

    def unpack(self, value: Any, path: str) -> int:
        if type(value) is not int or not self.low <= value <= self.high:
            raise FrameError(path, f"must be an integer from {self.low} to {self.high}")
        return value


@dataclass(frozen=True, slots=True)
class Float:
    finite: bool = False

    def pack(self, value: float) -> float:
        return float(value)

    def unpack(self, value: Any, path: str) -> float:
        if type(value) is not float or (self.finite and not math.isfinite(value)):
            raise FrameError(path, "must be a finite float" if self.finite else "must be a float")
        return value


@dataclass(frozen=True, slots=True)
class Bool:
    def pack(self, value: bool) -> bool:  # noqa: FBT001 - one signature for all kinds
        return bool(value)

    def unpack(self, value: Any, path: str) -> bool:
        if type(value) is not bool:
            raise FrameError(path, "must be a boolean")
        return value


@dataclass(frozen=True, slots=True)
class Text:
    length_max: int
    valid: Callable[[str], bool] | None = None

    def pack(self, value: str) -> str:
        return str(value)

    def unpack(self, value: Any, path: str) -> str:
        if type(value) is not str or len(value) > self.length_max:
            raise FrameError(path, f"must be a text of at most {self.length_max} characters")
        if self.valid is not None and not self.valid(value):
            raise FrameError(path, "is malformed")
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    enum: type[StrEnum]

    def pack(self, value: StrEnum) -> str:
        return value.value

    def unpack(self, value: Any, path: str) -> StrEnum:
        if type(value) is not str:
            raise FrameError(path, "must be a text")
        try:
            return self.enum(value)
        except ValueError as error:
            raise FrameError(path, f"is none of {', '.join(self.enum)}") from error


@dataclass(frozen=True, slots=True)
class Blob:
    size_max: int
    size_min: int = 0

    def pack(self, value: bytes) -> bytes:
        return bytes(value)

    def unpack(self, value: Any, path: str) -> bytes:
        if type(value) is not bytes or not self.size_min <= len(value) <= self.size_max:
            raise FrameError(path, f"must be {self.size_min} to {self.size_max} bytes")
        return value


@dataclass(frozen=True, slots=True)
class Digest:
    """A hash, or nothing where ``seq`` is 0."""

    def pack(self, value: bytes) -> bytes:
        return value

    def unpack(self, value: Any, path: str) -> bytes:
        if type(value) is not bytes or len(value) not in (0, DIGEST_SIZE):
            raise FrameError(path, f"must be {DIGEST_SIZE} bytes or none")
        return value


@dataclass(frozen=True, slots=True)
class Optional:
    of: Kind

    def pack(self, value: Any) -> Any:
        return None if value is None else self.of.pack(value)

    def unpack(self, value: Any, path: str) -> Any:
        return None if value is None else self.of.unpack(value, path)


@dataclass(frozen=True, slots=True)
class Many:
    of: Kind
    count_max: int

    def pack(self, value: tuple[Any, ...]) -> list[Any]:
        return [self.of.pack(item) for item in value]

    def unpack(self, value: Any, path: str) -> tuple[Any, ...]:
        if type(value) is not list or len(value) > self.count_max:
            raise FrameError(path, f"must be a list of at most {self.count_max}")
        return tuple(self.of.unpack(item, f"{path}[{index}]") for index, item in enumerate(value))


@dataclass(frozen=True, slots=True)
class Table:
    key: Kind
    of: Kind
    count_max: int

    def pack(self, value: Mapping[Any, Any]) -> dict[Any, Any]:
        return {self.key.pack(key): self.of.pack(item) for key, item in value.items()}

    def unpack(self, value: Any, path: str) -> dict[Any, Any]:
        if type(value) is not dict or len(value) > self.count_max:
            raise FrameError(path, f"must be a map of at most {self.count_max}")
        return {self.key.unpack(key, path): self.of.unpack(item, f"{path}[{key!r:.40}]") for key, item in value.items()}


@dataclass(frozen=True, slots=True)
class Row:
    """A dataclass as a list of its fields, in order. ``later`` fields at its end came after the first release: those that
    say nothing new are left out, so that older ends, too, understand the rest."""

    cls: type[Any]
    kinds: tuple[Kind, ...]
    later: int = 0

    def pack(self, value: Any) -> list[Any]:
        named = fields(self.cls)
        packed = [kind.pack(getattr(value, each.name)) for each, kind in zip(named, self.kinds, strict=True)]
        while len(packed) > len(self.kinds) - self.later and _same(packed[-1], named[len(packed) - 1].default):
            packed.pop()
        return packed

    def unpack(self, value: Any, path: str) -> Any:
        if type(value) is not list or not len(self.kinds) - self.later <= len(value) <= len(self.kinds):
            raise FrameError(path, f"must be a list of {len(self.kinds)}")
        names = [field.name for field in fields(self.cls)]
        items = zip(names, self.kinds, value, strict=False)
        return self.cls(*(kind.unpack(item, f"{path}.{name}") for name, kind, item in items))


@dataclass(frozen=True, slots=True)
class Condition:
    """ConditionData as in an event: one form everywhere."""

    def pack(self, value: ConditionData) -> dict[str, Any]:
        return value.to_json()

    def unpack(self, value: Any, path: str) -> ConditionData:
        if type(value) is not dict:
            raise FrameError(path, "must be a map")
        return ConditionData.from_json(value)


@dataclass(frozen=True, slots=True)
class Compressed:
    """Another kind, packed and compressed; its size is checked before it is unpacked."""

    of: Kind
    unpacked_max: int

    def pack(self, value: Any) -> bytes:
        packed = msgpack.packb(self.of.pack(value))
        if len(packed) > self.unpacked_max:
            raise ValueError(f"{len(packed)} bytes, the limit is {self.unpacked_max}")
        return zstandard.ZstdCompressor(level=_COMPRESSION_LEVEL).compress(packed)

    def unpack(self, value: Any, path: str) -> Any:
        if type(value) is not bytes:
            raise FrameError(path, "must be bytes")
        return self.of.unpack(_unpack(decompress(value, self.unpacked_max, path), path), path)


def decompress(data: bytes, unpacked_max: int, path: str) -> bytes:
    """One zstd frame. Its stated size is believed only up to ``unpacked_max``: zstandard allocates what it says."""
    try:
        stated = zstandard.frame_content_size(data)
        if not 0 <= stated <= unpacked_max:
            raise FrameError(path, f"does not state a size up to {unpacked_max} bytes")
        return zstandard.ZstdDecompressor(max_window_size=UNPACKED_BYTES_MAX).decompress(data)
    except (zstandard.ZstdError, MemoryError) as error:
        raise FrameError(path, "is no zstd frame") from error


def _same(packed: Any, default: Any) -> bool:
    return bool(packed == default or (packed != packed and default != default))  # noqa: PLR0124 - NaN


def _unpack(data: bytes, path: str) -> Any:
    try:
        return msgpack.unpackb(
            data, raw=False, strict_map_key=False, max_array_len=NESTED_ITEMS_MAX, max_map_len=NESTED_ITEMS_MAX,
            max_ext_len=0,
        )  # fmt: skip
    except (ValueError, TypeError, msgpack.UnpackException, RecursionError) as error:
        raise FrameError(path, "is no msgpack") from error


_EPOCH: Final = Text(32, is_epoch)
_NAME: Final = Text(64, is_name)
_HEADS: Final = Table(Choice(Lane), Row(frames.LaneHead, (Int(), Digest())), len(Lane))
_ORG: Final = Text(194, is_org_path)
_RECORD: Final = Row(Record, (Blob(EVENT_BYTES_MAX, 2), Blob(32), Blob(EVENT_BYTES_MAX)))
_GAPS: Final = Many(Row(frames.DeclaredGap, (Int(1), Int(1), Text(64), Digest())), frames.GAPS_PER_BATCH_MAX)
_LIMITS: Final = Row(Limits, (Float(),) * 4 + (Float(finite=True),) * 4)
_POINT: Final = Row(
    PointSpec,
    (
        Int(0, 2**31 - 1), Text(64, is_tag), _ORG, _NAME, Choice(PointRole), Choice(PointType), Text(256),
        Float(finite=True), Float(finite=True), Text(16, UNITS.__contains__), Float(), Float(), _LIMITS,
        Choice(ConditionClass), Float(finite=True), Float(finite=True), Float(finite=True), Float(finite=True),
        Optional(Float(finite=True)), Float(finite=True), Optional(Text(64)), Text(512), Float(), Float(finite=True), Float(finite=True),
    ),
    later=3,
)  # fmt: skip
_COLUMN_BYTES_MAX: Final = 8 * frames.POINTS_PER_AGENT_MAX

SCHEMA: Final[Mapping[str, tuple[type[Any], Mapping[str, Kind]]]] = {
    "HELLO": (frames.Hello, {
        "protocol_lowest": Int(0, 65535), "protocol_highest": Int(0, 65535), "features": Many(Text(32), 32),
        "software": Text(128), "agent": _NAME, "boot_id": Text(64), "start_number": Int(), "epoch": _EPOCH,
        "hash_algorithm": Text(16), "catalogue_version": Int(0, 2**31 - 1), "config_hash": Text(128), "lanes": _HEADS,
        "wall_ns": Int(), "mono_ns": Int(),
    }),
    "WELCOME": (frames.Welcome, {
        "protocol": Int(0, 65535), "aggregator_id": Text(64), "lanes": _HEADS, "catalogue_version": Int(0, 2**31 - 1),
        "window": Int(1, 1024), "heartbeat_ms": Int(100, 60_000), "server_time_ns": Int(),
    }),
    "CATALOG": (frames.CatalogueFrame, {
        "epoch": _EPOCH,
        "catalogue": Compressed(
            Row(Catalogue, (Int(1, 2**31 - 1), Many(_POINT, frames.POINTS_PER_AGENT_MAX))), UNPACKED_BYTES_MAX
        ),
    }),
    "EVENTS": (frames.EventBatch, {
        "epoch": _EPOCH, "first_seq": Int(1), "gaps": _GAPS,
        "records": Compressed(Many(_RECORD, frames.EVENTS_PER_BATCH_MAX), 2 * frames.BATCH_BYTES_MAX),
    }),
    "TELEMETRY": (frames.TelemetryBatch, {
        "epoch": _EPOCH, "first_seq": Int(1), "gaps": _GAPS,
        "chunks": Many(Blob(CHUNK_BYTES_MAX, 1), frames.CHUNKS_PER_BATCH_MAX),
    }),
    "ACK": (frames.Ack, {"epoch": _EPOCH, "lanes": Table(Choice(Lane), Int(), len(Lane))}),
    "LIVE": (frames.Live, {
        "epoch": _EPOCH, "catalogue_version": Int(0, 2**31 - 1), "mono_ns": Int(), "wall_ns": Int(),
        "point": Blob(_COLUMN_BYTES_MAX), "time_ns": Blob(_COLUMN_BYTES_MAX), "value": Blob(_COLUMN_BYTES_MAX),
        "quality": Blob(_COLUMN_BYTES_MAX), "devices": Table(Int(0, 2**31 - 1), Int(), 1024),
    }),
    "SNAPSHOT": (frames.Snapshot, {
        "epoch": _EPOCH, "as_of_seq": Int(),
        "conditions": Compressed(Many(Condition(), frames.CONDITIONS_MAX), UNPACKED_BYTES_MAX),
    }),
    "STATE": (frames.State, {"epoch": _EPOCH, "seq": Int(1), "condition": Condition()}),
    "HEARTBEAT": (frames.Heartbeat, {"wall_ns": Int(), "mono_ns": Int()}),
    "REFUSE": (frames.Refuse, {"code": Choice(frames.RefuseCode), "message": Text(512)}),
}  # fmt: skip
_NAMES: Final = {cls: name for name, (cls, _) in SCHEMA.items()}


def encode(frame: frames.Frame) -> bytes:
    """Raises ValueError when the frame would pass FRAME_BYTES_MAX; a sender cuts its batches so that none does."""
    name = _NAMES[type(frame)]
    body = {field: kind.pack(getattr(frame, field)) for field, kind in SCHEMA[name][1].items()}
    data: bytes = msgpack.packb({"m": name, **body})
    if len(data) > FRAME_BYTES_MAX:
        raise ValueError(f"{name} has {len(data)} bytes, the limit is {FRAME_BYTES_MAX}")
    return data


def decode(data: bytes) -> frames.Frame:
    """Raises FrameError, and nothing else, for whatever bytes are no valid frame."""
    if len(data) > FRAME_BYTES_MAX:
        raise FrameError("frame", f"{len(data)} bytes, the limit is {FRAME_BYTES_MAX}")
    body = _unpack(data, "frame")
    if type(body) is not dict or type(body.get("m")) is not str or body["m"] not in SCHEMA:
        raise FrameError("m", "unknown kind of message")
    cls, kinds = SCHEMA[body["m"]]
    frame: frames.Frame = cls(
        **{field: kind.unpack(body.get(field), f"{body['m']}.{field}") for field, kind in kinds.items()}
    )
    return frame
