"""Devices in processes of their own, read over real sockets."""

from __future__ import annotations

import math
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusIOException

from contract.errors import ConfigError
from contract.points import PointType
from hil_tests.rig.ledger import RowKind, functions_asked
from hil_tests.rig.registers import Order, Table, width
from hil_tests.rig.rig import Rig, RigError
from hil_tests.rig.site import parse_site
from hil_tests.rig.words import CommandError

StartRig = Callable[..., Rig]
Connect = Callable[..., ModbusTcpClient]
TYPES = [each for each in PointType if each not in (PointType.BIT, PointType.STRING)]
EXACT = {PointType.FLOAT32: -1234.5, PointType.FLOAT64: math.pi}
WIRE = {
    PointType.UINT16: ">H", PointType.INT16: ">h", PointType.UINT32: ">I", PointType.INT32: ">i",
    PointType.UINT64: ">Q", PointType.INT64: ">q", PointType.FLOAT32: ">f", PointType.FLOAT64: ">d",
}  # fmt: skip


def constant(name: str, address: int, value: float, type_: str = "uint16", **more: Any) -> dict[str, Any]:
    signal_ = {"kind": "constant", "value": value}
    return {"name": name, "table": "holding", "address": address, "type": type_, "signal": signal_, **more}


GAS = constant("gas1", 0, 7)


def number_in(type_: PointType, order: Order, words: Sequence[int]) -> float:
    """Decoded byte by byte, apart from the code under test."""
    data = b"".join(struct.pack(">H", word) for word in words)
    if order in (Order.BADC, Order.DCBA):
        data = b"".join(data[i + 1 : i + 2] + data[i : i + 1] for i in range(0, len(data), 2))
    if order in (Order.CDAB, Order.DCBA):
        data = b"".join(data[i : i + 2] for i in reversed(range(0, len(data), 2)))
    return float(struct.unpack(WIRE[type_], data)[0])


def test_every_type_in_every_order_is_read_back(start_rig: StartRig, connect: Connect) -> None:
    registers, address = [], 0
    for type_ in TYPES:
        for order in Order:
            value = EXACT.get(type_, 200 if type_.startswith("u") else -200)
            registers.append(constant(f"{type_}-{order}", address, value, type_, order=order))
            address += width(type_)
    words = connect(start_rig(*registers)).read_holding_registers(0, count=address).registers
    for each in registers:
        own = words[each["address"] : each["address"] + width(each["type"])]
        assert number_in(each["type"], each["order"], own) == each["signal"]["value"], each["name"]


def test_the_four_tables_are_apart(start_rig: StartRig, connect: Connect) -> None:
    bits = [
        constant(f"{table}{address}", address, address % 2, "bit", table=table)
        for table in ("coil", "discrete") for address in range(3)
    ]  # fmt: skip
    rig = start_rig(GAS, {**GAS, "name": "gas2", "table": "input", "signal": {"kind": "constant", "value": 8}}, *bits)
    client = connect(rig)
    assert client.read_holding_registers(0).registers == [7]
    assert client.read_input_registers(0).registers == [8]
    assert client.read_coils(0, count=3).bits[:3] == [False, True, False]
    assert client.read_discrete_inputs(1, count=2).bits[:2] == [True, False]
    assert [row.words for row in rig.ledger("plant")] == [(7,), (8,), (0, 1, 0), (1, 0)]


def test_the_ledger_says_what_the_client_saw_and_when(start_rig: StartRig, connect: Connect) -> None:
    noise = {"kind": "noise", "mean": 500, "sd": 100, "seed": 3}
    rig = start_rig(*({**GAS, "name": f"n{i}", "address": i, "signal": noise} for i in range(5)))
    client = connect(rig)
    seen, asked = [], []
    for _ in range(20):
        before_ns = time.monotonic_ns()
        seen.append(tuple(client.read_holding_registers(1, count=3).registers))
        asked.append((before_ns, time.monotonic_ns()))
    rows = rig.ledger("plant")
    assert [row.words for row in rows] == seen
    assert len(set(seen)) > 10
    assert all(before <= row.mono_ns <= after for row, (before, after) in zip(rows, asked, strict=True))
    assert {(row.table, row.address, row.count) for row in rows} == {(Table.HOLDING, 1, 3)}


def test_a_recording_is_served_value_for_value(start_rig: StartRig, connect: Connect, tmp_path: Path) -> None:
    values = [0.1, -0.0, 3.4e38, 1e-40, 0.3] * 20
    (tmp_path / "gas.csv").write_text("gas\n" + "".join(f"{each!r}\n" for each in values))
    play = {"kind": "recording", "file": "gas.csv", "column": "gas", "step_s": 0.02, "after_end": "loop"}
    rig = start_rig({**GAS, "type": "float32", "signal": play})
    client = connect(rig)
    deadline = time.monotonic() + 10
    seen: list[bytes] = []
    while len(set(seen)) < 5 and time.monotonic() < deadline:
        words = client.read_holding_registers(0, count=2).registers
        seen.append(b"".join(struct.pack(">H", each) for each in words))
    rows = [(row.mono_ns - rig.start_mono_ns) // 20_000_000 for row in rig.ledger("plant")]
    assert seen == [struct.pack(">f", values[row % len(values)]) for row in rows]
    assert len(set(seen)) == 5


def test_a_command_takes_effect_at_the_moment_it_says(start_rig: StartRig, connect: Connect) -> None:
    rig = start_rig(GAS)
    client = connect(rig)
    assert client.read_holding_registers(0).registers == [7]
    mono_ns = rig.command("plant", "step", "gas1", 35)
    assert client.read_holding_registers(0).registers == [35]
    before, command, after = rig.ledger("plant")
    assert (command.kind, command.text, command.mono_ns) == (RowKind.COMMAND, "step gas1 35", mono_ns)
    assert before.mono_ns < mono_ns < after.mono_ns


def test_frozen_values_stay_until_unfrozen(start_rig: StartRig, connect: Connect) -> None:
    rig = start_rig({**GAS, "signal": {"kind": "noise", "mean": 500, "sd": 100}})
    client = connect(rig)
    rig.command("plant", "freeze")
    assert len({client.read_holding_registers(0).registers[0] for _ in range(10)}) == 1
    rig.command("plant", "unfreeze")
    assert len({client.read_holding_registers(0).registers[0] for _ in range(10)}) > 5


def test_a_device_that_stops_answering_keeps_its_connections(start_rig: StartRig, connect: Connect) -> None:
    rig = start_rig(GAS)
    with socket.create_connection(("127.0.0.1", rig.ports["plant"])) as raw:
        request = struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 0, 1)
        raw.sendall(request)
        assert raw.recv(100)[-2:] == b"\x00\x07"
        rig.command("plant", "stop_answering")
        raw.settimeout(0.2)
        raw.sendall(request)
        with pytest.raises(TimeoutError):
            raw.recv(100)
        connect(rig)  # new ones are accepted, too
        rig.command("plant", "answer")
        raw.settimeout(5)
        raw.sendall(request)
        assert raw.recv(100)[-2:] == b"\x00\x07"
    kinds = [row.kind for row in rig.ledger("plant")]
    assert kinds == [RowKind.SERVED, RowKind.COMMAND, RowKind.SILENT, RowKind.COMMAND, RowKind.SERVED]


def test_a_disconnected_device_refuses_and_comes_back_on_its_port(start_rig: StartRig, connect: Connect) -> None:
    rig = start_rig(GAS)
    port = rig.ports["plant"]
    client = connect(rig)
    assert client.read_holding_registers(0).registers == [7]
    for _ in range(2):
        rig.command("plant", "disconnect")
        with pytest.raises((ConnectionException, ModbusIOException, ConnectionError)):
            client.read_holding_registers(0)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        rig.command("plant", "listen")
        rig.command("plant", "listen")
        client = connect(rig)
        assert client.read_holding_registers(0).registers == [7]


def test_nobody_can_take_the_port_of_a_disconnected_device(start_rig: StartRig) -> None:
    rig = start_rig(GAS)
    rig.command("plant", "disconnect")
    with socket.socket() as thief, pytest.raises(OSError, match="in use"):
        thief.bind(("127.0.0.1", rig.ports["plant"]))


def test_exceptions_reach_the_client(start_rig: StartRig, connect: Connect) -> None:
    rig = start_rig(GAS, constant("gas2", 1, 8))
    client = connect(rig)
    rig.command("plant", "exception", 1, 6)
    assert client.read_holding_registers(0).registers == [7]
    assert client.read_holding_registers(0, count=2).exception_code == 6
    rig.command("plant", "exception_clear")
    assert client.read_holding_registers(0, count=2).registers == [7, 8]
    assert [row.code for row in rig.ledger("plant") if row.kind is RowKind.REFUSED] == [6]


def test_a_write_is_refused_and_put_down(start_rig: StartRig, connect: Connect) -> None:
    rig = start_rig(GAS)
    client = connect(rig)
    assert client.write_register(0, 99).isError()
    assert client.write_coils(3, [True]).isError()
    assert client.read_holding_registers(0).registers == [7]
    rows = rig.ledger("plant")
    assert [row.kind for row in rows] == [RowKind.FUNCTION, RowKind.FUNCTION, RowKind.SERVED]
    assert functions_asked(rows) == {6: 1, 15: 1, 3: 1}


def test_markers_are_in_the_ledger_without_anybody_reading(start_rig: StartRig) -> None:
    rig = start_rig({**GAS, "name": "beat", "signal": {"kind": "counter", "period_s": 0.05}})
    deadline = time.monotonic() + 10
    while len(rows := rig.ledger("plant")) < 4 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [(row.name, row.number) for row in rows[:4]] == [("beat", i) for i in range(1, 5)]
    assert [row.mono_ns for row in rows[:4]] == [rig.start_mono_ns + i * 50_000_000 for i in range(1, 5)]


def test_a_command_that_makes_no_sense_is_refused_and_the_device_lives_on(start_rig: StartRig) -> None:
    rig = start_rig(GAS)
    for words in (("step", "gas9", 1), ("jump",), ("step", "gas1", math.nan)):
        with pytest.raises(CommandError):
            rig.command("plant", *words)
    rig.command("plant", "freeze")
    assert [row.text for row in rig.ledger("plant")] == ["freeze"]


def test_devices_stop_with_their_rig_and_after_quit(start_rig: StartRig) -> None:
    rig = start_rig(GAS)
    pid = rig.pids["plant"]
    rig.command("plant", "quit")
    with pytest.raises(RigError):
        rig.command("plant", "answer")
    rig.stop()
    rig.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_taken_port_is_told_and_nothing_stays_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        devices = [
            {"name": "one", "register": [GAS]},
            {"name": "two", "port": taken.getsockname()[1], "register": [GAS]},
        ]
        rig = Rig(parse_site({"device": devices}, tmp_path / "site.toml"), tmp_path)
        with pytest.raises(RigError, match=r"device two: cannot (take|listen)"):
            rig.start()
        assert rig.pids == {}


def test_a_device_without_its_ledger_ends_rather_than_serve_unwritten_values(
    tmp_path: Path, start_rig: StartRig
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "plant.ledger").symlink_to("/dev/full")
    rig = start_rig(GAS)
    with socket.create_connection(("127.0.0.1", rig.ports["plant"])) as raw:
        raw.sendall(struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 0, 1))
        raw.settimeout(5)
        while raw.recv(100):
            pass
    with pytest.raises(RigError):
        rig.command("plant", "answer")


def test_a_site_that_cannot_be_played_starts_nothing(make_site: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "gas.csv").write_text("ts,a\n0,1\n")
    site = make_site({**GAS, "signal": {"kind": "recording", "file": "gas.csv", "column": "a"}})
    (tmp_path / "gas.csv").unlink()
    with pytest.raises(ConfigError):
        Rig(site, tmp_path)


_PARENT = """
import sys, time
from pathlib import Path
from hil_tests.rig.rig import Rig
from hil_tests.rig.site import load_site
rig = Rig(load_site(Path(sys.argv[1])), Path(sys.argv[1]))
rig.start()
print(*rig.pids.values(), flush=True)
time.sleep(60)
"""


def test_devices_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    register = 'name = "g"\ntable = "input"\naddress = 0\ntype = "int16"\nsignal = { kind = "constant", value = 1 }\n'
    device = "[[device]]\nname = '{}'\n[[device.register]]\n" + register
    (tmp_path / "site.toml").write_text(device.replace("{}", "a", 1) + device.replace("{}", "b", 1))
    with subprocess.Popen([sys.executable, "-c", _PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(map(_runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(_runs, pids))


def _runs(pid: int) -> bool:
    """Whether a process is alive; a dead child that nobody has collected yet is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
