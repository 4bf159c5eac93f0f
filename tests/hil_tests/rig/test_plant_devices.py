"""Devices that look at the plant, each in its own process: what they serve is what a copy of the plant says."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client
from pymodbus.client import ModbusTcpClient

from contract.errors import ConfigError
from hil_tests.rig.commands import PlantOrder, parse_command
from hil_tests.rig.ledger import RowKind
from hil_tests.rig.plant import Plant
from hil_tests.rig.plant_feed import PlantFeed
from hil_tests.rig.registers import Table
from hil_tests.rig.rig import Rig
from hil_tests.rig.site import Site, parse_site
from hil_tests.rig.words import CommandError

S = 1_000_000_000
SEED = 7
URI = "urn:test:plant"
StartPlant = Callable[..., Rig]


def looking(tag: str, address: int, type_: str = "float64", **more: Any) -> dict[str, Any]:
    signal = {"kind": "plant", "tag": tag}
    return {"name": tag, "table": "input", "address": address, "type": type_, "signal": signal, **more}


def node(tag: str) -> dict[str, Any]:
    return {"name": tag, "signal": {"kind": "plant", "tag": tag}}


def site(seed: int | None = SEED, **plc: Any) -> Site:
    registers = [looking("AT-101", 0), looking("WS-101", 4), looking("AT-102", 8, "uint16", scale=0.01)]
    devices = [
        {"name": "plc", "register": registers, **plc},
        {"name": "server", "kind": "opcua", "namespace": URI, "node": [node("AT-101"), node("WD-101")]},
    ]
    return parse_site({"device": devices} | ({} if seed is None else {"plant": {"seed": seed}}), Path("site.toml"))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartPlant]:
    rigs: list[Rig] = []

    def make(name: str = "work") -> Rig:
        rigs.append(Rig(site(), tmp_path / name))
        rigs[-1].start()
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.stop()


def poll(rig: Rig, until_ns: int) -> None:
    """Read everything of the PLC every now and then."""
    client = ModbusTcpClient("127.0.0.1", port=rig.ports["plc"], timeout=5, retries=0)
    assert client.connect()
    while time.monotonic_ns() < until_ns:
        assert not client.read_input_registers(0, count=9).isError()
        time.sleep(0.05)
    client.close()


def served(rig: Rig, tag: str) -> list[tuple[int, float]]:
    """(since the start, value) as the OPC UA device served it."""
    return [
        (row.mono_ns - rig.start_mono_ns, row.value)
        for row in rig.ledger("server") if row.kind is RowKind.VALUE and row.name == tag
    ]  # fmt: skip


def test_a_leak_is_the_same_over_modbus_over_opc_ua_and_in_a_copy(start: StartPlant) -> None:
    rig = start()
    effective_ns = rig.plant("leak", "cl2-tank-a", 0.05)
    assert effective_ns > time.monotonic_ns()
    poll(rig, effective_ns + 5 * S)
    shown = served(rig, "AT-101")
    copy = rig.plant_copy()
    for t_ns, value in shown:
        copy.advance(t_ns)
        assert value == copy.value("AT-101"), t_ns
    assert max(value for _, value in shown) > 1, "the gas has reached the detector"
    copy = rig.plant_copy()
    words = [(row.mono_ns - rig.start_mono_ns, row.word(Table.INPUT, 8)) for row in rig.ledger("plc") if row.words]
    assert len(words) > 20
    for t_ns, word in words:
        copy.advance(t_ns)
        assert word == round(copy.value("AT-102") / 0.01)
    for device in ("plc", "server"):
        (told,) = [row.text for row in rig.ledger(device) if row.kind is RowKind.COMMAND]
        assert told == f"plant {effective_ns - rig.start_mono_ns} leak cl2-tank-a 0.05"


def test_the_same_seed_serves_the_same_values(start: StartPlant) -> None:
    rigs = [start("one"), start("two")]
    time.sleep(1.5)
    by_step = []
    for rig in rigs:
        by_step.append({t_ns // 100_000_000: value for t_ns, value in served(rig, "AT-101")})
        rig.stop()
    both = by_step[0].keys() & by_step[1].keys()
    assert both
    assert [by_step[0][step] for step in both] == [by_step[1][step] for step in both]


def test_a_broken_wire_is_bad_sensor_failure_there_and_7fff_here(start: StartPlant) -> None:
    rig = start()
    rig.plant("open_circuit", "AT-101")
    poll(rig, rig.plant("open_circuit", "AT-102") + S)
    assert next(row for row in reversed(rig.ledger("plc")) if row.words).word(Table.INPUT, 8) == 0x7FFF

    async def status() -> str:
        async with Client(f"opc.tcp://127.0.0.1:{rig.ports['server']}/", timeout=4) as client:
            index = await client.get_namespace_index(URI)
            shown = await client.get_node(f"ns={index};s=AT-101").read_data_value(raise_on_bad_status=False)
            assert shown.StatusCode is not None
            return shown.StatusCode.name

    assert asyncio.run(status()) == "BadSensorFailure"


def test_what_the_plant_does_not_know_changes_nothing(start: StartPlant, tmp_path: Path) -> None:
    rig = start()
    for words in (("leak", "cl2-tank-z", 0.05), ("explode",), ("leak", "cl2-tank-a")):
        with pytest.raises(CommandError):
            rig.plant(*words)
    assert not any(row.kind is RowKind.COMMAND for row in rig.ledger("server"))


def test_an_order_that_comes_too_late_is_refused_rather_than_obeyed_differently() -> None:
    feed = PlantFeed(SEED, ["AT-101"], 0)
    feed.curve("AT-101")(5 * S)
    with pytest.raises(CommandError, match="1000 ms too late"):
        feed.apply(PlantOrder(4 * S, "freeze AT-101"))
    feed.apply(PlantOrder(6 * S, "freeze AT-101"))
    twin = Plant(SEED)
    twin.advance(6 * S)
    assert feed.curve("AT-101")(9 * S) == twin.value("AT-101")


def test_an_order_is_parsed_back_from_its_ledger_line() -> None:
    assert parse_command("plant 1200000000 leak cl2-tank-a 0.05") == PlantOrder(1_200_000_000, "leak cl2-tank-a 0.05")


def test_a_rig_without_a_plant_says_so(tmp_path: Path) -> None:
    constant = {"name": "a", "signal": {"kind": "constant", "value": 1}}
    device = {"name": "s", "kind": "opcua", "namespace": URI, "node": [constant]}
    with pytest.raises(CommandError, match=r"lacks \[plant\]"):
        Rig(parse_site({"device": [device]}, Path("site.toml")), tmp_path).plant("stop_leak")


def test_instruments_of_a_plant_that_is_not_there_are_told_all_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        site(seed=None)
    assert [str(fault).count("looks at a plant that is not there") for fault in caught.value.faults] == [1] * 5


def test_an_unknown_instrument_and_a_device_with_the_plants_name_are_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        site(name="plant", register=[looking("AT-999", 0)])
    said = " ".join(map(str, caught.value.faults))
    assert "has the plant's name" in said
    assert "no instrument 'AT-999'" in said
    assert "AT-101" in said


@pytest.mark.parametrize(
    ("device", "said"),
    [
        ({"kind": "opcua"}, "namespace"),
        ({"kind": "profibus"}, "'modbus' (the default) or 'opcua'"),
        ({"kind": "opcua", "namespace": URI, "unit": 3}, "device.1.unit"),
        ({"kind": "opcua", "namespace": "two words"}, "device.1.namespace"),
        ({"kind": "modbus", "namespace": URI, "register": [looking("AT-101", 0)]}, "device.1.namespace"),
    ],
)
def test_keys_of_another_kind_of_device_are_refused(device: dict[str, Any], said: str) -> None:
    nodes = {} if device["kind"] == "modbus" else {"node": [node("AT-101")]}
    with pytest.raises(ConfigError) as caught:
        parse_site({"plant": {"seed": 1}, "device": [{"name": "d", **nodes, **device}]}, Path("site.toml"))
    assert said in " ".join(map(str, caught.value.faults))
