"""``edge-agent try`` as an engineer meets it: real sockets, a serial line, a terminal."""

from __future__ import annotations

import csv
import json
import socket
import struct
import sys
from pathlib import Path

import pexpect
import pytest

from edge_agent.cli import main

AGENT_TOML = """
[agent]
name = "store-1"
organisation = "acme"
[[destination]]
name = "park"
endpoints = ["tcp://127.0.0.1:1"]
[[device]]
name = "plc-1"
driver = "modbus"
host = "127.0.0.1"
port = {port}
"""
POINTS_CSV = """\
# The tank farm's own list; ask Li before you change it.
tag;source;device;register;address;type;unit;range_low;range_high;h
LT-201;tank-1;plc-1;holding;0;uint16;m;0;12;10
# The one below is new.
LT-202;tank-1;plc-1;holding;40;uint16;m;0;100;
"""
WORDS = struct.unpack(">2H", struct.pack(">f", 21.5))[::-1]


@pytest.fixture
def folder(tmp_path: Path, port: int) -> Path:
    (tmp_path / "agent.toml").write_text(AGENT_TOML.format(port=port))
    (tmp_path / "points.csv").write_text(POINTS_CSV)
    return tmp_path


def run(*arguments: object) -> int:
    return main(["try", *map(str, arguments)])


def test_every_decoding_stands_beside_the_registers(device, port, capsys):
    device.put(40, *WORDS, 7, 8)
    assert run(f"tcp://127.0.0.1:{port}/1/holding:40", "--range", "0..100") == 0
    shown = capsys.readouterr().out
    assert "in a manual: 40041" in shown
    assert "0000    41AC    0007    0008" in shown
    (first,) = [line for line in shown.splitlines() if line.startswith("*")][:1]
    assert first.split()[2:4] == ["float32/CDAB", "21.5"]
    assert "in range" in first


def test_a_place_of_one_register_is_read_by_less_than_four(device, port, capsys):
    device.put(40, 215)
    assert run(f"127.0.0.1:{port}", "40041", "--expect", "21.5", "--json") == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert found["words"] == [215]
    assert found["decodings"][0]["name"] == "uint16*0.1"
    assert "40041 of a manual is taken as holding:40" in told.err
    assert [count for *_, count in device.asked] == [4, 2, 1]


def test_a_bit_and_a_coil_are_read_as_such(device, port, capsys):
    device.put(12, 1, function=1)
    device.put(7, 0b1000)
    assert run(f"tcp://127.0.0.1:{port}", "coil:12") == 0
    assert run(f"tcp://127.0.0.1:{port}", "holding:7.3") == 0
    assert "of which bit 3 is 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, ["illegal function", "input:40"]),
        (2, ["illegal data address", "holding:39 or holding:41", "input:40", "40041"]),
        (4, ["device failure"]),
        (11, ["gateway", "scan --units"]),
    ],
)
def test_an_exception_is_told_in_words_with_what_to_try_next(device, port, capsys, code, words):
    device.code = code
    assert run(f"tcp://127.0.0.1:{port}", "holding:40") == 1
    told = capsys.readouterr().err
    assert [word for word in words if word not in told] == []


def test_silence_a_closed_port_and_another_protocol_are_told_apart(device, port, capsys):
    device.mute = True
    assert run(f"tcp://127.0.0.1:{port}", "holding:40", "--timeout-s", "0.2") == 1
    assert "try --unit 1, 255 or 0" in capsys.readouterr().err
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert run(f"tcp://127.0.0.1:{unused.getsockname()[1]}", "holding:40") == 1
    assert "nothing listens" in capsys.readouterr().err
    assert run("rtu:///dev/no-such-port", "holding:40") == 1
    assert "there is no /dev/no-such-port" in capsys.readouterr().err


def test_what_is_typed_wrong_costs_no_request(device, port, folder, capsys):
    for words in (
        ["tcp://h"], ["udp://h", "holding:1"], [folder, "plc-9", "holding:1"], [folder, "LT-2O2"], [folder],
        [f"tcp://127.0.0.1:{port}", "holding:1", "--range", "100..0"], ["nowhere", "plc-1", "holding:1"],
    ):  # fmt: skip
        assert run(*words) == 2
        assert capsys.readouterr().err
    assert device.asked == []


def test_a_serial_line_is_read(device, serial_port, capsys):
    device.units = {7}
    device.put(40, *WORDS, 7, 8, function=4)
    device.most = 2
    assert run(serial_port, "input:40", "--baudrate", "19200", "--unit", "7", "--expect", "21.5") == 0
    assert "float32/CDAB" in capsys.readouterr().out


def test_reads_in_a_row_tell_what_changes_smoothly(device, port, capsys):
    numbers = iter([21.5, 21.53, 21.55])
    original = device.answer

    def answer(unit, pdu):
        device.put(40, *struct.unpack(">2H", struct.pack(">f", next(numbers))))
        return original(unit, pdu)

    device.answer = answer
    device.put(42, 0, 0)
    assert run(f"tcp://127.0.0.1:{port}", "holding:40", "--reads", "3", "--every-s", "0.01", "--json") == 0
    best = json.loads(capsys.readouterr().out)["decodings"][0]
    assert (best["name"], "changes little between reads" in best["reasons"]) == ("float32", True)


def test_accepting_changes_the_row_alone_and_shows_the_difference(device, folder, capsys):
    device.put(40, *WORDS, 0, 0)
    assert run(folder, "LT-202", "--expect", "21.5", "--accept", "float32/CDAB", "--dry-run") == 0
    assert (folder / "points.csv").read_text() == POINTS_CSV
    assert run(folder, "LT-202", "--expect", "21.5", "--accept", "float32/CDAB") == 0
    told = capsys.readouterr().out
    assert "row 5, LT-202" in told
    assert "type: uint16 -> float32" in told
    assert "word_order: empty -> CDAB" in told
    lines = (folder / "points.csv").read_text().splitlines()
    before = POINTS_CSV.splitlines()
    assert [lines[i] for i in (0, 2, 3)] == [before[i] for i in (0, 2, 3)]
    assert lines[1] == before[1] + ";word_order"
    assert lines[4] == "LT-202;tank-1;plc-1;holding;40;float32;m;0;100;;CDAB"


def test_accepting_adds_a_row_for_a_new_tag(device, port, folder, capsys):
    device.put(50, 215)
    arguments = [f"tcp://127.0.0.1:{port}/1", "holding:50", "--accept", "2", "--folder", folder, "--tag", "TT-301"]
    assert run(*arguments) == 2, "the row needs a source"
    assert (folder / "points.csv").read_text() == POINTS_CSV
    assert run(*arguments, "--source", "tank-1", "--unit-of-measure", "degC") == 0
    lines = (folder / "points.csv").read_text().splitlines()
    rows = list(csv.DictReader((each for each in lines if not each.startswith("#")), delimiter=";"))
    new = {key: text for key, text in rows[-1].items() if text}
    assert new == {
        "tag": "TT-301", "source": "tank-1", "device": "plc-1", "register": "holding", "address": "50",
        "type": "uint16", "unit": "degC", "scale": "0.1",
    }  # fmt: skip


def test_the_raw_number_of_an_analog_card_is_found_by_range_and_display_and_written_with_its_scale(
    device, folder, capsys
):
    device.put(40, 16_589, 0, 0, 0)
    assert run(folder, "LT-202", "--expect", "50", "--json") == 0
    best, *others = json.loads(capsys.readouterr().out)["decodings"]
    assert (best["name"], best["value"]) == ("int16:5530..27648", pytest.approx(50))
    assert [each["name"] for each in others if each["plausible"]] == []
    assert run(folder, "LT-202", "--expect", "50", "--accept", "int16:5530..27648") == 0
    told = capsys.readouterr().out
    assert "type: uint16 -> int16" in told
    assert "scale: empty -> 0.0045212044" in told
    assert "offset: empty -> -25.00226" in told


def test_a_row_that_an_agent_would_not_take_is_refused_before_anything_is_written(device, folder, capsys):
    device.put(40, *WORDS, 0, 0)
    assert run(folder, "LT-202", "--accept", "float32/CDAB", "--unit-of-measure", "metre") == 2
    assert "unknown unit 'metre'" in capsys.readouterr().err
    assert (folder / "points.csv").read_text() == POINTS_CSV


def test_a_terminal_is_refreshed_until_a_key_and_asked_which_one(device, folder):
    device.put(40, *WORDS, 0, 0)
    arguments = ["-m", "edge_agent.cli", "try", str(folder), "LT-202", "--expect", "21.5", "--every-s", "0.1"]
    child = pexpect.spawn(sys.executable, arguments, encoding="utf-8", timeout=30, dimensions=(50, 160))
    try:
        child.expect("float32/CDAB")
        child.expect("read 2")
        child.expect("any key ends")
        child.send("x")
        child.expect("which one\\?")
        child.sendline("float32/CDAB")
        child.expect("type: uint16 -> float32")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    assert child.exitstatus == 0
    assert "float32" in (folder / "points.csv").read_text()
