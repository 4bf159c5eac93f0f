"""Plans as properties: complete, within limits, and never dearer than any other."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.address import ModbusAddress, Table, WordOrder
from drivers.modbus.planner import BusCost, Limits, Span, halves, plan, span_of

TCP = BusCost(2_000_000, 10_000)


def at(offset, width=1, table=Table.HOLDING, alone=None):
    return ModbusAddress(table, offset, width, None, WordOrder.ABCD, alone)


def shapes(requests):
    return [(r.function, r.start, r.count) for r in requests]


def price(requests, cost):
    return sum(cost.of(request.span) for request in requests)


@st.composite
def addresses(draw, offset_max=65_535, tables=tuple(Table)):
    table = draw(st.sampled_from(tables))
    width = 1 if table.holds_bits else draw(st.sampled_from([1, 2, 4]))
    near = st.integers(0, min(60, offset_max))
    offset = draw(near | st.integers(0, offset_max) | near.map(lambda o: 65_535 - o if offset_max == 65_535 else o))
    place = at(min(offset, 65_536 - width), width, table)
    return replace(place, alone=(place.offset, width)) if draw(st.integers(0, 9)) == 0 else place


def spans(offset_max):
    return st.builds(Span, st.sampled_from(Table), st.integers(0, offset_max), st.integers(1, 20))


costs = st.builds(BusCost, st.integers(1, 10**7), st.integers(0, 10**6))
limits = st.builds(
    Limits,
    max_registers=st.integers(4, 125),
    max_bits=st.integers(1, 2000),
    max_gap=st.integers(0, 125),
    lengths=st.dictionaries(st.sampled_from(Table), st.integers(1, 60), max_size=2),
    refused=st.frozensets(spans(80), max_size=5),
)


def unwanted(request, points):
    """The longest run of places in a request that no point of its table has."""
    wanted = {p for a in points if a.table is request.table for p in range(span_of(a).start, span_of(a).end)}
    longest = run = 0
    for place in range(request.start, request.start + request.count):
        run = 0 if place in wanted else run + 1
        longest = max(longest, run)
    return longest


@given(st.lists(addresses(), max_size=60), limits, costs)
def test_every_point_is_covered_once_and_no_limit_is_passed(points, limit, cost):
    requests = plan(points, limit, cost)
    assert sorted(i for r in requests for i in r.members) == list(range(len(points)))
    assert requests == plan(points, limit, cost)
    for request in requests:
        inside = {span_of(points[i]) for i in request.members}
        assert all(request.span.holds(span) for span in inside)
        if inside == {request.span}:
            continue  # a single place is asked for whatever is said of it
        assert not any(points[i].alone for i in request.members)
        assert request.count <= limit.places(request.table)
        assert unwanted(request, points) <= limit.gap(request.table)
        assert not any(request.span.holds(span) for span in limit.refused)


def partitions(items):
    """Every way to put items into groups."""
    if not items:
        yield []
        return
    first, *rest = items
    for parts in partitions(rest):
        yield [[first], *parts]
        for i in range(len(parts)):
            yield [*parts[:i], [first, *parts[i]], *parts[i + 1 :]]


def cheapest(points, limit, cost):
    """By trying everything."""
    best = None
    for parts in partitions(sorted({span_of(p) for p in points})):
        hulls = [Span(part[0].table, part[0].start, max(s.end for s in part) - part[0].start)
                 for part in map(sorted, parts)]  # fmt: skip
        allowed = all(
            len(part) == 1
            or (hull.count <= limit.places(hull.table)
                and unwanted(hull, points) <= limit.gap(hull.table)
                and not any(hull.holds(span) for span in limit.refused))
            for part, hull in zip(parts, hulls, strict=True)
        )  # fmt: skip
        total = sum(cost.of(hull) for hull in hulls)
        if allowed and (best is None or total < best):
            best = total
    return best or 0


@st.composite
def small_cases(draw):
    table = draw(st.sampled_from([Table.HOLDING, Table.COIL]))
    points = draw(st.lists(addresses(offset_max=40, tables=(table,)).map(lambda a: replace(a, alone=None)), max_size=6))
    limit = Limits(
        max_registers=draw(st.integers(4, 30)),
        max_bits=draw(st.integers(1, 30)),
        max_gap=draw(st.integers(0, 12)),
        refused=draw(st.frozensets(st.builds(Span, st.just(table), st.integers(0, 40), st.integers(1, 9)), max_size=2)),
    )
    return points, limit, BusCost(draw(st.integers(1, 100)), draw(st.integers(0, 20)))


@given(small_cases())
def test_no_plan_is_cheaper(case):
    points, limit, cost = case
    assert price(plan(points, limit, cost), cost) == cheapest(points, limit, cost)


@given(st.lists(addresses(), max_size=40), limits)
def test_halves_read_the_same_points_until_each_place_is_alone(points, limit):
    pending = list(plan(points, limit, TCP))
    while pending:
        request = pending.pop()
        parts = halves(request, points)
        if parts is None:
            assert {span_of(points[i]) for i in request.members} == {request.span}
            continue
        left, right = parts
        assert sorted(left.members + right.members) == sorted(request.members)
        assert request.span.holds(left.span)
        assert request.span.holds(right.span)
        pending += parts


def test_tables_are_never_mixed():
    points = [at(0, table=table) for table in (Table.INPUT, Table.HOLDING, Table.DISCRETE, Table.COIL)]
    assert shapes(plan(points, Limits(), TCP)) == [(1, 0, 1), (2, 0, 1), (3, 0, 1), (4, 0, 1)]


def test_a_gap_is_read_over_up_to_the_limit():
    assert shapes(plan([at(0), at(17)], Limits(), TCP)) == [(3, 0, 18)]
    assert shapes(plan([at(0), at(18)], Limits(), TCP)) == [(3, 0, 1), (3, 18, 1)]
    assert shapes(plan([at(0), at(2)], Limits(max_gap=0), TCP)) == [(3, 0, 1), (3, 2, 1)]
    assert shapes(plan([at(0, table=Table.COIL), at(257, table=Table.COIL)], Limits(), TCP)) == [(1, 0, 258)]


def test_a_gap_dearer_than_a_second_request_is_not_read_over():
    slow = BusCost(12_000, 1_000)
    assert shapes(plan([at(0), at(6)], Limits(), slow)) == [(3, 0, 7)]
    assert shapes(plan([at(0), at(8)], Limits(), slow)) == [(3, 0, 1), (3, 8, 1)]


def test_a_long_value_is_never_cut():
    assert shapes(plan([at(0, 4), at(4, 4), at(8, 4)], Limits(max_registers=10), TCP)) == [(3, 0, 4), (3, 4, 8)]


def test_what_must_be_read_alone_is_asked_for_as_it_says_and_shared_only_with_its_like():
    block = (0, 2)
    points = [at(0), at(0, alone=block), at(1, alone=block), at(1), at(2)]
    requests = plan(points, Limits(), TCP)
    assert shapes(requests) == [(3, 0, 2), (3, 0, 3)]
    assert [r.members for r in requests] == [(1, 2), (0, 3, 4)]


def test_two_thousand_coils_with_a_hole_are_planned_around_it():
    points = [at(i, table=Table.COIL) for i in range(2000)]
    refused = frozenset({Span(Table.COIL, 777, 1)})
    asked = [point for point in points if point.offset != 777]
    assert shapes(plan(asked, Limits(refused=refused), TCP)) == [(1, 0, 777), (1, 778, 1222)]
