"""The present state of one agent's conditions, from SNAPSHOT, STATE and events in whatever order they come: pure.

After an outage a SNAPSHOT tells at once what is not normal *as of* a number, STATE overtakes the queue with each change
after that, and the queued events follow behind. So there are two books:

- **present**: what stands for each (point, kind), taken from the newest news of it. An event at or before ``as_of``
  does not move it: it is history.
- **activations**: each time a condition turned on, opened exactly once by whichever message names it first, completed
  when its own event arrives, and closed by its clearing event whenever that comes. When the lane has passed ``as_of``,
  whatever still stands open and is not in the SNAPSHOT is closed as *reconciled*: its clearing event was lost in a
  declared gap, or with a store of an earlier epoch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple

from contract.events import ConditionData
from contract.ids import ActivationId, AgentName, Epoch
from contract.points import ConditionClass, ConditionKind


class ConditionKey(NamedTuple):
    """Identity of a condition: independent of epoch and gateway."""

    organisation: str
    tag: str
    kind: ConditionKind


class Via(StrEnum):
    """By which message an activation was first known."""

    SNAPSHOT = "snapshot"
    STATE = "state"
    EVENT = "event"


class CloseReason(StrEnum):
    CLEARED = "cleared"
    RECONCILED = "reconciled"


@dataclass(frozen=True, slots=True)
class Entry:
    """Present state of one condition, and the number whose news it is."""

    epoch: Epoch
    seq: int
    condition: ConditionData


@dataclass(frozen=True, slots=True)
class Activation:
    """One time that a condition turned on. Times are the aggregator's, ns UTC."""

    id: ActivationId
    key: ConditionKey
    org: str
    condition_class: ConditionClass
    first_seen: Via
    seen_ns: int
    event_received_ns: int | None = None
    closed_ns: int | None = None
    closed_reason: CloseReason | None = None
    event_lost: bool = False
    """The lane has passed its number without its own event: that lay in a declared gap."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An activation was first known by an overtaking message. ``again``: it had been closed as reconciled before."""

    activation: Activation
    condition: ConditionData
    again: bool


@dataclass(slots=True)
class Changes:
    """What one message changed: rows to write, and what is to be put on record."""

    entries: dict[ConditionKey, Entry] = field(default_factory=dict)
    activations: dict[ActivationId, Activation] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    reconciled: list[Activation] = field(default_factory=list)


def key_of(condition: ConditionData) -> ConditionKey:
    return ConditionKey(condition.org.split("/", 1)[0], condition.tag, condition.kind)


class Present:
    """Both books of one agent. Its owner loads it from the store and writes the Changes that its methods return."""

    def __init__(self, agent: AgentName, entries: Iterable[Entry] = (), activations: Iterable[Activation] = ()) -> None:
        self.agent = agent
        self.entries = {key_of(entry.condition): entry for entry in entries}
        self._activations: dict[ActivationId, Activation] = {}
        self._by_key: dict[ConditionKey, set[ActivationId]] = {}
        for activation in activations:
            self.recall(activation)
        self._epoch: Epoch | None = None
        self._as_of = 0
        self._snapshot: frozenset[ActivationId] = frozenset()
        self._reconciling = False

    def standing(self) -> list[Entry]:
        """Conditions that are not normal."""
        return [entry for entry in self.entries.values() if entry.condition.level]

    def is_late(self, epoch: Epoch, seq: int) -> bool:
        """True for an event that the SNAPSHOT already covers."""
        return epoch == self._epoch and seq <= self._as_of

    def unknown(self, conditions: Iterable[ConditionData]) -> list[ActivationId]:
        """Activations named here that are not in memory: the owner looks them up and calls ``recall``."""
        return [each.activation for each in conditions if each.activation not in self._activations]

    def recall(self, activation: Activation) -> None:
        """Take an activation from the store back into memory."""
        self._activations[activation.id] = activation
        self._by_key.setdefault(activation.key, set()).add(activation.id)

    def apply_snapshot(
        self, epoch: Epoch, as_of: int, conditions: Iterable[ConditionData], lane_seq: int, now_ns: int
    ) -> Changes:
        """``lane_seq`` is how far the events lane has come; a SNAPSHOT from before that is stale and changes nothing."""
        changes = Changes()
        listed = list(conditions)
        named = frozenset(condition.activation for condition in listed)
        stale = as_of < lane_seq or (epoch == self._epoch and as_of < self._as_of)
        if not stale:
            self._epoch, self._as_of, self._reconciling, self._snapshot = epoch, as_of, True, named
            for condition in listed:
                self._take(changes, epoch, as_of, condition, Via.SNAPSHOT, now_ns)
            self._reconcile_if_passed(changes, lane_seq, now_ns)
        self._forget(named.union(changes.activations))
        return changes

    def apply_state(self, epoch: Epoch, seq: int, condition: ConditionData, lane_seq: int, now_ns: int) -> Changes:
        """A change that overtakes the queue; one whose own event is already here changes nothing."""
        changes = Changes()
        if seq > lane_seq and not self.is_late(epoch, seq):
            self._take(changes, epoch, seq, condition, Via.STATE, now_ns)
        self._forget([condition.activation])
        return changes

    def apply_event(self, epoch: Epoch, seq: int, condition: ConditionData, now_ns: int) -> Changes:
        """A condition event of the lane, in its order."""
        changes = Changes()
        own = condition.activation == ActivationId(self.agent, epoch, seq)
        self._open(changes, condition, Via.EVENT, now_ns, own=own)
        if own:
            self._close_forgotten(changes, key_of(condition), condition.activation, now_ns)
        if condition.level == 0:
            self._close(changes, condition.activation, CloseReason.CLEARED, now_ns)
        entry = self.entries.get(key_of(condition))
        clears = condition.level == 0 and entry is not None and entry.condition.activation == condition.activation
        if clears or not self.is_late(epoch, seq):
            self._move(changes, epoch, seq, condition)
        self._forget([condition.activation, *changes.activations])
        return changes

    def lane_passed(self, epoch: Epoch, lane_seq: int, now_ns: int, *, holes: bool) -> Changes:
        """Call after the events up to ``lane_seq`` were applied; ``holes``: some of them lay in declared gaps."""
        changes = Changes()
        if holes:
            self._give_up_lost(changes, epoch, lane_seq)
        if epoch == self._epoch:
            self._reconcile_if_passed(changes, lane_seq, now_ns)
        self._forget([*changes.activations])
        return changes

    # -- present -----------------------------------------------------------------------------------------------------

    def _take(self, changes: Changes, epoch: Epoch, seq: int, condition: ConditionData, via: Via, now_ns: int) -> None:
        self._open(changes, condition, via, now_ns, own=False)
        if condition.level == 0:
            self._close(changes, condition.activation, CloseReason.CLEARED, now_ns)
        self._move(changes, epoch, seq, condition)

    def _move(self, changes: Changes, epoch: Epoch, seq: int, condition: ConditionData) -> None:
        key = key_of(condition)
        entry = self.entries.get(key)
        if entry is None or entry.epoch != epoch or entry.seq <= seq:
            self.entries[key] = changes.entries[key] = Entry(epoch, seq, condition)

    # -- activations -------------------------------------------------------------------------------------------------

    def _open(self, changes: Changes, condition: ConditionData, via: Via, now_ns: int, *, own: bool) -> None:
        known = self._activations.get(condition.activation)
        if known is None:
            known = Activation(
                condition.activation, key_of(condition), condition.org, condition.condition_class, via, now_ns
            )
            self._note_seen(changes, known, condition, again=False)
        elif known.closed_reason is CloseReason.RECONCILED and condition.level:
            known = replace(known, closed_ns=None, closed_reason=None)
            self._note_seen(changes, known, condition, again=True)
        elif not own:
            return
        self._put(changes, replace(known, event_received_ns=now_ns) if own else known)

    @staticmethod
    def _note_seen(changes: Changes, activation: Activation, condition: ConditionData, *, again: bool) -> None:
        if activation.first_seen is not Via.EVENT or again:
            changes.seen.append(Seen(activation, condition, again))

    def _close(self, changes: Changes, id_: ActivationId, reason: CloseReason, now_ns: int) -> None:
        activation = self._activations.get(id_)
        if activation is None or activation.closed_ns is not None:
            return
        closed = replace(activation, closed_ns=now_ns, closed_reason=reason)
        self._put(changes, closed)
        if reason is CloseReason.RECONCILED:
            changes.reconciled.append(closed)

    def _close_forgotten(self, changes: Changes, key: ConditionKey, newer: ActivationId, now_ns: int) -> None:
        """A condition turns on by its own event: whatever was open of it before has lost its clearing event."""
        for id_ in sorted(self._by_key.get(key, ())):
            if id_.epoch == newer.epoch and id_.seq < newer.seq:
                self._close(changes, id_, CloseReason.RECONCILED, now_ns)

    def _give_up_lost(self, changes: Changes, epoch: Epoch, lane_seq: int) -> None:
        for activation in [*self._activations.values()]:
            passed = activation.id.epoch == epoch and activation.id.seq <= lane_seq
            if passed and activation.event_received_ns is None and not activation.event_lost:
                self._put(changes, replace(activation, event_lost=True))

    def _put(self, changes: Changes, activation: Activation) -> None:
        changes.activations[activation.id] = activation
        self.recall(activation)

    def _forget(self, ids: Iterable[ActivationId]) -> None:
        """Those that are over and complete leave the memory; the store keeps them."""
        for id_ in ids:
            activation = self._activations.get(id_)
            if activation is not None and not is_standing(activation):
                del self._activations[id_]
                self._by_key[activation.key].discard(id_)

    # -- reconciling -------------------------------------------------------------------------------------------------

    def _reconcile_if_passed(self, changes: Changes, lane_seq: int, now_ns: int) -> None:
        if not self._reconciling or lane_seq < self._as_of:
            return
        self._reconciling = False
        newer = {entry.condition.activation for entry in self.entries.values() if not self._is_covered(entry)}
        for key, entry in self.entries.items():
            if entry.condition.level and self._is_covered(entry) and entry.condition.activation not in self._snapshot:
                changes.entries[key] = self._cleared(entry)
        self.entries.update(changes.entries)
        for id_ in sorted(self._activations.keys() - self._snapshot - newer):
            if id_.epoch != self._epoch or id_.seq <= self._as_of:
                self._close(changes, id_, CloseReason.RECONCILED, now_ns)

    def _is_covered(self, entry: Entry) -> bool:
        return entry.epoch != self._epoch or entry.seq <= self._as_of

    def _cleared(self, entry: Entry) -> Entry:
        assert self._epoch is not None, "only a SNAPSHOT reconciles"
        previous = entry.condition
        cleared = replace(previous, level=0, previous_level=previous.level, reason=CloseReason.RECONCILED.value)
        return Entry(self._epoch, self._as_of, cleared)


def is_standing(activation: Activation) -> bool:
    """True while it is open, or closed by news that overtook its own event."""
    return activation.closed_ns is None or (activation.event_received_ns is None and not activation.event_lost)
