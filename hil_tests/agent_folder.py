"""A copy of an agent's folder, set up for the ports of one run.

The samples in ``configs/`` name fixed ports, so that they can be tried by hand; a run takes free ones, and its own
copies name those. Reads ``agent.toml`` and ``points.csv``; writes ``agent.toml``.
"""

from __future__ import annotations

import csv
import json
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract.errors import ConfigError, Fault
from hil_tests.latency import Marker
from hil_tests.rig.registers import Table
from hil_tests.rig.signals import Constant, Counter
from hil_tests.rig.site import Device, ModbusSpec, Register, Site

AGENT_FILE = "agent.toml"
POINTS_FILE = "points.csv"
GAS_UNITS = frozenset({"mg/m3", "ppm", "%LEL"})
SERVER_KEY_FILE = "keys/aggregator.pub"


def read_agent_file(folder: Path) -> dict[str, Any]:
    """Raises ConfigError when there is no such file or it is no TOML; what it says is the agent's matter."""
    try:
        return tomllib.loads((folder / AGENT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        remedy = f"Give an agent's folder, with {AGENT_FILE} and {POINTS_FILE}."
        raise ConfigError([Fault(str(folder / AGENT_FILE), None, None, f"cannot be read ({error})", remedy)]) from error


def agent_name(folder: Path) -> str:
    """Raises ConfigError where the file gives none."""
    name = read_agent_file(folder).get("agent", {}).get("name")
    if not isinstance(name, str) or not name:
        raise ConfigError([Fault(AGENT_FILE, None, "agent.name", "is missing", "Give the agent a name.")])
    return name


def copy_for_run(folder: Path, target: Path, endpoint: str, places: Mapping[str, int | str]) -> None:
    """Copy configuration (no keys, no data) and point it at this run's aggregator and devices."""
    target.mkdir(parents=True)
    shutil.copyfile(folder / POINTS_FILE, target / POINTS_FILE)
    settings = read_agent_file(folder)
    for destination in settings.get("destination", ()):
        destination |= {"endpoints": [endpoint], "server_key_file": SERVER_KEY_FILE}
    for device in settings.get("device", ()):
        if device.get("name") in places:
            device.update(_place(device, places[device["name"]]))
    (target / AGENT_FILE).write_text(toml_text(settings), encoding="utf-8")


def _place(device: Mapping[str, Any], port: int | str) -> Mapping[str, Any]:
    """Where this run's device is to be found, in the keys of its driver."""
    if isinstance(port, str):
        return {"serial_port": port}
    if "endpoint" in device:
        return {"endpoint": f"opc.tcp://127.0.0.1:{port}/"}
    return {"host": "127.0.0.1", "port": port}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a point is read: a device, and the register or bit at it of a Modbus one."""

    tag: str
    device: str
    table: Table | None = None
    address: int = 0


def places(folder: Path) -> list[Place]:
    """Of each point of an agent, and of its devices' own."""
    rows = _rows(folder)
    measured = [
        Place(row["tag"], row["device"], Table(row["register"]), int(row["address"]))
        if row.get("register") else Place(row["tag"], row["device"])
        for row in rows
    ]  # fmt: skip
    return [*measured, *(Place(name, name) for name in dict.fromkeys(each.device for each in measured))]


def markers(folder: Path, site: Site) -> list[Marker]:
    """The points of an agent that read a square wave of the site's devices."""
    agent = agent_name(folder)
    waves = {
        (device.name, each.table, each.address): each.name
        for device in site.devices
        if isinstance(device, ModbusSpec)
        for each in device.registers
        if _is_wave(each)
    }
    return [
        Marker(agent, row["tag"], place[0], waves[place], place[1], place[2])
        for row in _rows(folder)
        if row["register"] and (place := (row["device"], Table(row["register"]), int(row["address"]))) in waves
    ]


def without_markers(site: Site) -> Site:
    """The same site, its square waves standing still at 0: there is nothing that could be timed, and nothing to read
    past."""
    return site.model_copy(update={"devices": tuple(_still(each) for each in site.devices)})


def _still(device: Device) -> Device:
    if not isinstance(device, ModbusSpec):
        return device
    zero = {"signal": Constant(kind="constant", value=0)}
    still = tuple(each.model_copy(update=zero) if _is_wave(each) else each for each in device.registers)
    return device.model_copy(update={"registers": still})


def _is_wave(register: Register) -> bool:
    return isinstance(register.signal, Counter) and register.signal.modulo == 2


def descriptions(folder: Path) -> dict[str, str]:
    """What each point of an agent is, in English, by tag."""
    return {row["tag"]: row["description"].rpartition(" / ")[2] for row in _rows(folder)}


def gas_setpoints(folder: Path) -> dict[str, float]:
    """Level 1 of each gas detector, in its unit, by tag."""
    return {row["tag"]: float(row["h"]) for row in _rows(folder) if row["unit"] in GAS_UNITS and row["h"]}


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / POINTS_FILE).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def toml_text(settings: Mapping[str, Any]) -> str:
    """Tables and arrays of tables, one level deep, as TOML."""
    return "\n".join(line for name, value in settings.items() for line in _tables(name, value)) + "\n"


def _tables(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield f"[{name}]"
        yield from _keys(value)
    elif isinstance(value, list) and all(isinstance(each, Mapping) for each in value):
        for each in value:
            yield f"[[{name}]]"
            yield from _keys(each)
    else:
        raise ConfigError([Fault(AGENT_FILE, None, name, "stands outside any table", "Put it into its table.")])


def _keys(table: Mapping[str, Any]) -> Iterator[str]:
    """JSON's texts, numbers, booleans and lists of them are TOML's as well."""
    for key, value in table.items():
        yield f"{key} = {json.dumps(value, ensure_ascii=False)}"
    yield ""
