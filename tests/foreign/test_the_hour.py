"""An unknown device and a plant's list become values in the control room: every command of docs/how-to/the-first-hour.md, typed.

The device is made of libmodbus; agent and aggregator are real. What the terminal shows is the transcript in the guide, which is held
against it but for numbers that differ from run to run; ``make hour`` writes it anew.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pexpect
import pytest

from contract.quality import Quality
from hil_tests.field import FieldAggregator, wait_for
from hil_tests.processes import Program
from hil_tests.rig.ports import reserve

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "how-to" / "the-first-hour.md"
LEVEL_M, PRESSURE_MPA, LEVEL, PRESSURE, TEMPERATURE = 7.25, 1.35, 100, 102, 105
RAW_50_PCT = 13_824
RAW = (0, RAW_50_PCT, 27_648)
"""Of an analog card, at 0, 50 and about 100 % of the range."""
START_S = 60.0
TAGS = ("LT-101", "PT-102", "TT-105")
PROMPT = r"number[^\n]* \[[^]\n]*\]: "
BLOCK = re.compile(r"^```console\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
AGENT_TOML = """\
[agent]
name = "site-a"
organisation = "acme"

[[destination]]
name = "park"
endpoints = ["{endpoint}"]

[[device]]
name = "plc-1"
driver = "modbus"
host = "127.0.0.1"
port = {port}
"""
LIST = """\
位号,名称,区域,控制器,寄存器地址,数据类型,单位,量程,高报,高高报
PT-102,储罐压力,tank-1,plc-1,40103,FLOAT,MPa,0~2.5,1.6,2.0
TT-105,储罐温度,tank-1,plc-1,40106,INT,℃,0~100,60,80
"""

MACHINES_OWN = re.compile(r"clock is not synchronised| {4}-?[0-9.]+ \S+ [A-Z_]+")
"""Lines: of `status`, and of readings while `loopcheck` waits."""

Answer = tuple[Any, ...]
"""A question (a pattern), what is typed, and what is done before."""


class Session:
    """Commands typed in a terminal of 160 columns, with what it showed."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.shown: list[tuple[str, str]] = []

    def type(self, command: str, *answers: Answer) -> str:
        """Type it, give each answer when its question stands there, and wait for its end; what the terminal showed."""
        module = {"edge-agent": "edge_agent.cli", "aggregator": "aggregator.cli"}[command.split(maxsplit=1)[0]]
        words = re.findall(r"'[^']*'|\S+", command)[1:]
        child = pexpect.spawn(
            sys.executable, ["-m", module, *(word.strip("'") for word in words)],
            cwd=str(self._home), dimensions=(60, 160), encoding="utf-8", timeout=30,
        )  # fmt: skip
        with closing(child):
            text = ""
            for question, answer, *before in answers:
                child.expect(question)
                text += f"{child.before}{child.after}"
                for act in before:
                    act()
                child.sendline(answer)
            child.expect(pexpect.EOF)
            text += child.before or ""
            child.wait()
        assert child.exitstatus == 0, text
        self.shown.append((command, _as_seen(text)))
        return text

    def block(self, number: int, hidden: Mapping[str, str]) -> str:
        """A command and what was shown, with other names for what differs from machine to machine."""
        text = "$ {}\n{}".format(*self.shown[number])
        for own, name in hidden.items():
            text = text.replace(own, name)
        return text


def _as_seen(text: str) -> str:
    """Lines as they stand in the end: what was written over is gone."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
    lines = [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in text.split("\n")]
    return "\n".join(lines).strip("\n")


@pytest.fixture
def aggregator(tmp_path: Path) -> Iterator[FieldAggregator]:
    with reserve("127.0.0.1") as wire, reserve("127.0.0.1") as web:
        room = FieldAggregator(tmp_path / "room", f"tcp://127.0.0.1:{wire.getsockname()[1]}")
        room.init(f"127.0.0.1:{web.getsockname()[1]}")
        yield room
        room.program.stop()


@pytest.fixture
def home(tmp_path: Path, libmodbus, aggregator: FieldAggregator) -> Path:
    """The folder in which everything is typed; ``site-a`` is the agent's."""
    site = tmp_path / "home" / "site-a"
    site.mkdir(parents=True)
    (site / "agent.toml").write_text(AGENT_TOML.format(endpoint=aggregator.endpoint, port=libmodbus.port))
    (site.parent / "list.csv").write_text(LIST, encoding="utf-8")
    return site.parent


def test_from_an_unknown_device_to_values_in_the_control_room(libmodbus, aggregator, home):
    libmodbus.put("float", LEVEL, LEVEL_M)
    libmodbus.put("float", PRESSURE, PRESSURE_MPA)
    libmodbus.put("holding", TEMPERATURE, RAW_50_PCT)
    for place in (*range(90, LEVEL), *range(TEMPERATURE + 1, 130)):
        libmodbus.put("hole", place)
    session = Session(home)
    where = f"tcp://127.0.0.1:{libmodbus.port}/1"

    text = session.type(f"edge-agent scan {where} --tables holding --addresses 90-129 --stride 4 --pause-ms 5")
    assert "100..105" in text
    text = session.type(
        f"edge-agent try site-a plc-1 holding:{LEVEL} --expect {LEVEL_M} --range 0..12 --accept float32/CDAB"
        " --tag LT-101 --source tank-1 --unit-of-measure m"
    )
    assert "word_order: CDAB" in text
    text = session.type(f"edge-agent try site-a plc-1 holding:{TEMPERATURE} --expect 50 --range 0..100 --no-watch")
    assert "int16:0..27648" in text
    text = session.type("edge-agent import list.csv --out site-a --append", (PROMPT, "2"), (PROMPT, "2"))
    assert "wrote 2 points" in text
    session.type("edge-agent keygen site-a")
    session.type(f"aggregator agents add site-a site-a/keys/agent.pub --dir {aggregator.folder}")
    (home / "site-a" / "keys" / "aggregator.pub").write_bytes(
        (aggregator.folder / "keys" / "aggregator.pub").read_bytes()
    )
    text = session.type("edge-agent check site-a")
    assert "configuration is good" in text

    def good_tags() -> set[str]:
        return {tag for tag, quality in aggregator.live() if quality == Quality.GOOD}

    def kept(tag: str) -> set[float]:
        return {round(float(value), 3) for value in aggregator.samples("site-a", tag).value}

    aggregator.start()
    agent = Program("site-a", "edge_agent.cli", ("run", str(home / "site-a")), home / "agent.log")
    agent.start()
    try:
        wait_for(lambda: set(TAGS) <= good_tags(), "the values are there", START_S, of=[agent, aggregator.program])
        session.type("edge-agent status site-a")
        text = session.type(
            "edge-agent loopcheck site-a --match TT-105 --by 'Li Wei' --witness 'Chen Hao' --settle 0.5",
            *((r"reference [^:]*: ", "", partial(libmodbus.put, "holding", TEMPERATURE, raw)) for raw in RAW),
            (r"reference [^:]*: ", ""),
            (r"remarks [^:]*: ", ""),
        )
        assert "1 passed, 0 failed" in text
    finally:
        agent.stop()
    wait_for(lambda: kept("TT-105") == {0, 50, 100}, "what the transmitter showed has arrived", of=[aggregator.program])
    assert (kept("LT-101"), kept("PT-102")) == ({LEVEL_M}, {PRESSURE_MPA})

    place = f"127.0.0.1:{libmodbus.port}"
    hidden = {f"{place}  ": "10.0.0.9:502".ljust(len(place) + 2), place: "10.0.0.9:502", str(aggregator.folder): "/srv/park", str(home) + "/": "",
              aggregator.endpoint: "tcp://10.0.0.1:7440"}  # fmt: skip
    blocks = [session.block(number, hidden) for number in range(len(session.shown))]
    if os.environ.get("WRITE_THE_HOUR"):
        fresh = iter(blocks)
        GUIDE.write_text(BLOCK.sub(lambda _: f"```console\n{next(fresh)}\n```", GUIDE.read_text("utf-8")), "utf-8")
    shown = BLOCK.findall(GUIDE.read_text("utf-8"))
    assert [_shape(each) for each in shown] == [_shape(each) for each in blocks]


def _shape(text: str) -> list[str]:
    """Without digits, hashes, the width of columns, and what depends on the machine's pace and on its clock."""
    lines = [line for line in text.splitlines() if not MACHINES_OWN.match(line)]
    return [" ".join(re.sub(r"\b[0-9a-f]{12,}|[0-9]+(\.[0-9]+)?", "#", line).split()) for line in lines]
