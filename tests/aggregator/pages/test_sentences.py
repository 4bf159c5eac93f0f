"""Journal records become sentences in both languages; none that was ever written cannot be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.journal.log import JournalKind
from aggregator.pages.sentences import SUBJECTS, line
from aggregator.pages.texts import Language, texts
from contract.events import Json, canonical

STATE: dict[str, Json] = {"letter": "B", "active": True, "level": 1}


def record(data, *, late=False) -> bytes:
    return canonical({"data": data, "late": late})


def test_an_acknowledgement_says_who_and_what():
    data = {
        "event": "acknowledge",
        "tag": "AT-103",
        "from": STATE,
        "to": {**STATE, "letter": "C"},
        "details": {"comment": "seen"},
    }
    said = line(
        texts(Language.EN), JournalKind.ALARM, record(data), canonical({"person": "li", "station": "10.0.0.7"}), None
    )
    assert said.what == "AT-103: acknowledged (unacknowledged → acknowledged); Comment: seen"
    assert said.who == "li @ 10.0.0.7"
    assert "确认" in line(texts(Language.ZH), JournalKind.ALARM, record(data), b"", None).what


def test_an_agents_event_is_told_from_its_own_record():
    event: dict[str, Json] = {
        "type": "condition_on", "agent": "gate",
        "data": {"tag": "AT-103", "kind": "high", "level": 2, "value": 2.5, "unit": "mg/m3", "class": "safety"},
    }  # fmt: skip
    said = line(texts(Language.EN), JournalKind.EVENT, record({}, late=True), b"", canonical(event))
    assert said.what == "AT-103 gas level 2 on, 2.50 mg/m³"
    assert said.late


def test_a_refusal_says_why():
    data = {"verb": "alarm_reset", "code": "not_possible", "params": {"reason": "still_active"}}
    said = line(texts(Language.EN), JournalKind.ACTION_REFUSED, record(data), b"", None)
    assert said.what == "Reset: not possible the process has not returned to normal"


def test_an_agents_session_names_the_agent_and_why_it_ended():
    said = line(
        texts(Language.EN),
        JournalKind.SESSION_CLOSED,
        record({"agent": "gate", "epoch": "e", "reason": "silent"}),
        b"",
        None,
    )
    assert said.what == "gate: silent"


def test_who_signed_in_is_told_by_role_where_names_are_withheld():
    said = line(texts(Language.ZH), JournalKind.SIGNED_IN, record({"role": "operator"}), b"", None)
    assert (said.what, said.who) == ("操作员", "")


def test_every_kind_belongs_to_a_subject():
    assert set(SUBJECTS) == set(JournalKind)


scalars = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=20)
tables = st.dictionaries(st.text(max_size=10), scalars, max_size=4)


@given(st.sampled_from(sorted(JournalKind)), tables, st.sampled_from(list(Language)))
def test_whatever_a_newer_version_wrote_is_shown(kind, data, language):
    assert line(texts(language), kind, record(data), b"", None).kind


@pytest.mark.parametrize("event", [b"", b"{}", canonical({"type": "unheard_of", "agent": "gate"})])
def test_an_event_that_says_little_is_shown(event):
    assert line(texts(Language.EN), JournalKind.EVENT, record({}), b"", event or None).kind


@pytest.mark.parametrize(
    ("type_", "data", "what"),
    [
        ("text_change", {"text": "LOT-2", "former_text": "LOT-1"}, 'AT-1 text changed: "LOT-1" → "LOT-2"'),
        ("text_change", {"text": "", "former_text": None}, 'AT-1 text changed: – → ""'),
        ("text_change", {"text": 'a\n"\u202e氯', "former_text": "\\"}, r'AT-1 text changed: "\\" → "a\n\"\u202e氯"'),
        ("status_change", {"status": 0x80340000, "former_status": 0},
         "AT-1 status code changed: 0x00000000 → 0x80340000"),
        ("status_change", {"status": 0, "former_status": None, "left_out": 3},
         "AT-1 status code changed: – → 0x00000000; 3 changes between them were not recorded"),
    ],
)  # fmt: skip
def test_what_a_device_says_is_shown_with_what_it_said_before(type_, data, what):
    event: dict[str, Json] = {"type": type_, "agent": "gate", "data": {"tag": "AT-1", **data}}
    assert line(texts(Language.EN), JournalKind.EVENT, record({}), b"", canonical(event)).what == what


def test_an_endless_text_is_cut():
    event: dict[str, Json] = {"type": "text_change", "data": {"tag": "AT-1", "text": "x" * 60_000}}
    assert len(line(texts(Language.EN), JournalKind.EVENT, record({}), b"", canonical(event)).what) < 600


def test_an_alarms_record_says_condition_level_and_value():
    data: dict[str, Json] = {
        "event": "raised", "tag": "AT-103", "kind": "high", "class": "safety", "level": 2, "value": 2.5, "unit": "mg/m3",
        "from": {**STATE, "letter": "A"}, "to": STATE,
    }  # fmt: skip
    said = line(texts(Language.EN), JournalKind.ALARM, record(data), b"", None)
    assert said.what == "AT-103 gas level 2: raised (normal → unacknowledged), 2.50 mg/m³"


def test_a_refused_action_names_its_alarm():
    data = {
        "verb": "alarm_reset",
        "code": "not_possible",
        "params": {"reason": "still_active"},
        "args": {"tag": "AT-1"},
    }
    said = line(texts(Language.EN), JournalKind.ACTION_REFUSED, record(data), b"", None)
    assert said.what == "AT-1 Reset: not possible the process has not returned to normal"
