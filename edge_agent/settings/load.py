"""A folder becomes an ``AgentConfig``, or one ConfigError with every fault of every file in it. Touches files only.

``agent.toml`` (``agent_file``), ``points.csv`` (``io_list``) and the key files they name are read here; the result goes to
the composition root and to the command that checks a folder. Nothing is applied unless all of it is right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel

from contract.errors import ConfigError, Fault
from contract.ids import AgentName
from contract.keys import PublicKeys, SecretKeys, generate, parse_public, parse_secret
from contract.points import PointRole, PointSpec, PointType
from contract.wire.frames import POINTS_PER_AGENT_MAX
from edge_agent.settings import model
from edge_agent.settings.agent_file import (
    AGENT_FILE,
    DEVICES_MAX,
    AgentFile,
    AgentTable,
    DestinationTable,
    DeviceEntry,
    read_agent_file,
    read_agent_table,
)
from edge_agent.settings.io_list import POINTS_FILE, IoList, OtherRow, Surroundings, read_io_list
from edge_agent.settings.models.accepted import (
    ACCEPTED_FILE,
    ACCEPTED_FILE_BYTES_MAX,
    Acceptance,
    check_accepted,
    read_accepted,
)
from edge_agent.settings.models.expansion import Use
from edge_agent.settings.models.library import find, model_files
from edge_agent.settings.models.template import Model
from edge_agent.settings.models.uses import DEVICES_FILE, Completed, complete, read_devices_file
from edge_agent.settings.preview import driver_faults
from edge_agent.settings.suggest import shown

AGENT_FILE_BYTES_MAX: Final = 1024 * 1024
POINTS_FILE_BYTES_MAX: Final = 4 * 1024 * 1024
"""With this the whole catalogue fits into one frame to the aggregator."""
KEY_FILE_BYTES_MAX: Final = 64 * 1024
FAULTS_MAX: Final = 1000
_UNREADABLE_ORGANISATION: Final = "?"
"""Stands in for a faulty organisation, so that sources can be checked all the same."""
_SAMPLE_REMEDY: Final = "Give the folder of an agent; configs/ has samples to copy"
_POINTS_REMEDY: Final = (
    "edge-agent import makes it of an I/O list, edge-agent browse --out of an OPC UA server, edge-agent try --accept of registers; "
    "or copy that of a sample in configs/"
)
_DEVICE_KEY: Final = re.compile(r"device\.([0-9]{1,5})\.(.+)\Z")
K = TypeVar("K", PublicKeys, SecretKeys)


def load(directory: Path, *, keys_here: bool = True) -> model.AgentConfig:
    """Read and check a whole folder, offline.

    ``keys_here`` False is for the folder of a gateway that is elsewhere, where its keys stay: neither key files nor others
    that devices name are missed. Keys made for the moment stand in for them, so ``config_hash`` is nobody's.

    Raises ConfigError with all faults: first those of ``agent.toml``, then of ``points.csv`` in order of rows, then of key
    files. Only where these have none are the drivers asked whether they can do what they are told.
    """
    _refuse_no_folder(directory)
    faults: list[Fault] = []
    agent_file, made = read_devices(directory, faults)
    io_list = _read_io_list(directory, agent_file, made.rows, faults)
    if not any(
        fault.file in {POINTS_FILE, DEVICES_FILE} for fault in faults
    ):  # a mistyped device is no second fault elsewhere
        faults += _use_faults(agent_file, io_list, is_listed=(directory / POINTS_FILE).exists())
    if keys_here:
        keys = _read_own_keys(directory, agent_file.agent, faults)
        destinations = [_read_destination(directory, each, faults) for each in agent_file.destinations]
    else:
        keys = generate("elsewhere")
        destinations = [
            model.Destination(each.name, tuple(each.endpoints), keys.public, each.mandatory)
            for each in agent_file.destinations
        ]
    _refuse(faults)
    assert keys is not None
    config = _assemble(directory, agent_file, io_list, keys, [each for each in destinations if each])
    config = replace(config, open_items=tuple(made.open))
    found = [_placed_fault(fault, agent_file.devices or ()) for fault in driver_faults(config)]
    _refuse([fault for fault in found if keys_here or not _is_of_a_file(fault)])
    return config


def read_devices(directory: Path, faults: list[Fault]) -> tuple[AgentFile, Completed]:
    """All devices of the folder, those of ``devices.csv`` and of models, too; and the rows that models bring."""
    devices_csv = _read_optional(directory, DEVICES_FILE, POINTS_FILE_BYTES_MAX, faults)
    agent_file = _read_agent_file(directory, faults, more_devices=devices_csv is not None)
    return _with_models(directory, agent_file, devices_csv, faults)


def _is_of_a_file(fault: Fault) -> bool:
    """Of a certificate, key or password file that a device names (see ``_placed``)."""
    return fault.column is not None and fault.column.endswith("_file")


def read_identity(directory: Path) -> model.Identity:
    """The agent's name and where its keys belong, before there are any. Raises ConfigError."""
    _refuse_no_folder(directory)
    faults: list[Fault] = []
    data = _read(directory, AGENT_FILE, AGENT_FILE_BYTES_MAX, _SAMPLE_REMEDY, faults)
    table = None if data is None else read_agent_table(data, faults)
    _refuse(faults)
    assert table is not None
    return model.Identity(AgentName(table.name), directory / table.key_file)


def read_outbox_directory(directory: Path) -> Path:
    """Where the agent keeps its data, whatever the rest of the folder is like. Raises ConfigError."""
    _refuse_no_folder(directory)
    faults: list[Fault] = []
    outbox = _read_agent_file(directory, faults).outbox
    if outbox is None:
        raise ConfigError(faults)
    return directory / outbox.directory


def _refuse_no_folder(directory: Path) -> None:
    """Said once, and not for each file in it."""
    if directory.is_file():
        remedy = f"Give the folder that it lies in: {directory.parent}"
        raise ConfigError([Fault(str(directory), None, None, "this is a file, and no agent's folder", remedy)])
    if not directory.exists():
        raise ConfigError([Fault(str(directory), None, None, "there is no folder of this name", _SAMPLE_REMEDY)])


def _refuse(faults: Sequence[Fault]) -> None:
    if not faults:
        return
    more = len(faults) - FAULTS_MAX
    if more > 0:
        last = Fault(faults[FAULTS_MAX].file, None, None, f"and {more} faults more", "Mend those above first")
        raise ConfigError([*faults[:FAULTS_MAX], last])
    raise ConfigError(faults)


def _read(directory: Path, name: str, bytes_max: int, absent_remedy: str, faults: list[Fault]) -> bytes | None:
    """A file of the folder, whole; None with a fault where it cannot be had."""
    try:
        with (directory / name).open("rb") as file:
            data = file.read(bytes_max + 1)
    except FileNotFoundError:
        faults.append(Fault(name, None, None, "the file is not there", absent_remedy))
        return None
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        faults.append(Fault(name, None, None, f"the file cannot be read ({error})", "See to its name and permissions"))
        return None
    if len(data) > bytes_max:
        faults.append(Fault(name, None, None, f"the file is larger than {bytes_max} bytes", "Is it the right one?"))
        return None
    return data


def _read_optional(directory: Path, name: str, bytes_max: int, faults: list[Fault]) -> bytes | None:
    """A file that need not be there."""
    return _read(directory, name, bytes_max, "", faults) if (directory / name).exists() else None


def _read_agent_file(directory: Path, faults: list[Fault], *, more_devices: bool = False) -> AgentFile:
    data = _read(directory, AGENT_FILE, AGENT_FILE_BYTES_MAX, _SAMPLE_REMEDY, faults)
    return AgentFile() if data is None else read_agent_file(data, faults, more_devices=more_devices)


def models_in_use(directory: Path) -> tuple[Mapping[str, str], Mapping[str, Model]]:
    """The model of each device that is of one, and these models; whatever the rest of the folder is like. Raises ConfigError."""
    _refuse_no_folder(directory)
    faults: list[Fault] = []
    devices_csv = _read_optional(directory, DEVICES_FILE, POINTS_FILE_BYTES_MAX, faults)
    agent_file = _read_agent_file(directory, faults, more_devices=devices_csv is not None)
    uses, models = _uses(directory, agent_file, devices_csv, faults)
    _refuse(faults)
    return {use.name: use.model for use in uses}, _sound(models)


def _uses(
    directory: Path, agent_file: AgentFile, devices_csv: bytes | None, faults: list[Fault]
) -> tuple[list[Use], Mapping[str, Model | None]]:
    """What is of a model, and the models. Those that nobody can use are not read."""
    uses = [each.use for each in agent_file.devices or () if each.use]
    models = find(directory, None if devices_csv is not None else {use.model for use in uses}, faults)
    if devices_csv is not None:
        uses += read_devices_file(devices_csv, models, DEVICES_MAX, faults)
    return uses, models


def _with_models(
    directory: Path, agent_file: AgentFile, devices_csv: bytes | None, faults: list[Fault]
) -> tuple[AgentFile, Completed]:
    """The devices as they are after their models, and what these bring."""
    uses, models = _uses(directory, agent_file, devices_csv, faults)
    acceptances: Sequence[Acceptance] = ()
    if (data := _read_optional(directory, ACCEPTED_FILE, ACCEPTED_FILE_BYTES_MAX, faults)) is not None:
        acceptances = read_accepted(data, faults)
        check_accepted(acceptances, {use.name: use.model for use in uses}, _sound(models), faults)
    made = complete(uses, {**dict.fromkeys(model_files(directory)), **models}, acceptances, faults)
    if agent_file.devices is None:
        return agent_file, made
    devices = agent_file.made_of(made.devices)
    first: dict[str, DeviceEntry] = {}
    for each in devices:
        if each.name and first.setdefault(each.name, each) is not each and (each.use and not each.use.origin.path):
            message = f"{shown(each.name)} is also the name of another device"
            faults.append(Fault(*each.place, message, "Give each a name of its own"))
    if len(devices) > DEVICES_MAX:
        message = f"there are {len(devices)} devices with those of {AGENT_FILE}, more than {DEVICES_MAX}"
        faults.append(Fault(DEVICES_FILE, None, None, message, "Share them out among several agents"))
    return replace(agent_file, devices=devices), made


def _sound(models: Mapping[str, Model | None]) -> Mapping[str, Model]:
    return {name: model for name, model in models.items() if model is not None}


def _placed_fault(fault: Fault, devices: Sequence[DeviceEntry]) -> Fault:
    """A driver's fault of a device that has no table of its own, at its row."""
    found = _DEVICE_KEY.match(fault.column or "") if fault.file == AGENT_FILE else None
    use = devices[int(found[1]) - 1].use if found and int(found[1]) <= len(devices) else None
    if found is None or use is None:
        return fault
    return Fault(*use.origin.place(*found[2].split(".")), fault.message, fault.remedy)


def _read_io_list(
    directory: Path, agent_file: AgentFile, others: Sequence[OtherRow], faults: list[Fault]
) -> IoList | None:
    """With rows of models the list itself need not be there, or may be empty."""
    if others and not (directory / POINTS_FILE).exists():
        data = None
    elif (data := _read(directory, POINTS_FILE, POINTS_FILE_BYTES_MAX, _POINTS_REMEDY, faults)) is None:
        return None
    size = len(data or b"") + sum(len(text.encode()) + 1 for row in others for text in row.cells.values())
    if size > POINTS_FILE_BYTES_MAX:
        message = f"the points of all models and this list have {size} bytes, more than {POINTS_FILE_BYTES_MAX}"
        faults.append(Fault(POINTS_FILE, None, None, message, "Share them out among several agents"))
        return None
    agent, telemetry, devices = agent_file.agent, agent_file.telemetry, agent_file.devices
    surroundings = Surroundings(
        organisation=agent.organisation if agent else _UNREADABLE_ORGANISATION,
        devices=None if devices is None else {each.name: each.factory for each in devices if each.name},
        report_deadband=None if telemetry and telemetry.report == "all" else 0.0,
    )
    return read_io_list(data, surroundings, faults, others)


def _use_faults(agent_file: AgentFile, io_list: IoList | None, *, is_listed: bool) -> list[Fault]:
    """What only both files together show: devices without a point, and too many points with the devices' own."""
    if io_list is None or agent_file.devices is None:
        return []
    idle = [each for each in agent_file.devices if each.name and each.name not in io_list.devices]
    faults = [
        Fault(*each.place, f"no row of {POINTS_FILE} reads {each.name}", "Add points for it, or remove the device")
        for each in idle
    ]
    if idle and not is_listed:
        names = ", ".join(shown(each.name) for each in idle)
        faults = [Fault(POINTS_FILE, None, None, f"the file is not there, and no point reads {names}", _POINTS_REMEDY)]
    if (count := len(io_list.points) + len(agent_file.devices)) > POINTS_PER_AGENT_MAX:
        message = f"there are {count} points with one for each device, more than {POINTS_PER_AGENT_MAX}"
        faults.append(Fault(POINTS_FILE, None, None, message, "Share them out among several agents"))
    return faults


def _read_own_keys(directory: Path, agent: AgentTable | None, faults: list[Fault]) -> SecretKeys | None:
    if agent is None:
        return None
    make = f"Run: edge-agent keygen {directory}"
    keys = _read_keys(directory, agent.key_file, parse_secret, make, faults)
    if keys is not None and keys.public.name != agent.name:
        message = f"these are the keys of {keys.public.name}, and this agent is {agent.name}"
        faults.append(Fault(agent.key_file, None, "name", message, f"Each agent needs keys of its own. {make}"))
    return keys


def _read_destination(directory: Path, table: DestinationTable, faults: list[Fault]) -> model.Destination | None:
    remedy = (
        "Copy the aggregator's keys/aggregator.pub there; until there is one, a copy of keys/agent.pub stands in for it"
    )
    keys = _read_keys(directory, table.server_key_file, parse_public, remedy, faults)
    if keys is None:
        return None
    return model.Destination(table.name, tuple(table.endpoints), keys, table.mandatory)


def _read_keys(
    directory: Path, name: str, parse: Callable[[str, str], K], absent_remedy: str, faults: list[Fault]
) -> K | None:
    data = _read(directory, name, KEY_FILE_BYTES_MAX, absent_remedy, faults)
    if data is None:
        return None
    try:
        return parse(data.decode(), name)
    except ConfigError as error:
        faults.extend(error.faults)
    except (ValueError, RecursionError):  # not UTF-8, or TOML beyond what its reader takes
        faults.append(Fault(name, None, None, "this is not a key file", absent_remedy))
    return None


def _assemble(
    directory: Path, file: AgentFile, io_list: IoList | None, keys: SecretKeys, destinations: list[model.Destination]
) -> model.AgentConfig:
    """Everything is right by now, so nothing here can fail."""
    agent, telemetry, outbox, entries = file.agent, file.telemetry, file.outbox, file.devices
    assert agent and telemetry and outbox and entries and io_list  # noqa: PT018 - each is None only beside a fault
    by_device: dict[str, list[PointSpec]] = {}
    for point in io_list.points:
        by_device.setdefault(point.device, []).append(point)
    own = sorted((_device_point(each, agent.organisation, by_device[each.name]) for each in entries), key=_by_tag)
    points = (*own, *sorted(io_list.points, key=_by_tag))
    return model.AgentConfig(
        directory=directory,
        name=AgentName(agent.name),
        organisation=agent.organisation,
        keys=keys,
        destinations=tuple(destinations),
        devices=tuple(
            model.Device(each.name, each.driver, _placed(each.settings, directory)) for each in entries if each.settings
        ),
        points=points,
        rows=io_list.rows,
        telemetry=model.Telemetry(telemetry.chunk_s, telemetry.spool_s, telemetry.report),
        outbox=model.Outbox(directory / outbox.directory, outbox.budget_mb * 1024 * 1024, outbox.keep_acked_h),
        config_hash=model.config_hash(_meaning(file, destinations), points),
        recording=model.Recording(directory / file.recording.directory, file.recording.budget_mb * 1024 * 1024)
        if file.recording
        else None,
    )


def _placed(settings: BaseModel, directory: Path) -> BaseModel:
    """A driver's keys that name a file (``..._file``) are relative to the folder, as all others are."""
    files = {key: file for key, file in settings if key.endswith("_file") and file is not None}
    return settings.model_copy(update={key: str(directory / file) for key, file in files.items()})


def _by_tag(point: PointSpec) -> str:
    return point.tag


def _device_point(device: DeviceEntry, organisation: str, points: Sequence[PointSpec]) -> PointSpec:
    """The device's own point: 1 while it answers. It goes stale with the fastest of its points."""
    fastest = min(points, key=lambda point: point.stale_s)
    return PointSpec(
        id=0,
        tag=device.name,
        org=organisation,
        device=device.name,
        role=PointRole.DEVICE,
        type=PointType.BIT,
        unit="state",
        poll_s=fastest.poll_s,
        stale_s=fastest.stale_s,
    )


def _meaning(file: AgentFile, destinations: Sequence[model.Destination]) -> dict[str, object]:
    """Plain data for ``model.config_hash``: keys by content instead of by file name."""
    rooms = [
        {
            "name": each.name,
            "endpoints": list(each.endpoints),
            "mandatory": each.mandatory,
            "curve_public": each.server_keys.curve_public.hex(),
            "ed25519_public": each.server_keys.ed25519_public.hex(),
        }
        for each in destinations
    ]
    return {**file.tables(), "destination": sorted(rooms, key=lambda room: str(room["name"]))}
