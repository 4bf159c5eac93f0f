"""OPC UA: a server's variables become samples. Entry point: ``OpcUa``, a ``drivers.base.DriverFactory``.

The way of a value: ``address`` (text to node) -> ``plan`` (nodes to subscriptions and polls) -> ``session`` (what comes, in order of
arrival; ``connection`` with ``security`` and ``certificates`` beneath, ``monitoring`` for subscriptions, ``alarms`` with ``conditions`` for what the server judges) -> ``decode`` (bytes to readings; ``wire`` for
what is not plain) -> ``values`` (status and variant to quality and number) -> ``memory`` (reports to samples); ``driver`` ties them
together and comes back after a loss. It reads and subscribes; nothing here can write, and
the one call has the server tell its alarms again.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from contract.clock import Clock
from contract.errors import ConfigError, Fault
from contract.points import PointRole, PointSpec
from drivers.base import DeviceSetup, Driver, PointFault, listed
from drivers.opcua.address import examine
from drivers.opcua.settings import OpcUaSettings

__all__ = ["OpcUa"]


class OpcUa:
    """Factory of the driver ``opcua``; keeps no state."""

    @property
    def settings_model(self) -> type[BaseModel]:
        return OpcUaSettings

    @property
    def has_registers(self) -> bool:
        return False

    def check_point(self, spec: PointSpec) -> list[PointFault]:
        return [] if spec.role is PointRole.DEVICE else examine(spec)[1]

    def doubts(self, points: Sequence[PointSpec]) -> list[str]:
        tags: dict[str, list[str]] = {}
        for point in points:
            if point.role is PointRole.MEASUREMENT:
                tags.setdefault(point.address, []).append(point.tag)
        return [f"{listed(found)} read the same place, {place}" for place, found in tags.items() if len(found) > 1]

    def connection(self, settings: BaseModel) -> str | None:  # noqa: ARG002 - a session serves one device
        return None

    def make(
        self,
        devices: Sequence[DeviceSetup],
        clock: Clock,
        rng: random.Random,
        folder: Path | None = None,  # noqa: ARG002 - nothing is learned
        phase: float = 0.0,  # noqa: ARG002 - the server says when it reports
    ) -> Driver:
        """Raises ConfigError, too, where the gateway was installed without the part for OPC UA."""
        try:
            from drivers.opcua.driver import OpcUaDriver  # brings asyncua, which an agent without OPC UA can spare
        except ModuleNotFoundError as error:
            message = f"the driver opcua needs {error.name}, which is not installed"
            raise ConfigError(
                [Fault("agent.toml", None, "driver", message, "Install parksentry[edge-opcua]")]
            ) from error
        (device,) = devices
        assert isinstance(device.settings, OpcUaSettings)
        return OpcUaDriver(device.settings, device.points, clock, rng)
