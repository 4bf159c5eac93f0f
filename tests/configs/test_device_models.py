"""The device models that come with the program, each held against its manual's examples over a real socket."""

from __future__ import annotations

import re
from typing import Any

import pytest

from contract.points import PointRole
from contract.quality import Quality
from edge_agent.settings.models.library import find
from edge_agent.settings.preview import check_report

GOOD, FAULT, UNCERTAIN = Quality.GOOD, Quality.BAD_SENSOR_FAILURE, Quality.UNCERTAIN
NAMES = (
    "draeger_regard_3900", "honeywell_touchpoint_pro", "jinan_sf6_o2", "msa_ultima_x", "rosemount_3095fb", "wago_750_4fai",
)  # fmt: skip


def models() -> Any:
    faults: list[Any] = []
    found = find(None, None, faults)
    assert faults == []
    return found


def accept(model: str, item: str, choice: str) -> str:
    return f'[[accepted]]\nmodel = "{model}"\nitem = "{item}"\nchoice = "{choice}"\nby = "li"\nat = "2026-01-02T03:04:05Z"\n'


def test_six_instruments_are_described():
    assert tuple(models()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_model_loads_with_all_it_has_and_tells_its_source(site, name):
    model = models()[name]
    assert model.source
    extras = ", ".join(f'"{each}"' for each in model.extras)
    place = 'transport = "tcp"\nhost = "127.0.0.1"'
    site.write(f'[[device]]\nname = "d"\nmodel = "{name}"\nsource = "tank"\n{place}\nextras = [{extras}]\n')
    config = site.load()
    assert len(config.points) > len(model.points) - sum(1 for each in model.points if each.repeated_by)
    measured = [point for point in config.points if point.role is PointRole.MEASUREMENT]
    assert all(point.description for point in measured)
    assert not [line for line in check_report(config) if line.startswith("LOOK: d:")]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_at_the_device_is_no_point_and_only_reading_functions_are_allowed(site, name):
    model = models()[name]
    extras = ", ".join(f'"{each}"' for each in model.extras)
    site.write(
        f'[[device]]\nname = "d"\nmodel = "{name}"\nsource = "t"\ntransport = "tcp"\nhost = "h"\nextras = [{extras}]\n'
    )
    config = site.load()
    places = {re.split(r"[./@;]", point.address)[0] for point in config.points}
    assert not places & {each.register_ for each in model.written}
    assert set(config.devices[0].settings.functions) <= {1, 2, 3, 4}


def test_regard_multiplies_a_level_by_its_range(site, instrument):
    instrument.put(4, 1, *[0] * 241)
    for channel, (level, full) in {1: (500, 100), 16: (250, 3000)}.items():
        instrument.put(4, 15 * channel - 14, level, full, 1, 1, 0x0101)
    instrument.put(4, 241, 0)
    seen = site.read(instrument, "draeger_regard_3900", '[device.parameters]\nchannel = "1,16"')
    assert seen == {"CH1": (50.0, GOOD), "CH16": (750.0, GOOD), "COM": (0.0, GOOD)}


def test_regard_knows_the_states_of_all_sixteen_channels_in_their_turn(site, instrument):
    instrument.put(4, 1, *[0] * 241)
    for channel in range(1, 17):
        instrument.put(4, 15 * channel - 14, 10 * channel, 100, 1, 1, 0)
    instrument.put(4, 241, 0)
    seen = site.read(instrument, "draeger_regard_3900")
    assert {seen[f"CH{channel}"] for channel in range(1, 17)} == {(float(channel), GOOD) for channel in range(1, 17)}


@pytest.mark.parametrize(
    ("status", "quality"),
    [(0x08, FAULT), (0x10, FAULT), (0x20, Quality.UNCERTAIN_MAINTENANCE), (0x40, Quality.UNCERTAIN_OUT_OF_RANGE),
     (0x80, Quality.UNCERTAIN_OUT_OF_RANGE), (0x07, GOOD)],
)  # fmt: skip
def test_regard_judges_a_level_by_its_status(site, instrument, status, quality):
    instrument.put(4, 1, 10, 1000, 1, 0, status << 8 | status)
    instrument.put(4, 241, 0)
    seen = site.read(instrument, "draeger_regard_3900", "[device.parameters]\nchannel = 1")
    assert seen["CH1"] == (10.0, quality)


def test_regard_tells_gas_range_and_states_beside_the_level(site, instrument):
    instrument.put(4, 1, 10, 1000, 5, 2, 0x0303)
    instrument.put(3, 6, 0x4E48, 0x3300, 0, 0, 0x7070, 0x6D00, 0, 0)  # NH3, ppm
    instrument.put(4, 241, 0)
    keys = 'extras = ["status", "display", "texts"]\n[device.parameters]\nchannel = 1'
    seen = site.read(instrument, "draeger_regard_3900", keys)
    assert {name: value for name, (value, _) in seen.items()} == {
        "CH1": 10.0, "COM": 0.0, "CH1.status": 3.0, "CH1.range": 1000.0, "CH1.resolution": 5.0, "CH1.decimals": 2.0,
        "CH1.gas": 3.0, "CH1.unit": 3.0,
    }  # fmt: skip


def test_regard_believes_nothing_while_the_gateway_has_lost_the_controller(site, instrument):
    instrument.put(4, 1, 10, 1000, 1, 0, 0)
    instrument.put(4, 241, 1)
    seen = site.read(instrument, "draeger_regard_3900", "[device.parameters]\nchannel = 1")
    assert seen["CH1"][1] >= Quality.BAD


def test_touchpoint_gives_a_channel_as_integer_state_and_bits(site, instrument):
    instrument.put(4, 0, *[0] * 128)
    instrument.put(4, 0, 255, 65_286)
    instrument.put(4, 64, 0, 4)
    instrument.put(2, 0, *[0] * 16, *[0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    keys = 'extras = ["states", "bits"]\n[device.parameters]\nchannel = "1-2"'
    seen = site.read(instrument, "honeywell_touchpoint_pro", keys)
    assert seen["CH1"] == (pytest.approx(25.5), GOOD)
    assert seen["CH2"] == (pytest.approx(-25.0), GOOD)
    assert [name for name, (value, _) in sorted(seen.items()) if value == 1.0] == ["CH2.A1"]
    assert (seen["CH1.state"], seen["CH2.state"]) == ((0.0, GOOD), (4.0, GOOD))


@pytest.mark.parametrize(
    ("state", "quality"), [(6, GOOD), (7, FAULT), (8, Quality.UNCERTAIN_MAINTENANCE), (11, Quality.BAD)]
)
def test_touchpoint_judges_a_channel_by_its_state(site, instrument, state, quality):
    instrument.put(4, 0, *[0] * 128)
    instrument.put(4, 2, 100)
    instrument.put(4, 66, state)
    seen = site.read(instrument, "honeywell_touchpoint_pro", "[device.parameters]\nchannel = 3\nfull_scale = 500")
    assert seen["CH3"] == (50.0, quality)


def test_touchpoint_knows_the_state_of_a_channel_before_its_value_whichever_are_used(site, instrument):
    instrument.put(4, 0, *[0] * 128)
    seen = site.read(instrument, "honeywell_touchpoint_pro", '[device.parameters]\nchannel = "1,64"')
    assert seen == {"CH1": (0.0, GOOD), "CH64": (0.0, GOOD)}


def test_touchpoint_asks_for_at_most_512_bits(site, instrument):
    instrument.put(2, 0, *[0] * 1040)
    instrument.put(4, 0, *[0] * 128)
    seen = site.read(instrument, "honeywell_touchpoint_pro", 'extras = ["bits", "summary"]')
    assert {quality for _, quality in seen.values()} == {GOOD}, "states of all channels come before their values"
    assert max(count for function, _, count in instrument.requests if function == 2) <= 512


def test_touchpoint_floats_are_uncertain_until_their_order_is_accepted(site, instrument):
    instrument.put(4, 0, *[0] * 128)
    instrument.put(4, 128, 0x8000, 0x42C8)  # 100.25, words swapped
    keys = 'extras = ["floats"]\n[device.parameters]\nchannel = 1'
    before = site.read(instrument, "honeywell_touchpoint_pro", keys)
    assert before["CH1.value"][1] == UNCERTAIN
    assert before["CH1"] == (0.0, GOOD)
    accepted = accept("honeywell_touchpoint_pro", "float_order", "CDAB")
    after = site.read(instrument, "honeywell_touchpoint_pro", keys, accepted)
    assert after["CH1.value"] == (100.25, GOOD)


@pytest.mark.parametrize(("base", "choice", "first"), [(40_000, "wire", 40_000), (42_000, "wire", 42_000), (40_000, "from_40001", -1)])  # fmt: skip
def test_ultima_moves_with_its_base_and_is_uncertain_until_somebody_knows_how_it_counts(
    site, instrument, base, choice, first
):
    instrument.put(3, first + 201, *[0] * 40)
    for sensor, level in {1: 12.5, 3: 40.0}.items():
        instrument.put_float(3, first + 205 + 2 * sensor, level)
    keys = f'[device.parameters]\nbase = {base}\nsensor = "1,3"'
    after = site.read(instrument, "msa_ultima_x", keys, accept("msa_ultima_x", "notation", choice))
    assert (after["S1"], after["S3"]) == ((12.5, GOOD), (40.0, GOOD))
    if choice == "wire":
        before = site.read(instrument, "msa_ultima_x", keys)
        assert (before["S1"], before["S3"]) == ((12.5, UNCERTAIN), (40.0, UNCERTAIN))


@pytest.mark.parametrize(
    ("status", "first", "second"),
    [(0x01, FAULT, FAULT), (0x02, Quality.UNCERTAIN_CALIBRATION, GOOD), (0x04, GOOD, Quality.UNCERTAIN_CALIBRATION),
     (0x10, Quality.BAD, Quality.BAD), (0xE0, GOOD, GOOD)],
)  # fmt: skip
@pytest.mark.parametrize("proven", [True, False])
def test_ultima_says_of_each_sensor_what_it_is_doing(site, instrument, status, first, second, proven):
    instrument.put(3, 40_201, status, *[0] * 40)
    accepted = accept("msa_ultima_x", "notation", "wire") if proven else ""
    seen = site.read(instrument, "msa_ultima_x", '[device.parameters]\nsensor = "1-2"', accepted)
    expected = [each if proven or each is not GOOD else UNCERTAIN for each in (first, second)]
    assert [seen["S1"][1], seen["S2"][1]] == expected, "doubt never hides what is worse, and never makes it better"


def test_ultimas_other_registers_are_extras(site, instrument):
    instrument.put(3, 40_201, *[0] * 40)
    instrument.put(3, 40_204, 7)
    instrument.put(3, 40_213, 2)
    instrument.put(3, 40_217, 65_531)
    for offset, value in {207: 1.0, 220: 0.5, 226: 3.0, 232: 1.5}.items():
        instrument.put_float(3, 40_000 + offset, value)
    keys = 'extras = ["temperature", "statistics", "codes"]'
    seen = site.read(instrument, "msa_ultima_x", keys, accept("msa_ultima_x", "notation", "wire"))
    assert {name: value for name, (value, _) in seen.items()} == {
        "S1": 1.0, "STATUS": 0.0, "FAULT": 0.0, "S1.temperature": -5.0, "S1.min": 0.5, "S1.max": 3.0, "S1.avg": 1.5,
        "S1.gas": 7.0, "S1.unit": 2.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "value", "quality"),
    [(0, 0.0, GOOD), (13_824, 10.0, GOOD), (27_648, 20.0, GOOD), (30_000, 21.701389, Quality.UNCERTAIN_OUT_OF_RANGE),
     (32_767, 23.703, FAULT), (32_600, 23.582, UNCERTAIN), (65_000, -0.38773, UNCERTAIN)],
)  # fmt: skip
def test_wago_counts_currents_as_s7_does(site, instrument, raw, value, quality):
    instrument.put(3, 8194, 0x1234)
    instrument.put(4, 0, raw)
    assert site.read(instrument, "wago_750_4fai") == {"AI1": (pytest.approx(value, abs=1e-3), quality)}


@pytest.mark.parametrize(("raw", "quality"), [(5530, GOOD), (16_588, GOOD), (4900, FAULT), (5100, UNCERTAIN)])
def test_wago_judges_a_live_zero_by_ne_43(site, instrument, raw, quality):
    instrument.put(3, 8194, 0x1234)
    instrument.put(4, 6, raw)
    keys = "[device.parameters]\nfirst = 4\nchannel = 3\nat_0_ma = -25\nat_20_ma = 100\n"
    seen = site.read(instrument, "wago_750_4fai", keys + 'quantity = "%LEL"\nloop = "from_4_ma"')
    assert seen["AI3"] == (pytest.approx(-25 + raw * 125 / 27_648), quality)


def test_wago_with_swapped_bytes_gives_no_value(site, instrument):
    instrument.put(3, 8194, 0x3412)
    instrument.put(4, 0, 100)
    assert site.read(instrument, "wago_750_4fai")["AI1"][1] == Quality.BAD_CONFIG


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, (0x42C8, 0x8000)), (1, (0x8000, 0x42C8)), (2, (0x0080, 0xC842)), (3, (0xC842, 0x0080))],
)
def test_rosemount_gives_100_25_in_each_of_its_four_orders(site, instrument, code, words):
    instrument.put(3, 131, code)
    instrument.put(4, 400, *words)
    assert site.read(instrument, "rosemount_3095fb") == {"DP": (100.25, GOOD)}


def test_jinan_codes_oxygen_by_how_many_registers_are_asked_for(site, instrument):
    instrument.by_request = {(3, 0, 2): [0x0BE8, 0x1409], (3, 0, 4): [0x0BE8, 0x00D1, 0, 0]}
    seen = site.read(instrument, "jinan_sf6_o2", 'extras = ["long_form"]')
    assert seen == {"SF6": (3048.0, GOOD), "O2": (pytest.approx(20.9), GOOD), "O2.long": (pytest.approx(20.9), GOOD)}
    assert set(instrument.requests) == {(3, 0, 2), (3, 0, 4)}, "never merged"
