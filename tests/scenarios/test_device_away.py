"""A device is pulled away and given back: at once nothing is good, one fault says so, and all recovers alone."""

from __future__ import annotations

import time

import numpy as np
import pytest

from contract.clock import NS_PER_MS, NS_PER_S
from contract.quality import is_bad, is_good
from hil_tests.field import Field, one_device, wait_for
from hil_tests.rig.ledger import RowKind

POINTS = 12
POLL_S = 0.5
TIMEOUT_S = 0.3
DEVICE = "plant"
STANDING = "TEMP-0"
"""Active before, during and after: what is not known does not return to normal."""

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def field(open_field) -> Field:
    registers = [
        {
            "name": f"t{i}",
            "type": "float32",
            "signal": {"kind": "noise", "mean": 80 if i == 0 else 20, "sd": 1, "seed": i},
        }
        for i in range(POINTS)
    ]
    field: Field = open_field(one_device(DEVICE, registers))
    return field


@pytest.mark.parametrize(("away", "back"), [("disconnect", "listen"), ("stop_answering", "answer")])
def test_a_device_that_is_away_has_no_good_value_and_one_fault(field, away, back):
    agent = field.add_agent("gate", DEVICE, _points(), timeout_s=TIMEOUT_S, telemetry={"chunk_s": 1.0, "spool_s": 0.2})
    field.start()
    wait_for(lambda: _levels(field) == {(STANDING, "high"): 1}, "the standing condition is known")
    wait_for(lambda: all(is_good(quality) for quality in _live(field).values()) and _live(field), "all is good")

    away_ns = field.rig.command(DEVICE, away)
    wait_for(lambda: _levels(field).get((DEVICE, "fault")) == 1, "the device's fault arrives", 10.0)
    wait_for(
        lambda: all(is_bad(quality) for quality in _live(field).values()), "the live table shows none as good", 5.0
    )
    time.sleep(1.0)
    back_ns = field.rig.command(DEVICE, back)
    wait_for(lambda: _levels(field) == {(STANDING, "high"): 1}, "the fault goes by itself", 15.0)
    wait_for(lambda: all(is_good(quality) for quality in _live(field).values()), "all is good again", 5.0)

    field.rig.command(DEVICE, "freeze")
    agent.program.stop()
    field.wait_until_drained(agent)
    field.aggregator.program.stop()
    _check_events(field)
    for tag in (f"TEMP-{i}" for i in range(POINTS)):
        _check_samples(field, tag, away_ns, back_ns)
    assert not field.audit(agent).findings


def _points():
    return [
        {"tag": f"TEMP-{i}", "register": "holding", "address": 2 * i, "type": "float32", "unit": "degC",
         "poll_s": POLL_S, "h": 60, "deadband": 5}
        for i in range(POINTS)
    ]  # fmt: skip


def _check_events(field: Field) -> None:
    changes = [
        (event["type"], event["data"]["tag"], event["data"]["kind"])
        for event in field.aggregator.events()
        if event["type"].startswith("condition_")
    ]
    assert changes == [
        ("condition_on", STANDING, "high"),
        ("condition_on", DEVICE, "fault"),
        ("condition_off", DEVICE, "fault"),
    ]


def _check_samples(field: Field, tag: str, away_ns: int, back_ns: int) -> None:
    """Each reply shows another number, so there are as many good samples as replies that the device gave."""
    batch = field.aggregator.samples("gate", tag)
    before_back = batch.select(batch.mono_ns < back_ns - NS_PER_MS)
    good = np.array([is_good(quality) for quality in before_back.quality])
    replies = [each for each in field.rig.ledger(DEVICE) if each.kind is RowKind.SERVED and each.mono_ns < away_ns]
    assert good.sum() == len(replies)
    assert not good[good.sum() :].any(), "a good value after the first bad one"
    first_bad_ns = int(before_back.mono_ns[good.sum()])
    assert first_bad_ns - away_ns <= 2 * POLL_S * NS_PER_S
    assert is_good(batch.quality[-1])


def _levels(field: Field) -> dict[tuple[str, str], int]:
    rows = field.aggregator.rows("SELECT tag, kind, level FROM conditions WHERE level > 0")
    return {(tag, kind): level for tag, kind, level in rows}


def _live(field: Field) -> dict[str, int]:
    """Quality of each measured point in the live table."""
    return {tag: quality for tag, quality in field.aggregator.live() if tag != DEVICE}
