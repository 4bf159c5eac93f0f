"""``edge-agent watch``: keys and drawing, and the command in a real terminal with a real agent."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys

import pexpect
import pytest
from textual.widgets import Static

from edge_agent.cli import main
from edge_agent.commissioning.watching.screen import Watch
from edge_agent.station.control import ControlError

GAS = {
    "tag": "AT-1", "unit": "ppm", "scale": 0.1, "range_low": 0, "range_high": 100, "h": 25, "hh": 60,
    "description": "H2S, pump bay",
}  # fmt: skip
LEVEL = {"tag": "LT-1", "unit": "%", "scale": 0.1, "range_low": 0, "range_high": 100}


class MadeUpAgent:
    def __init__(self, count=3):
        self.count = count
        self.trouble = ""
        self.now_s = 100.0
        self.asked = 0

    def tell(self, what):
        self.asked += 1
        if self.trouble:
            raise ControlError(self.trouble)
        if what == "live":
            return {"points": [self._point(number) for number in range(self.count)]}
        return {
            "agent": "gate", "software": "parksentry 0", "points": self.count, "clock": {"synchronised": True},
            "events_seq": 0, "storage_bytes": 0, "storage": {}, "destinations": [], "devices": [],
        }  # fmt: skip

    def _point(self, number):
        alarm = [{"kind": "high", "level": 2}] if number == 1 else []
        return {
            "tag": f"T-{number}", "org": "p/s", "device": "plc", "unit": "ppm", "description": "", "value": float(number),
            "quality": "BAD_STALE" if number == 2 else "GOOD", "age_s": 0.1, "time_ns": 0, "poll_s": 1.0, "conditions": alarm,
        }  # fmt: skip


def seen(app):
    """The lines on the screen."""
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


def play(agent, scenario, size=(80, 24)):
    async def run():
        app = Watch(agent.tell, lambda: agent.now_s)
        async with app.run_test(size=size) as pilot:
            await settled(app, pilot)
            await scenario(app, pilot)

    asyncio.run(run())


async def settled(app, pilot):
    """What was asked is answered and drawn."""
    await app.look()
    await app.workers.wait_for_complete()
    await pilot.pause()


def test_the_table_fits_80_columns_and_says_all_without_colour():
    async def scenario(app, pilot):
        lines = seen(app)
        assert len(lines) == 24
        assert max(map(len, lines)) <= 80
        assert [line.split() for line in lines if line.startswith("T-")] == [
            ["T-0", "0", "ppm", "GOOD", "0.1s", "-", "plc"],
            ["T-1", "1", "ppm", "GOOD", "0.1s", "HIGH", "2", "plc"],
            ["T-2", "?", "2", "ppm", "BAD", "STALE", "0.1s", "-", "plc"],
        ]

    play(MadeUpAgent(), scenario)


def test_an_agent_that_goes_away_is_said_values_are_marked_and_it_comes_back():
    agent = MadeUpAgent()

    async def scenario(app, pilot):
        agent.trouble = "no agent runs"
        agent.now_s += 30
        await settled(app, pilot)
        text = "\n".join(seen(app))
        assert "NO AGENT: no agent runs; trying again" in text
        assert "? 1" in text
        assert "NOT CONFIRMED" in text
        assert "30s" in text
        agent.trouble = ""
        await settled(app, pilot)
        assert "NO AGENT" not in "\n".join(seen(app))

    play(agent, scenario)


def tags(app):
    return [line.split()[0] for line in seen(app) if line.startswith("T-")]


def test_keys_choose_order_and_reverse():
    async def scenario(app, pilot):
        await pilot.press("a")
        assert tags(app) == ["T-1"]
        assert "ONLY ALARMS" in seen(app)[-1]
        await pilot.press("a", "b")
        assert tags(app) == ["T-2"]
        await pilot.press("b", "r")
        assert tags(app) == ["T-2", "T-1", "T-0"]
        await pilot.press("r", "s")
        assert tags(app) == ["T-1", "T-2", "T-0"]

    play(MadeUpAgent(), scenario)


def test_a_text_filters_while_it_is_typed_and_escape_shows_all():
    async def scenario(app, pilot):
        await pilot.press("slash", "t", "-", "1")
        assert tags(app) == ["T-1"]
        await pilot.press("enter", "b")
        assert tags(app) == []
        await pilot.press("b", "escape")
        assert len(tags(app)) == 3

    play(MadeUpAgent(), scenario)


def test_a_key_of_the_table_is_a_letter_while_a_text_is_typed():
    async def scenario(app, pilot):
        await pilot.press("slash", "q", "a")
        assert "ONLY 'qa'" in seen(app)[-1]

    play(MadeUpAgent(), scenario)


def test_paused_values_stand_still_and_grow_old():
    agent = MadeUpAgent()

    async def scenario(app, pilot):
        await pilot.press("p")
        asked = agent.asked
        agent.now_s += 60
        await settled(app, pilot)
        assert agent.asked == asked
        assert "PAUSED" in seen(app)[-1]
        assert "1m00s" in "\n".join(seen(app))
        await pilot.press("p")
        await settled(app, pilot)
        assert agent.asked > asked

    play(agent, scenario)


def test_help_opens_and_any_key_closes_it():
    async def scenario(app, pilot):
        await pilot.press("question_mark")
        lines = seen(app)
        assert "only what is bad" in "\n".join(lines)
        assert sum(line.endswith("│") for line in lines) > 10, "the frame is cut off"
        await pilot.press("x")
        assert "only what is bad" not in "\n".join(seen(app))

    play(MadeUpAgent(), scenario)


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (200, 60)])
def test_thousands_of_points_are_scrolled(size):
    async def scenario(app, pilot):
        await pilot.press("end")
        await pilot.pause()
        assert "T-4999" in tags(app)
        await pilot.press("home")
        await pilot.pause()
        assert tags(app)[0] == "T-0"
        assert app.query_one("#foot", Static).size.height == 1

    play(MadeUpAgent(5000), scenario, size)


@pytest.fixture
def station(new_station):
    station = new_station(GAS, LEVEL)
    station.start()
    return station


def test_in_a_real_terminal_it_shows_the_agent_its_alarm_and_its_end(station):
    env = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    command = ["-m", "edge_agent.cli", "watch", str(station.folder)]
    child = pexpect.spawn(sys.executable, command, dimensions=(24, 80), encoding="utf-8", timeout=60, env=env)
    try:
        child.expect("device plc ANSWERING")
        child.expect("AT-1")
        station.show("AT-1", 700)
        child.expect("HIGH 2")
        station.rig.command("plc", "stop_answering")
        child.expect("device plc SILENT")
        child.expect("BAD COMM FAILURE")
        station.program.stop()
        child.expect("NO AGENT")
        child.send("q")
        child.expect(pexpect.EOF)
        child.wait()
        assert child.exitstatus == 0
    finally:
        child.close(force=True)


def test_once_and_json_are_for_scripts(station, capsys):
    assert main(["watch", str(station.folder), "--once"]) == 0
    told = capsys.readouterr().out
    assert "device plc ANSWERING" in told
    assert "AT-1" in told
    assert "\x1b" not in told
    assert main(["watch", str(station.folder), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {each["tag"] for each in told["live"]["points"]} == {"AT-1", "LT-1", "plc"}
    assert told["status"]["agent"] == "gate"
    station.program.stop()
    assert main(["watch", str(station.folder), "--once"]) == 1
    assert f"start it with: edge-agent run {station.folder}\n" in capsys.readouterr().err


def test_without_a_terminal_it_says_what_works_there(tmp_path):
    (tmp_path / "agent.toml").write_text('[agent]\nname = "gate"\norganisation = "acme"\n[outbox]\n')
    command = [sys.executable, "-m", "edge_agent.cli", "watch", str(tmp_path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "--once" in done.stderr


def test_a_folder_that_is_none_is_wrong_input(tmp_path, capsys):
    assert main(["watch", str(tmp_path)]) == 2
    assert "agent.toml" in capsys.readouterr().err
