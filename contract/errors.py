"""The one error tree, split by who must act.

::

    ParkSentryError
    ├── ConfigError        the engineer: a folder or a file is wrong (carries every Fault found)
    ├── DeviceError        the bus: a device answers wrongly or not at all (device, point)
    ├── LinkError          the network between agent and aggregator
    ├── PeerError          the other end: it broke the protocol, or is not who it should be
    │   └── FrameError     bytes that are no valid frame (field says which)
    └── StoreError         the disk: a store cannot be opened, read or written

Expected trouble on the way of a sample is data (a quality), never one of these. Programmer errors are assertions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ParkSentryError(Exception):
    """Root of every error that somebody outside the code can act on."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One mistake in a configuration, placed where the engineer will look for it.

    ``row`` is the line of a table as a spreadsheet shows it (the header is row 1), None where the file has no rows.
    ``column`` is the name of the column or the dotted path of the key. ``remedy`` says what to do.
    """

    file: str
    row: int | None
    column: str | None
    message: str
    remedy: str

    def __str__(self) -> str:
        where = self.file
        if self.row is not None:
            where += f", row {self.row}"
        if self.column is not None:
            where += f", {self.column}"
        return f"{where}: {self.message}. {self.remedy}"


class ConfigError(ParkSentryError):
    """A configuration was refused whole; nothing of it was applied."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class DeviceError(ParkSentryError):
    """A device answered wrongly or not at all."""

    def __init__(self, device: str, message: str, point: str | None = None) -> None:
        self.device = device
        self.point = point
        super().__init__(f"device {device}" + (f", point {point}" if point else "") + f": {message}")


class LinkError(ParkSentryError):
    """The network between agent and aggregator failed."""


class PeerError(ParkSentryError):
    """The other end broke the protocol or is not who it should be."""


class FrameError(PeerError):
    """Bytes that are no valid frame. ``field`` names the first field at fault, or the envelope."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(f"{field}: {message}")


class StoreError(ParkSentryError):
    """A store cannot be opened, read or written."""
