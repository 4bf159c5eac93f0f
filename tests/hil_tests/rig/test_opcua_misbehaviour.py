"""What the OPC UA driver makes of a rig's server that has no room, or whose nodes are bad."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from contract.points import PointRole, PointSpec, PointType
from contract.quality import Quality
from drivers.base import DeviceSetup
from drivers.opcua.driver import OpcUaDriver
from drivers.opcua.settings import OpcUaSettings
from edge_agent.station.machine import RealClock
from hil_tests.rig.ledger import RowKind
from hil_tests.rig.rig import Rig
from hil_tests.rig.site import parse_site

URI = "urn:test:cooler"
NODES = {"a": 1.0, "b": 2.0, "c": 3.0}
IDS = {2 + i: name for i, name in enumerate(NODES)}
ALL_GOOD = {1: (1.0, Quality.GOOD)} | {id_: (NODES[name], Quality.GOOD) for id_, name in IDS.items()}
Serve = Callable[..., Rig]
Rows = dict[int, tuple[float, int]]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """A rig with one OPC UA device, which is told something before anybody can ask."""
    rigs: list[Rig] = []

    def start(*told: str) -> Rig:
        nodes = [
            {"name": name, "signal": {"kind": "constant", "value": value}} for name, value in NODES.items()
        ]  # fmt: skip
        device = {"kind": "opcua", "name": "cooler", "namespace": URI, "sample_ms": 20, "node": nodes, "told": [*told]}
        rigs.append(Rig(parse_site({"device": [device]}, tmp_path / "site.toml"), tmp_path / "work"))
        rigs[-1].start()
        return rigs[-1]

    yield start
    for rig in rigs:
        rig.stop()


class Watching:
    """A driver of the device while it runs; ``latest`` has (value, quality) by point."""

    def __init__(self, rig: Rig) -> None:
        own = PointSpec(1, "cooler", "bench", "cooler", PointRole.DEVICE, PointType.BIT, poll_s=0.1)
        points = [
            PointSpec(id=id_, tag=name, org="bench", device="cooler", type=PointType.FLOAT64,
                      address=f"nsu={URI};s={name}", poll_s=0.1)
            for id_, name in IDS.items()
        ]  # fmt: skip
        settings = OpcUaSettings(
            endpoint=f"opc.tcp://127.0.0.1:{rig.ports['cooler']}/", publish_ms=100, timeout_s=4.0, reconnect_max_s=0.3
        )
        setup = DeviceSetup("cooler", "device.1", settings, [own, *points])
        self.driver = OpcUaDriver(settings, setup.points, RealClock(), random.Random(3))
        self.latest: Rows = {}
        self._news = asyncio.Condition()

    async def run(self) -> None:
        async with aclosing(self.driver.run()) as batches:
            async for batch in batches:
                rows = zip(batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True)
                self.latest |= {point: (value, quality) for point, value, quality in rows}
                async with self._news:
                    self._news.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(condition)


def watched(rig: Rig, scenario: Callable[[Watching], Awaitable[None]]) -> None:
    async def both() -> None:
        watching = Watching(rig)
        running = asyncio.create_task(watching.run())
        try:
            await scenario(watching)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(both())


def test_a_server_without_room_for_a_session_is_bad_and_says_why_until_there_is_room(serve: Serve) -> None:
    rig = serve("limit sessions 0")

    async def scenario(watching: Watching) -> None:
        await watching.until(lambda: watching.driver.health().failures >= 2)
        assert {quality for _, quality in watching.latest.values()} == {Quality.BAD_COMM_FAILURE}
        assert "BadTooManySessions" in (watching.driver.health().last_failure or "")
        await asyncio.to_thread(rig.command, "cooler", "limit_clear")
        await watching.until(lambda: watching.latest == ALL_GOOD)

    watched(rig, scenario)
    assert max(row.number for row in rig.ledger("cooler") if row.kind is RowKind.SESSIONS) == 1


@pytest.mark.parametrize(
    ("limit", "why"),
    [("items 0", "BadTooManyMonitoredItems"), ("subscriptions 0", "BadTooManySubscriptions")],
)
def test_what_the_server_has_no_room_to_monitor_is_read_and_that_is_told(serve: Serve, limit: str, why: str) -> None:
    rig = serve(f"limit {limit}")

    async def scenario(watching: Watching) -> None:
        await watching.until(lambda: watching.latest == ALL_GOOD)
        assert f"3 point(s): polled, since the server refused: {why}" in watching.driver.health().refused
        await asyncio.to_thread(rig.command, "cooler", "step", "c", 9)
        await watching.until(lambda: watching.latest[4] == (9.0, Quality.GOOD))

    watched(rig, scenario)


@pytest.mark.parametrize(
    ("command", "end", "quality"),
    [
        ("open_circuit b", "close_circuit b", Quality.BAD_SENSOR_FAILURE),
        ("status b BadOutOfService", "status_clear b", Quality.BAD),
    ],
)
def test_a_bad_node_is_one_bad_point_without_a_number(serve: Serve, command: str, end: str, quality: Quality) -> None:
    rig = serve()

    async def scenario(watching: Watching) -> None:
        await watching.until(lambda: watching.latest == ALL_GOOD)
        await asyncio.to_thread(rig.command, "cooler", *command.split())
        await watching.until(lambda: watching.latest[3][1] == quality)
        assert watching.latest[3][0] != watching.latest[3][0], "no number"
        assert {id_: row for id_, row in watching.latest.items() if id_ != 3} == {
            id_: row for id_, row in ALL_GOOD.items() if id_ != 3
        }
        await asyncio.to_thread(rig.command, "cooler", *end.split())
        await watching.until(lambda: watching.latest == ALL_GOOD)

    watched(rig, scenario)
