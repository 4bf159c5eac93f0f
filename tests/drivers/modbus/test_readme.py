"""The README names what the code has."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

import drivers.modbus
from drivers.modbus.address import Coding, Table, WordOrder
from drivers.modbus.instrument import Meaning
from drivers.modbus.settings import ModbusSettings

README = (Path(drivers.modbus.__file__).parent / "README.md").read_text(encoding="utf-8")


def shown(default):
    return default.value if isinstance(default, Enum) else str(default).replace("(", "[").replace(")", "]")


def test_every_setting_is_explained_with_its_default():
    for name, field in ModbusSettings.model_fields.items():
        default = "" if field.get_default(call_default_factory=True) in (None, {}) else f"`{shown(field.default)}` "
        assert f"| `{name}` | {default}|" in README


def test_every_table_order_coding_and_meaning_is_named():
    assert all(f"`{word}`" in README for word in (*Table, *WordOrder, *Coding, *Meaning))
