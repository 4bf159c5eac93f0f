"""The model of a group: against its plain twin, and what must not matter: batches, restarts, gaps, the order of members."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.detect.groups import REACH_MIN, GroupModel
from naive.groups import Group

SCAN_S = 1e6
"""So slow that the threshold is the lowest there is."""

Scans = NDArray[np.float64]


def related(rows: int, members: int = 4, seed: int = 1) -> Scans:
    """Members that move together, each with a little noise of its own."""
    random = np.random.default_rng(seed)
    common = np.cumsum(random.normal(0.0, 0.1, rows)) * 0.2
    scans: Scans = 10.0 + common[:, None] + random.normal(0.0, 0.1, (rows, members))
    return scans


def with_trouble(seed: int) -> Scans:
    """600 quiet scans, then one member steps away for 200, with missing values everywhere."""
    scans = related(1200, seed=seed)
    scans[600:800, 2] += 3.0
    scans[np.random.default_rng(seed).random(scans.shape) < 0.02] = np.nan
    scans[400:420] = np.nan
    return scans


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_the_plain_twin_says(seed: int) -> None:
    scans = with_trouble(seed)
    model, twin = GroupModel(4, SCAN_S), Group(4, REACH_MIN)
    judged = model.judge(scans)
    expected = [twin.judge(list(row)) for row in scans]
    assert np.allclose(judged.score, [score for score, _ in expected], rtol=1e-6, atol=1e-9)
    assert judged.standing.tolist() == [standing for _, standing in expected]
    assert judged.standing.any()


def test_what_stays_is_accepted_as_the_twin_does() -> None:
    scans = related(2400)
    scans[500:, 1] += 5.0
    twin = Group(4, REACH_MIN)
    judged = GroupModel(4, SCAN_S).judge(scans)
    assert judged.standing.tolist() == [twin.judge(list(row))[1] for row in scans]
    assert judged.standing[600]
    assert not judged.standing[1300]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 1200), max_size=6), st.booleans())
def test_neither_batches_nor_restarts_change_anything(cuts: list[int], restart: bool) -> None:
    scans = with_trouble(1)
    whole = GroupModel(4, 1.0)
    judged = whole.judge(scans)
    model, parts = GroupModel(4, 1.0), []
    for part in np.split(scans, sorted(cuts)):
        parts.append(model.judge(part))
        if restart:
            saved = model.save()
            model = GroupModel(4, 1.0)
            model.restore(saved)
    assert np.concatenate([part.score for part in parts]).tobytes() == judged.score.tobytes()
    assert np.concatenate([part.leading for part in parts]).tolist() == judged.leading.tolist()
    assert model.save() == whole.save()


def test_the_order_of_members_changes_only_the_order_of_their_shares() -> None:
    scans, order = with_trouble(2), [3, 1, 0, 2]
    one, other = GroupModel(4, 1.0), GroupModel(4, 1.0)
    first, second = one.judge(scans), other.judge(scans[:, order])
    assert np.allclose(first.score, second.score, rtol=1e-9)
    assert first.standing.tolist() == second.standing.tolist()
    assert np.allclose(one.shares()[order], other.shares(), rtol=1e-6, atol=1e-9)


def test_the_member_that_leaves_the_group_is_named() -> None:
    model = GroupModel(4, 1.0)
    judged = model.judge(with_trouble(3))
    raised = np.flatnonzero(judged.leading >= 0)
    assert 600 <= raised[0] < 610
    assert judged.leading[raised[0]] == 2
    assert model.shares().sum() == pytest.approx(1.0)
    assert model.shares()[2] > 0.9
    assert model.expected()[2] < 12.0


def test_what_all_members_do_together_is_less_than_what_one_does_alone() -> None:
    together, alone = related(700), related(700)
    together[600:] += 0.4
    alone[600:, 0] += 0.4
    assert GroupModel(4, 1.0).judge(together).score[605] < 0.7 * GroupModel(4, 1.0).judge(alone).score[605]


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf, 1e300])
def test_a_value_that_is_none_is_missing(strange: float) -> None:
    scans = related(900)
    scans[300:400, 1] = strange
    missing = scans.copy()
    missing[300:400, 1] = np.nan
    assert GroupModel(4, 1.0).judge(scans).score.tobytes() == GroupModel(4, 1.0).judge(missing).score.tobytes()


def test_one_wild_value_is_over_soon_and_not_learnt() -> None:
    scans = related(1000)
    scans[700, 0] = 1e6
    model = GroupModel(4, 1.0)
    judged = model.judge(scans)
    assert judged.standing[700]
    assert not judged.standing[800:].any()
    assert model.expected()[0] == pytest.approx(model.expected()[1], abs=0.1)


def test_nothing_is_raised_while_it_learns_on_purpose() -> None:
    scans = with_trouble(1)
    assert not GroupModel(4, 1.0).judge(scans, learning=True).standing.any()


def test_members_that_never_change_raise_nothing() -> None:
    assert not GroupModel(3, 1.0).judge(np.full((2000, 3), 7.0)).standing.any()


def test_a_smaller_budget_needs_more_to_raise() -> None:
    scans = with_trouble(1)
    frugal = GroupModel(4, 1.0, false_alarms_per_day=0.001).judge(scans)
    assert frugal.score.max() < GroupModel(4, 1.0, false_alarms_per_day=1.0).judge(scans).score.max()
