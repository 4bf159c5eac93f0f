"""The README names what the code has."""

from __future__ import annotations

from pathlib import Path

import drivers.modbus
from drivers.modbus.address import Table, WordOrder
from drivers.modbus.settings import ModbusTcpSettings

README = (Path(drivers.modbus.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_every_setting_is_explained_with_its_default():
    for name, field in ModbusTcpSettings.model_fields.items():
        default = "" if field.is_required() else f"`{field.default}` "
        assert f"| `{name}` | {default}|" in README


def test_every_table_and_order_is_named():
    assert all(f"`{word}`" in README for word in (*Table, *WordOrder))
