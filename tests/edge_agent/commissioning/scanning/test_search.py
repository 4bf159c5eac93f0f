"""What a scan finds of a device with whatever holes and limits, in how many requests, and after whatever interruption."""

from __future__ import annotations

from dataclasses import asdict, replace

from hypothesis import example, given
from hypothesis import strategies as st

from drivers.modbus.address import Table
from edge_agent.commissioning.scanning.report import progress
from edge_agent.commissioning.scanning.search import (
    REGISTERS_MAX,
    Ask,
    Outcome,
    Plan,
    Refused,
    Search,
    Silent,
    State,
    Values,
)

PLAN = Plan((1,), (Table.HOLDING,), 0, 299, 1, 100_000)


class Model:
    """A device; a register holds its address. ``most`` registers in a request, none across one of the ``walls``."""

    def __init__(
        self, places: set[int], most: int = 125, too_long: int = 3, walls: frozenset[int] = frozenset()
    ) -> None:
        self.places, self.most, self.too_long, self.walls = places, most, too_long, walls

    def answer(self, ask: Ask) -> Outcome:
        if ask.count > self.most:
            return Refused(self.too_long)
        wanted = range(ask.start, ask.start + ask.count)
        given = self.places.issuperset(wanted) and not self.walls.intersection(wanted[1:])
        return Values(tuple(wanted)) if given else Refused(2)

    def longest_run(self) -> int:
        """Of readable addresses without a wall in it, as far as one request of the protocol can reach."""
        longest = count = 0
        for place in range(300):
            count = (1 if place in self.walls else count + 1) if place in self.places else 0
            longest = max(longest, count)
        return min(longest, REGISTERS_MAX)


def scanned(model: Model, plan: Plan = PLAN) -> Search:
    search = Search(plan)
    while (ask := search.wants()) is not None:
        search.take(model.answer(ask))
    return search


EVEN_WALLS = st.builds(lambda first, step: frozenset(range(first, 300, step)), st.integers(1, 20), st.integers(2, 60))


@st.composite
def models(draw):
    """Runs of addresses here and there, a limit, and holes and walls in them."""
    runs = draw(st.lists(st.tuples(st.integers(0, 299), st.integers(1, 160)), max_size=6))
    places = {place for start, count in runs for place in range(start, min(start + count, 300))}
    places -= draw(st.one_of(st.sets(st.integers(0, 299), max_size=12), EVEN_WALLS))
    walls = draw(st.one_of(st.just(frozenset()), st.frozensets(st.integers(1, 299), max_size=12), EVEN_WALLS))
    return Model(places, draw(st.integers(1, 125)), draw(st.sampled_from((2, 3))), walls)


@given(models())
def test_exactly_the_readable_addresses_are_found_within_the_bound(model):
    search = scanned(model)
    found = search.found[1].tables[Table.HOLDING]
    assert found.words == {place: place for place in model.places}
    assert found.again == found.words
    assert found.refused == set(range(300)) - model.places
    assert search.requests <= PLAN.bound


def test_every_other_address_is_the_worst_and_costs_two_requests_each():
    search = scanned(Model(set(range(0, 300, 2))))
    assert len(search.found[1].tables[Table.HOLDING].words) == 150
    assert search.requests <= 2 * 300 + 20


@given(st.integers(0, 299))
@example(127)
def test_one_hole_wherever_it_lies_costs_a_few_dozen_requests(hole):
    whole = scanned(Model(set(range(300)))).requests
    assert scanned(Model(set(range(300)) - {hole})).requests <= whole + 40


@given(models(), st.integers(2, 40))
def test_with_a_stride_no_run_of_that_length_is_missed_and_nothing_is_invented(model, stride):
    found = scanned(model, replace(PLAN, stride=stride)).found[1].tables[Table.HOLDING]
    assert found.words.keys() <= model.places
    for start in range(300 - stride + 1):
        run = set(range(start, start + stride))
        if run <= model.places:
            assert run <= found.words.keys()


@given(models(), st.integers(0, 600))
def test_what_was_interrupted_anywhere_comes_to_the_same(model, stop):
    whole = scanned(model)
    said: list[Outcome] = []
    first = Search(PLAN)
    while len(said) < stop and (ask := first.wants()) is not None:
        said.append(model.answer(ask))
        first.take(said[-1])
    again = Search(PLAN)
    for outcome in said:
        again.take(outcome)
    assert again.wants() == first.wants()
    while (ask := again.wants()) is not None:
        again.take(model.answer(ask))
    assert (again.requests, asdict(again.found[1])) == (whole.requests, asdict(whole.found[1]))


@given(models())
@example(Model(set(range(126))))  # a run that only the protocol's own limit cuts
def test_a_limit_is_found_where_something_longer_could_be_asked_and_an_inner_wall_is_never_called_one(model):
    found = scanned(model).found[1].tables[Table.HOLDING]
    if found.length_max is not None:
        assert found.length_max == model.most or found.length_max == found.longest == 1
    elif not model.walls:
        assert found.longest == min(model.longest_run(), model.most) == model.longest_run()
    if not model.walls:
        assert (found.length_max is not None) == (model.longest_run() > model.most)
    assert found.walls <= model.walls or model.most == 1


@given(st.integers(1, 124), st.sampled_from((2, 3)), st.integers(0, 9))
def test_the_longest_request_is_found(most, code, first):
    found = scanned(Model(set(range(first, 300)), most, code)).found[1].tables[Table.HOLDING]
    assert (found.length_max, found.longest) == (most, most)


def test_a_limit_shows_in_a_run_that_is_little_longer():
    found = scanned(Model(set(range(100, 150)), 20, 2)).found[1].tables[Table.HOLDING]
    assert (found.length_max, found.walls) == (20, set())


def test_a_device_of_parts_is_not_said_to_have_a_limit():
    found = scanned(Model(set(range(300)), walls=frozenset({20, 100}))).found[1].tables[Table.HOLDING]
    assert (found.length_max, found.longest) == (None, 125)
    found = scanned(Model(set(range(40)), walls=frozenset({20}))).found[1].tables[Table.HOLDING]
    assert (found.length_max, found.longest, found.walls) == (None, 20, {20})


def test_a_device_without_limits_is_said_to_have_none_and_costs_few_requests():
    search = scanned(Model(set(range(300))))
    assert search.found[1].tables[Table.HOLDING].length_max is None
    assert search.requests <= 20


def test_units_that_are_not_there_and_tables_that_are_not_there_are_told_apart():
    plan = replace(PLAN, units=(1, 2, 3), tables=(Table.HOLDING, Table.INPUT, Table.COIL), last=9)
    search = Search(plan)
    while (ask := search.wants()) is not None:
        if ask.unit == 2:
            search.take(Silent())
        elif ask.unit == 3:
            search.take(Refused(0x0B))
        elif ask.table is Table.INPUT:
            search.take(Refused(1))
        elif ask.table is Table.COIL:
            search.take(Silent())
        else:
            search.take(Values((0,) * ask.count))
    assert [search.found[unit].state for unit in (1, 2, 3)] == [State.PRESENT, State.SILENT, State.NO_PATH]
    states = {table: found.state for table, found in search.found[1].tables.items()}
    assert states == {Table.HOLDING: State.PRESENT, Table.INPUT: State.ABSENT, Table.COIL: State.SILENT}


def test_a_unit_that_falls_silent_is_left_alone_and_the_others_are_scanned():
    plan = replace(PLAN, units=(1, 2), last=99)
    search = Search(plan)
    while (ask := search.wants()) is not None:
        search.take(Silent() if ask.unit == 1 and ask.start + ask.count > 10 else Values((0,) * ask.count))
    assert search.found[1].state is State.LOST
    assert len(search.found[2].tables[Table.HOLDING].words) == 100
    assert search.requests < 50


@given(models(), st.integers(1, 50))
def test_the_plans_limit_is_kept(model, requests_max):
    search = scanned(model, replace(PLAN, requests_max=requests_max))
    assert search.requests <= requests_max
    assert search.exhausted == (scanned(model).requests > requests_max)


def test_the_time_that_is_left_is_never_said_to_be_none():
    search = Search(PLAN)  # 1260 requests at most
    for passed_s, left in ((0.0001, "1 s"), (0.01, "13 s"), (0.0952, "120 s"), (0.1, "2 min"), (1.0, "21 min")):
        said = progress(search, passed_s, 1)
        assert said == f"unit 1, holding 0 of 299: 0 requests, at most {left} more"
