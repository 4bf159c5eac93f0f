"""What a device answers at a moment, with time handed in."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from hil_tests.rig.commands import parse_command
from hil_tests.rig.playback import Playback, Refusal, Silence, Values
from hil_tests.rig.registers import Table
from hil_tests.rig.site import ModbusSpec, Site
from hil_tests.rig.words import CommandError

S = 1_000_000_000
START = 50 * S


def uint16(name: str, address: int, signal: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "table": "holding", "address": address, "type": "uint16", "signal": signal, **more}


RAMP = uint16("ramp", 0, {"kind": "ramp", "from": 0, "to": 1000, "seconds": 1000})
LEVEL = uint16("level", 1, {"kind": "constant", "value": 12.5}, scale=0.1, offset=-1)
BEAT = uint16("beat", 4, {"kind": "counter", "period_s": 0.5, "modulo": 2})


class Device:
    """A playback with a clock that the test moves; ``read`` gives the values or the whole reply."""

    def __init__(self, site: Site) -> None:
        (device,) = site.devices
        assert isinstance(device, ModbusSpec)
        self.playback = Playback(device, START)
        self.now_ns = START

    def read(self, address: int, count: int = 1, unit: int = 1) -> tuple[int, ...] | Refusal | Silence:
        reply = self.playback.answer(unit, Table.HOLDING, address, count, self.now_ns)
        return reply.words if isinstance(reply, Values) else reply

    def at(self, seconds: float) -> Device:
        self.now_ns = START + round(seconds * S)
        return self

    def tell(self, text: str) -> None:
        self.playback.apply(parse_command(text), self.now_ns)


@pytest.fixture
def make(make_site: Callable[..., Site]) -> Callable[..., Device]:
    return lambda *registers, **device: Device(make_site(*(registers or (RAMP, LEVEL, BEAT)), **device))


def test_a_register_shows_its_signal_scaled_at_the_moment_of_the_request(make: Callable[..., Device]) -> None:
    device = make()
    assert device.at(0).read(0, 2) == (0, 135)
    assert device.at(7.4).read(0, 2) == (7, 135)


def test_sample_ms_holds_values_between_its_quanta(make: Callable[..., Device]) -> None:
    device = make(sample_ms=5000)
    assert [device.at(t).read(0) for t in (4.9, 5.0, 9.9, 10.0)] == [(0,), (5,), (5,), (10,)]


def test_a_step_holds_until_released(make: Callable[..., Device]) -> None:
    device = make()
    device.at(3).tell("step ramp 500")
    assert device.at(3).read(0) == (500,)
    assert device.at(90).read(0) == (500,)
    device.tell("release ramp")
    assert device.read(0) == (90,)


def test_a_step_can_take_its_time_from_where_the_signal_is(make: Callable[..., Device]) -> None:
    device = make()
    device.at(100).tell("step ramp 300 10")
    assert [device.at(t).read(0) for t in (100, 105, 110, 500)] == [(100,), (200,), (300,), (300,)]


def test_a_frozen_register_hides_its_signal_and_steps(make: Callable[..., Device]) -> None:
    device = make()
    device.at(10).tell("freeze ramp")
    device.at(20).tell("step ramp 77")
    assert device.read(0, 2) == (10, 135)
    device.tell("unfreeze ramp")
    assert device.read(0) == (77,)


def test_freezing_twice_keeps_the_first_moment(make: Callable[..., Device]) -> None:
    device = make()
    device.at(10).tell("freeze ramp")
    device.at(20).tell("freeze")
    assert device.at(30).read(0) == (10,)
    device.tell("unfreeze")
    assert device.read(0) == (30,)


def test_a_silent_device_answers_again_when_told(make: Callable[..., Device]) -> None:
    device = make()
    device.tell("stop_answering")
    assert device.read(0) == Silence()
    device.tell("answer")
    assert device.read(0) == (0,)


def test_an_exception_hits_requests_over_its_address_only(make: Callable[..., Device]) -> None:
    device = make()
    device.tell("exception 1 4")
    assert device.read(0) == (0,)
    assert device.read(0, 2) == device.read(1) == Refusal(4)
    device.tell("exception_clear")
    assert device.read(0, 2) == (0, 135)


def test_an_address_without_a_register_is_refused_or_zero_as_set(make: Callable[..., Device]) -> None:
    assert make().read(1, 2) == Refusal(2)
    assert make(unmapped="zero").read(1, 4) == (135, 0, 0, 0)
    assert make(unmapped="zero").read(65535, 2) == Refusal(2)


def test_another_unit_is_refused(make: Callable[..., Device]) -> None:
    assert make(unit=3).read(0, unit=3) == (0,)
    assert make(unit=3).read(0, unit=1) == Refusal(0x0B)


def test_markers_are_told_once_at_the_moments_they_were_due(make: Callable[..., Device]) -> None:
    device = make()
    assert device.playback.next_marker_ns() == START + S // 2
    assert device.playback.marker_changes(START + S // 2 - 1) == []
    changes = device.playback.marker_changes(START + 2 * S)
    assert [(each.mono_ns - START, each.name, each.number) for each in changes] == [
        (S // 2, "beat", 1), (S, "beat", 0), (3 * S // 2, "beat", 1), (2 * S, "beat", 0),
    ]  # fmt: skip
    assert device.playback.marker_changes(START + 2 * S) == []
    assert device.playback.next_marker_ns() == START + 5 * S // 2


def test_a_marker_told_is_what_a_reader_sees_from_then_on(make: Callable[..., Device]) -> None:
    device = make()
    for change in device.playback.marker_changes(START + 3 * S):
        device.now_ns = change.mono_ns
        assert device.read(4) == (change.number,)
        device.now_ns -= 1
        assert device.read(4) == (1 - change.number,)


@pytest.mark.parametrize("text", ["step nobody 1", "step ramp nan", "release nobody", "freeze nobody"])
def test_a_command_that_cannot_be_obeyed_changes_nothing(make: Callable[..., Device], text: str) -> None:
    device = make()
    with pytest.raises(CommandError):
        device.at(5).tell(text)
    assert device.at(6).read(0) == (6,)


def test_a_step_may_show_what_a_broken_float_instrument_shows(make: Callable[..., Device]) -> None:
    device = make({**RAMP, "type": "float32"})
    device.tell(f"step ramp {math.nan}")
    assert device.read(0, 2) == (0x7FC0, 0)
