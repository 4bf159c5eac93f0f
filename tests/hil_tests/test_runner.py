"""A scenario passes when nothing at all speaks against it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contract.ids import Lane
from hil_tests.compare import Comparison, MessageKey
from hil_tests.figures import Figure
from hil_tests.runner import Outcome, table
from hil_tests.verdicts import Verdict

GOOD = Outcome(
    "gas", "a title", (Verdict("a fault", forbidden=False, passed=True, found=1, latency_ms=3.0),),
    Comparison((), (), (), declared=2), (Figure("sessions", 1.0, passed=True),),
)  # fmt: skip
KEY = MessageKey("agent", "epoch", Lane.EVENTS, 1, "digest")


def test_nothing_against_it_passes() -> None:
    assert GOOD.passed
    assert GOOD.to_json()["passed"]
    assert not any("FAIL" in line for line in table([GOOD]))


@pytest.mark.parametrize(
    "against",
    [
        replace(GOOD, verdicts=(*GOOD.verdicts, Verdict("a fault", forbidden=True, passed=False, found=1, latency_ms=3.0))),
        replace(GOOD, figures=(*GOOD.figures, Figure("wrong values", 1.0, passed=False))),
        replace(GOOD, other_functions={6: 1}),
        replace(GOOD, comparison=replace(GOOD.comparison, lost=(KEY,))),
        replace(GOOD, comparison=replace(GOOD.comparison, duplicated=(KEY,))),
        replace(GOOD, comparison=replace(GOOD.comparison, out_of_order=(KEY,))),
    ],
    ids=["an expectation", "a figure", "a function that does not only read", "a loss", "a double", "an order"],
)  # fmt: skip
def test_one_thing_against_it_fails_and_is_on_the_screen(against: Outcome) -> None:
    assert not against.passed
    assert not against.to_json()["passed"]
    head, *lines = table([against])
    assert head.startswith("FAIL")
    assert sum("FAIL" in line for line in lines) == 1
