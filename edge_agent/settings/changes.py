"""What a new configuration asks of an agent that runs: which connections and destinations begin and end.

Pure. Two configurations come in, each with what its connections lead to; the composition root carries the difference out.
What is not named here goes on as it is: its socket, its timetable, whatever it has learned.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, TypeAlias

from contract.points import Limits, PointSpec
from drivers.base import DeviceSetup
from edge_agent.settings.model import AgentConfig, Connection, Destination

POINTS_TOLD_MAX: Final = 40
Setups: TypeAlias = Mapping[Connection, Sequence[DeviceSetup]]


@dataclass(frozen=True, slots=True)
class Changes:
    """What stands in ``ended`` and in ``begun`` begins anew. ``read_anew`` are devices of which nothing that was read
    before counts any more: they may be others."""

    ended: frozenset[Connection]
    begun: frozenset[Connection]
    read_anew: frozenset[str]
    destinations_ended: frozenset[str]
    destinations_begun: frozenset[str]


def what_needs_a_restart(former: AgentConfig, new: AgentConfig) -> list[str]:
    """Keys of ``agent.toml`` that say what the agent is, and where its data lies: they cannot change while it runs."""
    told = {
        "agent.name": (former.name, new.name),
        "agent.organisation": (former.organisation, new.organisation),
        "agent.key_file": (former.keys, new.keys),
        "outbox.directory": (former.outbox.directory, new.outbox.directory),
        "recording": (former.recording, new.recording),
    }
    return [key for key, (before, after) in told.items() if before != after]


def changes(
    former: AgentConfig, former_setups: Setups, new: AgentConfig, new_setups: Setups, renewed: Collection[str] = ()
) -> Changes:
    """``…_setups`` are the connections of each, with points that have their ids. ``renewed`` are devices that name files
    with other contents than before: they are the same devices, and are connected anew."""
    same = {
        key
        for key in former_setups.keys() & new_setups
        if _same(former_setups[key], new_setups[key]) and not any(each.name in renewed for each in new_setups[key])
    }
    rooms, new_rooms = _links(former.destinations), _links(new.destinations)
    same_rooms = {name for name in rooms.keys() & new_rooms if rooms[name] == new_rooms[name]}
    devices, new_devices = _wiring(former_setups), _wiring(new_setups)
    return Changes(
        ended=frozenset(former_setups.keys() - same),
        begun=frozenset(new_setups.keys() - same),
        read_anew=frozenset(name for name in devices.keys() & new_devices if devices[name] != new_devices[name]),
        destinations_ended=frozenset(rooms.keys() - same_rooms),
        destinations_begun=frozenset(new_rooms.keys() - same_rooms),
    )


def told(found: Changes) -> str:
    """What was done, for a person."""
    parts = [
        f"{word} {', '.join(sorted(names))}"
        for word, names in (
            ("connections begun anew:", {place for _, place in found.ended & found.begun}),
            ("connections begun:", {place for _, place in found.begun - found.ended}),
            ("connections ended:", {place for _, place in found.ended - found.begun}),
            ("destinations begun anew:", found.destinations_ended & found.destinations_begun),
            ("destinations begun:", found.destinations_begun - found.destinations_ended),
            ("destinations ended:", found.destinations_ended - found.destinations_begun),
        )
        if names
    ]
    return "; ".join(parts) or "changed without touching a connection"


def points_told(former: Iterable[PointSpec], new: Iterable[PointSpec]) -> list[str]:
    """What comes, goes and changes of points, a line each by tag: ``~ AT-1: h 25 -> 20``."""
    before, after = ({each.tag: dict(_said(each)) for each in points} for points in (former, new))
    lines = [f"- {tag}" for tag in before if tag not in after] + [f"+ {tag}" for tag in after if tag not in before]
    for tag in (tag for tag in after if tag in before):
        was, now = before[tag], after[tag]
        if found := [f"{name} {was[name]} -> {now[name]}" for name in now if was[name] != now[name]]:
            lines.append(f"~ {tag}: {', '.join(found)}")
    more = len(lines) - POINTS_TOLD_MAX
    return [*lines[:POINTS_TOLD_MAX], f"... and {more} more"] if more > 0 else lines


def _said(point: PointSpec) -> Iterator[tuple[str, str]]:
    """A point's own words by name; its id is the store's matter."""
    for part in (point, point.limits):
        for each in fields(part):
            value = getattr(part, each.name)
            if each.name != "id" and not isinstance(value, Limits):
                is_none = value in {None, ""} or (isinstance(value, float) and math.isnan(value))
                number = f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)
                yield each.name, "none" if is_none else number


def _same(former: Sequence[DeviceSetup], new: Sequence[DeviceSetup]) -> bool:
    """Whether a driver would do the same for both. In which place of the file a device stands is nothing to it."""
    return [_driven(each) for each in former] == [_driven(each) for each in new]


def _driven(setup: DeviceSetup) -> tuple[object, ...]:
    # As text: a set-point that is not there is NaN, which equals nothing.
    return setup.name, setup.settings, [repr(replace(point, description="", was=None)) for point in setup.points]


def _wiring(setups: Setups) -> dict[str, tuple[object, ...]]:
    return {each.name: (key[0], each.settings) for key, devices in setups.items() for each in devices}


def _links(destinations: Sequence[Destination]) -> dict[str, tuple[object, ...]]:
    """What a link is made of; whether a destination is mandatory is the outbox's matter."""
    return {each.name: (each.endpoints, each.server_keys) for each in destinations}
