"""Each cell of the matrix, and how far a scope reaches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.commands.refusal import RefusalCode, RefusedError
from aggregator.people.rights import RIGHTS, Person, Right, Role, covers

MATRIX = """
                see  acknowledge  shelve  service  comment  reset  journal  names  people
viewer          x    .            .       .        .        .      .        .      .
operator        x    x            x       .        x        x      x        .      .
engineer        x    x            x       x        x        x      x        .      .
administrator   x    .            .       .        .        .      x        x      x
regulator       x    .            .       .        .        .      x        x      .
"""
HEAD, *ROWS = [line.split() for line in MATRIX.strip().splitlines()]
CELLS = [(row[0], right, mark == "x") for row in ROWS for right, mark in zip(HEAD, row[1:], strict=True)]
PARTS = st.sampled_from(["a", "b", "bc", "氯气"])
PATHS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)


def test_the_matrix_has_every_cell():
    assert {(role, right) for role, right, _ in CELLS} == {
        (role.value, right.value) for role in Role for right in Right
    }
    assert set(RIGHTS) == set(Role)


@pytest.mark.parametrize(("role", "right", "allowed"), CELLS)
def test_a_role_may_what_the_matrix_says(role, right, allowed):
    person = Person("li", Role(role), "", "0" * 64)
    assert person.may(Right(right)) is allowed
    assert person.may(Right(right), "acme/tank") is allowed
    if not allowed:
        with pytest.raises(RefusedError) as caught:
            person.require(Right(right))
        assert (caught.value.code, caught.value.params) == (RefusalCode.NOT_ALLOWED, {"right": right})


@pytest.mark.parametrize(
    ("scope", "org", "covered"),
    [("", None, True), ("", "a/b", True), ("a/b", "a/b", True), ("a/b", "a/b/c", True), ("a/b", "a/bc", False),
     ("a/b", "a", False), ("a/b", "b/a/b", False), ("a/b", None, False), ("a", "", False)],
)  # fmt: skip
def test_a_scope_covers_itself_and_what_lies_below(scope, org, covered):
    assert covers(scope, org) is covered


@given(PATHS, PATHS)
def test_who_covers_a_place_covers_all_below_it_and_nothing_beside(scope, org):
    inside = org.split("/")[: len(scope.split("/"))] == scope.split("/")
    assert covers(scope, org) is inside


def test_a_right_ends_where_the_scope_ends():
    person = Person("li", Role.OPERATOR, "acme", "0" * 64)
    assert person.may(Right.ACKNOWLEDGE, "acme/tank")
    assert not person.may(Right.ACKNOWLEDGE, "apex/tank")
