"""``edge-agent scan`` against a real socket: what is found, what is refused, and how it goes on."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from edge_agent.cli import main


@pytest.fixture
def scan(port, tmp_path: Path):
    def run(*more: object) -> int:
        words = ["scan", f"tcp://127.0.0.1:{port}/1", "--pause-ms", "0", "--state", tmp_path / "state.jsonl"]
        return main([str(each) for each in [*words, "--tables", "holding,input", "--addresses", "0-199", *more]])

    return run


def test_ranges_limits_and_absent_tables_are_told(device, scan, capsys):
    device.put(10, *range(100, 200))
    device.put(120, 0, 0, 0)
    device.most = 20
    assert scan("--stride", "1") == 0
    shown = capsys.readouterr().out
    assert "10..109: 0 zero, 10=100" in shown
    assert "120..122: all zero" in shown
    assert "max_registers = 20" in shown
    assert {function for _, function, *_ in device.asked} == {3, 4}


def test_an_interrupted_scan_goes_on_without_asking_twice(device, scan, capsys):
    device.put(0, *range(200))
    device.put(0, *range(200), function=4)
    assert scan("--json") == 0
    whole = json.loads(capsys.readouterr().out)
    asked = len(device.asked)
    assert scan("--again", "--requests-max", "5") == 1
    assert "goes on there" in capsys.readouterr().err
    assert scan("--json") == 0
    told = capsys.readouterr()
    assert "5 requests are done" in told.err
    assert json.loads(told.out) == whole
    assert len(device.asked) == 2 * asked
    assert scan("--json") == 0
    assert len(device.asked) == 2 * asked, "a finished scan asks nothing"
    assert scan("--stride", "3") == 2
    assert "of another scan" in capsys.readouterr().err


def test_units_that_are_not_to_be_scanned_are_refused_without_a_permit(device, scan, port, tmp_path, capsys):
    device.put(0, 1)
    listed = tmp_path / "no-scan.toml"
    listed.write_text(f'[[unit]]\nat = "127.0.0.1:{port}"\nunits = [1]\nwhy = "burner management"\n')
    assert scan("--no-scan", listed) == 2
    assert "burner management" in capsys.readouterr().err
    assert device.asked == []
    assert scan("--no-scan", listed, "--permit", "1") == 0
    listed.write_text("[[unit]]\nunits = 1\n")
    assert scan("--no-scan", listed, "--permit", "1") == 2


def test_silent_units_are_told_apart_from_those_that_answer(device, scan, capsys):
    device.units = {2}
    device.put(0, 5)
    assert scan("--units", "1-2", "--timeout-s", "0.1", "--addresses", "0-3") == 0
    shown = capsys.readouterr().out
    assert "unit 1: does not answer" in shown
    assert "unit 2: answers" in shown


def test_proposals_are_marked_as_such_and_guess_floats(device, scan, tmp_path):
    words = [word for number in (21.5, 7.25, 101.3) for word in struct.unpack(">2H", struct.pack(">f", number))[::-1]]
    device.put(40, *words, 215, 0, 17)
    draft = tmp_path / "draft.csv"
    assert scan("--stride", "1", "--propose", draft) == 0
    text = draft.read_text()
    assert text.startswith("# PROPOSALS")
    rows = [line.split(",") for line in text.splitlines() if line.startswith("H")]
    assert [row[0] for row in rows] == ["H40", "H42", "H44", "H46", "H48"]
    assert ["float32" in row and "CDAB" in row for row in rows] == [True, True, True, False, False]


@pytest.mark.parametrize("words", [["--units", "300"], ["--tables", "hold"], ["--addresses", "9-1"], ["--stride", "0"]])
def test_what_is_typed_wrong_costs_no_request(device, scan, words):
    assert scan(*words) == 2
    assert device.asked == []
