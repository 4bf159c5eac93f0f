"""Real processes are killed at moments when something is on the way; afterwards everything is there, once, in order.

KILLS_COUNT and KILLS_SEED choose how often and when; the seed is printed. A kill counts only when, by the stamps in both
ledgers, the agent had committed an event that the aggregator had not.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from contract.ids import Lane
from hil_tests.audit import Audit, Flaw, audit
from hil_tests.compare import Committed, compare
from hil_tests.field import Field, FieldAgent, Tail, one_device, wait_for
from hil_tests.processes import Program

COUNT = int(os.environ.get("KILLS_COUNT") or 12)
SEED = int(os.environ.get("KILLS_SEED") or random.SystemRandom().randrange(2**32))
VICTIMS = ("agent", "ingest", "supervisor")
TOGGLING, TRENDING = 30, 20
PAUSE_S_MIN, PAUSE_S_MAX = 0.1, 1.0
OWED_TIMEOUT_S = 5.0
DIES_AFTER_EVENTS = 100
TIMEOUT_S = 120 + 10 * COUNT

pytestmark = pytest.mark.timeout(TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of kills left behind; its folders are read by the tests below and changed only as copies."""

    folder: Path
    agent: FieldAgent
    audit: Audit
    sent: list[Committed]
    received: list[Committed]
    kills: Counter[str]
    misses: int
    seconds: float


class Killer:
    """Kills one process at a time and starts it again."""

    def __init__(self, field: Field, agent: FieldAgent, rng: random.Random) -> None:
        self._field = field
        self._agent = agent
        self._rng = rng
        self._sent = Tail(agent.ledger)
        self._received = Tail(field.aggregator.ledger)
        self.kills: Counter[str] = Counter()
        self.misses = 0

    def kill(self, victim: str) -> None:
        """Once, at a moment when an event is owed; tries again where the stamps say that none was."""
        while not self._try(victim):
            self.misses += 1
            assert self.misses < 10 * COUNT, "hardly ever is anything on the way"
        self.kills[victim] += 1

    def _try(self, victim: str) -> bool:
        self._wait_until_it_has_worked(victim)
        time.sleep(self._rng.uniform(PAUSE_S_MIN, PAUSE_S_MAX))
        pid = self._pid(victim)
        if pid is None:
            return False
        wait_for(self._owes, "an event is on the way", OWED_TIMEOUT_S)
        before_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGKILL)
        after_ns = time.monotonic_ns()
        self._start_again(victim, pid)
        return self._owed(before_ns, after_ns)

    def _wait_until_it_has_worked(self, victim: str) -> None:
        """A process that has only just been started has nothing to lose yet."""
        tail = self._sent if victim == "agent" else self._received
        lines = tail.read().lines
        wait_for(lambda: tail.read().lines > lines, f"{victim} commits again", 30.0)

    def _owes(self) -> bool:
        return self._sent.read().heads[Lane.EVENTS] > self._received.read().heads[Lane.EVENTS]

    def _owed(self, before_ns: int, after_ns: int) -> bool:
        """By the stamps: the agent had it before the kill, the aggregator not even after it."""
        sent = _last_event(self._agent.committed(), before_ns)
        return sent > _last_event(self._field.aggregator.committed(), after_ns)

    def _pid(self, victim: str) -> int | None:
        if victim == "agent":
            return self._agent.program.pid
        return self._field.aggregator.program.pid if victim == "supervisor" else self._field.aggregator.ingest_pid()

    def _start_again(self, victim: str, pid: int) -> None:
        """Ingest is the supervisor's to start again."""
        if victim == "ingest":
            return
        program = self._agent.program if victim == "agent" else self._field.aggregator.program
        assert program.pid == pid
        wait_for(lambda: not program.running, f"{victim} is gone")
        program.start()


def _last_event(ledger: list[Committed], until_ns: int) -> int:
    return max(
        (each.key.seq for each in ledger if each.key.lane is Lane.EVENTS and each.mono_ns <= until_ns), default=0
    )


@pytest.fixture(scope="module")
def outcome(open_module_field) -> Outcome:
    print(f"\nKILLS_SEED={SEED} KILLS_COUNT={COUNT}")
    rng = random.Random(SEED)
    field = open_module_field(_site(rng))
    agent = field.add_agent("gate", "plant", _points(), telemetry={"chunk_s": 1.0, "spool_s": 0.2})
    field.start()
    started = time.monotonic()
    killer = Killer(field, agent, rng)
    victims = [VICTIMS[turn % len(VICTIMS)] for turn in range(COUNT)]
    rng.shuffle(victims)
    for victim in victims:
        killer.kill(victim)
    seconds = time.monotonic() - started
    field.rig.command("plant", "freeze")
    field.wait_until_streaming(agent)
    agent.program.stop()
    agent.start()
    field.wait_until_drained(agent)
    agent.program.stop()
    field.wait_until_drained(agent)
    field.aggregator.program.stop()
    outcome = Outcome(
        field.folder, agent, field.audit(agent), agent.committed(), field.aggregator.committed(), killer.kills,
        killer.misses, seconds,
    )  # fmt: skip
    print(f"{dict(outcome.kills)} in {seconds:.0f} s, {outcome.misses} more hit nothing on the way\n{outcome.audit}")
    return outcome


def _site(rng: random.Random):
    waves = [
        {"name": f"wave{i}", "signal": {"kind": "counter", "period_s": rng.uniform(0.15, 0.4), "modulo": 2}}
        for i in range(TOGGLING)
    ]
    trends = [
        {"name": f"trend{i}", "type": "float32", "signal": {"kind": "noise", "mean": 20, "sd": 3, "seed": i}}
        for i in range(TRENDING)
    ]
    return one_device("plant", waves + trends)


def _points():
    fast = {"register": "holding", "poll_s": 0.1}
    waves = [
        {"tag": f"WAVE-{i}", "address": 2 * i, "type": "uint16", "unit": "1", "h": 0.5, **fast}
        for i in range(TOGGLING)
    ]  # fmt: skip
    trends = [
        {
            "tag": f"TREND-{i}",
            "address": 2 * (TOGGLING + i),
            "type": "float32",
            "unit": "degC",
            "source": "tank",
            **fast,
        }
        for i in range(TRENDING)
    ]
    return waves + trends


# --- nothing is lost --------------------------------------------------------------------------------------------------


def test_every_program_was_killed_while_an_event_was_on_the_way(outcome):
    assert outcome.kills.total() == COUNT
    assert set(outcome.kills) == set(VICTIMS[:COUNT])


def test_each_event_and_each_chunk_is_there_once_in_order_and_every_chain_is_whole(outcome):
    assert outcome.audit.events > 10 * COUNT
    assert outcome.audit.chunks > COUNT
    assert not outcome.audit.findings, str(outcome.audit)


def test_the_aggregators_own_ledger_has_nothing_twice_and_nothing_out_of_order(outcome):
    # What it lacks is no loss: a process killed between its commit and its ledger leaves the line out.
    comparison = compare(outcome.sent, outcome.received)
    assert not comparison.duplicated
    assert not comparison.out_of_order


# --- and the audit would see it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("store", "deletion", "flaw"),
    [
        ("aggregator", "DELETE FROM events WHERE seq = (SELECT max(seq) / 2 FROM events)", Flaw.LOST),
        ("aggregator", "DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)", Flaw.LOST),
        ("aggregator", "DELETE FROM chunks WHERE seq = (SELECT max(seq) FROM chunks)", Flaw.LOST),
        ("aggregator", "DELETE FROM journal WHERE kind = 'event' AND event_seq = 7", Flaw.LOST),
        ("aggregator", "DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)", Flaw.BROKEN_CHAIN),
        ("aggregator", "UPDATE events SET open = CAST(open || ' ' AS BLOB) WHERE seq = 7", Flaw.ALTERED),
        ("agent", "DELETE FROM events WHERE seq = (SELECT max(seq) / 2 FROM events)", Flaw.BROKEN_CHAIN),
        ("agent", "UPDATE events SET open = CAST(open || ' ' AS BLOB) WHERE seq = 7", Flaw.BROKEN_CHAIN),
    ],
)
def test_one_row_less_or_other_bytes_are_found(outcome, tmp_path, store, deletion, flaw):
    stores = {"aggregator": outcome.folder / "aggregator" / "aggregator.db", "agent": outcome.agent.store}
    stores[store] = _changed_copy(stores[store], tmp_path / "copy.db", deletion)
    found = audit(outcome.agent.name, outcome.sent, stores["agent"], stores["aggregator"])
    assert found.count(flaw) >= 1, str(found)


def _changed_copy(path: Path, copy: Path, deletion: str) -> Path:
    for suffix in ("", "-wal"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            shutil.copyfile(source, copy.with_name(copy.name + suffix))
    with closing(sqlite3.connect(copy)) as db, db:
        db.execute("PRAGMA foreign_keys = OFF")
        assert db.execute(deletion).rowcount == 1
    return copy


@pytest.mark.parametrize(("mode", "loses"), [("early", True), ("honest", False)])
def test_an_acknowledgement_before_the_commit_loses_events_and_the_audit_says_so(open_field, mode, loses):
    """The agent keeps nothing that was acknowledged, so it cannot make good what the aggregator forgot."""
    field = open_field(_site(random.Random(SEED)))
    agent = field.add_agent("gate", "plant", _points(), outbox={"keep_acked_h": 0.0, "budget_mb": 4})
    sabotaged = _ingest(field, mode)
    sabotaged.start()
    agent.start()
    wait_for(lambda: not sabotaged.running and len(field.aggregator.committed()) >= DIES_AFTER_EVENTS, "ingest dies")
    sent = len(agent.committed())
    wait_for(lambda: len(agent.committed()) > sent + 100, "the agent goes on and frees what it may")
    field.rig.command("plant", "freeze")
    field.aggregator.start()
    field.wait_until_drained(agent)
    found = field.audit(agent)
    assert (found.count(Flaw.LOST) > 0) == loses, str(found)
    assert found.count(Flaw.LOST) == len(found.findings)


def _ingest(field: Field, mode: str) -> Program:
    """The process that commits, without its supervisor, made to die at its commit."""
    folder, ledger = str(field.aggregator.folder), str(field.aggregator.ledger)
    command = (mode, str(DIES_AFTER_EVENTS), "aggregator.cli", "ingest", folder, "--ledger", ledger)
    return Program("early ack", "tests.scenarios.early_ack", command, field.folder / "early_ack.log")
