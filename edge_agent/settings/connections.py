"""Which devices share a connection: one driver is made for each, by the running agent and by whoever only asks it.

Devices come in from the configuration, points from it or from the catalogue, where they have their ids. Touches nothing.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from contract.clock import Clock
from contract.points import PointSpec
from drivers.base import DeviceSetup, Driver
from drivers.catalogue import DRIVERS
from edge_agent.settings.model import AgentConfig

_GOLDEN_RATIO: Final = (5**0.5 - 1) / 2
"""Multiples of it, modulo 1, leave at most three sizes of gap for any number of them (three-gap theorem)."""


def make_drivers(
    config: AgentConfig, points: Iterable[PointSpec], clock: Clock, folder: Path | None = None
) -> list[Driver]:
    """A driver per connection, in the order of their first devices.

    ``points`` have their ids. Drivers keep what they learn in ``folder``. Their chance is seeded by the name of the agent
    and of their first device, so that the gateways of a park do not all come back at one moment. Their phases are spread
    evenly, whatever their number, and those of the first do not change when more are added.
    """
    by_device: dict[str, list[PointSpec]] = {}
    for point in points:
        by_device.setdefault(point.device, []).append(point)
    connections: dict[tuple[str, str], list[DeviceSetup]] = {}
    for position, device in enumerate(config.devices, 1):
        setup = DeviceSetup(device.name, f"device.{position}", device.settings, by_device[device.name])
        shared = DRIVERS[device.driver].connection(device.settings)
        key = (device.driver, f"device {device.name}") if shared is None else (device.driver, f"at {shared}")
        connections.setdefault(key, []).append(setup)
    drivers_of = {device.name: device.driver for device in config.devices}
    return [
        DRIVERS[drivers_of[setups[0].name]].make(
            setups, clock, random.Random(f"{config.name}/{setups[0].name}"), folder, position * _GOLDEN_RATIO % 1
        )
        for position, setups in enumerate(connections.values())
    ]
