"""The composition root of the agent: makes every part, hands them to each other, starts and stops them.

Order of a start: stores, kernel, drivers, uplinks; the kernel is warm and the first event (``agent_start``) appended
before the first poll. Order of a stop: drivers, last events, stores flushed, uplinks given a moment to deliver.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import structlog

from contract.clock import NS_PER_MS, NS_PER_S, Clock
from contract.events import ConditionData
from contract.ids import AgentName, Lane
from contract.points import ConditionKind, PointRole
from contract.wire import frames, session
from edge_agent.acquire.tasks import Acquisition, acquire
from edge_agent.detect import engine as detect
from edge_agent.detect.kernels import jit
from edge_agent.lifecycle import Lifecycle
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.ledger import Ledger
from edge_agent.outbox.reduce import Reducer
from edge_agent.outbox.rows import Committed, Destination, OutboxSettings, SetAside
from edge_agent.outbox.telemetry_store import TelemetryStore
from edge_agent.pipeline import Pipeline
from edge_agent.reporting import Reporter
from edge_agent.settings.connections import make_drivers
from edge_agent.settings.model import AgentConfig
from edge_agent.station.clock_state import StepWatch, kernel_clock_state
from edge_agent.station.control import Answer, ControlError, ControlServer
from edge_agent.station.status import write_status
from edge_agent.telling import points_now
from edge_agent.uplink.live import LiveTable
from edge_agent.uplink.sender import Peer, Uplink

TICK_PERIOD_NS: Final = 100 * NS_PER_MS
"""Resolution of delays and staleness that run out without a sample."""
STATUS_LOOK_NS: Final = NS_PER_S
STATUS_PERIOD_NS: Final = 10 * NS_PER_S
"""Of the file; between two a change of state writes it, and whoever wants to know more exactly asks the socket."""
CHECKPOINT_PERIOD_NS: Final = 3600 * NS_PER_S
DRAIN_AT_STOP_NS: Final = 2 * NS_PER_S
FLUSH_AT_STOP_S: Final = 10.0
"""A disk that takes nothing must not keep a stopped agent from being started again."""
FEATURES: Final = ("events", "telemetry", "live")


class RealClock:
    """The machine's clocks."""

    def wall_ns(self) -> int:
        return time.time_ns()

    def mono_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep_until(self, mono_ns: int) -> None:
        await asyncio.sleep(max(0, mono_ns - time.monotonic_ns()) / NS_PER_S)


def software() -> str:
    try:
        return f"parksentry {version('parksentry')}"
    except PackageNotFoundError:
        return "parksentry (not installed)"


def kernel_boot_id() -> str:
    """Identity of this boot of the machine: monotonic times are comparable within it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip().replace("-", "")


class Agent:
    """One running agent. ``run`` returns after SIGTERM or SIGINT."""

    def __init__(self, config: AgentConfig, clock: Clock, ledger: Ledger | None) -> None:
        """Opens the stores; raises StoreError. ``ledger`` is a witness for tests, None in service."""
        self._config = config
        self._directory = config.outbox.directory
        self._clock = clock
        self._log = structlog.get_logger().bind(agent=config.name)
        self._started_wall_ns = clock.wall_ns()
        self._stop_reason = ""
        self._stopping = asyncio.Event()
        self._setting_aside: asyncio.Task[None] | None = None
        self._status_fault: str | None = None
        self._control = ControlServer(self._directory, {"status": self._tell_status, "live": self._tell_live})
        outbox = _outbox_settings(config)
        self._events = EventStore.open(self._directory, config.name, outbox, clock, kernel_boot_id(), ledger)
        self._catalogue = self._events.catalogue(config.points)
        self._events.set_origin(
            software(), config.config_hash, self._catalogue.version, org=config.organisation,
            clock_state=kernel_clock_state,
        )  # fmt: skip
        self._telemetry = TelemetryStore.open(self._directory, self._events, outbox, clock, ledger)
        self._telemetry.set_catalogue(self._catalogue)
        self._lifecycle = Lifecycle(self._events, config.name, config.organisation, config.keys, clock)
        self._drivers = make_drivers(config, self._catalogue, clock, self._directory)
        self._acquired = [Acquisition(", ".join(driver.devices)) for driver in self._drivers]
        self._engine = detect.Engine(self._catalogue, clock.mono_ns())
        _, standing = self._events.conditions()
        self._orphans = self._restore(standing)
        self._live = LiveTable(
            self._engine, self._catalogue.version, clock, lambda: self._events.epoch, self._device_scans
        )
        self._pipeline = Pipeline(
            self._engine,
            Reporter(self._catalogue, AgentName(config.name), self._events.boot_id, kernel_clock_state, standing),
            Reducer(self._catalogue),
            self._events,
            self._telemetry,
            self._live,
        )
        self._uplinks = [
            Uplink(
                Peer(each.name, each.endpoints, each.server_keys.curve_public),
                config.keys, self._events, self._telemetry, clock, self._hello, self._live, self._forked,
            )
            for each in config.destinations
        ]  # fmt: skip

    # -- life --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        detect.warm()
        gc.freeze()  # what start-up made stays: searching it for garbage again and again would delay alarms
        self._listen_to_stores()
        self._record_start()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._ask_to_stop, signal.Signals(number).name)
        self._log.info(
            "agent_running", epoch=self._events.epoch, points=len(self._catalogue), devices=len(self._config.devices),
            boot_id=self._events.boot_id,
        )  # fmt: skip
        await self._open_control()
        uplinks = [asyncio.create_task(uplink.run(), name=f"uplink {uplink.peer.name}") for uplink in self._uplinks]
        work = [
            asyncio.create_task(acquire(driver, self._pipeline.accept, self._clock, seen), name=seen.devices)
            for driver, seen in zip(self._drivers, self._acquired, strict=True)
        ]
        work += [
            asyncio.create_task(self._tick(), name="ticks"),
            asyncio.create_task(self._report_status(), name="status"),
            asyncio.create_task(self._write_checkpoints(), name="checkpoints"),
        ]
        try:
            await self._until_stopped(work + uplinks)
        finally:
            await self._shut_down(work, uplinks)

    async def _until_stopped(self, tasks: list[asyncio.Task[None]]) -> None:
        """Returns when asked to stop; raises what any task raised."""
        asked = asyncio.create_task(self._stopping.wait())
        done, _ = await asyncio.wait([asked, *tasks], return_when=asyncio.FIRST_COMPLETED)
        if asked not in done:
            asked.cancel()
            for task in done:
                task.result()

    async def _shut_down(self, work: list[asyncio.Task[None]], uplinks: list[asyncio.Task[None]]) -> None:
        await self._control.close()
        await _cancel(work)
        for driver in self._drivers:
            await driver.close()
        try:
            async with asyncio.timeout(FLUSH_AT_STOP_S):
                await self._record_stop()
        except TimeoutError:
            self._log.error("stop_not_recorded", storage=self._events.health().failing)
        until_ns = self._clock.mono_ns() + DRAIN_AT_STOP_NS
        await asyncio.gather(*(uplink.drain(until_ns) for uplink in self._uplinks))
        await _cancel(uplinks)
        self._write_status(stopped=True)
        await self._telemetry.close()
        await self._events.close()
        self._log.info("agent_stopped", reason=self._stop_reason)

    async def _record_stop(self) -> None:
        self._lifecycle.stop(self._stop_reason or "failure")
        await self._events.flush()
        self._lifecycle.checkpoint()
        await self._telemetry.flush_all()
        await self._events.flush()

    def _ask_to_stop(self, reason: str) -> None:
        self._stop_reason = reason
        self._stopping.set()

    def _listen_to_stores(self) -> None:
        """Commits happen in the stores' threads; their news hop into the loop."""
        loop = asyncio.get_running_loop()

        def events(committed: list[Committed]) -> None:
            loop.call_soon_threadsafe(self._events_committed, committed)

        def telemetry(_first: int, last: int) -> None:
            loop.call_soon_threadsafe(self._telemetry_committed, last)

        def replaced(aside: SetAside) -> None:
            loop.call_soon_threadsafe(self._store_replaced, aside)

        self._events.on_commit(events)
        self._events.on_replaced(replaced)
        self._telemetry.on_commit(telemetry)

    def _events_committed(self, committed: list[Committed]) -> None:
        for uplink in self._uplinks:
            uplink.events_committed(committed)

    def _telemetry_committed(self, last_seq: int) -> None:
        for uplink in self._uplinks:
            uplink.telemetry_committed(last_seq)

    def _record_start(self) -> None:
        self._lifecycle.start(unclean_stop=self._events.unclean_stop, points=len(self._catalogue))
        former = self._events.note_config(self._config.config_hash)
        if former is not None:
            self._lifecycle.config_changed(former, self._config.config_hash)
        if self._events.replaced is not None:
            self._lifecycle.store_replaced(self._events.replaced, ())
        for condition in self._orphans:
            self._lifecycle.close_condition(condition)
        self._lifecycle.checkpoint()

    def _forked(self, fork: session.Forked) -> None:
        """Our numbers belong to somebody else's history: begin a new one. The old files are kept beside it."""
        if self._setting_aside is None or self._setting_aside.done():
            self._setting_aside = asyncio.create_task(self._begin_new_epoch(fork), name="fork")

    async def _begin_new_epoch(self, fork: session.Forked) -> None:
        former = await self._events.set_aside("fork")
        self._lifecycle.forked(fork, former.former_epoch)

    def _store_replaced(self, aside: SetAside) -> None:
        """Another epoch has begun, after a fork or because a file turned out to be corrupt."""
        self._log.error("store_set_aside", reason=aside.reason, kept_as=aside.kept_as, epoch=self._events.epoch)
        self._lifecycle.start(unclean_stop=False, points=len(self._catalogue))
        self._lifecycle.store_replaced(aside.reason, aside.kept_as)
        for uplink in self._uplinks:
            uplink.epoch_changed()

    # -- tasks -------------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        watch = StepWatch(self._clock)
        due_ns = self._clock.mono_ns()
        while True:
            due_ns = max(due_ns + TICK_PERIOD_NS, self._clock.mono_ns())
            await self._clock.sleep_until(due_ns)
            self._pipeline.tick(self._clock.wall_ns(), self._clock.mono_ns())
            if step_ns := watch.step_ns():
                self._log.warning("clock_step", step_ns=step_ns)
                self._lifecycle.clock_step(step_ns)

    async def _report_status(self) -> None:
        written_ns, written_states = 0, None
        while True:
            now_ns, states = self._clock.mono_ns(), self._states()
            if states != written_states or now_ns - written_ns >= STATUS_PERIOD_NS:
                written_ns, written_states = now_ns, states
                self._write_status(stopped=False)
            await self._clock.sleep_until(now_ns + STATUS_LOOK_NS)

    def _states(self) -> tuple[object, ...]:
        """What a change of is worth a new status file at once."""
        devices = [health.state for driver in self._drivers for health in driver.healths()]
        return (*devices, *((uplink.phase, uplink.refusal) for uplink in self._uplinks))

    def _write_status(self, *, stopped: bool) -> None:
        """A disk that is full or gone must not end the watch over the plant: said once per cause, tried again."""
        try:
            write_status(self._directory, {**self.status(), "stopped": stopped})
        except OSError as error:
            if self._status_fault != str(error):
                self._log.error("status_not_written", error=str(error))
            self._status_fault = str(error)
        else:
            self._status_fault = None

    async def _open_control(self) -> None:
        try:
            await self._control.start()
        except ControlError as error:
            self._log.error("no_control_socket", error=str(error))

    async def _tell_status(self, _request: Mapping[str, Any]) -> Answer:
        return {**self.status(), "stopped": False, "running": True}

    async def _tell_live(self, _request: Mapping[str, Any]) -> Answer:
        points = points_now(self._catalogue, self._engine, self._live.time_ns(), self._clock.mono_ns())
        return {"agent": self._config.name, "wall_ns": self._clock.wall_ns(), "points": points}

    async def _write_checkpoints(self) -> None:
        while True:
            await self._clock.sleep_until(self._clock.mono_ns() + CHECKPOINT_PERIOD_NS)
            self._lifecycle.checkpoint()

    # -- parts -------------------------------------------------------------------------------------------------------

    def _restore(self, standing: tuple[ConditionData, ...]) -> list[ConditionData]:
        """Hand standing conditions back to the kernel; returns those whose point is gone."""
        ids = {(point.organisation, point.was or point.tag): point.id for point in self._catalogue}
        ids |= {(point.organisation, point.tag): point.id for point in self._catalogue}
        known: list[tuple[int, ConditionKind, int]] = []
        orphans = []
        for condition in standing:
            point_id = ids.get((condition.org.split("/")[0], condition.tag))
            if point_id is None:
                orphans.append(condition)
            else:
                known.append((point_id, condition.kind, condition.level))
        self._engine.restore(known)
        return orphans

    def _hello(self) -> frames.Hello:
        return frames.Hello(
            protocol_lowest=frames.PROTOCOL_LOWEST,
            protocol_highest=frames.PROTOCOL_HIGHEST,
            features=FEATURES,
            software=software(),
            agent=AgentName(self._config.name),
            boot_id=self._events.boot_id,
            start_number=self._events.start_number,
            epoch=self._events.epoch,
            hash_algorithm=self._events.hash_algorithm,
            catalogue_version=self._catalogue.version,
            config_hash=self._config.config_hash,
            lanes={Lane.EVENTS: self._events.head(), Lane.TELEMETRY: self._telemetry.head()},
            wall_ns=self._clock.wall_ns(),
            mono_ns=self._clock.mono_ns(),
        )

    def _device_scans(self) -> dict[int, int]:
        ids = {point.device: point.id for point in self._catalogue if point.role is PointRole.DEVICE}
        healths = [health for driver in self._drivers for health in driver.healths()]
        return {ids[health.device]: health.last_good_scan_wall_ns or 0 for health in healths}

    def status(self) -> dict[str, Any]:
        """What the status file says."""
        as_of_seq, conditions = self._events.conditions()
        clock = kernel_clock_state()
        return {
            "agent": self._config.name,
            "pid": os.getpid(),
            "software": software(),
            "started_wall_ns": self._started_wall_ns,
            "written_wall_ns": self._clock.wall_ns(),
            "epoch": self._events.epoch,
            "boot_id": self._events.boot_id,
            "config_hash": self._config.config_hash,
            "kernel": "compiled" if jit.COMPILED else "interpreted",
            "clock": {"synchronised": clock.synchronised, "error_ns": clock.error_ns},
            "points": len(self._catalogue),
            "samples": self._pipeline.samples,
            "events_seq": self._events.head().seq,
            "telemetry_seq": self._telemetry.head().seq,
            "storage_bytes": self._events.bytes_used(),
            "storage": {"events": asdict(self._events.health()), "telemetry": asdict(self._telemetry.health())},
            "conditions": [each.to_json() for each in conditions],
            "conditions_as_of_seq": as_of_seq,
            "devices": [_plain(health) for driver in self._drivers for health in driver.healths()],
            "acquisition": [asdict(each) for each in self._acquired],
            "uplink": _sum_up([asdict(uplink.traffic) for uplink in self._uplinks]),
            "destinations": [
                {"name": uplink.peer.name, "endpoint": uplink.endpoint, "phase": uplink.phase.value,
                 "acked_events": uplink.acked(Lane.EVENTS), "acked_telemetry": uplink.acked(Lane.TELEMETRY),
                 "refusal": uplink.refusal}
                for uplink in self._uplinks
            ],
        }  # fmt: skip


def _outbox_settings(config: AgentConfig) -> OutboxSettings:
    return OutboxSettings(
        budget_bytes=config.outbox.budget_bytes,
        keep_acked_h=config.outbox.keep_acked_h,
        destinations=tuple(Destination(each.name, each.mandatory) for each in config.destinations),
        chunk_s=config.telemetry.chunk_s,
        spool_s=config.telemetry.spool_s,
    )


def _plain(health: object) -> dict[str, Any]:
    return {key: getattr(value, "value", value) for key, value in asdict(health).items()}  # type: ignore[call-overload]


def _sum_up(traffic: list[dict[str, int]]) -> dict[str, int]:
    return {key: sum(each[key] for each in traffic) for key in traffic[0]} if traffic else {}


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    log = structlog.get_logger()
    for task, result in zip(tasks, results, strict=True):
        if isinstance(result, Exception):
            log.error("task_failed", task=task.get_name(), error=repr(result))
