"""The loop of the ingest process: what is there is received, decided, committed in one transaction, then acknowledged.

One thread and no event loop: between an event's arrival and its commit lies nothing that could wait. Each turn drains
the socket up to a bound. SNAPSHOT and STATE are decided at once and batches queue behind them, so that a new condition
overtakes a backlog; of the queue a turn takes no more rows than commit in a fraction of a second.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

import sqlalchemy as sa
import structlog

from aggregator.agents.allowlist import AllowList
from aggregator.agents.queries import load_catalogue
from aggregator.alarms.book import Book
from aggregator.commands.desk import Desk
from aggregator.ingest import queries
from aggregator.ingest.accept import cut
from aggregator.ingest.admissions import record_admissions
from aggregator.ingest.group import Group
from aggregator.ingest.link import Incoming, Link
from aggregator.ingest.present import Activation
from aggregator.ingest.sessions import REPORT_PERIOD_NS, Sessions
from aggregator.ingest.streams import Streams
from aggregator.journal.checkpoints import CHECKPOINT_PERIOD_NS, checkpoint
from aggregator.journal.log import Draft, Journal, JournalKind
from aggregator.journal.repeats import Repeats
from aggregator.journal.witness import HeadWitness, resume
from aggregator.ledger import Ledger
from aggregator.live.board import LiveBoard, device_rows, value_rows
from aggregator.live.tables import DEVICES, SESSIONS, VALUES
from aggregator.store.db import writing
from contract.chain import ALGORITHMS
from contract.clock import NS_PER_S, Clock
from contract.errors import FrameError, StoreError
from contract.ids import ActivationId, AgentName, Lane
from contract.keys import SecretKeys
from contract.wire import codec, frames
from contract.wire.frames import Refuse, RefuseCode
from contract.wire.server import Deliver, ServerSession
from contract.wire.session import WINDOW, Send

MESSAGES_PER_TURN_MAX: Final = 512
COMMANDS_PER_TURN_MAX: Final = 16
QUEUE_BYTES_MAX: Final = 64 * 1024 * 1024
QUEUED_BATCHES_PER_AGENT_MAX: Final = 3 * WINDOW
"""Both lanes' windows and room for what was on its way; an agent above it breaks the protocol."""
ROWS_PER_COMMIT: Final = 250
"""No further rows are taken into a transaction that holds as many: what a person commands waits for one transaction."""
IDLE_MS: Final = 200
_HOUSEKEEPING_NS: Final = NS_PER_S

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Queued:
    """A batch that waits for its transaction."""

    session: ServerSession
    batch: frames.EventBatch | frames.TelemetryBatch
    size: int


@dataclass(frozen=True, slots=True)
class Parts:
    """What a Receiver is made of; ``app`` makes and closes them."""

    aggregator_id: str
    link: Link
    allow_list: AllowList
    connection: sa.Connection
    journal: Journal
    keys: SecretKeys
    board: LiveBoard
    clock: Clock
    head_witness: HeadWitness
    desk: Desk
    alarms: Book
    ledger: Ledger | None = None


class Receiver:
    """Owns everything that ingest remembers. A StoreError ends the process; the next one begins from the store."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._clock = parts.clock
        self._link = parts.link
        self._sessions = Sessions()
        self._malformed = Repeats(REPORT_PERIOD_NS)
        self._refusals = Repeats(NS_PER_S)
        self._queue: deque[Queued] = deque()
        self._queue_bytes = 0
        self._housekept_ns = self._checkpointed_ns = self._drained_ns = self._clock.mono_ns()
        with parts.connection.begin():
            self._streams = Streams(
                queries.load_epochs(parts.connection), queries.load_conditions(parts.connection),
                queries.load_standing(parts.connection), self._recall, parts.alarms,
            )  # fmt: skip
            self._recorded = queries.load_agents(parts.connection)

    # -- life --------------------------------------------------------------------------------------------------------

    def start(self, software: str, endpoint: str) -> None:
        """Put the start on record."""
        group = Group(self._clock.wall_ns())
        with self._parts.connection.begin():
            restored = resume(self._parts.connection, self._parts.journal, self._parts.head_witness, group.wall_ns)
        if restored is not None:
            log.error("journal_restored", **restored.data)
            group.drafts.append(restored)
        group.drafts.append(
            Draft(JournalKind.INGEST_START, group.wall_ns, {"software": software, "endpoint": endpoint})
        )
        self._recorded = record_admissions(group, self._parts.allow_list.entries, self._recorded)
        self._parts.alarms.expire(group)
        self._streams.raise_standing(group)
        self.commit_and_acknowledge(group)
        self._sign_checkpoint()
        self._parts.board.alive("ingest", self._clock.wall_ns(), endpoint)
        self._parts.board.flush()

    def run(self, is_stopping: Callable[[], bool], parent: int | None = None) -> None:
        """Turn until told to stop, or until ``parent``, a file descriptor, has news: its other end is gone."""
        while not is_stopping():
            if parent in self.turn():
                log.info("told_to_stop")
                return

    def stop(self) -> None:
        """Put the stop on record; sessions end, agents notice and wait."""
        group = Group(self._clock.wall_ns())
        for session in self._sessions:
            self._close(group, session, "stop")
        group.drafts.append(Draft(JournalKind.INGEST_STOP, group.wall_ns, {}))
        self.commit_and_acknowledge(group)
        self._sign_checkpoint()
        self._parts.board.flush()

    # -- one turn ----------------------------------------------------------------------------------------------------

    def turn(self) -> set[int]:
        """Wait for something, and carry it through to its acknowledgement; the watched descriptors that have news."""
        news = self._link.poll(0 if self._queue else IDLE_MS)
        self._serve_commands()
        group = Group(self._clock.wall_ns())
        self._watch_the_door(group)
        self._drain(group)
        if self._queue and group.is_to_be_written():
            # What overtakes the queue does not wait for a transaction full of it either.
            self.commit_and_acknowledge(group)
            group = Group(self._clock.wall_ns())
        self._take_batches(group)
        self._parts.alarms.expire(group)
        self.commit_and_acknowledge(group)
        self._keep_house()
        return news

    def commit_and_acknowledge(self, group: Group) -> None:
        """First on disk, then witnessed, then acknowledged; in no other order."""
        self._commit(group)
        self._witness(group)
        self._acknowledge(group)

    def _serve_commands(self) -> None:
        """Each in a transaction of its own, so that one decision sees what the one before it wrote."""
        for _ in range(COMMANDS_PER_TURN_MAX):
            asked = self._link.receive_command()
            if asked is None:
                return
            routing_id, data = asked
            try:
                group, answer = self._parts.desk.serve(self._new_group, data)
            except FrameError as error:
                self._note_malformed("commands", error)
                continue
            self.commit_and_acknowledge(group)
            self._link.answer_command(routing_id, answer)

    def _new_group(self) -> Group:
        return Group(self._clock.wall_ns())

    def _commit(self, group: Group) -> None:
        if not group.is_to_be_written():
            return
        try:
            with writing(self._parts.connection):
                queries.write(self._parts.connection, group, self._parts.journal)
        except (sqlite3.Error, sa.exc.SQLAlchemyError) as error:
            raise StoreError(f"cannot commit: {error}") from error

    def _witness(self, group: Group) -> None:
        if self._parts.ledger is not None:
            self._parts.ledger.append(group.ledger, self._clock.mono_ns())

    def _acknowledge(self, group: Group) -> None:
        for routing_id, frame in group.replies:
            self._link.send(routing_id, codec.encode(frame))
        for routing_id, (session, heads) in group.acks.items():
            for output in session.acknowledge(heads):
                assert isinstance(output, Send)
                self._link.send(routing_id, codec.encode(output.frame))

    # -- who speaks --------------------------------------------------------------------------------------------------

    def _watch_the_door(self, group: Group) -> None:
        allow_list = self._parts.allow_list
        if allow_list.reload():
            self._recorded = record_admissions(group, allow_list.entries, self._recorded)
            for session in self._sessions:
                if self._recorded[session.agent]["revoked_reason"] is not None:
                    group.reply(session.routing_id, Refuse(RefuseCode.REVOKED, "this key was revoked"))
                    self._close(group, session, "revoked")
        if not self._link.has_handshakes:
            return
        for key in self._link.answer_handshakes(lambda key: allow_list.name_of(key) is not None):
            self._refuse_link(group, key)

    def _refuse_link(self, group: Group, key: str) -> None:
        cause = "revoked" if self._parts.allow_list.is_revoked(key) else "unknown_key"
        self._sessions.refuse_link(group, cause, key, self._clock.mono_ns())

    def _drain(self, group: Group) -> None:
        for _ in range(MESSAGES_PER_TURN_MAX):
            if self._queue_bytes >= QUEUE_BYTES_MAX:
                return
            looked_ns = self._clock.mono_ns()
            incoming = self._link.receive()
            if incoming is None:
                self._drained_ns = looked_ns
                return
            agent = self._parts.allow_list.name_of(incoming.key)
            if agent is None:
                self._refuse_link(group, incoming.key)
                self._refuse(group, incoming, RefuseCode.REVOKED, "this key is not admitted")
            else:
                self._receive(group, agent, incoming)

    def _receive(self, group: Group, agent: AgentName, incoming: Incoming) -> None:
        try:
            frame = codec.decode(incoming.data)
            if isinstance(frame, frames.Hello):
                self._hello(group, agent, incoming.routing_id, frame)
            else:
                self._hear(group, agent, incoming, frame, len(incoming.data))
        except FrameError as error:
            self._note_malformed(agent, error)
            self._refuse(group, incoming, RefuseCode.MALFORMED, str(error)[:200])

    def _hello(self, group: Group, agent: AgentName, routing_id: bytes, hello: frames.Hello) -> None:
        if not self._sessions.may_say_hello(group, agent, self._clock.mono_ns()):
            return
        algorithm = self._streams.algorithm(agent, hello.epoch) or hello.hash_algorithm
        if algorithm != hello.hash_algorithm or not _can_hash(algorithm):
            raise FrameError("HELLO.hash_algorithm", f"{hello.hash_algorithm} cannot be used for this epoch")

        def look_up(lane: Lane, seq: int) -> bytes | None:
            with self._parts.connection.begin():
                return queries.load_hash(self._parts.connection, agent, hello.epoch, lane, seq)

        known = self._streams.known(self._parts.aggregator_id, agent, hello, look_up)
        session = self._sessions.hello(group, agent, routing_id, hello, known, self._clock.mono_ns())
        if session is not None:
            self._forget_batches(agent)
            self._streams.enter(group, agent, hello)
            self._recall_points(agent, hello)
            self._show_session(session, connected=True)

    def _hear(self, group: Group, agent: AgentName, incoming: Incoming, frame: frames.Frame, size: int) -> None:
        session = self._sessions.of(agent)
        if session is None:
            self._refuse(group, incoming, RefuseCode.HELLO_REQUIRED, "no session on this link")
            return
        for output in session.receive(frame, incoming.routing_id, self._clock.mono_ns(), group.wall_ns):
            match output:
                case Deliver(delivered):
                    self._deliver(group, agent, session, delivered, size)
                case Send(reply):
                    group.reply(incoming.routing_id, reply)
                case _:
                    raise AssertionError(output)

    # -- what is said ------------------------------------------------------------------------------------------------

    def _deliver(self, group: Group, agent: AgentName, session: ServerSession, frame: frames.Frame, size: int) -> None:
        match frame:
            case frames.EventBatch() | frames.TelemetryBatch():
                self._enqueue(Queued(session, frame, size))
            case frames.CatalogueFrame():
                self._streams.take_catalogue(group, agent, frame)
            case frames.Snapshot() if frame.epoch == session.hello.epoch:
                _check_owner(agent, (condition.activation for condition in frame.conditions))
                self._streams.take_snapshot(group, agent, frame)
            case frames.State() if frame.epoch == session.hello.epoch:
                _check_owner(agent, [frame.condition.activation])
                self._streams.take_state(group, agent, frame)
            case frames.Live() if frame.epoch == session.hello.epoch:
                points = self._streams.points(agent, frame.epoch, frame.catalogue_version)
                self._parts.board.put(VALUES, value_rows(agent, frame, points, group.wall_ns))
                self._parts.board.put(DEVICES, device_rows(agent, frame, points))
            case _:
                raise FrameError(type(frame).__name__, "speaks of another epoch than the session")

    def _enqueue(self, queued: Queued) -> None:
        if sum(each.session is queued.session for each in self._queue) >= QUEUED_BATCHES_PER_AGENT_MAX:
            raise FrameError("window", f"more than {QUEUED_BATCHES_PER_AGENT_MAX} batches are waiting")
        self._queue.append(queued)
        self._queue_bytes += queued.size

    def _take_batches(self, group: Group) -> None:
        while self._queue and (room := ROWS_PER_COMMIT - len(group.events) - len(group.chunks)) > 0:
            queued = self._queue.popleft()
            self._queue_bytes -= queued.size
            if isinstance(queued.batch, frames.EventBatch):
                part, rest = cut(queued.batch, room)
                rejected = self._streams.take_events(group, queued.session, part)
                if rest is not None and rejected is None:
                    self._queue.appendleft(replace(queued, batch=rest))
                    self._queue_bytes += queued.size
            else:
                rejected = self._streams.take_telemetry(group, queued.session, queued.batch)
            if rejected is not None:
                self._note_malformed(queued.session.agent, FrameError(rejected.code.value, rejected.reason))
                group.reply(queued.session.routing_id, Refuse(rejected.code, rejected.reason))

    def _forget_batches(self, agent: AgentName) -> None:
        """A new session sends again what an older one had under way."""
        self._queue = deque(queued for queued in self._queue if queued.session.agent != agent)
        self._queue_bytes = sum(queued.size for queued in self._queue)

    def _recall(self, ids: Iterable[ActivationId]) -> list[Activation]:
        with self._parts.connection.begin():
            return queries.load_activations(self._parts.connection, ids)

    def _recall_points(self, agent: AgentName, hello: frames.Hello) -> None:
        version = self._streams.catalogue_version(agent, hello.epoch)
        if version and not self._streams.points(agent, hello.epoch, version):
            with self._parts.connection.begin():
                catalogue = load_catalogue(self._parts.connection, agent, hello.epoch, version)
            self._streams.remember_points(agent, hello.epoch, version, catalogue)

    # -- refusing ----------------------------------------------------------------------------------------------------

    def _refuse(self, group: Group, incoming: Incoming, code: RefuseCode, message: str) -> None:
        """Answer at most once a second per key and code: a flood is not echoed."""
        if self._refusals.due(f"{code} {incoming.key} {incoming.routing_id.hex()}", self._clock.mono_ns()) is not None:
            group.reply(incoming.routing_id, Refuse(code, message))

    def _note_malformed(self, agent: str, error: FrameError) -> None:
        count = self._malformed.due(f"{agent} {error.field:.64}", self._clock.mono_ns())
        if count is not None:
            log.warning("malformed", agent=agent, field=error.field, error=str(error)[:200], count=count)

    def _close(self, group: Group, session: ServerSession, reason: str) -> None:
        self._sessions.close(group, session, reason)
        self._forget_batches(AgentName(session.agent))
        self._show_session(session, connected=False)

    # -- every second ------------------------------------------------------------------------------------------------

    def _keep_house(self) -> None:
        now_ns = self._clock.mono_ns()
        if now_ns - self._housekept_ns >= _HOUSEKEEPING_NS:
            self._housekept_ns = now_ns
            self._close_silent()
            self._report_leftover(now_ns)
            self._parts.board.alive("ingest", self._clock.wall_ns())
            self._note_head()
            for session in self._sessions:
                self._show_session(session, connected=True)
            if now_ns - self._checkpointed_ns >= CHECKPOINT_PERIOD_NS:
                self._sign_checkpoint()
        self._parts.board.flush_if_due(now_ns)

    def _close_silent(self) -> None:
        """Silent is who had said nothing when the socket was last seen empty: a slow disk of ours is not their fault."""
        group = Group(self._clock.wall_ns())
        for session in self._sessions.silent(self._drained_ns):
            self._close(group, session, "silent")
        self.commit_and_acknowledge(group)

    def _report_leftover(self, now_ns: int) -> None:
        self._sessions.report_leftover(now_ns)
        self._refusals.leftover(now_ns)
        for key, count in self._malformed.leftover(now_ns):
            log.warning("repeated", what=f"malformed {key}", count=count)

    def _sign_checkpoint(self) -> None:
        self._checkpointed_ns = self._clock.mono_ns()
        parts = self._parts
        with parts.connection.begin():
            draft = checkpoint(parts.connection, parts.aggregator_id, parts.keys, self._clock.wall_ns())
            parts.journal.append(parts.connection, [draft])
        self._note_head()

    def _note_head(self) -> None:
        with self._parts.connection.begin():
            head = self._parts.journal.open(self._parts.connection, self._clock.wall_ns())
        self._parts.head_witness.note(head)

    def _show_session(self, session: ServerSession, *, connected: bool) -> None:
        heard_ns = self._clock.wall_ns() - (self._clock.mono_ns() - session.heard_ns)
        hello = session.hello
        row = {
            "agent": session.agent, "connected": connected, "epoch": hello.epoch, "software": hello.software,
            "boot_id": hello.boot_id, "heard_ns": heard_ns,
        }  # fmt: skip
        self._parts.board.put(SESSIONS, [row])


def _check_owner(agent: AgentName, activations: Iterable[ActivationId]) -> None:
    if any(activation.agent != agent for activation in activations):
        raise FrameError("activation", "is another agent's")


def _can_hash(algorithm: str) -> bool:
    return algorithm in ALGORITHMS and algorithm in hashlib.algorithms_available
