"""Commands and answers as bytes: msgpack between two processes of one aggregator, bounded and checked all the same."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

import msgpack

from aggregator.commands.refusal import RefusalCode, RefusedError
from contract.errors import FrameError
from contract.events import Json

VERSION: Final = 1
COMMAND_BYTES_MAX: Final = 64 * 1024
PING: Final = "ping"
_VERB: Final = re.compile(r"[a-z][a-z_]{0,63}\Z")
_SESSION: Final = re.compile(r"[0-9a-f]{64}\Z")
_STATION_LENGTH_MAX: Final = 128


@dataclass(frozen=True, slots=True)
class Command:
    """``session`` is the hex sha256 of the person's session token; None for the console of this machine, and for
    signing in. ``station`` is where the person sits, as the web knows it."""

    verb: str
    args: dict[str, Json] = field(default_factory=dict)
    session: str | None = None
    station: str = ""


def encode_command(number: int, command: Command) -> bytes:
    """Raises RefusedError where it would be larger than COMMAND_BYTES_MAX."""
    data: bytes = msgpack.packb(
        {"v": VERSION, "id": number, "verb": command.verb, "args": json.dumps(command.args),
         "session": command.session, "station": command.station}
    )  # fmt: skip
    if len(data) > COMMAND_BYTES_MAX:
        raise RefusedError(RefusalCode.INVALID, field="args", message=f"larger than {COMMAND_BYTES_MAX} bytes")
    return data


def decode_command(data: bytes) -> tuple[int, Command]:
    """Number and command. Raises FrameError naming the field at fault."""
    if len(data) > COMMAND_BYTES_MAX:
        raise FrameError("command", f"larger than {COMMAND_BYTES_MAX} bytes")
    table = _table(data)
    verb, session, station = table.get("verb"), table.get("session"), table.get("station")
    if not isinstance(verb, str) or not _VERB.match(verb):
        raise FrameError("verb", "is no verb")
    if session is not None and not (isinstance(session, str) and _SESSION.match(session)):
        raise FrameError("session", "is no digest of a token")
    if not isinstance(station, str) or len(station) > _STATION_LENGTH_MAX:
        raise FrameError("station", f"must be text of up to {_STATION_LENGTH_MAX} characters")
    return table["id"], Command(verb, _args(table), session, station)


def encode_answer(number: int, result: dict[str, Json] | RefusedError) -> bytes:
    answer: dict[str, Any] = {"v": VERSION, "id": number}
    if isinstance(result, RefusedError):
        answer |= {"code": result.code.value, "params": json.dumps(result.params)}
    else:
        answer |= {"result": json.dumps(result)}
    data: bytes = msgpack.packb(answer)
    return data


def decode_answer(data: bytes) -> tuple[int, dict[str, Json] | RefusedError]:
    """Raises FrameError."""
    table = _table(data)
    if "code" in table:
        return table["id"], RefusedError(RefusalCode(table["code"]), **json.loads(table["params"]))
    return table["id"], json.loads(table["result"])


def _table(data: bytes) -> dict[str, Any]:
    try:
        table = msgpack.unpackb(data)
    except (ValueError, msgpack.UnpackException) as error:
        raise FrameError("message", "is no msgpack") from error
    if not isinstance(table, dict) or table.get("v") != VERSION or not isinstance(table.get("id"), int):
        raise FrameError("message", "is of another version")
    return table


def _args(table: dict[str, Any]) -> dict[str, Json]:
    try:
        args = json.loads(table["args"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise FrameError("args", "is no JSON") from error
    if not isinstance(args, dict):
        raise FrameError("args", "must be an object")
    return args
