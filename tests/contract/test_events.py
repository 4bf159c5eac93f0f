"""Events: encoded once, canonical, and read back to the same meaning."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.errors import FrameError
from contract.events import (
    EVENT_BYTES_MAX,
    TEXT_LENGTH_MAX,
    ChangeData,
    ClockState,
    ConditionData,
    Event,
    EventType,
    Origin,
    Stamp,
    canonical,
    decode_event,
    encode_event,
)
from contract.ids import ActivationId, AgentName, Epoch, Lane, MessageId
from contract.points import ConditionClass, ConditionKind

ORIGIN = Origin(AgentName("store-1"), Epoch("0" * 31 + "1"), "parksentry 0", "c0ffee", 3)
STAMP = Stamp(2**62, 5, "boot.1", ClockState(synchronised=True, error_ns=7))
CONDITION = ConditionData(
    tag="AT-101", org="E/S/U", kind=ConditionKind.HIGH, condition_class=ConditionClass.SAFETY, level=2,
    previous_level=1, activation=ActivationId(ORIGIN.agent, ORIGIN.epoch, 9), on_time_ns=2**62, value=25.5, unit="ppm",
    quality=0, setpoint=25.0, deadband=0.5, delay_ns=0, detector="conditions/1", reason="at_or_above_setpoint", raw=-3,
)  # fmt: skip


def encoded(condition: ConditionData = CONDITION, seq: int = 9) -> bytes:
    event = Event(EventType.CONDITION_LEVEL, condition.org, STAMP, condition.to_json())
    return encode_event(ORIGIN, seq, event).open


def test_what_is_encoded_is_read_back() -> None:
    decoded = decode_event(encoded())
    assert decoded.origin == ORIGIN
    assert decoded.event.stamp == STAMP
    assert decoded.condition == CONDITION
    assert decoded.message == MessageId(ORIGIN.agent, ORIGIN.epoch, Lane.EVENTS, 9)


def test_the_bytes_are_canonical_json() -> None:
    data = encoded()
    assert canonical(json.loads(data)) == data
    assert b'"seq":"9"' in data
    assert b'"edge_time_ns":"4611686018427387904"' in data


@pytest.mark.parametrize(
    ("change", "data"),
    [
        (ChangeData("AT-1", "E/S", 'LOT\n"氯', None, 64, 2),
         '"data":{"former_text":null,"left_out":2,"org":"E/S","quality":64,"tag":"AT-1","text":"LOT\\n\\"氯"}'),
        (ChangeData("AT-1", "E/S", 0x8034_0000, 0, 132, 0),
         '"data":{"former_status":0,"left_out":0,"org":"E/S","quality":132,"status":2150891520,"tag":"AT-1"}'),
    ],
)  # fmt: skip
def test_a_change_is_written_so_for_ever(change: ChangeData, data: str) -> None:
    record = encode_event(ORIGIN, 9, Event(change.type, change.org, STAMP, change.to_json()))
    assert data.encode() in record.open
    decoded = decode_event(record.open)
    assert decoded.event.type is change.type
    assert decoded.event.data == change.to_json()
    assert decoded.condition is None


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=TEXT_LENGTH_MAX))
def test_any_text_fits_into_an_event(text: str) -> None:
    change = ChangeData("T" * 64, "E/S", text, text, 0, 10**6)
    record = encode_event(ORIGIN, 9, Event(change.type, change.org, STAMP, change.to_json()))
    assert decode_event(record.open).event.data["text"] == text


def test_the_id_is_derived_from_the_message_and_checked() -> None:
    forged = encoded().replace(b'"seq":"9","software"', b'"seq":"8","software"')
    assert forged != encoded()
    with pytest.raises(FrameError, match=r"^id"):
        decode_event(forged)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_every_float_survives(value: float) -> None:
    decoded = decode_event(encoded(replace(CONDITION, value=value))).condition
    assert decoded is not None
    assert decoded.value == value or (math.isnan(decoded.value) and math.isnan(value))


@pytest.mark.parametrize("kind", ConditionKind)
def test_every_kind_is_read_back_and_has_no_level_beyond_its_own(kind: ConditionKind) -> None:
    class_ = ConditionClass.ADVISORY if kind.is_statistical else ConditionClass.SAFETY
    condition = replace(CONDITION, kind=kind, condition_class=class_, level=kind.level_max, previous_level=0)
    assert decode_event(encoded(condition)).condition == condition
    beyond = kind.level_max + 1
    for name, wrong in (
        ("level", replace(condition, level=beyond)),
        ("previous_level", replace(condition, previous_level=beyond)),
    ):
        with pytest.raises(FrameError, match=f"^{name}"):
            _ = decode_event(encoded(wrong)).condition


@pytest.mark.parametrize("kind", [kind for kind in ConditionKind if kind.is_statistical])
@pytest.mark.parametrize("class_", [each for each in ConditionClass if each is not ConditionClass.ADVISORY])
def test_what_is_statistical_cannot_claim_to_be_safety(kind: ConditionKind, class_: ConditionClass) -> None:
    with pytest.raises(FrameError, match=r"^class: must be advisory"):
        _ = decode_event(
            encoded(replace(CONDITION, kind=kind, condition_class=class_, level=1, previous_level=0))
        ).condition


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_by_name(data: bytes) -> None:
    with pytest.raises(FrameError):
        decode_event(data)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.sampled_from(sorted(json.loads(encoded()))), JUNK)
def test_a_field_of_the_wrong_kind_never_breaks_the_reader(name: str, junk: object) -> None:
    table = json.loads(encoded())
    table[name] = junk
    try:
        decode_event(json.dumps(table).encode())
    except FrameError as error:
        assert error.field


@given(st.sampled_from(sorted(CONDITION.to_json())), JUNK)
def test_a_condition_field_of_the_wrong_kind_never_breaks_the_reader(name: str, junk: object) -> None:
    table = json.loads(encoded())
    table["data"][name] = junk
    try:
        assert decode_event(json.dumps(table).encode()).condition is not None
    except FrameError as error:
        assert error.field


def test_deeply_nested_json_is_refused() -> None:
    with pytest.raises(FrameError):
        decode_event(b"[" * 60_000)


def test_an_oversized_event_is_refused_at_both_ends() -> None:
    event = Event(EventType.AGENT_START, "E", STAMP, {"text": "x" * EVENT_BYTES_MAX})
    with pytest.raises(ValueError, match="limit"):
        encode_event(ORIGIN, 1, event)
    with pytest.raises(FrameError, match="limit"):
        decode_event(b" " * (EVENT_BYTES_MAX + 1))
