"""A folder that is taken on while the agent runs: only the difference is applied, all of it or nothing, nothing is lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from edge_agent.station.control import ask
from hil_tests.agent_folder import toml_text
from hil_tests.field import HOST, ORGANISATION, Field, FieldAgent, wait_for, write_points
from hil_tests.processes import ProgramError, run_to_end
from hil_tests.rig.site import parse_site

pytestmark = pytest.mark.timeout(120)
WAVES = 6


def _device(name: str) -> dict[str, object]:
    waves = [
        {"table": "holding", "address": i, "type": "uint16", "name": f"{name}{i}",
         "signal": {"kind": "counter", "period_s": 0.2 + 0.01 * i, "modulo": 2}}
        for i in range(WAVES)
    ]  # fmt: skip
    level = {"table": "holding", "address": 10, "type": "uint16", "name": f"{name}level"}
    return {
        "name": name,
        "unmapped": "zero",
        "register": [*waves, level | {"signal": {"kind": "constant", "value": 7}}],
    }


def _rows(device: str, **level: object) -> list[dict[str, object]]:
    same = {"device": device, "register": "holding", "type": "uint16", "unit": "1", "poll_s": 0.1}
    waves = [{"tag": f"{device}-W{i}", "address": i, "h": 0.5, **same} for i in range(WAVES)]
    return [*waves, {"tag": f"{device}-LEVEL", "address": 10, "h": 5, **same, **level}]


def write(field, agent: FieldAgent, rows: list[dict[str, object]], *more: dict[str, object]) -> None:
    devices = dict.fromkeys(row["device"] for row in rows)
    wiring = [
        {"name": name, "driver": "modbus_tcp", "host": HOST, "port": field.rig.ports[name], "timeout_s": 0.5}
        for name in devices
    ]
    settings = {
        "agent": {"name": agent.name, "organisation": ORGANISATION},
        "destination": [{"name": "park", "endpoints": [field.aggregator.endpoint]}, *more],
        "device": wiring, "telemetry": {"chunk_s": 1.0, "spool_s": 0.2},
    }  # fmt: skip
    (agent.folder / "agent.toml").write_text(toml_text(settings))
    write_points(agent.folder / "points.csv", "a", rows)


@pytest.fixture
def field(open_field) -> Field:
    opened: Field = open_field(parse_site({"device": [_device("a"), _device("b")]}, Path("site.toml")))
    return opened


@pytest.fixture
def agent(field: Field) -> FieldAgent:
    agent = field.add_agent("gate", "a", _rows("a"))
    write(field, agent, _rows("a") + _rows("b"))
    field.start()
    wait_for(lambda: len(_standing(agent)) >= 2, "both levels stand")
    # A driver that is made anew counts from 0: so many that it shows.
    wait_for(lambda: min(_requests(agent).values()) > 30, "both are polled")
    return agent


def reload(agent: FieldAgent) -> str:
    return run_to_end("edge_agent.cli", "reload", str(agent.folder)).strip()


def _standing(agent: FieldAgent) -> dict[str, int]:
    return {
        each["tag"]: int(each["activation"]["seq"]) for each in agent.status()["conditions"] if "LEVEL" in each["tag"]
    }


def _requests(agent: FieldAgent) -> dict[str, int]:
    return {each["device"]: each["requests"] for each in agent.status()["devices"]}


def _sessions(field) -> int:
    return len(field.aggregator.journal("session_opened"))


def _events(field, *types: str) -> list[dict]:
    return [each for each in field.aggregator.events("gate") if each["type"] in types]


def test_the_same_folder_changes_nothing_twice(field, agent):
    before, sessions, standing = _requests(agent), _sessions(field), _standing(agent)
    assert reload(agent) == reload(agent) == "nothing changed"
    assert _standing(agent) == standing
    assert all(count >= before[name] for name, count in _requests(agent).items())
    agent.program.stop()
    field.wait_until_drained(agent)
    assert _sessions(field) == sessions
    assert not _events(field, "config_change")


def test_a_set_point_a_new_name_and_a_device_that_goes(field, agent):
    standing, before = _standing(agent), _requests(agent)["b"]
    write(field, agent, _rows("a", h=6) + _rows("b"))
    assert reload(agent) == "connections begun anew: " + f"at {HOST}:{field.rig.ports['a']}"
    assert _standing(agent) == standing
    requests = _requests(agent)
    assert requests["b"] >= before > requests["a"]
    write(field, agent, _rows("a", h=6, tag="a-LEVEL-2", was="a-LEVEL") + _rows("b"))
    reload(agent)
    wait_for(lambda: _standing(agent).keys() == {"a-LEVEL-2", "b-LEVEL"}, "the condition bears the new name")
    assert _standing(agent)["b-LEVEL"] == standing["b-LEVEL"]
    write(field, agent, _rows("a", h=6, tag="a-LEVEL-2", was="a-LEVEL"))
    os.kill(agent.program.pid, signal.SIGHUP)
    wait_for(lambda: _standing(agent).keys() == {"a-LEVEL-2"}, "the condition of the removed device is closed")
    assert list(_requests(agent)) == ["a"]
    field.rig.command("a", "step", "alevel", 8)
    wait_for(lambda: len(field.aggregator.samples("gate", "a-LEVEL-2")), "its trend goes on under the new name")
    agent.program.stop()
    field.wait_until_drained(agent)
    field.aggregator.program.stop()
    assert not field.audit(agent).findings, str(field.audit(agent))
    assert [each["data"]["asked_by"] for each in _events(field, "config_change")] == ["command", "command", "SIGHUP"]
    reasons = [each["data"]["reason"] for each in _events(field, "condition_off", "condition_on")]
    assert reasons.count("point_renamed") == 2
    assert "point_removed" in reasons


def test_a_mistake_and_another_name_are_refused_whole(field, agent):
    before = agent.status()["config_hash"]
    write(field, agent, [*_rows("a", unit="pmm"), *_rows("b")])
    with pytest.raises(ProgramError, match=r"status 2(.|\n)*points.csv, row 8, unit"):
        reload(agent)
    write(field, agent, _rows("a") + _rows("b"))
    text = (agent.folder / "agent.toml").read_text()
    (agent.folder / "agent.toml").write_text(text.replace(ORGANISATION, "others", 1))
    with pytest.raises(ProgramError, match="cannot change while the agent runs"):
        reload(agent)
    assert agent.status()["config_hash"] == before
    assert len(_standing(agent)) == 2


def test_ten_reloads_under_load_lose_and_double_nothing(field, agent):
    for turn in range(10):
        rows = _rows("a", h=5 + turn % 3) + (_rows("b") if turn % 2 else [])
        write(field, agent, rows)
        assert "faults" not in ask(agent.store.parent, {"ask": "reload"})
    agent.program.stop()
    field.wait_until_drained(agent)
    field.aggregator.program.stop()
    audit = field.audit(agent)
    assert not audit.findings, str(audit)
    assert audit.events > 100
    assert len(_events(field, "config_change")) == 10
