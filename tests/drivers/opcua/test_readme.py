"""The README names what the code has."""

from __future__ import annotations

from pathlib import Path

from asyncua import ua

import drivers.opcua
from drivers.opcua.settings import OpcUaSettings
from drivers.opcua.values import QUALITIES

README = (Path(drivers.opcua.__file__).parent / "README.md").read_text(encoding="utf-8")
TABLE = [line for line in README.splitlines() if line.startswith("|")]


def test_every_setting_is_explained_with_its_default():
    for name, field in OpcUaSettings.model_fields.items():
        default = "" if field.is_required() or field.default is None else f"`{field.default}` "
        assert f"| `{name}` | {default}|" in README


def test_every_status_of_the_table_stands_beside_its_quality():
    for code, quality in QUALITIES.items():
        name = ua.status_codes.get_name_and_doc(code << 16)[0]
        assert any(line.endswith(f"| {quality.name} |") and name in line.replace(";", ",") for line in TABLE), name
