"""Latest values for the control room: not stored, conflated, never older than a second.

Fed by the pipeline with what was judged; read by each uplink, which gets only what changed since it last asked. A point
of BAD quality goes out as NaN: a last good value is no measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contract.batch import SampleBatch
from contract.clock import Clock
from contract.ids import Epoch
from contract.wire.frames import Live
from edge_agent.detect.engine import Engine


@dataclass(slots=True)
class _Sent:
    value: NDArray[np.float64]
    quality: NDArray[np.int16]
    """-1 where nothing was sent yet."""


class LiveTable:
    """Latest value, quality and source time per point of one catalogue version."""

    def __init__(
        self,
        engine: Engine,
        catalogue_version: int,
        clock: Clock,
        epoch: Callable[[], Epoch],
        device_scans: Callable[[], Mapping[int, int]],
    ) -> None:
        """``device_scans`` gives, by the id of each device's point, the wall time of its last good scan (0: never)."""
        self._engine = engine
        self._version = catalogue_version
        self._clock = clock
        self._epoch = epoch
        self._device_scans = device_scans
        self._points = engine.points
        self._time_ns = np.zeros(len(self._points), np.int64)
        self._sent: dict[str, _Sent] = {}

    def switch(self, engine: Engine, catalogue_version: int) -> None:
        """Another version from now on: everything is news to everybody, who may not keep the former one."""
        former = dict(zip(self._points.tolist(), self._time_ns.tolist(), strict=True))
        self._engine, self._version, self._points = engine, catalogue_version, engine.points
        self._time_ns = np.array([former.get(point, 0) for point in self._points.tolist()], np.int64)
        self._sent.clear()

    def note(self, batch: SampleBatch) -> None:
        self._time_ns[self._engine.rows(batch.point)] = batch.time_ns

    def time_ns(self) -> NDArray[np.int64]:
        """int64[n]: source time of the latest sample, by the engine's rows; 0 before the first."""
        return self._time_ns.copy()

    def forget(self, destination: str) -> None:
        """A new session: everything is news to it."""
        self._sent.pop(destination, None)

    def changed_since_last(self, destination: str) -> Live:
        """What changed since this destination last asked, and the last good scan of each device."""
        value, quality = self._engine.value(), self._engine.quality()
        sent = self._sent.get(destination)
        if sent is None:
            sent = self._sent[destination] = _Sent(np.zeros(len(value)), np.full(len(value), -1, np.int16))
        same_value = (value == sent.value) | (np.isnan(value) & np.isnan(sent.value))
        rows = np.flatnonzero(~same_value | (quality != sent.quality))
        sent.value, sent.quality = value, quality.astype(np.int16)
        return Live(
            epoch=self._epoch(),
            catalogue_version=self._version,
            mono_ns=self._clock.mono_ns(),
            wall_ns=self._clock.wall_ns(),
            point=self._points[rows].astype("<i4").tobytes(),
            time_ns=self._time_ns[rows].astype("<i8").tobytes(),
            value=value[rows].astype("<f8").tobytes(),
            quality=quality[rows].tobytes(),
            devices=dict(self._device_scans()),
        )
