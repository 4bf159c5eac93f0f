"""How long is waited before the next session with a server that lets in, is read, and publishes nothing."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from contract.clock import NS_PER_S
from contract.points import PointRole, PointSpec, PointType
from contract.quality import Quality
from drivers.base import DeviceSetup
from drivers.opcua import OpcUa
from drivers.opcua.settings import OpcUaSettings


class NotedClock:
    """The real one; ``waits_s`` are those that were asked for."""

    def __init__(self) -> None:
        self.waits_s: list[float] = []

    def wall_ns(self) -> int:
        return time.time_ns()

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep_until(self, mono_ns: int) -> None:
        wait_s = max(0, mono_ns - self.mono_ns()) / NS_PER_S
        self.waits_s.append(wait_s)
        await asyncio.sleep(wait_s)


@pytest.mark.parametrize("read_beside", [False, True])
def test_attempts_become_rarer_until_values_flow(new_server, new_point, watch, read_beside):
    """However well the server could be read in between."""
    points = [new_point(2, "a")]
    if read_beside:  # with a deadband left to the server, so read now and then beside its reports
        points.append(new_point(3, "b", report_deadband=0.5, report_max_s=0.1))
    server = new_server(("a", "Double", 1.0), ("b", "Double", 1.0))
    own = PointSpec(1, "plc", "plant", "plc", PointRole.DEVICE, PointType.BIT, poll_s=0.1)
    settings = OpcUaSettings(endpoint=server.endpoint, publish_ms=50, timeout_s=2.0, reconnect_max_s=5.0)
    clock = NotedClock()
    driver = OpcUa().make([DeviceSetup("plc", "device.1", settings, [own, *points])], clock, random.Random(7))

    async def scenario(watched):
        await watched.until(lambda: watched.latest().get(2) == (1.0, Quality.GOOD), timeout_s=30.0)
        server.tell("mute_for_good")
        muted = len(clock.waits_s)
        await watched.until(lambda: len(clock.waits_s) >= muted + 3, timeout_s=30.0)
        first_s, _, third_s, *_ = clock.waits_s[muted:]
        assert first_s <= 0.2
        assert third_s > 0.2, "at least half of four times the longest first"
        server.tell("talk")
        await watched.until(lambda: watched.latest()[1][1] == Quality.GOOD, timeout_s=30.0)
        server.tell("mute_for_good")
        muted = len(clock.waits_s)
        await watched.until(lambda: len(clock.waits_s) > muted, timeout_s=30.0)
        assert clock.waits_s[muted] <= 0.2, "values flowed: from the beginning"

    watch(driver, scenario)
