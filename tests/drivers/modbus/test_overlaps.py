"""Two points that read one place are told; what status words and devices with several answers need is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.points import PointRole, PointSpec, PointType
from drivers.modbus.overlaps import overlaps

FLOAT, WORD, BIT = PointType.FLOAT32, PointType.UINT16, PointType.BIT


def points(*places: tuple[PointType, str]) -> list[PointSpec]:
    return [
        PointSpec(0, f"P-{number}", "acme", "plc", type=type_, address=address)
        for number, (type_, address) in enumerate(places, 1)
    ]


def test_a_row_that_was_copied_with_its_address_is_told() -> None:
    assert overlaps(points((FLOAT, "holding:0"), (FLOAT, "holding:0/CDAB"), (FLOAT, "holding:2"))) == [
        "P-1 and P-2 read the same place, holding:0..1"
    ]


def test_floats_whose_addresses_run_on_by_one_are_told() -> None:
    assert overlaps(points(*((FLOAT, f"holding:{place}") for place in (0, 1, 2)))) == [
        "P-2 at holding:1..2 begins within P-1 at holding:0..1",
        "P-3 at holding:2..3 begins within P-2 at holding:1..2",
    ]


def test_many_at_one_place_are_named_up_to_a_limit() -> None:
    (line,) = overlaps(points(*[(WORD, "input:7")] * 9))
    assert line == "P-1, P-2, P-3, P-4, P-5 and 4 more read the same place, input:7"


@pytest.mark.parametrize(
    "places",
    [
        [(WORD, "holding:0"), (WORD, "input:0")],
        [(WORD, "holding:0"), (BIT, "holding:0.3"), (BIT, "holding:0.4")],
        [(BIT, "coil:0"), (BIT, "coil:1"), (BIT, "discrete:0")],
        [(FLOAT, "holding:0"), (FLOAT, "holding:2"), (WORD, "holding:4")],
        [(WORD, "holding:1@0+2"), (WORD, "holding:1@0+4")],
    ],
    ids=["tables", "status word", "bit tables", "side by side", "answers of two requests"],
)  # fmt: skip
def test_what_is_meant_is_not_told(places: list[tuple[PointType, str]]) -> None:
    assert overlaps(points(*places)) == []


def test_a_bit_that_two_points_read_is_told() -> None:
    assert overlaps(points((BIT, "holding:0.3"), (BIT, "holding:0.3"))) == [
        "P-1 and P-2 read the same place, holding:0 bit 3"
    ]


def test_the_point_of_the_device_itself_has_no_place() -> None:
    own = PointSpec(0, "plc", "acme", "plc", role=PointRole.DEVICE, address="holding:0")
    assert overlaps([own, *points((WORD, "holding:0"))]) == []


@given(st.lists(st.tuples(st.sampled_from([FLOAT, WORD]), st.integers(0, 12)), max_size=8))
def test_something_is_told_exactly_where_two_points_share_a_register(places: list[tuple[PointType, int]]) -> None:
    taken = [register for type_, start in places for register in range(start, start + (2 if type_ is FLOAT else 1))]
    found = overlaps(points(*((type_, f"holding:{start}") for type_, start in places)))
    assert bool(found) == (len(taken) != len(set(taken)))
