"""The messages of a session, as values.

From the agent: HELLO, CATALOG, BATCH, LIVE, SNAPSHOT, STATE, HEARTBEAT. From the aggregator: WELCOME, ACK, HEARTBEAT,
REFUSE. ``codec`` gives them bytes and holds the bounds of every field; ``session`` says who may send which when.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from contract.chain import Record
from contract.events import ConditionData
from contract.ids import AgentName, Epoch, Lane
from contract.points import Catalogue

PROTOCOL_LOWEST: Final = 1
PROTOCOL_HIGHEST: Final = 1

EVENTS_PER_BATCH_MAX: Final = 1000
CHUNKS_PER_BATCH_MAX: Final = 16
BATCH_BYTES_MAX: Final = 1024 * 1024
"""Of the records or chunks of one batch before compression; a sender stops adding before it passes this."""
GAPS_PER_BATCH_MAX: Final = 64
CONDITIONS_MAX: Final = 16_384
POINTS_PER_AGENT_MAX: Final = 16_384


class RefuseCode(StrEnum):
    """Why the aggregator refuses. The agent's reaction is in ``session``."""

    HELLO_REQUIRED = "hello_required"
    PROTOCOL_VERSION = "protocol_version"
    NAME_MISMATCH = "name_mismatch"
    REVOKED = "revoked"
    BOOT_CONFLICT = "boot_conflict"
    FORK = "fork"
    OUT_OF_ORDER = "out_of_order"
    BROKEN_CHAIN = "broken_chain"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class LaneHead:
    """The last number of a lane and the hash at it; (0, b"") where there is none.

    On the events lane the hash is the chain's ``h``; on the telemetry lane it is the digest of that chunk alone.
    """

    seq: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Hello:
    protocol_lowest: int
    protocol_highest: int
    features: tuple[str, ...]
    software: str
    agent: AgentName
    boot_id: str
    start_number: int
    """Starts of this store so far: the newer of two live sessions has the higher one."""
    epoch: Epoch
    hash_algorithm: str
    catalogue_version: int
    config_hash: str
    lanes: Mapping[Lane, LaneHead]
    wall_ns: int
    mono_ns: int


@dataclass(frozen=True, slots=True)
class Welcome:
    protocol: int
    aggregator_id: str
    lanes: Mapping[Lane, LaneHead]
    """High-water marks of what is committed, and the hashes at them."""
    catalogue_version: int
    """Highest version known of this epoch, 0 for none."""
    window: int
    """Batches that may be unacknowledged per lane."""
    heartbeat_ms: int
    server_time_ns: int


@dataclass(frozen=True, slots=True)
class CatalogueFrame:
    epoch: Epoch
    catalogue: Catalogue


@dataclass(frozen=True, slots=True)
class DeclaredGap:
    """Numbers that will never come: evicted, or lost with power. ``hash_last`` lets the chain be verified behind it."""

    first: int
    last: int
    cause: str
    hash_last: bytes


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Consecutive events from ``first_seq`` on, but for the declared gaps."""

    epoch: Epoch
    first_seq: int
    gaps: tuple[DeclaredGap, ...]
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class TelemetryBatch:
    """Consecutive chunks (``contract.wire.chunk``) from ``first_seq`` on, but for the declared gaps."""

    epoch: Epoch
    first_seq: int
    gaps: tuple[DeclaredGap, ...]
    chunks: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Ack:
    """Everything up to these numbers is committed at the aggregator."""

    epoch: Epoch
    lanes: Mapping[Lane, int]


@dataclass(frozen=True, slots=True)
class Live:
    """Latest value and quality of points that changed; columns as in SampleBatch, conflated, at most 1 s old."""

    epoch: Epoch
    catalogue_version: int
    mono_ns: int
    wall_ns: int
    point: bytes
    time_ns: bytes
    value: bytes
    quality: bytes
    devices: Mapping[int, int]
    """Point id of each device -> wall time of its last confirmed scan, ns; 0 for never."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every condition that is not normal as of ``as_of_seq`` on the events lane."""

    epoch: Epoch
    as_of_seq: int
    conditions: tuple[ConditionData, ...]


@dataclass(frozen=True, slots=True)
class State:
    """A change of condition that overtakes the queued events; ``seq`` is that of its own event."""

    epoch: Epoch
    seq: int
    condition: ConditionData


@dataclass(frozen=True, slots=True)
class Heartbeat:
    wall_ns: int
    mono_ns: int


@dataclass(frozen=True, slots=True)
class Refuse:
    code: RefuseCode
    message: str


AgentFrame: TypeAlias = Hello | CatalogueFrame | EventBatch | TelemetryBatch | Live | Snapshot | State | Heartbeat
AggregatorFrame: TypeAlias = Welcome | Ack | Heartbeat | Refuse
Frame: TypeAlias = AgentFrame | AggregatorFrame
