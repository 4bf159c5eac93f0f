"""Which device of ``agent.toml`` a row of a list means, by its name and its unit id. Pure."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass

from contract.ids import is_name
from edge_agent.commissioning.importing.mapping import Mapping, Question
from edge_agent.settings.suggest import nearest


@dataclass(frozen=True, slots=True)
class Site:
    """What the folder says. ``devices`` gives each one's unit id, None where it has none; None in place of the whole where
    there is no ``agent.toml`` yet."""

    devices: MappingOf[str, int | None] | None = None

    @property
    def only(self) -> str | None:
        """The device, where there is just one."""
        return next(iter(self.devices)) if self.devices and len(self.devices) == 1 else None


def find(name: str, unit_id: str, site: Site, mapping: Mapping) -> str | Question:
    """The device's name, or what has to be asked. ``name`` and ``unit_id`` are as the list has them, or empty."""
    key = " ".join([name, f"unit {unit_id}"] if name and unit_id else [name or f"unit {unit_id}"])
    said = mapping.word("devices", key) or (mapping.word("devices", name) if name else None)
    if said:
        return said
    if site.devices is None:
        wanted = name + (f"-{unit_id}" if name and unit_id else "") or f"unit-{unit_id}"
        return wanted if is_name(wanted) else _question(key, site, None)
    same = [each for each in site.devices if each.casefold() == name.casefold()]
    if same and (not unit_id or site.devices[same[0]] in {None, _number(unit_id)}):
        return same[0]
    having = [each for each, unit in site.devices.items() if unit is not None and unit == _number(unit_id)]
    if not name and len(having) == 1:
        return having[0]
    near = nearest(name, site.devices, 1) if name else []
    return _question(key, site, near[0] if near else None)


def _question(key: str, site: Site, default: str | None) -> Question:
    choices = tuple(
        (each, each if unit is None else f"{each}, unit {unit}") for each, unit in (site.devices or {}).items()
    )
    text = f"Which device of agent.toml is '{key}'?"
    return Question("devices", key, text, choices, default, free=site.devices is None)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
