"""What engineers type for a device and a place in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.modbus.address import Table
from drivers.modbus.settings import Transport
from edge_agent.commissioning.probing.place import Place, PlaceError, read_device, read_place


@pytest.mark.parametrize(
    ("text", "endpoint", "unit", "transport", "place"),
    [
        ("tcp://10.0.0.9", "10.0.0.9:502", 1, Transport.TCP, None),
        ("tcp://10.0.0.9:1502/7", "10.0.0.9:1502", 7, Transport.TCP, None),
        ("tcp://10.0.0.9:502/1/holding:40", "10.0.0.9:502", 1, Transport.TCP, "holding:40"),
        ("tcp://plc/40041", "plc:502", 1, Transport.TCP, "40041"),
        ("10.0.0.9", "10.0.0.9:502", 1, Transport.TCP, None),
        ("tcp://[fe80::1]/3", "[fe80::1]:502", 3, Transport.TCP, None),
        ("rtu+tcp://conv:4001/5/input:0", "conv:4001", 5, Transport.RTU_OVER_TCP, "input:0"),
        ("rtu:///dev/ttyS1?baudrate=9600&unit=7", "/dev/ttyS1", 7, Transport.RTU, None),
        ("rtu:///dev/pts/3/coil:12", "/dev/pts/3", 1, Transport.RTU, "coil:12"),
        ("/dev/ttyS1", "/dev/ttyS1", 1, Transport.RTU, None),
    ],
)
def test_a_device_is_named_as_people_guess(text, endpoint, unit, transport, place):
    settings, rest = read_device(text, {})
    assert (settings.endpoint, settings.unit, settings.transport, rest) == (endpoint, unit, transport, place)


def test_options_win_over_the_url():
    settings, _ = read_device("rtu:///dev/ttyS1?baudrate=9600&parity=odd", {"baudrate": 19200, "unit": 4})
    assert (settings.baudrate, settings.parity, settings.unit) == (19200, "odd", 4)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("udp://10.0.0.9", "rtu+tcp"),
        ("tcp://10.0.0.9?boudrate=9600", "baudrate"),
        ("tcp://10.0.0.9/1/tank", "table:offset"),
        ("tcp://10.0.0.9:99999", "tcp://10.0.0.9:502/1"),
        ("tcp://10.0.0.9?timeout_s=fast", "tcp://"),
        ("rtu:///dev/ttyS1?unit=0", "1 to 247"),
        ("tls://10.0.0.9", "tcp://"),
        ("", "tcp://"),
    ],
)
def test_what_is_not_understood_says_what_to_type(text, remedy):
    with pytest.raises(PlaceError) as caught:
        read_device(text, {})
    assert remedy in caught.value.remedy


@given(st.sampled_from(list(Table)), st.integers(0, 65_535))
def test_a_place_is_found_again_by_its_own_name_and_by_the_number_of_the_manual(table, offset):
    place = Place(table, offset)
    assert read_place(str(place))[0] == place
    found, note = read_place(place.printed)
    assert found == place
    assert note is not None
    assert str(place) in note


@pytest.mark.parametrize("text", ["40", "holding:65536", "coil:1.2", "input:3.16", "hold:1", "40000", "465537", "21.5"])
def test_what_is_no_place_is_refused(text):
    with pytest.raises(PlaceError):
        read_place(text)


def test_an_offset_that_looks_like_a_manuals_number_is_taken_and_explained():
    place, note = read_place("holding:40041")
    assert place == Place(Table.HOLDING, 40_041)
    assert note is not None
    assert "try holding:40" in note


@given(st.text(max_size=40))
def test_whatever_is_typed_there_is_a_place_or_a_remedy(text):
    for read in (read_place, lambda each: read_device(each, {})):
        try:
            read(text)
        except PlaceError as error:
            assert error.remedy
