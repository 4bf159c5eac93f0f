"""Labels of a drawing: none lies on another, on a symbol or outside, unless it must be read and nothing is free."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.pages.map_labels import Box, Label, around, box, is_far, nearest, place, width

BOUNDS = (0.0, 0.0, 100.0, 100.0)
SIZE = (12.0, 4.0)
SIDE = 3.0

positions = st.tuples(st.floats(0, 100), st.floats(0, 100))


def overlap(a: Box, b: Box) -> float:
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, wide) * max(0.0, high)


def label(at, *, must=False) -> Label:
    return Label(*SIZE, around(at, SIDE, SIZE, far=must), must)


def is_inside(own: Box) -> bool:
    return own[0] >= BOUNDS[0] and own[1] >= BOUNDS[1] and own[2] <= BOUNDS[2] and own[3] <= BOUNDS[3]


@given(st.lists(st.tuples(positions, st.booleans()), max_size=25))
def test_a_label_that_need_not_be_read_lies_on_nothing_and_one_that_must_is_always_there(things):
    symbols = tuple(box(at, SIDE, SIDE) for at, _ in things)
    labels = tuple(label(at, must=must) for at, must in things)
    found = place(labels, symbols, BOUNDS)
    placed = list(symbols)
    for each, centre in zip(labels, found, strict=True):
        if centre is None:
            assert not each.must
            continue
        own = box(centre, *SIZE)
        covered = sum(overlap(own, other) for other in placed)
        free = [
            place_
            for place_ in each.centres
            if is_inside(box(place_, *SIZE)) and not any(overlap(box(place_, *SIZE), other) for other in placed)
        ]
        assert centre == free[0] if free else each.must
        assert not free or (covered == 0 and is_inside(own))
        placed.append(own)


def test_an_alone_standing_symbol_has_its_label_to_the_right():
    (found,) = place((label((50.0, 50.0)),), (box((50.0, 50.0), SIDE, SIDE),), BOUNDS)
    assert found is not None
    assert found[0] - SIZE[0] / 2 > 50 + SIDE / 2
    assert found[1] == 50


def test_a_label_that_had_to_go_far_gets_a_line_to_its_near_edge():
    own = label((50.0, 50.0), must=True)
    near, far = own.centres[0], own.centres[-8]
    assert not is_far((50.0, 50.0), near, own, SIDE)
    assert is_far((50.0, 50.0), far, own, SIDE)
    end = nearest((50.0, 50.0), far, own)
    left, top, right, bottom = box(far, *SIZE)
    assert math.isclose(end[0], left)
    assert left <= end[0] <= right
    assert top <= end[1] <= bottom


def test_what_must_be_read_stays_even_where_everything_is_taken():
    everything = ((0.0, 0.0, 100.0, 100.0),)
    assert place((label((50.0, 50.0), must=True),), everything, BOUNDS) != (None,)
    assert place((label((50.0, 50.0)),), everything, BOUNDS) == (None,)


@pytest.mark.parametrize(("words", "ems"), [("", 0), ("氯", 1), ("AT", 1.12)])
def test_a_chinese_letter_is_an_em_wide(words, ems):
    assert width(words, 10) == pytest.approx(10 * ems)
