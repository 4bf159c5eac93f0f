"""A folder that is taken on while the agent runs: only the difference is applied, all of it or nothing, nothing is lost.

One small park for all of it: each test begins with both devices polled and the level of each in alarm. Whether a
connection is the same is seen at the device: by the ports that its peers call from.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa

from aggregator.history.readings import ReadingsReader
from contract.ids import PointKey
from contract.keys import format_secret, generate
from edge_agent.station.control import ask
from hil_tests.agent_folder import toml_text
from hil_tests.field import HOST, ORGANISATION, Field, FieldAgent, FieldAggregator, wait_for, write_points
from hil_tests.processes import ProgramError, run_to_end
from hil_tests.rig.ports import reserve
from hil_tests.rig.site import Site, parse_site

pytestmark = pytest.mark.timeout(120)
WAVES = 6
Row = dict[str, Any]


def _device(name: str) -> Row:
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


def _rows(device: str, **level: object) -> list[Row]:
    same = {"device": device, "register": "holding", "type": "uint16", "unit": "1", "poll_s": 0.1}
    waves = [{"tag": f"{device}-W{i}", "address": i, "h": 0.5, **same} for i in range(WAVES)]
    return [*waves, {"tag": f"{device}-LEVEL", "address": 10, "h": 5, **same, **level}]


BOTH = _rows("a") + _rows("b")


def write(
    field: Field, gate: FieldAgent, rows: list[Row], *more: Row, agent: Row | None = None, data: str = "data"
) -> None:
    """Its folder: with ``more`` destinations, other keys of the table ``agent``, another folder for its ``data``."""
    wiring = [
        {"name": name, "driver": "modbus_tcp", "host": HOST, "port": field.rig.ports[name], "timeout_s": 5.0}
        for name in dict.fromkeys(row["device"] for row in rows)
    ]
    tables = {
        "agent": {"name": gate.name, "organisation": ORGANISATION, **(agent or {})},
        "telemetry": {"chunk_s": 1.0, "spool_s": 0.2},
        "outbox": {"directory": data},
    }
    destinations = [{"name": "park", "endpoints": [field.aggregator.endpoint]}, *more]
    text = toml_text({**tables, "destination": destinations, "device": wiring})
    (gate.folder / "agent.toml").write_text(text)
    write_points(gate.folder / "points.csv", "a", rows)


@pytest.fixture(scope="module")
def field(open_module_field: Callable[[Site], Field]) -> Field:
    opened = open_module_field(parse_site({"device": [_device("a"), _device("b")]}, Path("site.toml")))
    agent = opened.add_agent("gate", "a", _rows("a"))
    write(opened, agent, BOTH)
    opened.start()
    return opened


@pytest.fixture
def agent(field: Field) -> FieldAgent:
    agent = field.agents["gate"]
    write(field, agent, BOTH)
    if agent.program.running:
        reload(agent)
    else:
        agent.start()
        field.wait_until_streaming(agent)
    wait_for(lambda: _standing(agent).keys() == {"a-LEVEL", "b-LEVEL"}, "both levels stand")
    wait_for(lambda: all(_callers(field, name) for name in "ab"), "both devices are connected")
    return agent


def reload(agent: FieldAgent) -> str:
    """As the command does, without the second that a process takes to start; what it says."""
    answer = ask(agent.store.parent, {"ask": "reload"})
    return str(answer["outcome"] if "outcome" in answer else answer["faults"])


def hang_up(agent: FieldAgent) -> None:
    assert agent.program.pid is not None
    os.kill(agent.program.pid, signal.SIGHUP)


def _standing(agent: FieldAgent) -> dict[str, int]:
    """Sequence number of the activation, by tag."""
    return {
        each["tag"]: int(each["activation"]["seq"])
        for each in agent.status().get("conditions", [])
        if "LEVEL" in each["tag"]
    }


def _callers(field: Field, device: str) -> set[int]:
    """Ports from which the device is connected to."""
    found = psutil.Process(field.rig.pids[device]).net_connections("tcp")
    port = field.rig.ports[device]
    return {each.raddr.port for each in found if each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port}


def _sessions(field: Field) -> int:
    return len(field.aggregator.journal("session_opened"))


def _events(field: Field, after_seq: int, *types: str) -> list[Row]:
    query = "SELECT open FROM events WHERE agent = 'gate' AND seq > ? ORDER BY seq"
    found = [json.loads(text) for (text,) in field.aggregator.rows(query, after_seq)]
    return [each for each in found if each["type"] in types]


def _times(field: Field, tag: str) -> list[int]:
    return [int(time_ns) for time_ns in field.aggregator.samples("gate", tag).time_ns]


def _wait_for_trends(field: Field, device: str) -> None:
    """Everything that was read until now has come."""
    now_ns = time.time_ns()
    wait_for(lambda: max(_times(field, f"{device}-W0"), default=0) > now_ns, "trends go on")


def test_the_same_folder_touches_no_connection_and_writes_no_row(field: Field, agent: FieldAgent) -> None:
    _wait_for_trends(field, "b")
    seq, standing, sessions = agent.status()["events_seq"], _standing(agent), _sessions(field)
    levels = [_times(field, f"{name}-LEVEL") for name in "ab"]
    callers = [_callers(field, name) for name in "ab"]
    assert run_to_end("edge_agent.cli", "reload", str(agent.folder)).strip() == reload(agent) == "nothing changed"
    _wait_for_trends(field, "b")
    assert [_callers(field, name) for name in "ab"] == callers
    assert [_times(field, f"{name}-LEVEL") for name in "ab"] == levels
    assert _standing(agent) == standing
    assert _sessions(field) == sessions
    assert not _events(field, seq, "config_change")


def test_a_set_point_touches_its_device_alone_and_no_condition(field: Field, agent: FieldAgent) -> None:
    seq, standing, sessions = agent.status()["events_seq"], _standing(agent), _sessions(field)
    a, b, level = _callers(field, "a"), _callers(field, "b"), _times(field, "b-LEVEL")
    write(field, agent, _rows("a", h=6) + _rows("b"))
    assert reload(agent) == f"connections begun anew: at {HOST}:{field.rig.ports['a']}"
    wait_for(lambda: _callers(field, "a") - a, "the changed device is connected anew")
    assert not _callers(field, "a") & a
    _wait_for_trends(field, "b")
    _wait_for_trends(field, "a")
    assert _callers(field, "b") == b
    assert _times(field, "b-LEVEL") == level
    assert _standing(agent) == standing
    assert _sessions(field) == sessions
    (changed,) = _events(field, seq, "config_change")
    assert changed["data"]["asked_by"] == "command"


def test_a_point_with_another_name_keeps_its_number_its_history_and_its_condition(
    field: Field, agent: FieldAgent
) -> None:
    seq, standing = agent.status()["events_seq"], _standing(agent)
    _wait_for_trends(field, "a")
    before = _times(field, "a-W0")
    renamed = [row | {"tag": row["tag"] + "-2", "was": row["tag"]} for row in _rows("a")]
    write(field, agent, renamed + _rows("b"))
    reload(agent)
    wait_for(lambda: _standing(agent).keys() == {"a-LEVEL-2", "b-LEVEL"}, "the condition bears the new name")
    assert _standing(agent)["b-LEVEL"] == standing["b-LEVEL"]
    wait_for(lambda: _times(field, "a-W0-2"), "its trend goes on under the new name")
    engine = sa.create_engine(f"sqlite:///file:{field.aggregator.database}?mode=ro&uri=true")
    with closing(engine.raw_connection()), engine.connect() as connection:
        history = ReadingsReader().read(connection, PointKey(ORGANISATION, "a-W0-2"), 0, time.time_ns())
    engine.dispose()
    assert set(before) < set(history.time_ns.tolist())
    assert len({spec.id for _, spec in history.specs}) == 1
    moved = wait_for(lambda: _moved(field, seq), "both events have come")
    assert [(each["type"], each["data"]["tag"]) for each in moved] == [
        ("condition_off", "a-LEVEL"), ("condition_on", "a-LEVEL-2")
    ]  # fmt: skip
    assert len({each["data"]["on_time_ns"] for each in moved}) == 1


def _moved(field: Field, seq: int) -> list[Row] | None:
    found = [
        each
        for each in _events(field, seq, "condition_off", "condition_on")
        if each["data"]["reason"] == "point_renamed" and "LEVEL" in each["data"]["tag"]
    ]
    return found if len(found) >= 2 else None


def test_a_device_that_goes_takes_its_conditions_with_it_and_sighup_does_what_the_command_does(
    field: Field, agent: FieldAgent
) -> None:
    seq, a, standing = agent.status()["events_seq"], _callers(field, "a"), _standing(agent)
    write(field, agent, _rows("a"))
    hang_up(agent)
    wait_for(lambda: _standing(agent) == {"a-LEVEL": standing["a-LEVEL"]}, "the condition of the device is closed")
    wait_for(lambda: not _callers(field, "b"), "its connection is given back")
    assert _callers(field, "a") == a
    assert [each["device"] for each in agent.status()["devices"]] == ["a"]

    def closed() -> set[str]:
        found = _events(field, seq, "condition_off")
        return {each["data"]["tag"] for each in found if each["data"]["reason"] == "point_removed"}

    wait_for(lambda: "b-LEVEL" in closed(), "the control room knows")
    assert {tag[0] for tag in closed()} == {"b"}
    assert [each["data"]["asked_by"] for each in _events(field, seq, "config_change")] == ["SIGHUP"]


def test_a_mistake_is_refused_whole_with_its_place_by_the_command_and_in_the_log(
    field: Field, agent: FieldAgent
) -> None:
    before, standing, callers = agent.status()["config_hash"], _standing(agent), _callers(field, "a")
    write(field, agent, [*_rows("a", h=6, unit="pmm"), *_rows("b")])
    with pytest.raises(ProgramError, match=r"status 2(.|\n)*points.csv, row 8, unit"):
        run_to_end("edge_agent.cli", "reload", str(agent.folder))
    written = len(agent.program.written())
    hang_up(agent)
    wait_for(lambda: "reload_refused" in agent.program.written()[written:], "the refusal is in the log")
    logged = agent.program.written()[written:]
    assert "points.csv, row 8, unit" in logged
    assert "SIGHUP" in logged
    assert (agent.status()["config_hash"], _standing(agent), _callers(field, "a")) == (before, standing, callers)


def test_what_an_agent_is_and_where_its_data_lies_is_refused_until_a_restart(field: Field, agent: FieldAgent) -> None:
    before, standing, callers = agent.status()["config_hash"], _standing(agent), _callers(field, "a")
    for name in ("gate", "other"):
        key = agent.folder / "keys" / f"{name}.new"
        key.write_text(format_secret(generate(name)), encoding="ascii")
        key.chmod(0o600)
    refused: dict[str, Any] = {
        "agent.name": {"agent": {"name": "other", "key_file": "keys/other.new"}},
        "agent.organisation": {"agent": {"organisation": "others"}},
        "agent.key_file": {"agent": {"key_file": "keys/gate.new"}},
        "outbox.directory": {"data": "elsewhere"},
    }
    for place, changed in refused.items():
        write(field, agent, _rows("a", h=6) + _rows("b"), **changed)
        answer = reload(agent)
        assert f"agent.toml, {place}: cannot change while the agent runs" in answer
    assert (agent.status()["config_hash"], _standing(agent), _callers(field, "a")) == (before, standing, callers)


@pytest.fixture
def second(field: Field, agent: FieldAgent) -> Iterator[FieldAggregator]:
    """Another control room, which knows the agent."""
    with ExitStack() as stack:
        data, web = (f"{HOST}:{stack.enter_context(reserve(HOST)).getsockname()[1]}" for _ in range(2))
        made = FieldAggregator(field.folder / "second", f"tcp://{data}")
        made.init(web)
        made.admit(agent.name, agent.folder / "keys" / "agent.pub")
        (agent.folder / "keys" / "second.pub").write_bytes((made.folder / "keys" / "aggregator.pub").read_bytes())
        stack.callback(made.program.stop)
        made.start()
        yield made


def test_a_destination_comes_moves_and_goes_while_the_others_and_the_devices_notice_nothing(
    field: Field, agent: FieldAgent, second: FieldAggregator
) -> None:
    callers, sessions = [_callers(field, name) for name in "ab"], _sessions(field)

    def held() -> int:
        return int(second.rows("SELECT coalesce(max(seq), 0) FROM events")[0][0])

    town = {"name": "town", "endpoints": [second.endpoint], "server_key_file": "keys/second.pub"}
    write(field, agent, BOTH, town)
    assert reload(agent) == "destinations begun: town"
    seq = agent.status()["events_seq"]
    wait_for(lambda: held() > seq, "what was kept and what is new comes there too", of=[second.program])
    write(field, agent, BOTH, town | {"endpoints": [second.endpoint, "tcp://127.0.0.1:1"]})
    assert reload(agent) == "destinations begun anew: town"
    wait_for(lambda: len(second.journal("session_opened")) == 2, "its link is another one")
    seq = agent.status()["events_seq"]
    wait_for(lambda: held() > seq, "and goes on")
    write(field, agent, BOTH)
    assert reload(agent) == "destinations ended: town"
    assert [each["name"] for each in agent.status()["destinations"]] == ["park"]
    last, seq = held(), agent.status()["events_seq"]
    wait_for(lambda: _events(field, seq, "condition_on"), "the other one is told more")
    assert held() <= seq
    numbers = [each[0] for each in second.rows("SELECT seq FROM events ORDER BY seq")]
    assert numbers == list(range(1, max(last, held()) + 1))
    assert ([_callers(field, name) for name in "ab"], _sessions(field)) == (callers, sessions)


def test_ten_reloads_under_load_lose_and_double_nothing(field: Field, agent: FieldAgent) -> None:
    seq = agent.status()["events_seq"]
    for turn in range(10):
        write(field, agent, _rows("a", h=4 + turn % 3) + (_rows("b") if turn % 2 else []))
        assert reload(agent).startswith("connections")
    agent.program.stop()
    field.wait_until_drained(agent)
    audit = field.audit(agent)
    assert not audit.findings, str(audit)
    assert audit.events > 100
    assert len(_events(field, seq, "config_change")) == 10
