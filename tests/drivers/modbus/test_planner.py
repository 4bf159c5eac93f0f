"""Plans as properties: complete, within limits, and never more requests than needed."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.address import ModbusAddress, Table, WordOrder
from drivers.modbus.planner import Limits, plan, predicted_us, split


def at(offset, width=1, table=Table.HOLDING):
    return ModbusAddress(table, offset, width, None, WordOrder.ABCD)


def shapes(requests):
    return [(r.function, r.start, r.count) for r in requests]


@st.composite
def addresses(draw, offset_max=65_535, tables=tuple(Table)):
    table = draw(st.sampled_from(tables))
    width = 1 if table.holds_bits else draw(st.sampled_from([1, 2, 4]))
    near = st.integers(0, min(60, offset_max))
    offset = draw(near | st.integers(0, offset_max) | near.map(lambda o: 65_535 - o if offset_max == 65_535 else o))
    return at(min(offset, 65_536 - width), width, table)


limits = st.builds(
    Limits, max_registers=st.integers(4, 125), max_bits=st.integers(1, 2000), max_gap=st.integers(0, 125)
)


@given(st.lists(addresses(), max_size=60), limits)
def test_every_point_is_covered_once_and_no_limit_is_passed(points, limit):
    requests = plan(points, limit)
    assert sorted(i for r in requests for i in r.members) == list(range(len(points)))
    assert len(requests) <= len(points)
    assert requests == plan(points, limit)
    for request in requests:
        assert 1 <= request.count <= limit.places(request.table)
        assert request.start + request.count <= 65_536
        for index in request.members:
            assert points[index].table is request.table
            assert request.start <= points[index].offset <= points[index].end <= request.start + request.count


@given(st.lists(addresses(), max_size=60), limits)
def test_a_request_begins_and_ends_at_a_point_and_has_no_forbidden_gap(points, limit):
    for request in plan(points, limit):
        inside = sorted((points[i].offset, points[i].end) for i in request.members)
        assert request.start == inside[0][0]
        assert request.start + request.count == max(end for _, end in inside)
        reached = request.start
        for start, end in inside:
            assert start - reached <= limit.gap(request.table)
            reached = max(reached, end)


def fewest(spans, limit, gap):
    """Least number of requests by trying every way to cut the sorted spans into runs."""
    best = [0] + [math.inf] * len(spans)
    for last in range(1, len(spans) + 1):
        for first in range(last):
            run, reached, ok = spans[first:last], spans[first][0], True
            for start, end in run:
                ok = ok and start - reached <= gap
                reached = max(reached, end)
            if ok and reached - run[0][0] <= limit:
                best[last] = min(best[last], best[first] + 1)
    return best[-1]


@given(st.lists(addresses(offset_max=80, tables=(Table.HOLDING,)), max_size=14), st.integers(4, 30), st.integers(0, 10))
def test_no_plan_has_fewer_requests(points, max_registers, max_gap):
    spans = sorted((point.offset, point.end) for point in points)
    requests = plan(points, Limits(max_registers=max_registers, max_gap=max_gap))
    assert len(requests) == fewest(spans, max_registers, max_gap)


@given(st.lists(addresses(), max_size=40), limits)
def test_a_split_reads_the_same_points_place_by_place(points, limit):
    for request in plan(points, limit):
        parts = split(request, points)
        assert sorted(i for part in parts for i in part.members) == sorted(request.members)
        for part in parts:
            assert {(points[i].offset, points[i].width) for i in part.members} == {(part.start, part.count)}
            assert split(part, points) == (part,)


def test_tables_are_never_mixed():
    points = [at(0, table=table) for table in (Table.INPUT, Table.HOLDING, Table.DISCRETE, Table.COIL)]
    assert shapes(plan(points, Limits())) == [(1, 0, 1), (2, 0, 1), (3, 0, 1), (4, 0, 1)]


def test_a_gap_is_read_over_up_to_the_limit():
    assert shapes(plan([at(0), at(17)], Limits())) == [(3, 0, 18)]
    assert shapes(plan([at(0), at(18)], Limits())) == [(3, 0, 1), (3, 18, 1)]
    assert shapes(plan([at(0), at(2)], Limits(max_gap=0))) == [(3, 0, 1), (3, 2, 1)]
    assert shapes(plan([at(0, table=Table.COIL), at(257, table=Table.COIL)], Limits())) == [(1, 0, 258)]


def test_a_gap_dearer_than_a_second_request_is_not_read_over():
    assert shapes(plan([at(0), at(111)], Limits(max_gap=125))) == [(3, 0, 112)]
    assert shapes(plan([at(0), at(112)], Limits(max_gap=125))) == [(3, 0, 1), (3, 112, 1)]


def test_a_long_value_is_never_cut():
    assert shapes(plan([at(0, 4), at(4, 4), at(8, 4)], Limits(max_registers=10))) == [(3, 0, 8), (3, 8, 4)]


def test_pauses_count_as_time_on_the_bus():
    requests = plan([at(0), at(500)], Limits())
    assert predicted_us(requests, 50.0) - predicted_us(requests, 0.0) == 100_000
