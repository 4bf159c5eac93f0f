"""An instrument: what it shows of the physical quantity in front of it.

Between the two lie a first-order lag, noise, slow drift, resolution and the ends of the range, and whatever somebody did
to the instrument. Figures are those of detectors and transmitters on the market; where none was found they are
assumed, and docs/how-to/plant.md says which.

Noise is a hash of (seed, tag, step), so that a value may be asked for at any step, or not at all, and the plant's
copies in other processes still agree. Only the lag and the drift have a state, and both move at fixed steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from hil_tests.rig.signals import gauss

STEP_S: Final = 0.1
DRIFT_STEPS: Final = 100
"""The drift moves every 10 s."""
DRIFT_S_MIN: Final = 300.0
DRIFT_S_MAX: Final = 900.0
_LN10: Final = math.log(10.0)


@dataclass(frozen=True, slots=True)
class Instrument:
    """What is written on the instrument's sheet.

    ``noise_sd``, ``drift_sd`` and ``resolution`` are in ``unit``; ``drift_sd`` is the standard deviation of the slow part
    (AR(1), 5 to 15 min), ``zero`` what it shows of nothing. ``org`` is enterprise / hazard source / unit. ``at_m`` is the place in the park, metres to the
    east and to the north; only gas detectors need one.
    """

    tag: str
    unit: str
    range_low: float
    range_high: float
    resolution: float
    noise_sd: float
    t90_s: float
    org: str
    description_zh: str
    description_en: str
    drift_sd: float = 0.0
    zero: float = 0.0
    at_m: tuple[float, float] | None = None
    circular: bool = False
    """A direction: after ``range_high`` comes ``range_low`` again."""

    @property
    def description(self) -> tuple[str, str]:
        """Chinese, English."""
        return self.description_zh, self.description_en

    @property
    def is_digital(self) -> bool:
        return self.unit == "state"


class Meter:
    """An instrument at work. ``see`` must be called at steps that never go back, the same ones in every process."""

    def __init__(self, instrument: Instrument, seed: int, truth: float) -> None:
        """``truth`` is the quantity at step 0, to which the instrument has settled."""
        self.instrument = instrument
        self.truth = truth
        tag = instrument.tag.encode()
        self._noise_seed = seed << 32 ^ crc32(tag)
        self._drift_seed = seed << 32 ^ crc32(b"drift " + tag)
        self._rate_per_step = STEP_S * _LN10 / instrument.t90_s if instrument.t90_s else 0.0
        self._seen_step = 0
        self._lagged = truth
        span_s = DRIFT_S_MAX - DRIFT_S_MIN
        drift_s = DRIFT_S_MIN + span_s * (crc32(b"span " + tag) % 1000) / 1000
        self._drift_keeps = math.exp(-DRIFT_STEPS * STEP_S / drift_s)
        self._drift_moves = instrument.drift_sd * math.sqrt(1 - self._drift_keeps**2)
        self._drift = instrument.drift_sd * gauss(self._drift_seed, 0)
        self._frozen: float | None = None
        self._open = False

    def see(self, truth: float, step: int) -> None:
        """The quantity is ``truth`` from ``step`` on."""
        self._lagged = self._lag(step)
        self._seen_step = step
        self.truth = truth

    def drift(self, step: int) -> None:
        """Once every DRIFT_STEPS."""
        if self._drift_moves:
            self._drift = self._drift * self._drift_keeps + self._drift_moves * gauss(self._drift_seed, step)

    def value(self, step: int) -> float:
        """What is shown at ``step``, which must not lie before the last one seen. NaN while the circuit is open."""
        if self._open:
            return math.nan
        return self._shown(step) if self._frozen is None else self._frozen

    def freeze(self, step: int) -> None:
        if self._frozen is None:
            self._frozen = self._shown(step)

    def unfreeze(self) -> None:
        self._frozen = None

    def open_circuit(self) -> None:
        self._open = True

    def close_circuit(self) -> None:
        self._open = False

    def _shown(self, step: int) -> float:
        sheet = self.instrument
        number = self._lag(step) + self._drift + sheet.zero
        if sheet.noise_sd:
            number += sheet.noise_sd * gauss(self._noise_seed, step)
        if sheet.circular:
            number = sheet.range_low + (number - sheet.range_low) % (sheet.range_high - sheet.range_low)
        number = min(max(number, sheet.range_low), sheet.range_high)
        return round(round(number / sheet.resolution) * sheet.resolution, 9)

    def _lag(self, step: int) -> float:
        """Exact for a quantity that holds between the steps at which it is seen."""
        if self.instrument.t90_s == 0 or self._lagged == self.truth:
            return self.truth
        return self.truth + (self._lagged - self.truth) * math.exp(-(step - self._seen_step) * self._rate_per_step)
