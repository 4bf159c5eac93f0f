"""Points of one device that share registers, which is allowed and mostly a row that was copied or an address that was counted wrong. Pure.

Bits of one register are no doubt, nor is a bit beside the whole register: status words are read so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from contract.points import PointRole, PointSpec
from drivers.base import listed
from drivers.modbus.address import ModbusAddress, Table, examine


class _Stretch(NamedTuple):
    """What is read, without how it is meant. ``alone`` tells readings apart, since the device answers each in its own way."""

    table: Table
    start: int
    end: int
    bit: int
    bits: int
    alone: tuple[int, int]

    def __str__(self) -> str:
        last = f"..{self.end - 1}" if self.end - self.start > 1 else ""
        bit = "" if self.bit == _WHOLE else f" bit {self.bit}"
        return f"{self.table}:{self.start}{last}{bit}"


_WHOLE: Final = -1


def overlaps(points: Sequence[PointSpec]) -> list[str]:
    """A line for each place that several points read, and for each that begins within another's."""
    tags: dict[_Stretch, list[str]] = {}
    for point in points:
        if point.role is PointRole.MEASUREMENT and (place := examine(point)[0]) is not None:
            tags.setdefault(_stretch(place), []).append(point.tag)
    same = [f"{listed(found)} read the same place, {place}" for place, found in tags.items() if len(found) > 1]
    return [
        *same,
        *(
            f"{tags[inner][0]} at {inner} begins within {tags[outer][0]} at {outer}"
            for outer, inner in _begun_within(tags)
        ),
    ]


def _stretch(place: ModbusAddress) -> _Stretch:
    bit = _WHOLE if place.bit is None else place.bit
    return _Stretch(place.table, place.offset, place.end, bit, place.bits, place.alone or (0, 0))


def _begun_within(places: dict[_Stretch, list[str]]) -> Iterator[tuple[_Stretch, _Stretch]]:
    """Pairs of whole registers, each inner one once."""
    reaching: dict[tuple[Table, tuple[int, int]], _Stretch] = {}
    for place in sorted((each for each in places if each.bit == _WHOLE), key=attrgetter("start", "end")):
        outer = reaching.get((place.table, place.alone))
        if outer is not None and place.start < outer.end:
            yield outer, place
        if outer is None or place.end > outer.end:
            reaching[place.table, place.alone] = place
