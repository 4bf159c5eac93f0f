"""``edge-agent loopcheck`` in a real terminal, with a real agent and a device that shows what is applied."""

from __future__ import annotations

import csv
import sys

import pexpect
import pytest

from edge_agent.cli import main

GAS = {
    "tag": "AT-1", "unit": "ppm", "scale": 0.1, "range_low": 0, "range_high": 100, "h": 25, "hh": 60,
    "description": "H2S, pump bay",
}  # fmt: skip
LEVEL = {"tag": "LT-1", "unit": "%", "scale": 0.1, "range_low": 0, "range_high": 100}


@pytest.fixture
def station(new_station):
    station = new_station(GAS, LEVEL)
    station.start()
    return station


@pytest.fixture
def terminal(station):
    """``terminal("--by", "Li", ...)``: the command in a terminal of 80 columns."""
    opened = []

    def start(*arguments):
        command = ["-m", "edge_agent.cli", "loopcheck", str(station.folder), "--settle", "0.5", *arguments]
        child = pexpect.spawn(sys.executable, command, dimensions=(24, 80), encoding="utf-8", timeout=60)
        opened.append(child)
        return child

    yield start
    for child in opened:
        child.close(force=True)


def ended(child):
    child.expect(pexpect.EOF)
    child.wait()
    return child.before, child.exitstatus


def apply(station, child, tag, raw, typed=""):
    child.expect("reference .*: ")
    station.show(tag, raw)
    child.sendline(typed)


def test_a_whole_check_from_the_first_question_to_the_signed_sheet(station, terminal, capsys):
    config = (station.folder / "agent.toml").read_bytes(), (station.folder / "points.csv").read_bytes()
    child = terminal()
    child.expect("checked by: ")
    child.sendline("Li Wei")
    child.expect("witness .*: ")
    child.sendline("")
    child.expect(r"\[1/2\] AT-1  H2S, pump bay")
    child.expect("range 0 to 100 ppm; set-points H 25 .high 1., HH 60 .high 2.")
    apply(station, child, "AT-1", 0)
    child.expect(r"ok: seen 0 ppm")
    apply(station, child, "AT-1", 502)
    child.expect(r"ok: seen 50.2 ppm, deviation \+0.20 %, GOOD, alarm high 1")
    apply(station, child, "AT-1", 1000)
    child.expect("ok: .*alarm high 2")
    child.expect("reference .d.: ")
    child.sendline("")
    child.expect("remarks .*: ")
    child.sendline("=span gas")
    child.expect("AT-1: PASSED")
    apply(station, child, "LT-1", 300)
    child.expect("FAILED: seen 30 %, deviation .30.00 %, GOOD .u takes this back.")
    child.expect("reference .*: ")
    child.sendline("f wired to the wrong channel")
    child.expect("remarks .*: ")
    child.sendline("")
    said, status = ended(child)
    assert "1 passed, 1 failed, 0 skipped, 0 open" in said
    assert ", signed" in said.replace("\r\n", "")
    assert status == 1
    (sheet,) = (station.folder / "loopcheck").glob("*.csv")
    rows = [row for row in csv.reader(sheet.read_text("utf-8").splitlines()) if not row[0].startswith("#")]
    assert len(rows) == 1 + 4
    assert main(["loopcheck", str(station.folder), "--verify", str(sheet)]) == 0
    assert main(["loopcheck", str(station.folder), "--verify", sheet.name]) == 0  # as it was said, without its folder
    assert capsys.readouterr().out.count("good: whole, and signed by gate") == 2
    sheet.write_text(sheet.read_text("utf-8").replace("failed", "passed"), "utf-8")
    assert main(["loopcheck", str(station.folder), "--verify", str(sheet)]) == 1
    assert "CHANGED" in capsys.readouterr().out
    assert config == ((station.folder / "agent.toml").read_bytes(), (station.folder / "points.csv").read_bytes())


def test_it_goes_on_where_it_was_left(station, terminal):
    child = terminal("--by", "Li", "--witness", "")
    child.expect(r"\[1/2\] AT-1")
    child.expect("reference .*: ")
    child.sendline("s no gas on site")
    child.expect("remarks .*: ")
    child.sendline("")
    child.expect(r"\[2/2\] LT-1")
    child.expect("reference .*: ")
    child.sendline("q")
    said, status = ended(child)
    assert "0 passed, 0 failed, 1 skipped, 1 open" in said
    assert status == 1
    child = terminal("--by", "Li", "--witness", "")
    child.expect("2 points, 1 to check")
    child.expect(r"\[1/1\] LT-1")
    child.expect("reference .*: ")
    child.sendeof()
    assert "1 open" in ended(child)[0]
    child = terminal("--by", "Li", "--witness", "", "--again", "AT-1", "--match", "AT-*")
    child.expect(r"\[1/1\] AT-1")
    child.close(force=True)
    station.program.stop()
    points = station.folder / "points.csv"
    points.write_text(points.read_text().replace(",60,", ",70,"))
    station.start()
    child = terminal("--by", "Li", "--witness", "")
    child.expect("2 points, 2 to check")
    child.expect("open again: AT-1")


def test_a_device_that_falls_silent_gives_no_shot(station, terminal):
    child = terminal("--by", "Li", "--witness", "", "--match", "LT-1", "--wait", "4")
    child.expect("reference .*: ")
    station.rig.command("plc", "stop_answering")
    child.sendline("")
    child.expect("nothing was written down")
    child.expect("reference .0 %.: ")
    child.sendline("q")
    assert "1 open" in ended(child)[0]


def test_it_refuses_where_the_folder_is_not_what_the_agent_runs_on(station, capsys):
    points = station.folder / "points.csv"
    points.write_text(points.read_text().replace(",60,", ",70,"))
    assert main(["loopcheck", str(station.folder)]) == 1
    assert "is not what the agent runs on" in capsys.readouterr().err


def test_without_a_running_agent_it_says_what_to_do(new_station, capsys):
    station = new_station(LEVEL)
    assert main(["loopcheck", str(station.folder)]) == 1
    assert f"start it with: edge-agent run {station.folder}\n" in capsys.readouterr().err


def test_nothing_to_check_and_no_folder_are_wrong_input(station, capsys):
    assert main(["loopcheck"]) == 2
    assert main(["loopcheck", str(station.folder), "--match", "ZZ*"]) == 2
    assert "no point fits" in capsys.readouterr().err
    assert main(["loopcheck", str(station.folder), "--again", "XX"]) == 2
