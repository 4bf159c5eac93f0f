"""Which decodings of registers are plausible, best first, and why. Pure.

What a person knows (range of the instrument, what its own display says) decides; without it, what instruments usually give:
finite numbers of ordinary size, with few digits, that change little between two reads. Nothing is left out of the result.

- With an expectation the plausible ones are those that meet it, and no other stands before them.
- With a range alone they are those inside it.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from drivers.modbus.address import Coding, WordOrder
from edge_agent.commissioning.probing.decodings import Decoding, Value

_NORMAL_MIN: Final = {Coding.FLOAT16: 2.0**-14, Coding.FLOAT32: 2.0**-126, Coding.FLOAT64: 2.0**-1022}
"""Smaller ones are denormal (IEEE 754); no instrument means them."""
_FORMATS: Final = {Coding.FLOAT16: "e", Coding.FLOAT32: "f", Coding.FLOAT64: "d"}
ORDINARY: Final = (1e-3, 1e7)
"""Amounts that a float of an instrument has, without knowledge of its range."""
SMALL_MAX: Final = {1: 10_000, 2: 10_000_000, 4: 10_000_000_000}
"""Integers up to this are small, by registers; a wrong order of words or bytes is mostly larger."""
_DIGITS_MAX: Final = 5
_TEXT_MIN: Final = 3
_SMOOTH: Final = 0.05
_JUMP: Final = 0.5


class Reason(StrEnum):
    """What speaks for or against a decoding, as a person reads it."""

    EXPECTED = "as expected"
    NOT_EXPECTED = "not as expected"
    IN_RANGE = "in range"
    OUT_OF_RANGE = "out of range"
    NEXT_TO_NOTHING = "next to nothing"
    NO_NUMBER = "no number: NaN or infinite"
    NO_DIGITS = "no decimal digits"
    NO_TEXT = "no readable text"
    DENORMAL = "denormal: too small to be meant"
    ALL_ZERO = "all zero, which fits everything"
    TEXT = "readable text"
    FEW_DIGITS = "few digits"
    ORDINARY = "ordinary size"
    UNUSUAL = "unusual size"
    SMALL = "small whole number"
    LARGE = "large whole number"
    RAW_SPAN = "raw span of an analog input"
    SCALE_UNKNOWN = "the scale is anybody's guess"
    DIGITS = "decimal digits only"
    SMOOTH = "changes little between reads"
    JUMPS = "jumps between reads"


_WEIGHT: Final = {
    Reason.EXPECTED: 1000.0, Reason.IN_RANGE: 20.0, Reason.NEXT_TO_NOTHING: -12.0, Reason.TEXT: 12.0,
    Reason.FEW_DIGITS: 8.0, Reason.ORDINARY: 4.0, Reason.UNUSUAL: -8.0, Reason.SMALL: 3.0, Reason.LARGE: -4.0,
    Reason.SCALE_UNKNOWN: -6.0, Reason.RAW_SPAN: -3.0, Reason.SMOOTH: 6.0, Reason.JUMPS: -12.0, Reason.DIGITS: -1.0,
}  # fmt: skip
_EXPECTED_SHARE: Final = 10.0
"""Taken off by how far from the middle of the tolerance a value lies."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What a person knows: ``low`` to ``high`` of the instrument, and what it shows just now, ``tolerance`` to either side."""

    low: float | None = None
    high: float | None = None
    expected: float | None = None
    tolerance: float = 0.0

    @property
    def span(self) -> float | None:
        return None if self.low is None or self.high is None else self.high - self.low


@dataclass(frozen=True, slots=True)
class Judged:
    """A decoding, what it made of the last read, and what is held of it."""

    decoding: Decoding
    value: Value
    plausible: bool
    reasons: tuple[Reason, ...]
    score: float


def rank(decodings: Sequence[Decoding], reads: Sequence[Sequence[Value]], hints: Hints) -> tuple[Judged, ...]:
    """All decodings, best first. ``reads`` are the values of one or several reads, the latest last, each in their order."""
    judged = [_judge(decoding, [values[i] for values in reads], hints) for i, decoding in enumerate(decodings)]
    return tuple(sorted(judged, key=lambda each: (not each.plausible, -each.score, each.decoding.number)))


def _judge(decoding: Decoding, values: Sequence[Value], hints: Hints) -> Judged:
    value = values[-1]
    if isinstance(value, str):
        reasons, plausible = _of_text(value, hints)
    elif value is None:
        reasons, plausible = [_none(decoding)], False
    elif value != 0 and abs(value) < _NORMAL_MIN.get(decoding.coding, 0.0):
        reasons, plausible = [Reason.DENORMAL], False
    else:
        reasons, plausible = _of_number(decoding, value, hints)
        reasons += _over_time([each for each in values if isinstance(each, float)], hints)
    score = sum(_WEIGHT.get(reason, 0.0) for reason in reasons) + _commonness(decoding)
    if Reason.EXPECTED in reasons and isinstance(value, float) and hints.expected is not None and hints.tolerance:
        score -= _EXPECTED_SHARE * abs(value - hints.expected) / hints.tolerance
    return Judged(decoding, value, plausible, tuple(reasons), score)


def _none(decoding: Decoding) -> Reason:
    if decoding.coding is Coding.STRING:
        return Reason.NO_TEXT
    return Reason.NO_NUMBER if decoding.coding in _FORMATS else Reason.NO_DIGITS


def _of_text(text: str, hints: Hints) -> tuple[list[Reason], bool]:
    if len(text) < _TEXT_MIN or not text.isprintable():
        return [Reason.NO_TEXT], False
    return [Reason.TEXT], hints.expected is None and hints.span is None


def _of_number(decoding: Decoding, value: float, hints: Hints) -> tuple[list[Reason], bool]:
    """Reasons, and whether the value is plausible."""
    reasons: list[Reason] = []
    own, ordinary = _of_itself(decoding, value)
    if hints.expected is not None:
        met = abs(value - hints.expected) <= hints.tolerance
        reasons.append(Reason.EXPECTED if met else Reason.NOT_EXPECTED)
        ordinary = met
    if hints.low is not None and hints.high is not None:
        inside = hints.low <= value <= hints.high
        reasons.append(Reason.IN_RANGE if inside else Reason.OUT_OF_RANGE)
        if inside and value != 0 and abs(value) < 1e-5 * (hints.high - hints.low):
            reasons.append(Reason.NEXT_TO_NOTHING)
        if hints.expected is None:
            ordinary = inside
    elif hints.expected is None and decoding.scale != 1:
        reasons.append(Reason.SCALE_UNKNOWN)
        ordinary = False
    return reasons + own, ordinary


def _of_itself(decoding: Decoding, value: float) -> tuple[list[Reason], bool]:
    """What a number says without anybody's knowledge, and whether instruments give such ones."""
    if value == decoding.offset:
        return [Reason.ALL_ZERO], True
    if decoding.coding in _FORMATS:
        if not ORDINARY[0] <= abs(value) <= ORDINARY[1]:
            return [Reason.UNUSUAL], False
        few = _has_few_digits(decoding.coding, value)
        return [Reason.ORDINARY, *([Reason.FEW_DIGITS] if few else [])], True
    if decoding.span is not None:
        return [Reason.RAW_SPAN], True
    small = abs((value - decoding.offset) / decoding.scale) <= SMALL_MAX[decoding.width]
    digits = decoding.coding in (Coding.BCD16, Coding.BCD32, Coding.BCD64, Coding.TENTHS16)
    return [Reason.SMALL if small else Reason.LARGE, *([Reason.DIGITS] if digits else [])], small


def _has_few_digits(coding: Coding, value: float) -> bool:
    """True where a short decimal is what the device meant: 21.5 is one float32 of four thousand millions."""
    short = float(f"{value:.{_DIGITS_MAX}g}")
    if coding is Coding.FLOAT16:
        return False  # any of them has few digits
    return struct.pack(_FORMATS[coding], short) == struct.pack(_FORMATS[coding], value)


def _over_time(values: Sequence[float], hints: Hints) -> list[Reason]:
    steps = [abs(after - before) for before, after in itertools.pairwise(values)]
    if not any(steps):
        return []
    whole = hints.span or max(abs(value) for value in values)
    if max(steps) <= _SMOOTH * whole:
        return [Reason.SMOOTH]
    return [Reason.JUMPS] if max(steps) > _JUMP * whole else []


def _commonness(decoding: Decoding) -> float:
    """What settles a draw: how often devices write like this."""
    orders = {WordOrder.ABCD: 1.5, WordOrder.CDAB: 1.0, WordOrder.BADC: 0.0, WordOrder.DCBA: 0.0}
    codings = {Coding.UINT16: 1.0, Coding.FLOAT32: 1.0, Coding.INT16: 0.8, Coding.FLOAT16: -3.0}
    known = codings.get(decoding.coding, 0.5 if decoding.width == 2 else 0.0)
    return orders[decoding.order] + known + (1.0 if decoding.scale == 1 else 0.0)
