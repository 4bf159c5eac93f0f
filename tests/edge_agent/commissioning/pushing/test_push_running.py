"""Pushes to gateways whose agents run: confirmed, rolled back, or cut off in the middle and repaired by the next push.

The gateway's command is a script around ours: it takes up a configuration by starting the agent anew, and it cuts the
connection before a command of which a test says so.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

MakeField = Callable[..., Any]
NEW = ("AT-1,tank,plc,holding,0,uint16,ppm,30", "AT-2,tank,plc,holding,1,uint16,ppm,25")
SCRIPT = """
import json, os, pathlib, signal, subprocess, sys, time
here = pathlib.Path(__file__).parent
verb = sys.argv[1]
agent = [sys.executable, "-m", "edge_agent.cli"]
cut = here / ("cut-" + verb)
if cut.exists():
    cut.unlink()
    os.kill(os.getppid(), signal.SIGKILL)
    sys.exit(1)
if verb != "reload":
    sys.exit(subprocess.call([*agent, *sys.argv[1:]]))
folder = sys.argv[2]
def status():
    said = subprocess.run([*agent, "status", folder, "--json"], capture_output=True, text=True).stdout
    return json.loads(said or "{}")
if subprocess.call([*agent, "check", folder], stdout=subprocess.DEVNULL):
    sys.exit(2)
former = status()["pid"]
os.kill(former, signal.SIGTERM)
while status()["running"]:
    time.sleep(0.1)
log = open(here / "agent.log", "ab")
subprocess.Popen([*agent, "run", folder], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
while status()["pid"] == former:
    time.sleep(0.1)
"""


@pytest.fixture
def running(make_field: MakeField, request: Any) -> Any:
    """Makes gateways whose agents run."""

    def make(*names: str) -> Any:
        field = make_field(*names)
        (field.path / "edge-agent.py").write_text(SCRIPT)
        for gateway in field.gateways.values():
            gateway.start_agent()
        for gateway in field.gateways.values():
            request.addfinalizer(partial(end_agent, gateway))
        return field

    return make


def end_agent(gateway: Any) -> None:
    status = gateway.site / "data" / "status.json"
    with suppress(ProcessLookupError, FileNotFoundError):
        os.kill(json.loads(status.read_text())["pid"], signal.SIGKILL)


def push(field: Any, *words: str) -> Any:
    return field.push("--yes", "--agent-command", f"{sys.executable} {field.path / 'edge-agent.py'}", *words)


def versions(gateway: Any) -> list[str]:
    return sorted(path.name for path in (gateway.site / "versions").iterdir())


def test_what_is_pushed_is_confirmed_and_pushing_it_again_changes_nothing(running: Any) -> None:
    field = running("gw1")
    field.change_points("gw1", *NEW)
    pushed = push(field)
    assert pushed.returncode == 0, pushed.stdout + pushed.stderr
    gateway = field.gateways["gw1"]
    assert "AT-2" in gateway.config()["points.csv"]
    assert "unconfirmed" not in versions(gateway)
    again = push(field)
    assert again.returncode == 0
    assert "unchanged" in again.stdout


def test_of_three_one_is_refused_by_its_own_check_one_is_rolled_back_and_one_is_done(running: Any) -> None:
    field = running("good", "refusing", "silent")
    for name in field.gateways:
        field.change_points(name, *NEW)
    (field.gateways["refusing"].site / "keys" / "aggregator.pub").write_text("no key")
    silent = field.folders / "silent" / "agent.toml"
    silent.write_text(
        silent.read_text() + '[[device]]\nname = "new"\ndriver = "modbus"\nhost = "127.0.0.1"\nport = 1\n'
    )
    field.change_points("silent", *NEW, "AT-3,tank,new,holding,0,uint16,ppm,25")
    before = {name: gateway.config() for name, gateway in field.gateways.items()}
    pushed = push(field)
    assert pushed.returncode == 1, pushed.stdout + pushed.stderr
    assert "good: done" in pushed.stdout
    assert "refusing: refused, nothing changed" in pushed.stdout
    assert "silent: rolled back: not confirmed within 10 s: new does not answer" in pushed.stdout
    assert field.gateways["good"].config() != before["good"]
    for name in ("refusing", "silent"):
        assert field.gateways[name].config() == before[name]
    assert "unconfirmed" not in versions(field.gateways["silent"])


@pytest.mark.parametrize("verb", ["check", "reload", "status"])
def test_a_lost_connection_leaves_a_whole_configuration_and_the_next_push_repairs(running: Any, verb: str) -> None:
    field = running("gw1")
    gateway = field.gateways["gw1"]
    field.change_points("gw1", *NEW)
    wanted = {name: (field.folders / "gw1" / name).read_text() for name in gateway.config()}
    old = gateway.config()
    Path(field.path / f"cut-{verb}").touch()
    cut = push(field)
    assert cut.returncode == 1
    assert "connection lost" in cut.stdout
    assert gateway.config() in (old, wanted)
    repaired = push(field)
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert gateway.config() == wanted
    assert "unconfirmed" not in versions(gateway)
