"""The state of all detectors at one moment, as bytes: where a recording begins.

Record arrays by name, beside the ids of the points that their rows are of. Each names its layout; an array of another
layout is not read, so that what an older or newer version wrote is never taken for something else. Pure; comes from
``engine``, goes to files that others write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgpack
import numpy as np
import zstandard
from numpy.typing import NDArray

from edge_agent.detect.advice_layout import ADVICE_STATE
from edge_agent.detect.layout import STATE, Records

LAYOUTS: Final[Mapping[str, np.dtype[Any]]] = {
    "advice": ADVICE_STATE, "conditions": STATE, "since_mono_ns": np.dtype("i8"),
}  # fmt: skip
"""Every array that there may be: of ``engine``'s points in the order of its rows; zeros where a point has no such state."""
UNPACKED_BYTES_MAX: Final = 256 * 1024 * 1024


class CheckpointError(ValueError):
    """Bytes that are no checkpoint of this version of the software; the text says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """points int32[n]: id of each row. arrays: by name, in the layout that LAYOUTS gives, n rows each."""

    points: NDArray[np.int32]
    arrays: Mapping[str, Records]

    def differences(self, other: Checkpoint) -> list[str]:
        """Names of arrays of which not every byte of every field is the same; all where the points are others."""
        if not np.array_equal(self.points, other.points):
            return sorted(LAYOUTS)
        names = self.arrays.keys() | other.arrays.keys()
        return sorted(name for name in names if _fields(self.arrays.get(name)) != _fields(other.arrays.get(name)))


def _fields(array: Records | None) -> list[bytes] | None:
    """Field by field: what lies between them for alignment says nothing."""
    if array is None:
        return None
    return [array[name].tobytes() for name in array.dtype.names] if array.dtype.names else [array.tobytes()]


def pack(checkpoint: Checkpoint) -> bytes:
    table = {
        "points": checkpoint.points.tobytes(),
        "arrays": {
            name: [_layout(array.dtype), np.ascontiguousarray(array).tobytes()]
            for name, array in checkpoint.arrays.items()
        },
    }
    return zstandard.ZstdCompressor(level=1).compress(msgpack.packb(table))


def unpack(data: bytes) -> Checkpoint:
    """Arrays whose layout is ours. Raises CheckpointError for bytes that are none."""
    try:
        packed = zstandard.ZstdDecompressor().decompress(data, max_output_size=UNPACKED_BYTES_MAX)
        table = msgpack.unpackb(packed)
        points = np.frombuffer(table["points"], np.int32).copy()
        arrays = {
            name: np.frombuffer(content, LAYOUTS[name]).copy()
            for name, (layout, content) in table["arrays"].items()
            if name in LAYOUTS and layout == _layout(LAYOUTS[name])
        }
    except (zstandard.ZstdError, msgpack.UnpackException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"this is no state of detectors: {error}") from error
    if any(len(array) != len(points) for array in arrays.values()):
        raise CheckpointError("this is no state of detectors: not a row per point")
    return Checkpoint(points, arrays)


def _layout(dtype: np.dtype[Any]) -> str:
    return f"{dtype.itemsize}:{dtype.descr}"
