"""The numbers of a chunk: per point a series of integers, coded as what is left after a guess.

Two guesses are offered to each point and the nearer one is taken: the point's former number (pressures and
temperatures wander) or the point's base, a number near its mean (a gas head sits at zero with noise; the former number
carries that noise twice). What is left, folded by zig-zag, is cut to the width the point needs, and points of one
class (kind, guess, width) share streams, so that each stream has one distribution. Floats go the same way as their
bits read as integers. All arithmetic is modulo 2^64 (2^32 for float32), so every number comes back bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.errors import FrameError
from contract.wire.planes import (
    WIDTHS_BITS,
    Expander,
    Signed,
    Unsigned,
    container,
    to_planes,
    unzigzag,
    width_codes,
    zigzag,
)

_KIND_MASK: Final = 0x03
_DELTA: Final = 0x04
_WIDTH_SHIFT: Final = 3
_MEAN_MAX: Final = 2.0**62
_NARROW_MAX: Final = 1 << 29


class Kind(IntEnum):
    """What a point's numbers are; the lowest two bits of its class."""

    INTEGER = 0
    FLOAT32 = 1
    FLOAT64 = 2


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Numbers of many points, point after point.

    numbers  int64[rows]
    counts   intp[points]   rows of each point, at least 1
    kinds    uint8[points]  Kind
    """

    numbers: NDArray[np.int64]
    counts: NDArray[np.intp]
    kinds: NDArray[np.uint8]

    @property
    def starts(self) -> NDArray[np.intp]:
        return np.cumsum(self.counts) - self.counts


@dataclass(frozen=True, slots=True, eq=False)
class CodedSeries:
    """classes uint8[points]; bases int64[points]; planes of all classes, ascending."""

    classes: NDArray[np.uint8]
    bases: NDArray[np.int64]
    planes: list[bytes]


def float_numbers(value: NDArray[np.float64], counts: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """(int64[rows], kinds uint8[points]): the bits of float values.

    A point whose values all survive float32 takes its 32 bits, whatever its type says: a float64 register is often
    filled from a float32, and a float32 point that was computed upon must not lose its last bits. Every NaN becomes
    the one quiet NaN.
    """
    value = np.where(np.isnan(value), np.nan, value)
    with np.errstate(over="ignore"):  # a value too large for float32 becomes infinite and so fails the comparison
        single = value.astype(np.float32)
    survives = single.astype(np.float64).view(np.int64) == value.view(np.int64)
    narrow = np.logical_and.reduceat(survives, np.cumsum(counts) - counts)
    bits = np.where(np.repeat(narrow, counts), single.view(np.int32), value.view(np.int64))
    return bits, np.where(narrow, Kind.FLOAT32, Kind.FLOAT64).astype(np.uint8)


def float_values(numbers: NDArray[np.int64], kinds_of_rows: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Back from bits; NaN where the row's kind is INTEGER."""
    value = np.full(len(numbers), np.nan)
    wide = kinds_of_rows == Kind.FLOAT64
    value[wide] = numbers[wide].view(np.float64)
    single = kinds_of_rows == Kind.FLOAT32
    with np.errstate(invalid="ignore"):  # a peer may send a signalling NaN
        value[single] = numbers[single].astype(np.int32).view(np.float32)
    return value


def encode(series: Series) -> CodedSeries:
    if not len(series.counts):
        return CodedSeries(np.zeros(0, np.uint8), np.zeros(0, np.int64), [])
    starts, counts, numbers = series.starts, series.counts, _narrowed(series.numbers)
    first = numbers[starts]
    offset = numbers - np.repeat(first, counts)
    centre = _centres(offset, starts, counts)
    around = _folded(offset - np.repeat(centre, counts), series)
    np.subtract(numbers[1:], numbers[:-1], out=offset[1:])
    offset[starts] = 0
    since = _folded(offset, series)
    by_delta = _sums(since, starts) < _sums(around, starts)
    np.copyto(around, since, where=np.repeat(by_delta, counts))
    widths = width_codes(np.maximum.reduceat(around, starts))
    classes = series.kinds | (by_delta * np.uint8(_DELTA)) | (widths << np.uint8(_WIDTH_SHIFT))
    bases = first.astype(np.int64) + np.where(by_delta, 0, centre)
    planes = [plane for code, rows in _by_class(classes, counts) for plane in to_planes(around[rows], code)]
    return CodedSeries(classes, bases, planes)


def decode(
    classes: NDArray[np.uint8], bases: NDArray[np.int64], counts: NDArray[np.intp], expander: Expander
) -> NDArray[np.int64]:
    """int64[rows]. ``classes`` have passed ``check_classes``."""
    widest = int(classes.max(initial=0)) >> _WIDTH_SHIFT
    folded = np.zeros(int(counts.sum()), container(widest))
    for code, rows in _by_class(classes, counts):
        if code:
            folded[rows] = expander.planes(code, int(np.count_nonzero(rows)), "number")
    residuals = unzigzag(folded)
    by_delta = (classes & _DELTA) != 0
    numbers = _accumulated(residuals, by_delta, counts) if by_delta.any() else residuals.astype(np.int64)
    numbers += np.repeat(bases, counts)
    return numbers


def kinds_of(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return classes & np.uint8(_KIND_MASK)


def check_classes(classes: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Raises FrameError for a class that does not exist."""
    kind, width = classes & _KIND_MASK, classes >> _WIDTH_SHIFT
    if ((kind > max(Kind)) | (width < 0) | (width >= len(WIDTHS_BITS))).any():
        raise FrameError("class", "unknown kind or width")
    return classes.astype(np.uint8)


def _narrowed(numbers: NDArray[np.int64]) -> Signed:
    """As int32 where no difference can leave it: half the memory to walk through."""
    fits = numbers.min() > -_NARROW_MAX and numbers.max() < _NARROW_MAX
    return numbers.astype(np.int32) if fits else numbers


def _centres(offset: Signed, starts: NDArray[np.intp], counts: NDArray[np.intp]) -> Signed:
    """Mean of each point's offsets, whole; any number would do, a near one is cheap."""
    mean = np.add.reduceat(offset.astype(np.float64), starts) / counts
    return np.rint(np.clip(mean, -_MEAN_MAX, _MEAN_MAX)).astype(offset.dtype)


def _folded(residual: Signed, series: Series) -> Unsigned:
    single = series.kinds == Kind.FLOAT32
    if single.any():
        np.copyto(residual, residual.astype(np.int32), where=np.repeat(single, series.counts))
    return zigzag(residual)


def _sums(folded: Unsigned, starts: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.add.reduceat(folded.astype(np.float64), starts)


def _accumulated(residuals: Signed, by_delta: NDArray[np.bool_], counts: NDArray[np.intp]) -> NDArray[np.int64]:
    """Running sums within each point that goes by delta; its first row counts as 0."""
    starts = np.cumsum(counts) - counts
    sums = np.cumsum(residuals, dtype=np.int64)
    sums -= np.repeat(sums[starts], counts)
    np.copyto(sums, residuals, where=np.repeat(~by_delta, counts))
    return sums


def _by_class(classes: NDArray[np.uint8], counts: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    """(width code, which rows) of each class that is there, ascending."""
    of_row = np.repeat(classes, counts)
    for class_ in np.unique(classes):
        yield int(class_) >> _WIDTH_SHIFT, of_row == class_
