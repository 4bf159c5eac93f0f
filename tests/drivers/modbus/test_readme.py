"""The README names what the code has."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

import drivers.modbus
from drivers.modbus.address import Table, WordOrder
from drivers.modbus.settings import ModbusSettings

README = (Path(drivers.modbus.__file__).parent / "README.md").read_text(encoding="utf-8")


def shown(default):
    return default.value if isinstance(default, Enum) else str(default).replace("(", "[").replace(")", "]")


def test_every_setting_is_explained_with_its_default():
    for name, field in ModbusSettings.model_fields.items():
        default = "" if field.default is None else f"`{shown(field.default)}` "
        assert f"| `{name}` | {default}|" in README


def test_every_table_and_order_is_named():
    assert all(f"`{word}`" in README for word in (*Table, *WordOrder))
