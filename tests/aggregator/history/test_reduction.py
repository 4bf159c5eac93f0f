"""However few samples are drawn: no peak, no gap and no doubt disappears."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aggregator.history.reduction import KEPT_PER_BUCKET_MAX, breaks, keep, longest
from naive import trends

VALUES = st.one_of(st.integers(-3, 3).map(float), st.just(math.nan), st.just(math.inf))
QUALITIES = st.sampled_from([0x00, 0x01, 0x40, 0x41, 0x80, 0x83])
SAMPLES = st.lists(st.tuples(st.integers(0, 500), VALUES, QUALITIES), max_size=80).map(
    lambda found: sorted(found, key=lambda each: each[0])
)


def columns(samples):
    return (
        np.array([each[0] for each in samples], np.int64),
        np.array([each[1] for each in samples], np.float64),
        np.array([each[2] for each in samples], np.uint8),
    )


def kept(samples, width):
    time_ns, value, quality = columns(samples)
    return keep(time_ns, value, quality, 0, 500, width)


@given(samples=SAMPLES, width=st.integers(1, 12))
def test_what_is_drawn_is_what_the_plain_twin_draws(samples, width):
    drawn = kept(samples, width)
    assert set(drawn.tolist()) == trends.keep(samples, 0, 500, width)
    assert (np.diff(drawn) > 0).all()
    assert len(drawn) <= max(width, KEPT_PER_BUCKET_MAX * width)


@given(samples=SAMPLES, width=st.integers(1, 12))
def test_highest_and_lowest_good_values_are_always_drawn(samples, width):
    drawn = {samples[index] for index in kept(samples, width)}
    good = [value for _, value, quality in samples if trends.kind(value, quality) == "good"]
    if good:
        values = [value for _, value, quality in drawn if trends.kind(value, quality) == "good"]
        assert (min(values), max(values)) == (min(good), max(good))


@given(
    times=st.lists(st.integers(0, 100), min_size=1, max_size=30).map(sorted),
    limit=st.integers(1, 20),
    gaps=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 20)).map(lambda g: (g[0], g[0] + g[1])), max_size=3),
    count=st.integers(0, 5),
)
def test_breaks_are_those_of_the_plain_twin_and_the_longest_keep_their_edges(times, limit, gaps, count):
    time_ns = np.array(times, np.int64)
    broken = breaks(time_ns, np.full(len(times), limit, np.int64), gaps)
    assert broken.tolist() == trends.breaks(times, [limit] * len(times), gaps)
    edges = longest(time_ns, broken, count)
    lengths = sorted((times[at + 1] - times[at] for at in np.flatnonzero(broken)), reverse=True)
    kept = [times[at + 1] - times[at] for at in np.flatnonzero(broken) if at in edges and at + 1 in edges]
    assert sorted(kept, reverse=True)[:count] == lengths[:count]


def test_samples_beside_a_declared_gap_do_not_take_their_neighbours_along():
    time_ns = np.array([10, 20, 30, 40], np.int64)
    assert breaks(time_ns, np.full(4, 100), [(20, 30)]).tolist() == [False, True, False]
