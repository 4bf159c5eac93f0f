"""``agent.toml`` becomes typed tables or faults by key. Pure but for the drivers' settings models.

Each table is read on its own, so a fault in one hides none in another. Lists are counted from 1 in the path of a key, as
``device.2.port``. What the tables mean is in the fields below; their descriptions are the remedies of faults.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator

from contract.errors import Fault
from contract.ids import is_name, is_org_path
from drivers.base import DriverFactory
from drivers.catalogue import DRIVERS, FORMER_NAMES
from edge_agent.settings.model import ReportMode
from edge_agent.settings.models.expansion import Use
from edge_agent.settings.models.uses import Made, read_use
from edge_agent.settings.suggest import did_you_mean, shown

AGENT_FILE: Final = "agent.toml"
DESTINATIONS_MAX: Final = 8
ENDPOINTS_MAX: Final = 8
DEVICES_MAX: Final = 1024
"""Those of ``devices.csv`` with them: what a frame with latest values has room for."""

_ENDPOINT: Final = re.compile(r"tcp://(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}):(?P<port>[0-9]{1,5})\Z")
_NAME_REMEDY: Final = "Use a letter or digit, then up to 63 of letters, digits and _ . -"
Name = Annotated[str, Field(description=_NAME_REMEDY)]
FilePath = Annotated[str, Field(min_length=1, max_length=255, description="Give a path, relative to this folder")]
M = TypeVar("M", bound=BaseModel)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @field_validator("name", check_fields=False)
    @classmethod
    def _named(cls, name: str) -> str:
        if not is_name(name):
            raise ValueError("is not a name")
        return name


class AgentTable(_Table):
    """``[agent]``."""

    name: Name
    organisation: Annotated[str, Field(description="Give the enterprise's code: no blanks, commas, quotes or slashes")]
    key_file: FilePath = "keys/agent.key"

    @field_validator("organisation")
    @classmethod
    def _one_part(cls, organisation: str) -> str:
        if "/" in organisation or not is_org_path(organisation):
            raise ValueError("is not an organisation code")
        return organisation


class DestinationTable(_Table):
    """``[[destination]]``: a control room that is owed the data."""

    example: ClassVar = 'name = "park", endpoints = ["tcp://10.0.0.5:7440"], server_key_file = "keys/aggregator.pub"'
    name: Name
    endpoints: Annotated[
        list[str],
        Field(min_length=1, max_length=ENDPOINTS_MAX, description='Give a list such as ["tcp://10.0.0.5:7440"]'),
    ]
    server_key_file: FilePath = "keys/aggregator.pub"
    mandatory: Annotated[bool, Field(description="Write true or false")] = True

    @field_validator("endpoints")
    @classmethod
    def _connectable(cls, endpoints: list[str]) -> list[str]:
        for endpoint in endpoints:
            shape = _ENDPOINT.match(endpoint)
            if shape is None or not 1 <= int(shape["port"]) <= 65535:
                raise ValueError(f"has {shown(endpoint)}, which is not tcp://host:port")
        if len(set(endpoints)) < len(endpoints):
            raise ValueError("names one endpoint twice")
        return endpoints


class TelemetryTable(_Table):
    """``[telemetry]``."""

    chunk_s: Annotated[FiniteFloat, Field(ge=1, le=3600, description="Give 1 to 3600 seconds")] = 60.0
    spool_s: Annotated[FiniteFloat, Field(ge=0.1, le=60, description="Give 0.1 to 60 seconds")] = 1.0
    report: Annotated[ReportMode, Field(description='Write "exception" or "all"')] = "exception"


class OutboxTable(_Table):
    """``[outbox]``."""

    directory: FilePath = "data"
    budget_mb: Annotated[int, Field(ge=1, le=1_048_576, description="Give whole MiB, 1 to 1048576")] = 512
    keep_acked_h: Annotated[FiniteFloat, Field(ge=0, le=8784, description="Give 0 to 8784 hours")] = 48.0


class RecordingTable(_Table):
    """``[recording]``: there only where what is judged is recorded."""

    directory: FilePath = "recordings"
    budget_mb: Annotated[int, Field(ge=8, le=1_048_576, description="Give whole MiB, 8 to 1048576")] = 256


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """A ``[[device]]``. ``settings`` is None where the driver's keys are at fault, ``factory`` where it is not known.

    ``use`` is there where it is one of a model; what its driver is told stands there after ``made_of`` only.
    """

    position: int
    name: str
    driver: str
    factory: DriverFactory | None
    settings: BaseModel | None
    use: Use | None = None

    @property
    def place(self) -> tuple[str, int | None, str]:
        """Where its name stands, for faults."""
        return self.use.origin.place("name") if self.use else (AGENT_FILE, None, f"device.{self.position}.name")


@dataclass(frozen=True, slots=True)
class AgentFile:
    """What could be read; a table is None, an entry left out, where it is at fault."""

    agent: AgentTable | None = None
    destinations: Sequence[DestinationTable] = ()
    devices: Sequence[DeviceEntry] | None = None
    telemetry: TelemetryTable | None = None
    outbox: OutboxTable | None = None
    recording: RecordingTable | None = None

    def made_of(self, made: Sequence[Made]) -> Sequence[DeviceEntry]:
        """All devices: those that were here, with what was made of their models, then those of no table."""
        known = {each.use.origin: each for each in made}
        own = [
            DeviceEntry(each.position, each.name, known[each.use.origin].driver, known[each.use.origin].factory,
                        known[each.use.origin].settings, each.use)
            if each.use else each
            for each in self.devices or ()
        ]  # fmt: skip
        here = {each.use.origin for each in own if each.use}
        others = [each for each in made if each.use.origin not in here]
        return [
            *own,
            *(DeviceEntry(0, each.use.name, each.driver, each.factory, each.settings, each.use) for each in others),
        ]

    def tables(self) -> dict[str, Any]:
        """The meaning as plain data, entries by name; files of keys left to who reads them."""
        assert self.agent is not None
        assert self.telemetry is not None
        assert self.outbox is not None
        devices = [
            {"name": each.name, "driver": each.driver, "settings": each.settings.model_dump(mode="json")}
            for each in self.devices or ()
            if each.settings is not None
        ]
        return {
            "agent": self.agent.model_dump(exclude={"key_file"}),
            "device": sorted(devices, key=lambda device: str(device["name"])),
            "telemetry": self.telemetry.model_dump(),
            "outbox": self.outbox.model_dump(),
            **({"recording": self.recording.model_dump()} if self.recording else {}),
        }


@dataclass(slots=True)
class _Reader:
    faults: list[Fault]
    tables: dict[str, Any] = field(default_factory=dict)

    def add(self, path: str, message: str, remedy: str) -> None:
        self.faults.append(Fault(AGENT_FILE, None, path, message, remedy))

    def parse(self, data: bytes) -> bool:
        """True where the bytes are TOML; ``tables`` has it then."""
        try:
            self.tables = tomllib.loads(data.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            message, remedy = f"byte {error.start + 1} is not UTF-8 text", "Save the file as UTF-8"
        except ValueError as error:
            message, remedy = f"the file is not TOML: {error}", "Mend that line; texts stand in double quotes"
        except RecursionError:
            message, remedy = "the file is nested too deeply", "Write it anew from a sample"
        else:
            return True
        self.faults.append(Fault(AGENT_FILE, None, None, message, remedy))
        return False

    def model(self, model: type[M], data: object, path: str, more_keys: Sequence[str] = ()) -> M | None:
        """``data`` as ``model``; a fault for each key that is not as it must be."""
        try:
            return model.model_validate(data)
        except ValidationError as error:
            for each in error.errors(include_url=False, include_context=False):
                self._add_key(model, path, each, more_keys)
        return None

    def _add_key(self, model: type[BaseModel], path: str, error: Mapping[str, Any], more_keys: Sequence[str]) -> None:
        keys = [part + 1 if isinstance(part, int) else part for part in error["loc"]]
        where = ".".join(map(str, [path, *keys]))
        known = model.model_fields
        top = error["loc"][0] if error["loc"] else None
        remedy = (known[top].description if top in known else None) or "Correct it"
        match error["type"]:
            case "missing":
                self.add(where, "the key is missing", remedy)
            case "extra_forbidden":
                self.add(where, f"unknown key {shown(keys[-1])}", did_you_mean(str(keys[-1]), [*more_keys, *known]))
            case _:
                problem = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
                given = "the key" if error["input"] is None else shown(error["input"])  # TOML itself has no null
                self.add(where, f"{given} {problem}", remedy)

    def entries(self, table: str, count_max: int, example: str) -> list[Any] | None:
        """The tables ``[[table]]``; None where there are none that could be read."""
        entries = self.tables.get(table, [])
        if not isinstance(entries, list):
            self.add(table, "is a single table", f"Write [[{table}]] with two brackets")
        elif not entries:
            self.add(table, f"there is no [[{table}]]", f"Add one: {example}")
        elif len(entries) > count_max:
            self.add(table, f"there are {len(entries)}, more than {count_max}", "Share them out among several agents")
        else:
            return entries
        return None

    def unique(self, table: str, names: Sequence[tuple[int, str]]) -> None:
        first: dict[str, int] = {}
        for position, name in names:
            if first.setdefault(name, position) != position:
                message = f"{shown(name)} is also the name of {table} {first[name]}"
                self.add(f"{table}.{position}.name", message, "Give each a name of its own")


def read_agent_file(data: bytes, faults: list[Fault], *, more_devices: bool = False) -> AgentFile:
    """Read the whole file; what is wrong is added to ``faults``. With ``more_devices`` there need be none in it."""
    reader = _Reader(faults)
    if not reader.parse(data):
        return AgentFile()
    known = ("agent", "destination", "device", "telemetry", "outbox", "recording")
    for name in reader.tables.keys() - set(known):
        reader.add(name, f"unknown table {shown(name)}", did_you_mean(name, known))
    return AgentFile(
        agent=reader.model(AgentTable, reader.tables.get("agent", {}), "agent"),
        destinations=_read_destinations(reader),
        devices=_read_devices(reader, more_devices=more_devices),
        telemetry=reader.model(TelemetryTable, reader.tables.get("telemetry", {}), "telemetry"),
        outbox=reader.model(OutboxTable, reader.tables.get("outbox", {}), "outbox"),
        recording=reader.model(RecordingTable, reader.tables["recording"], "recording")
        if "recording" in reader.tables
        else None,
    )


def read_agent_table(data: bytes, faults: list[Fault]) -> AgentTable | None:
    """``[agent]`` alone, whatever the rest of the file is like as long as it is TOML."""
    reader = _Reader(faults)
    return reader.model(AgentTable, reader.tables.get("agent", {}), "agent") if reader.parse(data) else None


def _read_destinations(reader: _Reader) -> list[DestinationTable]:
    entries = reader.entries("destination", DESTINATIONS_MAX, DestinationTable.example) or []
    tables = [reader.model(DestinationTable, entry, f"destination.{i}") for i, entry in enumerate(entries, 1)]
    reader.unique("destination", [(i, table.name) for i, table in enumerate(tables, 1) if table])
    return [table for table in tables if table]


def _read_devices(reader: _Reader, *, more_devices: bool) -> list[DeviceEntry] | None:
    if more_devices and "device" not in reader.tables:
        return []
    example = 'name = "plc-1", driver = "modbus", host = "10.0.0.9"'
    entries = reader.entries("device", DEVICES_MAX, example)
    if entries is None:
        return None
    devices = [_read_device(reader, position, entry) for position, entry in enumerate(entries, 1)]
    reader.unique("device", [(device.position, device.name) for device in devices if device.name])
    return devices


def _read_device(reader: _Reader, position: int, entry: object) -> DeviceEntry:
    path = f"device.{position}"
    if not isinstance(entry, dict):
        reader.add(path, f"{shown(entry)} is not a table", "Write [[device]] and its keys below")
        return DeviceEntry(position, "", "", None, None)
    if "model" in entry:
        use = read_use(entry, path, reader.faults)
        return DeviceEntry(position, use.name, "", None, None, use)
    name, driver = entry.get("name"), entry.get("driver")
    if not isinstance(name, str) or not is_name(name):
        reader.add(f"{path}.name", _absent_or(name, "is not a name"), _NAME_REMEDY)
    if isinstance(driver, str):
        driver = FORMER_NAMES.get(driver, driver)
    factory = DRIVERS.get(driver) if isinstance(driver, str) else None
    if factory is None:
        reader.add(f"{path}.driver", _absent_or(driver, "is not a driver"), did_you_mean(str(driver), tuple(DRIVERS)))
        return DeviceEntry(position, str(name or ""), str(driver), None, None)
    own = {key: value for key, value in entry.items() if key not in {"name", "driver"}}
    settings = reader.model(factory.settings_model, own, path, ("name", "driver"))
    return DeviceEntry(position, str(name or ""), str(driver), factory, settings)


def _absent_or(value: object, complaint: str) -> str:
    return "the key is missing" if value is None else f"{shown(value)} {complaint}"
