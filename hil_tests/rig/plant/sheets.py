"""Sheets of the kinds of instrument that the plant is full of: their noise, resolution, lag and range.

Noise and resolution are those of the project's detection study; lags of gas detectors lie in the bands that makers
give (chlorine cell 25 to 60 s, catalytic bead 8 to 15 s, ammonia cell 30 to 60 s; T90 by GB 12358 at most 60 s, for
ammonia 200 s). Pressure, temperature and level: assumed for a transmitter with 4-20 mA and damping as delivered.
"""

from __future__ import annotations

from typing import Final

from hil_tests.rig.plant.instrument import Instrument

Place = tuple[float, float]
Words = tuple[str, str]
"""Chinese, English."""

CHLORINE_MG_M3_MAX: Final = 10.0
AMMONIA_MG_M3_MAX: Final = 60.0


def chlorine_detector(tag: str, org: str, words: Words, at_m: Place, t90_s: float) -> Instrument:
    return Instrument(
        tag, "mg/m3", 0.0, CHLORINE_MG_M3_MAX, 0.05, 0.03, t90_s, org, *words, drift_sd=0.03, zero=0.05, at_m=at_m
    )


def combustible_detector(tag: str, org: str, words: Words, at_m: Place, t90_s: float) -> Instrument:
    return Instrument(
        tag, "%LEL", 0.0, 100.0, 0.5, 0.3, t90_s, org, *words, drift_sd=0.3, zero=1.2, at_m=at_m
    )  # fmt: skip


def ammonia_detector(tag: str, org: str, words: Words, at_m: Place, t90_s: float) -> Instrument:
    return Instrument(
        tag, "mg/m3", 0.0, AMMONIA_MG_M3_MAX, 0.5, 0.3, t90_s, org, *words, drift_sd=0.3, zero=0.8, at_m=at_m
    )  # fmt: skip


def pressure(tag: str, org: str, words: Words, high_mpa: float, low_mpa: float = 0.0) -> Instrument:
    return Instrument(tag, "MPa", low_mpa, high_mpa, 0.001, 0.0008, 0.5, org, *words, drift_sd=0.0005)


def temperature(tag: str, org: str, words: Words, low_c: float, high_c: float, t90_s: float = 45.0) -> Instrument:
    """A Pt100 in a thermowell; ``t90_s`` is shorter for a pipe with flow."""
    return Instrument(tag, "degC", low_c, high_c, 0.1, 0.08, t90_s, org, *words, drift_sd=0.05)


def level(tag: str, org: str, words: Words) -> Instrument:
    return Instrument(tag, "%", 0.0, 100.0, 0.1, 0.15, 5.0, org, *words, drift_sd=0.1)


def level_m(tag: str, org: str, words: Words, high_m: float, noise_sd_m: float) -> Instrument:
    return Instrument(tag, "m", 0.0, high_m, 0.001, noise_sd_m, 5.0, org, *words, drift_sd=0.002)


def flow(tag: str, org: str, words: Words, unit: str, high: float) -> Instrument:
    return Instrument(tag, unit, 0.0, high, high / 2000, high * 0.002, 2.0, org, *words, drift_sd=high * 0.001)


def current(tag: str, org: str, words: Words, high_a: float) -> Instrument:
    return Instrument(tag, "A", 0.0, high_a, 0.1, high_a * 0.002, 1.0, org, *words, drift_sd=high_a * 0.001)


def vibration(tag: str, org: str, words: Words) -> Instrument:
    return Instrument(tag, "mm/s", 0.0, 50.0, 0.01, 0.1, 2.0, org, *words, drift_sd=0.1)


def wind_speed(tag: str, org: str, words: Words) -> Instrument:
    """A cup anemometer; the gusts that it sees and the plume does not are in the noise."""
    return Instrument(tag, "m/s", 0.0, 60.0, 0.1, 0.3, 3.0, org, *words)


def wind_direction(tag: str, org: str, words: Words) -> Instrument:
    return Instrument(tag, "deg", 0.0, 360.0, 1.0, 3.0, 0.0, org, *words, circular=True)


def state(tag: str, org: str, words: Words) -> Instrument:
    return Instrument(tag, "state", 0.0, 1.0, 1.0, 0.0, 0.0, org, *words)
