"""Frames: every one survives the trip, and no bytes from the network do harm."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.chain import Record
from contract.errors import FrameError
from contract.events import ConditionData
from contract.ids import ActivationId, AgentName, Epoch, Lane, is_org_path, is_tag
from contract.points import Catalogue, ConditionClass, ConditionKind, Limits, PointRole, PointSpec, PointType
from contract.units import UNITS
from contract.wire import codec, frames

GOLDEN = Path(__file__).parent / "golden"
INT64 = st.integers(0, 2**63 - 1)
FLOAT = st.floats(allow_nan=True, allow_infinity=True)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
EPOCH = st.text("0123456789abcdef", min_size=32, max_size=32).map(Epoch)
NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,10}", fullmatch=True)
DIGEST = st.binary(min_size=32, max_size=32) | st.just(b"")
TAG = st.text(min_size=1, max_size=10).filter(is_tag)
ORG = st.lists(TAG, min_size=1, max_size=3).map("/".join).filter(is_org_path)
HEADS = st.dictionaries(st.sampled_from(Lane), st.builds(frames.LaneHead, INT64, DIGEST))
CONDITION = st.builds(
    ConditionData, tag=TAG, org=ORG, kind=st.sampled_from([each for each in ConditionKind if not each.is_statistical]),
    condition_class=st.sampled_from(ConditionClass), level=st.integers(0, 1), previous_level=st.integers(0, 1),
    activation=st.builds(ActivationId, NAME.map(AgentName), EPOCH, INT64), on_time_ns=INT64, value=FLOAT,
    unit=st.sampled_from(sorted(UNITS)), quality=st.integers(0, 255), setpoint=FLOAT, deadband=FINITE, delay_ns=INT64,
    detector=st.text(max_size=20), reason=st.text(max_size=20), raw=st.none() | st.integers(-(2**63), 2**63 - 1),
    inhibited=st.booleans(),
).flatmap(lambda each: st.sampled_from([
    each, replace(each, kind=ConditionKind.HIGH, level=2), replace(each, kind=ConditionKind.LOW, previous_level=2),
    *(replace(each, kind=kind, condition_class=ConditionClass.ADVISORY) for kind in ConditionKind if kind.is_statistical),
]))  # fmt: skip
POINT = st.builds(
    PointSpec, id=st.integers(0, 2**31 - 1), tag=TAG, org=ORG, device=NAME, role=st.sampled_from(PointRole),
    type=st.sampled_from(PointType), address=st.text(max_size=20), scale=FINITE, offset=FINITE,
    unit=st.sampled_from(sorted(UNITS)), range_low=FLOAT, range_high=FLOAT,
    limits=st.builds(Limits, FLOAT, FLOAT, FLOAT, FLOAT, FINITE, FINITE, FINITE, FINITE),
    limit_class=st.sampled_from(ConditionClass), poll_s=FINITE, stale_s=FINITE, fault_on_delay_s=FINITE,
    fault_off_delay_s=FINITE, report_deadband=st.none() | FINITE, report_max_s=FINITE, was=st.none() | TAG,
    description=st.text(max_size=20), over_range=FLOAT, frozen_s=st.sampled_from([0.0, 60.0]),
)  # fmt: skip
GAPS = st.lists(
    st.builds(frames.DeclaredGap, st.integers(1, 2**40), st.integers(1, 2**40), st.text(max_size=10), DIGEST),
    max_size=3,
).map(tuple)
RECORD = st.builds(Record, st.binary(min_size=2, max_size=50), st.binary(max_size=32), st.binary(max_size=50))
FRAMES: Mapping[str, st.SearchStrategy[Any]] = {
    "HELLO": st.builds(
        frames.Hello, st.integers(0, 9), st.integers(0, 9), st.lists(st.text(max_size=9), max_size=3).map(tuple),
        st.text(max_size=20), NAME, st.text(max_size=40), INT64, EPOCH, st.text(max_size=16), st.integers(0, 99),
        st.text(max_size=64), HEADS, INT64, INT64,
    ),
    "WELCOME": st.builds(
        frames.Welcome, st.integers(0, 9), st.text(max_size=64), HEADS, st.integers(0, 99), st.integers(1, 1024),
        st.integers(100, 60_000), INT64,
    ),
    "CATALOG": st.builds(
        frames.CatalogueFrame, EPOCH,
        st.builds(Catalogue, st.integers(1, 2**31 - 1), st.lists(POINT, max_size=3).map(tuple)),
    ),
    "EVENTS": st.builds(
        frames.EventBatch, EPOCH, st.integers(1, 2**62), GAPS, st.lists(RECORD, max_size=4).map(tuple)
    ),
    "TELEMETRY": st.builds(
        frames.TelemetryBatch, EPOCH, st.integers(1, 2**62), GAPS,
        st.lists(st.binary(min_size=1, max_size=40), max_size=4).map(tuple),
    ),
    "ACK": st.builds(frames.Ack, EPOCH, st.dictionaries(st.sampled_from(Lane), INT64)),
    "LIVE": st.builds(
        frames.Live, EPOCH, st.integers(0, 99), INT64, INT64, st.binary(max_size=40), st.binary(max_size=40),
        st.binary(max_size=40), st.binary(max_size=40), st.dictionaries(st.integers(0, 2**31 - 1), INT64, max_size=4),
    ),
    "SNAPSHOT": st.builds(frames.Snapshot, EPOCH, INT64, st.lists(CONDITION, max_size=3).map(tuple)),
    "STATE": st.builds(frames.State, EPOCH, st.integers(1, 2**62), CONDITION),
    "HEARTBEAT": st.builds(frames.Heartbeat, INT64, INT64),
    "REFUSE": st.builds(frames.Refuse, st.sampled_from(frames.RefuseCode), st.text(max_size=100)),
}  # fmt: skip
ANY_FRAME = st.one_of(*FRAMES.values())


def same(left: Any, right: Any) -> bool:
    """Equality with NaN equal to itself."""
    if isinstance(left, float) and isinstance(right, float):
        return left == right or (math.isnan(left) and math.isnan(right))
    if isinstance(left, tuple):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    if hasattr(left, "__dataclass_fields__"):
        return type(left) is type(right) and all(
            same(getattr(left, name), getattr(right, name)) for name in left.__dataclass_fields__
        )
    return bool(left == right) and (isinstance(left, StrEnum) is isinstance(right, StrEnum))


def test_every_kind_of_frame_has_a_strategy() -> None:
    assert set(FRAMES) == set(codec.SCHEMA)


@settings(max_examples=300)
@given(ANY_FRAME)
def test_what_is_encoded_is_decoded(frame: frames.Frame) -> None:
    assert same(codec.decode(codec.encode(frame)), frame)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        codec.decode(data)


@settings(max_examples=300)
@given(ANY_FRAME, st.data())
def test_damaged_frames_decode_or_are_refused(frame: frames.Frame, data: st.DataObject) -> None:
    good = bytearray(codec.encode(frame))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        codec.decode(bytes(good[: data.draw(st.integers(0, len(good)))]))
    except FrameError as error:
        assert error.field


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=8) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@settings(max_examples=300)
@given(st.data())
def test_a_field_of_the_wrong_kind_is_refused_or_in_bounds(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(codec.SCHEMA)))
    body = msgpack.unpackb(codec.encode(data.draw(FRAMES[name])), strict_map_key=False)
    body[data.draw(st.sampled_from(sorted(codec.SCHEMA[name][1])))] = data.draw(JUNK)
    try:
        codec.decode(msgpack.packb(body))
    except FrameError as error:
        assert error.field


def test_a_stated_size_beyond_the_limit_is_refused_before_anything_is_unpacked() -> None:
    """zstandard would allocate what the header says: here 2^60 bytes."""
    header = b"\x28\xb5\x2f\xfd" + b"\xe0" + struct.pack("<Q", 2**60) + b"\x01\x00\x00"
    frame = {"m": "SNAPSHOT", "epoch": "0" * 32, "as_of_seq": 1, "conditions": header}
    with pytest.raises(FrameError, match="does not state a size"):
        codec.decode(msgpack.packb(frame))


def test_a_compressed_part_without_a_stated_size_is_refused() -> None:
    stream = zstandard.ZstdCompressor().compressobj()
    unstated = stream.compress(msgpack.packb([])) + stream.flush()
    frame = {"m": "SNAPSHOT", "epoch": "0" * 32, "as_of_seq": 1, "conditions": unstated}
    with pytest.raises(FrameError, match="does not state a size"):
        codec.decode(msgpack.packb(frame))


def test_a_claimed_list_longer_than_the_limit_is_refused() -> None:
    with pytest.raises(FrameError):
        codec.decode(b"\xdd\xff\xff\xff\xff")


def test_nesting_does_not_exhaust_the_stack() -> None:
    with pytest.raises(FrameError):
        codec.decode(b"\x91" * 100_000)


def test_an_oversized_frame_is_refused_at_both_ends() -> None:
    with pytest.raises(FrameError, match="limit"):
        codec.decode(b"\x00" * (codec.FRAME_BYTES_MAX + 1))
    chunks = tuple(bytes([n]) * (1024 * 1024) for n in range(5))
    with pytest.raises(ValueError, match="limit"):
        codec.encode(frames.TelemetryBatch(Epoch("0" * 32), 1, (), chunks))


def test_unknown_keys_are_left_alone() -> None:
    body = msgpack.unpackb(codec.encode(frames.Heartbeat(1, 2)))
    assert codec.decode(msgpack.packb({**body, "later": [1, 2]})) == frames.Heartbeat(1, 2)


def golden_frames() -> dict[str, frames.Frame]:
    """One frame of each kind, as protocol version 1 writes it."""
    epoch, agent = Epoch("0123456789abcdef" * 2), AgentName("store-1")
    condition = ConditionData(
        tag="AT-101", org="E/S/U", kind=ConditionKind.HIGH, condition_class=ConditionClass.SAFETY, level=2,
        previous_level=1, activation=ActivationId(agent, epoch, 9), on_time_ns=1_790_000_000_000_000_000, value=25.5,
        unit="ppm", quality=0, setpoint=25.0, deadband=0.5, delay_ns=0, detector="conditions/1",
        reason="at_or_above_setpoint", raw=255,
    )  # fmt: skip
    heads = {Lane.EVENTS: frames.LaneHead(9, b"\x01" * 32), Lane.TELEMETRY: frames.LaneHead(0, b"")}
    point = PointSpec(1, "AT-101", "E/S/U", "plc1", unit="ppm", limits=Limits(h=25.0, hh=50.0, deadband=0.5))
    return {
        "HELLO": frames.Hello(
            1, 1, ("events",), "parksentry 0.1.0", agent, "b.1", 1, epoch, "sha256", 1, "c", heads, 1, 2
        ),
        "WELCOME": frames.Welcome(1, "park", heads, 1, 8, 1000, 3),
        "CATALOG": frames.CatalogueFrame(epoch, Catalogue(1, (point,))),
        "EVENTS": frames.EventBatch(
            epoch, 9, (frames.DeclaredGap(9, 10, "evicted", b"\x02" * 32),), (Record(b"{}", b"s" * 16, b"{}"),)
        ),
        "TELEMETRY": frames.TelemetryBatch(epoch, 1, (), (b"chunk",)),
        "ACK": frames.Ack(epoch, {Lane.EVENTS: 9}),
        "LIVE": frames.Live(epoch, 1, 2, 3, b"\x01\0\0\0", b"\0" * 8, b"\0" * 8, b"\0", {0: 7}),
        "SNAPSHOT": frames.Snapshot(epoch, 9, (condition,)),
        "STATE": frames.State(epoch, 9, condition),
        "HEARTBEAT": frames.Heartbeat(1, 2),
        "REFUSE": frames.Refuse(frames.RefuseCode.REVOKED, "revoked"),
    }


@pytest.mark.parametrize("name", sorted(codec.SCHEMA))
def test_frames_of_protocol_1_decode_for_ever(name: str) -> None:
    """The files were written by protocol 1 and are never written again; a later reader must understand them."""
    assert same(codec.decode((GOLDEN / f"{name.lower()}_v1.bin").read_bytes()), golden_frames()[name])
