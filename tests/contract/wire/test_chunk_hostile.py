"""Chunks from the network: whatever the bytes are, a chunk comes out or an error that names the field, in bounded memory."""

from __future__ import annotations

import tracemalloc

import msgpack
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.batch import SampleBatch
from contract.errors import FrameError
from contract.points import PointType
from contract.quality import Quality
from contract.wire.chunk import CHUNK_BYTES_MAX, POINTS_MAX, SAMPLES_MAX, Chunk, decode_chunk, encode_chunk
from naive.chunks import BOOT_ID, MONO_NS, quiet_plant, scans, uint16s


def small_plant() -> SampleBatch:
    """Integers, floats, BAD rows, two devices, samples left out: every column of a chunk is there."""
    rng = np.random.default_rng(8)
    first = scans(rng.integers(800, 830, (12, 4)))
    second = scans(rng.integers(0, 60_000, (12, 3)), ids=np.array([10, 11, 900]), start_ns=MONO_NS + 77)
    second.value[:] = np.where(second.point == 900, rng.normal(0, 1, len(second)).astype(np.float32), np.nan)
    second.raw[second.point == 900] = 0
    batch = SampleBatch.concat([first, second])
    batch = batch.select(rng.random(len(batch)) < 0.8)
    bad = rng.random(len(batch)) < 0.1
    batch.quality[bad], batch.raw[bad], batch.value[bad] = Quality.BAD_STALE, 0, np.nan
    return batch


SMALL_TYPES = dict.fromkeys([0, 1, 2, 3, 10, 11], PointType.UINT16) | {900: PointType.FLOAT32}
VALID = encode_chunk(small_plant(), 3, BOOT_ID, SMALL_TYPES)


def decoded_or_refused(data: bytes) -> Chunk | None:
    try:
        chunk = decode_chunk(data)
    except FrameError:
        return None
    lengths = {len(getattr(chunk.batch, name)) for name in ("point", "time_ns", "mono_ns", "value", "quality", "raw")}
    assert len(lengths) == 1
    assert (np.diff(chunk.batch.point) >= 0).all()
    return chunk


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_arbitrary_bytes_are_refused_or_decoded(data: bytes) -> None:
    decoded_or_refused(data)


@given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), min_size=1, max_size=4), st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_chunk_is_refused_or_decoded(changes: list[tuple[int, int]], data: st.DataObject) -> None:
    damaged = bytearray(VALID)
    for at, octet in changes:
        damaged[at] = octet
    cut = data.draw(st.none() | st.integers(0, len(VALID)))
    decoded_or_refused(bytes(damaged[:cut]))


NEAR = st.integers(-2, 12) | st.sampled_from([64, 255, 2**31 - 1, 2**31, 2**63 - 1, 2**64 - 1, -(2**63)])
ANYTHING = NEAR | st.binary(max_size=80) | st.text(max_size=70) | st.none() | st.booleans() | st.lists(NEAR, max_size=5)


@given(st.integers(0, 9), ANYTHING)
@settings(max_examples=150, deadline=None)
def test_any_field_may_hold_anything(field: int, content: object) -> None:
    envelope = msgpack.unpackb(VALID)
    envelope[field] = content
    decoded_or_refused(msgpack.packb(envelope))


@given(st.binary(min_size=9, max_size=9).map(lambda w: bytes(o % 13 for o in w)), st.data())
@settings(max_examples=150, deadline=None)
def test_heads_of_any_width_and_content_are_refused_or_decoded(widths: bytes, data: st.DataObject) -> None:
    samples, points, stamps = (data.draw(st.integers(0, 4)) for _ in range(3))
    head = data.draw(st.binary(max_size=64))
    streams = data.draw(st.lists(st.binary(max_size=8), max_size=8))
    decoded_or_refused(
        msgpack.packb([1, 1, BOOT_ID, None, "general", False, [samples, points, stamps], widths, head, streams])
    )


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_head_that_means_something_else_is_refused_or_decoded(data: st.DataObject) -> None:
    """Widths of 8 bytes everywhere, so that every number of the head can be anything."""
    samples, points, stamps = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 2)), data.draw(st.integers(1, 2))
    word = st.integers(0, 9) | st.sampled_from([2**63, 2**64 - 1, 2**64 - 2, 2**32])
    columns = [data.draw(st.lists(word, min_size=n, max_size=n)) for n in (stamps, stamps, *[points] * 5)]
    head = b"".join(np.array(column, "<u8").view(np.uint8).reshape(-1, 8).T.tobytes() for column in columns)
    streams = [bytes(samples)] * data.draw(st.integers(0, 3))
    envelope = [1, 1, BOOT_ID, None, "general", False, [samples, points, stamps], b"\x0b" * 7 + b"\0\0", head, streams]
    decoded_or_refused(msgpack.packb(envelope))


def refused_field(data: bytes) -> str:
    with pytest.raises(FrameError) as refused:
        decode_chunk(data)
    return refused.value.field


def with_field(field: int, content: object) -> bytes:
    envelope = msgpack.unpackb(VALID)
    envelope[field] = content
    packed: bytes = msgpack.packb(envelope)
    return packed


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"", "chunk"),
        (VALID + b"\0", "chunk"),
        (with_field(9, [bytes(CHUNK_BYTES_MAX // 2)] * 2), "chunk"),
        (msgpack.packb({"schema": 1}), "chunk"),
        (b"\xdd\xff\xff\xff\xff", "chunk"),
        (b"\x91" * 5000, "chunk"),
        (msgpack.packb([1, 2]), "chunk"),
        (with_field(0, 2), "schema"),
        (with_field(0, True), "schema"),
        (with_field(1, -1), "catalogue_version"),
        (with_field(1, 2**31), "catalogue_version"),
        (with_field(2, ""), "boot_id"),
        (with_field(2, "x" * 65), "chunk"),
        (with_field(3, 5), "exercise_id"),
        (with_field(4, None), "class_label"),
        (with_field(5, 1), "late"),
        (with_field(6, [SAMPLES_MAX + 1, 7, 24]), "samples"),
        (with_field(6, [SAMPLES_MAX, POINTS_MAX + 1, 24]), "points"),
        (with_field(6, [5, 6, 1]), "counts"),
        (with_field(6, [5, 1, 6]), "counts"),
        (with_field(6, [5, 0, 1]), "counts"),
        (with_field(7, b"\x0c" * 9), "widths"),
        (with_field(7, b"\0" * 8), "widths"),
        (with_field(7, b"\0" * 8 + b"\x05"), "widths"),
        (with_field(8, b"\0"), "head"),
        (with_field(9, msgpack.unpackb(VALID)[9][:-1]), "streams"),
        (with_field(9, [*msgpack.unpackb(VALID)[9], b"x"]), "streams"),
        (with_field(9, [b""] * 1025), "chunk"),
    ],
)  # fmt: skip
def test_each_field_is_held_to_its_type_and_limit(data: bytes, field: str) -> None:
    assert refused_field(data) == field


def one_point(**columns: list[int]) -> bytes:
    """A chunk of four samples and four stamps whose head says what the test wants, in plain bytes."""
    head = {"mono": [2, 0, 0, 0], "shift": [0] * 4, "id": [2], "count": [8], "first": [0], "class": [0], "base": [0]}
    head |= columns
    points = len(head["id"])
    packed = b"".join(np.array(column, "<u8").view(np.uint8).reshape(-1, 8).T.tobytes() for column in head.values())
    envelope = [1, 1, BOOT_ID, None, "general", False, [4, points, 4], b"\x0b" * 7 + b"\0\0", packed, []]
    data: bytes = msgpack.packb(envelope)
    return data


def test_a_head_written_by_hand_is_understood() -> None:
    batch = decode_chunk(one_point()).batch
    assert batch.point.tolist() == [1] * 4
    assert batch.mono_ns.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ({"id": [3]}, "id"),  # -2
        ({"id": [2**33]}, "id"),
        ({"id": [2, 0], "count": [4, 0], "first": [0, 0], "class": [0, 0], "base": [0, 0]}, "id"),
        ({"id": [2**32 - 2, 2], "count": [4, 0], "first": [0, 0], "class": [0, 0], "base": [0, 0]}, "id"),
        # A difference so large that the sum comes round to a negative number.
        ({"id": [2, 2**64 - 2], "count": [4, 0], "first": [0, 0], "class": [0, 0], "base": [0, 0]}, "id"),
        ({"count": [6]}, "count"),
        ({"count": [0]}, "count"),
        ({"id": [2, 2], "count": [12, 15], "first": [0, 0], "class": [0, 0], "base": [0, 0]}, "count"),
        ({"first": [2]}, "step"),
        ({"first": [1]}, "step"),
        ({"class": [2 * 96]}, "class"),
        ({"class": [2 * 3]}, "class"),
        ({"class": [1]}, "class"),  # -1
        ({"class": [7]}, "class"),  # -4
        ({"class": [2 << 33]}, "class"),
    ],
)
def test_numbers_of_the_head_are_held_to_their_meaning(columns: dict[str, list[int]], field: str) -> None:
    assert refused_field(one_point(**columns)) == field


def bomb(samples: int, claimed: int) -> bytes:
    """A chunk of one point whose quality stream is a frame of ``claimed`` zero bytes."""
    frame = zstandard.ZstdCompressor().compress(bytes(claimed))
    columns = [0] + [0] + [2 * 1] + [2 * samples] + [0] * 3
    head = b"".join(np.array([c], "<u8").tobytes() for c in columns)
    envelope = [
        1,
        1,
        BOOT_ID,
        None,
        "general",
        False,
        [samples, 1, 1],
        b"\x0b" * 7 + b"\x01\x04",
        head,
        [b"\x0f", frame],
    ]
    data: bytes = msgpack.packb(envelope)
    return data


def peak_bytes(data: bytes) -> int:
    tracemalloc.start()
    try:
        decoded_or_refused(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_frame_that_claims_more_than_is_due_is_refused_before_it_is_expanded() -> None:
    assert refused_field(bomb(4, 400_000_000 // 16)) == "quality"
    assert peak_bytes(bomb(4, 400_000_000 // 16)) < 1_000_000


def test_a_frame_whose_size_is_unknown_is_refused() -> None:
    frame = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(500))
    envelope = msgpack.unpackb(VALID)
    envelope[8] = frame
    assert refused_field(msgpack.packb(envelope)) == "head"


def test_bytes_behind_a_frame_are_refused() -> None:
    envelope = msgpack.unpackb(encode_chunk(quiet_plant(), 1, BOOT_ID, uint16s(quiet_plant())))
    envelope[8] += b"x"
    assert refused_field(msgpack.packb(envelope)) == "head"


def test_the_largest_chunk_stays_within_bounded_memory() -> None:
    """A million samples in a few bytes are valid; what they take is known."""
    batch = scans(np.full((1000, 1000), 5))
    data = encode_chunk(batch, 1, BOOT_ID, uint16s(batch))
    assert len(data) < 1000
    assert peak_bytes(data) < 200 * SAMPLES_MAX
