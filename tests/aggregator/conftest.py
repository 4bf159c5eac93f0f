"""A real aggregator folder with its receiver in this process, and agents reduced to what a session needs.

The receiver turns only when a test lets it, on a simulated clock; sockets, CURVE, SQLite and files are real.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import sqlalchemy as sa
import zmq
import zmq.utils.z85

from aggregator.agents import allowlist
from aggregator.agents.allowlist import AllowList
from aggregator.api.v1 import make_api
from aggregator.app import load_book, make_desk
from aggregator.commands.channel import CommandClient
from aggregator.commands.messages import Command
from aggregator.folder import Folder, make, migrate, write_private
from aggregator.ingest.link import Link
from aggregator.ingest.receiver import Parts, Receiver
from aggregator.journal.log import Journal
from aggregator.journal.witness import HeadWitness
from aggregator.ledger import Ledger
from aggregator.live.board import LiveBoard
from aggregator.people import passwords
from aggregator.people.rights import Caller
from aggregator.people.service import PeopleService, digest_of
from aggregator.people.tables import SESSIONS as USER_SESSIONS
from aggregator.people.tables import USERS
from aggregator.services import Services, make_services
from aggregator.store import db
from contract.chain import Record, digest, genesis, link
from contract.clock import NS_PER_S, SimulatedClock
from contract.events import ClockState, ConditionData, Event, EventType, Json, Origin, Stamp, encode_event
from contract.ids import ActivationId, AgentName, Epoch, Lane, new_epoch
from contract.keys import SecretKeys, generate
from contract.points import Catalogue, ConditionClass, ConditionKind, PointSpec
from contract.wire import frames
from contract.wire.codec import decode, encode
from contract.wire.frames import LaneHead

TURNS_MAX = 50
PASSWORD = "氯气 smells of bleach"
PASSWORD_HASH = passwords.hash_new("", PASSWORD)
TYPES = {0: EventType.CONDITION_OFF, 1: EventType.CONDITION_ON, 2: EventType.CONDITION_LEVEL}


class Park:
    """The aggregator under test. ``turn_until`` lets it work; ``restart`` ends it without a stop and begins anew."""

    def __init__(self, folder: Folder, clock: SimulatedClock) -> None:
        self.folder = folder
        self.clock = clock
        self.ledger_file = folder.path / "ledger.jsonl"
        self._stack = ExitStack()
        self.open()

    def open(self) -> None:
        migrate(self.folder)
        engine = db.open_writer(self.folder.database)
        self._stack.callback(engine.dispose)
        self.connection = self._stack.enter_context(engine.connect())
        keys = self.folder.secret_keys()
        self.link, self.board = Link(keys), LiveBoard(self.folder.live_database)
        self._stack.callback(self.link.close)
        self._stack.callback(self.board.close)
        ledger = Ledger(self.ledger_file)
        self._stack.callback(ledger.close)
        self.faults: list[Exception] = []
        allow_list = AllowList(self.folder.agents_file, self.faults.append)
        journal, head = Journal("park", "ingest"), HeadWitness(self.folder.head_file)
        self._stack.callback(head.close)
        self.book = load_book(self.connection, self.folder.settings())
        self.receiver = Receiver(
            Parts(
                "park", self.link, allow_list, self.connection, journal, keys, self.board, self.clock, head,
                make_desk(self.connection, self.book, self.clock), self.book, ledger,
            )
        )  # fmt: skip
        self.endpoint = self.link.bind("tcp://127.0.0.1:*")
        write_private(self.folder.command_file, self.link.bind_commands())
        self.receiver.start("tests", self.endpoint)

    def close(self) -> None:
        self._stack.close()

    def restart(self) -> None:
        self.close()
        self._stack = ExitStack()
        self.open()

    def turn_until(self, reached: Callable[[], Any], turns: int = TURNS_MAX) -> Any:
        for _ in range(turns):
            self.receiver.turn()
            found = reached()
            if found:
                return found
        raise AssertionError(f"not reached in {turns} turns")

    def serve(self, asked: Callable[[], Any]) -> Any:
        """What a caller in another thread gets, while this receiver answers his commands."""
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(asked)
            self.turn_until(asking.done, turns=10 * TURNS_MAX)
            return asking.result()

    def rows(self, query: str) -> list[Any]:
        with self.connection.begin():
            return list(self.connection.execute(sa.text(query)).all())

    def journal(self, *kinds: str) -> list[dict[str, Any]]:
        records = [json.loads(row.open) for row in self.rows("SELECT open FROM journal ORDER BY journal_epoch, seq")]
        return [record for record in records if not kinds or record["kind"] in kinds]

    def standing(self) -> set[tuple[str, int, int]]:
        """(tag, level, number of the activation) of conditions that are not normal."""
        rows = self.rows("SELECT tag, level, condition FROM conditions WHERE level > 0")
        return {(row.tag, row.level, int(json.loads(row.condition)["activation"]["seq"])) for row in rows}

    def ledger(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.ledger_file.read_text().splitlines()]


@dataclass
class MiniAgent:
    """An agent's end of the wire, with its own chain and no session logic: tests say what it sends."""

    park: Park
    name: str
    keys: SecretKeys
    epoch: Epoch = field(default_factory=new_epoch)
    boot_id: str = "b" * 32 + ".1"
    start_number: int = 1
    catalogue: int = 1
    socket: zmq.Socket[bytes] | None = None

    def __post_init__(self) -> None:
        self.context = zmq.Context()
        self.hashes = [genesis("sha256", self.name, self.epoch, "events")]
        self.records: list[Record] = []

    def connect(self) -> MiniAgent:
        if self.socket is not None:
            self.socket.close(0)
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.curve_secretkey = zmq.utils.z85.encode(self.keys.curve_secret)
        self.socket.curve_publickey = zmq.utils.z85.encode(self.keys.public.curve_public)
        self.socket.curve_serverkey = zmq.utils.z85.encode(self.park.folder.public_keys().curve_public)
        self.socket.connect(self.park.endpoint)
        return self

    def close(self) -> None:
        self.context.destroy(linger=0)

    # -- speaking ----------------------------------------------------------------------------------------------------

    def send(self, *messages: frames.Frame | bytes) -> None:
        assert self.socket is not None
        for message in messages:
            self.socket.send(message if isinstance(message, bytes) else encode(message))

    def answers(self) -> list[frames.Frame]:
        """What has come, waiting a moment for the first: the network is a thread of its own."""
        assert self.socket is not None
        found: list[frames.Frame] = []
        while self.socket.poll(0 if found else 20):
            found.append(decode(self.socket.recv()))
        return found

    def ask(self, *messages: frames.Frame | bytes) -> frames.Frame:
        """Send, and give the first answer."""
        self.send(*messages)
        found: list[frames.Frame] = self.park.turn_until(self.answers)
        return found[0]

    def acked(self, *messages: frames.Frame | bytes) -> int:
        """Send, and give what is acknowledged of the events lane then."""
        answer = self.ask(*messages)
        assert isinstance(answer, frames.Ack), answer
        return answer.lanes[Lane.EVENTS]

    def hello(self, **changed: Any) -> frames.Hello:
        last = len(self.records)
        table: dict[str, Any] = {
            "protocol_lowest": 1, "protocol_highest": 1, "features": (), "software": "tests", "agent": self.name,
            "boot_id": self.boot_id, "start_number": self.start_number, "epoch": self.epoch,
            "hash_algorithm": "sha256", "catalogue_version": self.catalogue, "config_hash": "c",
            "lanes": {Lane.EVENTS: LaneHead(last, self.hashes[last] if last else b""),
                      Lane.TELEMETRY: LaneHead(0, b"")},
            "wall_ns": 1, "mono_ns": 1,
        }  # fmt: skip
        return frames.Hello(**{**table, **changed})

    def welcome(self) -> frames.Welcome:
        """Connect anew and be let in."""
        answer = self.connect().ask(self.hello())
        assert isinstance(answer, frames.Welcome), answer
        return answer

    # -- records -----------------------------------------------------------------------------------------------------

    def add(self, record: Record) -> int:
        self.records.append(record)
        self.hashes.append(link("sha256", self.hashes[-1], record.digest("sha256")))
        return len(self.records)

    def event(self, event_type: EventType, data: dict[str, Json], **changed: Any) -> int:
        """Put an event on record; its number."""
        origin = Origin(AgentName(self.name), self.epoch, "tests", "c", 1)
        stamp = Stamp(1, 1, self.boot_id, ClockState(synchronised=True, error_ns=None))
        event = Event(event_type, "acme/tank", stamp, data, **changed)
        return self.add(encode_event(origin, len(self.records) + 1, event))

    def turn(self, tag: str, level: int, activation: int | None = None) -> ConditionData:
        """Put a change of a condition on record. Without ``activation`` this event turns it on."""
        condition = self.condition(tag, level, activation or len(self.records) + 1)
        event_type = TYPES[min(level, 1)] if activation is None or not level else EventType.CONDITION_LEVEL
        self.event(event_type, condition.to_json())
        return condition

    def condition(self, tag: str, level: int, activation: int) -> ConditionData:
        return ConditionData(
            tag=tag, org="acme/tank", kind=ConditionKind.HIGH, condition_class=ConditionClass.SAFETY, level=level,
            previous_level=0, activation=ActivationId(AgentName(self.name), self.epoch, activation), on_time_ns=1,
            value=float("nan"), unit="ppm", quality=0, setpoint=25.0, deadband=1.0, delay_ns=0, detector="limits/1",
            reason="limit",
        )  # fmt: skip

    def batch(
        self, first: int, last: int | None = None, gaps: tuple[frames.DeclaredGap, ...] = ()
    ) -> frames.EventBatch:
        """Records ``first`` to ``last``, without those in ``gaps``."""
        inside = {seq for gap in gaps for seq in range(gap.first, gap.last + 1)}
        numbers = [seq for seq in range(first, (last or len(self.records)) + 1) if seq not in inside]
        return frames.EventBatch(self.epoch, first, gaps, tuple(self.records[seq - 1] for seq in numbers))

    def gap(self, first: int, last: int) -> frames.DeclaredGap:
        return frames.DeclaredGap(first, last, "evicted", self.hashes[last])

    # -- points ------------------------------------------------------------------------------------------------------

    def declare(self, *points: PointSpec) -> None:
        """Send the next version of the list of points, and wait until it is committed."""
        catalogue = Catalogue(self.catalogue, tuple(sorted(points, key=lambda point: point.id)))
        self.send(frames.CatalogueFrame(self.epoch, catalogue))
        query = f"SELECT 1 FROM catalogues WHERE epoch = '{self.epoch}' AND version = {self.catalogue}"
        self.park.turn_until(lambda: self.park.rows(query))

    def show(self, values: dict[int, tuple[float, int]], scanned_s_ago: float = 0.0, device: int = 1) -> None:
        """LIVE: value and quality by id of point, and the last good scan of the device; waits until it is shown."""
        now_ns = self.park.clock.wall_ns()
        scanned_ns = now_ns - round(scanned_s_ago * NS_PER_S)
        point = np.array([*values], "<i4")
        self.send(frames.Live(
            self.epoch, self.catalogue, self.park.clock.mono_ns(), now_ns, point.tobytes(),
            np.full(len(point), now_ns, "<i8").tobytes(),
            np.array([value for value, _ in values.values()], "<f8").tobytes(),
            np.array([quality for _, quality in values.values()], np.uint8).tobytes(),
            {device: scanned_ns},
        ))  # fmt: skip
        for _ in range(3):  # the frame arrives, and the board is flushed
            self.answers()
            self.park.receiver.turn()
        self.park.board.flush()

    def chunks(self, first: int, *chunks: bytes) -> frames.TelemetryBatch:
        return frames.TelemetryBatch(self.epoch, first, (), chunks)

    def chunk_digest(self, chunk: bytes) -> bytes:
        return digest("sha256", chunk)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return make(tmp_path / "park", "park", "tcp://127.0.0.1:0", "127.0.0.1:0")


@pytest.fixture
def park(folder: Folder, clock: SimulatedClock) -> Iterator[Park]:
    found = Park(folder, clock)
    yield found
    found.close()


@pytest.fixture(scope="session")
def mini_agent() -> type[MiniAgent]:
    """For tests that have an aggregator of their own; needs ``park`` with folder, endpoint, turn_until."""
    return MiniAgent


@pytest.fixture
def make_agent(park: Park) -> Iterator[Callable[..., MiniAgent]]:
    """Makes an agent, admitted unless told otherwise, connected but not welcomed."""
    made: list[MiniAgent] = []

    def agent(name: str, *, admitted: bool = True, **changed: Any) -> MiniAgent:
        keys = changed.pop("keys", None) or generate(name)
        if admitted:
            allowlist.add(park.folder.agents_file, name, keys.public, 1)
        made.append(MiniAgent(park, name, keys, **changed))
        return made[-1].connect()

    yield agent
    for each in made:
        each.close()


@pytest.fixture
def agent(make_agent: Callable[..., MiniAgent]) -> MiniAgent:
    """An admitted agent whose session stands."""
    found = make_agent("gate")
    found.welcome()
    return found


@pytest.fixture
def client(park: Park) -> Iterator[CommandClient]:
    found = CommandClient(park.folder)
    yield found
    found.close()


@pytest.fixture
def add_user(park: Park, client: CommandClient) -> Callable[..., None]:
    """Adds somebody whose password is PASSWORD."""

    def add(name: str, role: str, scope: str = "") -> None:
        args: dict[str, Json] = {"name": name, "role": role, "scope": scope, "password_hash": PASSWORD_HASH}
        park.serve(lambda: client.send(Command("user_add", args, station="console")))

    return add


@pytest.fixture
def services(park: Park, client: CommandClient) -> Services:
    return make_services(park.folder, park.clock, client)


class Api:
    """Calls the API without a socket, as one browser or program: it keeps its cookies."""

    def __init__(self, park: Park, services: Services) -> None:
        self._park = park
        self._app = make_api(services)
        self.cookies = httpx.Cookies()
        self.headers: dict[str, str] = {}

    def __call__(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app, client=("192.0.2.7", 4711))
            async with httpx.AsyncClient(transport=transport, base_url="http://park", cookies=self.cookies) as client:
                found = await client.request(method, path, headers=self.headers | more.pop("headers", {}), **more)
                self.cookies = client.cookies
                return found

        answer: httpx.Response = self._park.serve(lambda: asyncio.run(ask()))
        return answer

    def sign_in(self, name: str) -> httpx.Response:
        return self("POST", "/session", json={"name": name, "password": PASSWORD})


@pytest.fixture
def make_api_client(park: Park, services: Services) -> Callable[[], Api]:
    return lambda: Api(park, services)


@pytest.fixture
def api(make_api_client: Callable[[], Api]) -> Api:
    return make_api_client()


@pytest.fixture
def people(park: Park) -> Iterator[PeopleService]:
    with closing(CommandClient(park.folder)) as client:
        yield PeopleService(park.folder, park.clock, client)


@pytest.fixture
def sign_in(park: Park) -> Callable[..., Caller]:
    """A person whose session stands, without the work of a password: ``sign_in(role="operator", scope="acme")``."""

    def caller(name: str = "wang", role: str = "viewer", scope: str = "") -> Caller:
        token, now_ns = f"token of {name}", park.clock.wall_ns()
        user = {"name": name, "role": role, "scope": scope, "password_hash": "", "disabled": False, "added_ns": now_ns}
        session = {"digest": digest_of(token), "user": name, "station": "tests", "begun_ns": now_ns}
        with park.connection.begin():
            park.connection.execute(db.upsert(USERS), user)
            park.connection.execute(
                db.upsert(USER_SESSIONS), session | {"ends_ns": now_ns + 3600 * NS_PER_S, "ended_ns": None}
            )
        return Caller(token, "tests")

    return caller
