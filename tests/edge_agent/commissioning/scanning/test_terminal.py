"""``edge-agent scan`` in a terminal: it says where it is, stops at Ctrl-C, goes on, and warns of an agent that asks the same device."""

from __future__ import annotations

import json
import re
import sys

import pexpect
import pytest

from edge_agent.cli import main


@pytest.fixture
def in_terminal():
    """``in_terminal("scan", ...)``: the command in a terminal of 100 columns; it ends with the test."""
    children = []

    def start(*words: object) -> pexpect.spawn:
        arguments = ["-m", "edge_agent.cli", *map(str, words)]
        child = pexpect.spawn(sys.executable, arguments, encoding="utf-8", timeout=60, dimensions=(30, 100))
        children.append(child)
        return child

    yield start
    for child in children:
        child.close(force=True)


def test_it_says_where_it_is_stops_at_ctrl_c_and_goes_on(device, port, in_terminal, tmp_path, capsys):
    device.put(0, *range(0, 2000, 2))
    words = ["scan", f"tcp://127.0.0.1:{port}/1", "--tables", "holding", "--addresses", "0-1999", "--stride", "1"]
    state = tmp_path / "state.jsonl"
    child = in_terminal(*words, "--state", state, "--pause-ms", "20")
    child.expect(re.compile(r"unit 1, holding \d+ of 1999: \d+ requests, at most [1-9]\d* (min|s) more"))
    child.sendintr()
    child.expect(re.compile(r"\d+ requests, NOT FINISHED"))
    child.expect(re.compile(r"stopped; .* has what was found, the same command goes\s+on there"))
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 1
    before = len(device.asked)
    assert 0 < before < 1000

    assert main([*words, "--state", str(state), "--pause-ms", "0", "--json"]) == 0
    told = capsys.readouterr()
    assert "requests are done" in told.err
    found = json.loads(told.out)
    assert found["complete"]
    assert found["units"]["1"]["tables"]["holding"]["ranges"] == [[0, 999]]
    assert found["requests"] <= len(device.asked) <= found["requests"] + 1, (
        "at most the one that was under way is asked again"
    )


def test_it_warns_of_an_agent_that_asks_the_same_device(new_station, in_terminal, tmp_path):
    station = new_station({"tag": "LT-1", "source": "tank", "unit": "m", "range_low": 0, "range_high": 12})
    station.start()
    where = f"tcp://127.0.0.1:{station.rig.ports['plc']}"
    scan = in_terminal("scan", where, "--state", tmp_path / "state.jsonl", "--addresses", "0-9", "--tables", "holding")
    scan.expect("WARNING: the agent of")
    scan.expect(re.escape(str(station.program.pid)))
    scan.expect("its polling may be late meanwhile")
    scan.expect(re.compile(r"holding: \d+ readable of 10"))
    scan.expect(pexpect.EOF)
