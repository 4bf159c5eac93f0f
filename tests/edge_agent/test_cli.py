"""``edge-agent`` as an engineer meets it: real processes, from an empty folder to a stopped agent."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509

from contract.clock import NS_PER_S
from contract.events import DecodedEvent, EventType, decode_event
from contract.ids import AgentName
from contract.keys import format_public, generate, parse_public
from drivers.opcua.certificates import read_identity as opcua_identity
from drivers.opcua.certificates import thumbprint
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.rows import OutboxSettings
from edge_agent.station.control import ask
from edge_agent.station.machine import RealClock
from edge_agent.station.status import starting, write_status

AGENT_TOML = """
[agent]
name = "store-1"
organisation = "acme"
[[destination]]
name = "park"
endpoints = ["tcp://127.0.0.1:1"]
[[device]]
name = "plc1"
driver = "modbus_tcp"
host = "127.0.0.1"
port = 1
"""
POINTS_CSV = """tag,source,device,register,address,type,unit,h,hh
AT-101,cl2-store,plc1,holding,0,uint16,ppm,25,50
AT-102,cl2-store,plc1,holding,1,uint16,ppm,25,50
"""


def agent(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_agent.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agent.toml").write_text(AGENT_TOML)
    (tmp_path / "points.csv").write_text(POINTS_CSV)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "aggregator.pub").write_text(format_public(generate("park").public))
    return tmp_path


@pytest.fixture
def ready(folder: Path) -> Path:
    assert agent("keygen", folder).returncode == 0
    return folder


@contextmanager
def running(folder: Path, what: str = "agent_running", stop: signal.Signals = signal.SIGTERM) -> Iterator[int]:
    """Start the agent, wait for a word in what it logs, stop it at the end."""
    log = folder / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, "-m", "edge_agent.cli", "run", str(folder)], stderr=output)
        try:
            wait_for_log(folder, what, process)
            yield process.pid
            process.send_signal(stop)
            process.wait(timeout=30)
        finally:
            process.kill()
            process.wait()


def wait_for_log(folder: Path, what: str, process: subprocess.Popen[bytes] | None = None) -> None:
    log = folder / "log.txt"
    deadline = time.monotonic() + 30
    while what not in log.read_text():
        assert process is None or process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def run_until(folder: Path, what: str, stop: signal.Signals = signal.SIGTERM) -> None:
    with running(folder, what, stop):
        pass


def recorded(folder: Path) -> list[DecodedEvent]:
    async def read() -> list[DecodedEvent]:
        store = EventStore.open(folder / "data", AgentName("store-1"), OutboxSettings(), RealClock(), "test", None)
        rows = await store.read(0, 1000, 10**7)
        await store.close()
        return [decode_event(record.open) for record in rows.records] if rows else []

    return asyncio.run(read())


def types(events: list[DecodedEvent]) -> list[EventType]:
    return [event.event.type for event in events]


def test_help_teaches_the_way_to_a_running_gateway():
    shown = agent("--help")
    assert shown.returncode == 0
    for command in ("keygen", "check", "run", "status"):
        assert f"edge-agent {command}" in shown.stdout
        assert agent(command, "--help").returncode == 0


def test_keygen_makes_a_secret_and_a_public_file(folder: Path):
    done = agent("keygen", folder)
    assert done.returncode == 0, done.stderr
    secret, public = folder / "keys" / "agent.key", folder / "keys" / "agent.pub"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert parse_public(public.read_text(), "agent.pub").name == "store-1"
    assert "agents add store-1" in done.stdout


def test_who_looks_for_the_opc_ua_certificate_at_keygen_is_sent_on():
    assert "edge-agent opcua-certificate" in agent("keygen", "--help").stdout


def test_keygen_does_not_overwrite_unless_told(ready: Path):
    before = (ready / "keys" / "agent.key").read_text()
    again = agent("keygen", ready)
    assert again.returncode == 1
    assert "--replace" in again.stderr
    assert (ready / "keys" / "agent.key").read_text() == before
    assert agent("keygen", ready, "--replace").returncode == 0
    assert (ready / "keys" / "agent.key").read_text() != before


def test_a_certificate_for_opc_ua_servers_is_made_once_and_its_key_is_for_the_owner_alone(folder: Path):
    done = agent("opcua-certificate", folder, "--host", "10.0.0.9", "--host", "gateway")
    assert done.returncode == 0, done.stderr
    key, certificate = folder / "keys" / "opcua.key", folder / "keys" / "opcua.der"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    own = opcua_identity(certificate, key)
    assert own.uri == "urn:parksentry:edge-agent:store-1"
    names = own.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["gateway"]
    assert thumbprint(own.certificate) in done.stdout
    former = key.read_bytes()
    again = agent("opcua-certificate", folder)
    assert again.returncode == 1
    assert "--replace" in again.stderr
    assert key.read_bytes() == former
    assert agent("opcua-certificate", folder, "--replace").returncode == 0
    assert key.read_bytes() != former
    opcua_identity(certificate, key)


def test_a_certificate_needs_the_agents_name_and_a_host_in_ascii(folder: Path):
    refused = agent("opcua-certificate", folder, "--host", "网关")
    assert refused.returncode == 1
    assert "A-label" in refused.stderr
    assert not (folder / "keys" / "opcua.key").exists()
    (folder / "agent.toml").unlink()
    assert agent("opcua-certificate", folder).returncode == 2


def test_check_tells_what_was_understood(ready: Path):
    done = agent("check", ready)
    assert done.returncode == 0, done.stderr
    assert "configuration is good" in done.stdout
    assert "plc1" in done.stdout
    assert "detectors:" in done.stdout


def test_ten_mistakes_are_ten_errors_with_row_and_column_and_nothing_starts(ready: Path):
    (ready / "points.csv").write_text(
        "tag,source,device,register,address,type,unit,h,hh,deadband,poll_s,scale\n"
        "AT-1,s,plc9,holding,0,uint16,ppm,25,50,0,1,1\n"
        "AT-2,s,plc1,holdin,1,uint16,ppm,25,50,0,1,1\n"
        "AT-3,s,plc1,holding,70000,uint16,ppm,25,50,0,1,1\n"
        "AT-4,s,plc1,holding,3,uint61,ppm,25,50,0,1,1\n"
        "AT-5,s,plc1,holding,4,uint16,pmm,25,50,0,1,1\n"
        "AT-6,s,plc1,holding,5,uint16,ppm,60,50,0,1,1\n"
        "AT-7,s,plc1,holding,6,uint16,ppm,25,50,-1,1,1\n"
        "AT-8,s,plc1,holding,7,uint16,ppm,25,50,0,0,1\n"
        "AT-9,s,plc1,holding,8,uint16,ppm,25,50,0,1,0\n"
        "AT-9,s,plc1,holding,9,uint16,ppm,25,50,0,1,1\n"
    )
    for command in ("check", "run"):
        done = agent(command, ready)
        assert done.returncode == 2
        found = [line.split(":")[0] for line in done.stderr.splitlines() if line.startswith("points.csv")]
        columns = ("device", "register", "address", "type", "unit", "hh", "deadband", "poll_s", "scale", "tag")
        assert [line.split(", ")[1] for line in found] == [f"row {number}" for number in range(2, 12)]
        assert tuple(line.split(", ")[2] for line in found) == columns
        assert f"10 errors; nothing was {'changed' if command == 'check' else 'started'}" in done.stderr
    assert not (ready / "data").exists()


def test_a_start_and_a_stop_are_on_record_in_order(ready: Path):
    run_until(ready, "agent_running")
    status = agent("status", ready)
    assert status.returncode == 1
    assert "not running" in status.stdout
    found = recorded(ready)
    assert types(found)[:2] == [EventType.AGENT_START, EventType.CHECKPOINT]
    assert types(found)[-2:] == [EventType.AGENT_STOP, EventType.CHECKPOINT]
    assert found[-2].event.data["reason"] == "SIGTERM"


def test_a_kill_shows_at_the_next_start_and_a_changed_list_is_on_record(ready: Path):
    run_until(ready, "agent_running", signal.SIGKILL)
    (ready / "points.csv").write_text(POINTS_CSV.replace("25,50", "20,50"))
    run_until(ready, "agent_running")
    found = recorded(ready)
    starts = [event for event in found if event.event.type is EventType.AGENT_START]
    assert [event.event.data["unclean_stop"] for event in starts] == [False, True]
    assert [event.event.data["start_number"] for event in starts] == ["1", "2"]
    (changed,) = [event for event in found if event.event.type is EventType.CONFIG_CHANGE]
    assert changed.event.data == {
        "former": starts[0].origin.config_hash, "current": starts[1].origin.config_hash
    }  # fmt: skip
    assert [event.message.seq for event in found] == list(range(1, len(found) + 1))


def test_two_agents_cannot_share_a_folder(ready: Path):
    with (ready / "log.txt").open("w") as output:
        first = subprocess.Popen([sys.executable, "-m", "edge_agent.cli", "run", str(ready)], stderr=output)
        try:
            while "agent_running" not in (ready / "log.txt").read_text():
                assert first.poll() is None
                time.sleep(0.05)
            second = agent("run", ready)
            assert second.returncode == 1
            assert "edge-agent:" in second.stderr
            running = agent("status", ready, "--json")
            assert running.returncode == 0
            assert json.loads(running.stdout)["agent"] == "store-1"
        finally:
            first.terminate()
            first.wait(timeout=30)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_nobody_reads_any_more_is_no_fault_of_the_program(
    ready: Path, monkeypatch: pytest.MonkeyPatch, unbuffered: str
):
    """As with ``| head``."""
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "edge_agent.cli", "check", str(ready)]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_status_of_an_agent_that_never_ran_says_so(ready: Path):
    done = agent("status", ready)
    assert done.returncode == 1
    assert "never run" in done.stderr


def test_an_agent_that_starts_says_so_at_once_and_status_too(ready: Path):
    run_until(ready, "agent_running")
    log = (ready / "log.txt").read_text()
    assert log.index("agent_starting") < log.index("agent_running")
    still = subprocess.Popen([sys.executable, "-c", "input()", "edge-agent"], stdin=subprocess.PIPE)
    write_status(ready / "data", {**starting("store-1", time.time_ns()), "starting_pid": still.pid})
    assert f"store-1: starting (pid {still.pid}, for " in agent("status", ready).stdout
    still.communicate(b"\n", timeout=60)
    assert "not running; its last start did not come to its end" in agent("status", ready).stdout


def test_a_reload_says_what_changed_by_tag_and_counts_one_error_as_one(ready: Path):
    with running(ready):
        (ready / "points.csv").write_text(POINTS_CSV.replace("25,50", "20,50", 1))
        done = agent("reload", ready)
        assert done.stdout.splitlines() == ["connections begun anew: at 127.0.0.1:1", "  ~ AT-101: h 25 -> 20"]
        (ready / "points.csv").write_text(POINTS_CSV.replace("25,50", "x,50", 1))
        assert "1 error; the agent goes on" in agent("reload", ready).stderr


def test_ctrl_c_while_a_reload_is_waited_for_says_that_it_may_happen_all_the_same(ready: Path):
    (ready / "data").mkdir()
    with socket.socket(socket.AF_UNIX) as silent:  # an agent that takes its time
        silent.bind(str(ready / "data" / "control.sock"))
        silent.listen()
        silent.settimeout(60)
        command = [sys.executable, "-m", "edge_agent.cli", "reload", str(ready)]
        asking = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        accepted, _ = silent.accept()
        with accepted:
            assert accepted.recv(100)
            asking.send_signal(signal.SIGINT)
            _, said = asking.communicate(timeout=60)
    assert asking.returncode == 1
    assert "may take the folder on all the same" in said


def test_a_status_file_that_cannot_be_written_does_not_end_the_watch(ready: Path):
    """As on a full disk: a folder stands where the file belongs."""
    (ready / "data" / "status.json").mkdir(parents=True)
    run_until(ready, "agent_running")
    assert "status_not_written" in (ready / "log.txt").read_text()
    assert types(recorded(ready))[-2:] == [EventType.AGENT_STOP, EventType.CHECKPOINT]


def test_a_running_agent_answers_at_its_socket_what_it_does_now(ready: Path):
    with running(ready):
        status = json.loads(agent("status", ready, "--json").stdout)
        assert status["running"]
        assert status["written_wall_ns"] > time.time_ns() - 30 * NS_PER_S
        live = ask(ready / "data", {"ask": "live"})
    assert live["agent"] == "store-1"
    assert [(each["tag"], each["quality"]) for each in live["points"][:2]] == [
        ("plc1", "BAD_COMM_FAILURE"), ("AT-101", "BAD_COMM_FAILURE")
    ]  # fmt: skip
    stopped = json.loads(agent("status", ready, "--json").stdout)
    assert not stopped["running"]
    assert stopped["stopped"]
    assert [each["device"] for each in stopped["devices"]] == [each["device"] for each in status["devices"]]
    assert [each["name"] for each in stopped["destinations"]] == ["park"]
    assert stopped["uplink"].keys() == status["uplink"].keys() >= {"samples_sent", "bytes_sent"}


def test_an_agent_without_a_socket_runs_and_says_so(ready: Path):
    """A folder that is not empty stands where the socket belongs."""
    (ready / "data" / "control.sock" / "x").mkdir(parents=True)
    with running(ready):
        assert "no_control_socket" in (ready / "log.txt").read_text()
        assert json.loads(agent("status", ready, "--json").stdout)["running"]  # from its file
