"""Which decodings are plausible: what was encoded is always among them, and first where nothing else meets the expectation."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drivers.modbus.address import Coding, Table
from edge_agent.commissioning.probing.decodings import RAW_SPANS, SCALINGS, Reader, of_registers
from edge_agent.commissioning.probing.ranking import Hints, Reason, rank
from naive.modbus_registers import encode

WAYS = of_registers()
NUMBERS = [way for way in WAYS if way.coding is not Coding.STRING]
NOTHING_KNOWN = Hints()
READER = Reader(WAYS, Table.HOLDING, 4)


def judged(*replies: bytes, hints: Hints = NOTHING_KNOWN):
    return rank(WAYS, [READER.read(reply) for reply in replies], hints)


def reply(way, number, rest=b"\0" * 6) -> bytes:
    """Four registers, of which the first hold the raw ``number`` as ``way`` has it."""
    raw = int(str(number), 16) if way.coding.startswith("bcd") else number
    raw = number // 10 << 8 | number % 10 if way.coding is Coding.TENTHS16 else raw
    data = encode(way.coding.value, raw, way.order.value)
    return bytes((data + rest)[:8])


@st.composite
def encoded(draw):
    """A way, the reply that holds a number in it, and the value that is meant."""
    way = draw(st.sampled_from(NUMBERS))
    size = 16 * way.width
    if way.coding.startswith("float"):
        low = {16: 2.0**-14, 32: 2.0**-126, 64: 2.0**-1022}[size]
        number = draw(st.floats(low, 60_000, width=size, exclude_min=False)) * draw(st.sampled_from((-1, 1)))
        return way, reply(way, number, draw(st.binary(min_size=6, max_size=6))), number
    if way.coding.startswith("bcd"):
        number = draw(st.integers(0, 10 ** (size // 4) - 1))
    elif way.coding is Coding.TENTHS16:
        number = draw(st.integers(0, 2559))
    elif way.coding.startswith("u"):
        number = draw(st.integers(0, 2**size - 1))
    else:
        number = draw(st.integers(-(2 ** (size - 1)), 2 ** (size - 1) - 1))
    return way, reply(way, number, draw(st.binary(min_size=6, max_size=6))), number * way.scale + way.offset


@given(encoded(), st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_number_in_the_range_is_among_the_marked_ones_however_it_is_encoded(sample, below, above):
    way, data, value = sample
    assume(below + above > 0)
    hints = Hints(value - below - 1e-9 * abs(value), value + above + 1e-9 * abs(value))
    found = judged(data, hints=hints)
    (own,) = [each for each in found if each.decoding is way]
    assert own.plausible, (way.name, own)
    assert all(each.plausible == (Reason.IN_RANGE in each.reasons) for each in found if each.value is not None)


@given(encoded())
def test_an_expectation_that_one_decoding_alone_meets_puts_it_first(sample):
    way, data, value = sample
    hints = Hints(expected=value, tolerance=0.01 * abs(value) + 1e-9)
    found = judged(data, hints=hints)
    met = {each.decoding for each in found if each.plausible}
    assert way in met
    assert all(isinstance(each.value, float) for each in found if each.plausible)
    assert all(abs(each.value - value) <= hints.tolerance for each in found if each.plausible)
    assert {each.decoding for each in found[: len(met)]} == met
    if len(met) == 1:
        assert found[0].decoding is way


@given(encoded(), st.floats(-1e6, 1e6), st.floats(0, 1e3))
def test_nothing_is_left_out_and_whoever_is_marked_stands_before_whoever_is_not(sample, expected, tolerance):
    _, data, _ = sample
    for hints in (Hints(), Hints(0, 100), Hints(expected=expected, tolerance=tolerance)):
        found = judged(data, hints=hints)
        assert sorted(each.decoding.number for each in found) == [way.number for way in WAYS]
        marks = [each.plausible for each in found]
        assert marks == sorted(marks, reverse=True)
        assert all(each.reasons for each in found)


def test_numbers_of_decodings_stay_the_same_when_scalings_are_added():
    more = of_registers([(0.05, 0.0), SCALINGS[1], (0.1, -40.0)])
    assert more[: len(WAYS)] == WAYS
    assert [(way.scale, way.offset) for way in more[len(WAYS) :][:2]] == [(0.05, 0.0), (0.1, -40.0)]
    assert len({way.name for way in more}) == len(more)


@pytest.mark.parametrize(
    ("words", "hints", "first", "reason"),
    [
        ((0x41AC, 0, 0, 0), Hints(), "float32", Reason.FEW_DIGITS),
        ((0xCCCD, 0x41A7, 0, 0), Hints(), "float32/CDAB", Reason.FEW_DIGITS),
        ((215, 0, 7, 0), Hints(), "uint16", Reason.SMALL),
        ((0xFFF6, 0, 0, 0), Hints(-40, 85), "int16", Reason.IN_RANGE),
        ((0x4142, 0x4344, 0x4500, 0), Hints(), "string", Reason.TEXT),
        ((0x0215, 0x9999, 0, 0), Hints(expected=21.5, tolerance=0.1), "bcd16*0.1", Reason.EXPECTED),
    ],
)
def test_what_a_person_would_guess_comes_first(words, hints, first, reason):
    best = judged(struct.pack(">4H", *words), hints=hints)[0]
    assert best.decoding.name == first
    assert reason in best.reasons


def test_what_is_no_number_is_never_marked():
    found = {
        each.decoding.name: each for each in judged(struct.pack(">4H", 0x7FC0, 0, 0xABCD, 1), hints=Hints(-1e9, 1e9))
    }
    assert Reason.NO_NUMBER in found["float32"].reasons
    assert Reason.NO_DIGITS in found["bcd16"].reasons
    tiny = {each.decoding.name: each for each in judged(struct.pack(">4H", 0, 5, 0, 0), hints=Hints(0, 100))}
    assert Reason.DENORMAL in tiny["float32"].reasons
    assert not any(each.plausible for each in (found["float32"], found["bcd16"], tiny["float32"]))


@given(st.floats(10, 90, width=32))
def test_a_value_that_changes_a_little_is_smooth_in_its_own_order_only(value):
    later = struct.unpack(">f", struct.pack(">f", value * 1.001))[0]
    assume(later != value)
    found = {
        each.decoding.name: each
        for each in judged(
            *(struct.pack(">f", each)[2:] + struct.pack(">f", each)[:2] + bytes(4) for each in (value, later))
        )
    }
    own = found["float32/CDAB"]
    assert Reason.SMOOTH in own.reasons
    assert math.isclose(float(own.value or 0), later)


@given(
    st.sampled_from(RAW_SPANS),
    st.floats(-1e4, 1e4).map(lambda number: round(number, 3)),
    st.floats(0.01, 1e5).map(lambda number: round(number, 3)),
    st.floats(0.1, 0.9),
)
def test_the_raw_number_of_an_analog_input_is_scaled_to_the_range_of_its_instrument(card, low, width, share):
    coding, first, last = card
    high = low + width
    raw = round(first + share * (last - first))
    ways = of_registers(measured=(low, high))
    assert ways[: len(WAYS)] == WAYS, "numbers of the others stay the same"
    assert len({way.name for way in ways}) == len(ways)
    meant = low + (raw - first) / (last - first) * width
    hints = Hints(low, high, meant, 0.001 * width)
    found = rank(ways, [Reader(ways, Table.HOLDING, 4).read(struct.pack(">H", raw) + bytes(6))], hints)
    (own,) = [each for each in found if (each.decoding.coding, each.decoding.span) == (coding, (first, last))]
    assert own.plausible
    assert math.isclose(float(own.value or 0), meant, abs_tol=2e-6 * width)
    cells = own.decoding.cells()
    assert math.isclose(
        raw * float(cells["scale"] or 1) + float(cells["offset"] or 0), float(own.value or 0), abs_tol=1e-6
    )


def test_a_raw_span_stands_behind_what_needs_none():
    ways = of_registers(measured=(0.0, 100.0))
    found = rank(ways, [Reader(ways, Table.HOLDING, 4).read(struct.pack(">4H", 415, 0, 0, 0))], Hints(0, 100))
    marked = [each.decoding.name for each in found if each.plausible]
    assert marked.index("uint16*0.1") < marked.index("uint16:0..4095")
