"""Scenes of gas: a plume, a seep, spikes in maintenance, over-range that folds back, a bump test, flapping, drift, weather. Pure."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from hil_tests.scenes.instrument import CL2, H2S, LEL, TEMPERATURE, Floats, first_order, slow
from hil_tests.scenes.scene import Draft, Scene

DAY_STEPS: Final = 1440
"""Of a minute each."""
FULL_PERCENT: Final = 110.0
"""No head shows more."""
MONTH_S: Final = 30 * 86_400.0
_FALL_OFF: Final = 1.3
"""Concentration falls with distance to this power."""


def pulse(draft: Draft, first: int, last: int, height: float) -> Floats:
    """``height`` from step ``first`` to ``last``, nothing else."""
    number = draft.nothing()
    number[first:last] = height
    return number


def cl2_plume(seed: int) -> Scene:
    """Chlorine reaches three detectors one after the other, with the wind that carries and meanders it."""
    draft = Draft("cl2_plume", seed)
    wind_m_s = draft.uniform(1.2, 4.5)
    first, length = draft.quiet + draft.whole(300, 1200), draft.whole(240, 900)
    places_m = sorted(draft.uniform(15.0, 120.0) for _ in range(3))
    source = draft.uniform(0.7, 4.0) * places_m[0] ** _FALL_OFF
    meander = 1.0 + 0.2 * np.sin(2 * math.pi * draft.time_s / 120.0 + draft.uniform(0.0, 6.28))
    tags, arrivals, last = [], [], 0
    for number, place_m in enumerate(places_m, 101):
        arrives = first + round(place_m / wind_m_s)
        gas = pulse(draft, arrives, arrives + length, source * place_m**-_FALL_OFF) * meander
        tags.append(f"AT-{number}")
        arrivals.append(arrives)
        draft.show(tags[-1], CL2, gas)
        last = arrives + length + 60
    draft.happened("plume", tuple(tags), arrivals[0], last)
    return draft.scene()


def h2s_seep(seed: int) -> Scene:
    """Hydrogen sulfide that stays under the set-point of 10 ppm, and a neighbour that has less of it."""
    draft = Draft("h2s_seep", seed)
    first = draft.quiet + draft.whole(300, 900)
    tau_s = draft.uniform(900.0, 2400.0)
    gas = draft.uniform(2.0, 6.0) * (1.0 - np.exp(-np.maximum(draft.time_s - first, 0.0) / tau_s))
    draft.show("AT-201", H2S, gas)
    draft.show("AT-202", H2S, gas * draft.uniform(0.3, 0.5))
    draft.happened("seep", ("AT-201",), first, draft.count - 1)
    return draft.scene()


def lel_spikes(seed: int) -> Scene:
    """Short whiffs at one of two heads, while somebody works there."""
    draft = Draft("lel_spikes", seed)
    lengths = [draft.whole(20, 120) for _ in range(draft.whole(3, 4))]
    gas = draft.nothing()
    for first, length in zip(draft.starts(lengths, (450, 800)), lengths, strict=True):
        gas += pulse(draft, first, first + length, draft.uniform(5.0, 25.0))
        draft.happened("lel_spike", ("AT-301",), first, first + length + 20)
    draft.show("AT-301", LEL, gas)
    draft.show("AT-302", LEL, draft.nothing())
    return draft.scene()


def foldback(seed: int) -> Scene:
    """A catalytic bead in gas far above its range: it passes 100 %LEL, then starves and reads low."""
    draft = Draft("foldback", seed)
    first, length = draft.quiet + draft.whole(300, 1200), draft.whole(400, 900)
    gas = first_order(pulse(draft, first, first + length, draft.uniform(250.0, 500.0)), draft.uniform(8.0, 30.0), 1.0)
    starves, fall, rest = draft.uniform(100.0, 220.0), draft.uniform(0.5, 0.9), draft.uniform(8.0, 20.0)
    top = np.minimum(gas, FULL_PERCENT)
    bead = np.where(gas <= starves, top, np.maximum(top - fall * (gas - starves), rest))
    draft.show("AT-701", LEL, bead)
    draft.show("AT-702", LEL, draft.nothing())
    draft.happened("foldback", ("AT-701",), first, first + length + 60)
    return draft.scene()


def bump_test(seed: int) -> Scene:
    """50 %LEL on the head, three times, under a permit."""
    draft = Draft("bump_test", seed)
    lengths = [draft.whole(60, 150) for _ in range(3)]
    gas = draft.nothing()
    for first, length in zip(draft.starts(lengths, (600, 900)), lengths, strict=True):
        gas += pulse(draft, first, first + length, 50.0)
        draft.happened("bump_test", ("AT-1001",), first - 60, first + length + 240, permitted=True)
    draft.show("AT-1001", LEL, gas)
    return draft.scene()


def hover(seed: int) -> Scene:
    """Gas that stands at the set-point of 25 %LEL, a little above and a little below."""
    draft = Draft("hover", seed)
    first, length = draft.quiet + draft.whole(300, 1200), draft.whole(600, 1200)
    gas = pulse(draft, first, first + length, 25.4)
    gas[first : first + length] += draft.rng.normal(0.0, 0.4, length) + draft.uniform(-0.2, 0.2)
    gas[first : first + length] += 0.4 * np.sin(2 * math.pi * np.arange(length) / draft.uniform(40.0, 120.0))
    draft.show("AT-1401", LEL, gas)
    draft.happened("hover", ("AT-1401",), first, first + length + 40)
    return draft.scene()


def bead_drift(seed: int) -> Scene:
    """The zero of one of two beads side by side wanders off; told from where it has passed 1 %LEL. Two weeks, by the minute."""
    draft = Draft("bead_drift", seed, 14 * DAY_STEPS, 60, 2 * DAY_STEPS)
    per_s = draft.uniform(2.6, 6.0) / MONTH_S
    begins_s = draft.uniform(2.0, 2.4) * 86_400.0 if per_s * MONTH_S < 4.0 else draft.uniform(2.0, 6.0) * 86_400.0
    both = daily(draft, 0.5) + slow(draft.count, 0.2, 60.0, draft.rng)
    draft.show("AT-601", LEL, both + per_s * np.maximum(draft.time_s - begins_s, 0.0))
    draft.show("AT-602", LEL, both)
    draft.happened("drift", ("AT-601",), int((begins_s + 1.0 / per_s) / 60.0) + 1, draft.count - 1)
    return draft.scene()


def rain_wind(seed: int) -> Scene:
    """A shower: it gets colder, and humidity lifts the zero of gas heads. Nothing has happened."""
    draft = Draft("rain_wind", seed)
    first, length = draft.quiet + draft.whole(600, 1000), draft.whole(1300, 1900)
    rain = first_order(pulse(draft, first, first + length, 1.0), draft.uniform(200.0, 500.0), 1.0)
    draft.show("AT-1201", LEL, draft.uniform(0.8, 1.2) * rain)
    draft.show("AT-1202", CL2, draft.uniform(0.03, 0.06) * rain)
    draft.show("TT-1201", TEMPERATURE, 26.0 - draft.uniform(3.0, 6.0) * rain)
    return draft.scene()


def daily(draft: Draft, amplitude: float) -> Floats:
    """A day and a night, warmest at 15 h where the scene begins at midnight."""
    wave: Floats = -amplitude * np.cos(2 * math.pi * (draft.time_s / 86_400.0 - 3.0 / 24.0))
    return wave
