"""What a browser says it wants is taken as it is meant, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.pages.alarm_details import WISHES
from aggregator.pages.alarm_dialogs import NS_PER_MIN, shelf_choices
from aggregator.pages.alarm_requests import ROWS_AT_ONCE_MAX, Asked, asked, reading, selected

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
rows = st.lists(st.tuples(st.text(max_size=20), st.integers(0, 2**63 - 1)), max_size=150)
near = st.fixed_dictionaries(
    {
        "key": st.sampled_from([*WISHES]) | anything,
        "rows": st.lists(st.lists(anything, max_size=3), max_size=3) | anything,
    }
)


@given(st.sampled_from([*WISHES]), rows, st.booleans())
def test_what_the_pages_own_script_says_is_taken_as_it_is(key, shown, visible):
    found = asked({"key": key, "rows": [[*each] for each in shown], "visible": visible})
    assert found == Asked(WISHES[key], tuple(shown[:ROWS_AT_ONCE_MAX]), visible)


@given(anything | near)
def test_whatever_else_is_said_makes_nothing_fail(args):
    found = asked(args)
    assert found is None or all(isinstance(id_, str) and revision >= 0 for id_, revision in found.rows)
    assert selected(args) is None or isinstance(selected(args), str)
    assert reading(args) in {None, True, False}


@pytest.mark.parametrize(
    "args",
    [
        {}, None, "k", [], {"key": "k"}, {"key": "x", "rows": []}, {"key": ["k"], "rows": []}, {"key": "k", "rows": "abc"},
        {"key": "k", "rows": [["a"]]}, {"key": "k", "rows": [["a", "1"]]}, {"key": "k", "rows": [["a", True]]},
        {"key": "k", "rows": [["a", -1]]}, {"key": "k", "rows": [["a", 2**63]]}, {"key": "k", "rows": [[1, 1]]},
        {"key": "k", "rows": [["a", 1], None]},
    ],
)  # fmt: skip
def test_what_it_never_says_is_no_wish(args):
    assert asked(args) is None


@given(st.integers(0, 24 * 3600 * 10**9))
def test_no_shelf_is_offered_that_is_longer_than_allowed(longest_ns):
    choices = shelf_choices(longest_ns)
    assert all(0 < each * NS_PER_MIN <= longest_ns for each in choices)
    assert list(choices) == sorted(set(choices))
    assert bool(choices) == (longest_ns >= NS_PER_MIN)


def test_the_longest_shelf_that_is_allowed_is_offered():
    assert shelf_choices(8 * 60 * NS_PER_MIN) == (15, 30, 60, 120, 240, 480)
    assert shelf_choices(90 * NS_PER_MIN) == (15, 30, 60, 90)
    assert shelf_choices(10 * NS_PER_MIN) == (10,)
