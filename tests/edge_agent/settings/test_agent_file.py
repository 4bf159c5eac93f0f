"""Each mistake in agent.toml is one fault, at its key, with a remedy."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.settings import agent_file

DEVICE = '[[device]]\nname = "plc"'
ROOM = 'endpoints = ["tcp://127.0.0.1:7440"]'

# (what in the good file becomes what, key at fault, part of the message, part of the remedy)
MISTAKES = [
    ('name = "agent-1"', "", "agent.name", "missing", "letters"),
    ('name = "agent-1"', 'name = "agent 1"', "agent.name", "not a name", "letters"),
    ('name = "agent-1"', "name = 1", "agent.name", "string", "letters"),
    ('organisation = "acme"', 'organisation = "acme/tank"', "agent.organisation", "not an organisation", "code"),
    ("organisation", "organization", "agent.organization", "unknown key", "organisation?"),
    ('"acme"', '"acme"\nkey_file = ""', "agent.key_file", "at least 1", "path"),
    (ROOM, "endpoints = []", "destination.1.endpoints", "at least 1", "tcp://"),
    (ROOM, 'endpoints = ["10.0.0.5:7440"]', "destination.1.endpoints", "not tcp://host:port", "tcp://"),
    (ROOM, 'endpoints = ["tcp://h:65536"]', "destination.1.endpoints", "not tcp://host:port", "tcp://"),
    (ROOM, 'endpoints = ["tcp://h:0"]', "destination.1.endpoints", "not tcp://host:port", "tcp://"),
    (ROOM, 'endpoints = ["tcp://h:1", "tcp://h:1"]', "destination.1.endpoints", "twice", "tcp://"),
    (ROOM, "endpoints = [1]", "destination.1.endpoints.1", "string", "tcp://"),
    (ROOM, f'{ROOM}\nmandatory = "yes"', "destination.1.mandatory", "boolean", "true or false"),
    (ROOM, f"{ROOM}\nmandatry = true", "destination.1.mandatry", "unknown key", "mandatory?"),
    (DEVICE, "[[device]]", "device.1.name", "missing", "letters"),
    (DEVICE, '[[device]]\nname = "p l c"', "device.1.name", "not a name", "letters"),
    ('"modbus_tcp"', '"modbuss"', "device.1.driver", "not a driver", "modbus?"),
    ('driver = "modbus_tcp"', "", "device.1.driver", "missing", "modbus"),
    ('host = "127.0.0.1"', "", "device.1.host", "missing", ""),
    ('host = "127.0.0.1"', 'host = "h"\nprot = 502', "device.1.prot", "unknown key", "port"),
    ('host = "127.0.0.1"', 'host = "h"\nport = 65536', "device.1.port", "65535", ""),
    (DEVICE, f"[telemetry]\nchunk_s = 0\n{DEVICE}", "telemetry.chunk_s", "greater than or equal to 1", "3600"),
    (DEVICE, f"[telemetry]\nspool_s = nan\n{DEVICE}", "telemetry.spool_s", "finite", "60"),
    (DEVICE, f'[telemetry]\nchunk_s = "60"\n{DEVICE}', "telemetry.chunk_s", "number", "3600"),
    (DEVICE, f'[telemetry]\nreport = "some"\n{DEVICE}', "telemetry.report", "'exception' or 'all'", "exception"),
    (DEVICE, f"[outbox]\nbudget_mb = 0\n{DEVICE}", "outbox.budget_mb", "greater than or equal to 1", "MiB"),
    (DEVICE, f"[outbox]\nkeep_acked_h = -1\n{DEVICE}", "outbox.keep_acked_h", "greater than or equal to 0", "hours"),
    (DEVICE, f"[outbocks]\n{DEVICE}", "outbocks", "unknown table", "outbox?"),
]


@pytest.mark.parametrize(("old", "new", "key", "message", "remedy"), MISTAKES)
def test_a_mistake_is_one_fault_with_a_remedy(
    folder: Any, old: str, new: str, key: str, message: str, remedy: str
) -> None:
    folder.spoil_toml(old, new)
    fault = next(fault for fault in folder.faults() if fault.column == key)
    assert (fault.file, fault.row) == ("agent.toml", None)
    assert message in fault.message
    assert remedy in fault.remedy
    assert fault.remedy


def test_a_fault_in_agent_toml_blames_no_row(folder: Any) -> None:
    for old, new, key, _, _ in MISTAKES:
        folder.spoil_toml(old, new)
        named_otherwise = key == "device.1.name"
        assert named_otherwise or {fault.file for fault in folder.faults()} == {"agent.toml"}, new


@pytest.mark.parametrize(
    "text",
    ["[agent", "a = 1\na = 2", "a = " + "[" * 5000, "a = " + "9" * 5000, "a = 2026-13-01", b"\xff", "a = '\x00'"],
)
def test_what_is_not_toml_is_one_fault(folder: Any, text: str | bytes) -> None:
    folder.write_toml(text)
    assert folder.places() == [("agent.toml", None, None)]


def test_a_byte_order_mark_is_no_fault(folder: Any) -> None:
    folder.write_toml(b"\xef\xbb\xbf" + (folder.path / "agent.toml").read_bytes())
    folder.load()


def test_an_empty_file_lacks_everything_it_must_have(folder: Any) -> None:
    folder.write_toml("")
    assert [fault.column for fault in folder.faults()] == ["agent.name", "agent.organisation", "destination", "device"]


def test_tables_of_the_wrong_shape_are_faults(folder: Any) -> None:
    folder.write_toml('agent = 1\ndestination = ["x"]\ntelemetry = []\noutbox = "o"\n[device]\nname = "plc"\n')
    columns = [fault.column for fault in folder.faults()]
    assert columns == ["agent", "destination.1", "device", "telemetry", "outbox"]
    folder.spoil_toml("[[device]]", "[[device]]\n[[device]]")
    assert {"device.1.name", "device.1.driver"} == {fault.column for fault in folder.faults()}
    folder.write_toml("device = [1]")
    assert "device.1" in [fault.column for fault in folder.faults()]


def test_names_are_given_once(folder: Any) -> None:
    text = (folder.path / "agent.toml").read_text()
    room = f'[[destination]]\nname = "park"\n{ROOM}\n'
    folder.write_toml(f'{text}{DEVICE}\ndriver = "modbus_tcp"\nhost = "h"\n{room}')
    assert [fault.column for fault in folder.faults()] == ["destination.2.name", "device.2.name"]


def test_lists_have_an_end(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_file, "DEVICES_MAX", 1)
    folder.load()
    folder.spoil_toml(DEVICE, f'{DEVICE}-2\ndriver = "modbus_tcp"\nhost = "h"\n{DEVICE}'.replace('"plc"-2', '"plc-2"'))
    [fault] = folder.faults()
    assert (fault.column, fault.message) == ("device", "there are 2, more than 1")
