"""Points of a device that has no registers: the column address is the driver's own text."""

from __future__ import annotations

from typing import Any

import pytest

NODE = {"register": "", "address": "nsu=urn:park:reactor;s=TT-301", "type": "float64"}
DEVICE = '[[device]]\nname = "server"\ndriver = "opcua"\nendpoint = "opc.tcp://127.0.0.1:4840/park"\n'


@pytest.fixture
def mixed(folder: Any) -> Any:
    """A folder with a Modbus device ``plc`` and an OPC UA device ``server``."""
    folder.write_toml((folder.path / "agent.toml").read_text("utf-8") + DEVICE)
    return folder


def test_both_kinds_stand_in_one_list(mixed: Any) -> None:
    mixed.write_points({}, {**NODE, "device": "server"})
    own, other, *points = mixed.load().points
    assert {own.tag, other.tag} == {"plc", "server"}
    assert [(point.device, point.address) for point in points] == [
        ("plc", "holding:10"),
        ("server", "nsu=urn:park:reactor;s=TT-301"),
    ]


@pytest.mark.parametrize(
    ("changes", "column", "message", "remedy"),
    [
        ({"address": "ns=2;s=TT-301"}, "address", "can change", "nsu=URI;s=TT-301"),
        ({"address": "TT-301"}, "address", "no NodeId", "nsu="),
        ({"address": ""}, "address", "empty", "Fill"),
        ({"address": "nsu=urn:a;s=" + "x" * 1024}, "address", "1036 characters", "1024"),
        ({"register": "holding"}, "register", "no registers", "empty"),
        ({"bit": "3"}, "bit", "no registers", "empty"),
        ({"word_order": "CDAB"}, "word_order", "no registers", "empty"),
        ({"scale": "2"}, "scale", "not scaled", "empty"),
        ({"type": "string", "unit": "1", "h": "3"}, "h", "a text has no h", "empty"),
    ],
)
def test_a_mistake_is_one_fault(mixed: Any, changes: dict[str, str], column: str, message: str, remedy: str) -> None:
    mixed.write_points({}, {**NODE, "device": "server", **changes})
    (fault,) = mixed.faults()
    assert (fault.row, fault.column) == (3, column)
    assert message in fault.message
    assert remedy in fault.remedy


def test_a_modbus_point_still_needs_its_register(mixed: Any) -> None:
    mixed.write_points({"register": ""}, {**NODE, "device": "server"})
    (fault,) = mixed.faults()
    assert (fault.row, fault.column, fault.message) == (2, "register", "the cell is empty")


def test_a_password_file_is_looked_for_in_the_folder(mixed: Any) -> None:
    mixed.write_points({}, {**NODE, "device": "server"})
    mixed.write_toml(
        (mixed.path / "agent.toml").read_text("utf-8") + 'username = "edge"\npassword_file = "keys/server.password"\n'
    )
    (fault,) = mixed.faults()
    assert (fault.file, fault.column) == ("agent.toml", "password_file")
    (mixed.path / "keys" / "server.password").write_text("secret\n", "utf-8")
    config = mixed.load()
    assert config.devices[1].settings.password_file == str(mixed.path / "keys" / "server.password")
    assert "secret" not in repr(config)
