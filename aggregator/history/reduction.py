"""Samples of one point made few enough to draw, so that no peak, gap or doubt disappears. Pure.

Samples fall into buckets of equal time. Of each bucket the first, the lowest, the highest and the last sample are kept,
for good and for uncertain quality apart; of samples without a number, the first and the last. What is kept is kept as
it was: real samples with their own times, never means.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from contract.quality import SEVERITY_MASK, SEVERITY_UNCERTAIN

Flags: TypeAlias = NDArray[np.bool_]

KEPT_PER_BUCKET_MAX: Final = 10
"""First, lowest, highest, last for two qualities, first and last without a number."""
_GOOD, _UNCERTAIN, _NO_NUMBER = 0, 1, 2
_KINDS: Final = 3


def kinds_of(value: NDArray[np.float64], quality: NDArray[np.uint8]) -> NDArray[np.int64]:
    """int64[n]: 0 good, 1 uncertain, 2 without a number that may be drawn: BAD, or no finite number at all."""
    severity = quality & SEVERITY_MASK
    kinds = np.where(severity == 0, _GOOD, np.where(severity == SEVERITY_UNCERTAIN, _UNCERTAIN, _NO_NUMBER))
    return np.where(np.isfinite(value), kinds, _NO_NUMBER).astype(np.int64)


def keep(
    time_ns: NDArray[np.int64], value: NDArray[np.float64], quality: NDArray[np.uint8],
    from_ns: int, to_ns: int, width: int,
) -> NDArray[np.intp]:  # fmt: skip
    """Ascending indices of the samples to draw; times must ascend, and lie in ``from_ns`` to ``to_ns`` inclusive.

    All of them where there are no more than ``width``.
    """
    count = len(time_ns)
    if count <= width:
        return np.arange(count)
    kinds = kinds_of(value, quality)
    groups = _buckets(time_ns, from_ns, to_ns, width) * _KINDS + kinds
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    ends = np.append(starts[1:], count) - 1
    kept = [order[starts], order[ends]]
    has_number = kinds[order[starts]] != _NO_NUMBER
    # Within each group by value, ties by time: the first of them is the lowest, the last the highest.
    by_value = np.lexsort((np.where(kinds == _NO_NUMBER, 0.0, value), groups))
    kept += [by_value[starts[has_number]], by_value[ends[has_number]]]
    return np.unique(np.concatenate(kept))


def _buckets(time_ns: NDArray[np.int64], from_ns: int, to_ns: int, width: int) -> NDArray[np.int64]:
    """Number of each sample's bucket, 0 to width-1."""
    step_ns = max(1, -(-(to_ns - from_ns + 1) // width))
    return (time_ns - from_ns) // step_ns


def breaks(time_ns: NDArray[np.int64], silence_ns: NDArray[np.int64], gaps: Sequence[tuple[int, int]]) -> Flags:
    """bool[n-1]: between sample i and the next nothing is known, so no line may join them.

    That is so after more than ``silence_ns[i]`` without a sample, and where a declared gap (from, to) lies between.
    """
    broken: Flags = np.diff(time_ns) > silence_ns[:-1]
    for from_ns, to_ns in gaps:
        broken |= (time_ns[:-1] < to_ns) & (time_ns[1:] > from_ns)
    return broken


def longest(time_ns: NDArray[np.int64], broken: Flags, count: int) -> NDArray[np.intp]:
    """Ascending indices of the samples at both edges of the ``count`` longest breaks."""
    before = np.flatnonzero(broken)
    lengths = time_ns[before + 1] - time_ns[before]
    before = before[np.argsort(-lengths, kind="stable")[:count]]
    return np.unique(np.concatenate([before, before + 1]))
