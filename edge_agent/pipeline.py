"""The way of a sample through the agent, on one screen.

    driver ─► accept ─► engine.judge ─► reporter ─► outbox events     (first, durable, in order)
                 ├─► changes (texts, status) ─┘         └─► uplink ─► aggregator
                 ├─► live table ─► uplink
                 ├─► reducer ─► outbox telemetry ─► uplink
                 ├─► recorder                              (exactly what was judged, where it is asked for)
                 └─► engine.advise ─► reporter             (statistics, last: nothing waits for them)

No I/O here: the stores commit in threads of their own, the uplinks send when told. ``tick`` is the news that time has
passed, so that delays and staleness run out without a sample.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from contract.batch import SampleBatch
from contract.points import Catalogue
from contract.quality import SEVERITY_BAD, SEVERITY_MASK
from edge_agent.detect.changes import Changes
from edge_agent.detect.engine import Engine, NotReset, Transition
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.reduce import Reducer
from edge_agent.outbox.telemetry_store import TelemetryStore
from edge_agent.recording.recorder import Recorder
from edge_agent.reporting import Reporter
from edge_agent.uplink.live import LiveTable


class Pipeline:
    """Every sample passes ``accept`` once; both methods run in the loop's thread and never wait."""

    def __init__(
        self,
        engine: Engine,
        reporter: Reporter,
        reducer: Reducer,
        events: EventStore,
        telemetry: TelemetryStore,
        live: LiveTable,
        recorder: Recorder | None = None,
    ) -> None:
        self._engine = engine
        self._reporter = reporter
        self._reducer = reducer
        self._events = events
        self._telemetry = telemetry
        self._live = live
        self._recorder = recorder
        self._changes = Changes()
        self._quality = engine.quality()
        self._flush_next: set[str] = set()
        self._flush_now: set[str] = set()
        self.samples = 0
        self.transitions = 0

    def switch(self, catalogue: Catalogue, engine: Engine, reporter: Reporter) -> None:
        """Judge by another version from now on; ``engine`` has taken over the state of the one before. In one step: no
        sample comes between."""
        self._engine, self._reporter = engine, reporter
        self._reducer = Reducer(catalogue, self._reducer)
        self._changes.forget_all_but({point.id for point in catalogue})
        self._quality = engine.quality()
        self._telemetry.set_catalogue(catalogue)
        self._live.switch(engine, catalogue.version)

    def accept(self, batch: SampleBatch) -> None:
        """One reply of a device; a batch holds each point at most once."""
        transitions = self._engine.judge(batch)
        if transitions:
            self._report(transitions)
        if self._recorder is not None:
            self._recorder.rows(batch)
        if batch.said and (changes := self._changes.heard(batch.said)):
            self._events.append([self._reporter.changed(change) for change in changes])
        self.samples += len(batch)
        self._quality = self._engine.quality()
        self._keep(replace(batch, quality=self._quality[self._engine.rows(batch.point)]))
        if advice := self._engine.advise(batch):
            self._report(advice)

    def tick(self, time_ns: int, mono_ns: int) -> None:
        """Time has passed. Points that it turned BAD go into the trend, so that it does not end in a good value."""
        transitions = self._engine.tick(time_ns, mono_ns)
        if transitions:
            self._report(transitions)
        if self._recorder is not None:
            self._recorder.tick(time_ns, mono_ns)
        if changes := self._changes.tick(time_ns, mono_ns):
            self._events.append([self._reporter.changed(change) for change in changes])
        quality = self._engine.quality()
        turned = np.flatnonzero((quality != self._quality) & (quality & SEVERITY_MASK >= SEVERITY_BAD))
        self._quality = quality
        if len(turned):
            batch = SampleBatch.zeros(len(turned))
            batch.point[:], batch.quality[:] = self._engine.points[turned], quality[turned]
            batch.time_ns[:], batch.mono_ns[:], batch.value[:] = time_ns, mono_ns, np.nan
            self._keep(batch)
        self._flush()

    def reset(self, point: int, time_ns: int, mono_ns: int) -> NotReset | None:
        """A person ends the over-range condition of a point; why that cannot be, else None."""
        outcome = self._engine.reset(point, time_ns, mono_ns)
        if isinstance(outcome, NotReset):
            return outcome
        self._report([outcome])
        if self._recorder is not None:
            self._recorder.changed()
        return None

    def _report(self, transitions: Sequence[Transition]) -> None:
        self.transitions += len(transitions)
        self._events.append([self._reporter.pending(transition) for transition in transitions])
        self._flush_next |= {self._reporter.spec(transition).source for transition in transitions}
        time.sleep(0)  # gives the interpreter to the commit thread: the alarm goes before the trend

    def _keep(self, batch: SampleBatch) -> None:
        self._live.note(batch)
        kept = self._reducer.keep(batch)
        if kept.any():
            self._telemetry.append(batch.select(kept))

    def _flush(self) -> None:
        """A trend never ends before its alarm: the open chunk of the event's source is cut, one to two ticks later.

        Not at once: two stores that commit at the same moment make the disk write both, which tripled the time of the
        event's commit.
        """
        for source in self._flush_now:
            self._telemetry.flush_source(source)
        self._flush_now, self._flush_next = self._flush_next, set()
