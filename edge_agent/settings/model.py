"""The configuration of an agent as the rest of the agent sees it: complete, typed, free of faults.

Made by ``load``, read by the composition root, which hands each part to its user.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import rfc8785
from pydantic import BaseModel

from contract.ids import AgentName
from contract.keys import PublicKeys, SecretKeys
from contract.points import PointSpec

ReportMode: TypeAlias = Literal["exception", "all"]
Connection: TypeAlias = tuple[str, str]
"""What tells one from the others: the driver, and the place that it leads to."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What is needed to make an agent's keys: they carry its name and lie at ``key_file``."""

    name: AgentName
    key_file: Path


@dataclass(frozen=True, slots=True)
class Destination:
    """One control room. ``endpoints`` all lead to the same aggregator, the preferred one first."""

    name: str
    endpoints: tuple[str, ...]
    server_keys: PublicKeys
    mandatory: bool
    """Data that it has not acknowledged is evicted last."""


@dataclass(frozen=True, slots=True)
class Device:
    """One connection. ``settings`` is an instance of its driver's ``settings_model``."""

    name: str
    driver: str
    settings: BaseModel


@dataclass(frozen=True, slots=True)
class Telemetry:
    """``report`` is the default of points without a ``report_deadband``: by exception, or every sample."""

    chunk_s: float
    spool_s: float
    report: ReportMode


@dataclass(frozen=True, slots=True)
class Outbox:
    """Where data waits until it is acknowledged. ``budget_bytes`` holds for all its files together."""

    directory: Path
    budget_bytes: int
    keep_acked_h: float


@dataclass(frozen=True, slots=True)
class Recording:
    """Where what is judged is written down, so that it can be judged again."""

    directory: Path
    budget_bytes: int


@dataclass(frozen=True, slots=True)
class OpenItem:
    """What a device's manual leaves open and nobody has accepted at the device: ``choice`` is taken meanwhile.

    Values of the ``points`` (their tags) are UNCERTAIN until then.
    """

    device: str
    model: str
    item: str
    question: str
    choices: tuple[str, ...]
    choice: str
    find_out: str
    points: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """Everything an agent was told.

    ``points`` have id 0, since the store gives the ids. They stand in a canonical order, whatever the order of rows: the
    devices' own points first, then the measured ones, each by tag. ``rows`` gives the row of ``points.csv`` for a measured
    point's tag, for faults that are found later.
    """

    directory: Path
    name: AgentName
    organisation: str
    keys: SecretKeys
    destinations: tuple[Destination, ...]
    devices: tuple[Device, ...]
    points: tuple[PointSpec, ...]
    rows: Mapping[str, int]
    telemetry: Telemetry
    outbox: Outbox
    config_hash: str
    """64 hex digits, see ``config_hash``."""
    open_items: tuple[OpenItem, ...] = ()
    recording: Recording | None = None

    def points_of(self, device: str) -> tuple[PointSpec, ...]:
        """The points of one device, its own among them."""
        return tuple(point for point in self.points if point.device == device)


def config_hash(tables: Mapping[str, Any], points: tuple[PointSpec, ...]) -> str:
    """SHA-256 over what the configuration means, in hex.

    Two folders of the same meaning hash alike: layout, comments, the order of rows, tables and columns, defaults written
    out or left out, number spelling and the names of key files change nothing. What differs in effect differs here, the
    control rooms' public keys and the descriptions included. The agent's own keys are its identity, not its configuration.

    ``tables`` is plain data; ``points`` are in canonical order.
    """
    content = {**tables, "points": [_plain(asdict(point)) for point in points]}
    return hashlib.sha256(rfc8785.dumps(_plain(content))).hexdigest()


def _plain(value: Any) -> Any:
    """JSON has no NaN: a set-point that is not there is null."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and math.isnan(value):
        return None
    return value
