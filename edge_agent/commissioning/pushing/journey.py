"""One gateway's way through the plan: carries out each step and asks the table what follows."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from edge_agent.commissioning.pushing.connection import Access, Connection, GatewayError, LostError
from edge_agent.commissioning.pushing.difference import ConfigSet, differences
from edge_agent.commissioning.pushing.hosts import Target
from edge_agent.commissioning.pushing.losses import Polled, lost_acceptances, lost_points, polled_of
from edge_agent.commissioning.pushing.plan import Next, Outcome, Result, Step, follow
from edge_agent.commissioning.pushing.report import Report, judge
from edge_agent.commissioning.pushing.site import Present, Site
from edge_agent.settings.models.accepted import ACCEPTED_FILE

ASK_AGAIN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Order:
    """What all gateways of one push have in common."""

    access: Access
    agent_command: str
    start: str | None
    confirm_s: float
    dry_run: bool
    drop_accepted: bool


@dataclass(slots=True)
class Journey:
    """``run`` goes on to the question, ``ASK``; ``answer`` to the end. ``reason`` is why it did not end well."""

    target: Target
    directory: str
    files: ConfigSet
    polled: Polled
    order: Order
    at: Next = Step.CONNECT
    reason: str = ""
    difference: list[str] = field(default_factory=list)
    remarks: tuple[str, ...] = ()
    _connection: Connection | None = None
    _site: Site | None = None
    _present: Present | None = None
    _before: Report | None = None
    _hash: str = ""
    _version: str = ""

    async def run(self, told: Callable[[Journey], None]) -> None:
        """Up to the question, or to the end where there is none."""
        while isinstance(self.at, Step) and self.at is not Step.ASK:
            told(self)
            self.at = follow(self.at, await self._result(self.at))
        if isinstance(self.at, Outcome):
            await self.close()
        told(self)

    async def answer(self, told: Callable[[Journey], None], *, wanted: bool) -> None:
        assert self.at is Step.ASK
        self.at = follow(Step.ASK, self._answered(wanted=wanted))
        await self.run(told)

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    def _answered(self, *, wanted: bool) -> Result:
        if not wanted:
            return Result.NO
        return Result.OK if self.difference else Result.SAME

    async def _result(self, step: Step) -> Result:
        try:
            return await getattr(self, f"_{step.name.lower()}")()  # type: ignore[no-any-return]
        except GatewayError as error:
            self._note(step, str(error))
            return Result.FAILED
        except LostError:
            self._note(step, f"at the step: {step.value}; the gateway has a whole configuration, push again")
            return Result.LOST

    def _note(self, step: Step, reason: str) -> None:
        """The first reason is why; what goes wrong on the way back stands behind it."""
        self.reason = f"{self.reason}; {step.value}: {reason}" if self.reason else reason

    # -- steps -------------------------------------------------------------------------------------------------------

    async def _connect(self) -> Result:
        self._connection = await Connection.open(self.target, self.order.access)
        self._site = Site(self._connection, self.directory, self.order.agent_command)
        return Result.OK

    async def _fetch(self) -> Result:
        self._present = await self._here.fetch()
        self.difference = differences(self._present.files, self.files)
        if self.difference:
            before = await asyncio.to_thread(polled_of, self._present.files)
            self.difference += lost_points(before, self.polled)
        if not self.order.drop_accepted and (lost := lost_acceptances(self._present.files, self.files)):
            raise GatewayError(
                f"its {ACCEPTED_FILE} has what yours has not: {lost}. Take that into your folder; or, if it shall be gone, "
                "give --drop-accepted"
            )
        if self.order.dry_run:
            return Result.DRY
        self._before = await self._here.status()
        return Result.OK if self.difference else Result.SAME

    async def _look(self) -> Result:
        """A configuration that is there but was not confirmed, or that the agent does not run with, still has its way to go."""
        self._hash = await self._here.check(None)
        settled = self._present is not None and self._present.former is None
        running = self._before is not None and self._before.running
        agrees = self._before is not None and self._before.config_hash.startswith(self._hash)
        return Result.SAME if settled and running and agrees else Result.OK

    async def _upload(self) -> Result:
        self._version = _version()
        await self._here.upload(self._version, self.files)
        return Result.OK

    async def _check(self) -> Result:
        self._hash = await self._here.check(self._version)
        return Result.OK

    async def _switch(self) -> Result:
        assert self._present is not None
        if await self._here.switch(self._version, self._present, _version()):
            return Result.OK
        self.reason = "somebody else changed it since the difference was shown; push again"
        return Result.SAME

    async def _reload(self) -> Result:
        if await self._here.reload():
            return Result.OK
        if self.order.start is not None:
            return Result.START
        self.reason = "start it, then push again to confirm"
        return Result.NO

    async def _start(self) -> Result:
        await self._here.start(self.order.start or "")
        return Result.OK

    async def _confirm(self) -> Result:
        return await self._until_confirmed(self._hash, frozenset(self.polled))

    async def _confirm_back(self) -> Result:
        before = self._before
        if before is None:
            return Result.OK
        return await self._until_confirmed(before.config_hash, frozenset(before.devices))

    async def _until_confirmed(self, config_hash: str, devices: frozenset[str]) -> Result:
        until = asyncio.get_running_loop().time() + self.order.confirm_s
        while True:
            verdict = judge(self._before, await self._here.status(), config_hash, devices)
            self.remarks = verdict.remarks
            if not verdict.missing:
                return Result.OK
            if asyncio.get_running_loop().time() >= until:
                raise GatewayError(f"not confirmed within {self.order.confirm_s:g} s: {'; '.join(verdict.missing[:5])}")
            await asyncio.sleep(ASK_AGAIN_S)

    async def _accept(self) -> Result:
        await self._here.settle()
        return Result.OK

    async def _discard(self) -> Result:
        await self._here.discard(self._version)
        return Result.OK

    async def _roll_back(self) -> Result:
        return Result.OK if await self._here.roll_back() else Result.NO

    async def _reload_back(self) -> Result:
        return Result.OK if await self._here.reload() else Result.NO

    async def _settle(self) -> Result:
        await self._here.settle()
        return Result.OK

    @property
    def _here(self) -> Site:
        assert self._site is not None
        return self._site


def _version() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
