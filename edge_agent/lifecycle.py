"""Events about the agent itself: start, stop, signed checkpoint, clock step, fork, a store that had to be replaced, and
the end of conditions whose point is gone.

Built like condition events, in the commit thread once their number is known; used by ``app`` alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from contract.clock import Clock
from contract.events import ConditionData, Event, EventType, Json, Stamp
from contract.ids import Epoch
from contract.keys import SecretKeys
from contract.wire.session import Forked
from edge_agent.outbox.event_store import EventStore
from edge_agent.outbox.rows import Pending
from edge_agent.station.clock_state import kernel_clock_state

CHECKPOINT_WORDS: Final = "parksentry checkpoint 1"


def checkpoint_message(agent: str, epoch: str, seq: int, head_hash: bytes) -> bytes:
    """The bytes that a checkpoint signs: whose chain, how far, and the hash there."""
    return "\n".join((CHECKPOINT_WORDS, agent, epoch, str(seq), head_hash.hex())).encode()


class Lifecycle:
    """Puts on record what happens to the agent."""

    def __init__(self, events: EventStore, agent: str, organisation: str, keys: SecretKeys, clock: Clock) -> None:
        self._events = events
        self._agent = agent
        self._organisation = organisation
        self._keys = keys
        self._clock = clock

    def record(self, event_type: EventType, data: dict[str, Json]) -> None:
        stamp = self.stamp()
        self._events.append([Pending(lambda _epoch, _seq: (Event(event_type, self._organisation, stamp, data), None))])

    def start(self, *, unclean_stop: bool, points: int) -> None:
        """The first event after each start."""
        self.record(
            EventType.AGENT_START,
            {"start_number": str(self._events.start_number), "unclean_stop": unclean_stop, "points": points},
        )

    def config_changed(self, former: str, current: str, asked_by: str | None = None) -> None:
        """From here on another configuration holds: of this start, or, where it was taken on at run time, as
        ``asked_by`` says."""
        data: dict[str, Json] = {"former": former, "current": current}
        self.record(EventType.CONFIG_CHANGE, data if asked_by is None else {**data, "asked_by": asked_by})

    def stop(self, reason: str) -> None:
        self.record(EventType.AGENT_STOP, {"reason": reason})

    def checkpoint(self) -> None:
        """Sign the head as it stands when the event is numbered: all that is committed before it."""
        stamp = self.stamp()

        def build(epoch: Epoch, _seq: int) -> tuple[Event, None]:
            head = self._events.head()
            message = checkpoint_message(self._agent, epoch, head.seq, head.hash)
            data: dict[str, Json] = {
                "head_seq": str(head.seq),
                "head_hash": head.hash.hex(),
                "hash_algorithm": self._events.hash_algorithm,
                "ed25519_public": self._keys.public.ed25519_public.hex(),
                "signature": self._keys.sign(message).hex(),
            }
            return Event(EventType.CHECKPOINT, self._organisation, stamp, data), None

        self._events.append([Pending(build)])

    def clock_step(self, step_ns: int) -> None:
        """A correction on record: by how much the wall clock moved against the monotonic one of this boot."""
        self.record(EventType.CLOCK_STEP, {"step_ns": str(step_ns)})

    def store_replaced(self, why: str, kept_as: Sequence[str]) -> None:
        """The store was set aside; its files are kept under these names."""
        self.record(EventType.STORE_REPLACED, {"reason": why[:512], "kept_as": list(kept_as)})

    def forked(self, fork: Forked, old_epoch: Epoch) -> None:
        self.record(
            EventType.FORK,
            {"lane": fork.lane.value, "seq": str(fork.seq), "ours": fork.ours.hex(), "theirs": fork.theirs.hex(),
             "old_epoch": old_epoch},
        )  # fmt: skip

    def close_condition(self, condition: ConditionData) -> None:
        """The point of a standing condition is no longer configured: nobody judges it any more."""
        stamp = self.stamp()
        closed = replace(
            condition, level=0, previous_level=condition.level, reason="point_removed", value=float("nan"), raw=None
        )
        event = Event(EventType.CONDITION_OFF, condition.org, stamp, closed.to_json())
        self._events.append([Pending(lambda _epoch, _seq: (event, closed))])

    def stamp(self) -> Stamp:
        return Stamp(self._clock.wall_ns(), self._clock.mono_ns(), self._events.boot_id, kernel_clock_state())
