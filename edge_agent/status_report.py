"""What a running agent says of its parts: the machine, the stores, the devices, the links.

Reads counters and states of the parts that ``app`` hands in; goes to the control socket and to the status file.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

from contract.ids import Lane
from edge_agent.acquire.tasks import Connections
from edge_agent.detect.kernels import jit
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.telemetry_store import TelemetryStore
from edge_agent.station.clock_state import kernel_clock_state
from edge_agent.uplink.links import Uplinks


def status_report(
    software: str,
    events: EventStore,
    telemetry: TelemetryStore,
    connections: Connections,
    uplinks: Uplinks,
) -> dict[str, Any]:
    """Plain data."""
    as_of_seq, conditions = events.conditions()
    clock = kernel_clock_state()
    return {
        "pid": os.getpid(),
        "software": software,
        "epoch": events.epoch,
        "boot_id": events.boot_id,
        "kernel": jit.description(),
        "clock": {"synchronised": clock.synchronised, "error_ns": clock.error_ns},
        "events_seq": events.head().seq,
        "telemetry_seq": telemetry.head().seq,
        "storage_bytes": events.bytes_used(),
        "storage": {"events": asdict(events.health()), "telemetry": asdict(telemetry.health())},
        "conditions": [each.to_json() for each in conditions],
        "conditions_as_of_seq": as_of_seq,
        "devices": [_plain(health) for health in connections.healths()],
        "acquisition": [asdict(each) for each in connections.acquired()],
        "uplink": uplinks.traffic(),
        "destinations": [
            {"name": uplink.peer.name, "endpoint": uplink.endpoint, "phase": uplink.phase.value,
             "acked_events": uplink.acked(Lane.EVENTS), "acked_telemetry": uplink.acked(Lane.TELEMETRY),
             "refusal": uplink.refusal}
            for uplink in uplinks.all()
        ],
    }  # fmt: skip


def _plain(health: object) -> dict[str, Any]:
    return {key: getattr(value, "value", value) for key, value in asdict(health).items()}  # type: ignore[call-overload]
