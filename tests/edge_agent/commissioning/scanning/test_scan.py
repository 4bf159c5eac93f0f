"""``edge-agent scan`` against a real socket: what is found, what is refused, and how it goes on."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from drivers.modbus.address import Table
from edge_agent.cli import main
from edge_agent.commissioning.scanning.record import Record
from edge_agent.commissioning.scanning.search import Plan


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
    assert "is of another scan: stride 1, now 3; give --state another file" in capsys.readouterr().err
    assert scan("--units", "1,4-5", "--addresses", "0-99") == 2
    assert "units 1, now 1 4 5, last 199, now 99;" in capsys.readouterr().err


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
    read = [row[-1].strip(' "') for row in rows]
    assert read == ["read 21.5", "read 7.25", "read 101.3", "read 215", "read 17"]
    assert ["float32" in row and "CDAB" in row for row in rows] == [True, True, True, False, False]


def test_a_draft_that_was_edited_is_not_written_over(device, scan, tmp_path, capsys):
    device.put(40, *range(1, 9))
    draft = tmp_path / "draft.csv"
    assert scan("--propose", draft, "--requests-max", "30") == 1
    assert scan("--propose", draft) == 0, "the scan's own draft grows with it"
    assert "H47" in (whole := draft.read_text())
    asked = len(device.asked)
    draft.write_text("tag\nTI-101\n")
    for again in ([], ["--again"]):
        assert scan("--propose", draft, *again) == 2
        assert f"{draft} exists. Give another name, or --replace" in capsys.readouterr().err
    assert (draft.read_text(), len(device.asked)) == ("tag\nTI-101\n", asked)
    assert scan("--propose", draft, "--replace") == 0
    assert (draft.read_text(), len(device.asked)) == (whole, asked), "nor was what had been found lost"


def test_what_a_stride_cannot_see_is_said(device, scan, capsys):
    device.put(100, 1, 2, 3, 4, 5)
    assert scan("--stride", "16", "--tables", "holding") == 0
    shown = capsys.readouterr().out
    assert "holding: none found of 200" in shown
    assert "27 of 200 addresses asked (where none was given every 16th), shorter runs are not seen: --stride 1" in shown
    assert scan("--stride", "16", "--tables", "holding", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["addresses"], found["stride"]) == (200, 16)
    assert found["units"]["1"]["tables"]["holding"]["asked"] == 27


def test_where_few_addresses_are_to_be_scanned_each_is_asked(device, scan, capsys):
    device.put(100, 1, 2, 3, 4, 5)
    assert scan("--tables", "holding") == 0
    shown = capsys.readouterr().out
    assert "holding: 5 readable of 200" in shown
    assert "addresses asked" not in shown
    assert scan("--again", "--tables", "holding", "--addresses", "0-599") == 0
    assert "every 16th" in capsys.readouterr().out


def test_two_scans_do_not_write_one_state_file(device, scan, tmp_path, capsys):
    with Record(tmp_path / "state.jsonl", "elsewhere:502", Plan((1,), (Table.COIL,), 0, 9, 1, 10)):
        for again in ([], ["--again"]):
            assert scan(*again) == 2
            assert "another scan writes" in capsys.readouterr().err
    assert device.asked == []
    assert scan() == 0


def test_files_that_cannot_be_written_are_told_in_words(device, scan, tmp_path, capsys):
    assert scan("--state", tmp_path) == 2
    assert f"{tmp_path}, which keeps what is found, cannot be written (Is a directory)" in capsys.readouterr().err
    assert scan("--propose", tmp_path / "none" / "draft.csv") == 2
    assert f"there is no folder {tmp_path / 'none'} for the draft" in capsys.readouterr().err
    assert device.asked == []
    assert scan("--propose", "/dev/full", "--replace") == 2
    told = capsys.readouterr()
    assert "/dev/full cannot be written (No space left on device). What was found is kept" in told.err
    assert "unit 1: answers" in told.out


@pytest.mark.parametrize("place", ["/holding:40", "/40041"])
def test_a_place_in_the_url_is_refused(device, port, place, tmp_path, capsys):
    url, more = f"tcp://127.0.0.1:{port}/1", ["--addresses", "0-3", "--state", str(tmp_path / "state.jsonl")]
    for where in ([url + place], [url, place[1:]]):
        assert main(["scan", *where, *more]) == 2
        assert f"{place[1:]} is one place, and a scan looks at ranges" in capsys.readouterr().err
    assert device.asked == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--units", "300"], "numbers of 0 to 255"),
        (["--tables", "hold"], "holding"),
        (["--addresses", "9-1"], "at most 0-65535"),
        (["--stride", "0"], "--stride 0 is too small. Give 1 or more"),
        (["--requests-max", "0"], "--requests-max 0 is too small. Give 1 or more"),
    ],
)
def test_what_is_typed_wrong_costs_no_request(device, scan, words, said, capsys):
    assert scan(*words) == 2
    assert said in capsys.readouterr().err
    assert device.asked == []


def test_a_state_file_that_was_cut_off_is_gone_on_with_and_a_broken_one_is_refused_in_words(
    device, scan, tmp_path, capsys
):
    state = tmp_path / "state.jsonl"
    device.put(0, *range(200))
    assert scan("--json") == 0
    whole, first, asked = state.read_bytes(), capsys.readouterr().out, len(device.asked)
    head, *lines = whole.splitlines(keepends=True)

    state.write_bytes(whole[:-3])
    assert scan("--json") == 0
    told = capsys.readouterr()
    assert "ended within a line, which is asked again" in told.err
    assert (told.out, len(device.asked), state.read_bytes()) == (first, asked + 1, whole)

    state.write_bytes(head[:-5])
    assert scan("--json") == 0
    told = capsys.readouterr()
    assert "cut off before it had said anything: beginning anew" in told.err
    assert (told.out, state.read_bytes()) == (first, whole)

    asked = len(device.asked)
    for broken, words in {
        head + b"".join([b"rubbish\n", *lines[1:]]): "line 2 is damaged",
        head + b"".join([*lines[:3], b'[1, "holding", 3, 4, [1, 2]]\n']): "line 5 is damaged",
        head + lines[1]: "line 2 does not fit this scan",
        whole + lines[-1]: "does not fit this scan",
        b"tag,source\n": "is no state file of a scan",
    }.items():
        state.write_bytes(broken)
        assert scan("--json") == 2
        assert words in (told := capsys.readouterr().err)
        assert "--again" in told
        assert state.read_bytes() == broken
    assert len(device.asked) == asked


def test_a_lower_limit_on_requests_than_were_made_asks_nothing_more(device, scan, capsys):
    device.put(0, *range(200))
    assert scan("--requests-max", "9") == 1
    asked = len(device.asked)
    assert scan("--requests-max", "4") == 1
    assert "--requests-max 4 is reached" in capsys.readouterr().err
    assert len(device.asked) == asked


def test_it_only_reads_asks_one_thing_at_a_time_and_rests_between(device, scan):
    for function in (1, 2, 3, 4):
        device.put(7, *[1] * 20, function=function)
    device.hold_s = 0.002
    tables = ["--tables", "holding,input,coil,discrete", "--addresses", "0-60", "--stride", "8"]
    assert scan(*tables, "--pause-ms", "8") == 0
    assert {function for _, function, *_ in device.asked} == {1, 2, 3, 4}
    assert device.overlaps == 0
    assert min(device.rests_s) >= 0.008


def test_a_serial_line_is_scanned_unit_by_unit(device, serial_port, tmp_path, capsys):
    device.units = {7}
    device.put(40, *range(30, 60), function=4)
    device.most = 10
    line = f"rtu://{serial_port}?baudrate=115200&parity=none"
    words = ["scan", line, "--units", "6-8", "--tables", "holding,input", "--addresses", "30-79", "--timeout-s", "0.2"]
    assert main([*words, "--pause-ms", "0", "--state", str(tmp_path / "state.jsonl"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["state"] for each in found["units"].values()] == ["does not answer", "answers", "does not answer"]
    table = found["units"]["7"]["tables"]["input"]
    assert (table["ranges"], table["length_max"]) == ([[40, 69]], 10)
    assert table["values"] == {str(40 + i): 30 + i for i in range(30)}
