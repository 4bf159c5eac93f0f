"""The session: whatever is lost, doubled or killed, each number arrives exactly once and in order."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contract.chain import Record
from contract.clock import NS_PER_S
from contract.events import ConditionData
from contract.ids import ActivationId, AgentName, Epoch, Lane
from contract.points import ConditionClass, ConditionKind
from contract.wire import frames, server, session
from contract.wire.frames import DeclaredGap, LaneHead, RefuseCode
from contract.wire.session import AgentPhase, AgentSession, last_seq

EPOCH = Epoch("0" * 31 + "1")
AGENT = AgentName("store-1")
NONE = LaneHead(0, b"")


def hash_of(seq: int) -> bytes:
    return seq.to_bytes(32, "big")


def hello(last_event: int = 0, boot_id: str = "boot-a.1", start_number: int = 1) -> frames.Hello:
    lanes = {Lane.EVENTS: LaneHead(last_event, hash_of(last_event) if last_event else b""), Lane.TELEMETRY: NONE}
    return frames.Hello(1, 1, (), "s", AGENT, boot_id, start_number, EPOCH, "sha256", 1, "c", lanes, 0, 0)


def welcome(events_mark: int = 0, window: int = 2) -> frames.Welcome:
    head = LaneHead(events_mark, hash_of(events_mark) if events_mark else b"")
    return frames.Welcome(1, "park", {Lane.EVENTS: head}, 0, window, 1000, 0)


def streaming(committed: int = 0, mark: int = 0, window: int = 2) -> AgentSession:
    agent = AgentSession()
    agent.committed(Lane.EVENTS, committed)
    agent.start(hello(committed), 0)
    agent.receive(welcome(mark, window), 0)
    agent.verified({Lane.EVENTS: hash_of(mark) if mark else None}, 0)
    assert agent.phase is AgentPhase.STREAMING
    return agent


def records(count: int) -> list[Record]:
    return [Record(b"{}")] * count


def condition(seq: int) -> ConditionData:
    return ConditionData(
        "T", "E", ConditionKind.HIGH, ConditionClass.SAFETY, 1, 0, ActivationId(AGENT, EPOCH, seq), 0, 1.0, "1", 0, 1.0,
        0.0, 0, "d", "r",
    )  # fmt: skip


class TestAgent:
    def test_it_sends_what_lies_behind_the_mark_and_nothing_before(self) -> None:
        agent = streaming(committed=10, mark=7)
        assert agent.wants() == [session.Want(Lane.EVENTS, 7)]

    def test_a_mark_below_what_was_acknowledged_once_is_believed(self) -> None:
        """The aggregator was restored from an older backup and asks again."""
        agent = streaming(committed=10, mark=10)
        agent.start(hello(10), 1)
        agent.receive(welcome(4), 1)
        agent.verified({Lane.EVENTS: hash_of(4)}, 1)
        assert agent.wants() == [session.Want(Lane.EVENTS, 4)]

    def test_the_window_bounds_what_is_unacknowledged(self) -> None:
        agent = streaming(committed=10)
        for seq in (1, 2):
            agent.events(seq, records(1), (), 0)
        assert agent.wants() == []
        agent.receive(frames.Ack(EPOCH, {Lane.EVENTS: 1}), 0)
        assert agent.wants() == [session.Want(Lane.EVENTS, 2)]

    def test_an_ack_beyond_what_was_sent_is_not_believed(self) -> None:
        agent = streaming(committed=10)
        agent.events(1, records(2), (), 0)
        assert agent.receive(frames.Ack(EPOCH, {Lane.EVENTS: 9}), 0) == []
        assert agent.acked(Lane.EVENTS) == 0

    def test_an_ack_of_another_epoch_is_ignored(self) -> None:
        agent = streaming(committed=10)
        agent.events(1, records(2), (), 0)
        assert agent.receive(frames.Ack(Epoch("f" * 32), {Lane.EVENTS: 2}), 0) == []

    def test_trends_wait_while_events_are_unsent(self) -> None:
        agent = streaming(committed=10, window=8)
        agent.committed(Lane.TELEMETRY, 5)
        assert [want.lane for want in agent.wants()] == [Lane.EVENTS]
        agent.events(1, records(10), (), 0)
        assert [want.lane for want in agent.wants()] == [Lane.TELEMETRY]

    def test_a_differing_hash_at_the_mark_is_a_fork(self) -> None:
        agent = AgentSession()
        agent.committed(Lane.EVENTS, 9)
        agent.start(hello(9), 0)
        agent.receive(welcome(7), 0)
        assert agent.verified({Lane.EVENTS: hash_of(8)}, 0) == [session.Forked(Lane.EVENTS, 7, hash_of(8), hash_of(7))]
        assert agent.phase is AgentPhase.FORKED
        assert agent.wants() == []

    def test_a_mark_beyond_the_own_last_number_is_a_fork(self) -> None:
        agent = AgentSession()
        agent.committed(Lane.EVENTS, 3)
        agent.start(hello(3), 0)
        agent.receive(welcome(7), 0)
        assert [type(output) for output in agent.verified({Lane.EVENTS: None}, 0)] == [session.Forked]

    def test_a_row_gone_by_retention_is_no_fork(self) -> None:
        agent = AgentSession()
        agent.committed(Lane.EVENTS, 9)
        agent.start(hello(9), 0)
        agent.receive(welcome(7), 0)
        agent.verified({Lane.EVENTS: None}, 0)
        assert agent.wants() == [session.Want(Lane.EVENTS, 7)]

    def test_catalogues_and_snapshot_come_before_any_row(self) -> None:
        agent = AgentSession()
        agent.committed(Lane.EVENTS, 3)
        agent.start(hello(3), 0)
        agent.receive(welcome(0), 0)
        assert agent.wants() == []
        assert agent.verified({}, 0) == [session.SendCatalogues(0)]

    def test_a_state_overtakes_only_a_queue(self) -> None:
        agent = streaming(committed=1, window=8)
        assert agent.state(frames.State(EPOCH, 1, condition(1))) == []
        agent.committed(Lane.EVENTS, 100_000)
        overtaking = agent.state(frames.State(EPOCH, 100_000, condition(100_000)))
        assert [type(output) for output in overtaking] == [session.Send]

    def test_nothing_is_said_for_long_without_a_heartbeat(self) -> None:
        agent = streaming()
        agent.receive(frames.Heartbeat(0, 0), NS_PER_S)
        assert agent.tick(NS_PER_S, 5) == [session.Send(frames.Heartbeat(5, NS_PER_S))]

    def test_a_link_on_which_only_unanswered_frames_go_stays_up(self) -> None:
        agent, heard = streaming(), 0
        for tenth in range(1, 600):
            now_ns = tenth * NS_PER_S // 10
            agent.send(frames.Live(EPOCH, 1, now_ns, 0, b"", b"", b"", b"", {}))
            for output in agent.tick(now_ns, 0):
                assert isinstance(output, session.Send), output
                if isinstance(output.frame, frames.Heartbeat):  # all that an aggregator answers where nothing is owed
                    agent.receive(frames.Heartbeat(0, now_ns), now_ns)
                    heard += 1
        assert heard == 59

    def test_a_silent_aggregator_is_left(self) -> None:
        outputs = streaming().tick(10 * NS_PER_S, 0)
        assert outputs == [session.Reconnect("aggregator is silent")]

    def test_a_missing_welcome_opens_the_link_anew(self) -> None:
        agent = AgentSession()
        agent.start(hello(), 0)
        assert agent.tick(2 * NS_PER_S, 0) == []
        assert agent.tick(4 * NS_PER_S, 0) == [session.Reconnect("no WELCOME")]

    def test_batches_that_are_never_acknowledged_open_the_link_anew(self) -> None:
        agent = streaming(committed=1)
        agent.events(1, records(1), (), 0)
        for second in range(1, 16):
            agent.receive(frames.Heartbeat(0, 0), second * NS_PER_S)
            assert session.Reconnect("no ACK") not in agent.tick(second * NS_PER_S, 0)
        agent.receive(frames.Heartbeat(0, 0), 16 * NS_PER_S)
        assert agent.tick(16 * NS_PER_S, 0) == [session.Reconnect("no ACK")]

    def test_a_refused_agent_asks_again_after_a_while(self) -> None:
        agent = AgentSession()
        agent.start(hello(), 0)
        agent.receive(frames.Refuse(RefuseCode.NAME_MISMATCH, "no"), 0)
        assert agent.phase is AgentPhase.REFUSED
        assert agent.tick(NS_PER_S, 0) == []
        assert agent.tick(6 * NS_PER_S, 0) == [session.Reconnect("asking again after a refusal")]

    @pytest.mark.parametrize("phase", [AgentPhase.DOWN, AgentPhase.HELLO_SENT])
    def test_late_frames_of_a_former_session_change_nothing(self, phase: AgentPhase) -> None:
        agent = AgentSession()
        if phase is AgentPhase.HELLO_SENT:
            agent.start(hello(), 0)
        for late in (frames.Ack(EPOCH, {Lane.EVENTS: 1}), frames.Heartbeat(0, 0)):
            assert agent.receive(late, 0) == []
        assert agent.phase is phase


class TestServer:
    KNOWN = server.Known("park", {Lane.EVENTS: LaneHead(5, hash_of(5))}, {Lane.EVENTS: hash_of(5)}, 1)

    def judge(
        self,
        said: frames.Hello,
        known: server.Known = KNOWN,
        standing: server.ServerSession | None = None,
        now_ns: int = 0,
    ) -> list[server.ServerOutput]:
        return server.ServerSession.judge_hello("store-1", said, known, standing, now_ns, 0)

    def refusal(self, outputs: list[server.ServerOutput]) -> RefuseCode:
        last = outputs[-1]
        assert isinstance(last, session.Send)
        assert isinstance(last.frame, frames.Refuse)
        return last.frame.code

    def test_a_welcome_names_what_is_committed(self) -> None:
        (output,) = self.judge(hello(5))
        assert isinstance(output, session.Send)
        assert isinstance(output.frame, frames.Welcome)
        assert output.frame.lanes == self.KNOWN.lanes

    def test_anothers_name_is_refused(self) -> None:
        assert self.refusal(self.judge(replace(hello(), agent=AgentName("other")))) is RefuseCode.NAME_MISMATCH

    def test_a_protocol_of_the_future_is_refused(self) -> None:
        assert self.refusal(self.judge(replace(hello(), protocol_lowest=2, protocol_highest=3))) is (
            RefuseCode.PROTOCOL_VERSION
        )

    def test_an_agent_set_back_behind_our_mark_is_a_fork(self) -> None:
        outputs = self.judge(hello(3))
        assert isinstance(outputs[0], session.Forked)
        assert self.refusal(outputs) is RefuseCode.FORK

    def test_another_hash_at_the_agents_head_is_a_fork(self) -> None:
        known = replace(self.KNOWN, agent_heads={Lane.EVENTS: hash_of(99)})
        assert self.refusal(self.judge(hello(5), known)) is RefuseCode.FORK

    def test_two_live_machines_with_one_key_are_a_conflict(self) -> None:
        standing = server.ServerSession("store-1", hello(5, "boot-b.9", 9), b"r", 0)
        outputs = self.judge(hello(5, "boot-a.2", 2), standing=standing)
        assert outputs[0] == server.Conflict("boot-a.2", "boot-b.9")
        assert self.refusal(outputs) is RefuseCode.BOOT_CONFLICT

    def test_a_restart_on_the_same_machine_is_no_conflict(self) -> None:
        standing = server.ServerSession("store-1", hello(5, "boot-a.1", 1), b"r", 0)
        assert len(self.judge(hello(5, "boot-a.2", 2), standing=standing)) == 1

    def test_a_frame_over_another_link_is_asked_for_a_hello(self) -> None:
        peer = server.ServerSession("store-1", hello(), b"old", 0)
        (output,) = peer.receive(frames.EventBatch(EPOCH, 1, (), ()), b"new", 0, 0)
        assert isinstance(output, session.Send)
        assert isinstance(output.frame, frames.Refuse)
        assert output.frame.code is RefuseCode.HELLO_REQUIRED

    def test_a_batch_of_another_epoch_is_not_delivered(self) -> None:
        peer = server.ServerSession("store-1", hello(), b"r", 0)
        outputs = peer.receive(frames.EventBatch(Epoch("f" * 32), 1, (), ()), b"r", 0, 0)
        assert self.refusal(outputs) is RefuseCode.HELLO_REQUIRED

    def test_a_frame_meant_for_agents_is_refused(self) -> None:
        peer = server.ServerSession("store-1", hello(), b"r", 0)
        assert self.refusal(peer.receive(welcome(), b"r", 0, 0)) is RefuseCode.MALFORMED


@given(st.integers(1, 50), st.lists(st.integers(0, 3), min_size=0, max_size=5), st.integers(0, 5))
def test_the_last_number_of_a_batch_counts_rows_and_gaps(first: int, rows: list[int], tail: int) -> None:
    """A batch is runs of rows with a gap after each; its last number is that of the naive count."""
    gaps, seq = [], first
    for number, count in enumerate(rows):
        seq += count
        gaps.append(DeclaredGap(seq, seq + number, "evicted", b""))
        seq += number + 1
    assert last_seq(first, sum(rows) + tail, gaps) == seq + tail - 1


@dataclass
class Link:
    """A network that loses and doubles, between one agent and one aggregator, both of which may be killed."""

    chance: random.Random
    committed: int = 0
    received: list[int] = field(default_factory=list)
    """What the aggregator has committed, in order."""
    now_ns: int = 0
    agent: AgentSession = field(default_factory=AgentSession)
    standing: server.ServerSession | None = None
    inbox: list[frames.Frame] = field(default_factory=list)
    link_id: int = 0

    def open(self) -> None:
        self.link_id += 1
        self.inbox.clear()
        self.carry_out(self.agent.start(hello(self.committed), self.now_ns))

    def carry_out(self, outputs: list[session.AgentOutput]) -> None:
        for output in outputs:
            match output:
                case session.Send(frame):
                    for _ in range(self.chance.choice((0, 1, 1, 1, 2))):
                        self.inbox.append(frame)
                case session.Reconnect():
                    self.open()
                case session.CheckHeads(lanes):
                    heads = {lane: hash_of(head.seq) if head.seq else None for lane, head in lanes.items()}
                    self.carry_out(self.agent.verified(heads, self.now_ns))
                case session.Forked():
                    pytest.fail("nothing forked")
                case _:
                    pass

    def turn(self) -> None:
        self.now_ns += NS_PER_S // 2
        self.carry_out(self.agent.tick(self.now_ns, 0))
        for want in self.agent.wants():
            count = min(self.chance.randint(1, 4), self.committed - want.after_seq)
            self.carry_out(self.agent.events(want.after_seq + 1, records(count), (), self.now_ns))
        inbox, self.inbox = self.inbox, []
        for frame in inbox:
            self.serve(frame)

    def serve(self, frame: frames.Frame) -> None:
        routing_id = str(self.link_id).encode()
        if isinstance(frame, frames.Hello):
            mark = len(self.received)
            head = {Lane.EVENTS: LaneHead(mark, hash_of(mark) if mark else b"")}
            outputs = server.ServerSession.judge_hello(
                AGENT, frame, server.Known("p", head, {}, 0), None, self.now_ns, 0
            )
            self.standing = server.ServerSession(AGENT, frame, routing_id, self.now_ns)
        elif self.standing is None:
            outputs = [session.Send(frames.Refuse(RefuseCode.HELLO_REQUIRED, ""))]
        else:
            outputs = self.standing.receive(frame, routing_id, self.now_ns, 0)
        for output in outputs:
            if isinstance(output, server.Deliver) and isinstance(output.frame, frames.EventBatch):
                self.commit(output.frame)
            elif isinstance(output, session.Send):
                self.to_agent(output.frame)

    def commit(self, batch: frames.EventBatch) -> None:
        assert self.standing is not None
        numbers = range(batch.first_seq, batch.first_seq + len(batch.records))
        if batch.first_seq > len(self.received) + 1:
            self.to_agent(frames.Refuse(RefuseCode.OUT_OF_ORDER, ""))
            return
        self.received += [seq for seq in numbers if seq > len(self.received)]
        for output in self.standing.acknowledge({Lane.EVENTS: len(self.received)}):
            assert isinstance(output, session.Send)
            self.to_agent(output.frame)

    def to_agent(self, frame: frames.Frame) -> None:
        for _ in range(self.chance.choice((0, 1, 1, 1, 2))):
            self.carry_out(self.agent.receive(frame, self.now_ns))


@settings(max_examples=60)
@given(
    st.integers(0, 2**32),
    st.lists(st.sampled_from(["event", "event", "turn", "kill agent", "kill server"]), max_size=60),
)
def test_everything_arrives_once_and_in_order_whatever_happens(seed: int, steps: list[str]) -> None:
    link = Link(random.Random(seed))
    link.open()
    for step in steps:
        match step:
            case "event":
                link.committed += 1
                link.agent.committed(Lane.EVENTS, link.committed)
            case "turn":
                link.turn()
            case "kill agent":
                link.agent = AgentSession()
                link.agent.committed(Lane.EVENTS, link.committed)
                link.open()
            case "kill server":
                link.standing = None
    for _ in range(400):
        if len(link.received) == link.committed:
            break
        link.turn()
    assert link.received == list(range(1, link.committed + 1))
