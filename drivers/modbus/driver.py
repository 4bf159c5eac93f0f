"""A Modbus device as a driver: timetable, requests and decoding tied together.

Points and settings come from the edge agent; sample batches go back to it, one per reply as soon as it is decoded. Every
turn of a group gives a row for each of its points, whatever happened, and first of all one for the device itself.

What happened to a request decides the rows of its points:

- values arrived: the values;
- exception 01, 02, 03: BAD_CONFIG; a merged request that got 02 or 03 is read place by place from the next turn on;
- any other exception: BAD_DEVICE_FAILURE;
- no valid answer: BAD_COMM_FAILURE, also for the rest of the group in this turn, since the connection is gone. The
  request goes to the end of the group's queue, so that one the device never answers cannot starve the others.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

import numpy as np

from contract.batch import SampleBatch
from contract.clock import NS_PER_S, Clock
from contract.errors import ConfigError, Fault
from contract.points import PointRole, PointSpec
from contract.quality import Quality
from drivers.base import DeviceHealth, DeviceState
from drivers.modbus.address import examine
from drivers.modbus.link import Answer, FailureReason, ModbusLink
from drivers.modbus.planner import Limits, ReadRequest, plan, predicted_us, split
from drivers.modbus.registers import BlockDecoder, RegisterPoint
from drivers.modbus.schedule import Timetable
from drivers.modbus.settings import ModbusTcpSettings

_ILLEGAL = frozenset({1, 2, 3})
"""Exceptions that say the configuration is wrong: function, address, value."""
_ILLEGAL_PLACE = frozenset({2, 3})
_UNIT_SILENT = frozenset({0x0A, 0x0B})
"""A gateway answered for its unit, which it cannot reach (Modbus application protocol 1.1b3, clause 7): no answer."""
_NOT_ASKED = frozenset({FailureReason.WAITING, FailureReason.UNREACHABLE})
"""Failures before the request was on the wire: it is not the one to blame."""


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """A request and what decodes its reply."""

    request: ReadRequest
    decoder: BlockDecoder


@dataclass(slots=True, eq=False)
class _Group:
    """Points with one poll period, and the requests that read them, in order of asking."""

    poll_s: float
    points: list[RegisterPoint]
    queue: list[_Read] = field(default_factory=list)

    @property
    def requests(self) -> list[ReadRequest]:
        return [read.request for read in self.queue]

    def read(self, request: ReadRequest) -> _Read:
        return _Read(request, BlockDecoder(request, self.points))

    def postpone(self, read: _Read) -> None:
        self.queue.remove(read)
        self.queue.append(read)

    def refine(self, read: _Read) -> None:
        """Replace a refused request by one per place; a request for a single place stays as it is."""
        parts = split(read.request, [point.address for point in self.points])
        if parts == (read.request,):
            return
        place = self.queue.index(read)
        self.queue[place : place + 1] = [self.read(part) for part in parts]


@dataclass(slots=True, eq=False)
class _Turn:
    """One pass over a group."""

    group: _Group
    pending: deque[_Read]
    device_told: bool = False
    answered_all: bool = True


class ModbusDriver:
    """One device on one connection. See ``drivers.base.Driver`` for the methods."""

    def __init__(
        self, settings: ModbusTcpSettings, points: Sequence[PointSpec], clock: Clock, rng: random.Random
    ) -> None:
        own = [spec for spec in points if spec.role is PointRole.DEVICE]
        assert len(own) == 1, "a device has exactly one point of its own"
        self._own = own[0]
        self._settings = settings
        self._clock = clock
        self._link = ModbusLink(settings, clock, rng)
        measured = [spec for spec in points if spec.role is not PointRole.DEVICE]
        placed, self._faults = _place(measured, settings)
        self._groups = [] if self._faults else _groups(placed, settings)
        self._faults += self._check_whole(measured)
        self._timetable: Timetable | None = None
        self._state = DeviceState.CONNECTING
        self._last_answer_mono_ns: int | None = None
        self._last_good_scan_wall_ns: int | None = None

    @property
    def device(self) -> str:
        return self._own.device

    @property
    def devices(self) -> tuple[str, ...]:
        return (self.device,)

    def check(self) -> list[Fault]:
        return list(self._faults)

    def plan_report(self) -> list[str]:
        lines = []
        for group in self._groups:
            busy_ms = predicted_us(group.requests, self._settings.pause_ms) / 1000
            lines.append(
                f"{self.device}: every {group.poll_s:g} s {len(group.queue)} request(s) for {len(group.points)} point(s), "
                f"about {busy_ms:.0f} ms ({busy_ms / group.poll_s / 10:.1f} % of the bus)"
            )
        return lines

    async def run(self) -> AsyncGenerator[SampleBatch, None]:
        if self._faults:
            raise ConfigError(self._faults)
        periods_ns = [round(group.poll_s * NS_PER_S) for group in self._groups]
        self._timetable = Timetable(periods_ns, self._clock.mono_ns())
        while True:
            due = self._timetable.next()
            await self._clock.sleep_until(due.mono_ns)
            group = self._groups[due.group]
            turn = _Turn(group, deque(group.queue))
            while turn.pending:
                yield await self._step(turn)
            if turn.answered_all:
                self._last_good_scan_wall_ns = self._clock.wall_ns()
            self._timetable.finish(due.group, self._clock.mono_ns())

    def health(self) -> DeviceHealth:
        return DeviceHealth(
            device=self.device,
            state=self._state,
            last_answer_mono_ns=self._last_answer_mono_ns,
            requests=self._link.requests,
            failures=self._link.failures,
            reconnects=max(0, self._link.connects - 1),
            last_failure=self._link.last_failure,
            last_good_scan_wall_ns=self._last_good_scan_wall_ns,
            missed_turns=self._timetable.missed if self._timetable else 0,
        )

    def healths(self) -> tuple[DeviceHealth, ...]:
        return (self.health(),)

    async def close(self) -> None:
        self._link.close()

    async def _step(self, turn: _Turn) -> SampleBatch:
        """Ask the next request of a turn; the rows that follow from what came back."""
        outcome = await self._link.read(turn.pending[0].request)
        answered = isinstance(outcome, Answer) and outcome.exception not in _UNIT_SILENT
        if isinstance(outcome, Answer) and answered:
            rows = self._answered(turn, outcome)
        else:
            waited = isinstance(outcome, Answer) or outcome.reason not in _NOT_ASKED
            rows = self._unanswered(turn, postpone=waited)
        if turn.device_told:
            return rows
        turn.device_told = True
        return SampleBatch.concat([self._device_row(rows, answered=answered), rows])

    def _answered(self, turn: _Turn, answer: Answer) -> SampleBatch:
        read = turn.pending.popleft()
        self._last_answer_mono_ns = answer.mono_ns
        if answer.exception is None:
            return read.decoder.decode(answer.payload, answer.time_ns, answer.mono_ns)
        if answer.exception in _ILLEGAL_PLACE:
            turn.group.refine(read)
        quality = Quality.BAD_CONFIG if answer.exception in _ILLEGAL else Quality.BAD_DEVICE_FAILURE
        return read.decoder.failed(quality, answer.time_ns, answer.mono_ns)

    def _unanswered(self, turn: _Turn, *, postpone: bool) -> SampleBatch:
        """The connection is gone, or the unit behind its gateway: the rest of the turn is not asked any more."""
        turn.answered_all = False
        if postpone:
            turn.group.postpone(turn.pending[0])
        time_ns, mono_ns = self._clock.wall_ns(), self._clock.mono_ns()
        rows = [read.decoder.failed(Quality.BAD_COMM_FAILURE, time_ns, mono_ns) for read in turn.pending]
        turn.pending.clear()
        return SampleBatch.concat(rows)

    def _device_row(self, rows: SampleBatch, *, answered: bool) -> SampleBatch:
        """The device's own row, stamped as the rows it leads.

        The first outcome of a turn decides it: a device that answered has answered, and after a failure nothing else
        is asked.
        """
        self._state = DeviceState.ANSWERING if answered else DeviceState.SILENT
        row = SampleBatch.zeros(1)
        row.point[0], row.time_ns[0], row.mono_ns[0] = self._own.id, rows.time_ns[0], rows.mono_ns[0]
        row.value[0] = 1.0 if answered else np.nan
        row.raw[0] = 1 if answered else 0
        row.quality[0] = Quality.GOOD if answered else Quality.BAD_COMM_FAILURE
        return row

    def _check_whole(self, measured: Sequence[PointSpec]) -> list[Fault]:
        """Faults that no single point has."""
        if not measured:
            remedy = "Add its points to the list, or take the device out"
            return [Fault("points.csv", None, "device", f"device {self.device} has no points", remedy)]
        share = sum(predicted_us(g.requests, self._settings.pause_ms) / (g.poll_s * 1e6) for g in self._groups)
        if share <= 1:
            return []
        message = f"device {self.device} would be busy for {share:.0%} of the time"
        return [Fault("points.csv", None, "poll_s", message, "Poll less often, or shorten pause_ms of the device")]


def _place(specs: Sequence[PointSpec], settings: ModbusTcpSettings) -> tuple[list[RegisterPoint], list[Fault]]:
    placed, faults = [], []
    for spec in specs:
        address, found = examine(spec)
        faults += [Fault("points.csv", None, f.column, f"{spec.tag}: {f.message}", f.remedy) for f in found]
        if address is None:
            continue
        placed.append(RegisterPoint(spec, address))
        if address.width > _limits(settings).places(address.table):
            message = f"{spec.tag} takes {address.width} registers, the device gives {settings.max_registers} at a time"
            faults.append(Fault("agent.toml", None, "max_registers", message, f"Allow {address.width} or more"))
    return placed, faults


def _groups(points: Sequence[RegisterPoint], settings: ModbusTcpSettings) -> list[_Group]:
    """One group per poll period, the shortest first, each with its planned requests."""
    by_period: dict[float, list[RegisterPoint]] = {}
    for point in points:
        by_period.setdefault(point.spec.poll_s, []).append(point)
    groups = [_Group(poll_s, members) for poll_s, members in sorted(by_period.items())]
    for group in groups:
        requests = plan([point.address for point in group.points], _limits(settings))
        group.queue = [group.read(request) for request in requests]
    return groups


def _limits(settings: ModbusTcpSettings) -> Limits:
    return Limits(settings.max_registers, settings.max_bits, settings.max_gap)
