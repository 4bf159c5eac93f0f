"""The quick way from bytes to readings says what the library's way says, or nothing."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.decode import publish_response, read_response
from drivers.opcua.wire import reading

TYPES: dict[ua.VariantType, Any] = {
    ua.VariantType.Boolean: st.booleans(),
    ua.VariantType.SByte: st.integers(-(2**7), 2**7 - 1),
    ua.VariantType.Byte: st.integers(0, 2**8 - 1),
    ua.VariantType.Int16: st.integers(-(2**15), 2**15 - 1),
    ua.VariantType.UInt16: st.integers(0, 2**16 - 1),
    ua.VariantType.Int32: st.integers(-(2**31), 2**31 - 1),
    ua.VariantType.UInt32: st.integers(0, 2**32 - 1),
    ua.VariantType.Int64: st.integers(-(2**63), 2**63 - 1),
    ua.VariantType.UInt64: st.integers(0, 2**64 - 1),
    ua.VariantType.Float: st.floats(width=32),
    ua.VariantType.Double: st.floats(),
}
TIMES = st.none() | st.integers(0, 10**16).map(lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us))
VARIANTS = st.sampled_from(sorted(TYPES, key=int)).flatmap(
    lambda type_: st.builds(ua.Variant, TYPES[type_], st.just(type_))
)


def data_value(variant, status, source, server, picoseconds):
    return ua.DataValue(
        variant, ua.StatusCode(status), source, server,
        picoseconds if source else None, picoseconds if server else None,
    )  # fmt: skip


PLAIN = st.builds(
    data_value, VARIANTS, st.integers(0, 2**32 - 1), TIMES, TIMES, st.none() | st.integers(0, 2**16 - 1)
)  # fmt: skip
STRANGE = st.sampled_from([
    ua.DataValue(ua.Variant([1.0, 2.0], ua.VariantType.Double)), ua.DataValue(ua.Variant("12", ua.VariantType.String)),
    ua.DataValue(ua.Variant(None, ua.VariantType.Null)),
])  # fmt: skip


def alike(quick, slow):
    """Equal, with times to the microsecond, which is all that the library keeps, and NaN like NaN."""
    same_value = quick.value == slow.value or (math.isnan(quick.value) and math.isnan(slow.value))
    return same_value and (quick.status, quick.type, quick.source_ns) == (slow.status, slow.type, slow.source_ns)


def read_bytes(values):
    response = ua.ReadResponse()
    response.Results = values
    return struct_to_binary(response)


def publish_bytes(parts, sequence=7, more=False):
    response = ua.PublishResponse()
    response.Parameters.SubscriptionId = ua.UInt32(3)
    response.Parameters.AvailableSequenceNumbers = [5, 6]
    response.Parameters.MoreNotifications = more
    response.Parameters.NotificationMessage.SequenceNumber = sequence
    response.Parameters.NotificationMessage.NotificationData = [
        ua.DataChangeNotification([ua.MonitoredItemNotification(ua.UInt32(h), value) for h, value in part])
        for part in parts
    ]
    return struct_to_binary(response)


@given(st.lists(PLAIN, max_size=8))
def test_readings_of_a_read_are_those_of_the_library(values):
    data = read_bytes(values)
    slow = [reading(each) for each in struct_from_binary(ua.ReadResponse, Buffer(data)).Results or []]
    quick = read_response(data)
    assert quick is not None
    assert len(quick) == len(slow)
    assert all(map(alike, quick, slow))


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 2**32 - 1), PLAIN), max_size=5), max_size=3),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_news_are_those_of_the_library(parts, sequence, more):
    news = publish_response(publish_bytes(parts, sequence, more))
    assert news is not None
    assert (news.result, news.subscription, news.more, news.sequence) == (0, 3, more, sequence)
    assert news.notifications == len(parts)
    slow = [(handle, value) for part in parts for handle, value in part]
    assert [handle for handle, _ in news.changes] == [handle for handle, _ in slow]
    assert all(alike(quick, reading(value)) for (_, quick), (_, value) in zip(news.changes, slow, strict=True))


@given(st.lists(PLAIN, max_size=3), STRANGE, st.lists(PLAIN, max_size=3))
def test_what_is_not_plain_is_left_to_the_library_whole(before, strange, after):
    values = [*before, strange, *after]
    assert read_response(read_bytes(values)) is None
    assert publish_response(publish_bytes([list(enumerate(values))])) is None


@given(st.lists(PLAIN, min_size=1, max_size=3), st.data())
def test_what_is_cut_short_is_no_response(values, data):
    whole = publish_bytes([list(enumerate(values))])
    for decode, message in ((publish_response, whole), (read_response, read_bytes(values))):
        end = data.draw(st.integers(0, len(message) - 9))  # behind the last value lie two empty arrays
        assert decode(message[:end]) is None


@pytest.mark.parametrize("decode", [publish_response, read_response])
@given(data=st.binary(max_size=200))
def test_nonsense_is_no_response(decode, data):
    assert decode(data) is None


def test_a_refused_read_and_other_news_are_left_to_the_library():
    response = ua.ReadResponse()
    response.ResponseHeader.ServiceResult = ua.StatusCode(ua.UInt32(0x8010_0000))
    assert read_response(struct_to_binary(response)) is None
    other = ua.PublishResponse()
    other.Parameters.NotificationMessage.NotificationData = [ua.StatusChangeNotification()]
    assert publish_response(struct_to_binary(other)) is None


def test_times_are_kept_to_100_ns():
    day: Any = datetime(1970, 1, 2, tzinfo=UTC)
    value = ua.DataValue(ua.Variant(1.0, ua.VariantType.Double), SourceTimestamp=day)
    data = read_bytes([value])
    ticks = (116_444_736_000_000_000 + 86_400 * 10**7).to_bytes(8, "little")
    finer = data.replace(ticks, (int.from_bytes(ticks, "little") + 3).to_bytes(8, "little"))
    assert [each.source_ns for each in read_response(finer) or ()] == [86_400 * 10**9 + 300]
