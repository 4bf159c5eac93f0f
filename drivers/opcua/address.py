"""Which node of a server a point is: the address text, parsed and checked. Pure.

The text is a NodeId in the form of OPC 10000-6, clause 5.3.1.10, with the URI of its namespace: the *index* of a namespace
may move whenever a server is started again, so it is asked for after each connect and never written down.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid
from dataclasses import dataclass
from typing import Final

from contract.points import PointSpec
from drivers.base import PointFault
from drivers.numbers import examine_numbers

IDENTIFIER_LENGTH_MAX: Final = 4096
"""OPC 10000-3, clause 8.2.4."""
NUMBER_MAX: Final = 2**32 - 1

_SHAPE: Final = re.compile(r"(?:nsu=(?P<uri>[^;]*);)?(?P<kind>[isgb])=(?P<identifier>.*)\Z", re.DOTALL)
_INDEX: Final = re.compile(r"(svr=[0-9]*;)?ns=(?P<index>[0-9]*);(?P<rest>.*)\Z", re.DOTALL)
_DIGITS: Final = re.compile(r"[0-9]{1,10}\Z")
_GUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z")
_EXAMPLE: Final = "Write it as nsu=urn:maker:plant;s=TT-301"


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """``namespace`` is a URI, None for namespace 0, which is the same on every server."""

    namespace: str | None
    identifier: int | str | uuid.UUID | bytes


def examine(spec: PointSpec) -> tuple[NodeAddress | None, list[PointFault]]:
    """The node of a point and all its faults; the node is None exactly when there are any."""
    faults = examine_numbers(spec)
    parsed = parse(spec.address)
    if isinstance(parsed, PointFault):
        return None, [*faults, parsed]
    return (None if faults else parsed), faults


def parse(text: str) -> NodeAddress | PointFault:
    """The node that the text names, or what is wrong with it."""
    if by_index := _INDEX.match(text):
        message = f"the index of a namespace (ns={by_index['index']}) can change whenever the server starts"
        return PointFault("address", message, f"Write its URI: nsu=URI;{by_index['rest'][:80]}")
    shape = _SHAPE.match(text)
    if shape is None:
        return PointFault("address", f"'{text[:80]}' is no NodeId", _EXAMPLE)
    if shape["uri"] == "":
        return PointFault("address", "the URI of the namespace is empty", _EXAMPLE)
    if shape["uri"] is None and shape["kind"] != "i":
        return PointFault("address", "the namespace is missing", _EXAMPLE)
    identifier = _READ[shape["kind"]](shape["identifier"])
    if isinstance(identifier, PointFault):
        return identifier
    return NodeAddress(None if shape["uri"] is None else _unescaped(shape["uri"]), identifier)


def _unescaped(uri: str) -> str:
    """The two signs that clause 5.3.1.10 escapes; other percent signs belong to the URI."""
    return re.sub("%3b", ";", uri, flags=re.IGNORECASE).replace("%25", "%")


def _number(text: str) -> int | PointFault:
    if _DIGITS.match(text) and int(text) <= NUMBER_MAX:
        return int(text)
    return PointFault(
        "address", f"'{text[:80]}' is no numeric identifier", f"Give a whole number from 0 to {NUMBER_MAX}"
    )


def _string(text: str) -> str | PointFault:
    if 1 <= len(text) <= IDENTIFIER_LENGTH_MAX:
        return text
    message = f"the identifier has {len(text)} characters"
    return PointFault("address", message, f"Give 1 to {IDENTIFIER_LENGTH_MAX}, as the server shows it")


def _guid(text: str) -> uuid.UUID | PointFault:
    if _GUID.match(text):
        return uuid.UUID(text)
    return PointFault("address", f"'{text[:80]}' is no GUID", "Write it as 72962b91-fa75-4ae6-8d28-b404dc7daf63")


def _opaque(text: str) -> bytes | PointFault:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        data = b""
    if 1 <= len(data) <= IDENTIFIER_LENGTH_MAX:
        return data
    return PointFault("address", f"'{text[:80]}' is no opaque identifier", "Give its bytes in Base64")


_READ: Final = {"i": _number, "s": _string, "g": _guid, "b": _opaque}
