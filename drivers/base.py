"""What every driver offers, whatever it speaks.

The edge agent checks a driver offline, runs it as one task and asks for its health; nothing else. Expected trouble (no
answer, a refusal, a broken sensor) comes out as rows of bad quality, so a driver that runs never raises for its device.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from pydantic import BaseModel

from contract.batch import SampleBatch
from contract.clock import Clock
from contract.errors import Fault
from contract.points import PointSpec, PointType


class DeviceState(StrEnum):
    """What the last scan said of the device."""

    CONNECTING = "connecting"
    """No scan has ended yet."""
    ANSWERING = "answering"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """Counters since the driver was made; times are None until there is one."""

    device: str
    state: DeviceState
    last_answer_mono_ns: int | None
    requests: int
    """Put on the wire."""
    failures: int
    """Requests without a valid answer, and attempts to connect that failed. A refusal by the device is an answer."""
    reconnects: int
    """Connections opened after the first."""
    last_failure: str | None
    """The latest failure or refusal in words; kept when the device is well again."""
    last_good_scan_wall_ns: int | None
    """End of the latest turn in which every request was answered."""
    missed_turns: int = 0
    """Turns of the timetable left out because their time had passed."""
    slowed: str | None = None
    """In words, how much more slowly than configured the device is polled because its connection is too slow."""
    refused: tuple[str, ...] = ()
    """What the device refuses to give and is not asked for any more until it is tried again, in words."""


REGISTER_TYPES: Final[Mapping[str, PointType]] = {
    "bcd16": PointType.UINT16,
    "bcd32": PointType.UINT32,
    "bcd64": PointType.UINT64,
    "tenths16": PointType.UINT16,
    "float16": PointType.FLOAT32,
}
"""Ways to write a number in registers that are no types of their own, with the type that it is kept as."""


_LISTED_MAX: Final = 5


class PointFault(NamedTuple):
    """One mistake in a point, by the column of the I/O list that has to change."""

    column: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class DeviceSetup:
    """One device as it was configured.

    ``place`` is the path of its table in ``agent.toml``, as ``device.2``, for faults. ``settings`` is a ``settings_model``
    of its driver; ``points`` are its own, exactly one of them with PointRole.DEVICE.
    """

    name: str
    place: str
    settings: BaseModel
    points: Sequence[PointSpec]


class PlanLine(NamedTuple):
    """Points of a device that are had in one way. Requests and time are those of one turn; None where the server speaks by
    itself. ``load`` is the share of the connection's time, 1 for all of it."""

    connection: str
    device: str
    how: str
    points: int
    requests: int | None = None
    busy_ms: float | None = None
    load: float | None = None


def listed(tags: Sequence[str]) -> str:
    """Two or more tags as words."""
    shown = tags[:_LISTED_MAX]
    more = len(tags) - len(shown)
    return f"{', '.join(shown)} and {more} more" if more else f"{', '.join(shown[:-1])} and {shown[-1]}"


class Driver(Protocol):
    """One connection, and the devices that it leads to."""

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of the devices in the configuration, at least one, in the order of ``healths``."""

    def check(self) -> list[Fault]:
        """Every fault of settings and points, found offline: no network is touched. Empty means ``run`` may start."""

    def plan_report(self) -> list[PlanLine]:
        """What it is going to do, device by device."""

    def run(self) -> AsyncIterator[SampleBatch]:
        """Samples for ever; cancel the task to stop. Only one iteration at a time.

        Raises ConfigError at the first step where ``check`` finds faults; never raises for trouble of the device.
        """

    def healths(self) -> tuple[DeviceHealth, ...]:
        """A snapshot of each device; may be asked for at any time."""

    async def close(self) -> None:
        """Give the connection back. ``run`` must have been stopped."""


class DriverFactory(Protocol):
    """How the agent gets from a row of its configuration to a driver."""

    @property
    def settings_model(self) -> type[BaseModel]:
        """The driver's own keys of a ``[[device]]`` table; unknown keys are refused."""

    @property
    def has_registers(self) -> bool:
        """True where a point lies at a register: ``address`` of its spec is composed of the columns register, address,
        bit and word_order. Else it is the text of the column address, and the other three stay empty."""

    def check_point(self, spec: PointSpec) -> list[PointFault]:
        """Every fault of one point, offline. The device's own point has nothing to check."""

    def doubts(self, points: Sequence[PointSpec]) -> list[str]:
        """What is allowed among the points of one device and is mostly a mistake, such as two that read one place; in words."""

    def connection(self, settings: BaseModel) -> str | None:
        """What the device is reached by. Devices of one text share a connection; None: one of its own."""

    def make(
        self,
        devices: Sequence[DeviceSetup],
        clock: Clock,
        rng: random.Random,
        folder: Path | None = None,
        phase: float = 0.0,
    ) -> Driver:
        """A driver for the devices of one ``connection``, at least one.

        ``rng`` gives the jitter of the back-off. ``folder`` is where the driver may keep what it learned; without one it
        forgets. ``phase``, 0 to 1, is the part of the shortest period by which its turns lie behind those of phase 0, so that the
        connections of an agent do not all want the program at one moment.
        """
