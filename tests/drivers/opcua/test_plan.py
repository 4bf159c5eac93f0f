"""How points become subscriptions and calls."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.plan import (
    CALL_MAX,
    QUEUE_MAX,
    Poll,
    Wish,
    chunks,
    deadline_ns,
    plan,
    poll_plan,
    queue_need,
    queue_size,
)


def wishes(*polls_s):
    return [Wish(poll_s) for poll_s in polls_s]


def test_points_are_published_together_and_fast_ones_by_themselves():
    fast, slow = plan(wishes(1.0, 0.1, 60.0, 0.1), 500, None).subscriptions
    assert (fast.publish_ms, [item.point for item in fast.items]) == (100, [1, 3])
    assert (slow.publish_ms, [item.point for item in slow.items]) == (500, [0, 2])
    assert [item.sampling_ms for item in slow.items] == [1000, 60_000]


def test_a_sampling_interval_of_the_device_goes_for_all_its_points():
    (subscription,) = plan(wishes(1.0, 60.0), 500, 50).subscriptions
    assert [(item.sampling_ms, queue_size(500, item.sampling_ms)) for item in subscription.items] == [(50, 12)] * 2


@given(
    polls_s=st.lists(st.floats(0.05, 3600), min_size=1, max_size=30),
    publish_ms=st.floats(10, 10_000),
    sampling_ms=st.none() | st.floats(1, 3_600_000),
)
def test_every_point_is_in_one_subscription_that_says_enough(polls_s, publish_ms, sampling_ms):
    subscriptions = plan(wishes(*polls_s), publish_ms, sampling_ms).subscriptions
    assert sorted(item.point for each in subscriptions for item in each.items) == list(range(len(polls_s)))
    for each in subscriptions:
        for item in each.items:
            poll_ms = polls_s[item.point] * 1000
            assert each.publish_ms <= poll_ms
            assert each.publish_ms * each.keepalive_count <= poll_ms  # a sign of life in each poll period
        assert each.lifetime_count >= 3 * each.keepalive_count  # OPC 10000-4, clause 5.14.2


@given(st.lists(st.builds(Wish, st.sampled_from([0.1, 1.0, 60.0]), st.sampled_from([0.0, 0.5]), st.just(60.0))))
def test_what_is_polled_is_read_once_in_its_period_and_a_deadband_is_read_behind(asked):
    polls = poll_plan(asked).polls
    assert sorted((point, poll.period_ms) for poll in polls for point in poll.points) == [
        (point, wish.poll_s * 1000) for point, wish in enumerate(asked)
    ]
    behind = [point for point, wish in enumerate(asked) if wish.deadband]
    assert plan(asked, 500, None).polls == ((Poll(60_000.0, tuple(behind)),) if behind else ())


@given(publish_ms=st.floats(10, 10_000), sampling_ms=st.floats(1, 3_600_000))
def test_a_queue_holds_what_is_sampled_between_two_reports_and_a_margin(publish_ms, sampling_ms):
    size = queue_size(publish_ms, sampling_ms)
    assert size == min(queue_need(publish_ms, sampling_ms) + 2, QUEUE_MAX)
    assert queue_need(publish_ms, sampling_ms) >= publish_ms / sampling_ms


def test_a_queue_has_a_place_for_every_sample_and_an_end():
    assert queue_size(2000, 1000) == 4
    assert queue_size(100, 1000) == 3
    assert queue_size(10_000, 1) == QUEUE_MAX


@given(count=st.integers(0, 3000), limit=st.integers(0, 2000))
def test_calls_hold_everything_in_order_and_never_too_much(count, limit):
    parts = list(chunks(range(count), limit))
    assert [each for part in parts for each in part] == list(range(count))
    assert all(1 <= len(part) <= (min(limit, CALL_MAX) or CALL_MAX) for part in parts)
    assert len(parts) == math.ceil(count / (min(limit, CALL_MAX) or CALL_MAX))


@given(publish_ms=st.floats(500, 60_000), count=st.integers(1, 1000))
def test_the_deadline_is_one_interval_more_than_the_keep_alive(publish_ms, count):
    assert deadline_ns(publish_ms, count) == round((count + 1) * publish_ms * 1e6)


def test_a_sign_of_life_may_be_late_by_half_a_second_however_short_the_interval():
    assert deadline_ns(50, 2) == 600_000_000
