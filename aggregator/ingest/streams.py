"""What agents say, turned into rows and records: the memory of every lane, catalogue and condition.

One writer owns this memory and rebuilds it from the store at start; a failed commit ends the process, so memory and
store never differ. ``accept`` and ``present`` decide, this module carries their decisions into a ``Group``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from aggregator.alarms.book import Book
from aggregator.history.chunks import Summary, summarise
from aggregator.ingest.accept import Accepted, Rejected, Row, accept_events, accept_telemetry
from aggregator.ingest.group import Group
from aggregator.ingest.present import Activation, Changes, Entry, Present, Seen, Via
from aggregator.ingest.queries import KnownEpoch
from aggregator.journal.log import Draft, JournalKind
from aggregator.ledger import LedgerLine
from contract.chain import Record
from contract.errors import FrameError
from contract.events import CONDITION_TYPES, ConditionData, DecodedEvent, Json, decode_event
from contract.ids import ActivationId, AgentName, Epoch, Lane, MessageId
from contract.points import PointSpec
from contract.wire import codec, frames
from contract.wire.frames import DeclaredGap, LaneHead
from contract.wire.server import Known, ServerSession

Recall = Callable[[Iterable[ActivationId]], list[Activation]]
"""Looks activations up in the store."""


@dataclass(slots=True)
class EpochState:
    """Memory of one (agent, epoch)."""

    algorithm: str
    lanes: dict[Lane, LaneHead] = field(default_factory=dict)
    catalogue_version: int = 0
    points: dict[int, dict[int, PointSpec]] = field(default_factory=dict)
    """Points of the catalogue version that this process has seen last, by id."""

    def head(self, lane: Lane) -> LaneHead:
        return self.lanes.get(lane, LaneHead(0, b""))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A row that could not be decoded, and why."""

    reason: str


class Streams:
    """Decides about every frame of a standing session; rows, records and replies go into the group at hand."""

    def __init__(
        self,
        epochs: Iterable[KnownEpoch],
        entries: dict[AgentName, list[Entry]],
        activations: dict[AgentName, list[Activation]],
        recall: Recall,
        alarms: Book,
    ) -> None:
        self._epochs = {
            (each.agent, each.epoch): EpochState(each.algorithm, dict(each.lanes), each.catalogue_version)
            for each in epochs
        }
        self._present = {
            agent: Present(agent, entries.get(agent, ()), activations.get(agent, ()))
            for agent in entries.keys() | activations.keys()
        }
        self._recall = recall
        self._alarms = alarms
        for entry in (each for present in self._present.values() for each in present.entries.values()):
            alarms.know(entry.condition)

    # -- sessions ----------------------------------------------------------------------------------------------------

    def algorithm(self, agent: str, epoch: str) -> str | None:
        """The hash algorithm of a known epoch."""
        state = self._epochs.get((AgentName(agent), Epoch(epoch)))
        return None if state is None else state.algorithm

    def known(
        self, aggregator_id: str, agent: str, hello: frames.Hello, look_up: Callable[[Lane, int], bytes | None]
    ) -> Known:
        """What we hold of the epoch that a HELLO names; ``look_up`` finds our hash at a number below the head."""
        state = self._epochs.get((AgentName(agent), hello.epoch), EpochState(hello.hash_algorithm))
        heads = {
            lane: state.head(lane).hash if theirs.seq == state.head(lane).seq else look_up(lane, theirs.seq)
            for lane, theirs in hello.lanes.items()
        }
        return Known(aggregator_id, {lane: state.head(lane) for lane in Lane}, heads, state.catalogue_version)

    def enter(self, group: Group, agent: AgentName, hello: frames.Hello) -> None:
        """A session of this epoch stands."""
        if (agent, hello.epoch) not in self._epochs:
            self._epochs[agent, hello.epoch] = EpochState(hello.hash_algorithm)
            row = {"agent": agent, "epoch": hello.epoch, "algorithm": hello.hash_algorithm}
            group.epochs.append(row | {"first_seen_ns": group.wall_ns})

    def catalogue_version(self, agent: AgentName, epoch: Epoch) -> int:
        return self._epochs[agent, epoch].catalogue_version

    def points(self, agent: AgentName, epoch: Epoch, version: int) -> dict[int, PointSpec]:
        """Points by id; empty while that version has not come to this process."""
        return self._epochs[agent, epoch].points.get(version, {})

    def remember_points(self, agent: AgentName, epoch: Epoch, version: int, points: Iterable[PointSpec]) -> None:
        """Only the newest version is kept in memory: LIVE names no other."""
        self._epochs[agent, epoch].points = {version: {point.id: point for point in points}}

    # -- frames ------------------------------------------------------------------------------------------------------

    def take_catalogue(self, group: Group, agent: AgentName, frame: frames.CatalogueFrame) -> None:
        """A version never changes once it is stored; versions come in ascending order."""
        version = frame.catalogue.version
        state = self._epochs[agent, frame.epoch]
        if version <= state.catalogue_version:
            return
        state.catalogue_version = version
        self.remember_points(agent, frame.epoch, version, frame.catalogue)
        row = {"agent": agent, "epoch": frame.epoch, "version": version, "frame": codec.encode(frame)}
        group.catalogues[agent, frame.epoch, version] = row

    def take_snapshot(self, group: Group, agent: AgentName, frame: frames.Snapshot) -> None:
        present, lane_seq = self._present_of(agent), self._epochs[agent, frame.epoch].head(Lane.EVENTS).seq
        self._recall_into(present, group, frame.conditions)
        changes = present.apply_snapshot(frame.epoch, frame.as_of_seq, frame.conditions, lane_seq, group.wall_ns)
        self._record(group, agent, changes)

    def take_state(self, group: Group, agent: AgentName, frame: frames.State) -> None:
        present, lane_seq = self._present_of(agent), self._epochs[agent, frame.epoch].head(Lane.EVENTS).seq
        if frame.seq <= lane_seq:
            return
        self._recall_into(present, group, [frame.condition])
        changes = present.apply_state(frame.epoch, frame.seq, frame.condition, lane_seq, group.wall_ns)
        self._record(group, agent, changes)

    def take_events(self, group: Group, session: ServerSession, batch: frames.EventBatch) -> Rejected | None:
        """Everything of a batch that is new; None where it was accepted."""
        agent, state = AgentName(session.agent), self._epochs[AgentName(session.agent), batch.epoch]
        verdict = accept_events(state.algorithm, agent, state.head(Lane.EVENTS), batch)
        if isinstance(verdict, Rejected):
            return verdict
        self._advance(group, session, Lane.EVENTS, state, batch.epoch, verdict)
        steps: list[tuple[int, Row[Record] | DeclaredGap]] = [(row.seq, row) for row in verdict.rows]
        for _, step in sorted(steps + [(gap.first, gap) for gap in verdict.gaps], key=lambda each: each[0]):
            if isinstance(step, DeclaredGap):
                _take_gap(group, agent, batch.epoch, Lane.EVENTS, step)
            else:
                self._take_event(group, agent, batch.epoch, step)
        if verdict.rows or verdict.gaps:
            present = self._present_of(agent)
            self._record(
                group, agent,
                present.lane_passed(batch.epoch, verdict.head.seq, group.wall_ns, holes=bool(verdict.gaps)),
            )  # fmt: skip
        return None

    def take_telemetry(self, group: Group, session: ServerSession, batch: frames.TelemetryBatch) -> Rejected | None:
        agent, state = AgentName(session.agent), self._epochs[AgentName(session.agent), batch.epoch]
        verdict = accept_telemetry(state.algorithm, state.head(Lane.TELEMETRY), batch)
        if isinstance(verdict, Rejected):
            return verdict
        self._advance(group, session, Lane.TELEMETRY, state, batch.epoch, verdict)
        for gap in verdict.gaps:
            _take_gap(group, agent, batch.epoch, Lane.TELEMETRY, gap)
        for row in verdict.rows:
            _take_chunk(group, agent, batch.epoch, row)
        return None

    def raise_standing(self, group: Group) -> None:
        """Alarms for conditions that stand and have none, or a lesser one: the database comes from a time before there were
        alarms, or before they followed the worst of several agents."""
        for present in self._present.values():
            for entry in present.standing():
                self._alarms.take(group, entry.condition)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _present_of(self, agent: AgentName) -> Present:
        if agent not in self._present:
            self._present[agent] = Present(agent)
        return self._present[agent]

    def _advance(
        self, group: Group, session: ServerSession, lane: Lane, state: EpochState, epoch: Epoch,
        verdict: Accepted[Record] | Accepted[bytes],
    ) -> None:  # fmt: skip
        if verdict.rows or verdict.gaps:
            state.lanes[lane] = verdict.head
            group.lanes[AgentName(session.agent), epoch, lane] = verdict.head
        group.acknowledge(session, {lane: verdict.head.seq})

    def _take_event(self, group: Group, agent: AgentName, epoch: Epoch, row: Row[Record]) -> None:
        found = read_event(agent, epoch, row)
        group.events.append(_event_row(agent, epoch, row, found, group.wall_ns))
        group.ledger.append(LedgerLine(agent, Lane.EVENTS, epoch, row.seq, row.digest))
        data = _vouch(agent, epoch, Lane.EVENTS, row)
        message = MessageId(agent, epoch, Lane.EVENTS, row.seq)
        if isinstance(found, Unreadable):
            data["reason"] = found.reason
            group.drafts.append(Draft(JournalKind.UNDECODABLE, group.wall_ns, data, event=message))
            return
        decoded, condition = found
        present = self._present_of(agent)
        event = decoded.event
        late = event.late or present.is_late(epoch, row.seq)
        group.drafts.append(
            Draft(
                JournalKind.EVENT, group.wall_ns, data, event.org, event.exercise_id, event.class_label, late, message
            )
        )
        if condition is not None:
            if condition.activation != ActivationId(agent, epoch, row.seq):
                self._recall_into(present, group, [condition])
            changes = present.apply_event(epoch, row.seq, condition, group.wall_ns)
            self._record(group, agent, changes, event.exercise_id)
            if _is_history(changes, condition):
                self._alarms.take_history(group, condition, event.exercise_id)

    def _recall_into(self, present: Present, group: Group, conditions: Iterable[ConditionData]) -> None:
        unknown = present.unknown(conditions)
        in_group = [group.activations[id_] for id_ in unknown if id_ in group.activations]
        stored = self._recall([id_ for id_ in unknown if id_ not in group.activations]) if unknown else []
        for activation in in_group + stored:
            present.recall(activation)

    def _record(self, group: Group, agent: AgentName, changes: Changes, exercise_id: str | None = None) -> None:
        group.take(agent, changes)
        for entry in changes.entries.values():
            self._alarms.take(group, entry.condition, exercise_id)
        group.drafts.extend(_seen_draft(each, group.wall_ns) for each in changes.seen)
        group.drafts.extend(_reconciled_draft(each, group.wall_ns) for each in changes.reconciled)


def _is_history(changes: Changes, condition: ConditionData) -> bool:
    """Whether an event turned on what has long turned off: first heard of by its own event, and not the present."""
    opened = changes.activations.get(condition.activation)
    if opened is None or changes.entries or not condition.level:
        return False
    return opened.first_seen is Via.EVENT and opened.event_received_ns == opened.seen_ns and opened.closed_ns is None


def read_event(
    agent: AgentName, epoch: Epoch, row: Row[Record]
) -> tuple[DecodedEvent, ConditionData | None] | Unreadable:
    """The event in ``row``, and the condition it speaks of, or why it cannot be read."""
    try:
        decoded = decode_event(row.payload.open)
        condition = decoded.condition if decoded.event.type in CONDITION_TYPES else None
        _check_texts(row.payload.open, decoded, condition)
    except FrameError as error:
        return Unreadable(str(error)[:200])
    if decoded.message != MessageId(agent, epoch, Lane.EVENTS, row.seq):
        return Unreadable("names another agent, epoch, lane or number than the lane it came on")
    if condition is not None and condition.activation.agent != agent:
        return Unreadable("names an activation of another agent")
    return decoded, condition


def _check_texts(open_part: bytes, decoded: DecodedEvent, condition: ConditionData | None) -> None:
    """Lenient readers take JSON on several lines or in UTF-16, and spelt halves of surrogate pairs, which no database
    and no other record can hold. Raises FrameError."""
    if _CONTROLS.search(open_part):
        raise FrameError("event", "is not in canonical form")
    texts = [decoded.event.org, decoded.event.exercise_id or ""]
    if condition is not None:
        texts += [condition.org, condition.tag, condition.unit, condition.detector, condition.reason]
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise FrameError("text", "holds half a surrogate pair") from error


def _vouch(agent: str, epoch: str, lane: Lane, row: Row[Record] | Row[bytes]) -> dict[str, Json]:
    return {
        "agent": agent, "epoch": epoch, "lane": lane.value, "seq": str(row.seq), "digest": row.digest.hex(),
        "hash": row.hash.hex(),
    }  # fmt: skip


def _event_row(
    agent: str, epoch: str, row: Row[Record], found: tuple[DecodedEvent, ConditionData | None] | Unreadable,
    received_ns: int,
) -> dict[str, object]:  # fmt: skip
    event = None if isinstance(found, Unreadable) else found[0].event
    return {
        "agent": agent, "epoch": epoch, "seq": row.seq, "received_ns": received_ns,
        "type": None if event is None else event.type.value,
        "org": None if event is None else event.org,
        "edge_time_ns": None if event is None else event.stamp.edge_time_ns,
        "open": row.payload.open, "salt": row.payload.salt, "restricted": row.payload.restricted,
        "digest": row.digest, "hash": row.hash,
    }  # fmt: skip


def _take_chunk(group: Group, agent: AgentName, epoch: Epoch, row: Row[bytes]) -> None:
    summary: Summary | None = None
    try:
        summary = summarise(row.payload)
    except FrameError as error:
        data = _vouch(agent, epoch, Lane.TELEMETRY, row) | {"reason": str(error)[:200]}
        group.drafts.append(Draft(JournalKind.UNDECODABLE, group.wall_ns, data))
    group.chunks.append({
        "agent": agent, "epoch": epoch, "seq": row.seq, "received_ns": group.wall_ns,
        "catalogue_version": None if summary is None else summary.catalogue_version,
        "samples": None if summary is None else summary.samples,
        "first_ns": None if summary is None else summary.first_ns,
        "last_ns": None if summary is None else summary.last_ns,
        "digest": row.digest, "chunk": row.payload,
    })  # fmt: skip
    samples = 0 if summary is None else summary.samples
    group.ledger.append(LedgerLine(agent, Lane.TELEMETRY, epoch, row.seq, row.digest, samples))


def _take_gap(group: Group, agent: AgentName, epoch: Epoch, lane: Lane, gap: DeclaredGap) -> None:
    place = {"agent": agent, "epoch": epoch, "lane": lane.value}
    group.gaps.append(
        place | {"first_seq": gap.first, "last_seq": gap.last, "cause": gap.cause, "hash_last": gap.hash_last}
    )
    data = place | {"first": str(gap.first), "last": str(gap.last), "cause": gap.cause, "hash": gap.hash_last.hex()}
    group.drafts.append(Draft(JournalKind.GAP, group.wall_ns, data))


def _activation_json(id_: ActivationId) -> Json:
    return {"agent": id_.agent, "epoch": id_.epoch, "seq": str(id_.seq)}


def _seen_draft(seen: Seen, received_ns: int) -> Draft:
    data: dict[str, Json] = {
        "via": seen.activation.first_seen.value, "again": seen.again, "condition": seen.condition.to_json()
    }  # fmt: skip
    return Draft(JournalKind.CONDITION_SEEN, received_ns, data, seen.condition.org)


def _reconciled_draft(activation: Activation, received_ns: int) -> Draft:
    data: dict[str, Json] = {
        "activation": _activation_json(activation.id), "tag": activation.key.tag, "kind": activation.key.kind.value,
        "class": activation.condition_class.value,
    }  # fmt: skip
    return Draft(JournalKind.CONDITION_RECONCILED, received_ns, data, activation.org)


_CONTROLS: Final = re.compile(rb"[\x00-\x1f]")
