"""A head that was over its range and falls back: the condition stands, over a restart too, until somebody resets it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hil_tests.field import one_device, wait_for

DEVICE = "panel"
HEAD = "AT-701"

pytestmark = pytest.mark.timeout(120)


def test_only_a_person_at_the_gateway_ends_it_and_not_while_the_head_reads_too_much(open_field):
    field = open_field(one_device(DEVICE, [{"name": "head", "signal": {"kind": "constant", "value": 5}}]))
    points = [{"tag": HEAD, "register": "holding", "address": 0, "type": "uint16", "unit": "%LEL", "poll_s": 0.1,
               "range_low": 0, "range_high": 100}]  # fmt: skip
    agent = field.add_agent("gate", DEVICE, points)
    field.start()
    wait_for(lambda: "nothing to reset" in _reset(agent, HEAD), "the agent answers, and nothing stands")
    assert "no point" in _reset(agent, "AT-999")

    field.rig.command(DEVICE, "step", "head", 120)
    wait_for(lambda: _reported(field) == ["condition_on"], "the head is over its range")
    assert "still reads at or above" in _reset(agent, HEAD)
    field.rig.command(DEVICE, "step", "head", 3)
    agent.program.stop()
    agent.program.start()
    wait_for(lambda: "is on record" in _reset(agent, HEAD), "it is reset after the restart")
    wait_for(lambda: _reported(field) == ["condition_on", "condition_off"], "the control room knows that it was reset")
    assert "nothing to reset" in _reset(agent, HEAD)


def _reported(field) -> list[str]:
    events = (each for each in field.aggregator.events("gate") if each["data"].get("kind") == "over_range")
    return [each["type"] for each in events]


def _reset(agent, tag: str) -> str:
    command = [sys.executable, "-m", "edge_agent.cli", "reset", str(agent.folder), tag]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode == 0) == ("is on record" in done.stdout)
    return done.stdout + done.stderr
