"""Which gateways, as people write them, and which folder is whose. Pure.

A target is ``[user@]host[:port]``, an IPv6 address in brackets where a port follows. ``DIR/<host>`` is the folder of a host; a
DIR that is itself an agent's folder goes to one host alone, since an agent's name and keys are one gateway's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contract.errors import Fault

HOSTS_MAX: Final = 1000
_TARGET: Final = re.compile(
    r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})@)?"
    r"(?:\[(?P<six>[0-9A-Fa-f:.]{2,45}(?:%[\w.-]+)?)\]|(?P<name>[A-Za-z0-9_][A-Za-z0-9._-]{0,252}))"
    r"(?::(?P<port>[0-9]{1,5}))?\Z"
)
_REMEDY: Final = "Write it as ssh does, with the port behind it: user@host, user@host:22, [fe80::1]:22"


@dataclass(frozen=True, slots=True)
class Target:
    """One gateway. ``user`` and ``port`` are None where ssh's own configuration shall say."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (f"{self.user}@" if self.user else "") + host + (f":{self.port}" if self.port is not None else "")


def parse_target(text: str) -> Target | None:
    """None where the text is no target."""
    match = _TARGET.match(text)
    if match is None or not 1 <= int(match["port"] or 22) <= 65535:
        return None
    port = int(match["port"]) if match["port"] else None
    return Target(match["six"] or match["name"], match["user"], port)


def read_targets(words: Sequence[str], file: str | None, text: str, faults: list[Fault]) -> list[Target]:
    """The targets of the command line, then those of a hosts file, a line each, ``#`` begins a comment."""
    places: list[tuple[str, int | None, str]] = [("HOST", None, word) for word in words]
    for number, line in enumerate(text.splitlines(), 1):
        if word := line.partition("#")[0].strip():
            places.append((file or "", number, word))
    targets: dict[str, Target] = {}
    for where, row, word in places[:HOSTS_MAX]:
        target = parse_target(word)
        if target is None:
            faults.append(Fault(where, row, None, f"{word[:80]!r} is no host", _REMEDY))
        elif target.host in targets:
            faults.append(Fault(where, row, None, f"{target.host} is named twice", "Name each gateway once"))
        else:
            targets[target.host] = target
    if len(places) > HOSTS_MAX:
        faults.append(Fault("HOST", None, None, f"there are more than {HOSTS_MAX} hosts", "Push to them in parts"))
    if not places:
        faults.append(Fault("HOST", None, None, "there is no host", "Name hosts, or give a file: --hosts FILE"))
    return [*targets.values()]
