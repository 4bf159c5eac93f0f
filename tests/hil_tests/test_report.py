"""The figures of a run, out of ledgers and the journal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contract.ids import Lane
from hil_tests.arrivals import Acknowledged, Arrival, Leak
from hil_tests.compare import Committed, MessageKey, compare
from hil_tests.journal_lines import JournalEvent
from hil_tests.latency import Change
from hil_tests.report import NOT_TIMED, Observed, Usage, build_report, passed, report_lines
from hil_tests.verdicts import SeenEvent

S = 1_000_000_000


def chunk(seq: int, samples: int) -> Committed:
    return Committed(MessageKey("store", "e", Lane.TELEMETRY, seq, "d"), seq, samples)


def committed(seq: int) -> Committed:
    return Committed(MessageKey("store", "e", Lane.EVENTS, seq, "d"), seq, 0)


def seen(tag: str, judged_s: float, committed_s: float, **more: Any) -> SeenEvent:
    words = {"type": "condition_on", "kind": "high", "condition_class": "safety", **more}
    return SeenEvent(
        JournalEvent("store", "e", 1, mono_ns=round(judged_s * S), tag=tag, **words), round(committed_s * S)
    )


def arrival(tag: str, committed_s: float, acknowledged_s: float | None) -> Arrival:
    """Of gas that passed the set-point at 10 s."""
    done_ns = None if acknowledged_s is None else round(acknowledged_s * S)
    return Arrival(tag, 10 * S, round((committed_s - 0.1) * S), round(committed_s * S), done_ns)


SENT = [committed(1), committed(2), chunk(1, 60), chunk(2, 40), chunk(3, 7)]
RUN = Observed(
    seconds=60.04,
    by_program=True,
    sent=SENT,
    received=SENT[:-1],
    seen=[seen("AT-103", 11, 11.5), seen("XM-101", 12, 12.5, condition_class="advisory")],
    comparison=compare(SENT, SENT),
    changes=[Change(0, 90_000_000, 100_000_000), Change(0, None, None)],
    marker_tags=frozenset({"XM-101"}),
    leak=Leak("cl2-tank-a", 9 * S, 60 * S),
    arrivals=[arrival("AT-103", 11.5, acknowledged_s=13), Arrival("AT-107", 12 * S, None, None, None)],
    acknowledged=[Acknowledged("AT-103", "high", 13 * S)],
    traffic=[{"bytes_sent": 300, "samples_sent": 100}, {"bytes_sent": 100, "samples_sent": 100}],
    processes={"aggregator": Usage(80.04, 1.234)},
    functions={4: 60, 1: 20},
)


def test_the_report_holds_every_promised_figure() -> None:
    assert build_report(RUN) == {
        "passed": True, "timed": True, "seconds": 60.0, "samples": 100, "events": 2, "alarms_raised": 1,
        "alarms_acknowledged": 1, "lost": 0, "duplicated": 0, "out_of_order": 0, "declared_gone": 0,
        "gas_latency_ms": 2500.0, "gas_after_setpoint_ms": {"AT-103": 1500.0, "AT-107": None},
        "order_of_arrival": ["AT-103"], "latency_ms": {"p50": 100.0, "p99": 100.0},
        "software_latency_ms": {"p50": 10.0, "p99": 10.0}, "marker_changes": 2, "marker_changes_reported": 1,
        "bytes_per_sample": 2.0, "modbus_functions": {"1": 20, "4": 60}, "processes": {"aggregator": {"rss_mb": 80.0, "cpu_percent": 1.23}},
    }  # fmt: skip
    assert len(report_lines(build_report(RUN))) == 21


def test_a_run_for_a_person_is_judged_by_what_was_lost_and_says_that_nothing_was_timed() -> None:
    run = replace(RUN, by_program=False, changes=[], acknowledged=[], arrivals=[])
    report = build_report(run)
    assert (report["passed"], report["timed"], report["alarms_acknowledged"]) == (True, False, None)
    said = report_lines(report)
    assert said[0] == NOT_TIMED
    assert not [each for each in said if ("latency_ms" in each and "gas" not in each) or "acknowledged" in each]
    assert not passed(replace(run, comparison=compare(SENT, SENT[1:])))


def test_a_run_without_samples_or_changes_has_no_figures_for_them() -> None:
    report = build_report(replace(RUN, changes=[], traffic=[{"bytes_sent": 9, "samples_sent": 0}]))
    assert (report["latency_ms"], report["bytes_per_sample"]) == ({"p50": None, "p99": None}, None)


@pytest.mark.parametrize(
    "found",
    [[], [arrival("AT-103", 25.1, 26)], [arrival("AT-103", 11, None)], [Arrival("AT-103", 10 * S, None, None, None)]],
    ids=["no gas", "too late", "not acknowledged", "no alarm"],
)
def test_only_a_gas_alarm_in_time_that_was_acknowledged_passes(found: list[Arrival]) -> None:
    assert passed(RUN)
    assert not passed(replace(RUN, arrivals=found))
    assert passed(replace(RUN, arrivals=[*found, *RUN.arrivals]))


def test_a_run_without_a_leak_has_no_gas_figures() -> None:
    report = build_report(replace(RUN, leak=None, arrivals=[], acknowledged=[]))
    assert (report["gas_latency_ms"], report["gas_after_setpoint_ms"], report["order_of_arrival"]) == (None, {}, [])
    assert not report["passed"]


@pytest.mark.parametrize("received", [SENT[1:], [*SENT, SENT[0]], SENT[::-1]], ids=["lost", "doubled", "shuffled"])
def test_each_of_the_three_counts_fails_the_run(received: list[Committed]) -> None:
    run = replace(RUN, received=received, comparison=compare(SENT, received))
    assert not passed(run)
    assert not build_report(run)["passed"]


def test_a_device_that_was_asked_for_more_than_reading_fails_the_run() -> None:
    assert passed(RUN)
    assert not passed(replace(RUN, functions={4: 60, 6: 1}))
