"""Every way in which registers may hold a number or a text, each with a number of its own, and what each makes of a reply. Pure.

Decoding itself is the driver's (``drivers.modbus.registers``): what is shown here is what an agent would record. Numbers of
decodings never depend on what was read, so that one that a person saw a minute ago still names the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from contract.points import PointSpec
from contract.quality import Quality, is_bad
from drivers.modbus.address import Coding, Encoding, ModbusAddress, Table, WordOrder
from drivers.modbus.planner import ReadRequest
from drivers.modbus.registers import BlockDecoder, RegisterPoint
from edge_agent.settings.raw_span import scaling

Scaling: TypeAlias = tuple[float, float]
"""Scale and offset: value = raw x scale + offset."""
Value: TypeAlias = float | str | None
"""What a decoding makes of registers; None where they hold no number, or no text, of that kind."""

RAW_SPANS: Final = (
    (Coding.INT16, 0, 27_648),
    (Coding.INT16, 5_530, 27_648),
    (Coding.UINT16, 0, 4_095),
    (Coding.UINT16, 0, 65_535),
    (Coding.INT16, 6_400, 32_000),
    (Coding.INT16, 4_000, 20_000),
)
"""What analog inputs give for 0 to 100 % of an instrument: Siemens S7-300 to S7-1500 (rated range; 5530 is 4 mA of 0 to 20), converters
of 12 and 16 bits, Siemens S7-200 (4 to 20 mA), microamperes."""
SCALINGS: Final[tuple[Scaling, ...]] = ((1.0, 0.0), (0.1, 0.0), (0.01, 0.0), (0.001, 0.0), (10.0, 0.0))
TEXT_REGISTERS: Final = 4
_ONE_WORD: Final = (WordOrder.ABCD, WordOrder.BADC)
_INTEGERS: Final = (
    Coding.UINT16, Coding.INT16, Coding.UINT32, Coding.INT32, Coding.BCD16, Coding.BCD32, Coding.TENTHS16,
    Coding.UINT64, Coding.INT64, Coding.BCD64,
)  # fmt: skip
_FLOATS: Final = (Coding.FLOAT32, Coding.FLOAT64, Coding.FLOAT16)


@dataclass(frozen=True, slots=True)
class Decoding:
    """One way. ``width`` counts registers; ``bit`` is that of a single bit of a register; ``span`` are the raw numbers at both ends
    of the instrument's range, where scale and offset were made of them."""

    number: int
    coding: Coding
    width: int
    order: WordOrder = WordOrder.ABCD
    scale: float = 1.0
    offset: float = 0.0
    encoding: Encoding = Encoding.ASCII
    bit: int | None = None
    span: tuple[int, int] | None = None

    @property
    def name(self) -> str:
        """As a person may type it: ``float32/CDAB``, ``uint16*0.1``, ``string/BADC:gb18030``, ``int16:0..27648``."""
        if self.span is not None:
            return f"{self.coding}:{self.span[0]}..{self.span[1]}"
        text = self.coding.value + (f"/{self.order}" if self.order is not WordOrder.ABCD else "")
        text += f":{self.encoding}" if self.encoding is not Encoding.ASCII else ""
        text += f"*{self.scale:g}" if self.scale != 1 else ""
        return text + (f"{self.offset:+g}" if self.offset else "")

    def cells(self) -> dict[str, str]:
        """The columns of points.csv that say it; empty where nothing is to be said."""
        is_text = self.coding is Coding.STRING
        return {
            "bit": "" if self.bit is None else str(self.bit),
            "type": self.coding.value,
            "word_order": "" if self.order is WordOrder.ABCD else self.order.value,
            "scale": "" if self.scale == 1 else repr(self.scale),
            "offset": "" if self.offset == 0 else repr(self.offset),
            "length": str(self.width) if is_text else "",
            "encoding": self.encoding.value if is_text and self.encoding is not Encoding.ASCII else "",
        }


def of_registers(
    more: Sequence[Scaling] = (),
    text_registers: int = TEXT_REGISTERS,
    measured: tuple[float, float] | None = None,
) -> tuple[Decoding, ...]:
    """All decodings of registers, numbered from 1; last those with the scalings ``more``, and the raw spans of an instrument that
    measures from ``measured[0]`` to ``measured[1]``."""
    ways = [*_numbers(SCALINGS), *_floats(), *_texts(text_registers)]
    ways += _numbers([each for each in dict.fromkeys(more) if each not in SCALINGS])
    found = [
        Decoding(i, coding, width, order, *scaling, encoding)
        for i, (coding, width, order, scaling, encoding) in enumerate(ways, 1)
    ]
    for coding, first, last in RAW_SPANS if measured else ():
        scale, offset = scaling(first, last, *(measured or (0.0, 0.0)))
        found.append(Decoding(len(found) + 1, coding, 1, scale=scale, offset=offset, span=(first, last)))
    return tuple(found)


def of_a_bit(bit: int | None) -> tuple[Decoding, ...]:
    return (Decoding(1, Coding.BIT, 1, bit=bit),)


def _numbers(scalings: Sequence[Scaling]) -> Iterator[tuple[Coding, int, WordOrder, Scaling, Encoding]]:
    for coding in _INTEGERS:
        for order in _ONE_WORD if coding.registers == 1 else WordOrder:
            for each in scalings:
                yield coding, coding.registers, order, each, Encoding.ASCII


def _floats() -> Iterator[tuple[Coding, int, WordOrder, Scaling, Encoding]]:
    for coding in _FLOATS:
        for order in _ONE_WORD if coding.registers == 1 else WordOrder:
            yield coding, coding.registers, order, (1.0, 0.0), Encoding.ASCII


def _texts(registers: int) -> Iterator[tuple[Coding, int, WordOrder, Scaling, Encoding]]:
    for encoding in Encoding:
        for order in _ONE_WORD:
            yield Coding.STRING, registers, order, (1.0, 0.0), encoding


class Reader:
    """Decodes replies that begin at one place: ``read`` gives a value for each of ``decodings``, in their order.

    Those that want more registers than ``count`` are left out.
    """

    def __init__(self, decodings: Sequence[Decoding], table: Table, count: int) -> None:
        self.decodings = tuple(each for each in decodings if each.width <= count)
        request = ReadRequest(table, 0, count, tuple(range(len(self.decodings))))
        self._decoder = BlockDecoder(request, [_point(i, each, table) for i, each in enumerate(self.decodings)])

    def read(self, payload: bytes) -> tuple[Value, ...]:
        """``payload`` are the data bytes of a reply to a request for ``count`` places."""
        batch = self._decoder.decode(payload, 0, 0)
        values: list[Value] = [None] * len(self.decodings)
        for place, value, quality in zip(
            batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True
        ):
            if not is_bad(Quality(quality)) and self.decodings[place].coding is not Coding.STRING:
                values[place] = value
        for said in batch.said:
            values[said.point] = str(said.what)
        return tuple(values)


def _point(number: int, decoding: Decoding, table: Table) -> RegisterPoint:
    spec = PointSpec(
        id=number, tag="", org="", device="", type=decoding.coding.kept, scale=decoding.scale, offset=decoding.offset
    )
    address = ModbusAddress(
        table, 0, decoding.width, decoding.bit, decoding.order, coding=decoding.coding, encoding=decoding.encoding
    )
    return RegisterPoint(spec, address)
