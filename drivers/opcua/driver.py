"""An OPC UA server as a driver: sessions one after the other, and what they report as samples.

Points and settings come from the edge agent; sample batches go back to it as soon as the server's answer is here. While the
session lives its reports make the rows (``memory`` says which and why). When it is lost, or none can be had, every point is
BAD_COMM_FAILURE at once and again in each of its poll periods. A new session is tried after a back-off, doubling with jitter up
to ``reconnect_max_s``. A server may let a client in and then say nothing: after a loss, the back-off and the device's own BAD row
end when every subscription has said something, however well its nodes could be read.
At most one session is open at any time.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Final

from contract.batch import SampleBatch
from contract.clock import NS_PER_S, Clock
from contract.errors import ConfigError, DeviceError, Fault
from contract.points import PointRole, PointSpec, PointType
from drivers.base import DeviceHealth, DeviceState, PlanLine
from drivers.opcua.address import Address, AlarmAddress, examine
from drivers.opcua.connection import Traffic
from drivers.opcua.memory import Memory
from drivers.opcua.plan import Plan, Wish, plan, poll_plan
from drivers.opcua.security import Credentials, CredentialsError, read_credentials
from drivers.opcua.session import OpcUaSession, Opened, Published
from drivers.opcua.settings import OpcUaSettings

BACK_OFF_MIN_S: Final = 0.2
_DOUBLINGS_MAX: Final = 16


class OpcUaDriver:
    """One server over one session. See ``drivers.base.Driver`` for the methods."""

    def __init__(self, settings: OpcUaSettings, points: Sequence[PointSpec], clock: Clock, rng: random.Random) -> None:
        own = [spec for spec in points if spec.role is PointRole.DEVICE]
        assert len(own) == 1, "a device has exactly one point of its own"
        self._own = own[0]
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._points = [spec for spec in points if spec.role is not PointRole.DEVICE]
        self._nodes, self._faults = _place(self._points)
        self._faults += _check_whole(self.device, self._points, self._nodes, settings)
        self._plan = Plan((), ()) if self._faults else _plan(self._points, self._nodes, settings)
        self._memory = Memory(self._own, self._points)
        self._traffic = Traffic()
        self._state = DeviceState.CONNECTING
        self._failures = 0
        self._session: OpcUaSession | None = None
        """The latest, kept when it is lost for what it found out."""
        self._fruitless = 0
        """Sessions tried since one whose values flow."""
        self._last_failure: str | None = None
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

    def plan_report(self) -> list[PlanLine]:
        plan = self._plan
        spoken = [
            *((len(each.items), "published", each) for each in plan.subscriptions),
            *((len(each.items), "the server's alarms, told", each) for each in (plan.alarms,) if each is not None),
        ]
        return [
            self._plan_line(
                f"{how} every {each.publish_ms:g} ms, a sign of life every {each.publish_ms * each.keepalive_count:g} ms",
                points,
            )
            for points, how, each in spoken
        ] + [self._plan_line(f"read every {each.period_ms:g} ms", len(each.points)) for each in plan.polls]

    def _plan_line(self, how: str, points: int) -> PlanLine:
        return PlanLine(self._settings.endpoint, self.device, how, points)

    async def run(self) -> AsyncGenerator[SampleBatch, None]:
        if self._faults:
            raise ConfigError(self._faults)
        reports = self._reports()
        step: asyncio.Task[list[SampleBatch]] | None = None
        try:
            while True:
                step = asyncio.create_task(anext(reports))
                while not await self._arrived(step):
                    yield self._memory.still_lost(self._clock.wall_ns(), self._clock.mono_ns())
                for batch in step.result():
                    yield batch
        finally:
            if step is not None:
                step.cancel()
                await asyncio.wait({step})
            await reports.aclose()

    def health(self) -> DeviceHealth:
        return DeviceHealth(
            device=self.device,
            state=self._state,
            last_answer_mono_ns=self._last_answer_mono_ns,
            requests=self._traffic.requests,
            failures=self._failures,
            reconnects=max(0, self._traffic.connects - 1),
            last_failure=self._last_failure,
            last_good_scan_wall_ns=self._last_good_scan_wall_ns,
            missed_turns=self._traffic.missed_turns,
            slowed="; ".join(self._session.slowed) or None if self._session else None,
            refused=self._refusals(),
        )

    def healths(self) -> tuple[DeviceHealth, ...]:
        return (self.health(),)

    def _refusals(self) -> tuple[str, ...]:
        """Points by their tags, then what concerns many of them, then what the server's queues could not hold."""
        told: list[str] = []
        if self._session is not None:
            told += [f"{self._points[point].tag}: {why}" for point, why in sorted(self._session.refused.items())]
            told += self._session.restrictions
        if self._memory.overflows:
            told.append(f"values that did not fit into the server's queues, {self._memory.overflows} time(s)")
        return tuple(told)

    async def close(self) -> None:
        """Nothing is left to give back: ``run`` closes its session when it ends."""

    async def _arrived(self, step: asyncio.Task[list[SampleBatch]]) -> bool:
        """False when, without a session, rows are due before the step has ended."""
        timeout_s = None
        if self._state is DeviceState.SILENT:
            timeout_s = max(0, self._memory.next_row_mono_ns() - self._clock.mono_ns()) / NS_PER_S
        done, _ = await asyncio.wait({step}, timeout=timeout_s)
        return bool(done)

    async def _reports(self) -> AsyncGenerator[list[SampleBatch], None]:
        """Sessions for ever. Rows of a loss go out before anything is done about it."""
        while True:
            session: OpcUaSession | None = None
            try:
                session = OpcUaSession(
                    self.device, self._settings, self._nodes, self._clock, self._traffic, self._credentials()
                )
                self._session = session
                yield [self._opened(await session.open(self._plan))]
                while True:
                    yield self._published(await session.next())
            except DeviceError as error:
                yield [self._lost(error)]
            finally:
                if session is not None:
                    await session.close()
            await self._clock.sleep_until(self._clock.mono_ns() + self._back_off_ns())

    def _opened(self, opened: Opened) -> SampleBatch:
        self._answered(opened.time_ns, opened.mono_ns)
        answering = self._fruitless == 0 or self._flows()
        return self._memory.opened(opened.readings, opened.time_ns, opened.mono_ns, answering=answering)

    def _published(self, news: Published) -> list[SampleBatch]:
        if self._flows():
            self._fruitless = 0
            self._memory.answers()
        self._answered(news.time_ns, news.mono_ns)
        return self._memory.published(news.changes, news.confirmed, news.time_ns, news.mono_ns, read=news.read)

    def _flows(self) -> bool:
        assert self._session is not None
        return self._session.flows

    def _answered(self, time_ns: int, mono_ns: int) -> None:
        self._state = DeviceState.ANSWERING
        self._last_answer_mono_ns = mono_ns
        self._last_good_scan_wall_ns = time_ns

    def _lost(self, error: DeviceError) -> SampleBatch:
        self._state = DeviceState.SILENT
        self._failures += 1
        self._fruitless += 1
        self._last_failure = str(error)
        return self._memory.lost(self._clock.wall_ns(), self._clock.mono_ns())

    def _back_off_ns(self) -> int:
        doublings = min(self._fruitless - 1, _DOUBLINGS_MAX)
        ceiling_s: float = min(BACK_OFF_MIN_S * 2**doublings, self._settings.reconnect_max_s)
        return round(ceiling_s * self._rng.uniform(0.5, 1.0) * NS_PER_S)

    def _credentials(self) -> Credentials:
        """Read anew for each session, so that a changed password or certificate needs no restart."""
        try:
            return read_credentials(self._settings)
        except CredentialsError as error:
            raise DeviceError(self.device, f"{error.key} cannot be used ({error})") from error


def _plan(points: Sequence[PointSpec], nodes: Sequence[Address], settings: OpcUaSettings) -> Plan:
    wishes = [
        Wish(spec.poll_s, alarm=True) if isinstance(node, AlarmAddress) else _wish(spec)
        for spec, node in zip(points, nodes, strict=True)
    ]
    if settings.mode == "poll":
        return poll_plan(wishes)
    return plan(wishes, settings.publish_ms, settings.sampling_ms)


def _wish(spec: PointSpec) -> Wish:
    """A deadband may be left to the server only where nothing but the trend looks at the value: what is judged by set-points
    or by the instrument's range must be told of every change."""
    limits = spec.limits
    judged = (limits.ll, limits.l, limits.h, limits.hh, spec.range_low, spec.range_high)
    if not spec.report_deadband or spec.type is PointType.BIT or not all(map(math.isnan, judged)):
        return Wish(spec.poll_s)
    return Wish(spec.poll_s, spec.report_deadband / abs(spec.scale), max(spec.poll_s, spec.report_max_s))


def _place(specs: Sequence[PointSpec]) -> tuple[list[Address], list[Fault]]:
    nodes, faults = [], []
    for spec in specs:
        node, found = examine(spec)
        faults += [Fault("points.csv", None, f.column, f"{spec.tag}: {f.message}", f.remedy) for f in found]
        if node is not None:
            nodes.append(node)
    return nodes, faults


def _check_whole(
    device: str, points: Sequence[PointSpec], nodes: Sequence[Address], settings: OpcUaSettings
) -> list[Fault]:
    """Faults that no single point has."""
    faults = []
    if not points:
        remedy = "Add its points to the list, or take the device out"
        faults.append(Fault("points.csv", None, "device", f"device {device} has no points", remedy))
    if settings.mode == "poll" and any(isinstance(node, AlarmAddress) for node in nodes):
        remedy = "Leave the mode out, or take the alarms out of the list"
        faults.append(
            Fault("agent.toml", None, "mode", f"device {device}: an alarm of a server cannot be polled", remedy)
        )
    faults += [Fault("agent.toml", None, key, f"device {device}: {text}", do) for key, text, do in _misfits(settings)]
    if not any(fault.file == "agent.toml" for fault in faults):
        try:
            read_credentials(settings)
        except CredentialsError as error:
            message = f"device {device}: it cannot be used ({error})"
            faults.append(Fault("agent.toml", None, error.key, message, _REMEDIES[error.key]))
    return faults


def _misfits(settings: OpcUaSettings) -> Iterator[tuple[str, str, str]]:
    """Keys that go together, or not: key, message, remedy."""
    given = {key for key, value in settings if value is not None}
    for one, other in (
        ("password_file", "username"), ("user_certificate_file", "user_key_file"),
        ("user_key_file", "user_certificate_file"), ("certificate_file", "private_key_file"),
        ("private_key_file", "certificate_file"),
    ):  # fmt: skip
        if one in given and other not in given:
            yield other, f"{one} is there and {other} is not", f"Give {other}, or leave both out"
    if {"username", "user_certificate_file"} <= given:
        yield "username", "a user and a certificate for a user are two identities", "Leave one out"
    secured = {"certificate_file", "private_key_file", "server_certificate_file"}
    if settings.security == "None":
        for key in sorted(secured & given):
            yield "security", f"{key} is there, and security is None", "Name the security policy, or leave the file out"
    else:
        for key in sorted(secured - given):
            yield key, f"{settings.security} needs {key}", _REMEDIES[key]


_REMEDIES: Final = {
    "password_file": "Give a file with one line of UTF-8",
    "certificate_file": "Make one: edge-agent opcua-certificate FOLDER",
    "private_key_file": "Make one: edge-agent opcua-certificate FOLDER",
    "server_certificate_file": "Give the server's certificate, or a folder of those that are trusted",
    "user_certificate_file": "Give a certificate (DER or PEM) and its RSA key without a password",
}
