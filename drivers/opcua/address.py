"""Which node of a server a point is: the address text, parsed and checked. Pure.

The text is a NodeId in the form of OPC 10000-6, clause 5.3.1.10, with the URI of its namespace: the *index* of a namespace
may move whenever a server is started again, so it is asked for after each connect and never written down.

An alarm that the server judges by itself is ``alarm(NODE)``, with the node that it is about, or ``alarm(NODE;NAME)`` for one of its
conditions. Its point has the server's levels 1 and 2 for set-points and nothing else that judges.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from contract.points import PointSpec, PointType
from drivers.base import PointFault
from drivers.numbers import examine_numbers

IDENTIFIER_LENGTH_MAX: Final = 4096
"""OPC 10000-3, clause 8.2.4."""
NUMBER_MAX: Final = 2**32 - 1

_SHAPE: Final = re.compile(r"(?:nsu=(?P<uri>[^;]*);)?(?P<kind>[isgb])=(?P<identifier>.*)\Z", re.DOTALL)
_INDEX: Final = re.compile(r"(svr=[0-9]*;)?ns=(?P<index>[0-9]*);(?P<rest>.*)\Z", re.DOTALL)
_DIGITS: Final = re.compile(r"[0-9]{1,10}\Z")
_GUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z")
_ALARM: Final = re.compile(r"alarm\((?P<node>(nsu=[^;]*;)?[^;]*)(;(?P<name>.*))?\)\Z", re.DOTALL)
_EXAMPLE: Final = "Write it as nsu=urn:maker:plant;s=TT-301"


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """``namespace`` is a URI, None for namespace 0, which is the same on every server."""

    namespace: str | None
    identifier: int | str | uuid.UUID | bytes


@dataclass(frozen=True, slots=True)
class AlarmAddress:
    """The conditions whose source is a node, or one of them by its name."""

    source: NodeAddress
    name: str | None


Address = NodeAddress | AlarmAddress


def examine(spec: PointSpec) -> tuple[Address | None, list[PointFault]]:
    """What a point stands for and all its faults; the former is None exactly when there are any."""
    faults = examine_numbers(spec)
    parsed = parse(spec.address)
    if isinstance(parsed, PointFault):
        return None, [*faults, parsed]
    if isinstance(parsed, AlarmAddress):
        faults += _examine_alarm(spec)
    return (None if faults else parsed), faults


def _examine_alarm(spec: PointSpec) -> Iterator[PointFault]:
    """What would judge once more what the server has judged: its levels 1 and 2 are handed on as they are."""
    limits = spec.limits
    if spec.type is not PointType.UINT16:
        yield PointFault("type", f"an alarm is no {spec.type}", "Give uint16: it is 0, 1 or 2")
    if not (limits.h == 1 and limits.hh == 2):
        column = "hh" if limits.h == 1 else "h"
        yield PointFault(column, "an alarm has the levels 1 and 2 of the server", "Give h 1 and hh 2")
    for column, value, plain in (
        ("scale", spec.scale, 1), ("offset", spec.offset, 0), ("deadband", limits.deadband, 0),
        ("on_delay_s", limits.on_delay_s, 0), ("on_delay_2_s", limits.on_delay_2_s, 0),
        ("off_delay_s", limits.off_delay_s, 0),
    ):  # fmt: skip
        if value != plain:
            yield PointFault(column, f"an alarm is judged by the server, without {column}", "Leave it empty")
    for column, value in (("ll", limits.ll), ("l", limits.l)):
        if not math.isnan(value):
            yield PointFault(column, "an alarm has no low set-points", "Leave it empty; LowLow is level 2, too")


def parse(text: str) -> Address | PointFault:
    """What the text names, or what is wrong with it."""
    alarm = _ALARM.match(text)
    if alarm is None:
        return _parse_node(text)
    if alarm["name"] == "":
        return PointFault("address", "the name of the condition is empty", "Leave out the last semicolon, or name one")
    source = _parse_node(alarm["node"])
    if isinstance(source, PointFault):
        return source
    identifier = source.identifier
    if isinstance(identifier, str):
        source = replace(source, identifier=_unescaped(identifier))
    return AlarmAddress(source, alarm["name"])


def _parse_node(text: str) -> NodeAddress | PointFault:
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
