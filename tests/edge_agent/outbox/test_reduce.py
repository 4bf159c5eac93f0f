"""Report by exception keeps what says something new, exactly as the plain twin does."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.batch import TICK, SampleBatch
from contract.clock import NS_PER_S
from contract.points import Catalogue, PointSpec
from contract.quality import Quality
from edge_agent.outbox.reduce import Reducer
from naive.reduce import NaiveReducer

POINTS = [
    PointSpec(3, "A", "acme/s", "plc", report_deadband=0.0, report_max_s=10),
    PointSpec(5, "B", "acme/s", "plc", report_deadband=2.0, report_max_s=10),
    PointSpec(9, "C", "acme/s", "plc", report_deadband=None, report_max_s=10),
]
CATALOGUE = Catalogue(1, tuple(POINTS))

values = st.sampled_from([0.0, -0.0, 1.0, 2.0, 2.5, 4.5, 1e308, -1e308, math.nan, math.inf, -math.inf])
rows = st.tuples(
    st.sampled_from([3, 5, 9, 4, 77, TICK]), st.integers(0, 25), values,
    st.sampled_from([Quality.GOOD, Quality.BAD_STALE]), st.sampled_from([0, 2**53, 2**53 + 1]),
)  # fmt: skip


def batch_of(items) -> SampleBatch:
    batch = SampleBatch.zeros(len(items))
    for index, (point, mono_s, value, quality, raw) in enumerate(items):
        batch.point[index], batch.mono_ns[index] = point, mono_s * NS_PER_S
        batch.value[index], batch.quality[index], batch.raw[index] = value, quality, raw
    return batch


@given(st.lists(st.lists(rows, max_size=12), max_size=8))
def test_it_keeps_what_the_plain_twin_keeps(batches) -> None:
    reducer, twin = Reducer(CATALOGUE), NaiveReducer(POINTS)
    for items in batches:
        expected = [twin.keep(point, mono_s * NS_PER_S, *rest) for point, mono_s, *rest in items]
        assert reducer.keep(batch_of(items)).tolist() == expected


@given(st.lists(rows, max_size=30), st.lists(st.integers(0, 30), max_size=5))
def test_any_split_of_a_batch_keeps_the_same(items, cuts) -> None:
    whole = Reducer(CATALOGUE).keep(batch_of(items)).tolist()
    reducer, parts = Reducer(CATALOGUE), []
    edges = [0, *sorted(cuts), len(items)]
    for start, stop in itertools.pairwise(edges):
        parts += reducer.keep(batch_of(items[start:stop])).tolist()
    assert parts == whole


@pytest.mark.parametrize(
    ("point", "series", "kept"),
    [
        (3, [1.0, 1.0, 1.1, 1.1], [True, False, True, False]),
        (5, [1.0, 3.0, 3.1, 1.2], [True, False, True, False]),  # against the last kept one: creeping does not hide
        (9, [1.0, 1.0, 1.0, 1.0], [True, True, True, True]),
        (5, [math.nan, math.nan, 1.0, math.nan], [True, False, True, True]),
    ],
)
def test_deadband(point, series, kept) -> None:
    reducer = Reducer(CATALOGUE)
    assert [bool(reducer.keep(batch_of([(point, 0, value, 0, 0)]))[0]) for value in series] == kept


def test_a_constant_value_is_reported_now_and_then() -> None:
    reducer = Reducer(CATALOGUE)
    kept = [bool(reducer.keep(batch_of([(5, mono_s, 1.0, 0, 0)]))[0]) for mono_s in range(25)]
    assert [mono_s for mono_s, each in enumerate(kept) if each] == [0, 10, 20]


def test_neighbouring_large_integers_are_a_change_though_their_floats_are_equal() -> None:
    reducer = Reducer(CATALOGUE)
    kept = [reducer.keep(batch_of([(3, 0, float(raw), 0, raw)]))[0] for raw in (2**53, 2**53 + 1)]
    assert kept == [True, True]


def test_an_empty_batch_and_an_empty_catalogue_keep_nothing() -> None:
    assert Reducer(CATALOGUE).keep(SampleBatch.empty()).tolist() == []
    assert Reducer(Catalogue(1, ())).keep(batch_of([(3, 0, 1.0, 0, 0)])).tolist() == [False]
    assert Reducer(CATALOGUE).keep(SampleBatch.tick(0, 0)).dtype == np.bool_
