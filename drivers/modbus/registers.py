"""The bytes of a reply become samples: a whole block at once, no loop over points. Pure.

A ``BlockDecoder`` is made once per request. The order of words is folded into its gather indices, so that a reply costs one
numpy gather per coding and order of bytes, whatever the order of points and words. Bytes come from ``link``, samples leave through ``unit``.

What an instrument says of its values (``instrument``) lies in words beside them, which may have come with another reply of the
same turn: ``side_words`` takes them out of each reply, and ``decode`` is handed all that the turn has brought so far.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract.batch import Said, SampleBatch, scale_raw
from contract.points import PointSpec, PointType
from contract.quality import Quality, is_bad
from drivers.modbus import instrument
from drivers.modbus.address import Coding, Encoding, ModbusAddress, SideWord, WordOrder
from drivers.modbus.planner import ReadRequest

DECIMALS_MAX: Final = 9
"""A register of decimals beyond this says something else."""
_LITTLE_ENDIAN: Final = {
    Coding.UINT16: "<u2",
    Coding.INT16: "<i2",
    Coding.UINT32: "<u4",
    Coding.INT32: "<i4",
    Coding.UINT64: "<u8",
    Coding.INT64: "<i8",
    Coding.BCD16: "<u2",
    Coding.BCD32: "<u4",
    Coding.BCD64: "<u8",
    Coding.TENTHS16: "<u2",
    Coding.FLOAT16: "<f2",
    Coding.FLOAT32: "<f4",
    Coding.FLOAT64: "<f8",
}
_ROW_ORDER: Final = {coding: rank for rank, coding in enumerate((Coding.BIT, *_LITTLE_ENDIAN, Coding.STRING))}


@dataclass(frozen=True, slots=True)
class RegisterPoint:
    """A point of the catalogue and where it lies."""

    spec: PointSpec
    address: ModbusAddress


@dataclass(frozen=True, slots=True, eq=False)
class _Gather:
    """``rows`` of the batch that share a coding and the order of bytes in a register; ``index[k, w]`` is where word ``w``
    (0: least significant) lies. A field of bits is shifted down and masked."""

    rows: slice
    index: NDArray[np.intp]
    coding: Coding
    swapped: bool
    fields: tuple[NDArray[np.uint16], NDArray[np.uint16]] | None
    """Shift and mask."""
    plain: str | None
    """How a word lies in the reply where a word is a number as it is; ``index`` has one axis then."""

    def numbers(self, payload: bytes) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
        """The numbers, and which of them are none; None where any pattern of bits is one."""
        if self.plain is not None:
            return np.frombuffer(payload, self.plain).take(self.index), None
        words = np.frombuffer(payload, "<u2" if self.swapped else ">u2").take(self.index)
        found = words.astype("<u2", copy=False).view(_LITTLE_ENDIAN[self.coding])[:, 0]
        if self.fields is not None:
            shift, mask = self.fields
            return found >> shift & mask, None
        if self.coding is Coding.TENTHS16:
            return (found >> 8) * np.uint32(10) + (found & 0xFF), (found & 0xFF) > 9
        if self.coding in (Coding.BCD16, Coding.BCD32, Coding.BCD64):
            return _decimal(found)
        return found, None


@dataclass(frozen=True, slots=True)
class _Sided:
    """A row whose value is meant as words beside it say; ``meaning`` is the table of its status word."""

    row: int
    address: ModbusAddress
    meaning: NDArray[np.uint8] | None


@dataclass(frozen=True, slots=True)
class _Text:
    """A row that is a text, and the bytes of the reply that it lies in."""

    row: int
    point: int
    place: slice
    swapped: bool
    encoding: Encoding

    def read(self, payload: bytes) -> str | None:
        """Up to the first NUL, without the blanks around it; None where the bytes are no text."""
        data = payload[self.place]
        if self.swapped:
            data = np.frombuffer(data, "<u2").byteswap().tobytes()
        try:
            return data.partition(b"\0")[0].decode(self.encoding).strip(" ")
        except UnicodeDecodeError:
            return None


class BlockDecoder:
    """Decodes the replies to one request. Rows are in order of coding, then of the request's members."""

    def __init__(
        self,
        request: ReadRequest,
        points: Sequence[RegisterPoint],
        sides: Sequence[SideWord] = (),
        meanings: Mapping[str, NDArray[np.uint8]] | None = None,
    ) -> None:
        """``points``, then ``sides``, is the sequence that ``request.members`` counts in. ``meanings`` are the tables of
        status words by name."""
        members = sorted((points[i] for i in request.members if i < len(points)), key=_row_order)
        self._reply_size = request.reply_size
        self._size = len(members)
        self._points = np.array([p.spec.id for p in members], np.int32)
        self._bits = slice(0, sum(p.address.coding is Coding.BIT for p in members))
        self._integers = slice(0, sum(p.spec.type.is_integer for p in members))
        self._bit_byte, self._bit_shift = _bit_places(request, members[self._bits])
        self._gathers = tuple(_gathers(request, members))
        self._points.flags.writeable = False  # every batch has it
        self._led: NDArray[np.int32] | None = None
        self._scale = np.array([p.spec.scale for p in members[self._integers]], np.float64)
        self._offset = np.array([p.spec.offset for p in members[self._integers]], np.float64)
        unsigned64 = np.array([p.spec.type is PointType.UINT64 for p in members[self._integers]], np.bool_)
        self._unsigned64 = unsigned64 if unsigned64.any() else None
        self._loops, self._at_4_ma, self._per_ma = _loops(members)
        self._sided = tuple(
            _Sided(row, p.address, (meanings or {}).get(p.address.status_name)) for row, p in enumerate(members)
            if p.address.sides
        )  # fmt: skip
        self._texts = tuple(_texts(request, members))
        # Floats may be none, scaling may overflow; whoever has neither nor anything to judge is spared the looking.
        bounded = (np.abs(self._scale) < 1e280).all() and (np.abs(self._offset) < 1e299).all()
        all_integers = self._integers.stop == self._size
        self._always_finite = bool(all_integers and bounded and not self._sided and not self._loops.size)
        self._side_places = [_side_place(request, sides[i - len(points)]) for i in request.members if i >= len(points)]

    @property
    def has_side_words(self) -> bool:
        return bool(self._side_places)

    def side_words(self, payload: bytes) -> dict[SideWord, int]:
        """What the words beside values say, out of the data bytes of a reply."""
        words = {}
        for side, byte, shift in self._side_places:
            if side.table.holds_bits:
                words[side] = payload[byte] >> shift & 1
            else:
                words[side] = int.from_bytes(payload[byte : byte + 2], "little" if side.swapped else "big")
        return words

    def decode(
        self,
        payload: bytes,
        time_ns: int,
        mono_ns: int,
        beside: Mapping[SideWord, int] | None = None,
        own: int | None = None,
    ) -> SampleBatch:
        """Samples of a reply's data bytes, all with the one stamp of their arrival, led by a 1 for the device's ``own`` point.

        Integers give raw and scaled value, floats the device's own number with raw 0. What is no finite number is
        BAD_SENSOR_FAILURE with the value NaN. ``beside`` are the side words of this turn; a status word that is not among
        them leaves its value UNCERTAIN, a scaling register makes it BAD. A text is said beside its row, which tells its length.
        """
        assert len(payload) == self._reply_size, "the link lets only replies of the right size through"
        whole, batch = self._room(time_ns, mono_ns, own)
        texts: Sequence[tuple[_Text, str]] = ()
        if self._bit_byte.size:
            block = np.frombuffer(payload, np.uint8)
            batch.raw[self._bits] = (block.take(self._bit_byte) >> self._bit_shift) & 1
        if self._always_finite:
            broken = self._fill(batch, payload)
            self._scale_integers(batch)
            if broken is None:
                return whole
        else:
            with np.errstate(invalid="ignore", over="ignore"):  # a signalling NaN or an overflow is judged below
                broken = self._fill(batch, payload)
                if self._loops.size:
                    self._judge_loops(batch)
                self._scale_integers(batch)
                if self._texts:
                    texts = self._fill_texts(batch, payload)
                for sided in self._sided:
                    _apply(batch, sided, beside or {})
        finite = np.isfinite(batch.value)
        if broken is not None or not finite.all():
            none = ~finite if broken is None else ~finite | broken
            batch.quality[none & (batch.quality < Quality.BAD)] = Quality.BAD_SENSOR_FAILURE
            batch.value[none] = np.nan
        return replace(whole, said=tuple(_said(batch, texts))) if texts else whole

    def _scale_integers(self, batch: SampleBatch) -> None:
        if self._scale.size:
            whole = self._integers.stop == self._size
            raw, value = (batch.raw, batch.value) if whole else (batch.raw[self._integers], batch.value[self._integers])
            scale_raw(raw, self._scale, self._offset, self._unsigned64, value)

    def failed(self, quality: Quality, time_ns: int, mono_ns: int) -> SampleBatch:
        """The rows of a request that brought no values: NaN and raw 0 under a BAD quality."""
        batch, _ = self._room(time_ns, mono_ns, None)
        batch.value.fill(np.nan)
        batch.quality.fill(quality)
        return batch

    def _fill(self, batch: SampleBatch, payload: bytes) -> NDArray[np.bool_] | None:
        """Raw numbers into their columns; which rows hold none, None where all do."""
        broken = None
        for gather in self._gathers:
            numbers, none = gather.numbers(payload)
            if gather.rows.stop <= self._integers.stop:
                # uint64 is kept as its two's complement; scale_raw reads it as unsigned.
                batch.raw[gather.rows] = numbers.view(np.int64) if numbers.dtype == np.uint64 else numbers
            else:
                batch.value[gather.rows] = numbers
            if none is not None and none.any():
                broken = np.zeros(self._size, np.bool_) if broken is None else broken
                broken[gather.rows] = none
        return broken

    def _fill_texts(self, batch: SampleBatch, payload: bytes) -> list[tuple[_Text, str]]:
        """The lengths of texts into their rows, NaN where there is none; and the texts."""
        found = []
        for each in self._texts:
            text = each.read(payload)
            batch.value[each.row] = np.nan if text is None else len(text)
            if text is not None:
                found.append((each, text))
        return found

    def _judge_loops(self, batch: SampleBatch) -> None:
        """Before anything is scaled."""
        numbers = np.where(self._loops < self._integers.stop, batch.raw[self._loops], batch.value[self._loops])
        batch.quality[self._loops] = instrument.ne43(4 + (numbers - self._at_4_ma) * self._per_ma)

    def _room(self, time_ns: int, mono_ns: int, own: int | None) -> tuple[SampleBatch, SampleBatch]:
        """A batch to fill, and its part without the row of the device; quality is GOOD throughout."""
        size = self._size + (own is not None)
        time, mono = np.empty(size, np.int64), np.empty(size, np.int64)
        time.fill(time_ns)
        mono.fill(mono_ns)
        value, quality, raw = np.empty(size), np.zeros(size, np.uint8), np.zeros(size, np.int64)
        if own is None:
            batch = SampleBatch(self._points, time, mono, value, quality, raw)
            return batch, batch
        value[0], raw[0] = 1.0, 1
        whole = SampleBatch(self._led_by(own), time, mono, value, quality, raw)
        return whole, SampleBatch(self._points, time[1:], mono[1:], value[1:], quality[1:], raw[1:])

    def _led_by(self, own: int) -> NDArray[np.int32]:
        if self._led is None or self._led[0] != own:
            self._led = np.concatenate([np.array([own], np.int32), self._points])
            self._led.flags.writeable = False
        return self._led


def _apply(batch: SampleBatch, sided: _Sided, beside: Mapping[SideWord, int]) -> None:
    """Scale and judge one row by the words beside it."""
    row, address = sided.row, sided.address
    quality = Quality.GOOD
    if address.status is not None:
        word = beside.get(address.status)
        known = word is not None and sided.meaning is not None
        quality = Quality(int(sided.meaning[word])) if known else Quality.UNCERTAIN  # type: ignore[index]
    if address.scaled_by_device:
        batch.value[row] *= _factor(address, beside)
    batch.quality[row : row + 1] = instrument.worse(batch.quality[row : row + 1], np.array([quality], np.uint8))


def _factor(address: ModbusAddress, beside: Mapping[SideWord, int]) -> float:
    """NaN where a register that scales has not come, or says nothing sensible."""
    factor = address.constant
    if address.factor is not None:
        factor *= beside.get(address.factor, np.nan)
    if address.decimals is not None:
        decimals = beside.get(address.decimals, DECIMALS_MAX + 1)
        factor = factor / 10**decimals if decimals <= DECIMALS_MAX else np.nan
    return factor


def _row_order(point: RegisterPoint) -> tuple[bool, int, bool]:
    """Integers before floats: numbers that the device scales are kept as floats, however they are coded."""
    address = point.address
    swapped = address.order.bytes_swapped and address.coding is not Coding.BIT
    return not point.spec.type.is_integer, _ROW_ORDER[address.coding], swapped


def _gathers(request: ReadRequest, members: Sequence[RegisterPoint]) -> Iterable[_Gather]:
    others = (Coding.BIT, Coding.STRING)
    kinds = sorted({_row_order(point) for point in members if point.address.coding not in others})
    for kind in kinds:
        rows = [row for row, point in enumerate(members) if _row_order(point) == kind]
        addresses = [members[row].address for row in rows]
        index = np.array([_word_places(request, address) for address in addresses], np.intp)
        coding, swapped, fields = addresses[0].coding, addresses[0].order.bytes_swapped, _fields(addresses)
        plain = None
        if fields is None and coding in (Coding.UINT16, Coding.INT16):
            index, plain = index[:, 0].copy(), ("<" if swapped else ">") + _LITTLE_ENDIAN[coding][1:]
        yield _Gather(slice(rows[0], rows[-1] + 1), index, coding, swapped, fields, plain)


def _texts(request: ReadRequest, members: Sequence[RegisterPoint]) -> Iterable[_Text]:
    for row, point in enumerate(members):
        address = point.address
        if address.coding is Coding.STRING:
            start = 2 * (address.offset - request.start)
            place = slice(start, start + 2 * address.width)
            yield _Text(row, point.spec.id, place, address.order.bytes_swapped, address.encoding)


def _said(batch: SampleBatch, texts: Iterable[tuple[_Text, str]]) -> Iterable[Said]:
    for each, text in texts:
        row, quality = each.row, int(batch.quality[each.row])
        if not is_bad(quality):
            yield Said(each.point, int(batch.time_ns[row]), int(batch.mono_ns[row]), quality, text)


def _fields(addresses: Sequence[ModbusAddress]) -> tuple[NDArray[np.uint16], NDArray[np.uint16]] | None:
    if all(address.bit is None for address in addresses):
        return None
    shifts = [address.bit or 0 for address in addresses]
    masks = [0xFFFF if address.bit is None else 2**address.bits - 1 for address in addresses]
    return np.array(shifts, np.uint16), np.array(masks, np.uint16)


def _word_places(request: ReadRequest, address: ModbusAddress) -> list[int]:
    """Which words of the reply a value lies in, least significant first."""
    words = range(address.width) if address.order.words_reversed else range(address.width - 1, -1, -1)
    return [address.offset - request.start + word for word in words]


def _low_high(order: WordOrder) -> tuple[int, int]:
    """Within a word on the wire: the place of its low and of its high byte."""
    return (0, 1) if order.bytes_swapped else (1, 0)


def _bit_places(request: ReadRequest, members: Sequence[RegisterPoint]) -> tuple[NDArray[np.intp], NDArray[np.uint8]]:
    """Byte in the reply and shift within it, for bits of the bit tables and bits out of registers alike."""
    places = [_bit_place(request, point.address) for point in members]
    return np.array([byte for byte, _ in places], np.intp), np.array([shift for _, shift in places], np.uint8)


def _bit_place(request: ReadRequest, address: ModbusAddress) -> tuple[int, int]:
    place = address.offset - request.start
    if address.bit is None:
        return divmod(place, 8)
    half, shift = divmod(address.bit, 8)
    return 2 * place + _low_high(address.order)[half], shift


def _side_place(request: ReadRequest, side: SideWord) -> tuple[SideWord, int, int]:
    place = side.offset - request.start
    return (side, *divmod(place, 8)) if side.table.holds_bits else (side, 2 * place, 0)


def _loops(members: Sequence[RegisterPoint]) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Rows that come from a current loop, the number at 4 mA, and the mA of one step."""
    rows = [(row, loop) for row, point in enumerate(members) if (loop := point.address.loop) is not None]
    at_4_ma = np.array([low for _, (low, _) in rows], np.float64)
    return (
        np.array([row for row, _ in rows], np.intp),
        at_4_ma,
        np.array([16 / (b - a) for _, (a, b) in rows], np.float64),
    )


def _decimal(found: NDArray[np.generic]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Four bits a digit; a digit above 9 makes it no number."""
    rest = found.astype(np.uint64)
    number, none = np.zeros(len(rest), np.uint64), np.zeros(len(rest), np.bool_)
    for power in range(2 * found.dtype.itemsize):
        digit = rest & np.uint64(0xF)
        none |= digit > 9
        number += digit * np.uint64(10**power)
        rest >>= np.uint64(4)
    return number, none
