"""After an outage a new alarm arrives at once, in front of all that was missed, and the history comes later, complete.

The backlog is written through the agent's own store, as if its points had toggled for a long time unheard. OUTAGE_COUNT
chooses how many events it has.
"""

from __future__ import annotations

import asyncio
import json
import os
import time

import pytest

from contract.clock import NS_PER_S
from contract.events import ClockState
from contract.ids import AgentName, Lane
from contract.points import ConditionKind, PointRole
from contract.quality import Quality
from edge_agent.detect.engine import Transition
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.ledger import Ledger
from edge_agent.outbox.rows import Destination, OutboxSettings
from edge_agent.reporting import Reporter
from edge_agent.settings.load import load
from edge_agent.station.machine import RealClock, kernel_boot_id, software
from hil_tests.field import Field, FieldAgent, one_device, wait_for

BACKLOG = int(os.environ.get("OUTAGE_COUNT") or 20_000)
POINTS = 100
STANDING = 4
"""Points that are active at the end of the backlog, and still are when the agent starts."""
STEPPED = "GAS-50"
EVENTS_PER_COMMIT = 2000
ARRIVES_WITHIN_NS = NS_PER_S

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def field(open_field) -> Field:
    registers = [
        {"name": f"gas{i}", "type": "float32", "signal": {"kind": "constant", "value": 30.0 if i < STANDING else 1.0}}
        for i in range(POINTS)
    ]
    field: Field = open_field(one_device("plant", registers))
    return field


def test_a_new_alarm_overtakes_all_queued_events(field):
    agent = field.add_agent("gate", "plant", _points())
    asyncio.run(_write_backlog(agent))
    field.start()
    field.rig.command("plant", "step", "gas50", 30.0)

    seq, seen_ns = wait_for(lambda: _present(field), "the new alarm is present", 30.0)
    owed = seq - _delivered(field)
    committed_ns = next(each.mono_ns for each in agent.committed()[BACKLOG:] if each.key[2:4] == (Lane.EVENTS, seq))
    print(f"visible {(seen_ns - committed_ns) / 1e6:.0f} ms after the agent's commit, {owed} events still owed")
    assert seq > BACKLOG, "the backlog has no such alarm at its end"
    assert owed > BACKLOG / 10, "the backlog was over before the alarm: this shows nothing"
    assert seen_ns - committed_ns < ARRIVES_WITHIN_NS

    field.wait_until_drained(agent, 120.0)
    agent.program.stop()
    field.wait_until_drained(agent)
    field.aggregator.program.stop()
    _check_history(field, agent, seq)


def _check_history(field: Field, agent: FieldAgent, seq: int) -> None:
    found = field.audit(agent)
    assert found.events > BACKLOG
    assert not found.findings, str(found)
    known = field.aggregator.rows("SELECT seq, first_seen, event_received_ns FROM activations")
    turned_on = field.aggregator.rows("SELECT seq FROM events WHERE type = 'condition_on'")
    assert sorted(row[0] for row in known) == sorted(row[0] for row in turned_on)
    assert all(received is not None for _, _, received in known)
    assert [row[1] for row in known if row[0] == seq] == ["state"]
    standing = field.aggregator.rows("SELECT tag FROM conditions WHERE level > 0")
    assert sorted(tag for (tag,) in standing) == sorted([STEPPED, *(f"GAS-{i}" for i in range(STANDING))])
    late = {int(each["data"]["seq"]) for each in field.aggregator.journal("event") if each["late"]}
    assert late >= set(range(1, BACKLOG + 1))
    assert seq not in late


def _points():
    limits = {"h": 10.0, "hh": 25.0, "range_low": 0, "range_high": 100}
    return [
        {"tag": f"GAS-{i}", "register": "holding", "address": 2 * i, "type": "float32", "unit": "%LEL", "poll_s": 0.2,
         **limits}
        for i in range(POINTS)
    ]  # fmt: skip


async def _write_backlog(agent: FieldAgent) -> None:
    """Each point goes on and off in turn until there are BACKLOG events; some points end on."""
    clock, config = RealClock(), load(agent.folder)
    store = EventStore.open(
        config.outbox.directory, AgentName(agent.name), OutboxSettings(destinations=(Destination("park"),)), clock,
        kernel_boot_id(), Ledger(agent.ledger),
    )  # fmt: skip
    catalogue = store.catalogue(config.points)
    store.set_origin(software(), config.config_hash, catalogue.version)
    reporter = Reporter(catalogue, AgentName(agent.name), store.boot_id, lambda: ClockState(True, 0), ())
    measured = [point for point in catalogue if point.role is PointRole.MEASUREMENT]
    toggling = measured[STANDING:]
    turns = [(point.id, 2, 0) for point in measured[:STANDING]]
    while len(turns) < BACKLOG:
        point = toggling[len(turns) // 2 % len(toggling)]
        turns.append((point.id, 0, 2) if len(turns) % 2 == 0 else (point.id, 2, 0))
    turns[:STANDING] = [(point.id, 0, 2) for point in measured[:STANDING]]
    for start in range(0, BACKLOG, EVENTS_PER_COMMIT):
        store.append([
            reporter.pending(_transition(clock, *turn)) for turn in turns[start : start + EVENTS_PER_COMMIT]
        ])  # fmt: skip
        await store.flush()
    await store.close()


def _transition(clock: RealClock, point: int, old: int, new: int) -> Transition:
    value = 30.0 if new else 1.0
    return Transition(
        point, ConditionKind.HIGH, old, new, clock.mono_ns(), clock.wall_ns(), value, 0, Quality.GOOD, 25.0, 0
    )


def _present(field: Field) -> tuple[int, int] | None:
    """Number of the new alarm's activation in the present state, and when it was seen there; None before."""
    rows = field.aggregator.rows("SELECT condition FROM conditions WHERE tag = ? AND level = 2", STEPPED)
    seen_ns = time.monotonic_ns()
    return (int(json.loads(rows[0][0])["activation"]["seq"]), seen_ns) if rows else None


def _delivered(field: Field) -> int:
    return int(field.aggregator.rows("SELECT coalesce(max(seq), 0) FROM events")[0][0])
