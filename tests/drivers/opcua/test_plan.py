"""How points become subscriptions and calls."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.plan import CALL_MAX, QUEUE_MAX, chunks, deadline_ns, plan, queue_size


def test_points_are_published_together_and_fast_ones_by_themselves():
    fast, slow = plan([1.0, 0.1, 60.0, 0.1], 500, None)
    assert (fast.publish_ms, [item.point for item in fast.items]) == (100, [1, 3])
    assert (slow.publish_ms, [item.point for item in slow.items]) == (500, [0, 2])
    assert [item.sampling_ms for item in slow.items] == [1000, 60_000]


def test_a_sampling_interval_of_the_device_goes_for_all_its_points():
    (subscription,) = plan([1.0, 60.0], 500, 50)
    assert [(item.sampling_ms, item.queue_size) for item in subscription.items] == [(50, 12), (50, 12)]


@given(
    polls_s=st.lists(st.floats(0.05, 3600), min_size=1, max_size=30),
    publish_ms=st.floats(10, 10_000),
    sampling_ms=st.none() | st.floats(1, 3_600_000),
)
def test_every_point_is_in_one_subscription_that_says_enough(polls_s, publish_ms, sampling_ms):
    subscriptions = plan(polls_s, publish_ms, sampling_ms)
    assert sorted(item.point for each in subscriptions for item in each.items) == list(range(len(polls_s)))
    for each in subscriptions:
        for item in each.items:
            poll_ms = polls_s[item.point] * 1000
            assert each.publish_ms <= poll_ms
            assert each.publish_ms * each.keepalive_count <= poll_ms  # a sign of life in each poll period
            assert item.queue_size >= min(each.publish_ms / item.sampling_ms, QUEUE_MAX)
        assert each.lifetime_count >= 3 * each.keepalive_count  # OPC 10000-4, clause 5.14.2


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


def test_the_deadline_is_one_interval_more_than_the_keep_alive_and_the_way():
    assert deadline_ns(500, 2, 1.0) == 2_500_000_000
