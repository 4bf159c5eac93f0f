"""The point model: what a value means, on both ends.

A point is (organisation code, tag) and keeps that identity when it moves to another gateway. Inside an agent it has a
numeric id, valid within (agent, epoch, catalogue version) and never used again. A ``Catalogue`` is one version of the
list; both ends keep all versions, since a batch names the one it was made under.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from contract.ids import PointKey


class PointType(StrEnum):
    """How the device encodes the value. Integers keep their raw number next to the scaled one."""

    BIT = "bit"
    UINT16 = "uint16"
    INT16 = "int16"
    UINT32 = "uint32"
    INT32 = "int32"
    UINT64 = "uint64"
    INT64 = "int64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    STRING = "string"
    """A text. Its value is how many characters it has; the text itself travels as events when it changes."""

    @property
    def is_integer(self) -> bool:
        """True where the device gives an integer, so that raw and scale are kept and sent."""
        return self not in (PointType.FLOAT32, PointType.FLOAT64, PointType.STRING)


class PointRole(StrEnum):
    """A measured point, or the device itself: the one place where "it does not answer" is reported."""

    MEASUREMENT = "measurement"
    DEVICE = "device"


class ConditionClass(StrEnum):
    """What the edge says of a condition's nature. Priority is the aggregator's."""

    SAFETY = "safety"
    ADVISORY = "advisory"
    FAULT = "fault"
    SYSTEM = "system"


class ConditionKind(StrEnum):
    """Kinds of condition; with the point they are a condition's identity. ``HIGH`` has levels H=1, HH=2 (gas level 1
    and 2), ``LOW`` has L=1, LL=2, every other kind has level 1."""

    HIGH = "high"
    LOW = "low"
    FAULT = "fault"
    RATE = "rate"
    """It changes faster than it may, over a window."""
    OVER_RANGE = "over_range"
    """A combustible head has been beyond its range: what it reads since may be too low, until a person has looked."""
    FROZEN = "frozen"
    """The very same value over and over, from an instrument that is known to flicker."""

    SPIKE = "spike"
    """From here on statistics, which advise and never judge: a value far off for a moment."""
    SHIFT = "shift"
    """Its level is another one than it was."""
    NOISE = "noise"
    """It scatters more, or less, than it did."""
    DRIFT = "drift"
    """It creeps away."""
    STUCK = "stuck"
    """It says too little that is new."""
    GROUP = "group"
    """It has left the group of points that it belongs to."""

    @property
    def level_max(self) -> int:
        return 2 if self in (ConditionKind.HIGH, ConditionKind.LOW) else 1

    @property
    def is_statistical(self) -> bool:
        """Such a condition is of the class ADVISORY, whatever class the limits of its point have."""
        return self in _STATISTICAL


_STATISTICAL: Final = frozenset(
    {
        ConditionKind.SPIKE,
        ConditionKind.SHIFT,
        ConditionKind.NOISE,
        ConditionKind.DRIFT,
        ConditionKind.STUCK,
        ConditionKind.GROUP,
    }
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Set-points in the point's unit; NaN means there is none. Deadband is taken off the return side only."""

    ll: float = math.nan
    l: float = math.nan  # noqa: E741 - the field's own word for the low limit
    h: float = math.nan
    hh: float = math.nan
    deadband: float = 0.0
    on_delay_s: float = 0.0
    """For H and L."""
    on_delay_2_s: float = 0.0
    """For HH and LL; gas level 2 is never delayed."""
    off_delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class PointSpec:
    """One row of a catalogue.

    ``org`` is ``enterprise/source[/unit]``; its first part is the organisation code of the key. ``scale`` and
    ``offset`` turn a raw integer into the value (``contract.batch.scale_raw``); for floats they are 1 and 0 and the
    device's number is the value. ``address`` is the driver's own text, opaque here.
    """

    id: int
    tag: str
    org: str
    device: str
    role: PointRole = PointRole.MEASUREMENT
    type: PointType = PointType.UINT16
    address: str = ""
    scale: float = 1.0
    offset: float = 0.0
    unit: str = "1"
    range_low: float = math.nan
    range_high: float = math.nan
    limits: Limits = field(default_factory=Limits)
    limit_class: ConditionClass = ConditionClass.SAFETY
    poll_s: float = 1.0
    stale_s: float = 2.5
    """Without a confirmed scan for longer than this the value is BAD_STALE."""
    fault_on_delay_s: float = 2.0
    fault_off_delay_s: float = 0.0
    report_deadband: float | None = 0.0
    """Keep a sample for telemetry when it moved by more than this (0: whenever it changed); None: keep every one."""
    report_max_s: float = 60.0
    """Keep one at least this often."""
    was: str | None = None
    """Former tag: a rename keeps the history."""
    description: str = ""
    over_range: float = math.nan
    """A combustible head that reads as much has been beyond its range, which a person must end at the gateway; NaN: none."""
    frozen_s: float = 0.0
    """The very same value for as long is FROZEN; 0: may repeat for ever."""
    range_hold_s: float = 0.0
    """A value below the range must last as long before it may raise LOW: a wire that breaks is no low alarm (NAMUR NE 43)."""

    @property
    def key(self) -> PointKey:
        return PointKey(self.organisation, self.tag)

    @property
    def organisation(self) -> str:
        return self.org.split("/", 1)[0]

    @property
    def source(self) -> str:
        """``enterprise/source``: the hazard source that owns the point; telemetry chunks are cut by it."""
        return "/".join(self.org.split("/")[:2])


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One version of an agent's list of points. ``points[i].id`` ascend; ids of former versions stay taken."""

    version: int
    points: tuple[PointSpec, ...]

    def __iter__(self) -> Iterator[PointSpec]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def by_id(self) -> dict[int, PointSpec]:
        return {point.id: point for point in self.points}
