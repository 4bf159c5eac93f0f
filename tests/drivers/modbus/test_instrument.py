"""Status words and current loops: what an instrument says of its value is what its quality says."""

from __future__ import annotations

import asyncio
import random
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contract.points import PointType
from contract.quality import Quality, is_bad, is_uncertain
from drivers.modbus.instrument import Meaning, StatusWord, ne43, worse

GOOD, CONFIG, BROKEN = Quality.GOOD, Quality.BAD_CONFIG, Quality.BAD_SENSOR_FAILURE
UNCERTAIN = Quality.UNCERTAIN
DEVICE = 1
REGARD = {"bits": {"3": "fault", "4": "fault", "5": "maintenance", "6": "under_range", "7": "over_range"}}
TOUCHPOINT = {"values": {"7": "fault", "8": "inhibit", "11-65535": "no_data"}}

words = st.integers(0, 65_535)
meanings = st.sampled_from(Meaning)


@given(st.dictionaries(st.integers(0, 15), meanings, max_size=6), st.lists(words, max_size=20))
def test_of_several_bits_the_gravest_holds(bits, seen):
    table = StatusWord.model_validate({"bits": bits}).table()
    gravity = list(Meaning)
    for word in [*seen, *(1 << bit for bit in bits)]:
        said = [meaning for bit, meaning in bits.items() if word >> bit & 1]
        expected = min(said, key=gravity.index).quality if said else GOOD
        assert table[word] == expected


@given(st.lists(st.tuples(words, words, meanings), max_size=5), st.integers(1, 65_535), words)
def test_values_are_looked_up_behind_the_mask(ranges, mask, word):
    values = {f"{min(a, b)}-{max(a, b)}": meaning for a, b, meaning in ranges}
    table = StatusWord.model_validate({"values": values, "mask": mask}).table()
    said = [m for text, m in values.items() if int(text.split("-")[0]) <= word & mask <= int(text.split("-")[1])]
    expected = min(said, key=list(Meaning).index).quality if said else GOOD
    assert table[word] == expected


@pytest.mark.parametrize(
    "bad",
    [
        {"bits": {"16": "fault"}}, {"bits": {"-1": "fault"}}, {"bits": {"3": "broken"}}, {"values": {"9-7": "fault"}},
        {"values": {"65536": "fault"}}, {"values": {">=9": "fault"}}, {"mask": 0}, {"mask": 65_536}, {"bit": {}},
    ],
)  # fmt: skip
def test_a_meaning_that_makes_no_sense_is_refused(bad):
    with pytest.raises(ValidationError):
        StatusWord.model_validate(bad)


@pytest.mark.parametrize(
    ("current_ma", "quality"),
    [
        (-1.0, BROKEN), (0.0, BROKEN), (3.6, BROKEN), (3.61, UNCERTAIN), (3.79, UNCERTAIN), (3.8, GOOD), (4.0, GOOD),
        (20.0, GOOD), (20.5, GOOD), (20.51, UNCERTAIN), (20.99, UNCERTAIN), (21.0, BROKEN), (99.0, BROKEN),
    ],
)  # fmt: skip
def test_the_bands_of_ne_43(current_ma, quality):
    assert ne43(np.array([current_ma])).tolist() == [quality]


qualities = st.lists(st.sampled_from(Quality), min_size=5, max_size=5).map(lambda each: np.array(each, np.uint8))


@given(qualities, qualities)
def test_the_worse_of_two_is_never_better_than_either(one, other):
    for mine, theirs, result in zip(one, other, worse(one, other), strict=True):
        assert result in (mine, theirs)
        assert is_bad(result) == (is_bad(mine) or is_bad(theirs))
        assert is_bad(result) or is_uncertain(result) == (is_uncertain(mine) or is_uncertain(theirs))


# -- over the wire -------------------------------------------------------------------------------------------------------


def run(new_device, registers, scenario):
    async def whole():
        async with new_device() as device:
            device.registers |= registers
            return await scenario(device)

    return asyncio.run(whole())


def test_a_level_in_thousandths_of_a_range_with_a_status_word(new_device, new_driver, new_point, turns):
    """Dräger REGARD 3900: level in 1, range in 2, status in 5."""
    point = new_point(2, "input:1;code=uint16;factor=2*0.001;status=regard@5", PointType.FLOAT64)
    states = [0, 0x08, 0x20, 0x80, 0x28]

    async def scenario(device):
        async def between(turn):
            device.registers[5] = states[turn]

        driver = new_driver(device.port, point, status={"regard": REGARD})
        assert driver.check() == []
        return await turns(driver, len(states), between), device.requests

    seen, requests = run(new_device, {1: 500, 2: 100}, scenario)
    assert [turn[2] for turn in seen] == [
        (50.0, GOOD),
        (50.0, BROKEN),
        (50.0, Quality.UNCERTAIN_MAINTENANCE),
        (50.0, Quality.UNCERTAIN_OUT_OF_RANGE),
        (50.0, BROKEN),
    ]
    assert set(requests) == {(4, 1, 5)}, "value, range and status by one request"


def test_states_far_from_their_values_are_read_first(new_device, new_driver, new_point, turns):
    """Honeywell Touchpoint: values from 0 on, states from 640 on."""
    points = [new_point(2 + i, f"input:{i};status=touchpoint@{640 + i}", PointType.INT16, scale=0.1) for i in range(3)]

    async def scenario(device):
        driver = new_driver(device.port, *points, status={"touchpoint": TOUCHPOINT})
        return await turns(driver, 2), device.requests

    seen, requests = run(new_device, {0: 10, 1: 20, 2: 65_535, 640: 0, 641: 8, 642: 12}, scenario)
    assert requests[:2] == [(4, 640, 3), (4, 0, 3)]
    for turn in seen:
        assert [turn[i][1] for i in (2, 3, 4)] == [GOOD, Quality.UNCERTAIN_MAINTENANCE, Quality.BAD]
        assert [round(turn[i][0], 6) for i in (2, 3, 4)] == [1.0, 2.0, -0.1]


def test_a_state_that_is_refused_leaves_its_value_uncertain_and_a_scale_that_is_makes_it_bad(
    new_device, new_driver, new_point, turns
):
    points = [
        new_point(2, "input:1;status=regard@40"),
        new_point(3, "input:2;code=uint16;decimals=40", PointType.FLOAT64),
        new_point(4, "input:3"),
    ]

    async def scenario(device):
        device.refusals[40] = 2
        return await turns(new_driver(device.port, *points, max_gap=2, status={"regard": REGARD}), 3)

    for turn in run(new_device, {}, scenario):
        assert turn[2] == (1.0, UNCERTAIN)
        assert turn[3][1] == BROKEN
        assert turn[4] == (3.0, GOOD)


@pytest.mark.parametrize(("decimals", "value", "quality"), [(0, 1234.0, GOOD), (2, 12.34, GOOD), (10, None, BROKEN)])
def test_a_register_of_decimals(decimals, value, quality, new_device, new_driver, new_point, turns):
    point = new_point(2, "holding:8;code=uint16;decimals=holding:9", PointType.FLOAT64)

    async def scenario(device):
        return await turns(new_driver(device.port, point), 1)

    (seen,) = run(new_device, {8: 1234, 9: decimals}, scenario)
    assert seen[2][1] == quality
    assert value is None or seen[2][0] == pytest.approx(value)


def test_a_current_loop_behind_a_coupler(new_device, new_driver, new_point, turns):
    """WAGO 750: 27648 at 20 mA and 0 at 0 mA, scaled to 0 to 100 %LEL; 32767 when the wire breaks."""
    at_4_ma = 27_648 / 5
    point = new_point(
        2, f"input:0;ne43={at_4_ma}..27648", PointType.INT16, scale=100 / (27_648 - at_4_ma), offset=-25.0
    )
    counts = [16_589, 27_648, 5_000, 4_900, 28_500, 32_767]

    async def scenario(device):
        async def between(turn):
            device.registers[0] = counts[turn]

        return await turns(new_driver(device.port, point), len(counts), between)

    seen = run(new_device, {}, scenario)
    assert [turn[2][1] for turn in seen] == [GOOD, GOOD, UNCERTAIN, BROKEN, UNCERTAIN, BROKEN]
    assert seen[0][2][0] == pytest.approx(50, abs=0.01)
    assert seen[1][2][0] == pytest.approx(100, abs=0.01)


def test_a_register_whose_coding_depends_on_the_number_asked_for(new_device, new_driver, new_point, turns):
    """An SF6/O2 detector: by a request for two registers oxygen is 0x1409, by one for four it would be 0x00D1."""
    points = [
        new_point(2, "holding:0@0+2"),
        new_point(3, "holding:1@0+2;code=tenths16", scale=0.1),
        new_point(4, "holding:2"),
        new_point(5, "holding:3"),
    ]

    async def scenario(device):
        return await turns(new_driver(device.port, *points), 1), device.requests

    (seen,), requests = run(new_device, {0: 3048, 1: 0x1409}, scenario)
    assert requests == [(3, 0, 2), (3, 2, 2)]
    assert seen[2] == (3048.0, GOOD)
    assert seen[3] == (pytest.approx(20.9), GOOD)


def test_decimal_digits_of_an_analyser(new_device, new_driver, new_point, turns):
    """20.9 as hex digits 0x0209; a digit above 9 is none."""
    points = [new_point(2, "holding:0;code=bcd16", scale=0.1), new_point(3, "holding:1;code=bcd16", scale=0.1)]

    async def scenario(device):
        return await turns(new_driver(device.port, *points), 1)

    (seen,) = run(new_device, {0: 0x0209, 1: 0x020A}, scenario)
    assert seen[2] == (pytest.approx(20.9), GOOD)
    assert seen[3][1] == BROKEN


def test_half_floats_and_fields_of_bits(new_device, new_driver, new_point, turns):
    (half,) = struct.unpack(">H", struct.pack(">e", 20.90625))
    points = [new_point(2, "input:0;code=float16", PointType.FLOAT32), new_point(3, "input:1.4-7")]

    async def scenario(device):
        return await turns(new_driver(device.port, *points), 1)

    (seen,) = run(new_device, {0: half, 1: 0xABCD}, scenario)
    assert (seen[2], seen[3]) == ((20.90625, GOOD), (12.0, GOOD))


def test_a_status_word_without_a_meaning_is_a_fault(new_driver, new_point):
    (fault,) = new_driver(9, new_point(2, "input:1;status=regard@5")).check()
    assert (fault.column, "[device.status.regard]" in fault.remedy) == ("status", True)


@pytest.mark.parametrize("seed", range(3))
def test_a_value_is_good_only_where_its_instrument_says_so(seed, new_device, new_driver, new_point, turns):
    rng = random.Random(seed)
    points = [new_point(2 + i, f"input:{i};status=regard@{rng.randrange(20, 40)}") for i in range(12)]
    registers = {offset: rng.choice([0, 0, 1, 8, 32, 255]) for offset in range(20, 40)}

    async def scenario(device):
        return await turns(new_driver(device.port, *points, status={"regard": REGARD}), 1)

    (seen,) = run(new_device, registers, scenario)
    for point in points:
        word = registers[int(point.address.split("@")[1])]
        assert (seen[point.id][1] == GOOD) == (word & 0xF8 == 0), f"seed {seed}"


def test_a_status_word_that_timed_out_is_asked_before_its_values_again_and_holds_up_no_others(
    new_device, new_driver, new_point, turns
):
    points = [
        new_point(2, "holding:10;status=regard@500"),
        new_point(3, "holding:900"),
        new_point(4, "holding:20;status=regard@500"),
    ]

    async def scenario(device):
        async def between(turn):
            device.mute = {500} if turn in (1, 2, 3) else set()

        driver = new_driver(device.port, *points, status={"regard": REGARD}, max_gap=0, timeout_s=0.2)
        return await turns(driver, 12, between)

    seen = run(new_device, {500: 0}, scenario)
    assert [seen[0][point] for point in (2, 3, 4)] == [(10.0, GOOD), (900.0, GOOD), (20.0, GOOD)]
    assert all(seen[turn][2][1] != GOOD for turn in (1, 2, 3))
    assert GOOD in [seen[turn][3][1] for turn in (2, 3)]
    assert [seen[11][point] for point in (2, 3, 4)] == [(10.0, GOOD), (900.0, GOOD), (20.0, GOOD)]


def test_a_register_about_all_values_comes_before_status_words(new_device, new_driver, new_point, turns):
    """A request that brings a status word has values of its own, which the constant must have proved before."""
    points = [new_point(2, "holding:10;status=regard@11"), new_point(3, "holding:700;status=regard@11")]

    async def scenario(device):
        constant = {"register": "input:5", "value": 5}
        driver = new_driver(device.port, *points, status={"regard": REGARD}, constant=constant, max_gap=0)
        return await turns(driver, 2)

    for turn in run(new_device, {11: 0}, scenario):
        assert (turn[2], turn[3]) == ((10.0, GOOD), (700.0, GOOD))
