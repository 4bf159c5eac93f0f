"""What a gateway says of itself is read with distrust, and judged by what it said before."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.commissioning.pushing.report import Report, judge, read_check, read_report

HASH = "0123456789abcdef" * 4


def report(running: bool = True, config_hash: str = HASH, **devices: str) -> Report:
    return Report(running, config_hash, "parksentry 1", devices)


def test_every_device_must_answer_under_the_new_configuration() -> None:
    devices = frozenset({"a", "b"})
    assert judge(None, report(a="answering", b="answering"), HASH[:12], devices).missing == ()
    assert judge(None, report(a="answering", b="connecting"), HASH[:12], devices).missing == ("b does not answer",)
    assert judge(None, report(a="answering"), HASH[:12], devices).missing == ("b does not answer",)
    assert "not 999999999999" in judge(None, report(a="answering", b="answering"), "9" * 12, devices).missing[0]
    assert judge(None, report(running=False), HASH[:12], devices).missing == ("the agent does not run",)
    assert judge(None, None, HASH[:12], devices).missing == ("the agent does not run",)


def test_a_device_that_was_silent_before_holds_nothing_up_and_is_told() -> None:
    verdict = judge(report(a="silent", b="answering"), report(a="silent", b="answering"), HASH, frozenset({"a", "b"}))
    assert verdict.missing == ()
    assert verdict.remarks == ("a did not answer before and does not now",)


def test_a_new_device_must_answer() -> None:
    verdict = judge(report(a="answering"), report(a="answering", b="silent"), HASH, frozenset({"a", "b"}))
    assert verdict.missing == ("b does not answer",)


def test_what_a_stopped_agent_said_last_excuses_nobody() -> None:
    assert judge(report(running=False, a="silent"), report(a="silent"), HASH, frozenset({"a"})).missing


@given(st.text(max_size=100) | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(json.dumps))
def test_no_output_breaks_the_reader(text: str) -> None:
    assert read_report(text) is None
    read_check(text)


def test_the_configuration_that_was_checked_is_found() -> None:
    assert read_check(f"agent gw of acme, configuration {HASH[:12]}\nconfiguration is good\n") == HASH[:12]
    assert read_check("configuration is good\n") is None
