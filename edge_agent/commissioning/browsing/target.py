"""Which server is meant, and with what security: an endpoint with options, or a device of an agent's folder.

Reads ``agent.toml`` and the files of certificates; the folder need not be complete, since browsing comes before the list.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from contract.errors import ConfigError, Fault
from drivers.opcua.security import Credentials, CredentialsError, read_credentials
from drivers.opcua.settings import OpcUaSettings
from edge_agent.settings.agent_file import AGENT_FILE, DeviceEntry, read_agent_file

SCHEME: Final = "opc.tcp://"
_SHORT: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):[0-9]+(/\S*)?", re.ASCII)
"""An endpoint without its scheme."""
_OPTIONS: Final = {
    "endpoint": "ENDPOINT",
    "security": "--policy",
    "security_mode": "--mode",
    "certificate_file": "--certificate",
    "private_key_file": "--key",
    "server_certificate_file": "--server-certificate",
    "username": "--user",
    "password_file": "--password-file",
    "timeout_s": "--timeout",
}
"""What a person typed for each setting."""


@dataclass(frozen=True, slots=True)
class Target:
    """``device`` is empty where only an endpoint was given; ``names`` are taken in the folder already."""

    device: str
    settings: OpcUaSettings
    credentials: Credentials
    names: frozenset[str] = frozenset()


def endpoint_of(text: str) -> str | None:
    """The endpoint that is meant, with its scheme; None where a folder is. ``host:port`` is short for one."""
    if text.startswith(SCHEME):
        return text
    return SCHEME + text if _SHORT.fullmatch(text) and not Path(text).exists() else None


def of_endpoint(given: dict[str, Any], password: str | None) -> Target:
    """``given`` are settings; None stands for what was not given. Raises ConfigError."""
    try:
        settings = OpcUaSettings(**{key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        raise ConfigError([_fault(each) for each in error.errors()]) from error
    needed = ("certificate_file", "private_key_file", "server_certificate_file")
    missing = [_OPTIONS[key] for key in needed if settings.security != "None" and getattr(settings, key) is None]
    if missing:
        remedy = "Make the first two with edge-agent opcua-certificate; get the server's from the server"
        raise ConfigError([Fault("command line", None, each, "is needed with --policy", remedy) for each in missing])
    return Target("", settings, _credentials(settings, password))


def _fault(error: Any) -> Fault:
    key = str(error["loc"][0]) if error["loc"] else "endpoint"
    message = str(error["msg"]).removeprefix("Value error, ")
    return Fault("command line", None, _OPTIONS.get(key, key), message, "See edge-agent browse --help")


def of_folder(directory: Path, device: str | None, timeout_s: float) -> Target:
    """A device of the folder; the only one that speaks OPC UA where none is named. Raises ConfigError."""
    try:
        data = (directory / AGENT_FILE).read_bytes()
    except OSError as error:
        remedy = f"Give a folder with {AGENT_FILE}, or an endpoint that begins with {SCHEME}"
        raise ConfigError(
            [Fault(str(directory / AGENT_FILE), None, None, f"cannot be read ({error})", remedy)]
        ) from error
    faults: list[Fault] = []
    devices = read_agent_file(data, faults).devices or ()
    usable = [each for each in devices if isinstance(each.settings, OpcUaSettings)]
    chosen = [each for each in usable if device in {None, each.name}]
    if len(chosen) != 1:
        raise ConfigError([*faults, _not_one(device, usable)])
    settings = chosen[0].settings
    assert isinstance(settings, OpcUaSettings)
    files = {key: str(directory / file) for key, file in settings if key.endswith("_file") and file is not None}
    settings = settings.model_copy(update={**files, "timeout_s": max(timeout_s, settings.timeout_s)})
    return Target(chosen[0].name, settings, _credentials(settings, None), frozenset(each.name for each in devices))


def _not_one(device: str | None, usable: list[DeviceEntry]) -> Fault:
    known = ", ".join(each.name for each in usable)
    which = "several devices speak OPC UA" if usable else "no device speaks OPC UA"
    message = f"there is no device '{device}' that speaks OPC UA" if device else which
    remedy = f"Name one of: {known}" if known else 'Add a [[device]] with driver = "opcua", or give an endpoint'
    return Fault(AGENT_FILE, None, "device", message, remedy)


def _credentials(settings: OpcUaSettings, password: str | None) -> Credentials:
    try:
        credentials = read_credentials(settings)
    except CredentialsError as error:
        remedy = "See to the file; drivers/opcua/README.md tells what each is for"
        raise ConfigError([Fault("security", None, _OPTIONS.get(error.key, error.key), str(error), remedy)]) from error
    return credentials if password is None else replace(credentials, password=password)
