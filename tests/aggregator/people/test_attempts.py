"""Who guesses passwords waits, and what is remembered of it stays bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aggregator.people.attempts import FORGET_NS, KEYS_MAX, WAIT_MAX_S, Attempts
from contract.clock import NS_PER_S


def test_four_mistakes_cost_nothing_and_then_the_wait_doubles_to_a_minute():
    attempts, now_ns, waits = Attempts(), 0, []
    for _ in range(13):
        attempts.failed("li", now_ns)
        waits.append(attempts.wait_s("li", now_ns))
        now_ns += waits[-1] * NS_PER_S
        assert attempts.wait_s("li", now_ns) == 0
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert attempts.wait_s("wang", now_ns) == 0


def test_a_wait_is_told_in_whole_seconds_and_never_as_none_left():
    attempts = Attempts()
    for _ in range(6):
        attempts.failed("li", 0)
    assert attempts.wait_s("li", NS_PER_S) == 1
    assert attempts.wait_s("li", 2 * NS_PER_S - 1) == 1
    assert attempts.wait_s("li", 2 * NS_PER_S) == 0


def test_success_and_time_forgive():
    attempts = Attempts()
    for _ in range(20):
        attempts.failed("li", 0)
        attempts.failed("wang", 0)
    attempts.succeeded("li")
    assert attempts.wait_s("li", 0) == 0
    assert attempts.wait_s("wang", 0) == WAIT_MAX_S
    attempts.failed("wang", FORGET_NS)
    assert attempts.wait_s("wang", FORGET_NS) == 0


def test_of_too_many_names_the_oldest_is_forgotten():
    attempts = Attempts()
    for _ in range(5):
        attempts.failed("first", 0)
    for number in range(KEYS_MAX):
        attempts.failed(f"name {number}", 1)
    assert attempts.wait_s("first", 1) == 0
    assert len(attempts._failures) == KEYS_MAX


@given(st.lists(st.integers(0, 120), max_size=60))
def test_nobody_waits_longer_than_a_minute(pauses):
    attempts, now_ns = Attempts(), 0
    for pause_s in pauses:
        now_ns += pause_s * NS_PER_S
        attempts.failed("li", now_ns)
        assert 0 <= attempts.wait_s("li", now_ns) <= WAIT_MAX_S
