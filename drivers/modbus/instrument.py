"""What an instrument says of its own value, as quality: status words of a model, and the bands of a 4 to 20 mA loop. Pure.

Meanings come in from the device's settings, numbers and words from ``registers``, which takes the worse of its own quality and
of what is found here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from contract.quality import Quality
from drivers.modbus.address import SideWord, Table, WordOrder

WORDS: Final = 65_536
_T = TypeVar("_T", int, str)
_Said: TypeAlias = tuple[tuple[_T, "Meaning"], ...]
_OFFSET: Final = re.compile(r"[0-9]{1,5}\Z")
_RANGE: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?\Z")


class Meaning(StrEnum):
    """What a bit, or a value, of a status word says."""

    FAULT = "fault"
    WARM_UP = "warm_up"
    NO_DATA = "no_data"
    CALIBRATION = "calibration"
    INHIBIT = "inhibit"
    MAINTENANCE = "maintenance"
    OVER_RANGE = "over_range"
    UNDER_RANGE = "under_range"
    DOUBT = "doubt"

    @property
    def quality(self) -> Quality:
        return _QUALITY[self]


_QUALITY: Final = {
    Meaning.FAULT: Quality.BAD_SENSOR_FAILURE,
    Meaning.WARM_UP: Quality.BAD,
    Meaning.NO_DATA: Quality.BAD,
    Meaning.CALIBRATION: Quality.UNCERTAIN_CALIBRATION,
    Meaning.INHIBIT: Quality.UNCERTAIN_MAINTENANCE,
    Meaning.MAINTENANCE: Quality.UNCERTAIN_MAINTENANCE,
    Meaning.OVER_RANGE: Quality.UNCERTAIN_OUT_OF_RANGE,
    Meaning.UNDER_RANGE: Quality.UNCERTAIN_OUT_OF_RANGE,
    Meaning.DOUBT: Quality.UNCERTAIN,
}
"""In the order of precedence where a word says several things. What is being calibrated or inhibited may raise a condition,
flagged, and never clears one; a head that warms up measures nothing."""
_RANK: Final = {quality: rank for rank, quality in enumerate([Quality.GOOD, *reversed(_QUALITY.values())])}


def _is_range(text: str) -> str:
    _ends(text)
    return text


def _ends(text: str) -> tuple[int, int]:
    """``7`` or ``9-65535``. Raises ValueError."""
    found = _RANGE.match(text)
    if found is None:
        raise ValueError("is neither a number nor a range such as 9-15")
    low = int(found[1])
    high = int(found[2] or low)
    if not low <= high < WORDS:
        raise ValueError(f"does not rise, or passes {WORDS - 1}")
    return low, high


class StatusWord(BaseModel):
    """The meaning of a model's status word: of its bits (0 is the least significant), and of its value after ``mask``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bits: dict[Annotated[int, Field(ge=0, le=15)], Meaning] = Field(default_factory=dict)
    values: dict[Annotated[str, AfterValidator(_is_range)], Meaning] = Field(default_factory=dict)
    mask: Annotated[int, Field(ge=1, le=WORDS - 1)] = WORDS - 1

    def table(self) -> NDArray[np.uint8]:
        """uint8[65536], not to be written: the quality that each word means. Equal meanings share one."""
        return _table(tuple(self.bits.items()), tuple(self.values.items()), self.mask)


@lru_cache(maxsize=256)  # hundreds of equal instruments in one agent would make and keep as many tables
def _table(bits: _Said[int], values: _Said[str], mask: int) -> NDArray[np.uint8]:
    words = np.arange(WORDS)
    table = np.full(WORDS, Quality.GOOD, np.uint8)
    for meaning, said in sorted(_said(words, bits, values, mask), key=lambda pair: _RANK[pair[0].quality]):
        table[said] = meaning.quality
    table.flags.writeable = False
    return table


def _said(
    words: NDArray[np.int64], bits: _Said[int], values: _Said[str], mask: int
) -> Iterator[tuple[Meaning, NDArray[np.bool_]]]:
    for bit, meaning in bits:
        yield meaning, (words >> bit & 1).astype(np.bool_)
    masked = words & mask
    for text, meaning in values:
        low, high = _ends(text)
        yield meaning, (masked >= low) & (masked <= high)


def _is_place(text: str) -> str:
    table, _, offset = text.partition(":")
    if table not in ("holding", "input") or not _OFFSET.match(offset) or int(offset) >= WORDS:
        raise ValueError("is no register such as holding:131")
    return text


class _AtRegister(BaseModel):
    """Something that a register of the device says of all its values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    register_: Annotated[str, AfterValidator(_is_place), Field(alias="register")]

    @property
    def side(self) -> SideWord:
        table, _, offset = self.register_.partition(":")
        return SideWord(Table(table), int(offset))


class Constant(_AtRegister):
    """A register whose number is known, and shows whether the bytes come as they should."""

    value: Annotated[int, Field(ge=0, lt=WORDS)]

    def doubt(self, word: int | None) -> str | None:
        """Why values are not to be believed beside this word (None: it did not come); None where they are."""
        if word == self.value:
            return None
        if word is None:
            return f"{self.register_}, which proves the order of bytes, was not read"
        swapped = word == (self.value & 0xFF) << 8 | self.value >> 8
        return f"{self.register_} holds 0x{word:04X}, not 0x{self.value:04X}{': bytes are swapped' * swapped}"


class FloatOrder(_AtRegister):
    """A register that says in which order the bytes of all floats of the device lie."""

    orders: Annotated[tuple[WordOrder, ...], Field(min_length=1, max_length=4)]
    """By the register's number, from 0."""

    def order(self, word: int | None) -> WordOrder | None:
        return None if word is None or word >= len(self.orders) else self.orders[word]


NE43_MA: Final = (3.6, 3.8, 20.5, 21.0)
"""NAMUR NE 43: failure up to the first and from the last on; measured from the second to the third; undefined between."""
_BANDS: Final = np.array(
    [Quality.BAD_SENSOR_FAILURE, Quality.UNCERTAIN, Quality.GOOD, Quality.UNCERTAIN, Quality.BAD_SENSOR_FAILURE],
    np.uint8,
)


def ne43(current_ma: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The quality that each current means; NaN is left to who found it (GOOD here)."""
    fail_low, low, high, fail_high = NE43_MA
    band = (
        (current_ma > fail_low).astype(np.intp) + (current_ma >= low) + (current_ma > high) + (current_ma >= fail_high)
    )
    quality = _BANDS[band]
    quality[np.isnan(current_ma)] = Quality.GOOD
    return quality


def worse(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of each two qualities the one of greater severity, of equals the first."""
    return np.where(other & 0xC0 > one & 0xC0, other, one)
