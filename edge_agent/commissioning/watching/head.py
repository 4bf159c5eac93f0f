"""The lines above the table: how agent, devices, buffer, links and clock are. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

DEVICES_SHOWN_MAX: Final = 6
"""Those in trouble come first; the rest is counted."""


def head_lines(status: Mapping[str, Any] | None, trouble: str, told_ago_s: float) -> list[str]:
    """``trouble`` is why the agent cannot be asked, empty where it can."""
    lines = [f"NO AGENT: {trouble}; trying again"] if trouble else []
    if status is None:
        return lines
    since = f", last heard {told_ago_s:.0f} s ago" if trouble else ""
    clock = status["clock"]
    synchronised = "clock synchronised" if clock["synchronised"] else "CLOCK NOT SYNCHRONISED"
    lines.append(f"{status['agent']}  {status['software']}, {status['points']} points, {synchronised}{since}")
    lines.append(_buffer(status))
    lines += [_destination(each, status["events_seq"]) for each in status["destinations"]]
    return lines + _devices(status["devices"])


def _buffer(status: Mapping[str, Any]) -> str:
    owed = max((status["events_seq"] - each["acked_events"] for each in status["destinations"]), default=0)
    text = f"buffer {owed} events owed, {status['storage_bytes'] / 2**20:.1f} MiB"
    for lane, health in status["storage"].items():
        if health["failing"] or health["dropped"]:
            text += f"; STORAGE OF {lane.upper()} FAILS: {health['failing'] or ''} {health['dropped']} lost"
    return text


def _destination(destination: Mapping[str, Any], events_seq: int) -> str:
    owed = events_seq - destination["acked_events"]
    phase = destination["phase"].upper().replace("_", " ")
    return f"link {destination['name']} {phase}, {owed} owed: {destination['refusal'] or destination['endpoint']}"


def _devices(devices: list[Mapping[str, Any]]) -> list[str]:
    ordered = sorted(devices, key=lambda each: not _is_troubled(each))
    lines = [_device(each) for each in ordered[:DEVICES_SHOWN_MAX]]
    if more := ordered[DEVICES_SHOWN_MAX:]:
        troubled = sum(map(_is_troubled, more))
        lines.append(f"and {len(more)} devices more, {troubled} of them in trouble")
    return lines


def _is_troubled(device: Mapping[str, Any]) -> bool:
    return bool(device["state"] != "answering" or device["slowed"] or device["refused"])


def _device(device: Mapping[str, Any]) -> str:
    text = f"device {device['device']} {device['state'].upper()}"
    if device["state"] != "answering" and device["last_failure"]:
        text += f": {device['last_failure']}"
    if device["slowed"]:
        text += f", SLOWED: {device['slowed']}"
    if device["refused"]:
        text += f", {len(device['refused'])} REFUSED: {device['refused'][0]}"
    return text
