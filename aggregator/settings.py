"""``aggregator.toml``: who this aggregator is and where it listens; everything else is decided by the program.

Reading checks the whole file and gives all faults at once.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final

import pydantic

from aggregator.alarms.policy import RE_ALARM_MIN_DEFAULT, SHELVE_MAX_H_DEFAULT, AlarmRules
from contract.clock import NS_PER_S
from contract.errors import ConfigError, Fault
from contract.ids import is_name

LISTEN_DEFAULT: Final = "tcp://127.0.0.1:7440"
WEB_DEFAULT: Final = "127.0.0.1:8440"
_LISTEN: Final = re.compile(r"tcp://(\*|[^\s:/\[\]]+|\[[0-9A-Fa-f:]+\]):(\*|[0-9]{1,5})\Z")
_WEB: Final = re.compile(r"(?P<host>[^\s:/\[\]]+|\[[0-9A-Fa-f:]+\]):(?P<port>[0-9]{1,5})\Z")
_PORT_MAX: Final = 65535

TEMPLATE: Final = """\
# An aggregator of parksentry. Change it while the aggregator is stopped; `aggregator run` reads it once.

# Name of this aggregator: agents show it and every journal record carries it, so it never changes.
name = "{name}"

# Where agents connect. Use tcp://*:7440 to let them in from outside this machine: only admitted keys get in.
listen = "{listen}"

[web]
# Pages and API of the control room.
listen = "{web}"

[alarms]
# An acknowledged safety alarm that still stands after so many minutes sounds again.
re_alarm_min = 60
# The longest that an alarm may be shelved, in hours.
shelve_max_h = 8
"""


def _check_name(text: str) -> str:
    if not is_name(text):
        raise ValueError("must be a letter or digit, then up to 63 letters, digits, _ . -")
    return text


def _check_listen(text: str) -> str:
    found = _LISTEN.match(text)
    if not found or (found[2] != "*" and int(found[2]) > _PORT_MAX):
        raise ValueError(f"must be tcp://ADDRESS:PORT, such as {LISTEN_DEFAULT}")
    return text


def _check_web(text: str) -> str:
    found = _WEB.match(text)
    if not found or int(found["port"]) > _PORT_MAX:
        raise ValueError(f"must be ADDRESS:PORT, such as {WEB_DEFAULT}")
    return text


class WebSettings(pydantic.BaseModel, extra="forbid", frozen=True):
    """Where the web process listens; port 0 takes any free one."""

    listen: Annotated[str, pydantic.AfterValidator(_check_web)] = WEB_DEFAULT

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


class AlarmSettings(pydantic.BaseModel, extra="forbid", frozen=True):
    """``re_alarm_min``: an acknowledged safety alarm that still stands then sounds again. ``shelve_max_h``: the longest
    that an alarm may be shelved."""

    re_alarm_min: Annotated[float, pydantic.Field(ge=1, le=24 * 60)] = RE_ALARM_MIN_DEFAULT
    shelve_max_h: Annotated[float, pydantic.Field(gt=0, le=24)] = SHELVE_MAX_H_DEFAULT

    @property
    def rules(self) -> AlarmRules:
        return AlarmRules(round(self.re_alarm_min * 60 * NS_PER_S), round(self.shelve_max_h * 3600 * NS_PER_S))


class Settings(pydantic.BaseModel, extra="forbid", frozen=True):
    """The whole file."""

    name: Annotated[str, pydantic.AfterValidator(_check_name)]
    listen: Annotated[str, pydantic.AfterValidator(_check_listen)] = LISTEN_DEFAULT
    web: WebSettings = WebSettings()
    alarms: AlarmSettings = AlarmSettings()


def parse(text: str, file: str) -> Settings:
    """Raises ConfigError with every fault."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([Fault(file, None, None, f"is no TOML: {error}", "Mend the line that it names")]) from error
    return validate(table, file)


def validate(table: dict[str, Any], file: str) -> Settings:
    """Raises ConfigError with every fault."""
    try:
        return Settings.model_validate(table)
    except pydantic.ValidationError as error:
        raise ConfigError([_fault(file, each) for each in error.errors()]) from error


def load(path: Path) -> Settings:
    """Raises ConfigError with every fault."""
    try:
        return parse(path.read_text("utf-8"), path.name)
    except (OSError, UnicodeDecodeError) as error:
        remedy = "Give the folder of an aggregator, or make one with `aggregator init DIR`"
        raise ConfigError([Fault(str(path), None, None, f"cannot be read: {error}", remedy)]) from error


def _fault(file: str, error: Any) -> Fault:
    column = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return Fault(file, None, column, "is no setting", "Remove it, or mend its spelling")
    message = error["msg"].removeprefix("Value error, ")
    return Fault(file, None, column, message[:1].lower() + message[1:], "Mend the value")
