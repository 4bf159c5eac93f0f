"""The aggregator's end of the session, without a socket; the rules of both ends stand in ``session``.

For each key there is one ``ServerSession``. It knows a peer only from its HELLO on, and asks for one otherwise; what is
committed is decided by its owner, who has an acknowledgement sent after the commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from contract.clock import NS_PER_MS
from contract.ids import Lane
from contract.wire import frames
from contract.wire.frames import LaneHead, RefuseCode
from contract.wire.session import HEARTBEAT_MS, SILENT_PERIODS, WINDOW, Forked, Send


@dataclass(frozen=True, slots=True)
class Known:
    """What the aggregator's store holds of one (agent, epoch), read when a HELLO comes.

    ``agent_heads`` are its own hashes at the numbers that the HELLO names, None where it has no such row.
    """

    aggregator_id: str
    lanes: Mapping[Lane, LaneHead]
    agent_heads: Mapping[Lane, bytes | None]
    catalogue_version: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """A frame that belongs to a standing session: decide on it, commit it."""

    frame: (
        frames.CatalogueFrame
        | frames.EventBatch
        | frames.TelemetryBatch
        | frames.Live
        | frames.Snapshot
        | (frames.State)
    )


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two live agents use one key."""

    boot_id: str
    other_boot_id: str


ServerOutput: TypeAlias = Send | Deliver | Forked | Conflict


class ServerSession:
    """The aggregator's end of one agent's session; ``agent`` is the name under which its key is admitted."""

    def __init__(self, agent: str, hello: frames.Hello, routing_id: bytes, now_ns: int) -> None:
        self.agent = agent
        self.hello = hello
        self.routing_id = routing_id
        self.heard_ns = now_ns

    @staticmethod
    def judge_hello(
        agent: str, hello: frames.Hello, known: Known, standing: ServerSession | None, now_ns: int, wall_ns: int,
        *, returns: bool = False,
    ) -> list[ServerOutput]:  # fmt: skip
        """WELCOME or REFUSE, with what is to be put on record before it. ``standing`` is the key's session so far;
        ``returns`` says that this very start and epoch gave way to another one before."""
        if hello.agent != agent:
            message = f"this key is admitted as {agent}, not as {hello.agent}"
            return [Send(frames.Refuse(RefuseCode.NAME_MISMATCH, message))]
        protocol = min(frames.PROTOCOL_HIGHEST, hello.protocol_highest)
        if protocol < max(frames.PROTOCOL_LOWEST, hello.protocol_lowest):
            span = f"{frames.PROTOCOL_LOWEST} to {frames.PROTOCOL_HIGHEST}"
            return [Send(frames.Refuse(RefuseCode.PROTOCOL_VERSION, f"this aggregator speaks {span}"))]
        outputs: list[ServerOutput] = []
        if standing is not None and standing.is_rival_of(hello, now_ns):
            outputs.append(Conflict(hello.boot_id, standing.hello.boot_id))
            if hello.start_number < standing.hello.start_number:
                return [*outputs, Send(frames.Refuse(RefuseCode.BOOT_CONFLICT, "a newer start of this agent is live"))]
        elif standing is not None and (returns or standing.is_of_another_store(hello)) and standing.is_alive(now_ns):
            message = "another agent with this key is live"
            return [
                Conflict(hello.boot_id, standing.hello.boot_id),
                Send(frames.Refuse(RefuseCode.BOOT_CONFLICT, message)),
            ]
        fork = _fork(hello, known)
        if fork is not None:
            return [*outputs, fork, Send(frames.Refuse(RefuseCode.FORK, f"{fork.lane} differs at {fork.seq}"))]
        welcome = frames.Welcome(
            protocol, known.aggregator_id, known.lanes, known.catalogue_version, WINDOW, HEARTBEAT_MS, wall_ns
        )
        return [*outputs, Send(welcome)]

    def is_rival_of(self, hello: frames.Hello, now_ns: int) -> bool:
        """Another start of the same agent spoke within the last heartbeats, and on another machine: the boot part of
        the boot id differs (a restart on one machine keeps it; two processes on one store are kept apart by its lock).
        """
        return self.is_alive(now_ns) and self.hello.boot_id.partition(".")[0] != hello.boot_id.partition(".")[0]

    def is_of_another_store(self, hello: frames.Hello) -> bool:
        """Another start with another epoch. On one machine that is a second agent, or the one that follows on a store that
        was set aside between two starts; the latter gets in as soon as this session is silent."""
        return self.hello.boot_id != hello.boot_id and self.hello.epoch != hello.epoch

    def is_alive(self, now_ns: int) -> bool:
        """It spoke within the last heartbeats."""
        return now_ns - self.heard_ns < SILENT_PERIODS * HEARTBEAT_MS * NS_PER_MS

    def receive(self, frame: frames.Frame, routing_id: bytes, now_ns: int, wall_ns: int) -> list[ServerOutput]:
        """Any frame but HELLO. One that comes over another link than the session's is answered with a request for a
        HELLO: the link is new, or belongs to an older start."""
        if routing_id != self.routing_id:
            return [Send(frames.Refuse(RefuseCode.HELLO_REQUIRED, "no session on this link"))]
        self.heard_ns = now_ns
        match frame:
            case frames.Heartbeat():
                return [Send(frames.Heartbeat(wall_ns, now_ns))]
            case frames.EventBatch() | frames.TelemetryBatch() | frames.CatalogueFrame() if (
                frame.epoch != self.hello.epoch
            ):
                return [Send(frames.Refuse(RefuseCode.HELLO_REQUIRED, "another epoch"))]
            case (
                frames.CatalogueFrame() | frames.EventBatch() | frames.TelemetryBatch() | frames.Live()
                | frames.Snapshot() | frames.State()
            ):  # fmt: skip
                return [Deliver(frame)]
            case _:
                return [Send(frames.Refuse(RefuseCode.MALFORMED, f"{type(frame).__name__} is not for an aggregator"))]

    def acknowledge(self, lanes: Mapping[Lane, int]) -> list[ServerOutput]:
        """After the commit, never before."""
        return [Send(frames.Ack(self.hello.epoch, dict(lanes)))]


def _fork(hello: frames.Hello, known: Known) -> Forked | None:
    """The agent's history is not the one we hold: it went back behind our mark, or differs at its own head."""
    for lane, theirs in hello.lanes.items():
        held = known.lanes.get(lane, LaneHead(0, b""))
        ours = known.agent_heads.get(lane)
        if lane is Lane.EVENTS and theirs.seq < held.seq:
            return Forked(lane, theirs.seq, ours or b"", theirs.hash)
        if theirs.seq and ours is not None and theirs.hash and ours != theirs.hash:
            return Forked(lane, theirs.seq, ours, theirs.hash)
    return None
