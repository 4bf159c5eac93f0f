"""A running agent with a device of the rig, and no control room: what is asked on site is asked without one. A device of the tests'
own for commands that need no agent."""

from __future__ import annotations

import json

import pytest

from contract.keys import format_public, format_secret, generate
from edge_agent.station.control import ControlError, ask
from hil_tests.field import one_device, wait_for, write_agent_file, write_points
from hil_tests.processes import Program
from hil_tests.rig.rig import Rig
from naive.modbus_device import Device, on_a_line, on_tcp

START_S = 90.0
"""The first agent on a machine compiles its detectors."""


class Station:
    """``rig`` plays the device ``plc``; ``folder`` is the agent's. ``show(tag, raw)`` sets a register."""

    def __init__(self, home, points):
        registers = [{"name": each["tag"], "signal": {"kind": "constant", "value": 0}} for each in points]
        self.rig = Rig(one_device("plc", registers), home / "rig")
        self.folder = home / "site"
        self.points = points
        self.program = Program("gate", "edge_agent.cli", ("run", str(self.folder)), home / "agent.log")

    def __enter__(self):
        self.rig.start()
        self.folder.mkdir()
        device = {"name": "plc", "driver": "modbus", "host": "127.0.0.1", "port": self.rig.ports["plc"]}
        destination = {"name": "park", "endpoints": ["tcp://127.0.0.1:9"]}
        write_agent_file(self.folder / "agent.toml", "gate", destination, device, {})
        rows = [
            {"register": "holding", "address": 2 * place, "type": "uint16", "poll_s": 0.1, **each}
            for place, each in enumerate(self.points)
        ]
        write_points(self.folder / "points.csv", "plc", rows)
        self._write_keys()
        return self

    def __exit__(self, *_):
        self.program.stop()
        self.rig.stop()

    def start(self):
        """Returns when the agent answers and has seen its device."""
        self.program.start()
        wait_for(self._is_up, "the agent answers", START_S, of=[self.program])

    def _is_up(self):
        try:
            points = self.live()["points"]
        except ControlError:
            return False
        return all(each["quality"] == "GOOD" for each in points)

    def live(self):
        return ask(self.folder / "data", {"ask": "live"})

    def show(self, tag, raw):
        self.rig.command("plc", "step", tag, raw)

    def _write_keys(self):
        keys = self.folder / "keys"
        keys.mkdir()
        own = generate("gate")
        (keys / "agent.key").write_text(format_secret(own))
        (keys / "agent.key").chmod(0o600)
        (keys / "agent.pub").write_text(format_public(own.public))
        (keys / "aggregator.pub").write_text(format_public(generate("room").public))

    def __repr__(self):
        return json.dumps(self.points)


@pytest.fixture
def new_station(tmp_path):
    """``new_station({"tag": ..., ...}, ...)``: a station whose agent does not run yet; it ends with the test."""
    stations = []

    def make(*points):
        station = Station(tmp_path, points)
        stations.append(station)
        return station.__enter__()

    yield make
    for station in stations:
        station.__exit__()


@pytest.fixture
def device():
    return Device()


@pytest.fixture
def port(device):
    """Where the device listens on 127.0.0.1."""
    with on_tcp(device) as port:
        yield port


@pytest.fixture
def serial_port(device):
    """The terminal behind which the device speaks RTU."""
    with on_a_line(device) as path:
        yield path
