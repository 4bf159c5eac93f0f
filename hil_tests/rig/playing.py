"""What an instrument shows at a moment: its signal, over it a step, over that a freeze, over all a broken wire.

The same for every kind of device, which only says it in its own words: registers (``playback``) or nodes (``nodes``).
Pure: time is handed in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from hil_tests.rig import commands, signals
from hil_tests.rig.commands import InstrumentCommand
from hil_tests.rig.words import CommandError


class Instruments:
    """All of a device, by name. ``start_ns`` is the moment on the monotonic clock at which their signals begin,
    ``quantum_ns`` the time for which a signal holds still (0: none)."""

    def __init__(self, kind: str, curves: Mapping[str, signals.Curve], start_ns: int, quantum_ns: int) -> None:
        """``kind`` is the device's word for one of them, for what it says to a person."""
        self._kind = kind
        self._playing = {name: _Playing(curve, start_ns, quantum_ns) for name, curve in curves.items()}

    def number(self, name: str, now_ns: int) -> float:
        """NaN where the wire is broken, and where the signal says so."""
        return self._playing[name].number(now_ns)

    def require(self, name: str) -> None:
        """Raises CommandError, which names those that there are."""
        self._named(name)

    def apply(self, command: InstrumentCommand, now_ns: int) -> None:
        """Obey. Raises CommandError, and then nothing has changed."""
        match command:
            case commands.Step(name, value, ramp_s):
                self._named(name).step(value, ramp_s, now_ns)
            case commands.Release(name):
                self._named(name).release()
            case commands.Freeze(name):
                for playing in self._one_or_all(name):
                    playing.freeze(now_ns)
            case commands.Unfreeze(name):
                for playing in self._one_or_all(name):
                    playing.unfreeze()
            case commands.OpenCircuit(name):
                self._named(name).open = True
            case commands.CloseCircuit(name):
                self._named(name).open = False

    def _named(self, name: str) -> _Playing:
        playing = self._playing.get(name)
        if playing is None:
            raise CommandError(f"no {self._kind} {name!r}; there are: {', '.join(self._playing)}")
        return playing

    def _one_or_all(self, name: str | None) -> list[_Playing]:
        return [*self._playing.values()] if name is None else [self._named(name)]


@dataclass(frozen=True, slots=True)
class _Override:
    start_ns: int
    before: float
    after: float
    ramp_s: float

    def number(self, now_ns: int) -> float:
        return signals.ramp(self.before, self.after, now_ns - self.start_ns, self.ramp_s)


class _Playing:
    """One instrument."""

    def __init__(self, curve: signals.Curve, start_ns: int, quantum_ns: int) -> None:
        self.open = False
        self._curve = curve
        self._start_ns = start_ns
        self._quantum_ns = quantum_ns
        self._override: _Override | None = None
        self._frozen: float | None = None

    def number(self, now_ns: int) -> float:
        if self.open:
            return math.nan
        return self._moving(now_ns) if self._frozen is None else self._frozen

    def step(self, value: float, ramp_s: float, now_ns: int) -> None:
        self._override = _Override(now_ns, self._moving(now_ns), value, ramp_s)

    def release(self) -> None:
        self._override = None

    def freeze(self, now_ns: int) -> None:
        if self._frozen is None:
            self._frozen = self._moving(now_ns)

    def unfreeze(self) -> None:
        self._frozen = None

    def _moving(self, now_ns: int) -> float:
        if self._override is not None:
            return self._override.number(now_ns)
        t_ns = max(0, now_ns - self._start_ns)
        return self._curve(t_ns - t_ns % self._quantum_ns if self._quantum_ns else t_ns)
