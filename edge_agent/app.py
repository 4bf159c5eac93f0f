"""The composition root of the agent: makes every part, hands them to each other, starts and stops them.

Order of a start: stores, kernel, drivers, uplinks; the kernel is warm and the first event (``agent_start``) appended
before the first poll. Order of a stop: drivers, last events, stores flushed, uplinks given a moment to deliver.
"""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import structlog

from contract.clock import NS_PER_MS, NS_PER_S, Clock
from contract.errors import ConfigError, Fault
from contract.ids import AgentName, Lane
from contract.points import Catalogue, PointRole
from contract.wire import frames, session
from drivers.base import Driver
from edge_agent.acquire.tasks import Connections, let_go
from edge_agent.detect import engine as detect
from edge_agent.detect.kernels import jit
from edge_agent.lifecycle import Lifecycle
from edge_agent.outbox import refuge
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.ledger import Ledger
from edge_agent.outbox.reduce import Reducer
from edge_agent.outbox.rows import Committed, OutboxSettings, SetAside, outbox_settings
from edge_agent.outbox.telemetry_store import TelemetryStore
from edge_agent.pipeline import Pipeline
from edge_agent.recording.asked import make_recorder
from edge_agent.recording.last_state import LastState
from edge_agent.reloads import Reloads
from edge_agent.reporting import Reporter
from edge_agent.settings import model
from edge_agent.settings.agent_file import AGENT_FILE
from edge_agent.settings.changes import Changes, changes, points_told, told, what_needs_a_restart
from edge_agent.settings.connections import connections, make_drivers
from edge_agent.settings.load import load
from edge_agent.settings.model import AgentConfig, Connection
from edge_agent.settings.named_files import file_digests
from edge_agent.station.clock_state import StepWatch, kernel_clock_state
from edge_agent.station.control import Answer, ControlError, ControlServer
from edge_agent.station.machine import kernel_boot_id, software
from edge_agent.station.status import StatusFile, starting
from edge_agent.status_report import status_report
from edge_agent.telling import NOT_RESET, points_now
from edge_agent.transfer import Moment, restore, transfer
from edge_agent.uplink.links import Uplinks, cancel
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
IN_MEMORY: Final = "kept in memory, the disk takes nothing"
NOTHING_CHANGED: Final = "nothing changed"
NOT_WHILE_IT_RUNS: Final = ("cannot change while the agent runs", "Take the change back, or restart the agent")
FEATURES: Final = ("events", "telemetry", "live")


class Agent:
    """One running agent. ``run`` returns after SIGTERM or SIGINT."""

    def __init__(self, config: AgentConfig, clock: Clock, ledger: Ledger | None) -> None:
        """Opens the stores; raises StoreError. ``ledger`` is a witness for tests, None in service."""
        self._config = config
        self._place = refuge.choose(config.outbox.directory, clock.wall_ns())
        self._directory = self._place.directory
        self._clock = clock
        self._log = structlog.get_logger().bind(agent=config.name)
        self._started_wall_ns = clock.wall_ns()
        self._stop_reason = ""
        self._stopping = asyncio.Event()
        self._setting_aside: asyncio.Task[None] | None = None
        self._status_file = StatusFile(self._directory)
        self._control = ControlServer(
            self._directory,
            {
                "status": self._tell_status,
                "live": self._tell_live,
                "reload": self._tell_reload,
                "reset": self._tell_reset,
            },
        )
        outbox = self._outbox_settings(config)
        self._events = EventStore.open(self._directory, config.name, outbox, clock, kernel_boot_id(), ledger)
        self._catalogue = self._events.catalogue(config.points)
        self._events.set_origin(
            software(), config.config_hash, self._catalogue.version, org=config.organisation,
            clock_state=kernel_clock_state,
        )  # fmt: skip
        self._telemetry = TelemetryStore.open(self._directory, self._events, outbox, clock, ledger)
        self._telemetry.set_catalogue(self._catalogue)
        self._lifecycle = Lifecycle(self._events, config.name, config.organisation, config.keys, clock)
        self._engine = detect.Engine(self._catalogue, clock.mono_ns())
        _, standing = self._events.conditions()
        self._orphans, self._renamed = restore(self._catalogue, self._engine, standing)
        self._last_state = LastState(self._directory, clock)
        self._last_state.resume(self._engine, self._catalogue)
        self._live = LiveTable(
            self._engine, self._catalogue.version, clock, lambda: self._events.epoch, self._device_scans
        )
        self._reporter = Reporter(
            self._catalogue, AgentName(config.name), self._events.boot_id, kernel_clock_state, standing
        )
        self._recorder = make_recorder(config, self._events, self._started_wall_ns, clock)
        self._pipeline = Pipeline(
            self._engine,
            self._reporter,
            Reducer(self._catalogue),
            self._events,
            self._telemetry,
            self._live,
            self._recorder,
        )
        self._failed: asyncio.Task[Any] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._reloads = Reloads(self.reload, config.name, lambda: self._config.config_hash)
        self._connections = Connections(self._pipeline.accept, clock, self._watch)
        self._first_drivers = make_drivers(config, self._catalogue, clock, self._directory)
        self._named_files = file_digests(config.devices)
        self._uplinks = Uplinks(self._make_uplink, self._watch)
        self._reloading = asyncio.Lock()

    # -- life --------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        self._status_file.write(starting(self._config.name, self._clock.wall_ns()))
        detect.warm()
        gc.freeze()  # what start-up made stays: searching it for garbage again and again would delay alarms
        self._listen_to_stores()
        self._record_start()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._ask_to_stop, signal.Signals(number).name)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reloads.begin, "SIGHUP")
        self._log.info(
            "agent_running", epoch=self._events.epoch, points=len(self._catalogue), devices=len(self._config.devices),
            boot_id=self._events.boot_id, detectors=jit.description(),
        )  # fmt: skip
        await self._open_control()
        if self._recorder is not None:
            self._recorder.begin(self._engine, self._catalogue, self._config.config_hash, "start")
        self._uplinks.begin(self._config.destinations)
        self._connections.begin(self._first_drivers)
        work = [
            asyncio.create_task(self._tick(), name="ticks"),
            asyncio.create_task(self._report_status(), name="status"),
            asyncio.create_task(self._write_checkpoints(), name="checkpoints"),
            asyncio.create_task(self._last_state.keep(lambda: (self._engine, self._catalogue)), name="detector state"),
        ]
        for task in work:
            self._watch(task)
        try:
            await self._stopping.wait()
            if self._failed is not None:
                self._failed.result()
        finally:
            await self._shut_down(work)

    def _watch(self, task: asyncio.Task[None]) -> None:
        """A task that ends by itself, or fails, ends the agent: nothing may stand still unseen."""
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and not self._stopping.is_set():
            self._failed = task
            self._stopping.set()

    async def _shut_down(self, work: list[asyncio.Task[None]]) -> None:
        await self._control.close()
        # One that has begun is carried through: half of it must not be what the stop puts on record. No other begins.
        await self._reloading.acquire()
        await cancel(work)
        await self._connections.close()
        await self._last_state.save(self._engine, self._catalogue)
        try:
            async with asyncio.timeout(FLUSH_AT_STOP_S):
                await self._record_stop()
        except TimeoutError:
            self._log.error("stop_not_recorded", storage=self._events.health().failing)
        await self._uplinks.drain(self._clock.mono_ns() + DRAIN_AT_STOP_NS)
        await self._uplinks.close()
        self._status_file.write({**self.status(), "stopped": True})
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.close)
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
            loop.call_soon_threadsafe(self._uplinks.events_committed, committed)

        def telemetry(_first: int, last: int) -> None:
            loop.call_soon_threadsafe(self._uplinks.telemetry_committed, last)

        def replaced(aside: SetAside) -> None:
            loop.call_soon_threadsafe(self._store_replaced, aside)

        self._events.on_commit(events)
        self._events.on_replaced(replaced)
        self._telemetry.on_commit(telemetry)

    def _record_start(self) -> None:
        self._lifecycle.start(unclean_stop=self._events.unclean_stop, points=len(self._catalogue))
        former = self._events.note_config(self._config.config_hash)
        if former is not None:
            self._lifecycle.config_changed(former, self._config.config_hash)
        if self._events.replaced is not None:
            self._lifecycle.store_replaced(self._events.replaced, ())
        if self._place.disk_fault is not None:
            self._lifecycle.store_replaced(f"{IN_MEMORY}: {self._place.disk_fault}", ())
        for condition in self._orphans:
            self._lifecycle.close_condition(condition)
        for condition, point in self._renamed:
            self._events.append(self._reporter.renamed(condition, point, self._lifecycle.stamp()))
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
        self._uplinks.epoch_changed()

    # -- tasks -------------------------------------------------------------------------------------------------------

    async def _tick(self) -> None:
        watch = StepWatch(self._clock)
        while True:
            now_ns = self._clock.mono_ns()
            await self._clock.sleep_until(now_ns - now_ns % TICK_PERIOD_NS + TICK_PERIOD_NS)
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
                self._status_file.write({**self.status(), "stopped": False})
            await self._clock.sleep_until(now_ns + STATUS_LOOK_NS)

    def _states(self) -> tuple[object, ...]:
        """What a change of is worth a new status file at once."""
        devices = [health.state for health in self._connections.healths()]
        return (*devices, *((uplink.phase, uplink.refusal) for uplink in self._uplinks.all()))

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

    async def _tell_reset(self, request: Mapping[str, Any]) -> Answer:
        """Once the answer is there the end of the condition is on the disk."""
        tag = request.get("tag")
        point = next((point.id for point in self._catalogue if point.tag == tag), None)
        if point is None:
            raise ControlError(f"there is no point {tag!r} here; edge-agent watch lists them")
        refusal = self._pipeline.reset(point, self._clock.wall_ns(), self._clock.mono_ns())
        if refusal is not None:
            raise ControlError(f"{tag} {NOT_RESET[refusal]}")
        await self._events.flush()
        self._log.info("over_range_reset", tag=tag)
        return {"tag": tag}

    # -- reload ------------------------------------------------------------------------------------------------------

    async def _tell_reload(self, _request: Mapping[str, Any]) -> Answer:
        # Whoever asked may be sent away at a stop, and what was begun goes on.
        return await asyncio.shield(self._reloads.begin("command"))

    async def reload(self, asked_by: str) -> tuple[str, list[str]]:
        """Read the folder anew and carry out what differs; what was done, and what changed of points, in words. Raises ConfigError, and nothing has
        changed then. What can fail is done before the first change."""
        async with self._reloading:
            new = await asyncio.to_thread(load, self._config.directory)
            if keys := what_needs_a_restart(self._config, new):
                raise ConfigError([Fault(AGENT_FILE, None, key, *NOT_WHILE_IT_RUNS) for key in keys])
            named_files = await asyncio.to_thread(file_digests, new.devices)
            if (new.config_hash, named_files) == (self._config.config_hash, self._named_files):
                return NOTHING_CHANGED, []
            catalogue = self._events.proposed(new.points)
            drivers = make_drivers(new, catalogue, self._clock, self._directory)
            if faults := [fault for driver in drivers.values() for fault in driver.check()]:
                raise ConfigError(faults)
            former = connections(self._config, self._catalogue)
            points = points_told(self._config.points, new.points)
            renewed = {name for name, digest in named_files.items() if self._named_files.get(name) != digest}
            found = changes(self._config, former, new, connections(new, catalogue), renewed)
            await self._events.take_on(catalogue, new.config_hash)
            try:
                await self._carry_out(new, catalogue, found, drivers, asked_by)
            except BaseException:
                # A defect: with half of it done nobody may take silence for health. A start does the whole.
                self._failed = asyncio.current_task()
                self._stopping.set()
                raise
            self._named_files = named_files
            return told(found), points

    async def _carry_out(
        self,
        new: AgentConfig,
        catalogue: Catalogue,
        found: Changes,
        drivers: Mapping[Connection, Driver],
        asked_by: str,
    ) -> None:
        # The links end before the outbox forgets them: what they acknowledge is asked of it.
        await self._uplinks.end(found.destinations_ended)
        halted = await self._connections.halt(found.ended)
        self._switch(new, catalogue, found, asked_by)
        self._connections.begin({key: drivers[key] for key in drivers if key in found.begun}, halted)
        self._uplinks.begin(each for each in new.destinations if each.name in found.destinations_begun)
        for key in halted.keys() - found.begun:
            await let_go(halted[key])

    def _switch(self, new: AgentConfig, catalogue: Catalogue, found: Changes, asked_by: str) -> None:
        """One step for whoever else works in this loop: before it everything was judged and named by the former
        configuration, behind it by the new one."""
        now = Moment(self._clock.wall_ns(), self._clock.mono_ns())
        made = transfer(self._catalogue, self._engine, self._reporter, catalogue, found.read_anew, now)
        for name in found.destinations_ended:
            self._live.forget(name)
        outbox = self._outbox_settings(new)
        self._events.adopt(outbox)
        self._telemetry.adopt(outbox)
        if catalogue.version != self._catalogue.version:
            self._uplinks.catalogue_changed(catalogue)
        self._events.set_origin(software(), new.config_hash, catalogue.version)
        former, self._config, self._catalogue = self._config, new, catalogue
        if former.config_hash != new.config_hash:  # else only files that it names were renewed
            self._lifecycle.config_changed(former.config_hash, new.config_hash, asked_by)
        self._events.append(made.events)
        self._engine, self._reporter = made.engine, made.reporter
        self._pipeline.switch(catalogue, made.engine, made.reporter)
        if self._recorder is not None:
            self._recorder.begin(made.engine, catalogue, new.config_hash, "configuration")
        self._log.info("config_changed", asked_by=asked_by, former=former.config_hash, current=new.config_hash)

    async def _write_checkpoints(self) -> None:
        while True:
            await self._clock.sleep_until(self._clock.mono_ns() + CHECKPOINT_PERIOD_NS)
            self._lifecycle.checkpoint()

    # -- parts -------------------------------------------------------------------------------------------------------

    def _outbox_settings(self, config: AgentConfig) -> OutboxSettings:
        settings = outbox_settings(config)
        room = self._place.bytes_max
        return settings if room is None else replace(settings, budget_bytes=min(settings.budget_bytes, room))

    def _make_uplink(self, destination: model.Destination) -> Uplink:
        return Uplink(
            Peer(destination.name, destination.endpoints, destination.server_keys.curve_public),
            self._config.keys, self._events, self._telemetry, self._clock, self._hello, self._live, self._forked,
        )  # fmt: skip

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
        return {
            ids[each.device]: each.last_good_scan_wall_ns or 0
            for each in self._connections.healths()
            if each.device in ids
        }

    def status(self) -> dict[str, Any]:
        """What the status file says."""
        return {
            "agent": self._config.name,
            "started_wall_ns": self._started_wall_ns,
            "written_wall_ns": self._clock.wall_ns(),
            "config_hash": self._config.config_hash,
            "points": len(self._catalogue),
            "samples": self._pipeline.samples,
            "detector_state": self._last_state.told,
            "disk_fault": self._place.disk_fault,
            **status_report(software(), self._events, self._telemetry, self._connections, self._uplinks),
        }
