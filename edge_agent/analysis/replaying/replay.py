"""Recorded rows through the very engine and reporter that the agent runs, in batches of any size. Pure.

What comes out is what the agent put on record of the same rows, but for numbers that its store gave: the event's own, and
the activation that it names.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from contract.batch import SampleBatch
from contract.events import ClockState, ConditionData, Event, Json
from contract.ids import ActivationId, AgentName, Epoch
from contract.points import Catalogue, ConditionClass, ConditionKind
from edge_agent.detect.checkpoint import Checkpoint
from edge_agent.detect.engine import Engine, Transition
from edge_agent.recording.blocks import Start
from edge_agent.reporting import Reporter

GIVEN_BY_THE_STORE: Final = ("activation", "on_time_ns")
"""Fields of a condition that follow from the number of another event."""
_EPOCH: Final = Epoch("0" * 32)


class Piece(Protocol):
    """One file of a recording."""

    @property
    def start(self) -> Start: ...
    @property
    def catalogue(self) -> Catalogue: ...
    @property
    def checkpoint(self) -> Checkpoint: ...
    @property
    def cut_bytes(self) -> int | None: ...
    def blocks(self) -> Iterator[SampleBatch]: ...


@dataclass(frozen=True, slots=True)
class Judged:
    """An event of a condition without what the store gives. ``elapsed_ns``: None where only the event is known."""

    boot_id: str
    mono_ns: int
    time_ns: int
    type: str
    org: str
    data: dict[str, Json]
    elapsed_ns: int | None = None

    @staticmethod
    def of(event: Event, elapsed_ns: int | None = None) -> Judged:
        data = {name: value for name, value in event.data.items() if name not in GIVEN_BY_THE_STORE}
        stamp = event.stamp
        return Judged(
            stamp.boot_id, stamp.mono_ns, stamp.edge_time_ns, event.type.value, event.org, data, elapsed_ns
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Covered:
    """Judged without a hole from ``first_mono_ns`` to ``last_mono_ns``."""

    boot_id: str
    first_mono_ns: int
    last_mono_ns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Deviation:
    """The state at the end of a file is not the one that the next file of the same run begins with."""

    number: int
    arrays: tuple[str, ...]


def replay(pieces: Iterable[Piece], rows_max: int | None = None) -> Iterator[Judged | Covered | Deviation]:
    """Judge all of it again; ``rows_max`` rows at a time, as they were recorded if None. What statistics say of a file comes
    after what limits say, since the order between the two follows from batches. After the events of each stretch
    without a hole comes its Covered. Raises ValueError where the state is of another version of the detectors."""
    before: tuple[Piece, Engine, Covered] | None = None
    for piece in pieces:
        first_mono_ns, rows = piece.start.mono_ns, 0
        engine = Engine(piece.catalogue, piece.start.mono_ns)
        engine.load(piece.checkpoint)
        if before is not None:
            if _goes_on(before[0], piece):
                first_mono_ns, rows = before[2].first_mono_ns, before[2].rows
                if found := before[1].checkpoint().differences(piece.checkpoint):
                    yield Deviation(piece.start.number, tuple(found))
            else:
                yield before[2]
        last_mono_ns = piece.start.mono_ns
        reporter, advice = _reporter(piece, engine), list[Transition]()
        for batch in rebatched(piece.blocks(), rows_max):
            yield from _judged(engine.judge(batch), reporter)
            advice += engine.advise(batch)
            rows += len(batch)
            last_mono_ns = max(last_mono_ns, int(batch.mono_ns.max(initial=0)))
        yield from _judged(advice, reporter)
        before = piece, engine, Covered(piece.start.boot_id, first_mono_ns, last_mono_ns, rows)
    if before is not None:
        yield before[2]


def rebatched(batches: Iterable[SampleBatch], rows_max: int | None) -> Iterator[SampleBatch]:
    """The same rows in batches of ``rows_max``, the last one with what is left."""
    if rows_max is None:
        yield from batches
        return
    left = SampleBatch.empty()
    for batch in batches:
        left = SampleBatch.concat([left, batch])
        whole = len(left) - len(left) % rows_max
        for at in range(0, whole, rows_max):
            yield left.select(slice(at, at + rows_max))
        left = left.select(slice(whole, None))
    if len(left):
        yield left


def _goes_on(former: Piece, piece: Piece) -> bool:
    same_run = former.start.session == piece.start.session and former.start.number + 1 == piece.start.number
    return piece.start.continues and same_run and not former.cut_bytes


def _judged(transitions: Iterable[Transition], reporter: Reporter) -> Iterator[Judged]:
    for transition in transitions:
        event, _ = reporter.pending(transition).build(_EPOCH, 1)
        yield Judged.of(event, transition.elapsed_ns)


def _reporter(piece: Piece, engine: Engine) -> Reporter:
    """It is to know that something stood already; since when, and by which number, is the store's."""
    specs = piece.catalogue.by_id()
    agent = AgentName(piece.start.agent)
    standing = [_standing(specs[point].tag, specs[point].org, kind, agent) for point, kind, _ in engine.conditions()]
    return Reporter(
        piece.catalogue, agent, piece.start.boot_id, lambda: ClockState(synchronised=False, error_ns=None), standing
    )  # fmt: skip


def _standing(tag: str, org: str, kind: ConditionKind, agent: AgentName) -> ConditionData:
    unknown: dict[str, Any] = dict.fromkeys(("value", "setpoint", "deadband"), math.nan)
    return ConditionData(
        tag=tag, org=org, kind=kind, condition_class=ConditionClass.SYSTEM, level=1, previous_level=0,
        activation=ActivationId(agent, _EPOCH, 1), on_time_ns=0, unit="1", quality=0, delay_ns=0, detector="", reason="",
        **unknown,
    )  # fmt: skip
