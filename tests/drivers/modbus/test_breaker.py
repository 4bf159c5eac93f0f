"""A silent unit's rests: none after the first failure, then doubling with jitter, never beyond the ceiling."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.breaker import Breaker


@given(st.integers(1, 10**10), st.integers(1, 10**12), st.integers(0, 2**32), st.integers(2, 30))
def test_rests_double_up_to_the_ceiling(first_ns, max_ns, seed, failures):
    breaker = Breaker(first_ns, max_ns, random.Random(seed))
    now = 5_000
    breaker.failed(now)
    assert breaker.allows(now), "one lost reply is no silence"
    shortest = min(first_ns, max_ns)
    for failure in range(2, failures + 1):
        breaker.failed(now)
        rest = breaker.retry_mono_ns - now
        assert rest <= max_ns
        assert rest >= min(shortest * 2 ** min(failure - 2, 16), 0.75 * max_ns) - 1
        assert not breaker.allows(breaker.retry_mono_ns - 1) or rest == 0
        now = breaker.retry_mono_ns
        assert breaker.allows(now)


@given(st.integers(0, 2**32))
def test_an_answer_closes_and_the_next_silence_begins_anew(seed):
    breaker = Breaker(1_000, 100_000, random.Random(seed))
    for _ in range(6):
        breaker.failed(0)
    breaker.answered()
    breaker.failed(10**9)
    assert breaker.allows(10**9)
    breaker.failed(10**9)
    assert 1_000 <= breaker.retry_mono_ns - 10**9 <= 1_500


def test_units_that_fell_silent_together_are_not_asked_together():
    retries = set()
    for seed in range(20):
        breaker = Breaker(10**9, 10**11, random.Random(seed))
        breaker.failed(0)
        breaker.failed(0)
        retries.add(breaker.retry_mono_ns // 10**6)
    assert len(retries) > 15
