"""The recorder that ``agent.toml`` asks for. Its settings come in, with what names this run; ``app`` hands it to the pipeline."""

from __future__ import annotations

from datetime import UTC, datetime

from contract.clock import NS_PER_S, Clock
from edge_agent.outbox.event_store import EventStore
from edge_agent.recording.recorder import Recorder, Whose
from edge_agent.settings.model import AgentConfig
from edge_agent.station.machine import software


def make_recorder(config: AgentConfig, events: EventStore, started_wall_ns: int, clock: Clock) -> Recorder | None:
    """None where nothing is to be recorded. Files are named by the number of the start first: a clock that is not set yet
    must not make the newest the oldest."""
    if config.recording is None:
        return None
    started = datetime.fromtimestamp(started_wall_ns / NS_PER_S, UTC)
    whose = Whose(config.name, f"{events.start_number:06d}-{started:%Y%m%dT%H%M%SZ}", software(), events.boot_id)
    return Recorder(config.recording.directory, config.recording.budget_bytes, whose, clock)
