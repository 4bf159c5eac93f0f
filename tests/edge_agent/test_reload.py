"""What a reload must stand that a park does not show: a stop in the midst of it, files that were renewed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from contract.keys import format_public, format_secret, generate
from edge_agent import app
from edge_agent.detect import engine
from edge_agent.settings.load import load
from edge_agent.station.control import ControlError, ask
from edge_agent.station.machine import RealClock
from edge_agent.station.status import read_status

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
OPCUA = """[[device]]
name = "plc2"
driver = "opcua"
endpoint = "opc.tcp://127.0.0.1:1"
username = "reader"
password_file = "keys/password"
"""
POINTS_CSV = """tag,source,device,register,address,type,unit,h,hh
AT-101,cl2-store,plc1,holding,0,uint16,ppm,25,50
"""
TIMEOUT_S = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "agent.toml").write_text(AGENT_TOML)
    (tmp_path / "points.csv").write_text(POINTS_CSV)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "aggregator.pub").write_text(format_public(generate("park").public))
    (tmp_path / "keys" / "agent.key").write_text(format_secret(generate("store-1")))
    (tmp_path / "keys" / "agent.key").chmod(0o600)
    return tmp_path


@contextmanager
def running(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log.txt").open("w") as output:
        process = subprocess.Popen([sys.executable, "-m", "edge_agent.cli", "run", str(folder)], stderr=output)
    try:
        wait_for((folder / "data" / "control.sock").exists, process, folder)
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(question: Callable[[], bool], process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + TIMEOUT_S
    while not question():
        assert process.poll() is None, (folder / "log.txt").read_text()
        assert time.monotonic() < until, (folder / "log.txt").read_text()
        time.sleep(0.02)


def reload(folder: Path) -> dict[str, Any]:
    return ask(folder / "data", {"ask": "reload"})


def test_a_renewed_password_file_connects_its_device_anew_and_no_other_and_once(folder: Path) -> None:
    (folder / "agent.toml").write_text(AGENT_TOML + OPCUA)
    (folder / "points.csv").write_text(
        POINTS_CSV.replace("\n", ",\n").replace("hh,", "hh,poll_s")
        + "TT-1,store,plc2,,nsu=urn:plc;s=T,float64,degC,,,1\n"
    )
    (folder / "keys" / "password").write_text("one")
    with running(folder):
        assert reload(folder)["outcome"] == "nothing changed"
        (folder / "keys" / "password").write_text("two")
        assert reload(folder)["outcome"] == "connections begun anew: device plc2"
        assert reload(folder)["outcome"] == "nothing changed"


def test_while_the_detectors_are_made_ready_the_status_file_says_that_the_agent_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[dict[str, Any] | None] = []
    monkeypatch.setattr(engine, "warm", lambda: said.append(read_status(folder / "data")))

    async def live() -> None:
        running = asyncio.create_task(app.Agent(load(folder), RealClock(), None).run())
        while not (folder / "data" / "control.sock").exists():
            assert not running.done()
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        await running

    asyncio.run(live())
    assert said[0] is not None
    assert (said[0]["agent"], said[0]["starting_pid"], said[0]["running"]) == ("store-1", os.getpid(), False)
    last = read_status(folder / "data")
    assert last is not None
    assert last["stopped"]
    assert "starting_pid" not in last


def test_a_stop_in_the_midst_of_a_reload_lets_it_come_to_its_end_first(folder: Path) -> None:
    with (
        running(folder) as process,
        closing(sqlite3.connect(folder / "data" / "events.db", isolation_level=None)) as disk,
    ):
        former = ask(folder / "data", {"ask": "status"})["config_hash"]
        (folder / "points.csv").write_text(POINTS_CSV.replace("25,50", "20,50"))
        disk.execute("BEGIN IMMEDIATE")  # the disk takes nothing: what is begun cannot be carried out yet
        asked = threading.Thread(target=ask_and_be_sent_away, args=[folder])
        asked.start()
        wait_for(lambda: "reload_begun" in (folder / "log.txt").read_text(), process, folder)
        process.send_signal(signal.SIGTERM)
        asked.join(TIMEOUT_S)
        disk.execute("ROLLBACK")
        assert process.wait(TIMEOUT_S) == 0
    found = [each for each in recorded(folder) if each["type"] in {"config_change", "agent_stop"}]
    assert [each["type"] for each in found] == ["config_change", "agent_stop"]
    assert found[0]["data"]["former"] == former
    assert found[1]["config_hash"] == found[0]["data"]["current"]


def boom(*_: object) -> None:
    raise RuntimeError("a defect")


def in_process(folder: Path, then: Callable[[asyncio.Task[None]], Awaitable[None]]) -> None:
    """The agent in this process, where a defect can be made; ``then`` is handed its task."""

    async def live() -> None:
        running = asyncio.create_task(app.Agent(load(folder), RealClock(), None).run())
        while not (folder / "data" / "control.sock").exists():
            assert not running.done()
            await asyncio.sleep(0.01)
        (folder / "points.csv").write_text(POINTS_CSV.replace("25,50", "20,50"))
        with pytest.raises(ControlError):
            await asyncio.to_thread(reload, folder)
        await then(running)

    asyncio.run(live())


def test_a_defect_before_the_first_change_costs_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def runs_on(running: asyncio.Task[None]) -> None:
        monkeypatch.undo()
        assert (await asyncio.to_thread(reload, folder))["outcome"].startswith("connections begun anew")
        os.kill(os.getpid(), signal.SIGTERM)
        await running

    monkeypatch.setattr(app, "load", boom)
    in_process(folder, runs_on)


def test_a_defect_in_the_midst_of_a_reload_ends_the_agent_instead_of_leaving_half_of_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ends(running: asyncio.Task[None]) -> None:
        with pytest.raises(RuntimeError, match="a defect"):
            await running

    monkeypatch.setattr(app, "transfer", boom)
    in_process(folder, ends)


def ask_and_be_sent_away(folder: Path) -> None:
    with pytest.raises(ControlError):
        reload(folder)


def recorded(folder: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(folder / "data" / "events.db")) as db:
        return [json.loads(text) for (text,) in db.execute("SELECT open FROM events ORDER BY seq")]
