"""One open page of one person: what its builder gets, and what keeps it live.

A page holds no data and no rights. It asks services with its ``caller``; they look up session and rights at that moment,
so a page whose session was revoked can do nothing more, and is sent to the login page as soon as the feed notices.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec, TypeVar
from urllib.parse import urlencode

import structlog
from nicegui import Client, background_tasks

from aggregator.alarms.service import AlarmView
from aggregator.commands.refusal import RefusalCode, RefusedError, UnavailableError
from aggregator.pages.alarm_bar import Bar, summarise
from aggregator.pages.feed import Feed
from aggregator.pages.surroundings import NOTHING, Surroundings, surroundings
from aggregator.pages.texts import Texts
from aggregator.people.rights import Caller, Person
from aggregator.services import Services
from contract.clock import NS_PER_MS, NS_PER_S

SESSION_CHECK_NS: Final = 2 * NS_PER_S
"""A session that ran out is noticed within this; one that was revoked at the feed's next look."""
LOOK_AROUND_NS: Final = 10 * NS_PER_S
"""Points and map are asked for anew after this; gateways at once when the feed sees one come or go."""
REFRESH_SHARE: Final = 1.0
"""After a refresh that took t, the next waits t × this: a flood makes a page coarser, never the server busy."""

P = ParamSpec("P")
R = TypeVar("R")
Refresh = Callable[[], Awaitable[None]]

log = structlog.get_logger()


class View:
    """What a page's builder gets. ``params`` are those of the path, ``query`` those behind the question mark."""

    def __init__(
        self, services: Services, feed: Feed, text: Texts, caller: Caller, person: Person, client: Client,
        path: str, params: Mapping[str, str], query: Mapping[str, str],
    ) -> None:  # fmt: skip
        self.services = services
        self.feed = feed
        self.text = text
        self.caller = caller
        self.person = person
        self.path = path
        self.params = params
        self.query = query
        self.standing: Sequence[AlarmView] = ()
        """Alarms that are not normal, or held, as of the last news; sorted for the operator."""
        self.around: Surroundings = NOTHING
        """Points, map and gateways of the person's scope, at most LOOK_AROUND_NS old."""
        self.left = False
        self._client = client
        self._on_news: list[Refresh] = []
        self._every_second: list[Refresh] = []
        self._show_bar: Callable[[Bar], None] = lambda bar: None
        self._fault = ""
        self._sounding: dict[str, str] = {}

    # -- for builders --------------------------------------------------------------------------------------------------

    async def ask(self, function: Callable[Concatenate[Caller, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """A service function with this page's caller, in a thread. Raises what it raises."""
        return await asyncio.to_thread(function, self.caller, *args, **kwargs)

    def on_news(self, refresh: Refresh) -> None:
        """Called after each change in the journal or around, when ``standing`` and ``around`` are fresh."""
        self._on_news.append(refresh)

    def every_second(self, refresh: Refresh) -> None:
        """For what is not in the journal: live values, ages."""
        self._every_second.append(refresh)

    def doing(self, do: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        """A handler that tells the person in words when what he wanted was refused."""

        @wraps(do)  # the page library looks at the signature to know whether to pass the event
        async def handle(*args: Any) -> None:
            if self.left:
                return
            try:
                await do(*args)
            except RefusedError as error:
                self.refused(error)
            except UnavailableError as error:
                self.tell(self.text.unavailable(error))

        return handle

    def refused(self, error: RefusedError) -> None:
        """In words; without a session the page is left."""
        if error.code is RefusalCode.NOT_SIGNED_IN:
            self.leave()
        else:
            self.tell(self.text.refusal(error))

    def tell(self, message: str) -> None:
        """Stays until it was read, below the alarm bar."""
        self.run(f"controlRoom.tell({json.dumps(message)})")

    def leave(self) -> None:
        """To the login page, which says why."""
        if not self.left:  # the feed and an action may both find out
            self.left = True
            self.run(f"controlRoom.leave({json.dumps(login_address(self.path, 'not_signed_in'))})")

    def run(self, script: str) -> None:
        self._client.run_javascript(script)

    def is_gone(self) -> bool:
        return self.left or self._client.is_deleted

    # -- for the shell -------------------------------------------------------------------------------------------------

    def follow(self, show_bar: Callable[[Bar], None]) -> None:
        """Keep this page live from the moment its browser connects until it goes."""
        self._show_bar = show_bar
        started = False

        def start() -> None:
            nonlocal started
            if not started:
                started = True
                background_tasks.create(self._live(), name=f"live {self.path}", context=self._client)

        self._client.on_connect(start)

    async def load_standing(self) -> Bar:
        self.standing = await self.ask(self.services.alarms.standing)
        return summarise(self.standing)

    async def look_around(self) -> bool:
        """Ask for what is around; whether it has changed."""
        services, before = self.services, self.around
        stations = await self.ask(services.agents.stations)
        points = await self.ask(services.points.points)
        plan = await self.ask(services.plant.view)
        self.around = surroundings(points, stations.agents, plan.detectors if plan.park is not None else ())
        return self.around != before

    async def _live(self) -> None:
        seen_journal = seen_people = -1
        checked_ns = looked_ns = second = 0
        seen_stations: tuple[object, ...] = ()
        bar = summarise(self.standing)
        with self.feed.listening() as woken:
            while not self.is_gone():
                pulse = self.feed.pulse
                started = asyncio.get_running_loop().time()
                try:
                    if pulse.people != seen_people or abs(pulse.wall_ns - checked_ns) >= SESSION_CHECK_NS:
                        self.person = await asyncio.to_thread(self.services.people.person, self.caller.token)
                        seen_people, checked_ns = pulse.people, pulse.wall_ns
                    news = pulse.journal != seen_journal
                    stations = (pulse.connected, pulse.ingest_is_alive)
                    if stations != seen_stations or abs(pulse.wall_ns - looked_ns) >= LOOK_AROUND_NS:
                        news |= await self.look_around()
                        seen_stations, looked_ns = stations, pulse.wall_ns
                    if news:
                        bar = await self.load_standing()
                        seen_journal = pulse.journal
                        self._show_bar(bar)
                        await _all(self._on_news)
                    if pulse.wall_ns // NS_PER_S != second:
                        second = pulse.wall_ns // NS_PER_S
                        await _all(self._every_second)
                    self._say(bar)
                    self._fault = ""
                except RefusedError as error:
                    if not self.is_gone():
                        self.refused(error)
                except Exception as error:
                    # Whatever broke in one page's refresh: the page stays, its veil tells, the next news tries again.
                    if type(error).__name__ != self._fault:
                        log.exception("page_refresh_failed", path=self.path)
                    self._fault = type(error).__name__
                await asyncio.sleep((asyncio.get_running_loop().time() - started) * REFRESH_SHARE)
                await woken.wait()
                woken.clear()

    def _say(self, bar: Bar) -> None:
        pulse = self.feed.pulse
        said = {
            "wall_ms": pulse.wall_ns // NS_PER_MS,
            "ingest_alive": pulse.ingest_is_alive,
            "ingest_age_s": pulse.ingest_age_s,
            "gateways_away": self.around.gateways_away(self.text),
            "sounding": self._new_sounds(bar),
        }
        self.run(f"controlRoom.state({json.dumps(said)})")

    def _new_sounds(self, bar: Bar) -> dict[str, Any]:
        """What began and what ceased to sound since this page was last told: in a flood all of it would be too much."""
        sounding = {each.id: each.tone for each in bar.sounding}
        begun = {id_: tone for id_, tone in sounding.items() if id_ not in self._sounding}
        ceased = [id_ for id_ in self._sounding if id_ not in sounding]
        self._sounding = sounding
        return {"begun": begun, "ceased": ceased}


def login_address(path: str, reason: str) -> str:
    return "/login?" + urlencode({"reason": reason, "next": path})


async def _all(refreshes: list[Refresh]) -> None:
    for refresh in refreshes:
        await refresh()
