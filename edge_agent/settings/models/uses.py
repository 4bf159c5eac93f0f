"""Which instruments there are of the models: tables ``[[device]]`` with a ``model``, and rows of ``devices.csv``.

Both become the same ``Use``; ``complete`` makes devices of them, judged by their driver's own settings. Bytes come from ``load``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from contract.errors import Fault
from contract.ids import is_name
from drivers.base import DriverFactory
from drivers.catalogue import DRIVERS
from edge_agent.settings.io_list import OtherRow
from edge_agent.settings.model import OpenItem
from edge_agent.settings.models.accepted import Acceptance
from edge_agent.settings.models.expansion import OF_A_USE, Origin, Use, expand
from edge_agent.settings.models.template import Model
from edge_agent.settings.suggest import did_you_mean, shown
from edge_agent.settings.table import Layout, Record, header_names, read_table

DEVICES_FILE: Final = "devices.csv"
OWN_COLUMNS: Final = ("name", "model", "source", "prefix", "extras")
_NAME_REMEDY: Final = "Use a letter or digit, then up to 63 of letters, digits and _ . -"
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?\Z")


@dataclass(frozen=True, slots=True)
class Made:
    """A device made of a model; ``settings`` is None beside a fault."""

    use: Use
    driver: str
    factory: DriverFactory | None
    settings: BaseModel | None


@dataclass(slots=True)
class Completed:
    """All devices of models, in the order of their uses, with the rows that they bring."""

    devices: list[Made] = field(default_factory=list)
    rows: list[OtherRow] = field(default_factory=list)
    open: list[OpenItem] = field(default_factory=list)


def driver_keys() -> tuple[str, ...]:
    """What any driver has keys for."""
    return tuple(dict.fromkeys(key for each in DRIVERS.values() for key in each.settings_model.model_fields))


def read_use(entry: Mapping[str, Any], path: str, faults: list[Fault]) -> Use:
    """A table ``[[device]]`` that names a model."""
    origin = Origin("agent.toml", None, path)
    faults += [
        origin.fault([key], f"{shown(entry[key])} is no text", "Write it in quotes")
        for key in ("source", "prefix")
        if not isinstance(entry.get(key, ""), str)
    ]
    extras = entry.get("extras", [])
    if not isinstance(extras, list) or not all(isinstance(each, str) for each in extras):
        faults.append(origin.fault(["extras"], f"{shown(extras)} is no list of names", 'Write extras = ["…"]'))
        extras = []
    if "driver" in entry:
        faults.append(
            origin.fault(["driver"], "the model says which driver it is", "Take driver out, or take model out")
        )
    points = _table(entry, "points", origin, faults)
    cells = {name: _scalars(each, ["points", name], origin, faults) for name, each in points.items()}
    parameters = _scalars(entry.get("parameters", {}), ["parameters"], origin, faults)
    own = {*OWN_COLUMNS, "parameters", "points", "driver"}
    keys = {key: value for key, value in entry.items() if key not in own}
    name, model = str(entry.get("name", "")), str(entry.get("model", ""))
    source, prefix = str(entry.get("source", "")), str(entry.get("prefix", ""))
    return Use(name, model, origin, source, prefix, tuple(extras), keys, parameters, cells)


def _table(entry: Mapping[str, Any], key: str, origin: Origin, faults: list[Fault]) -> Mapping[str, Any]:
    table = entry.get(key, {})
    if isinstance(table, dict):
        return table
    faults.append(origin.fault([key], f"{shown(table)} is no table", f"Write [device.{key}] and its keys below"))
    return {}


def _scalars(table: object, path: Sequence[str], origin: Origin, faults: list[Fault]) -> dict[str, str]:
    """Texts of a table's texts and numbers."""
    if not isinstance(table, dict):
        faults.append(
            origin.fault(path, f"{shown(table)} is no table", f"Write [device.{'.'.join(path)}] and its keys below")
        )
        return {}
    texts = {}
    for key, value in table.items():
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            faults.append(origin.fault([*path, key], f"{shown(value)} is neither text nor number", "Write one value"))
        else:
            texts[key] = str(value)
    return texts


def read_devices_file(
    data: bytes, models: Mapping[str, Model | None], records_max: int, faults: list[Fault]
) -> Sequence[Use]:
    """A use for each row. A column is a key of a device, a parameter of a model, or ``POINT.column``."""
    parameters = tuple(dict.fromkeys(name for model in models.values() if model for name in model.parameters))
    of_points = tuple(name for name in header_names(data) if name.rpartition(".")[2] in OF_A_USE and "." in name)
    columns = (*OWN_COLUMNS, *driver_keys(), *parameters, *of_points)
    layout = Layout(DEVICES_FILE, tuple(dict.fromkeys(columns)), ("name", "model"), records_max, "devices")
    records = read_table(data, layout, faults)
    return [_use_of(record, models) for record in records]


def _use_of(record: Record, models: Mapping[str, Model | None]) -> Use:
    origin = Origin(DEVICES_FILE, record.row)
    cells = {column: text for column, text in record.cells.items() if text and column not in OWN_COLUMNS}
    model = models.get(record.cells.get("model", ""))
    known = model.parameters if model else {}
    parameters = {
        column: text
        for column, text in cells.items()
        if column in known or ("." not in column and column not in driver_keys())
    }
    points: dict[str, dict[str, str]] = {}
    keys: dict[str, Any] = {}
    for column, text in cells.items():
        if column in parameters:
            continue
        if "." in column:
            name, _, cell = column.rpartition(".")
            points.setdefault(name, {})[cell] = text
        else:
            keys[column] = (float(text) if "." in text else int(text)) if _NUMBER.match(text) else text
    return Use(
        record.cells.get("name", ""), record.cells.get("model", ""), origin, record.cells.get("source", ""),
        record.cells.get("prefix", ""), tuple(record.cells.get("extras", "").split()), keys, parameters, points,
    )  # fmt: skip


def complete(
    uses: Iterable[Use], models: Mapping[str, Model | None], acceptances: Sequence[Acceptance], faults: list[Fault]
) -> Completed:
    """Devices and rows of all uses. Faults of cells are left to ``io_list``."""
    done = Completed()
    judged: set[str] = set()
    names: set[str] = set()
    for use in uses:
        model = _model_of(use, models, faults)
        if model is None:
            done.devices.append(Made(use, "", None, None))
            continue
        if model.name not in judged:
            judged.add(model.name)
            faults += _reserved(model)
        found = expand(use, model, acceptances, faults)
        factory = DRIVERS.get(model.driver)
        settings = None
        if factory is None:
            remedy = did_you_mean(model.driver, tuple(DRIVERS))
            faults.append(Fault(model.file, None, "driver", f"{shown(model.driver)} is not a driver", remedy))
        elif found.open and not factory.has_registers:
            remedy = "Settle it in the model, or make two models"
            faults.append(Fault(model.file, None, "open", "only what lies at registers can be in question", remedy))
        else:
            settings = _settings(use, model, factory, found.keys, faults)
        if not use.source:
            remedy = "Name the hazard source, or source/unit, that its points belong to"
            faults.append(use.origin.fault(["source"], f"{shown(use.name)} has no source", remedy))
        done.devices.append(Made(use, model.driver, factory, settings))
        faults += _written(model, found.rows)
        if use.source and is_name(use.name) and use.name not in names:  # a doubled name is said once, for the device
            done.rows += found.rows
        names.add(use.name)
        done.open += found.open
    return done


def _model_of(use: Use, models: Mapping[str, Model | None], faults: list[Fault]) -> Model | None:
    if not is_name(use.name):
        message = f"{shown(use.name)} is not a name" if use.name else "the device has no name"
        faults.append(use.origin.fault(["name"], message, _NAME_REMEDY))
    if use.model not in models:
        message = f"there is no model {shown(use.model)}"
        remedy = f"{did_you_mean(use.model, tuple(models))}. `edge-agent models` lists them"
        faults.append(use.origin.fault(["model"], message, remedy))
    return models.get(use.model)


def _reserved(model: Model) -> Iterable[Fault]:
    """A column of ``devices.csv`` must mean one thing."""
    for name in sorted(model.parameters.keys() & {*OWN_COLUMNS, *driver_keys()}):
        message = f"{name} is a key of every device"
        yield Fault(model.file, None, f"parameter.{name}", message, "Give the parameter another name")


def _written(model: Model, rows: Iterable[OtherRow]) -> Iterable[Fault]:
    """What does something when it is written is no value; a point there is a slip of who wrote the model."""
    forbidden = {each.register_ for each in model.written}
    for row in rows:
        if (place := f"{row.cells.get('register')}:{row.cells.get('address')}") in forbidden:
            message = f"{row.cells['tag']} lies at {place}, which is there to be written"
            yield Fault(model.file, None, "written", message, "Take the point out, or the entry where it may be read")


def _settings(
    use: Use, model: Model, factory: DriverFactory, keys: Mapping[str, Any], faults: list[Fault]
) -> BaseModel | None:
    try:
        return factory.settings_model.model_validate(dict(keys))
    except ValidationError as error:
        for each in error.errors(include_url=False, include_context=False):
            path = [str(part + 1 if isinstance(part, int) else part) for part in each["loc"]]
            problem = str(each["msg"]).removeprefix("Value error, ").removeprefix("Input ")
            absent = each["input"] is None
            message = f"the key {problem}" if absent else f"{shown(each['input'])} {problem}"
            known = tuple(factory.settings_model.model_fields)
            unknown = each["type"] == "extra_forbidden"
            remedy = (
                did_you_mean(path[-1], [*OWN_COLUMNS, *known])
                if unknown
                else "Add what it needs"
                if absent
                else "Correct it"
            )
            if path[0] in model.keys and path[0] not in use.keys:
                faults.append(Fault(model.file, None, ".".join(["device", *path]), message, remedy))
            else:
                faults.append(use.origin.fault(path, f"unknown key {shown(path[-1])}" if unknown else message, remedy))
    return None
