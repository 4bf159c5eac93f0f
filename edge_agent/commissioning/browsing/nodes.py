"""Nodes and values as people read them, and as points.csv wants them. Pure."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from drivers.opcua.values import ACCEPTED, LOCALIZED_TEXT, STRING, BuiltIn, Reading
from edge_agent.commissioning.browsing.tree import Identifier, Node, NodeKey, printable

VALUE_LENGTH_MAX: Final = 40
"""Of a text that is shown."""
_TYPES: Final = {
    **{int(each): each.name.title() for each in BuiltIn},
    3: "Byte", 2: "SByte", 5: "UInt16", 7: "UInt32", 9: "UInt64",
    STRING: "String", 13: "DateTime", 14: "Guid", 15: "ByteString", 16: "XmlElement", 17: "NodeId",
    20: "QualifiedName", LOCALIZED_TEXT: "LocalizedText", 22: "Structure", 24: "BaseDataType", 26: "Number",
    27: "Integer", 28: "UInteger", 29: "Enumeration", 290: "Duration", 294: "UtcTime",
}  # fmt: skip
"""Names of data types by their number in namespace 0 (OPC 10000-6, clause 5.1.2, and annex A)."""


@dataclass(frozen=True, slots=True)
class Unit:
    """As the server has it, and the symbol of ours, None where there is none."""

    shown: str
    symbol: str | None


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that was found, with what was read of it. ``data_type`` is what the node says of itself."""

    node: Node
    reading: Reading
    data_type: NodeKey | None
    unit: Unit | None = None
    range: tuple[float, float] | None = None

    @property
    def is_list(self) -> bool:
        return isinstance(self.reading.value, list)

    @property
    def built_in(self) -> int | None:
        """The type of its value, or, while it has none, what it says that this will be."""
        if self.reading.type is not None:
            return self.reading.type
        return _built_in_of(self.data_type)


def _built_in_of(key: NodeKey | None) -> int | None:
    """Other data types are made of built-in ones in ways that only a value shows."""
    number = None if key is None or key.namespace != 0 else key.identifier
    known = {int(each) for types in ACCEPTED.values() for each in types}
    return number if isinstance(number, int) and number in known else None


def address_of(key: NodeKey, namespaces: Sequence[str]) -> str | None:
    """The text that points.csv has for a node; None where the server has no URI for its namespace."""
    text = _identifier(key.identifier)
    if key.namespace == 0:
        return text
    if key.namespace >= len(namespaces) or not namespaces[key.namespace]:
        return None
    uri = namespaces[key.namespace].replace("%", "%25").replace(";", "%3b")
    return f"nsu={uri};{text}"


def _identifier(identifier: Identifier) -> str:
    if isinstance(identifier, int):
        return f"i={identifier}"
    if isinstance(identifier, UUID):
        return f"g={identifier}"
    if isinstance(identifier, bytes):
        return f"b={base64.b64encode(identifier).decode()}"
    return f"s={identifier}"


def type_name(variable: Variable) -> str:
    number = variable.built_in
    if number is None and variable.data_type is not None and variable.data_type.namespace == 0:
        number = variable.data_type.identifier if isinstance(variable.data_type.identifier, int) else None
    name = "?" if number is None else _TYPES.get(number, f"i={number}")
    return name + "[]" * variable.is_list


def value_text(reading: Reading) -> str:
    """The value alone, short enough for a line; a dash where there is none."""
    value = reading.value
    if value is None or reading.status >> 31:
        return "-"
    if isinstance(value, str):
        return f'"{_short(printable(value))}"'
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, list):
        return f"{len(value)} values"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return str(value).lower() if isinstance(value, int) else _short(printable(str(value)))


def _short(text: str) -> str:
    return text if len(text) <= VALUE_LENGTH_MAX else text[:VALUE_LENGTH_MAX] + "..."


def range_of(low: object, high: object) -> tuple[float, float] | None:
    """None for what is no range, as 0 to 0, which servers have where nobody filled it in."""
    if isinstance(low, (int, float)) and isinstance(high, (int, float)):
        return (float(low), float(high)) if -math.inf < low < high < math.inf else None
    return None
