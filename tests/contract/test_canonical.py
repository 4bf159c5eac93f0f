"""The fast way to canonical bytes and the standard's own give the same, or the same refusal."""

from __future__ import annotations

import math

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from contract.events import canonical
from contract.ids import Lane

EDGES = [0.0, -0.0, 1e-4, math.nextafter(1e-4, 0), 2.0**53, 2.0**53 - 1, 1e16, 1e21, 1e-7, 5e-324, 0.1 + 0.2, -1.5]
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(EDGES) | st.integers()
LEAVES = st.none() | st.booleans() | NUMBERS | st.text() | st.characters()
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=4), inner, max_size=5)
)


@given(VALUES)
def test_every_value_gives_the_bytes_of_the_standard_or_its_refusal(value):
    try:
        want = rfc8785.dumps(value)
    except ValueError:
        with pytest.raises(ValueError):
            canonical(value)
    else:
        assert canonical(value) == want


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, -(2**53), "\ud800", {"a": [math.nan]}])
def test_what_the_standard_refuses_is_refused(value):
    with pytest.raises(ValueError):
        canonical(value)


@pytest.mark.parametrize("value", [{"\U00010000": 1, "\uffff": 2}, {"é": 1, "z": 2}, Lane.EVENTS, {Lane.EVENTS: 1}])
def test_keys_and_words_of_any_kind_come_out_as_the_standard_says(value):
    assert canonical(value) == rfc8785.dumps(value)
