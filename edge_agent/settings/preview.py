"""What a configuration would do, told without doing it: drivers are made, asked, and never run.

``load`` refuses a configuration by what they find; the command that checks a folder prints the report.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from contract.clock import SimulatedClock
from contract.errors import Fault
from contract.points import ConditionClass, PointRole, PointSpec
from drivers.base import Driver, PlanLine
from drivers.catalogue import DRIVERS
from edge_agent.settings.connections import make_drivers
from edge_agent.settings.doubts import doubts_of
from edge_agent.settings.model import AgentConfig, OpenItem

_PLAN_HEADINGS: Final = ("connection", "device", "how", "points", "requests", "ms a turn", "load")
_PLAN_TEXTS: Final = 3
"""Columns that are texts, the first ones."""
_NAMED_MAX: Final = 3
"""Devices of one open item."""


def driver_faults(config: AgentConfig) -> list[Fault]:
    """What the drivers object to in their devices as a whole, such as a timetable that cannot be kept."""
    return [fault for driver in _drivers(config) for fault in driver.check()]


def check_report(config: AgentConfig) -> list[str]:
    """What was understood, a line each: agent, control rooms, devices with the time they take, set-points, storage."""
    lines = [f"agent {config.name} of {config.organisation}, configuration {config.config_hash[:12]}"]
    for room in config.destinations:
        duty = "mandatory" if room.mandatory else "optional"
        lines.append(f"destination {room.name} ({duty}) at {', '.join(room.endpoints)}, key of {room.server_keys.name}")
        if room.server_keys == config.keys.public:
            lines.append(
                f"LOOK: {room.name} has this agent's own key in place of the control room's: nothing will be sent"
            )
    for device in config.devices:
        points = [point for point in config.points_of(device.name) if point.role is PointRole.MEASUREMENT]
        lines.append(f"device {device.name} ({device.driver}): {len(points)} points, {_timetable(points)}")
    lines += _plan_table([driver.plan_report() for driver in _drivers(config)])
    return [*lines, *_doubts(config), *_set_points(config.points), _storage(config), *_open_items(config)]


def _doubts(config: AgentConfig) -> list[str]:
    lines = []
    for device in config.devices:
        lines += doubts_of(device.name, DRIVERS[device.driver], config.points_of(device.name))
    return lines


def _plan_table(connections: Sequence[Sequence[PlanLine]]) -> list[str]:
    """What each connection is asked for in a turn, and its load; texts to the left, numbers to the right."""
    rows = [_PLAN_HEADINGS]
    for plan in connections:
        for position, line in enumerate(plan):
            rows.append((
                line.connection if position == 0 else "", line.device, line.how, str(line.points),
                "" if line.requests is None else str(line.requests),
                "" if line.busy_ms is None else f"{line.busy_ms:.1f}", _percent(line.load),
            ))  # fmt: skip
        loads = [line.load for line in plan if line.load is not None]
        if len(loads) > 1:
            points, requests = (sum(getattr(line, key) for line in plan) for key in ("points", "requests"))
            rows.append(("", "together", "", str(points), str(requests), "", _percent(sum(loads))))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_PLAN_HEADINGS))]
    lines = []
    for row in rows:
        cells = [
            text.ljust(width) if i < _PLAN_TEXTS else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    return lines


def _percent(load: float | None) -> str:
    return "" if load is None else f"{load:.1%}"


def _open_items(config: AgentConfig) -> list[str]:
    """What the manuals leave open, an item of many equal devices once."""
    together: dict[tuple[str, str], list[OpenItem]] = {}
    for each in config.open_items:
        together.setdefault((each.model, each.item), []).append(each)
    lines = []
    for (model, item), found in together.items():
        devices = [each.device for each in found]
        named = ", ".join(devices[:_NAMED_MAX]) + (
            f" and {len(devices) - _NAMED_MAX} more" * (len(devices) > _NAMED_MAX)
        )
        first, points = found[0], sum(len(each.points) for each in found)
        lines += [
            f"OPEN {item} of {model}, {named}: {first.question}",
            f"  {first.choice} is taken of {' | '.join(first.choices)}, and {points} points are UNCERTAIN until somebody accepts",
            f"  find out: {first.find_out}",
            f"  then: edge-agent accept {config.directory} {first.device} {item} CHOICE --by NAME",
        ]
    return lines


def _drivers(config: AgentConfig) -> list[Driver]:
    """Drivers that shall never run; their points get passing ids, since the store has given none yet."""
    points = [replace(point, id=number) for number, point in enumerate(config.points, 1)]
    return list(make_drivers(config, points, SimulatedClock()).values())


def _timetable(points: Sequence[PointSpec]) -> str:
    groups = Counter(point.poll_s for point in points)
    return ", ".join(f"{count} every {poll_s:g} s" for poll_s, count in sorted(groups.items()))


def _set_points(points: Sequence[PointSpec]) -> list[str]:
    counts = Counter[ConditionClass]()
    for point in points:
        limits = point.limits
        counts[point.limit_class] += sum(not math.isnan(each) for each in (limits.ll, limits.l, limits.h, limits.hh))
    total = counts.total()
    silent = sum(1 for point in points if point.role is PointRole.MEASUREMENT and not _has_set_point(point))
    split = f"{counts[ConditionClass.SAFETY]} safety, {counts[ConditionClass.ADVISORY]} advisory"
    return [f"set-points: {total} ({split}); {silent} points have none"]


def _has_set_point(point: PointSpec) -> bool:
    limits = point.limits
    return not all(math.isnan(each) for each in (limits.ll, limits.l, limits.h, limits.hh))


def _storage(config: AgentConfig) -> str:
    every = sum(1 for point in config.points if point.report_deadband is None)
    kept = f"telemetry: {len(config.points) - every} points by exception, {every} with every sample"
    outbox = config.outbox
    megabytes = outbox.budget_bytes // (1024 * 1024)
    return f"{kept}, chunks of {config.telemetry.chunk_s:g} s; outbox {outbox.directory.name}, {megabytes} MiB"
