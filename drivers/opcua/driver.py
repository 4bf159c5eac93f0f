"""An OPC UA server as a driver: sessions one after the other, and what they report as samples.

Points and settings come from the edge agent; sample batches go back to it as soon as the server's answer is here. While the
session lives its reports make the rows (``memory`` says which and why). When it is lost, or none can be had, every point is
BAD_COMM_FAILURE at once and again in each of its poll periods. A new session is tried after a back-off, doubling with jitter up
to ``reconnect_max_s``; only a publish response ends the back-off, since a server may let a client in and then say nothing.
At most one session is open at any time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Final

from contract.batch import SampleBatch
from contract.clock import NS_PER_S, Clock
from contract.errors import ConfigError, DeviceError, Fault
from contract.points import PointRole, PointSpec
from drivers.base import DeviceHealth, DeviceState
from drivers.opcua.address import NodeAddress, examine
from drivers.opcua.memory import Memory
from drivers.opcua.plan import Subscription, plan
from drivers.opcua.session import OpcUaSession, Opened, Published, Traffic
from drivers.opcua.settings import OpcUaSettings

BACK_OFF_MIN_S: Final = 0.2
PASSWORD_BYTES_MAX: Final = 1024
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
        self._faults += _check_whole(self.device, self._points, settings)
        polls_s = [spec.poll_s for spec in self._points]
        self._plan: tuple[Subscription, ...] = (
            () if self._faults else plan(polls_s, settings.publish_ms, settings.sampling_ms)
        )
        self._memory = Memory(self._own, self._points)
        self._traffic = Traffic()
        self._state = DeviceState.CONNECTING
        self._failures = 0
        self._fruitless = 0
        """Sessions tried since the last publish response."""
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

    def plan_report(self) -> list[str]:
        return [
            f"{self.device}: a subscription of {len(each.items)} point(s), published every {each.publish_ms:g} ms, "
            f"a sign of life every {each.publish_ms * each.keepalive_count:g} ms"
            for each in self._plan
        ]

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
        )

    def healths(self) -> tuple[DeviceHealth, ...]:
        return (self.health(),)

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
                    self.device, self._settings, self._nodes, self._clock, self._traffic, self._password()
                )
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
        return self._memory.opened(opened.readings, opened.time_ns, opened.mono_ns)

    def _published(self, news: Published) -> list[SampleBatch]:
        self._fruitless = 0
        self._answered(news.time_ns, news.mono_ns)
        return self._memory.published(news.changes, news.confirmed, news.time_ns, news.mono_ns)

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

    def _password(self) -> str | None:
        """Read anew for each session, so that a changed password needs no restart."""
        if self._settings.password_file is None:
            return None
        try:
            return _read_password(Path(self._settings.password_file))
        except (OSError, ValueError) as error:
            raise DeviceError(self.device, f"the password cannot be read ({error})") from error


def _place(specs: Sequence[PointSpec]) -> tuple[list[NodeAddress], list[Fault]]:
    nodes, faults = [], []
    for spec in specs:
        node, found = examine(spec)
        faults += [Fault("points.csv", None, f.column, f"{spec.tag}: {f.message}", f.remedy) for f in found]
        if node is not None:
            nodes.append(node)
    return nodes, faults


def _check_whole(device: str, points: Sequence[PointSpec], settings: OpcUaSettings) -> list[Fault]:
    """Faults that no single point has."""
    faults = []
    if not points:
        remedy = "Add its points to the list, or take the device out"
        faults.append(Fault("points.csv", None, "device", f"device {device} has no points", remedy))
    if settings.password_file is not None and settings.username is None:
        message = f"device {device} has a password and no user"
        faults.append(Fault("agent.toml", None, "username", message, "Name the user, or leave both out"))
    if settings.password_file is not None:
        try:
            _read_password(Path(settings.password_file))
        except (OSError, ValueError) as error:
            message = f"device {device}: the password cannot be read ({error})"
            faults.append(Fault("agent.toml", None, "password_file", message, "Give a file with one line of UTF-8"))
    return faults


def _read_password(path: Path) -> str:
    """The first line of a file. Raises OSError, or ValueError where it holds no password."""
    with path.open("rb") as file:
        data = file.read(PASSWORD_BYTES_MAX + 1)
    if len(data) > PASSWORD_BYTES_MAX:
        raise ValueError(f"more than {PASSWORD_BYTES_MAX} bytes")
    lines = data.decode().splitlines()
    if not lines or not lines[0]:
        raise ValueError("the first line is empty")
    return lines[0]
