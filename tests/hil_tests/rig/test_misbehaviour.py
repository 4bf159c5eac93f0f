"""Devices that misbehave, on real sockets and pseudo-terminals, read by clients that are not ours."""

from __future__ import annotations

import asyncio
import os
import random
import select
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, aclosing
from pathlib import Path
from typing import Any

import pytest
from pymodbus import FramerType
from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusIOException
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

from contract.points import PointRole, PointSpec, PointType
from contract.quality import is_good
from drivers.base import DeviceSetup
from drivers.modbus.driver import ModbusDriver
from drivers.modbus.settings import ModbusSettings
from edge_agent.station.machine import RealClock
from hil_tests.rig.ledger import RowKind
from hil_tests.rig.rig import Rig
from hil_tests.rig.site import Site, parse_site
from hil_tests.rig.words import CommandError

RTU = FramerRTU(DecodePDU(is_server=True))
Start = Callable[..., Rig]
Connect = Callable[..., ModbusTcpClient]


def registers(*values: int) -> list[dict[str, Any]]:
    return [
        {"name": f"r{address}", "table": "holding", "address": address, "type": "uint16",
         "signal": {"kind": "constant", "value": value}}
        for address, value in enumerate(values)
    ]  # fmt: skip


def site(*devices: dict[str, Any]) -> Site:
    return parse_site({"device": list(devices)}, Path("site.toml"))


GATEWAY = site(
    {"name": "plant", "unit": 1, "register": registers(11, 12, 13)},
    {"name": "second", "unit": 2, "behind": "plant", "register": registers(21, 22, 23)},
)


def ended(connection: socket.socket) -> bool:
    """False where it is kept."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def asked_over(port: str, unit: int, count: int) -> list[int]:
    """Holding registers from 0 on, as a master on the line would ask; empty where nobody answers within half a second."""
    line = os.open(port, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(line, RTU.encode(bytes((3, 0, 0, 0, count)), unit, 0))
        reply = b""
        while len(reply) < 5 + 2 * count and select.select([line], [], [], 0.5)[0]:
            reply += os.read(line, 300)
    finally:
        os.close(line)
    assert not reply or RTU.check_CRC(reply[:-2], int.from_bytes(reply[-2:], "big"))
    return [int.from_bytes(reply[at : at + 2], "big") for at in range(3, len(reply) - 2, 2)]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda site: stack.enter_context(Rig(site, tmp_path / "work"))


def test_units_behind_one_connection_misbehave_each_for_itself(start: Start, connect: Connect) -> None:
    rig = start(GATEWAY)
    assert rig.ports["second"] == rig.ports["plant"]
    assert len(set(rig.pids.values())) == 1
    rig.command("second", "mischief", "busy")
    client = connect(rig)
    assert client.read_holding_registers(0, count=2, device_id=1).registers == [11, 12]
    assert client.read_holding_registers(0, count=2, device_id=2).exception_code == 6
    rig.command("second", "mischief_clear")
    assert client.read_holding_registers(2, device_id=2).registers == [23]
    assert client.read_holding_registers(0, device_id=3).exception_code == 0x0B
    kinds = [row.kind for row in rig.ledger("second")]
    assert kinds == [RowKind.COMMAND, RowKind.SERVED, RowKind.MISCHIEF, RowKind.COMMAND, RowKind.SERVED]
    assert [row.text for row in rig.ledger("second") if row.kind is RowKind.MISCHIEF] == ["busy"]
    assert [row.kind for row in rig.ledger("plant")] == [RowKind.SERVED, RowKind.REFUSED]


def test_a_device_can_misbehave_from_its_beginning(start: Start, connect: Connect) -> None:
    client = connect(start(site({"name": "plant", "register": registers(1, 2, 3), "told": ["longest 2 2"]})))
    assert client.read_holding_registers(0, count=2).registers == [1, 2]
    assert client.read_holding_registers(0, count=3).exception_code == 2


def test_only_so_many_connections_are_accepted(start: Start, connect: Connect) -> None:
    rig = start(GATEWAY)
    rig.command("second", "connections", 1)
    first = connect(rig)
    assert first.read_holding_registers(0).registers == [11]
    with socket.create_connection(("127.0.0.1", rig.ports["plant"]), timeout=5) as second:
        assert ended(second)
    first.close()
    deadline = time.monotonic() + 5
    while True:
        with socket.create_connection(("127.0.0.1", rig.ports["plant"]), timeout=0.2) as third:
            if not ended(third):
                break
        assert time.monotonic() < deadline


def test_a_connection_is_reset_in_place_of_a_reply(start: Start) -> None:
    rig = start(GATEWAY)
    rig.command("plant", "mischief", "reset")
    with socket.create_connection(("127.0.0.1", rig.ports["plant"]), timeout=5) as raw:
        raw.sendall(bytes.fromhex("000100000006010300000001"))
        with pytest.raises(ConnectionResetError):
            raw.recv(100)


def test_a_late_reply_comes_on_the_connection_that_asked_on_tcp_and_to_whoever_is_there_behind_a_converter(
    start: Start,
) -> None:
    ask_tcp, ask_rtu = bytes.fromhex("000100000006010300000001"), bytes.fromhex("010300000001840a")
    for transport, ask, size in (("tcp", ask_tcp, 0), ("rtu_over_tcp", ask_rtu, 7)):
        rig = start(site({"name": "plant", "transport": transport, "register": registers(7)}))
        rig.command("plant", "delay", 0.3)
        with socket.create_connection(("127.0.0.1", rig.ports["plant"])) as first:
            first.sendall(ask)
            while not [row for row in rig.ledger("plant") if row.kind is RowKind.SERVED]:
                time.sleep(0.01)
        with socket.create_connection(("127.0.0.1", rig.ports["plant"]), timeout=1) as second:
            try:
                came = second.recv(100)
            except TimeoutError:
                came = b""
        assert len(came) == size, transport
        rig.stop()


def line_of_two(transport: str) -> Site:
    second = {"name": "second", "unit": 9, "behind": "plant", "register": registers(5)}
    return site({"name": "plant", "transport": transport, "register": registers(*range(100))}, second)


def test_units_speak_rtu_over_tcp(start: Start) -> None:
    rig = start(line_of_two("rtu_over_tcp"))
    with ModbusTcpClient("127.0.0.1", port=rig.ports["plant"], framer=FramerType.RTU, timeout=0.5, retries=0) as client:
        assert client.read_holding_registers(0, count=100).registers == [*range(100)]
        assert client.read_holding_registers(0, device_id=9).registers == [5]
        with pytest.raises(ModbusIOException):  # nobody speaks for a unit that is not there
            client.read_holding_registers(0, device_id=3)


def test_units_speak_rtu_over_a_pseudo_terminal(start: Start) -> None:
    rig = start(line_of_two("rtu"))
    assert rig.places["second"] == rig.places["plant"]
    port = str(rig.places["plant"])
    assert asked_over(port, 1, 100) == [*range(100)]
    assert asked_over(port, 9, 1) == [5]
    assert asked_over(port, 3, 1) == []


def test_a_line_that_is_pulled_out_is_gone_and_comes_back_under_its_name(start: Start) -> None:
    rig = start(line_of_two("rtu"))
    port = str(rig.places["plant"])
    rig.command("plant", "disconnect")
    assert not Path(port).exists()
    rig.command("plant", "listen")
    assert asked_over(port, 9, 1) == [5]


def test_the_driver_reads_units_on_a_line_past_its_mischief(start: Start) -> None:
    """Over the pseudo-terminal as over a serial port; what is damaged, cut or another unit's is no value."""
    rig = start(line_of_two("rtu"))
    for kind, probability in (("corrupt", 0.5), ("truncate", 0.05), ("wrong_unit", 0.05), ("duplicate", 0.2)):
        rig.command("second", "mischief", kind, probability, 5)
    setups = [setup_on(str(rig.places["plant"]), "plant", 1, 1), setup_on(str(rig.places["plant"]), "second", 9, 11)]
    good = asyncio.run(good_values(setups, 15))
    assert good.keys() == {2, 12}
    assert (good[2], good[12]) == ({0}, {5})
    assert [row for row in rig.ledger("second") if row.kind is RowKind.MISCHIEF]


def setup_on(port: str, name: str, unit: int, first_id: int) -> DeviceSetup:
    own = PointSpec(id=first_id, tag=name, org="bench", device=name, role=PointRole.DEVICE)
    point = PointSpec(
        id=first_id + 1,
        tag=f"{name}-r0",
        org="bench",
        device=name,
        type=PointType.UINT16,
        address="holding:0",
        poll_s=0.1,
    )
    keys = {
        "transport": "rtu",
        "serial_port": port,
        "baudrate": 115_200,
        "unit": unit,
        "timeout_s": 0.05,
        "late_s": 0.1,
    }
    return DeviceSetup(name, "device.1", ModbusSettings.model_validate(keys | {"silent_max_s": 0.2}), [own, point])


async def good_values(setups: list[DeviceSetup], turns: int) -> dict[int, set[float]]:
    """What was GOOD of each measured point, until each has had so many good turns."""
    driver = ModbusDriver(setups, RealClock(), random.Random(3))
    measured = {each.points[1].id for each in setups}
    good: dict[int, set[float]] = {}
    seen: Counter[int] = Counter()
    try:
        async with aclosing(driver.run()) as batches:
            async for batch in batches:
                for point, value, quality in zip(
                    batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True
                ):
                    if point in measured and is_good(quality):
                        good.setdefault(point, set()).add(value)
                        seen[point] += 1
                if min(seen[each] for each in measured) >= turns:
                    return good
    finally:
        await driver.close()
    raise AssertionError("the driver ended")


@pytest.mark.parametrize(
    ("transport", "command"),
    [("rtu_over_tcp", "mischief wrong_number"), ("rtu", "mischief wrong_number"), ("rtu", "mischief reset"),
     ("rtu", "connections 1"), ("tcp", "stop_publishing"), ("tcp", "limit items 3"), ("tcp", "restart")],
)  # fmt: skip
def test_what_a_device_cannot_do_is_refused(start: Start, transport: str, command: str) -> None:
    rig = start(site({"name": "plant", "transport": transport, "register": registers(7)}))
    with pytest.raises(CommandError):
        rig.command("plant", command)
    assert rig.ledger("plant") == []
