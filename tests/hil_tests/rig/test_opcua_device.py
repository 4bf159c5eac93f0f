"""OPC UA devices in processes of their own, read by a real client over real sockets."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, ua
from asyncua.common.node import Node

from contract.points import PointType
from hil_tests.rig.ledger import LedgerRow, RowKind
from hil_tests.rig.rig import Rig
from hil_tests.rig.site import parse_site
from hil_tests.rig.words import CommandError

URI = "urn:test:cooler"
Serve = Callable[..., Rig]


def node(name: str, value: float, type_: str = "float64", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, "signal": {"kind": "constant", "value": value}, **more}


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """A rig with one OPC UA device ``cooler`` and the given nodes."""
    rigs: list[Rig] = []

    def start(*nodes: dict[str, Any], **device: Any) -> Rig:
        own = {"kind": "opcua", "name": "cooler", "namespace": URI, "sample_ms": 20, "node": list(nodes), **device}
        rigs.append(Rig(parse_site({"device": [own]}, tmp_path / "site.toml"), tmp_path / "work"))
        rigs[-1].start()
        return rigs[-1]

    yield start
    for rig in rigs:
        rig.stop()


@asynccontextmanager
async def client_of(rig: Rig, timeout_s: float = 4.0) -> AsyncIterator[Client]:
    async with Client(f"opc.tcp://127.0.0.1:{rig.ports['cooler']}/", timeout=timeout_s) as client:
        yield client


async def place(client: Client, name: str) -> Node:
    return client.get_node(f"ns={await client.get_namespace_index(URI)};s={name}")


def value(shown: ua.DataValue) -> Any:
    return shown.Value.Value if shown.Value else None


async def read(client: Client, name: str) -> ua.DataValue:
    return await (await place(client, name)).read_data_value(raise_on_bad_status=False)


def with_client(rig: Rig, ask: Callable[[Client], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with client_of(rig) as client:
            return await ask(client)

    return asyncio.run(run())


def values(rig: Rig) -> list[LedgerRow]:
    return [row for row in rig.ledger("cooler") if row.kind is RowKind.VALUE]


def test_every_type_is_read_back_by_its_tag_in_the_namespace_of_its_uri(serve: Serve) -> None:
    types = [type_ for type_ in PointType if type_ is not PointType.STRING]  # the rig's nodes are numbers
    rig = serve(*(node(f"n-{type_}", 1, type_) for type_ in types), node("pi", math.pi))

    async def ask(client: Client) -> dict[str, ua.DataValue]:
        return {name: await read(client, name) for name in [*(f"n-{each}" for each in types), "pi"]}

    found = with_client(rig, ask)
    assert value(found.pop("pi")) == math.pi
    assert {type(value(each)) for each in found.values()} == {bool, int, float}
    for name, each in found.items():
        assert value(each) == 1, name
        assert each.StatusCode.is_good()
    assert found["n-uint16"].Value.VariantType is ua.VariantType.UInt16
    assert found["n-float32"].Value.VariantType is ua.VariantType.Float


def test_a_change_carries_the_time_of_its_source_and_stands_in_the_ledger(serve: Serve) -> None:
    rig = serve(node("TT-401", -12.5), node("PT-401", 0.25))
    begin = datetime.now(UTC)
    mono_ns = rig.command("cooler", "step", "TT-401", -11)

    async def ask(client: Client) -> ua.DataValue:
        return await read(client, "TT-401")

    shown = with_client(rig, ask)
    assert value(shown) == -11
    assert timedelta(0) <= shown.SourceTimestamp.replace(tzinfo=UTC) - begin < timedelta(seconds=5)
    rows = values(rig)
    assert {(row.name, row.value, row.status) for row in rows[:2]} == {("TT-401", -12.5, 0), ("PT-401", 0.25, 0)}
    assert [(row.name, row.value) for row in rows[2:]] == [("TT-401", -11.0)]
    assert rows[2].mono_ns >= mono_ns


def test_a_subscriber_sees_what_the_ledger_says(serve: Serve) -> None:
    ramp = {"kind": "ramp", "from": 0, "to": 1000, "seconds": 10}
    rig = serve({"name": "level", "type": "float64", "signal": ramp})

    async def watch(client: Client) -> list[float]:
        seen: list[float] = []
        enough = asyncio.Event()

        class Handler:
            def datachange_notification(self, node: object, value: float, data: object) -> None:
                seen.append(value)
                if len(seen) >= 20:
                    enough.set()

        subscription = await client.create_subscription(50, Handler())
        await subscription.subscribe_data_change(await place(client, "level"), queuesize=50)
        await asyncio.wait_for(enough.wait(), 20)
        await subscription.delete()
        return seen

    seen = with_client(rig, watch)
    served = [row.value for row in values(rig)]
    first = served.index(seen[0])
    assert seen == served[first : first + len(seen)]


@pytest.mark.parametrize(
    ("command", "status", "shows"),
    [
        ("status TT-401 BadOutOfService", ua.StatusCodes.BadOutOfService, None),
        ("status TT-401 UncertainSensorCalibration", 0x420A0000, 5.0),
        ("status TT-401 0x808D0000", ua.StatusCodes.BadOutOfService, None),
        ("open_circuit TT-401", ua.StatusCodes.BadSensorFailure, None),
    ],
)
def test_a_node_gets_the_status_it_was_told_and_loses_it_again(
    serve: Serve, command: str, status: int, shows: float | None
) -> None:
    rig = serve(node("TT-401", 5), node("TT-402", 6))

    async def ask(client: Client) -> list[ua.DataValue]:
        return [await read(client, name) for name in ("TT-401", "TT-402")]

    verb, *words = command.split()
    rig.command("cooler", verb, *words)
    told, beside = with_client(rig, ask)
    assert told.StatusCode.value == status
    assert value(told) == shows
    assert beside.StatusCode.is_good()
    assert values(rig)[-1].status == status
    assert math.isnan(values(rig)[-1].value) == (shows is None)
    rig.command("cooler", *(("close_circuit", "TT-401") if verb == "open_circuit" else ("status_clear",)))
    told, _ = with_client(rig, ask)
    assert told.StatusCode.is_good()
    assert value(told) == 5


def test_a_frozen_node_stays_as_it_is(serve: Serve) -> None:
    rig = serve({"name": "n", "type": "float64", "signal": {"kind": "noise", "mean": 5, "sd": 1}})
    rig.command("cooler", "freeze", "n")
    before = len(values(rig))
    deadline = time.monotonic() + 0.3
    while time.monotonic() < deadline:
        assert len(values(rig)) == before
    rig.command("cooler", "unfreeze", "n")
    while len(values(rig)) == before and time.monotonic() < deadline + 5:
        time.sleep(0.01)
    assert len(values(rig)) > before


def test_a_device_that_stops_answering_keeps_its_connection_and_goes_on_with_it(serve: Serve) -> None:
    rig = serve(node("TT-401", 5))

    async def ask(client: Client) -> None:
        rig.command("cooler", "stop_answering")
        asking = asyncio.create_task(read(client, "TT-401"))
        done, _ = await asyncio.wait([asking], timeout=0.3)
        assert not done
        rig.command("cooler", "answer")
        assert value(await asking) == 5

    with_client(rig, ask)


def test_a_disconnected_device_refuses_and_comes_back_on_its_port(serve: Serve) -> None:
    rig = serve(node("TT-401", 5))

    async def ask(client: Client) -> ua.DataValue:
        return await read(client, "TT-401")

    for _ in range(2):
        assert value(with_client(rig, ask)) == 5
        rig.command("cooler", "disconnect")
        with pytest.raises(OSError):
            with_client(rig, ask)
        rig.command("cooler", "listen")
        rig.command("cooler", "listen")
    assert value(with_client(rig, ask)) == 5


def test_nobody_can_write_a_node(serve: Serve) -> None:
    rig = serve(node("TT-401", 5))

    async def write(client: Client) -> ua.DataValue:
        with pytest.raises(ua.UaStatusCodeError):
            await (await place(client, "TT-401")).write_value(9.0)
        return await read(client, "TT-401")

    assert value(with_client(rig, write)) == 5


def test_a_command_that_makes_no_sense_is_refused_and_the_device_lives_on(serve: Serve) -> None:
    rig = serve(node("TT-401", 5))
    for words in (
        ("step", "TT-9", 1),
        ("status", "TT-401", "BadLuck"),
        ("exception", 1, 2),
        ("status", "TT-9", "Good"),
    ):
        with pytest.raises(CommandError):
            rig.command("cooler", *words)
    rig.command("cooler", "freeze")
    assert [row.text for row in rig.ledger("cooler") if row.kind is RowKind.COMMAND] == ["freeze"]


def test_it_stops_with_its_rig_without_a_word(serve: Serve, tmp_path: Path) -> None:
    rig = serve(node("TT-401", 5))
    rig.command("cooler", "quit")
    rig.stop()
    assert (tmp_path / "work" / "cooler.log").read_text() == ""


async def told_to(client: Client, names: list[str]) -> tuple[Any, list[Any], asyncio.Queue[tuple[str, Any]]]:
    """A subscription, what became of each item, and what it is told."""
    news: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    class Handler:
        def datachange_notification(self, node: Node, value: Any, _data: Any) -> None:
            news.put_nowait((str(node.nodeid.Identifier), value))

    subscription = await client.create_subscription(50, Handler())
    results = await subscription.subscribe_data_change([await place(client, name) for name in names])
    return subscription, results if isinstance(results, list) else [results], news


def test_it_stops_publishing_while_it_answers_everything_else(serve: Serve) -> None:
    rig = serve(node("a", 1))

    async def ask(client: Client) -> None:
        _, _, news = await told_to(client, ["a"])
        assert await asyncio.wait_for(news.get(), 5) == ("a", 1)
        rig.command("cooler", "stop_publishing")
        rig.command("cooler", "step", "a", 2)
        assert value(await read(client, "a")) == 2
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(news.get(), 0.5)
        rig.command("cooler", "publish")
        assert await asyncio.wait_for(news.get(), 5) == ("a", 2)

    with_client(rig, ask)


def test_it_restarts_with_other_namespace_indexes_and_shows_what_it_showed(serve: Serve) -> None:
    rig = serve(node("a", 1))
    rig.command("cooler", "step", "a", 5)

    async def index(client: Client) -> tuple[int, Any]:
        return await client.get_namespace_index(URI), value(await read(client, "a"))

    before = with_client(rig, index)
    rig.command("cooler", "restart", 3)
    assert with_client(rig, index) == (before[0] + 3, 5) == (5, 5)
    rig.command("cooler", "step", "a", 6)
    assert with_client(rig, index) == (5, 6)


def test_it_has_room_for_so_much_and_counts_its_sessions(serve: Serve) -> None:
    rig = serve(node("a", 1), node("b", 2), node("c", 3), told=["limit sessions 1"])

    async def ask(client: Client) -> None:
        with pytest.raises(ua.uaerrors.BadTooManySessions):
            async with client_of(rig):
                pass
        rig.command("cooler", "limit", "items", 2)
        _, results, _ = await told_to(client, ["a", "b", "c"])
        assert [isinstance(each, int) for each in results] == [True, True, False]
        assert results[2].name == "BadTooManyMonitoredItems"
        rig.command("cooler", "limit", "subscriptions", 1)
        with pytest.raises(ua.uaerrors.BadTooManySubscriptions):
            await told_to(client, ["a"])
        rig.command("cooler", "limit_clear")
        await told_to(client, ["a", "b", "c"])

    with_client(rig, ask)
    with_client(rig, lambda client: read(client, "a"))
    assert [row.number for row in rig.ledger("cooler") if row.kind is RowKind.SESSIONS] == [1, 0, 1, 0]
