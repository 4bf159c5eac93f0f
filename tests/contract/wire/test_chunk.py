"""Telemetry chunks: nothing is lost on the way, nothing hostile gets through, and regular things cost nothing.

``python tests/contract/wire/test_chunk.py`` writes the golden chunk of the present schema. A golden file that has been
committed is never written again: a new schema gets a new file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.batch import TICK, SampleBatch
from contract.errors import FrameError
from contract.points import Catalogue, PointSpec, PointType
from contract.quality import Quality
from contract.wire import chunk as chunk_module
from contract.wire.chunk import (
    CHUNK_BYTES_MAX,
    SAMPLES_ALWAYS_FIT,
    ScaleTable,
    decode_chunk,
    encode_chunk,
    fill_values,
)
from naive.chunks import BOOT_ID, MONO_NS, SECOND_NS, START_NS, assert_same, batch_of, quiet_plant, scans, uint16s

GOLDEN = Path(__file__).parent / "golden" / "chunk_v1.bin"

RANGES = {
    PointType.BIT: (0, 1),
    PointType.UINT16: (0, 2**16 - 1),
    PointType.INT16: (-(2**15), 2**15 - 1),
    PointType.UINT32: (0, 2**32 - 1),
    PointType.INT32: (-(2**31), 2**31 - 1),
    PointType.UINT64: (-(2**63), 2**63 - 1),  # as its two's complement
    PointType.INT64: (-(2**63), 2**63 - 1),
}

# --- round trip -------------------------------------------------------------------------------------------------------


@st.composite
def typed_batches(draw: st.DrawFn) -> tuple[SampleBatch, dict[int, PointType]]:
    ids = draw(st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=6, unique=True))
    types = {id_: draw(st.sampled_from(list(PointType))) for id_ in ids}
    stamp = st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
    near = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(lambda p: (START_NS + p[0], MONO_NS + p[1]))
    stamps = draw(st.lists(near | stamp, min_size=1, max_size=5))
    quality = st.just(0) | st.sampled_from(list(Quality)) | st.integers(0, 255)
    rows = []
    for _ in range(draw(st.integers(0, 40))):
        id_ = draw(st.sampled_from(ids))
        value, raw = draw(number(types[id_]))
        code = draw(quality)
        if code >= Quality.BAD:
            value, raw = float("nan"), 0
        rows.append((id_, *draw(st.sampled_from(stamps)), value, code, raw))
    return batch_of(rows), types


def number(type_: PointType) -> st.SearchStrategy[tuple[float, int]]:
    if type_.is_integer:
        return (st.integers(*RANGES[type_]) | st.just(RANGES[type_][1])).map(lambda raw: (float("nan"), raw))
    special = st.sampled_from([0.0, -0.0, float("inf"), float("-inf"), float("nan"), 5e-324, 1e300])
    return (st.floats(width=32) | st.floats() | special).map(lambda value: (value, 0))


@given(typed_batches())
@settings(max_examples=100, deadline=None)
def test_any_batch_comes_back_bit_for_bit(drawn: tuple[SampleBatch, dict[int, PointType]]) -> None:
    batch, types = drawn
    chunk = decode_chunk(encode_chunk(batch, 7, BOOT_ID, types))
    assert_same(chunk.batch, batch)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_a_long_batch_of_several_devices_comes_back_bit_for_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = []
    for device in range(3):
        raw = rng.integers(0, 2 ** int(rng.integers(1, 63)), (int(rng.integers(1, 30)), 7))
        part = scans(raw, ids=100 * device + np.arange(7), start_ns=MONO_NS + int(rng.integers(0, 10**9)))
        parts.append(part.select(rng.random(len(part)) < rng.choice([1.0, 0.6])))
    batch = SampleBatch.concat(parts)
    batch = batch.select(np.argsort(batch.mono_ns, kind="stable"))
    batch.quality[rng.random(len(batch)) < 0.1] = Quality.BAD_STALE
    batch.raw[batch.quality >= Quality.BAD] = 0
    types = dict.fromkeys(np.unique(batch.point).tolist(), PointType.INT64)
    assert_same(decode_chunk(encode_chunk(batch, 1, BOOT_ID, types)).batch, batch)


def test_what_the_envelope_says_comes_back() -> None:
    data = encode_chunk(
        SampleBatch.empty(), 12, BOOT_ID, {}, exercise_id="drill-3", class_label="restricted", late=True
    )
    chunk = decode_chunk(data)
    assert (chunk.catalogue_version, chunk.boot_id, chunk.exercise_id, chunk.class_label, chunk.late, chunk.schema) == (
        12, BOOT_ID, "drill-3", "restricted", True, 1,
    )  # fmt: skip
    assert len(chunk.batch) == 0


def test_bad_rows_carry_no_number_whatever_the_sender_left_in_them() -> None:
    batch = batch_of([(1, START_NS, MONO_NS, 3.5, Quality.BAD_COMM_FAILURE, 99)])
    for type_ in (PointType.UINT16, PointType.FLOAT32):
        got = decode_chunk(encode_chunk(batch, 1, BOOT_ID, {1: type_})).batch
        assert np.isnan(got.value[0])
        assert got.raw[0] == 0


def test_a_float32_point_with_a_float64_number_keeps_all_its_bits() -> None:
    batch = batch_of([(1, START_NS, MONO_NS, 0.1, 0, 0), (1, START_NS + 1, MONO_NS + 1, 1e300, 0, 0)])
    assert_same(decode_chunk(encode_chunk(batch, 1, BOOT_ID, {1: PointType.FLOAT32})).batch, batch)


def test_a_signalling_nan_from_a_device_becomes_a_plain_one() -> None:
    batch = batch_of([(1, START_NS, MONO_NS, 0.0, 0, 0), (1, START_NS, MONO_NS, 0.5, 0, 0)])
    batch.value.view(np.uint64)[0] = 0x7FF0_0000_0000_0001
    got = decode_chunk(encode_chunk(batch, 1, BOOT_ID, {1: PointType.FLOAT32})).batch
    assert np.isnan(got.value[0])
    assert got.value[1] == 0.5


def test_a_step_of_the_wall_clock_is_kept() -> None:
    batch = scans(np.arange(40).reshape(20, 2))
    batch.time_ns[11:] -= 3600 * SECOND_NS
    assert_same(decode_chunk(encode_chunk(batch, 1, BOOT_ID, uint16s(batch))).batch, batch)


# --- what costs nothing -----------------------------------------------------------------------------------------------


def encoded_size(batch: SampleBatch) -> int:
    return len(encode_chunk(batch, 1, BOOT_ID, uint16s(batch)))


def test_a_quiet_plant_costs_a_quarter_of_a_byte_per_sample() -> None:
    batch = quiet_plant()
    assert encoded_size(batch) / len(batch) < 0.32


def test_constant_points_cost_next_to_nothing() -> None:
    assert encoded_size(scans(np.full((60, 1000), 4711))) < 400


def test_uniform_quality_costs_next_to_nothing() -> None:
    good, simulated = quiet_plant(), quiet_plant()
    simulated.quality[:] = Quality.GOOD_SIMULATED
    assert encoded_size(simulated) - encoded_size(good) < 32


def test_an_outage_of_one_device_costs_little_and_does_not_disturb_the_numbers() -> None:
    batch = quiet_plant()
    whole = encoded_size(batch)
    lost = (batch.point < 20) & (batch.mono_ns > MONO_NS + 30 * SECOND_NS)
    batch.quality[lost], batch.raw[lost] = Quality.BAD_COMM_FAILURE, 0
    assert encoded_size(batch) < whole + 150


def test_scans_of_several_devices_cost_a_stamp_each_and_nothing_per_sample() -> None:
    rng = np.random.default_rng(3)
    starts = MONO_NS + rng.integers(0, SECOND_NS, 10)
    parts = [scans(np.full((60, 50), 9), ids=50 * i + np.arange(50), start_ns=int(s)) for i, s in enumerate(starts)]
    batch = SampleBatch.concat(parts)
    batch = batch.select(np.argsort(batch.mono_ns, kind="stable"))
    assert len(batch) == 30_000
    assert encoded_size(batch) < 800


def test_float32_numbers_never_cost_more_than_their_four_bytes() -> None:
    batch = scans(np.zeros((60, 100), np.int64))
    bits = np.random.default_rng(9).integers(0, 2**32, len(batch), np.uint32) & ~np.uint32(
        1 << 23
    )  # neither inf nor NaN
    batch.value[:] = bits.view(np.float32)
    data = encode_chunk(batch, 1, BOOT_ID, dict.fromkeys(range(100), PointType.FLOAT32))
    assert len(data) < 4 * len(batch) + 700
    assert_same(decode_chunk(data).batch, batch)


def test_report_by_exception_costs_less_than_a_byte_per_sample() -> None:
    rng = np.random.default_rng(4)
    parts = [
        scans(rng.integers(0, 4, (60, 50)), ids=50 * i + np.arange(50), start_ns=MONO_NS + 7919 * i) for i in range(10)
    ]
    batch = SampleBatch.concat(parts)
    batch = batch.select(rng.random(len(batch)) < 0.2)
    batch = batch.select(np.argsort(batch.mono_ns, kind="stable"))
    assert encoded_size(batch) / len(batch) < 1.0


# --- limits of the sender ---------------------------------------------------------------------------------------------


def test_samples_always_fit_up_to_the_promised_number() -> None:
    rng = np.random.default_rng(6)
    batch = SampleBatch.zeros(SAMPLES_ALWAYS_FIT)
    batch.point[:] = np.sort(rng.choice(2**31 - 1, SAMPLES_ALWAYS_FIT))
    for column in (batch.time_ns, batch.mono_ns, batch.raw):
        column[:] = rng.integers(-(2**63), 2**63 - 1, SAMPLES_ALWAYS_FIT)
    batch.quality[:] = rng.integers(0, 128, SAMPLES_ALWAYS_FIT)
    types = dict.fromkeys(batch.point.tolist(), PointType.INT64)
    assert len(encode_chunk(batch, 1, BOOT_ID, types)) <= CHUNK_BYTES_MAX


def test_a_batch_that_does_not_fit_is_refused_by_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = quiet_plant()
    monkeypatch.setattr(chunk_module, "CHUNK_BYTES_MAX", 1000)
    with pytest.raises(ValueError, match="a chunk holds 1000"):
        encode_chunk(batch, 1, BOOT_ID, uint16s(batch))
    monkeypatch.setattr(chunk_module, "SAMPLES_MAX", 100)
    with pytest.raises(ValueError, match="samples, a chunk holds 100"):
        encode_chunk(batch, 1, BOOT_ID, uint16s(batch))


def test_tick_rows_and_points_without_a_type_are_programmer_errors() -> None:
    with pytest.raises(AssertionError, match="TICK"):
        encode_chunk(SampleBatch.tick(1, 1), 1, BOOT_ID, {TICK: PointType.UINT16})
    with pytest.raises(KeyError):
        encode_chunk(batch_of([(4, 0, 0, 0.0, 0, 0)]), 1, BOOT_ID, {})


# --- values -----------------------------------------------------------------------------------------------------------

CATALOGUE = Catalogue(
    3,
    (
        PointSpec(1, "AT-1", "a/b", "d", type=PointType.UINT16, scale=0.1, offset=-25.0),
        PointSpec(4, "FT-4", "a/b", "d", type=PointType.UINT64),
        PointSpec(9, "PT-9", "a/b", "d", type=PointType.FLOAT32),
    ),
)


def test_values_of_integer_points_are_computed_from_raw_and_scale() -> None:
    nan = float("nan")
    batch = batch_of(
        [(1, 0, 0, nan, 0, 7), (1, 0, 1, nan, Quality.BAD, 0), (4, 0, 0, nan, 0, -1), (9, 0, 0, 2.5, 0, 0)]
    )
    filled = fill_values(batch, CATALOGUE)
    np.testing.assert_array_equal(filled.value, [7 * 0.1 + -25.0, nan, float(2**64 - 1), 2.5])
    np.testing.assert_array_equal(ScaleTable.of(CATALOGUE).fill(filled).value, filled.value)
    assert len(fill_values(SampleBatch.empty(), CATALOGUE)) == 0


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ((2, 0, 0, float("nan"), 0, 7), "id"),
        ((10, 0, 0, float("nan"), 0, 7), "id"),
        ((9, 0, 0, float("nan"), 0, 7), "number"),  # an integer where the catalogue has a float
        ((1, 0, 0, 20.9, 0, 0), "number"),  # a float where the catalogue has an integer
    ],
)
def test_samples_that_contradict_the_catalogue_are_refused(
    row: tuple[int, int, int, float, int, int], field: str
) -> None:
    with pytest.raises(FrameError) as refused:
        fill_values(batch_of([row]), CATALOGUE)
    assert refused.value.field == field


def test_an_empty_catalogue_refuses_every_point() -> None:
    with pytest.raises(FrameError):
        fill_values(batch_of([(1, 0, 0, 0.0, 0, 0)]), Catalogue(1, ()))


# --- golden -----------------------------------------------------------------------------------------------------------

GOLDEN_TYPES = dict(enumerate(list(PointType)[:9]))
"""Those that there were when it was made."""


def golden_batch() -> SampleBatch:
    """All types, two devices, every quality, a clock that is set back, edges of every range; by arithmetic alone."""
    rows = []
    for scan in range(30):
        for id_, type_ in GOLDEN_TYPES.items():
            mono_ns = MONO_NS + scan * SECOND_NS + 40_000_000 * (id_ % 2) + scan * scan * 1000
            time_ns = mono_ns + START_NS - (SECOND_NS if scan > 17 else 0)
            quality = list(Quality)[scan % 13] if id_ in {2, 7} else Quality.GOOD
            if type_.is_integer:
                low, high = RANGES[type_]
                value, raw = float("nan"), (low, high, (scan * 7) % 2)[scan % 3]
            else:
                value, raw = (-0.0, float("inf"), scan * 0.25, float("-inf"), 1 / 3)[scan % (5 if id_ == 8 else 4)], 0
            bad = quality >= Quality.BAD
            if (scan + id_) % 7:
                rows.append((id_, time_ns, mono_ns, float("nan") if bad else value, quality, 0 if bad else raw))
    batch: SampleBatch = batch_of(rows)
    return batch


def test_the_golden_chunk_decodes_for_ever() -> None:
    chunk = decode_chunk(GOLDEN.read_bytes())
    assert (chunk.schema, chunk.catalogue_version, chunk.boot_id) == (1, 41, BOOT_ID)
    assert (chunk.exercise_id, chunk.class_label, chunk.late) == ("演练-1", "general", True)
    assert_same(chunk.batch, golden_batch())


def write_golden() -> None:
    assert not GOLDEN.exists(), "a golden chunk is written once"
    GOLDEN.write_bytes(encode_chunk(golden_batch(), 41, BOOT_ID, GOLDEN_TYPES, exercise_id="演练-1", late=True))


if __name__ == "__main__":
    write_golden()
