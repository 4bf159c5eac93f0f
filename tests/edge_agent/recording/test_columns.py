"""Rows come back bit for bit and in order, whatever they are; bytes that are none give FrameError."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract.batch import TICK, SampleBatch
from contract.errors import FrameError
from contract.points import Catalogue, PointSpec, PointType
from contract.wire.chunk import ScaleTable
from edge_agent.recording.columns import decode, encode

POINTS = (
    PointSpec(2, "int", "E/S", "d", scale=0.1),
    PointSpec(5, "float", "E/S", "d", type=PointType.FLOAT64),
    PointSpec(9, "wide", "E/S", "d", type=PointType.UINT64, scale=0.001, offset=-4.0),
)
SCALES = ScaleTable.of(Catalogue(1, POINTS))
INT64 = st.integers(-(2**63), 2**63 - 1)
BITS = st.one_of(
    st.floats().map(lambda value: struct.unpack("<q", struct.pack("<d", value))[0]), INT64
)  # NaN with any payload
ROW = st.tuples(st.sampled_from([2, 5, 9, TICK]), INT64, INT64, BITS, st.integers(0, 255), INT64)


def rows(drawn: list[tuple[int, ...]]) -> SampleBatch:
    batch = SampleBatch.zeros(len(drawn))
    value = batch.value.view(np.int64)
    columns: tuple[Any, ...] = (batch.point, batch.time_ns, batch.mono_ns, value, batch.quality, batch.raw)
    for i, row in enumerate(drawn):
        for column, number in zip(columns, row, strict=True):
            column[i] = number
    return batch


def as_bytes(batch: SampleBatch) -> list[bytes]:
    columns = (batch.point, batch.time_ns, batch.mono_ns, batch.value, batch.quality, batch.raw)
    return [column.tobytes() for column in columns]


@given(st.lists(ROW, max_size=40))
def test_any_rows_come_back_bit_for_bit(drawn):
    batch = rows(drawn)
    assert as_bytes(decode(encode(batch, SCALES), SCALES)) == as_bytes(batch)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_rows_are_refused(data):
    with pytest.raises(FrameError):
        decode(data, SCALES)


def test_a_point_that_the_catalogue_lacks_is_refused():
    other = ScaleTable.of(Catalogue(1, (PointSpec(3, "x", "E/S", "d"),)))
    with pytest.raises(FrameError, match="point 2 is not in the catalogue"):
        decode(encode(rows([(2, 0, 0, 0, 0, 0)]), SCALES), other)
