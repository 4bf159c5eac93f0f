"""Values that go into the outbox and come out of it; no behaviour, no database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from contract.chain import ALGORITHMS, Record
from contract.events import ConditionData, Event, EventType
from contract.ids import Epoch
from contract.wire.frames import DeclaredGap, LaneHead
from edge_agent.settings.model import AgentConfig

MIB: Final = 1024 * 1024
BUDGET_BYTES_MIN: Final = MIB

Build: TypeAlias = Callable[[Epoch, int], tuple[Event, ConditionData | None]]


@dataclass(frozen=True, slots=True)
class Pending:
    """An event that waits for its number.

    ``build`` is called in the commit thread with (epoch, seq). It must be pure: after a failed commit it is called
    again, possibly with another number. The ConditionData is present for condition events.
    """

    build: Build


@dataclass(frozen=True, slots=True)
class Committed:
    """An event that is durable. ``hash`` is the chain's ``h`` at ``seq``."""

    seq: int
    hash: bytes
    record: Record
    condition: ConditionData | None
    event_type: EventType


@dataclass(frozen=True, slots=True)
class EventRows:
    """Rows and gaps that account for every number from ``first_seq`` (one past what was asked after) on."""

    first_seq: int
    records: tuple[Record, ...]
    gaps: tuple[DeclaredGap, ...]


@dataclass(frozen=True, slots=True)
class ChunkRows:
    """The same of the telemetry lane. ``samples`` counts those in each chunk."""

    first_seq: int
    chunks: tuple[bytes, ...]
    gaps: tuple[DeclaredGap, ...]
    samples: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Destination:
    """Somebody to whom the data is owed. Space is not freed before every mandatory one has it, unless it must be."""

    name: str
    mandatory: bool = True


@dataclass(frozen=True, slots=True)
class OutboxSettings:
    """``budget_bytes`` covers both files, WAL included. ``chunk_s``: how much time one telemetry chunk holds.
    ``spool_s``: how much telemetry a crash may cost."""

    budget_bytes: int = 512 * MIB
    keep_acked_h: float = 48.0
    destinations: tuple[Destination, ...] = ()
    hash_algorithm: str = "sha256"
    chunk_s: float = 60.0
    spool_s: float = 1.0

    def __post_init__(self) -> None:
        assert self.budget_bytes >= BUDGET_BYTES_MIN, self.budget_bytes
        assert self.hash_algorithm in ALGORITHMS, self.hash_algorithm
        assert self.keep_acked_h >= 0, self.keep_acked_h
        assert min(self.chunk_s, self.spool_s) > 0, "no time holds no samples"


@dataclass(frozen=True, slots=True)
class SetAside:
    """A store was replaced while it ran: its files are kept under the names in ``kept_as``, numbers start anew."""

    reason: str
    former_epoch: Epoch
    former_head: LaneHead
    kept_as: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WriterHealth:
    """``failing`` names what the disk says while commits fail, None while all is well. ``waiting`` is what is not yet
    committed (events, or samples); ``dropped`` what memory could not hold meanwhile, since the start."""

    failing: str | None
    waiting: int
    dropped: int
    over_budget: bool


def outbox_settings(config: AgentConfig) -> OutboxSettings:
    return OutboxSettings(
        budget_bytes=config.outbox.budget_bytes,
        keep_acked_h=config.outbox.keep_acked_h,
        destinations=tuple(Destination(each.name, each.mandatory) for each in config.destinations),
        chunk_s=config.telemetry.chunk_s,
        spool_s=config.telemetry.spool_s,
    )
