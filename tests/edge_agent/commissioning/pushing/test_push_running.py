"""Pushes to gateways whose agents run: confirmed, rolled back, or cut off in the middle and repaired by the next push.

The gateways and their agents are there once for all tests; each test takes them as they are and pushes what they have not yet.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from hil_tests.field import one_device
from hil_tests.rig.rig import Rig

MakeField = Callable[..., Any]
DEVICE = '[[device]]\nname = "new"\ndriver = "modbus"\nhost = "127.0.0.1"\nport = 1\n'
CUTTING = f"""#!/bin/sh
# edge-agent, but for what a test has laid beside it: the connection ends before or after one command.
here=$(dirname "$2")
cut() {{ if [ -e "$here/cut-$1" ]; then rm "$here/cut-$1"; kill -9 $PPID; exit 1; fi; }}
cut before-$1
{sys.executable} -m edge_agent.cli "$@"
status=$?
cut after-$1
exit $status
"""


@pytest.fixture(scope="module")
def field(make_field: MakeField, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Three gateways whose agents run, and one whose agent does not."""
    registers = [{"name": f"R{address}", "signal": {"kind": "constant", "value": 7}} for address in range(4)]
    with Rig(one_device("plc", registers), tmp_path_factory.mktemp("rig")) as rig:
        made = make_field("gw1", "gw2", "gw3", "idle", device_port=rig.ports["plc"])
        cutting = made.path / "edge-agent"
        cutting.write_text(CUTTING)
        cutting.chmod(0o755)
        running = [made.gateways[name] for name in ("gw1", "gw2", "gw3")]
        for gateway in running:
            gateway.agent.start()
        for gateway in running:
            gateway.wait_until_running()
        yield made
        for gateway in running:
            gateway.agent.kill()


@pytest.fixture
def push(field: Any) -> Callable[..., Any]:
    """``push("gw1", "gw2", words=("--confirm-s", "2"))``: unasked, through the command that can be cut."""

    def push(*hosts: str, words: tuple[str, ...] = ()) -> Any:
        return field.push("--yes", "--agent-command", str(field.path / "edge-agent"), *words, hosts=hosts)

    return push


@pytest.fixture
def change(field: Any) -> Callable[..., None]:
    """Lays out a folder that is the gateway's present one, but for one set-point that no push has brought yet."""
    numbers = iter(range(100, 1000))

    def change(name: str, settings: str = "", row: str = "") -> None:
        gateway, folder = field.gateways[name], field.folders / name
        settings = (gateway.site / "agent.toml").read_text() + settings
        level = next(each for each in numbers if f"ppm,{each}\n" not in (gateway.site / "points.csv").read_text())
        field.change_points(name, f"AT-1,tank,plc,holding,0,uint16,ppm,{level}", *([row] if row else []))
        (folder / "agent.toml").write_text(settings)

    return change


def wanted(field: Any, name: str) -> dict[str, str]:
    return {each: (field.folders / name / each).read_text() for each in ("agent.toml", "points.csv")}


def test_of_three_one_is_refused_by_its_own_check_one_by_its_agent_and_one_is_done(
    field: Any, push: Callable[..., Any], change: Callable[..., None]
) -> None:
    for name in ("gw1", "gw2", "gw3"):
        change(name)
    control_room = field.gateways["gw2"].site / "keys" / "aggregator.pub"
    key = control_room.read_text()
    control_room.write_text("no key")
    settings = field.folders / "gw3" / "agent.toml"
    settings.write_text(settings.read_text().replace('organisation = "acme"', 'organisation = "other"'))
    before = {name: gateway.config() for name, gateway in field.gateways.items()}
    pushed = push("gw1", "gw2", "gw3")
    control_room.write_text(key)
    assert pushed.returncode == 1, pushed.stdout + pushed.stderr
    assert "gw1: done" in pushed.stdout
    assert "gw2: refused, nothing changed" in pushed.stdout
    assert "gw3: rolled back: its edge-agent reload says:" in pushed.stdout
    assert "cannot change while the agent runs" in pushed.stdout
    assert field.gateways["gw1"].config() == wanted(field, "gw1")
    for name in ("gw2", "gw3"):
        assert field.gateways[name].config() == before[name]
    assert "unconfirmed" not in field.gateways["gw3"].versions()
    again = push("gw1")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "gw1: unchanged" in again.stdout


def test_what_is_not_confirmed_is_rolled_back_and_polled_as_before(
    field: Any, push: Callable[..., Any], change: Callable[..., None]
) -> None:
    """The device that answers is left as it is, so the former configuration is confirmed as soon as it is back."""
    gateway = field.gateways["gw3"]
    (field.folders / "gw3" / "agent.toml").write_text((gateway.site / "agent.toml").read_text() + DEVICE)
    points = (gateway.site / "points.csv").read_text()
    (field.folders / "gw3" / "points.csv").write_text(points + "AT-3,tank,new,holding,0,uint16,ppm,25\n")
    before = gateway.config()
    pushed = push("gw3", words=("--confirm-s", "1"))
    assert pushed.returncode == 1, pushed.stdout + pushed.stderr
    assert "gw3: rolled back: not confirmed within 1 s: new does not answer" in pushed.stdout
    assert gateway.config() == before
    assert "unconfirmed" not in gateway.versions()


def test_a_connection_lost_around_the_reload_is_repaired_by_the_next_push(
    field: Any, push: Callable[..., Any], change: Callable[..., None]
) -> None:
    for name, where in (("gw1", "before-reload"), ("gw2", "after-reload")):
        change(name)
        (field.gateways[name].path / f"cut-{where}").touch()
    cut = push("gw1", "gw2")
    assert cut.returncode == 1
    for name in ("gw1", "gw2"):
        assert f"{name}: connection lost" in cut.stdout
        assert field.gateways[name].config() == wanted(field, name)
        assert "unconfirmed" in field.gateways[name].versions()
    repaired = push("gw1", "gw2")
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    for name in ("gw1", "gw2"):
        assert f"{name}: done" in repaired.stdout
        assert "unconfirmed" not in field.gateways[name].versions()


def test_an_agent_that_does_not_run_is_started_where_that_is_asked_for(
    field: Any, push: Callable[..., Any], change: Callable[..., None]
) -> None:
    gateway = field.gateways["idle"]
    change("idle")
    start = f"{sys.executable} -m edge_agent.cli run {gateway.site} > {gateway.path}/agent.log 2>&1 < /dev/null &"
    try:
        pushed = push("idle", words=("--start", start))
        assert pushed.returncode == 0, pushed.stdout + pushed.stderr
        assert "idle: done" in pushed.stdout
        assert gateway.config() == wanted(field, "idle")
    finally:
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(json.loads((gateway.site / "data" / "status.json").read_text())["pid"], signal.SIGKILL)
