"""A real aggregator folder with its receiver in this process, and agents reduced to what a session needs.

The receiver turns only when a test lets it, on a simulated clock; sockets, CURVE, SQLite and files are real.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import zmq
import zmq.utils.z85

from aggregator.app import load_book, make_desk
from aggregator.folder import Folder, make, migrate, write_private
from aggregator.ingest import allowlist
from aggregator.ingest.allowlist import AllowList
from aggregator.ingest.link import Link
from aggregator.ingest.receiver import Parts, Receiver
from aggregator.journal.log import Journal
from aggregator.journal.witness import HeadWitness
from aggregator.ledger import Ledger
from aggregator.live.board import LiveBoard
from aggregator.store import db
from contract.chain import Record, digest, genesis, link
from contract.clock import SimulatedClock
from contract.events import ClockState, ConditionData, Event, EventType, Json, Origin, Stamp, encode_event
from contract.ids import ActivationId, AgentName, Epoch, Lane, new_epoch
from contract.keys import SecretKeys, generate
from contract.points import ConditionClass, ConditionKind
from contract.wire import frames
from contract.wire.codec import decode, encode
from contract.wire.frames import LaneHead

TURNS_MAX = 50
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
        self.link, board = Link(keys), LiveBoard(self.folder.live_database)
        self._stack.callback(self.link.close)
        self._stack.callback(board.close)
        ledger = Ledger(self.ledger_file)
        self._stack.callback(ledger.close)
        self.faults: list[Exception] = []
        allow_list = AllowList(self.folder.agents_file, self.faults.append)
        journal, head = Journal("park", "ingest"), HeadWitness(self.folder.head_file)
        self._stack.callback(head.close)
        self.book = load_book(self.connection, self.folder.settings())
        self.receiver = Receiver(
            Parts(
                "park", self.link, allow_list, self.connection, journal, keys, board, self.clock, head,
                make_desk(self.connection, self.book), self.book, ledger,
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
