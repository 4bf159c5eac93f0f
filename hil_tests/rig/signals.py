"""What a register shows over time: pure functions of the time since the start, and of a seed.

A signal's settings come out of ``site.toml``; ``curve()`` turns them into a function from nanoseconds since the start
to the signal's number. The same settings give the same curve in every process and on every machine, so that a run can
be repeated. Chance comes from a hash of (seed, index) and not from a generator with a state: a curve may be asked for any
moment, in any order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, ValidationInfo

from contract.clock import NS_PER_S
from hil_tests.rig.recording import RecordedColumn, read_column

Curve = Callable[[int], float]
"""From nanoseconds since the start (>= 0) to the signal's number; NaN where a recording has no value."""

_MASK: Final = (1 << 64) - 1
COUNTER_MODULO_DEFAULT: Final = 1 << 16
COUNTER_PERIOD_S_MIN: Final = 0.01
"""Each change is a line in the ledger."""

Seconds = Annotated[FiniteFloat, Field(gt=0)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings", validate_by_name=True)


class Constant(_Settings):
    """One number for ever; NaN and infinities are allowed and are what a broken float instrument sends."""

    kind: Literal["constant"]
    value: float

    def curve(self) -> Curve:
        return lambda t_ns: self.value


class Ramp(_Settings):
    """A straight line from ``from`` to ``to`` in ``seconds``; holds ``to`` afterwards."""

    kind: Literal["ramp"]
    start: FiniteFloat = Field(alias="from")
    end: FiniteFloat = Field(alias="to")
    seconds: Seconds

    def curve(self) -> Curve:
        return lambda t_ns: ramp(self.start, self.end, t_ns, self.seconds)


class Sine(_Settings):
    """``mean + amplitude * sin(2 pi t / period_s)``."""

    kind: Literal["sine"]
    mean: FiniteFloat
    amplitude: FiniteFloat
    period_s: Seconds

    def curve(self) -> Curve:
        period_ns = _ns(self.period_s)
        return lambda t_ns: self.mean + self.amplitude * math.sin(2 * math.pi * (t_ns % period_ns) / period_ns)


class Noise(_Settings):
    """Gaussian around ``mean``; every moment (every ``sample_ms`` of the device) has a number of its own."""

    kind: Literal["noise"]
    mean: FiniteFloat
    sd: Annotated[FiniteFloat, Field(ge=0)]
    seed: int = 0

    def curve(self) -> Curve:
        return lambda t_ns: self.mean + self.sd * gauss(self.seed, t_ns)


class Walk(_Settings):
    """A random walk from ``start``: one gaussian step every ``step_s``."""

    kind: Literal["walk"]
    start: FiniteFloat
    step_sd: Annotated[FiniteFloat, Field(ge=0)]
    seed: int = 0
    step_s: Seconds = 1.0

    def curve(self) -> Curve:
        return _WalkCurve(self.start, self.step_sd, self.seed, _ns(self.step_s))


class Step(_Settings):
    """``before`` until ``at_s`` after the start, then ``after``."""

    kind: Literal["step"]
    before: float
    after: float
    at_s: Annotated[FiniteFloat, Field(ge=0)]

    def curve(self) -> Curve:
        at_ns = _ns(self.at_s)
        return lambda t_ns: self.after if t_ns >= at_ns else self.before


class Counter(_Settings):
    """A marker: an integer that grows by one every ``period_s`` and starts again at 0 when it reaches ``modulo``.

    Each change is written into the ledger with its exact moment. With ``modulo = 2`` it is a square wave.
    """

    kind: Literal["counter"]
    period_s: Annotated[FiniteFloat, Field(ge=COUNTER_PERIOD_S_MIN)]
    modulo: Annotated[int, Field(ge=2, le=1 << 53)] = COUNTER_MODULO_DEFAULT

    @property
    def period_ns(self) -> int:
        return _ns(self.period_s)

    def number(self, t_ns: int) -> int:
        return t_ns // self.period_ns % self.modulo

    def curve(self) -> Curve:
        return lambda t_ns: float(self.number(t_ns))


def _beside_the_site_file(file: Path, info: ValidationInfo) -> Path:
    """Absolute from here on, since the device's process has another working directory."""
    return Path((info.context or {}).get("folder", "."), file).resolve()


class Recording(_Settings):
    """One column of a CSV file, row by row. ``step_s`` spaces the rows evenly; without it the file's ``ts`` column
    (seconds) does. After the last row the value holds, or the recording starts again."""

    kind: Literal["recording"]
    file: Annotated[Path, AfterValidator(_beside_the_site_file)]
    column: str
    step_s: Seconds | None = None
    after_end: Literal["hold", "loop"] = "hold"

    def read(self) -> RecordedColumn:
        """Reads the file. Raises ConfigError with every fault found in it."""
        return read_column(self.file, self.column, None if self.step_s is None else _ns(self.step_s))

    def curve(self) -> Curve:
        """Reads the file. Raises ConfigError with every fault found in it."""
        return self.read().curve(loop=self.after_end == "loop")


class PlantTag(_Settings):
    """What the plant's instrument ``tag`` shows. The plant moves in steps of its own, whatever the device's
    ``sample_ms``; ``plant_feed`` gives the curve."""

    kind: Literal["plant"]
    tag: str


Signal = Annotated[
    Constant | Ramp | Sine | Noise | Walk | Step | Counter | Recording | PlantTag,
    Field(discriminator="kind"),
]


class _WalkCurve:
    """Sum of the steps up to a moment. Remembers the last sum, so that a device that asks forward pays per step once;
    a question about an earlier moment is answered from the beginning."""

    def __init__(self, start: float, step_sd: float, seed: int, step_ns: int) -> None:
        self._start = start
        self._step_sd = step_sd
        self._seed = seed
        self._step_ns = step_ns
        self._index = 0
        self._value = start

    def __call__(self, t_ns: int) -> float:
        wanted = t_ns // self._step_ns
        if wanted < self._index:
            self._index, self._value = 0, self._start
        while self._index < wanted:
            self._index += 1
            self._value += self._step_sd * gauss(self._seed, self._index)
        return self._value


def ramp(start: float, end: float, t_ns: int, seconds: float) -> float:
    """The straight line from ``start`` at 0 to ``end`` at ``seconds``, held outside."""
    if seconds <= 0:
        return end
    share = min(1.0, max(0.0, t_ns / (seconds * NS_PER_S)))
    return end if share == 1.0 else start + (end - start) * share


def gauss(seed: int, index: int) -> float:
    """The ``index``-th standard normal number of a seed (Box and Muller, 1958)."""
    radius = math.sqrt(-2.0 * math.log(_uniform(seed, 2 * index)))
    return radius * math.cos(2 * math.pi * _uniform(seed, 2 * index + 1))


def _uniform(seed: int, index: int) -> float:
    """In the open interval (0, 1)."""
    return ((_mix(_mix(seed & _MASK) + index) >> 11) + 0.5) / (1 << 53)


def _mix(number: int) -> int:
    """SplitMix64's step and finaliser (Steele, Lea, Flood, 2014): neighbours in, unrelated numbers out."""
    z = (number + 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def _ns(seconds: float) -> int:
    return max(1, round(seconds * NS_PER_S))
