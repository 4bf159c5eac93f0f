"""Scenes of the process and its instruments: a runaway, frozen and broken ones, noise, silence, a group, quiet days. Pure."""

from __future__ import annotations

from typing import Final

import numpy as np

from contract.quality import Quality
from drivers.modbus.instrument import ne43
from hil_tests.scenes.gas import DAY_STEPS, daily, pulse
from hil_tests.scenes.instrument import (
    H2S,
    LEL,
    LEVEL,
    PRESSURE,
    TEMPERATURE,
    Floats,
    Sheet,
    first_order,
    rounded,
    slow,
)
from hil_tests.scenes.scene import Draft, Scene

RUNAWAY_RISE_MAX_K: Final = 45.0
"""Then the relief valve has opened, and it holds."""
MPA_PER_K: Final = 0.006


def runaway(seed: int) -> Scene:
    """A reactor that heats itself faster and faster; its pressure follows."""
    draft = Draft("runaway", seed)
    first, tau_s = draft.quiet + draft.whole(300, 1200), draft.uniform(300.0, 900.0)
    rise = np.minimum(0.4 * np.expm1(np.maximum(draft.time_s - first, 0.0) / tau_s), RUNAWAY_RISE_MAX_K)
    draft.show("TT-401", TEMPERATURE, 82.0 + rise)
    draft.show("PT-401", PRESSURE, 0.62 + MPA_PER_K * first_order(rise, 60.0, 1.0))
    draft.show("LT-401", LEVEL, draft.nothing() + 60.0)
    draft.happened("runaway", ("TT-401",), first, draft.count - 1)
    return draft.scene()


def freeze(seed: int) -> Scene:
    """One instrument after the other goes on showing what it showed."""
    draft = Draft("freeze", seed)
    shown = {
        "PT-501": draft.show("PT-501", PRESSURE, draft.nothing() + 0.41),
        "TT-501": draft.show("TT-501", TEMPERATURE, draft.nothing() + 54.0),
        "LT-501": draft.show("LT-501", LEVEL, draft.nothing() + 47.0),
    }
    tags = list(draft.rng.permutation(sorted(shown)))[: draft.whole(2, 3)]
    lengths = [draft.whole(420, 900) for _ in tags]
    for tag, first, length in zip(map(str, tags), draft.starts(lengths, (200, 400)), lengths, strict=True):
        stop = min(first + length, draft.count)
        shown[tag][first:stop] = shown[tag][first]
        draft.happened("freeze", (tag,), first, stop - 1)
    return draft.scene()


def open_circuit(seed: int) -> Scene:
    """Wires break and touch: the current says so, and the quality with it."""
    draft = Draft("open_circuit", seed)
    loops = {"PT-801": (PRESSURE, 0.8), "LT-801": (LEVEL, 54.5)}
    shown = {tag: draft.show(tag, sheet, draft.nothing() + level) for tag, (sheet, level) in loops.items()}
    lengths = [int(each) for each in draft.rng.permutation([5, 120, 400, draft.whole(30, 200)])]
    for first, length in zip(draft.starts(lengths, (280, 600)), lengths, strict=True):
        tag = ("PT-801", "LT-801")[draft.whole(0, 1)]
        current_ma = draft.uniform(21.2, 22.0) if draft.uniform(0.0, 1.0) < 0.3 else draft.uniform(1.5, 3.4)
        broken = np.full(length, current_ma) + draft.rng.normal(0.0, 0.005, length)
        sheet = loops[tag][0]
        shown[tag][first : first + length] = rounded(sheet, sheet.at_current(broken))
        draft.quality(tag)[first : first + length] = ne43(broken)
        draft.happened("open_circuit", (tag,), first, first + length - 1)
    return draft.scene()


def motor_noise(seed: int) -> Scene:
    """A motor starts beside the cable: for some seconds one signal is many times as noisy."""
    draft = Draft("motor_noise", seed)
    pressure = draft.show("PT-901", PRESSURE, draft.nothing() + 0.55)
    draft.show("TT-901", TEMPERATURE, draft.nothing() + 40.2)
    lengths = [draft.whole(20, 60) for _ in range(4)]
    for first, length in zip(draft.starts(lengths, (500, 700)), lengths, strict=True):
        noise = draft.rng.normal(0.0, draft.uniform(6.0, 12.0) * PRESSURE.noise_sd, length)
        pressure[first : first + length] = rounded(PRESSURE, pressure[first : first + length] + noise)
        draft.happened("noise_burst", ("PT-901",), first, first + length - 1)
    return draft.scene()


def dropout(seed: int) -> Scene:
    """The device does not answer, several times."""
    draft = Draft("dropout", seed)
    shown = {
        "PT-1301": draft.show("PT-1301", PRESSURE, draft.nothing() + 0.348),
        "AT-1301": draft.show("AT-1301", LEL, draft.nothing()),
    }
    lengths = [draft.whole(30, 300) for _ in range(4)]
    for first, length in zip(draft.starts(lengths, (340, 580)), lengths, strict=True):
        for tag, value in shown.items():
            value[first : first + length] = np.nan
            draft.quality(tag)[first : first + length] = Quality.BAD_COMM_FAILURE
        draft.happened("dropout", tuple(shown), first, first + length - 1)
    return draft.scene()


def group_drift(seed: int) -> Scene:
    """Four pressures of one header move together; one of them leaves the others."""
    draft = Draft("group_drift", seed)
    first = draft.quiet + draft.whole(300, 900)
    header = 1.01 + slow(draft.count, 0.03, 1.0, draft.rng)
    leaves = draft.uniform(0.012, 0.03) * np.maximum(draft.time_s - first, 0.0) / 2400.0
    which = draft.whole(1, 4)
    own = Sheet(PRESSURE.unit, 0.0, 1.6, PRESSURE.noise_sd, PRESSURE.resolution, 0.0008)
    for number in range(1, 5):
        draft.show(f"PT-150{number}", own, header + leaves * (number == which))
    draft.happened("group_drift", (f"PT-150{which}",), first, draft.count - 1)
    return draft.scene()


def day_night(seed: int) -> Scene:
    """Several days by the minute. Nothing has happened."""
    draft = Draft("day_night", seed, 1, 60, 2 * DAY_STEPS)
    draft = Draft("day_night", seed, draft.whole(5, 10) * DAY_STEPS, 60, 2 * DAY_STEPS)
    weather = daily(draft, 7.0) + slow(draft.count, 0.6, 60.0, draft.rng)
    draft.show("TT-1101", TEMPERATURE, 22.0 + weather)
    draft.show("PT-1101", PRESSURE, 0.3 + daily(draft, 0.012))
    draft.show("AT-1101", LEL, daily(draft, draft.uniform(0.4, 0.6)))
    return draft.scene()


def normal_day(seed: int, days: float = 0.25) -> Scene:
    """By the second, with a set-point moved every hour. Nothing has happened."""
    draft = Draft("normal_day", seed, round(days * 86_400))
    draft.show("AT-1601", LEL, daily(draft, 0.5))
    draft.show("AT-1602", H2S, draft.nothing())
    draft.show("PT-1601", PRESSURE, 0.6 + first_order(_hourly(draft, 0.004), draft.uniform(60.0, 200.0), 1.0))
    draft.show("TT-1601", TEMPERATURE, 60.5 + first_order(_hourly(draft, 0.5), draft.uniform(200.0, 400.0), 1.0))
    return draft.scene()


def _hourly(draft: Draft, sd: float) -> Floats:
    """A number that is drawn anew every hour."""
    hours = draft.rng.normal(0.0, sd, draft.count // 3600 + 1)
    numbers: Floats = np.repeat(hours, 3600)[: draft.count]
    return numbers


def quiet_week(seed: int, days: float = 7.0) -> Scene:
    """Two gas heads of each kind, pressures, temperatures, a level, through ``days`` of weather, showers and set-points.
    Nothing has happened."""
    draft = Draft("quiet_week", seed, round(days * 86_400))
    rain = draft.nothing()
    for _ in range(max(1, round(days / 2))):
        first, length = draft.whole(0, draft.count), draft.whole(1800, 7200)
        rain = np.maximum(rain, pulse(draft, first, first + length, 1.0))
    rain = first_order(rain, 600.0, 1.0)
    for number in (1, 2):
        draft.show(f"AT-171{number}", LEL, daily(draft, 0.5) + 1.2 * rain)
        draft.show(f"AT-172{number}", H2S, draft.nothing())
    air = daily(draft, 7.0) + slow(draft.count, 0.6, 1.0, draft.rng) - 5.0 * rain
    draft.show("TT-1701", TEMPERATURE, 25.0 + air)
    draft.show("TT-1702", TEMPERATURE, 60.5 + first_order(_hourly(draft, 0.5), 300.0, 1.0))
    draft.show("PT-1701", PRESSURE, 0.3 + 0.0017 * air)
    draft.show("PT-1702", PRESSURE, 0.6 + first_order(_hourly(draft, 0.004), 120.0, 1.0))
    draft.show("LT-1701", LEVEL, 55.0 + first_order(_hourly(draft, 2.0), 1200.0, 1.0))
    return draft.scene()
