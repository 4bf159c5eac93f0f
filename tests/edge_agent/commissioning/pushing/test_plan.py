"""Every way through a push ends, and a push that touched what the agent reads is confirmed or taken back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.commissioning.pushing.plan import TABLE, Outcome, Result, Step, follow

STEPS_MAX = 20


def test_the_table_is_reached_whole_and_leaves_nothing_open() -> None:
    assert {step for step, _ in TABLE} == set(Step)
    reached = {Step.CONNECT, *(after for after in TABLE.values() if isinstance(after, Step))}
    assert reached == set(Step)
    named = {Outcome.LOST, *(after for after in TABLE.values() if isinstance(after, Outcome))}
    assert named == set(Outcome)


@pytest.mark.parametrize("step", [step for step in Step if step is not Step.ASK])
def test_every_step_may_fail(step: Step) -> None:
    assert follow(step, Result.FAILED) is not Outcome.DONE
    assert follow(step, Result.LOST) in {Outcome.LOST, Outcome.UNREACHED}


@given(st.data())
def test_every_way_ends_and_a_good_end_after_a_switch_was_confirmed(data: st.DataObject) -> None:
    at: Step | Outcome = Step.CONNECT
    way: list[tuple[Step, Result]] = []
    while isinstance(at, Step):
        possible = [result for step, result in TABLE if step is at]
        result = data.draw(st.sampled_from([*possible, Result.LOST]))
        way.append((at, result))
        at = follow(at, result)
        assert len(way) <= STEPS_MAX
    asked = (Step.ASK, Result.OK) in way or (Step.ASK, Result.SAME) in way
    touched = any(step in {Step.UPLOAD, Step.SWITCH, Step.RELOAD, Step.START} for step, _ in way)
    assert asked or not touched, "nothing is changed unasked"
    if at is Outcome.DONE:
        assert (Step.CONFIRM, Result.OK) in way
    if (Step.CONFIRM, Result.FAILED) in way:
        assert any(step is Step.ROLL_BACK for step, _ in way)
    if (Step.SWITCH, Result.OK) in way:
        assert (Step.CHECK, Result.OK) in way
        assert at is not Outcome.REFUSED
