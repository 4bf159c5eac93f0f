"""Journal lines as observers read them; the events are made by the same code as an agent's."""

from __future__ import annotations

import json

from contract.events import ClockState, ConditionData, Event, EventType, Json, Origin, Stamp, encode_event
from contract.ids import ActivationId, AgentName, Epoch, Lane
from contract.points import ConditionClass, ConditionKind
from hil_tests.compare import Gap
from hil_tests.journal_lines import JournalEvent, parse_journal_line, told

EPOCH = Epoch("0" * 32)
STAMP = Stamp(1, 77, "b" * 32, ClockState(synchronised=True, error_ns=None))


def line(event: Event) -> str:
    origin = Origin(AgentName("store"), EPOCH, "parksentry", "hash", 1)
    record = {"cursor": "c", "kind": "agent_event", "event": json.loads(encode_event(origin, 5, event).open)}
    return json.dumps(record)


def condition(level: int, kind: ConditionKind = ConditionKind.HIGH, value: float = 2.5) -> Event:
    data = ConditionData(
        tag="AT-103", org="wuhai/cl2", kind=kind, condition_class=ConditionClass.SAFETY, level=level,
        previous_level=0, activation=ActivationId(AgentName("store"), EPOCH, 5), on_time_ns=1, value=value,
        unit="mg/m3", quality=0, setpoint=2.0, deadband=0.1, delay_ns=0, detector="conditions/1", reason="why",
    )  # fmt: skip
    return Event(EventType.CONDITION_ON if level else EventType.CONDITION_OFF, "wuhai/cl2", STAMP, data.to_json())


def test_a_condition_is_read_with_what_a_scenario_can_ask() -> None:
    assert parse_journal_line(line(condition(2))) == JournalEvent(
        "store", EPOCH, 5, "condition_on", 77, "AT-103", "high", 2, "safety", 2.5, "mg/m3", 2.0, "why"
    )


def test_a_gap_event_declares_its_runs() -> None:
    data: dict[str, Json] = {
        "lane": "telemetry",
        "cause": "evicted",
        "count": 3,
        "runs": [{"first": "4", "last": "6", "count": 3}],
    }
    event = parse_journal_line(line(Event(EventType.GAP, "wuhai", STAMP, data)))
    assert event is not None
    assert event.gaps == (Gap("store", EPOCH, Lane.TELEMETRY, 4, 6),)


def test_records_that_are_no_agents_events_are_passed_over() -> None:
    assert parse_journal_line('{"cursor": "c", "kind": "agent_added", "event": null}') is None
    assert parse_journal_line('{"cursor": "c", "kind": "agent_added"}') is None
    assert parse_journal_line('{"cursor": "c", "kind": "agent_added", "event": {"name": "x"}}') is None


def test_a_person_is_told_what_when_and_how_much() -> None:
    def say(event: Event) -> str:
        parsed = parse_journal_line(line(event))
        assert parsed is not None
        return told(parsed)

    assert "AT-103 high level 2: 2.5 mg/m3, set-point 2" in say(condition(2))
    assert "AT-103 high back to normal: 2.5 mg/m3" in say(condition(0))
    assert "AT-103 fault (why)" in say(condition(1, ConditionKind.FAULT, float("nan")))
    assert "AT-103 fault gone (why)" in say(condition(0, ConditionKind.FAULT))
    assert say(Event(EventType.AGENT_START, "wuhai", STAMP)).split() == ["store", "agent_start"]
