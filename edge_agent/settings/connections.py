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
from edge_agent.settings.model import AgentConfig, Connection

_GOLDEN_RATIO: Final = (5**0.5 - 1) / 2
"""Multiples of it, modulo 1, leave at most three sizes of gap for any number of them (three-gap theorem)."""


def connections(config: AgentConfig, points: Iterable[PointSpec]) -> dict[Connection, list[DeviceSetup]]:
    """The devices on each connection, with their points, in the order of the first devices."""
    by_device: dict[str, list[PointSpec]] = {}
    for point in points:
        by_device.setdefault(point.device, []).append(point)
    found: dict[Connection, list[DeviceSetup]] = {}
    for position, device in enumerate(config.devices, 1):
        setup = DeviceSetup(device.name, f"device.{position}", device.settings, by_device[device.name])
        shared = DRIVERS[device.driver].connection(device.settings)
        key = (device.driver, f"device {device.name}") if shared is None else (device.driver, f"at {shared}")
        found.setdefault(key, []).append(setup)
    return found


def make_drivers(
    config: AgentConfig, points: Iterable[PointSpec], clock: Clock, folder: Path | None = None
) -> dict[Connection, Driver]:
    """A driver per connection, in the order of their first devices.

    ``points`` have their ids. Drivers keep what they learn in ``folder``. Their chance is seeded by the name of the agent
    and of their first device, so that the gateways of a park do not all come back at one moment. Their phases are spread
    evenly, whatever their number, and those of the first do not change when more are added.
    """
    return {
        key: DRIVERS[key[0]].make(
            setups, clock, random.Random(f"{config.name}/{setups[0].name}"), folder, position * _GOLDEN_RATIO % 1
        )
        for position, (key, setups) in enumerate(connections(config, points).items())
    }
