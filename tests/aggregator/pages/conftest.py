"""A real aggregator in its two processes, an agent that raises alarms, and real browsers that look at them.

One server per module, since starting it takes seconds. A browser that sees an error on its console, or asks any other
address than the server's, fails the test that opened it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from aggregator.agents import allowlist
from aggregator.commands.channel import CommandClient
from aggregator.commands.messages import Command
from aggregator.folder import make
from aggregator.journal.followers import read_newest
from aggregator.people.passwords import hash_new
from aggregator.store import db
from contract.batch import SampleBatch
from contract.events import EventType
from contract.ids import Lane
from contract.keys import generate
from contract.points import Catalogue, Limits, PointRole, PointSpec, PointType
from contract.wire import frames
from contract.wire.chunk import encode_chunk
from contract.wire.frames import Ack

PASSWORD = "correct horse battery"
DEADLINE_S = 30.0
EXPECT_S = 15.0
"""The cores are shared with whatever else runs; how quick it is, is measured elsewhere."""
BATCH = 500
SHELVE_MAX_H = 0.75
"""Between two of the choices that are offered."""
POINTS = 2000
PLC = PointSpec(1, "plc", "acme", "plc", PointRole.DEVICE, PointType.BIT, unit="state")
GAS = PointSpec(
    2, "AT-1", "acme/tank", "plc", scale=0.01, unit="mg/m3", range_low=0, range_high=3, limits=Limits(h=1.0)
)
BROKEN = PointSpec(3, "AT-2", "acme/tank", "plc", scale=0.1, unit="mg/m3", description="Chlorine at the pump")
SPECS = (
    PLC, GAS, BROKEN,
    *(PointSpec(100 + at, f"TT-{at:04}", "acme/hall", "plc", scale=0.1, unit="degC") for at in range(POINTS)),
)  # fmt: skip
REGISTER = """
[park]
name = { zh = "园区", en = "Park" }
map = { width = 400, height = 200 }
[[enterprise]]
org = "acme"
name = { zh = "甲", en = "A" }
[[source]]
org = "acme/tank"
name = { zh = "储罐", en = "Tank" }
substance = "Cl2"
level = 1
at = [20, 60, 100, 50]
[[detector]]
organisation = "acme"
tag = "AT-1"
at = [40, 80]
[[detector]]
organisation = "acme"
tag = "AT-2"
at = [90, 80]
"""
ROLES = {"zhang": "operator", "li": "engineer", "wang": "viewer"}


class ControlRoom:
    """``aggregator run`` on a folder of its own. ``raise_alarms`` speaks as an agent; ``sign_in`` gives a token."""

    def __init__(self, path: Path, mini_agent: Any) -> None:
        self.folder = make(path / "park", "park", "tcp://127.0.0.1:0", "127.0.0.1:0")
        self._set("shelve_max_h = 8", f"shelve_max_h = {SHELVE_MAX_H}")
        keys = generate("gate")
        allowlist.add(self.folder.agents_file, "gate", keys.public, 1)
        self.errors = path / "errors.log"
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "aggregator.cli", "run", str(self.folder.path)],
                stdout=subprocess.PIPE, stderr=errors, text=True,
            )  # fmt: skip
        endpoint, self.ingest_pid = self._serves("ingest")
        self.base, self.web_pid = self._serves("web")
        self.client = CommandClient(self.folder)
        for name, role in ROLES.items():
            self.command("user_add", name=name, role=role, scope="", password_hash=hash_new(name, PASSWORD))
        self.agent = mini_agent(SimpleNamespace(folder=self.folder, endpoint=endpoint, turn_until=_until), "gate", keys)
        self._on: dict[str, int] = {}

    def _set(self, before: str, after: str) -> None:
        settings = self.folder.settings_file.read_text(encoding="utf-8")
        assert before in settings
        self.folder.settings_file.write_text(settings.replace(before, after), encoding="utf-8")

    def _serves(self, child: str) -> tuple[str, int]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = re.match(rf"{child} serves (\S+) \(pid (\d+)\)", line)
            if found:
                return found[1], int(found[2])
        raise AssertionError(self.errors.read_text())

    def command(self, verb: str, **args: Any) -> None:
        self.client.send(Command(verb, args, None, "tests"))

    def sign_in(self, name: str) -> str:
        answer = httpx.post(f"{self.base}/api/v1/session", json={"name": name, "password": PASSWORD}, timeout=20)
        assert answer.status_code < 300, answer.text
        return answer.cookies["parksentry_session"]

    def records(self) -> list[tuple[int, dict[str, Any]]]:
        """(number, open part) of the newest records, in their order."""
        with db.open_reader(self.folder.database).begin() as connection:
            found = read_newest(connection)
        return [(each.entry.seq, json.loads(each.entry.open)) for each in reversed(found)]

    def since(self, seq: int) -> list[str]:
        """The kinds of what was put on record after this number."""
        return [record["kind"] for number, record in self.records() if number > seq]

    def alarm(self, tag: str) -> dict[str, Any]:
        """As the API tells it to the engineer."""
        cookies = {"parksentry_session": self.engineer}
        alarms = httpx.get(f"{self.base}/api/v1/alarms", cookies=cookies, timeout=DEADLINE_S).json()
        return next(each for each in alarms if each["tag"] == tag)

    def act(self, action: str, tag: str, **args: Any) -> None:
        """The engineer does it, through the API."""
        alarm = self.alarm(tag)
        answer = httpx.post(
            f"{self.base}/api/v1/alarms/{alarm['instance']}/{action}", json={"seen": alarm["revision"], **args},
            cookies={"parksentry_session": self.engineer}, timeout=DEADLINE_S,
        )  # fmt: skip
        assert answer.is_success, answer.text

    @cached_property
    def engineer(self) -> str:
        return self.sign_in("li")

    @contextmanager
    def web_stands_still(self) -> Iterator[None]:
        """What browsers send meanwhile reaches the web process together with all that happened."""
        os.kill(self.web_pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.web_pid, signal.SIGCONT)

    def raise_alarms(self, level: int, *tags: str) -> None:
        """Raise (1, 2), or let return to normal (0); returns once ingest has acknowledged, so after the commit."""
        self.agent.welcome()  # anew each time: between tests it is silent, which ends a session
        first = len(self.agent.records) + 1
        for tag in tags:
            self._turn(tag, level)
        last = len(self.agent.records)
        for start in range(first, last + 1, BATCH):
            end = min(start + BATCH - 1, last)
            self.agent.send(self.agent.batch(start, end))
            acked = 0
            while acked < end:
                acked = max(
                    [acked, *(each.lanes[Lane.EVENTS] for each in _until(self.agent.answers) if isinstance(each, Ack))]
                )

    def _turn(self, tag: str, level: int) -> None:
        activation = self._on.setdefault(tag, len(self.agent.records) + 1)
        condition = replace(
            self.agent.condition(tag, level, activation),
            on_time_ns=time.time_ns(), value=1.2 * level, unit="mg/m3", setpoint=1.0 * max(level, 1),
        )  # fmt: skip
        self.agent.event(EventType.CONDITION_ON if level else EventType.CONDITION_OFF, condition.to_json())
        if not level:
            del self._on[tag]

    def settle(self) -> None:
        """Acknowledge and reset whatever stands, so that counts begin at nothing."""
        self.raise_alarms(0, *self._on)
        with httpx.Client(base_url=f"{self.base}/api/v1", cookies={"parksentry_session": self.sign_in("zhang")}) as api:
            for action in ("acknowledge", "reset"):
                for alarm in api.get("/alarms").json():
                    api.post(f"/alarms/{alarm['instance']}/{action}", json={"seen": alarm["revision"]})

    def close(self) -> None:
        self.agent.close()
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


def _until(reached: Callable[[], Any]) -> Any:
    deadline_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline_s:
        found = reached()
        if found:
            return found
    raise AssertionError("not reached in time")


@pytest.fixture(scope="module")
def control_room(tmp_path_factory: pytest.TempPathFactory, mini_agent: Any) -> Iterator[ControlRoom]:
    with closing(ControlRoom(tmp_path_factory.mktemp("room"), mini_agent)) as room:
        yield room


class Station:
    """Keeps the agent talking; ``points`` are listed, the device is none of them. The test sets ``gas``; while it is ``silent`` the agent says nothing."""

    def __init__(self, room: ControlRoom) -> None:
        self._room = room
        self._agent = room.agent
        self.gas = 0.05
        self.points = len(SPECS) - 1
        self._stopping = threading.Event()

    def start(self) -> None:
        self._agent.welcome()
        self._agent.send(frames.CatalogueFrame(self._agent.epoch, Catalogue(1, SPECS)))
        self._agent.send(frames.TelemetryBatch(self._agent.epoch, 1, (), (self._chunk(),)))
        self.register(REGISTER)

    def register(self, text: str) -> str:
        """Draw the map of this register.toml; what it said before."""
        file = self._room.folder.path / "register.toml"
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        file.write_text(text, encoding="utf-8")
        return before

    @contextmanager
    def talking(self) -> Iterator[None]:
        self._stopping.clear()
        thread = threading.Thread(target=self._talk)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join()

    def _talk(self) -> None:
        self._agent.welcome()
        while not self._stopping.is_set():
            now_ns = time.time_ns()
            value = np.full(len(SPECS), 20.0)
            value[1], value[2] = self.gas, np.nan
            quality = np.zeros(len(SPECS), np.uint8)
            quality[2] = 0x81
            self._agent.send(frames.Live(
                self._agent.epoch, 1, time.monotonic_ns(), now_ns,
                np.array([spec.id for spec in SPECS], "<i4").tobytes(),
                np.full(len(SPECS), now_ns, "<i8").tobytes(), value.astype("<f8").tobytes(), quality.tobytes(),
                {1: now_ns},
            ))  # fmt: skip
            self._agent.answers()
            self._stopping.wait(0.5)

    def _chunk(self) -> bytes:
        batch = SampleBatch.zeros(20)
        batch.point[:] = GAS.id
        batch.mono_ns[:] = np.arange(1, 21) * 10_000_000_000
        batch.time_ns[:] = time.time_ns() - 250_000_000_000 + batch.mono_ns
        batch.raw[:], batch.value[:] = np.arange(20), np.nan
        return encode_chunk(batch, 1, "b" * 32, {GAS.id: GAS.type})


@pytest.fixture(scope="module")
def station(control_room: ControlRoom) -> Station:
    found = Station(control_room)
    found.start()
    return found


@pytest.fixture(scope="module")
def chromium(require_system: Callable[[str], str]) -> Iterator[Browser]:
    """Per module: while playwright runs, this thread has a running event loop, and other tests begin loops of their own."""
    path = require_system("chromium")
    expect.set_options(timeout=EXPECT_S * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visitor:
    """A browser of one person. ``faults`` is what must stay empty."""

    def __init__(self, chromium: Browser, room: ControlRoom, name: str | None, language: str) -> None:
        self.room = room
        self.faults: list[str] = []
        self.context = chromium.new_context(viewport={"width": 1600, "height": 900})
        self.context.set_default_timeout(DEADLINE_S * 1000)
        self.token = room.sign_in(name) if name else ""
        cookies = {"parksentry_language": language} | ({"parksentry_session": self.token} if name else {})
        self.context.add_cookies([{"name": key, "value": value, "url": room.base} for key, value in cookies.items()])
        self.page = self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", lambda request: self._note(request.url))
        self.page.on("websocket", lambda socket: self._note(socket.url.replace("ws", "http", 1)))

    def open(self, path: str) -> Page:
        self.page.goto(self.room.base + path)
        if not path.startswith("/login"):
            self.page.wait_for_function("document.getElementById('cr-time')?.textContent")
        return self.page

    def _hear(self, message: Any) -> None:
        # A refused sign-in is an answer with status 401, which a browser puts on its console by itself.
        if message.type == "error" and "401" not in message.text:
            self.faults.append(f"console: {message.text}")

    def _note(self, url: str) -> None:
        if not url.startswith((self.room.base, "data:", "blob:")):
            self.faults.append(f"asked {url}")


@pytest.fixture
def visit(chromium: Browser, control_room: ControlRoom) -> Iterator[Callable[..., Visitor]]:
    """``visit("zhang")`` opens a browser of that person; "" is nobody."""
    visitors: list[Visitor] = []

    def make_visitor(name: str = "zhang", language: str = "en") -> Visitor:
        visitors.append(Visitor(chromium, control_room, name or None, language))
        return visitors[-1]

    yield make_visitor
    for each in visitors:
        each.context.close()
    assert [fault for each in visitors for fault in each.faults] == []
