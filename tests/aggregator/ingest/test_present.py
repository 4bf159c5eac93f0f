"""Whatever order SNAPSHOT, STATE and events come in, the present state is that of the events, each activation once."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.ingest.present import Activation, Changes, CloseReason, Present
from contract.events import ConditionData
from contract.ids import ActivationId, AgentName, Epoch
from contract.points import ConditionClass, ConditionKind

AGENT = AgentName("gate")
EPOCH = Epoch("e" * 32)
TAGS = ("A", "B", "C")


def condition(tag: str, level: int, activation: int, epoch: Epoch = EPOCH) -> ConditionData:
    return ConditionData(
        tag=tag, org="acme/tank", kind=ConditionKind.HIGH, condition_class=ConditionClass.SAFETY, level=level,
        previous_level=0, activation=ActivationId(AGENT, epoch, activation), on_time_ns=1, value=1.0, unit="ppm",
        quality=0, setpoint=1.0, deadband=0.0, delay_ns=0, detector="d", reason="r",
    )  # fmt: skip


@dataclass
class Books:
    """A Present with its store, as its owner keeps it."""

    present: Present = field(default_factory=lambda: Present(AGENT))
    stored: dict[ActivationId, Activation] = field(default_factory=dict)
    seen_again: int = 0
    reconciled: int = 0

    def recall(self, *conditions: ConditionData) -> None:
        for id_ in self.present.unknown(conditions):
            if id_ in self.stored:
                self.present.recall(self.stored[id_])

    def keep(self, changes: Changes) -> None:
        for id_, activation in changes.activations.items():
            before = self.stored.get(id_)
            assert before is None or before.first_seen is activation.first_seen, "opened a second time"
            assert before is None or before.seen_ns == activation.seen_ns, "opened a second time"
        self.stored.update(changes.activations)
        self.seen_again += sum(each.again for each in changes.seen)
        self.reconciled += len(changes.reconciled)

    def event(self, seq: int, change: ConditionData | None, now_ns: int, epoch: Epoch = EPOCH) -> None:
        if change is not None:
            if change.activation != ActivationId(AGENT, epoch, seq):
                self.recall(change)
            self.keep(self.present.apply_event(epoch, seq, change, now_ns))

    def passed(self, seq: int, now_ns: int, *, holes: bool = False, epoch: Epoch = EPOCH) -> None:
        self.keep(self.present.lane_passed(epoch, seq, now_ns, holes=holes))

    def snapshot(self, as_of: int, standing: list[ConditionData], lane: int, now_ns: int, epoch: Epoch = EPOCH) -> None:
        self.recall(*standing)
        self.keep(self.present.apply_snapshot(epoch, as_of, standing, lane, now_ns))

    def state(self, seq: int, change: ConditionData, lane: int, now_ns: int) -> None:
        self.recall(change)
        self.keep(self.present.apply_state(EPOCH, seq, change, lane, now_ns))

    def standing(self) -> dict[str, tuple[int, int]]:
        return {
            each.condition.tag: (each.condition.level, each.condition.activation.seq)
            for each in self.present.standing()
        }

    def open(self) -> set[int]:
        return {id_.seq for id_, activation in self.stored.items() if activation.closed_ns is None}


Story = list[ConditionData | None]


def make_story(rng: random.Random) -> Story:
    """The events of an agent, number 1 first; None for one about no condition."""
    standing: dict[str, tuple[int, int]] = {}
    story: Story = []
    for seq in range(1, rng.randint(1, 25) + 1):
        tag = rng.choice((None, *TAGS))
        if tag is None:
            story.append(None)
            continue
        level, activation = standing.get(tag, (0, seq))
        level = rng.choice([new for new in (0, 1, 2) if new != level]) if level else rng.randint(1, 2)
        story.append(condition(tag, level, activation))
        standing[tag] = (level, activation)
        if not level:
            del standing[tag]
    return story


def truth(story: Story) -> dict[str, ConditionData]:
    found: dict[str, ConditionData] = {}
    for change in story:
        if change is not None:
            found[change.tag] = change
    return {tag: change for tag, change in found.items() if change.level}


def expected(story: Story) -> dict[str, tuple[int, int]]:
    return {tag: (change.level, change.activation.seq) for tag, change in truth(story).items()}


def play(story: Story, rng: random.Random, *, lossy: bool) -> Books:
    """Sessions come and go while events trickle in; each begins with a SNAPSHOT, and STATEs may overtake."""
    books, lane, told, head, now_ns = Books(), 0, 0, 0, 0
    in_session = False
    while lane < len(story):
        now_ns += 1
        step = rng.choice(("judge", "session", "state", "deliver", "deliver"))
        if step == "judge":
            head = min(len(story), head + rng.randint(1, 6))
        elif step == "session":
            books.snapshot(head, list(truth(story[:head]).values()), lane, now_ns)
            told, in_session = head, True
        elif step == "state" and in_session and told < head:
            told += 1
            change = story[told - 1]
            if change is not None and rng.random() < 0.5:
                books.state(told, change, lane, now_ns)
        elif step == "deliver" and in_session and lane < head:
            lane += 1
            lost = lossy and rng.random() < 0.5
            if not lost:
                books.event(lane, story[lane - 1], now_ns)
            books.passed(lane, now_ns, holes=lost)
    return books


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32))
def test_any_interleaving_ends_where_the_events_in_order_end(seed):
    rng = random.Random(seed)
    story = make_story(rng)
    books = play(story, rng, lossy=False)
    assert books.standing() == expected(story)
    assert books.open() == {activation for _, activation in expected(story).values()}
    assert {id_.seq for id_ in books.stored} == {each.activation.seq for each in story if each is not None}
    assert all(each.event_received_ns is not None for each in books.stored.values())
    assert (books.reconciled, books.seen_again) == (0, 0)


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32))
def test_events_lost_in_gaps_are_made_good_by_the_next_snapshot(seed):
    rng = random.Random(seed)
    story = make_story(rng)
    books = play(story, rng, lossy=True)
    books.snapshot(len(story), list(truth(story).values()), len(story), 10**6)
    assert books.standing() == expected(story)
    assert books.open() == {activation for _, activation in expected(story).values()}


@settings(max_examples=300)
@given(seed=st.integers(0, 2**32))
def test_only_what_is_open_or_incomplete_stays_in_memory(seed):
    rng = random.Random(seed)
    story = make_story(rng)
    books = play(story, rng, lossy=False)
    assert {id_.seq for id_ in books.present._activations} == books.open()


def test_history_does_not_raise_what_the_snapshot_knows_to_be_over():
    books = Books()
    books.snapshot(5, [], 0, 1)
    books.event(1, condition("A", 1, 1), 2)
    assert books.standing() == {}
    assert books.present.is_late(EPOCH, 1)
    books.event(2, condition("A", 0, 1), 3)
    books.passed(5, 4)
    assert books.stored[ActivationId(AGENT, EPOCH, 1)].closed_reason is CloseReason.CLEARED
    assert books.reconciled == 0


def test_what_stood_before_is_cleared_by_its_queued_event_though_that_is_history():
    books = Books()
    books.event(1, condition("A", 1, 1), 1)
    books.snapshot(5, [], 1, 2)
    assert books.standing() == {"A": (1, 1)}
    books.event(3, condition("A", 0, 1), 3)
    assert books.standing() == {}


def test_a_stale_snapshot_changes_nothing():
    books = Books()
    books.event(4, condition("A", 1, 4), 1)
    books.snapshot(3, [], 4, 2)
    books.passed(4, 3)
    assert books.standing() == {"A": (1, 4)}


def test_a_state_whose_event_is_here_already_changes_nothing():
    books = Books()
    books.event(1, condition("A", 1, 1), 1)
    books.event(2, condition("A", 0, 1), 2)
    books.state(1, condition("A", 1, 1), 2, 3)
    assert books.standing() == {}


def test_a_store_made_anew_closes_what_the_old_one_left_open():
    new = Epoch("f" * 32)
    books = Books()
    books.event(9, condition("A", 1, 9), 1)
    books.event(10, condition("B", 1, 10), 1)
    books.snapshot(2, [condition("B", 1, 2, new)], 0, 2, epoch=new)
    assert books.standing() == {"A": (1, 9), "B": (1, 2)}
    books.passed(2, 3, epoch=new)
    assert books.standing() == {"B": (1, 2)}
    assert books.open() == {2}
