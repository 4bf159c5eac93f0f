"""Integers as planes of bits or bytes, and a bounded way through zstd.

A telemetry chunk is columns of small integers. Cut to the width they need and laid out plane by plane (all low bytes,
then all second bytes), each plane has a distribution of its own, and a zstd frame of its own gives it a Huffman table
of its own. ``chunk`` and its parts call this in both directions. Nothing here trusts a size that the bytes claim: the
reader always says how many bytes it expects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any, Final

import numpy as np
import zstandard
from numpy.typing import NDArray

from contract.errors import FrameError

WIDTHS_BITS: Final = (0, 1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64)
"""Width of an integer by its width code. Under a byte several integers share one, lowest bits first; a byte or wider
is that many planes of bytes, lowest first. Fixed for ever: codes travel."""
CODE_OF_BYTE: Final = WIDTHS_BITS.index(8)

_PEAKS: Final = np.array([(1 << width) - 1 for width in WIDTHS_BITS], np.uint64)
_WORTH_SQUEEZING_BYTES: Final = 24
_WINDOW_BYTES_MAX: Final = 1 << 25
# Noise repeats short patterns by chance, and a match that spans few bytes costs more than the literals it replaces.
_PARAMETERS: Final = zstandard.ZstdCompressionParameters.from_level(3, min_match=7, write_checksum=False)


Signed = NDArray[np.signedinteger[Any]]
Unsigned = NDArray[np.unsignedinteger[Any]]


def zigzag(signed: Signed) -> Unsigned:
    """0, -1, 1, -2, ... become 0, 1, 2, 3, ...: small numbers of either sign need few bits. The width of the type stays,
    and every value of it has its place."""
    bits = signed.dtype.itemsize * 8
    folded = signed + signed
    folded ^= signed >> signed.dtype.type(bits - 1)
    return folded.view(f"u{signed.dtype.itemsize}")


def unzigzag(folded: Unsigned) -> Signed:
    one = folded.dtype.type(1)
    signed: Signed = (folded >> one).view(f"i{folded.dtype.itemsize}")
    signed ^= -(folded & one).view(signed.dtype)
    return signed


def width_codes(peaks: Unsigned) -> NDArray[np.uint8]:
    """For each peak the code of the narrowest width that holds it."""
    return np.searchsorted(_PEAKS, peaks.astype(np.uint64)).astype(np.uint8)


def peak_code(numbers: Unsigned) -> int:
    """Code of the narrowest width that holds all of them."""
    return int(np.searchsorted(_PEAKS, np.uint64(numbers.max(initial=0))))


def plane_sizes(code: int, count: int) -> list[int]:
    """Bytes of each plane of ``count`` integers; no plane where the width is 0 or there is nothing."""
    width = WIDTHS_BITS[code]
    if width == 0 or count == 0:
        return []
    return [count] * (width // 8) if width >= 8 else [(count * width + 7) // 8]


def container(code: int) -> np.dtype[np.unsignedinteger[Any]]:
    """The narrowest type that holds the width."""
    octets = -(-WIDTHS_BITS[code] // 8)
    return np.dtype(f"<u{1 << max(octets - 1, 0).bit_length()}")


def to_planes(numbers: Unsigned, code: int) -> list[bytes]:
    width = WIDTHS_BITS[code]
    if width == 0 or not len(numbers):
        return []
    if width < 8:
        return [_pack_bits(numbers.astype(np.uint8), width)]
    octets = numbers.astype(container(code)).view(np.uint8).reshape(len(numbers), -1)
    return [octets[:, plane].tobytes() for plane in range(width // 8)]


def from_planes(planes: Sequence[bytes], code: int, count: int) -> Unsigned:
    """``count`` numbers of type ``container(code)``. ``planes`` have the sizes that ``plane_sizes`` gives."""
    width, type_ = WIDTHS_BITS[code], container(code)
    if width == 0 or count == 0:
        return np.zeros(count, type_)
    if width < 8:
        return _unpack_bits(planes[0], width)[:count]
    octets = np.zeros((count, type_.itemsize), np.uint8)
    for place, plane in enumerate(planes):
        octets[:, place] = np.frombuffer(plane, np.uint8)
    return octets.view(type_).reshape(count)


def _pack_bits(numbers: NDArray[np.uint8], width: int) -> bytes:
    per_byte = 8 // width
    slots = np.zeros(-(-len(numbers) // per_byte) * per_byte, np.uint8)
    slots[: len(numbers)] = numbers
    packed = slots[::per_byte].copy()
    for slot in range(1, per_byte):
        packed |= slots[slot::per_byte] << np.uint8(slot * width)
    return packed.tobytes()


def _unpack_bits(packed: bytes, width: int) -> NDArray[np.uint8]:
    per_byte = 8 // width
    octets = np.frombuffer(packed, np.uint8)
    numbers = np.empty(len(octets) * per_byte, np.uint8)
    for slot in range(per_byte):
        numbers[slot::per_byte] = (octets >> np.uint8(slot * width)) & np.uint8((1 << width) - 1)
    return numbers


class Squeezer:
    """Compresses planes. Makes zstd's tables once; one per thread."""

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdCompressor(compression_params=_PARAMETERS)

    def squeeze(self, plain: bytes) -> bytes:
        """A zstd frame, or the bytes as they are where that is no longer."""
        if len(plain) < _WORTH_SQUEEZING_BYTES:
            return plain
        frame = self._zstd.compress(plain)
        return frame if len(frame) < len(plain) else plain


class Expander:
    """Hands out the streams of one chunk in order, each expanded to exactly the size its reader expects."""

    def __init__(self, streams: Sequence[bytes]) -> None:
        self._streams: Iterator[bytes] = iter(streams)
        self._zstd = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES_MAX)

    def planes(self, code: int, count: int, field: str) -> Unsigned:
        """The next column of ``count`` integers."""
        return from_planes([self._next(size, field) for size in plane_sizes(code, count)], code, count)

    def finish(self) -> None:
        if next(self._streams, None) is not None:
            raise FrameError("streams", "more of them than the columns need")

    def _next(self, size: int, field: str) -> bytes:
        stream = next(self._streams, None)
        if stream is None:
            raise FrameError("streams", f"none is left for {field}")
        return self.expand(stream, size, field)

    def expand(self, stream: bytes, size: int, field: str) -> bytes:
        """``size`` bytes. zstd allocates what a frame's header claims, so the header is held to ``size`` first."""
        if len(stream) == size:
            return stream
        try:
            header = zstandard.get_frame_parameters(stream)
            if header.content_size != size or header.dict_id:
                raise FrameError(field, f"a frame of {header.content_size} bytes stands where {size} are due")
            return self._zstd.decompress(stream, allow_extra_data=False)
        except zstandard.ZstdError as error:
            raise FrameError(field, f"no zstd frame: {error}") from error


def pack_columns(columns: Sequence[NDArray[np.int64]]) -> tuple[bytes, bytes]:
    """(a width code per column, the planes of all columns one after another)."""
    codes = bytearray()
    planes: list[bytes] = []
    for column in columns:
        folded = zigzag(column)
        code = peak_code(folded)
        codes.append(code)
        planes += to_planes(folded, code)
    return bytes(codes), b"".join(planes)


def packed_size(codes: bytes, counts: Sequence[int]) -> int:
    return sum(sum(plane_sizes(code, count)) for code, count in zip(codes, counts, strict=True))


def unpack_columns(codes: bytes, payload: bytes, counts: Sequence[int]) -> list[NDArray[np.int64]]:
    """The columns again. ``payload`` has ``packed_size`` bytes."""
    columns = []
    at = 0
    for code, count in zip(codes, counts, strict=True):
        edges = list(accumulate(plane_sizes(code, count), initial=at))
        planes = [payload[start:stop] for start, stop in pairwise(edges)]
        columns.append(unzigzag(from_planes(planes, code, count)).astype(np.int64))
        at = edges[-1]
    return columns
