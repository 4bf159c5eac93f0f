"""What a scan finds of a device with whatever holes and limits, in how many requests, and after whatever interruption."""

from __future__ import annotations

from dataclasses import asdict, replace

from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.address import Table
from edge_agent.commissioning.scanning.search import Ask, Outcome, Plan, Refused, Search, Silent, State, Values

PLAN = Plan((1,), (Table.HOLDING,), 0, 299, 1, 100_000)


class Model:
    """A device; a register holds its address. ``most`` registers in a request."""

    def __init__(self, places: set[int], most: int = 125, too_long: int = 3) -> None:
        self.places, self.most, self.too_long = places, most, too_long

    def answer(self, ask: Ask) -> Outcome:
        if ask.count > self.most:
            return Refused(self.too_long)
        wanted = range(ask.start, ask.start + ask.count)
        return Values(tuple(wanted)) if self.places.issuperset(wanted) else Refused(2)


def scanned(model: Model, plan: Plan = PLAN) -> Search:
    search = Search(plan)
    while (ask := search.wants()) is not None:
        search.take(model.answer(ask))
    return search


@st.composite
def models(draw):
    """Runs of addresses here and there, a limit, and holes in them."""
    runs = draw(st.lists(st.tuples(st.integers(0, 299), st.integers(1, 160)), max_size=6))
    places = {place for start, count in runs for place in range(start, min(start + count, 300))}
    places -= draw(st.sets(st.integers(0, 299), max_size=12))
    return Model(places, draw(st.integers(1, 125)), draw(st.sampled_from((2, 3))))


@given(models())
def test_exactly_the_readable_addresses_are_found_within_the_bound(model):
    search = scanned(model)
    found = search.found[1].tables[Table.HOLDING]
    assert found.words == {place: place for place in model.places}
    assert found.again == found.words
    assert found.refused == set(range(300)) - model.places
    assert search.requests <= PLAN.bound


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


@given(st.integers(1, 124), st.sampled_from((2, 3)))
def test_the_longest_request_is_found(most, code):
    found = scanned(Model(set(range(300)), most, code)).found[1].tables[Table.HOLDING]
    assert found.length_max == most


def test_a_device_without_limits_is_said_to_have_none_and_costs_few_requests():
    search = scanned(Model(set(range(300))))
    assert search.found[1].tables[Table.HOLDING].length_max is None
    assert search.requests <= 16


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
    assert search.requests < 40


@given(models(), st.integers(1, 50))
def test_the_plans_limit_is_kept(model, requests_max):
    search = scanned(model, replace(PLAN, requests_max=requests_max))
    assert search.requests <= requests_max
    assert search.exhausted == (scanned(model).requests > requests_max)
