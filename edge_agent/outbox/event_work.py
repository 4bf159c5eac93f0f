"""What the commit thread of the events file does: number, hash, write, tell; and keep within the budget.

Memory (``Image``) changes only after a commit, so a group that failed is simply done again. ``EventStore`` is the door
to it; nothing else may touch it.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, Final, Protocol, TypeVar

import structlog

from contract.clock import NS_PER_S, Clock
from contract.events import ClockState, Event, EventType, Json, Origin, Stamp
from contract.ids import Lane
from edge_agent.outbox import event_space, event_start
from edge_agent.outbox import event_tables as tables
from edge_agent.outbox.database import EVENTS_FILE, TELEMETRY_FILE, live_bytes, set_aside, size_on_disk
from edge_agent.outbox.event_draft import Draft
from edge_agent.outbox.gaps import GapCause, LossCause, gap_data, loss_data
from edge_agent.outbox.ledger import Ledger, LedgerLine
from edge_agent.outbox.retention import acknowledged_by_all, excess
from edge_agent.outbox.rows import Committed, OutboxSettings, Pending, SetAside

GROUP_MAX: Final = 2000
"""Events in one commit."""
PENDING_MAX: Final = 50_000
"""Events that wait in memory while the disk refuses; beyond it new ones are dropped, counted and put on record."""
OWED_PER_COMMIT_MAX: Final = 20
SPACE_CHECK_NS: Final = 60 * NS_PER_S
SPACE_CHECKS_PER_BUDGET: Final = 256
NS_PER_H: Final = 3600 * NS_PER_S

log = structlog.get_logger()
T = TypeVar("T")


class SpaceRelief(Protocol):
    """Telemetry, as the events see it when space is short."""

    def relieve(self) -> bool:
        """Asks it to make room; False where it has nothing left to give."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """An event that waits, with what the agent was when it was appended: a new configuration does not rewrite it."""

    pending: Pending
    origin: tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class _Call:
    """Something else to do in the next transaction."""

    job: Callable[[sqlite3.Connection], Any]
    future: Future[Any]
    owes: bool
    """It leaves an owed event behind."""


@dataclass(frozen=True, slots=True)
class _Done:
    """A call as it went; its answer is given after the commit."""

    call: _Call
    result: Any
    error: Exception | None


@dataclass(frozen=True, slots=True)
class _Group:
    """What one transaction takes up: as it was in memory when it began, and what became of it."""

    items: list[_Taken | _Call]
    cursors: dict[str, int]
    cursors_version: int
    lost: dict[tuple[Lane, LossCause], int]
    owes: bool
    refused: int = 0


class EventWork:
    """State and doing of the events' commit thread. ``image`` is what is committed."""

    def __init__(
        self, directory: Path, settings: OutboxSettings, clock: Clock, boot_id: str, ledger: Ledger | None,
        image: tables.Image,
    ) -> None:  # fmt: skip
        self._directory, self.settings, self._clock, self._ledger = directory, settings, clock, ledger
        self._boot_id = boot_id
        self.lock = Lock()
        self.image = image
        self.origin: tuple[str, str, int] | None = None
        self.org: str = image.agent
        self.clock_state: Callable[[], ClockState] = lambda: ClockState(synchronised=False, error_ns=None)
        self.on_commit: list[Callable[[list[Committed]], None]] = []
        self.on_replaced: list[Callable[[SetAside], None]] = []
        self.relief: SpaceRelief | None = None
        self.over_budget = False
        self.waiting = self.dropped = 0
        self._queue: deque[_Taken | _Call] = deque()
        self._lost: dict[tuple[Lane, LossCause], int] = {}
        self._cursors_version = self._cursors_stored = 0
        self._owes = True  # the file may, from the former start
        self._started = False
        self._grown_bytes = 0
        self._space_checked_ns: int | None = None
        self._more_to_free = False
        self._kept_as: tuple[str, ...] = ()

    # -- from any thread ---------------------------------------------------------------------------------------------

    def enqueue(self, pending: Sequence[Pending]) -> None:
        assert self.origin is not None, "set_origin comes before the first event"
        origin = self.origin
        with self.lock:
            taken = pending[: PENDING_MAX - self.waiting]
            self._queue.extend(_Taken(each, origin) for each in taken)
            self.waiting += len(taken)
            dropped = len(pending) - len(taken)
            self.dropped += dropped
        if dropped:
            self.lose(Lane.EVENTS, LossCause.MEMORY_FULL, dropped)

    def call(self, job: Callable[[sqlite3.Connection], T], *, owes: bool = False) -> Future[T]:
        """``job`` runs in its turn, in the transaction of what is around it; an error of its own undoes it alone.
        ``owes``: it leaves an owed event behind."""
        future: Future[T] = Future()
        with self.lock:
            self._queue.append(_Call(job, future, owes))
        return future

    def lose(self, lane: Lane, cause: LossCause, count: int) -> None:
        with self.lock:
            self._lost[lane, cause] = self._lost.get((lane, cause), 0) + count

    def acknowledge(self, destination: str, seq: int) -> None:
        with self.lock:
            if self.image.cursors.get(destination, 0) != seq:
                self.image.cursors[destination] = seq
                self._cursors_version += 1

    # -- in the commit thread ----------------------------------------------------------------------------------------

    def due(self) -> bool:
        tells = self._started and (bool(self._lost) or self._owes)
        return bool(self._queue) or self._cursors_version != self._cursors_stored or tells or self._more_to_free

    def write(self, db: sqlite3.Connection) -> Callable[[], None]:
        group, image = self._group(), self.image
        before = image.head.hash or tables.start_of_chain(image)
        draft = Draft(image.hash_algorithm, image.head.seq, before, self._clock.wall_ns())
        done = self._run_items(db, group.items, draft)
        owes = self._owes or any(each.call.owes for each in done)
        group = replace(group, owes=owes, refused=draft.refused)
        if self._started or draft.rows:
            group = self._tell_losses(db, draft, group)
        self._look_after_space(db, draft)
        tables.insert_events(db, draft.rows)
        for each in draft.committed:
            if each.condition is not None:
                tables.put_condition(db, each.seq, each.condition)
        tables.put_cursors(db, group.cursors)
        return lambda: self._committed(group, draft, done)

    def has_freed(self) -> bool:
        return self._more_to_free

    def replace(self, reason: str, label: str) -> tuple[sqlite3.Connection, SetAside]:
        former = self.image
        # A second attempt must not rename what the first one made.
        self._kept_as = self._kept_as or set_aside(self._directory, EVENTS_FILE, label, self._clock.wall_ns())
        opened = event_start.open_successor(self._directory, former, self.settings)
        replaced = SetAside(reason, former.epoch, former.head, self._kept_as)
        with self.lock:
            self.image = opened.image
            self._cursors_stored = self._cursors_version
            self._kept_as = ()
        for callback in self.on_replaced:
            callback(replaced)
        return opened.db, replaced

    def _group(self) -> _Group:
        with self.lock:
            version = self._cursors_version
            cursors = dict(self.image.cursors) if version != self._cursors_stored else {}
            return _Group(list(islice(self._queue, GROUP_MAX)), cursors, version, {}, owes=False)

    def _run_items(self, db: sqlite3.Connection, items: Iterable[_Taken | _Call], draft: Draft) -> list[_Done]:
        done = []
        for item in items:
            if isinstance(item, _Taken):
                draft.add(self._origin(item.origin), item.pending)
            else:
                done.append(_run(db, item))
        return done

    def _tell_losses(self, db: sqlite3.Connection, draft: Draft, group: _Group) -> _Group:
        """GAP events for whatever is owed one. Only behind the first event of this start."""
        with self.lock:
            lost = dict(self._lost)
        for (lane, cause), count in lost.items():
            self._add_gap(draft, loss_data(lane, cause, count))
        owed = tables.take_owed(db, OWED_PER_COMMIT_MAX) if group.owes else []
        for data in owed:
            self._add_gap(draft, json.loads(data))
        return replace(group, lost=lost, owes=len(owed) == OWED_PER_COMMIT_MAX)

    def _add_gap(self, draft: Draft, data: Mapping[str, Json]) -> None:
        stamp = Stamp(self._clock.wall_ns(), self._clock.mono_ns(), self._boot_id, self.clock_state())
        event = Event(EventType.GAP, self.org, stamp, data)
        assert self.origin is not None, "set_origin comes before the first event"
        draft.add(self._origin(self.origin), Pending(lambda _epoch, _seq: (event, None)))

    def _origin(self, origin: tuple[str, str, int]) -> Origin:
        return Origin(self.image.agent, self.image.epoch, *origin)

    # -- space -------------------------------------------------------------------------------------------------------

    def _look_after_space(self, db: sqlite3.Connection, draft: Draft) -> None:
        now_ns = self._clock.mono_ns()
        if not self._is_time_to_look(now_ns):
            return
        self._space_checked_ns, self._grown_bytes = now_ns, 0
        acknowledged = acknowledged_by_all(self.settings.destinations, self.image.cursors)
        kept_since_ns = self._clock.wall_ns() - round(self.settings.keep_acked_h * NS_PER_H)
        freed = event_space.free_expired(db, self.image, acknowledged, kept_since_ns)
        need_bytes = excess(self._used_bytes(db), self.settings.budget_bytes)
        # Telemetry first: it frees in its own thread, we look again when more has come.
        relieved = need_bytes > 0 and not freed and self.relief is not None and self.relief.relieve()
        if need_bytes > 0 and not freed and not relieved:
            freed = self._make_room(db, draft, acknowledged, need_bytes)
        self._more_to_free = freed > 0
        if need_bytes <= 0:
            self.over_budget = False
        elif not (freed or relieved or self.over_budget) and self._used_bytes(db) > self.settings.budget_bytes:
            self.over_budget = True
            log.error("outbox_over_budget", budget_bytes=self.settings.budget_bytes)

    def _is_time_to_look(self, now_ns: int) -> bool:
        grown = self._grown_bytes >= self.settings.budget_bytes // SPACE_CHECKS_PER_BUDGET
        last_ns = self._space_checked_ns
        return self._more_to_free or grown or last_ns is None or now_ns - last_ns >= SPACE_CHECK_NS

    def _used_bytes(self, db: sqlite3.Connection) -> int:
        beside = (f"{EVENTS_FILE}-wal", TELEMETRY_FILE, f"{TELEMETRY_FILE}-wal")
        return live_bytes(db) + sum(size_on_disk(self._directory / file) for file in beside)

    def _make_room(self, db: sqlite3.Connection, draft: Draft, acknowledged: int, need_bytes: int) -> int:
        """What everybody has; then what can be spared. The last number freed here, or 0."""
        freed = event_space.free_acknowledged(db, self.image, acknowledged, need_bytes)
        if freed or not (self._started or draft.rows):
            return freed
        gaps = event_space.evict(db, self.image, need_bytes)
        if not gaps:
            return 0
        self._add_gap(draft, gap_data(Lane.EVENTS, GapCause.EVICTED, gaps))
        return gaps[-1].last

    # -- after the commit --------------------------------------------------------------------------------------------

    def _committed(self, group: _Group, draft: Draft, done: Sequence[_Done]) -> None:
        self._witness(draft)
        with self.lock:
            for item in group.items:
                self._queue.popleft()
                self.waiting -= isinstance(item, _Taken)
            self._forget_told(group)
            self.image.head = draft.head
            self._keep_conditions(draft.committed)
        self._started = self._started or bool(draft.rows)
        self._cursors_stored, self._owes = group.cursors_version, group.owes
        if group.refused:
            self.lose(Lane.EVENTS, LossCause.NOT_BUILT, group.refused)
        self._grown_bytes += sum(row.record.size for row in draft.rows)
        if draft.committed:
            self._tell(draft.committed)
        for each in done:
            _answer(each)

    def _witness(self, draft: Draft) -> None:
        if self._ledger is None or not draft.rows:
            return
        mono_ns, epoch = self._clock.mono_ns(), self.image.epoch
        rows = zip(draft.rows, draft.digests, strict=True)
        try:
            self._ledger.record(LedgerLine(Lane.EVENTS, epoch, row.seq, digest, mono_ns) for row, digest in rows)
        except OSError:
            log.exception("ledger_failed")

    def _forget_told(self, group: _Group) -> None:
        for key, count in group.lost.items():
            self._lost[key] -= count
            if not self._lost[key]:
                del self._lost[key]

    def _keep_conditions(self, committed: Iterable[Committed]) -> None:
        for each in committed:
            if each.condition is not None and each.condition.level > 0:
                self.image.conditions[tables.key_of(each.condition)] = each.condition
            elif each.condition is not None:
                self.image.conditions.pop(tables.key_of(each.condition), None)

    def _tell(self, committed: list[Committed]) -> None:
        for callback in self.on_commit:
            try:
                callback(committed)
            except Exception:  # a listener's fault must not undo or repeat a commit
                log.exception("commit_listener_failed")


def _run(db: sqlite3.Connection, call: _Call) -> _Done:
    db.execute("SAVEPOINT call")
    try:
        result = call.job(db)
    except sqlite3.Error:
        raise
    except Exception as error:  # noqa: BLE001 - told to whoever asked
        db.execute("ROLLBACK TO call")
        db.execute("RELEASE call")
        return _Done(call, None, error)
    db.execute("RELEASE call")
    return _Done(call, result, None)


def _answer(done: _Done) -> None:
    if not done.call.future.set_running_or_notify_cancel():
        return
    if done.error is not None:
        done.call.future.set_exception(done.error)
    else:
        done.call.future.set_result(done.result)
